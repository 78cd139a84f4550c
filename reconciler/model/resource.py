"""Desired and live resources, the two states that contain them, and the scope of a repository (`Scope`).

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
    """Patterns of addresses, and values in the extended properties of API clients, whose IDs have no meaning."""

    include: tuple[str, ...] = ()
    """``KIND/NAME`` with ``*``, ``?`` and ``[...]``; ignores case. Empty: everything."""
    exclude: tuple[str, ...] = ()
    xp: Mapping[str, Json] = field(default_factory=dict)
    """Key -> the value that it must have; ``{"not": [VALUE, ...]}``: it must have none of these, or be missing."""

    @property
    def is_everything(self) -> bool:
        """Whether the repository manages the whole marketplace."""
        return not (self.include or self.exclude or self.xp)

    def objection(self, kind: str, name: str) -> str:
        """Why an object with this name is out of scope; empty: it is in scope."""
        if self.include and not any(_matches(glob, kind, name) for glob in self.include):
            return f"no pattern of scope.include matches {kind}/{name}"
        excluding = next((glob for glob in self.exclude if _matches(glob, kind, name)), "")
        return f"{excluding} of scope.exclude matches {kind}/{name}" if excluding else ""

    def objection_to_xp(self, xp: Json) -> str:
        """The same for its extended properties."""
        known = xp if isinstance(xp, Mapping) else {}
        return "; ".join(
            why for key, wanted in self.xp.items() if (why := _mismatch(key, known.get(key, ABSENT), wanted))
        )

    def document(self) -> Json:
        """As JSON."""
        return {"include": list(self.include), "exclude": list(self.exclude), "xp": dict(self.xp)}


def _matches(glob: str, kind: str, name: str) -> bool:
    """Match kinds and names separately, so that no name matches a kind."""
    of_kind, _, of_name = glob.partition("/")
    return matches(of_kind, kind) and matches(of_name, name)


def matches(glob: str, text: str) -> bool:
    """Whether the whole text matches a pattern, ignoring case."""
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
"""The values of secret references in manifests, as far as they can be read."""


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """One object of the service. OrderCloud compares ids without case, and so do keys."""

    kind: str
    id: str = field(compare=False)
    """The id in its original case."""
    _folded: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_folded", self.id.casefold())


@lru_cache(maxsize=65_536)
def key_of(kind: str, object_id: str) -> ObjectKey:
    """The key of an object, cached: phases use each a dozen times, and one key is found faster than two."""
    return ObjectKey(kind, object_id)


def same_id(left: str | None, right: str | None) -> bool:
    """Whether two ids are equal; an unknown id equals none."""
    return bool(left and right) and str(left).casefold() == str(right).casefold()


class FieldsPolicy(StrEnum):
    """The treatment of fields that a manifest does not name."""

    MERGE = "merge"
    """They keep their live value."""
    EXCLUSIVE = "exclusive"
    """They are set to the API's default, if there is one, except secrets, which are never cleared by omission."""


class AssignmentsPolicy(StrEnum):
    """The treatment of assignments that a manifest does not name, at the levels that it names."""

    EXACT = "exact"
    """They are deleted, and count towards ``limits.deletes``."""
    WATCH = "watch"
    """They are drift and are never deleted: applications assign parties at run time."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The ``policy:`` block of a manifest, completed by the defaults of the configuration."""

    fields: FieldsPolicy = FieldsPolicy.MERGE
    assignments: AssignmentsPolicy = AssignmentsPolicy.EXACT
    ignore: tuple[str, ...] = ()
    """JSON pointers into the spec: neither compared nor overwritten."""
    protected: bool = False
    """Never deleted, never deactivated."""
    absent: bool = False
    """``state: absent``: the resource should be deleted."""


@dataclass(frozen=True, slots=True)
class DesiredResource:
    """One manifest, checked and substituted."""

    address: Address
    spec: Body
    """The fields that the manifest names, except secret ones."""
    place: Place
    id: str | None = None
    """The service's id, if the environment or the manifest has it."""
    second_id: str | None = None
    """The manifest's own id, if the environment has another one; used if that is not live.

    The digest excludes it: a plan names the object of each change.
    """
    labels: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, SecretReference | None] = field(default_factory=dict)
    """Secret field -> the source of its value; None clears it; a missing field keeps its live value."""
    named_secrets: tuple[NamedSecret, ...] | None = None
    """The named secrets of the object; None: they are not managed."""
    assignments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Party (``buyers``) -> the assigned ids; a missing party is not managed."""
    policy: Policy = Policy()
    waived: frozenset[str] = frozenset()
    """The rules with valid waivers."""
    places: Mapping[str, Place] = field(default_factory=dict)
    """JSON pointer into the document (``/spec/Active``) -> its place."""
    has_no_secrets_loaded: bool = False
    """Whether its secrets were removed because they are not selected, so that missing ones are unknown."""


@dataclass(frozen=True, slots=True)
class EffectiveManifest:
    """The document of a desired resource in one environment."""

    resource: DesiredResource
    body: Body
    """The content after overlays and substitution, without secret fields."""
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """JSON pointer -> the environment values (``values.domain``) used there."""
    overlay: str | None = None
    """The file of its overlay, as named in messages."""


@dataclass(frozen=True, slots=True)
class LiveResource:
    """One object of the service."""

    kind: str
    id: str
    body: Body
    """Everything that the service sent, including unknown and read-only fields, without secret values."""
    secrets: Mapping[str, Secret | None] = field(default_factory=dict)
    """Secret fields that the service showed (the legacy generation does); others are missing."""
    assignments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Party -> ids; empty if assignments were not read because they are not compared."""
    faults: tuple[str, ...] = ()
    """The type faults of its fields; such a field is neither in `body` nor in `secrets`."""

    @property
    def key(self) -> ObjectKey:
        """Its key."""
        return key_of(self.kind, self.id)


@dataclass(frozen=True, slots=True)
class DesiredState:
    """Everything that the manifests declare in one environment."""

    resources: tuple[DesiredResource, ...]
    digest: str
    """SHA-256 over the content after substitution: the same content in other files has the same digest."""
    scope: Scope = field(default_factory=Scope)
    """The part of the marketplace that these manifests cover; included in the digest."""


@dataclass(frozen=True, slots=True)
class LiveState:
    """All objects of the kinds that were read. Complete: after a failed read there is no LiveState."""

    resources: tuple[LiveResource, ...]
    marketplace: str
    """The Seller.ID in the response to `GET /v1/me`."""
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
