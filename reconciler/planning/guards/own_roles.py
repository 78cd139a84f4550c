"""Changes x how this run is logged in -> findings: what its login depends on besides its own client.

Which profiles the user of this run has, no plan can tell, so that the stricter reading holds: a role that a profile
loses is lost, whoever else gives it. The mistake that it makes can be acknowledged.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from reconciler.kinds import KINDS, login_key
from reconciler.kinds.references import references
from reconciler.model.plan import Action, Change, Finding
from reconciler.model.resource import ObjectKey
from reconciler.planning.guards.context import Context, body_after, names, writing

_PROFILE: Final = "SecurityProfile"
_OURS: Final = frozenset({"seller", "adminGroups", "adminUsers"})
"""The levels at which a seller's user can have a profile."""


def own_roles(changes: Sequence[Change], context: Context) -> Iterator[Finding]:
    """A profile would lose a role that the run needs, or would no longer be assigned to those it may be assigned by."""
    used = [
        KINDS[name] for name in {change.address.kind for change in changes if change.action is not Action.UNMANAGED}
    ]
    for change in writing(changes):
        lost = _lost(change) if change.address.kind == _PROFILE else frozenset()
        held = lost if context.access.roles is None else context.access.roles & lost
        left = frozenset() if context.access.roles is None else context.access.roles - lost
        nouns = sorted(kind.noun for kind in used if held & {*kind.reading_roles} and not left & {*kind.writing_roles})
        if nouns:
            yield Finding(
                "own-roles",
                f"{change.address} would take away {', '.join(sorted(held))}, and the token of this run has nothing "
                f"else to write {', '.join(f'{noun}s' for noun in nouns)} with",
                "make sure that another profile gives the user of this run the role, then acknowledge it",
                (change.address,),
            )


def _lost(change: Change) -> frozenset[str]:
    """The roles that users of the seller may lose by a change of a profile."""
    before = names(change.before, "Roles")
    if any(not step.assign and step.party in _OURS for step in change.assignments):
        return before
    return before - names(change.after, "Roles")


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
