"""Desired and live resources, and the two states that hold them.

The two states have one shape and two types: mypy refuses swapped arguments.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.model.delivery import delivery_entry
from reconciler.model.diagnostic import Place
from reconciler.model.json import Body, Json
from reconciler.model.named_secret import NamedSecret, secret_entry
from reconciler.model.scope import Scope
from reconciler.model.secret import Secret, SecretReference


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """The name of a resource in plans: ``ApiClient/storefront``."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """One object of the service. OrderCloud compares ids without case, and so do keys."""

    kind: str
    id: str = field(compare=False)
    """In the case that it was given in."""
    _folded: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_folded", self.id.casefold())


def same_id(left: str | None, right: str | None) -> bool:
    """Whether two ids are of one object; one that is not known is of none."""
    return bool(left and right) and str(left).casefold() == str(right).casefold()


class FieldsPolicy(StrEnum):
    """What becomes of the fields that a manifest does not name."""

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
        return ObjectKey(self.kind, self.id)


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
