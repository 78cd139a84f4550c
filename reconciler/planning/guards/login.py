"""Changes of every kind x the login of this run -> findings: roles and objects that the run must not lose. Pure.

A plan cannot determine which profiles the user of the run has. So it assumes the worst, since a wrong finding can be
acknowledged: a role that one profile loses counts as lost, even if another profile grants it. What the client of the
run itself must not lose is in `api_client`.
"""

from collections.abc import Iterator, Mapping, Sequence

from reconciler.kinds import KINDS, login_key
from reconciler.kinds.checks import Context, body_after, names
from reconciler.kinds.references import references
from reconciler.model.dataclass import dataclass
from reconciler.model.plan import Action, Change, Finding
from reconciler.model.resource import ObjectKey, same_id
from reconciler.planning.guards.every_kind import writing

_SELLER, _GROUPS, _USERS = "seller", "adminGroups", "adminUsers"
"""The levels at which a seller's user can have a profile."""


def own_roles(changes: Sequence[Change], context: Context) -> Iterator[Finding]:
    """The run would lose a role that it needs: by a profile or its assignment, or by its user's group."""
    used = [
        KINDS[name] for name in {change.address.kind for change in changes if change.action is not Action.UNMANAGED}
    ]
    profiles = [one for one in changes if KINDS[one.address.kind].gives]
    groups = {(one.id or "").casefold(): one for one in changes if KINDS[one.address.kind].members}
    parties = _Parties(context, profiles, groups)
    for change in writing(changes):
        lost = parties.roles_lost_by(change)
        held = lost if context.access.roles is None else context.access.roles & lost
        left = frozenset() if context.access.roles is None else context.access.roles - lost
        nouns = sorted(kind.noun for kind in used if held & {*kind.reading_roles} and not left & {*kind.writing_roles})
        if nouns:
            whose = " from the user of this run" if KINDS[change.address.kind].members else ""
            yield Finding(
                "own-roles",
                f"{change.address} may remove {', '.join(sorted(held))}{whose}, without which this run "
                f"cannot write {', '.join(f'{noun}s' for noun in nouns)}",
                "make sure that another profile grants the role to the user of this run, then acknowledge the finding",
                (change.address,),
            )


@dataclass(frozen=True, slots=True)
class _Parties:
    """The profiles and groups of a plan, and their assignments."""

    context: Context
    profiles: Sequence[Change]
    groups: Mapping[str, Change]
    """By ID, in lower case."""

    def roles_lost_by(self, change: Change) -> frozenset[str]:
        """The roles that the user of the run may lose by a change."""
        kind, user = KINDS[change.address.kind], self.context.access.user
        gone = [step for step in change.assignments if not step.assign]
        if kind.gives:
            before = names(change.before, kind.gives)
            if any(self._may_be_own_party(step.party, step.id) for step in gone):
                return before
            return before - names(change.after, kind.gives) if self._may_grant(change) else frozenset()
        if kind.members and any(step.party == kind.members and same_id(step.id, user) for step in gone):
            return self._granted(change) if self.profiles else self.context.access.roles or _every_role()
        is_gone = kind.members and change.action is Action.DELETE and self._may_contain_own_user(change)
        return self._granted(change) if is_gone else frozenset()

    def _granted(self, group: Change) -> frozenset[str]:
        """The roles that a group may grant: those of profiles possibly assigned to it."""
        of_group = [
            one
            for one in self.profiles
            if (held := self._held(one)) is None or any(same_id(row, group.id) for row in held.get(_GROUPS, ()))
        ]
        return frozenset[str]().union(*(names(one.before, KINDS[one.address.kind].gives) for one in of_group))

    def _may_grant(self, profile: Change) -> bool:
        """Whether a profile may be assigned to the user of the run; true if its assignments were not read."""
        held = self._held(profile)
        return held is None or any(self._may_be_own_party(level, row) for level in held for row in held[level])

    def _may_be_own_party(self, level: str, party: str) -> bool:
        """Whether the user of the run may be, or be in, a party."""
        if level == _GROUPS:
            group = self.groups.get(party.casefold())
            return group is None or self._may_contain_own_user(group)
        return level == _SELLER or (level == _USERS and self._is_user(party))

    def _may_contain_own_user(self, group: Change) -> bool:
        """Whether the user of the run may be in a group; true if its members were not read."""
        held = self._held(group)
        return held is None or any(map(self._is_user, held.get(KINDS[group.address.kind].members, ())))

    def _is_user(self, party: str) -> bool:
        return not self.context.access.user or same_id(party, self.context.access.user)

    def _held(self, change: Change) -> Mapping[str, Sequence[str]] | None:
        return self.context.held.get(change.key) if change.key else None


def _every_role() -> frozenset[str]:
    return frozenset(role for kind in KINDS.values() for role in kind.writing_roles)


def own_event(changes: Sequence[Change], context: Context) -> Iterator[Finding]:
    """Something would be deleted that the login client refers to."""
    own = next((one for one in changes if one.key == login_key(context.access.client_id)), None)
    named = references(KINDS[own.address.kind], body_after(own) or {}) if own else ()
    needed = {ObjectKey(to.kind, str(value)) for _, to, value in named if to.kind}
    for change in changes:
        if change.action is Action.DELETE and change.key in needed:
            yield Finding(
                "own-client",
                f"{change.address} would be deleted, and the login client refers to it",
                "first remove the reference from the client",
                (change.address,),
                can_be_acknowledged=False,
            )
