"""Desired and live resources, the two states that hold them, and which of them belong to a repository (`Scope`).

The two states have one shape and two types: mypy refuses swapped arguments.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from fnmatch import translate
from functools import lru_cache
from typing import Final, TypeAlias

from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Place
from reconciler.model.json import ABSENT, Absent, Body, Json, is_array, same
from reconciler.model.named_secret import NamedSecret, secret_entry
from reconciler.model.secret import Secret, SecretReference, delivery_entry

_NOT: Final = "not"


@dataclass(frozen=True, slots=True)
class Scope:
    """Patterns of addresses, and values in the extended properties of API clients: their IDs say nothing."""

    include: tuple[str, ...] = ()
    """``KIND/NAME`` with ``*``, ``?`` and ``[...]``; case does not count. Empty: everything."""
    exclude: tuple[str, ...] = ()
    xp: Mapping[str, Json] = field(default_factory=dict)
    """Key -> the value that it must have; ``{"not": [VALUE, ...]}``: it must have none of these, or be missing."""

    @property
    def is_everything(self) -> bool:
        """Whether the repository has the marketplace for itself."""
        return not (self.include or self.exclude or self.xp)

    def objection(self, kind: str, name: str) -> str:
        """Why an object of this name is out of scope; empty: it is not."""
        if self.include and not any(_matches(glob, kind, name) for glob in self.include):
            return f"no pattern of scope.include matches {kind}/{name}"
        excluding = next((glob for glob in self.exclude if _matches(glob, kind, name)), "")
        return f"{excluding} of scope.exclude matches {kind}/{name}" if excluding else ""

    def objection_to_xp(self, xp: Json) -> str:
        """The same of its extended properties."""
        known = xp if isinstance(xp, Mapping) else {}
        return "; ".join(
            why for key, wanted in self.xp.items() if (why := _mismatch(key, known.get(key, ABSENT), wanted))
        )

    def document(self) -> Json:
        """As JSON."""
        return {"include": list(self.include), "exclude": list(self.exclude), "xp": dict(self.xp)}


def _matches(glob: str, kind: str, name: str) -> bool:
    """Kinds and names are compared apart: no name can pass for a kind."""
    of_kind, _, of_name = glob.partition("/")
    return matches(of_kind, kind) and matches(of_name, name)


def matches(glob: str, text: str) -> bool:
    """Whether all of a text is of a pattern, whatever the case."""
    return bool(_pattern(glob).match(text))


@lru_cache(maxsize=256)
def _pattern(glob: str) -> re.Pattern[str]:
    return re.compile(translate(glob), re.IGNORECASE)


def _mismatch(key: str, value: Json | Absent, wanted: Json) -> str:
    is_missing = isinstance(value, Absent) or value is None
    found = f"xp.{key} is {'missing' if is_missing else json.dumps(value, ensure_ascii=False)}"
    others = wanted[_NOT] if isinstance(wanted, Mapping) else None
    if not is_array(others):
        return "" if same(value, wanted) else f"{found}, and scope.xp requires {json.dumps(wanted, ensure_ascii=False)}"
    return f"{found}, which scope.xp excludes" if any(same(value, one) for one in others) else ""


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """The name of a resource in plans: ``ApiClient/storefront``."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


SecretKey: TypeAlias = tuple[Address, str]
"""A resource and its secret field."""
Values: TypeAlias = Mapping[SecretKey, Secret]
"""What the secret references of manifests stand for, as far as it can be read."""


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """One object of the service. OrderCloud compares ids without case, and so do keys."""

    kind: str
    id: str = field(compare=False)
    """In the case that it was given in."""
    _folded: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_folded", self.id.casefold())


@lru_cache(maxsize=65_536)
def key_of(kind: str, object_id: str) -> ObjectKey:
    """The key of an object, made once: phases ask for each a dozen times, and one key is found faster than two."""
    return ObjectKey(kind, object_id)


def same_id(left: str | None, right: str | None) -> bool:
    """Whether two ids are of one object; one that is not known is of none."""
    return bool(left and right) and str(left).casefold() == str(right).casefold()


class FieldsPolicy(StrEnum):
    """How fields that a manifest does not name are treated."""

    MERGE = "merge"
    """They keep their live value."""
    EXCLUSIVE = "exclusive"
    """They go to the API's default, where there is one. Secrets are excepted: they are never cleared by omission."""


