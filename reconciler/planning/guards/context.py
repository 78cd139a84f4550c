"""What the guards know besides the changes, and what a guard is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import TypeAlias

from reconciler.model.dataclass import dataclass
from reconciler.model.inputs import Access
from reconciler.model.json import Body
from reconciler.model.plan import Action, Change, Finding, Limits
from reconciler.model.resource import Address, ObjectKey, Scope


@dataclass(frozen=True, slots=True)
class Context:
    """All that is not in the plan itself."""

    limits: Limits
    access: Access
    """How this run is logged in."""
    known: frozenset[ObjectKey] = frozenset()
    """The objects whose ids the environment or a manifest names: what is not here is bound by its name."""
    has_secrets: bool = True
    """Whether the changes have the secrets that manifests name: those of a plan from a snapshot have none."""
    spared: frozenset[Address] = frozenset()
    """The changes that do not count in the limits on changes."""
    held: Mapping[ObjectKey, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    """Who is assigned to live objects, level by level; an object whose assignments were not read is not here."""
    scope: Scope = field(default_factory=Scope)
    """What of the marketplace the manifests are of."""


Guard: TypeAlias = Callable[[Sequence[Change], Context], Iterator[Finding]]


def writing(changes: Sequence[Change]) -> list[Change]:
    """Those that applying the plan would write."""
    return [change for change in changes if change.action.writes]


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
