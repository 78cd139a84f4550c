"""Rules and guards: their types, inputs and results."""

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
    """The content of one manifest, as rules see it."""

    spec: Body
    """The fields that it names, except secret ones."""
    defaults: Body = field(default_factory=dict)
    """The API's default of each field; a missing field is unknown to the kind."""
    secrets: Mapping[str, SecretReference | None] = field(default_factory=dict)
    """Secret field -> the source of its value; None clears it; a missing field keeps its live value."""
    assignments: Mapping[str, Sequence[Json]] = field(default_factory=dict)
    """Party -> the exact assigned ids; a missing party is not managed, and therefore open."""
    exclusive: bool = False
    """Whether a field that spec does not name goes to its default; otherwise it is open."""
    open_fields: frozenset[str] = frozenset()
    """Fields that are open although they are named, because their value is ignored or faulty."""
    has_named_secrets: bool = False
    """Whether it lists named secrets."""
    literals: Mapping[str, str] = field(default_factory=dict)
    """JSON pointer of each literal value that should differ between environments -> the environments that share it;
    empty if there is only this one."""
    is_new: bool = False
    """Whether the client is created from exactly this; then a secret that is not named does not exist."""

    def value(self, name: str) -> Json | Absent:
        """The resulting value of the field; `ABSENT` if it is open."""
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
        """The members of a list in the manifest's order, or None if it is uncertain. An empty list is certain."""
        value = self.value(name)
        return value if is_array(value) else None  # type: ignore[return-value]  # the schema ensures that they are texts


@dataclass(frozen=True, slots=True)
class Objection:
    """A finding of a rule in one manifest."""

    pointer: str
    """JSON pointer to an existing part of the manifest."""
    message: str
    """The fact; the rule's reason explains why it is bad."""
    hint: str
    """How to fix it."""
    is_certain: bool = True
    """Whether it holds for all possible values of open fields."""


class RuleLevel(StrEnum):
    """The level of a rule."""

    ERROR = "error"
    WARNING = "warning"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    name: str
    reason: str
    """Why its findings are bad: a clause that follows a colon, without capital and full stop."""
    source: str
    """The source in OrderCloud's public documentation; a rule without a documented fact is a warning."""
    check: Callable[[ManifestView], Iterable[Objection]]
    about: frozenset[str]
    """The fields and blocks of which a manifest must name at least one for the rule to apply."""
    level: RuleLevel = RuleLevel.WARNING
    """Its level unless the configuration sets another one."""


@dataclass(frozen=True, slots=True)
class Context:
    """The inputs of guards in addition to the changes."""

    limits: Limits
    access: Access
    """The login of this run."""
    known: frozenset[ObjectKey] = frozenset()
    """The objects whose ids the environment or a manifest names; others are matched by name."""
    has_secrets: bool = True
    """Whether the changes include secrets of manifests, unlike those of a plan from a snapshot."""
    exempt: frozenset[Address] = frozenset()
    """The changes that are exempt from the limits on changes."""
    held: Mapping[ObjectKey, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    """The parties assigned to live objects, by level, for objects whose assignments were read."""
    scope: Scope = field(default_factory=Scope)
    """The part of the marketplace that the manifests cover."""


Guard: TypeAlias = Callable[[Sequence[Change], Context], Iterator[Finding]]


def addresses(changes: Sequence[Change]) -> tuple[Address, ...]:
    """The addresses that a finding is about."""
    return tuple(sorted(change.address for change in changes))


def body_after(change: Change) -> Body | None:
    """The resulting body: an unmanaged object is unchanged."""
    return change.before if change.action is Action.UNMANAGED else change.after


def names(body: Body | None, field: str) -> frozenset[str]:
    """The members of a list of names."""
    value = (body or {}).get(field)
    return frozenset(map(str, value)) if isinstance(value, list | tuple) else frozenset()
