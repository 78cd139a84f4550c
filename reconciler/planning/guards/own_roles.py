"""Changes x how this run is logged in -> findings: what its login depends on besides its own client.

Which profiles the user of this run has, no plan can tell, so that the stricter reading holds: a role that a profile
loses is lost, whoever else gives it. The mistake that it makes can be acknowledged.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from reconciler.kinds import KINDS, login_key
from reconciler.kinds.references import references
from reconciler.model.plan import Action, Change, Finding
from reconciler.model.resource import ObjectKey, same_id
from reconciler.planning.guards.context import Context, body_after, names, writing

_OURS: Final = frozenset({"seller", "adminGroups", "adminUsers"})
"""The levels at which a seller's user can have a profile."""


def own_roles(changes: Sequence[Change], context: Context) -> Iterator[Finding]:
    """The run would lose a role that it needs: by a profile or its assignment, or by its user's group."""
    used = [
        KINDS[name] for name in {change.address.kind for change in changes if change.action is not Action.UNMANAGED}
    ]
    given = _given(changes, context)
    for change in writing(changes):
        lost = _lost(change, given, context)
        held = lost if context.access.roles is None else context.access.roles & lost
        left = frozenset() if context.access.roles is None else context.access.roles - lost
        nouns = sorted(kind.noun for kind in used if held & {*kind.reading_roles} and not left & {*kind.writing_roles})
        if nouns:
            whose = " from the user of this run" if KINDS[change.address.kind].members else ""
            yield Finding(
                "own-roles",
                f"{change.address} may take away {', '.join(sorted(held))}{whose}; without that, this run "
                f"cannot write {', '.join(f'{noun}s' for noun in nouns)}",
                "make sure that another profile gives the user of this run the role, then acknowledge it",
                (change.address,),
            )


@dataclass(frozen=True, slots=True)
class _Given:
    """The roles that an assignment to a group may give."""

    of_profiles: frozenset[str]
    """Those of all profiles that were read."""
    at_most: frozenset[str]
    """The same; where none was read, all that the token has."""


def _given(changes: Sequence[Change], context: Context) -> _Given:
    profiles = [change for change in changes if KINDS[change.address.kind].gives]
    found = frozenset[str]().union(*(names(one.before, KINDS[one.address.kind].gives) for one in profiles))
    everything = context.access.roles or frozenset(role for kind in KINDS.values() for role in kind.writing_roles)
    return _Given(found, found if profiles else everything)


def _lost(change: Change, given: _Given, context: Context) -> frozenset[str]:
    """The roles that the user of the run may lose by a change."""
    kind = KINDS[change.address.kind]
    gone = [step for step in change.assignments if not step.assign]
    if kind.gives:
        before = names(change.before, kind.gives)
        return before if any(step.party in _OURS for step in gone) else before - names(change.after, kind.gives)
    left = kind.members and any(step.party == kind.members and same_id(step.id, context.access.user) for step in gone)
    if kind.members and change.action is Action.DELETE:
        return given.of_profiles
    return given.at_most if left else frozenset()


def own_event(changes: Sequence[Change], context: Context) -> Iterator[Finding]:
    """Something would be deleted that the client of this run refers to."""
    own = next((one for one in changes if one.key == login_key(context.access.client_id)), None)
    named = references(KINDS[own.address.kind], body_after(own) or {}) if own else ()
    needed = {ObjectKey(to.kind, str(value)) for _, to, value in named if to.kind}
    for change in changes:
        if change.action is Action.DELETE and change.key in needed:
            yield Finding(
                "own-client",
                f"{change.address} would be deleted, and the client that this run is logged in with refers to it",
                "take the reference out of the client first",
                (change.address,),
                can_be_acknowledged=False,
            )