class AssignmentsPolicy(StrEnum):
    """What happens to assignments that a manifest does not name, at the levels that it names."""

    EXACT = "exact"
    """They are deleted, and count in ``limits.deletes``."""
    WATCH = "watch"
    """They are drift and are never deleted: applications assign parties at run time."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The ``policy:`` block of a manifest, or what the configuration gives to those that do not say it."""

    fields: FieldsPolicy = FieldsPolicy.MERGE
    assignments: AssignmentsPolicy = AssignmentsPolicy.EXACT
    ignore: tuple[str, ...] = ()
    """JSON pointers into the spec: neither compared nor overwritten."""
    protected: bool = False
    """Never deleted, never deactivated."""
    absent: bool = False
    """``state: absent``: the resource is to be deleted."""


@dataclass(frozen=True, slots=True)
class DesiredResource:
    """One manifest, checked and substituted."""

    address: Address
    spec: Body
    """The fields that the manifest names, less the secret ones."""
    place: Place
    id: str | None = None
    """The service's id, where the environment or the manifest knows it."""
    second_id: str | None = None
    """The manifest's own id, where the environment knows another one: looked for where that is not live.

    The digest leaves it out: a plan says which object each change is of.
    """
    labels: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, SecretReference | None] = field(default_factory=dict)
    """Secret field -> where its value comes from; None clears it; a field that is not here stays as it is."""
    named_secrets: tuple[NamedSecret, ...] | None = None
    """The secrets that the service is to keep beside the object; None: they are not managed."""
    assignments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Party (``buyers``) -> the ids of those assigned to it; a party that is not here is not managed."""
    policy: Policy = Policy()
    waived: frozenset[str] = frozenset()
    """The rules whose findings are let pass, as of today."""
    places: Mapping[str, Place] = field(default_factory=dict)
    """JSON pointer into the document (``/spec/Active``) -> where it stands."""
    is_disarmed: bool = False
    """Whether its secrets were taken out, because this run is not about them: nobody can say what it lacks."""


@dataclass(frozen=True, slots=True)
class EffectiveManifest:
    """The document that a desired resource was made from, as it is in one environment."""

    resource: DesiredResource
    body: Body
    """After overlays and substitution, less the secret fields."""
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """JSON pointer -> the values of the environment (``values.domain``) that what stands there was made of."""
    overlay: str | None = None
    """The file, as messages call it, of the overlay that was laid over it."""


@dataclass(frozen=True, slots=True)
class LiveResource:
    """One object as the service has it."""

    kind: str
    id: str
    body: Body
    """Everything that the service sent, unknown and read-only fields included, less the secret values."""
    secrets: Mapping[str, Secret | None] = field(default_factory=dict)
    """Secret fields that the service showed (the legacy generation does); a field it did not show is not here."""
    assignments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Party -> ids; empty where assignments were not read because nobody compares them."""
    faults: tuple[str, ...] = ()
    """What is wrong with the types of its fields; such a field is neither in `body` nor in `secrets`."""

    @property
    def key(self) -> ObjectKey:
        """What it is known by."""
        return key_of(self.kind, self.id)


@dataclass(frozen=True, slots=True)
class DesiredState:
    """All that the manifests ask for in one environment."""

    resources: tuple[DesiredResource, ...]
    digest: str
    """SHA-256 over the content after substitution: the same content in other files has the same digest."""
    scope: Scope = field(default_factory=Scope)
    """What of the marketplace these manifests are of; the digest covers it."""


@dataclass(frozen=True, slots=True)
class LiveState:
    """All that the service has of the kinds we know. Complete: a failed read gives no LiveState."""

    resources: tuple[LiveResource, ...]
    marketplace: str
    """The Seller.ID that `GET /v1/me` answered."""
    kinds: frozenset[str] = frozenset()
    """The kinds that were read."""


def spec_digest(resources: tuple[DesiredResource, ...]) -> Json:
    """The content of the manifests as one JSON value, free of secrets and places: `DesiredState.digest` is over it."""
    return [
        {
            "address": str(resource.address),
            "id": resource.id,
            "labels": dict(resource.labels),
            "spec": resource.spec,
            "secrets": {name: _reference(reference) for name, reference in resource.secrets.items()},
            **_named_secrets(resource),
            "assignments": {party: sorted(ids) for party, ids in resource.assignments.items()},
            "policy": {
                "fields": resource.policy.fields,
                "assignments": resource.policy.assignments,
                "ignore": resource.policy.ignore,
                "protected": resource.policy.protected,
                "absent": resource.policy.absent,
            },
        }
        for resource in sorted(resources, key=lambda resource: resource.address)
    ]


def _reference(reference: SecretReference | None) -> Json:
    if reference is None or not reference.deliver:
        return str(reference) if reference else None
    return {"reference": str(reference), "deliver": [delivery_entry(delivery) for delivery in reference.deliver]}


def _named_secrets(resource: DesiredResource) -> dict[str, Json]:
    if resource.named_secrets is None:
        return {}
    return {"named_secrets": [secret_entry(secret) for secret in resource.named_secrets]}
