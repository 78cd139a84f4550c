"""What a rule and a guard are, what they look at, and what they find."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from typing import TypeAlias

from reconciler.model.dataclass import dataclass
from reconciler.model.inputs import Access
from reconciler.model.json import ABSENT, Absent, Body, Json, is_array
from reconciler.model.plan import Action, Change, Finding, Limits
from reconciler.model.resource import Address, ObjectKey, Scope
from reconciler.model.secret import SecretReference


@dataclass(frozen=True, slots=True)
class ManifestView:
    """What one manifest says."""

    spec: Body
    """The fields that it names, less the secret ones."""
    defaults: Body = field(default_factory=dict)
    """What the API assumes of each field; a field that is not here is none of the kind's."""
    secrets: Mapping[str, SecretReference | None] = field(default_factory=dict)
    """Secret field -> where its value comes from; None clears it; a field that is not here stays as it is."""
    assignments: Mapping[str, Sequence[Json]] = field(default_factory=dict)
    """Party -> the ids of exactly those assigned; a party that is not here is not managed, so it is open."""
    exclusive: bool = False
    """Whether a field that spec leaves out goes to its default. Else it is open."""
    open_fields: frozenset[str] = frozenset()
    """Fields that are open although they are named: their value is ignored, or faulty."""
    has_named_secrets: bool = False
    """Whether it lists secrets that the service is to keep beside the client."""
    literals: Mapping[str, str] = field(default_factory=dict)
    """JSON pointer of each written-out value that every environment has of its own -> the environments that share it;
    empty where there is only this one."""
    is_new: bool = False
    """Whether the client is created with exactly this; then a secret that is left out is none."""

    def value(self, name: str) -> Json | Absent:
        """The value that the field will have; `ABSENT` where the manifest leaves it open."""
        if name in self.open_fields:
            return ABSENT
        value = self.spec.get(name, None if self.exclusive else ABSENT)
        return self.defaults.get(name, ABSENT) if value is None else value

    def leaves_out(self, name: str) -> bool:
        """Whether the field is open because the manifest does not name it."""
        return not self.exclusive and name not in self.spec and name not in self.open_fields

    def is_on(self, name: str) -> bool:
        """Whether the flag is certainly true."""
        return self.value(name) is True

    def is_off(self, name: str) -> bool:
        """Whether the flag is certainly false."""
        return self.value(name) is False

    def minutes(self, name: str) -> int | None:
        """A duration that is certain and given, or None."""
        value = self.value(name)
        return value if type(value) is int else None

    def members(self, name: str) -> Sequence[str] | None:
        """The members of a list that is certain, in the manifest's order, or None. An empty list is certain, too."""
        value = self.value(name)
        return value if is_array(value) else None  # type: ignore[return-value]  # the schema has seen that they are texts


@dataclass(frozen=True, slots=True)
class Objection:
    """What a rule finds in one manifest."""

    pointer: str
    """JSON pointer into the manifest, to something that is there."""
    message: str
    """What is the case; why that is bad is the rule's reason."""
    hint: str
    """How to fix it."""
    is_certain: bool = True
    """Whether it holds whatever the service has in what the manifest leaves open."""


class RuleLevel(StrEnum):
    """How strictly a rule is taken."""

    ERROR = "error"
    WARNING = "warning"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    name: str
    reason: str
    """Why what it finds is bad: a sentence without capital and full stop, which follows a colon."""
    source: str
    """Where OrderCloud's public documentation says so; without a documented fact a rule is a warning."""
    check: Callable[[ManifestView], Iterable[Objection]]
    about: frozenset[str]
    """It has nothing to say of a manifest that names none of these fields and blocks."""
    level: RuleLevel = RuleLevel.WARNING
    """How strictly it is taken unless the configuration says otherwise."""


@dataclass(frozen=True, slots=True)
class Context:
    """What guards look at besides the changes."""

    limits: Limits
    access: Access
    """How this run is logged in."""
    known: frozenset[ObjectKey] = frozenset()
    """The objects whose ids the environment or a manifest names: what is not here is bound by its name."""
    has_secrets: bool = True
    """Whether the changes have the secrets that manifests name: those of a plan from a snapshot have none."""
    exempt: frozenset[Address] = frozenset()
    """The changes that do not count in the limits on changes."""
    held: Mapping[ObjectKey, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    """Who is assigned to live objects, level by level; an object whose assignments were not read is not here."""
    scope: Scope = field(default_factory=Scope)
    """What of the marketplace the manifests are of."""


Guard: TypeAlias = Callable[[Sequence[Change], Context], Iterator[Finding]]


def addresses(changes: Sequence[Change]) -> tuple[Address, ...]:
    """Whom a finding is about."""
    return tuple(sorted(change.address for change in changes))


def body_after(change: Change) -> Body | None:
    """The body that will be there: an unmanaged object stays as it is."""
    return change.before if change.action is Action.UNMANAGED else change.after


def names(body: Body | None, field: str) -> frozenset[str]:
    """The members of a list of names."""
    value = (body or {}).get(field)
    return frozenset(map(str, value)) if isinstance(value, list | tuple) else frozenset()
