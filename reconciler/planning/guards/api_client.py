"""Changes of API clients x the login of this run -> findings: what a marketplace, and the run, must not lose.

What the run loses is judged by what the token holds, not by the field alone: a cap that keeps the role to write with is
no harm, and neither is another context user where a user logs in with a password. Where the API's behaviour is not
documented (whether FullAccess passes for each role that a cap or a demand names), the stricter reading holds, since the
mistake that it makes can be acknowledged. The same goes for the profiles of its user, which no plan can tell: a role
that one of them loses is lost, whoever else gives it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from reconciler.kinds import KINDS, login_key
from reconciler.kinds.fields import FULL_ACCESS
from reconciler.kinds.references import references
from reconciler.model.dataclass import dataclass
from reconciler.model.inputs import LEAST_TOKEN_MINUTES, Access
from reconciler.model.json import Body
from reconciler.model.plan import Action, Change, Finding
from reconciler.model.resource import ObjectKey, same_id
from reconciler.planning.guards.every_kind import Context, Guard, addresses, body_after, names, writing

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
        lost = parties.lost_by(change)
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
class _Parties:
    """The profiles and the groups of a plan, and who has them."""

    context: Context
    profiles: Sequence[Change]
    groups: Mapping[str, Change]
    """By ID, in lower case."""

    def lost_by(self, change: Change) -> frozenset[str]:
        """The roles that the user of the run may lose by a change."""
        kind, user = KINDS[change.address.kind], self.context.access.user
        gone = [step for step in change.assignments if not step.assign]
        if kind.gives:
            before = names(change.before, kind.gives)
            if any(self._may_be_ours(step.party, step.id) for step in gone):
                return before
            return before - names(change.after, kind.gives) if self._may_give(change) else frozenset()
        if kind.members and any(step.party == kind.members and same_id(step.id, user) for step in gone):
            return self._given(change) if self.profiles else self.context.access.roles or _every_role()
        is_gone = kind.members and change.action is Action.DELETE and self._may_have_us(change)
        return self._given(change) if is_gone else frozenset()

    def _given(self, group: Change) -> frozenset[str]:
        """The roles that a group may give: those of profiles that may be assigned to it."""
        of_group = [
            one
            for one in self.profiles
            if (held := self._held(one)) is None or any(same_id(row, group.id) for row in held.get(_GROUPS, ()))
        ]
        return frozenset[str]().union(*(names(one.before, KINDS[one.address.kind].gives) for one in of_group))

    def _may_give(self, profile: Change) -> bool:
        """Whether a profile may be assigned to the user of the run; one whose assignments were not read may be."""
        held = self._held(profile)
        return held is None or any(self._may_be_ours(level, row) for level in held for row in held[level])

    def _may_be_ours(self, level: str, party: str) -> bool:
        """Whether the user of the run may be, or be in, a party."""
        if level == _GROUPS:
            group = self.groups.get(party.casefold())
            return group is None or self._may_have_us(group)
        return level == _SELLER or (level == _USERS and self._is_user(party))

    def _may_have_us(self, group: Change) -> bool:
        """Whether the user of the run may be in a group; in one whose members were not read, they may."""
        held = self._held(group)
        return held is None or any(map(self._is_user, held.get(KINDS[group.address.kind].members, ())))

    def _is_user(self, party: str) -> bool:
        return not self.context.access.user or same_id(party, self.context.access.user)

    def _held(self, change: Change) -> Mapping[str, Sequence[str]] | None:
        return self.context.held.get(change.key) if change.key else None


def _every_role() -> frozenset[str]:
    return frozenset(role for kind in KINDS.values() for role in kind.writing_roles)


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


KIND: Final = "ApiClient"
_WRITERS: Final = frozenset(KINDS[KIND].writing_roles)
_READERS: Final = frozenset(KINDS[KIND].reading_roles)


def last_seller_client(changes: Sequence[Change], _context: Context) -> Iterator[Finding]:
    """No active client with `AllowSeller` would be left; integration events then get no elevated token.

    Source: OrderCloud error code ``IntegrationEvent.AllowSellerApiClientRequired``.
    """
    lost = _last(changes, _serves_sellers)
    if lost:
        yield Finding(
            "last-seller-client",
            f"no active API client with AllowSeller would be left (today: {', '.join(map(str, addresses(lost)))}); "
            "sellers could not log in, and integration events would get no elevated token",
            "keep one active client with AllowSeller: true",
            addresses(lost),
        )


def last_full_access(changes: Sequence[Change], _context: Context) -> Iterator[Finding]:
    """A deletion would leave no client through which a login could have full access, and OrderCloud would refuse it.

    Source: OrderCloud error code ``ApiClient.CannotDeleteLastFullAccess``. How the service counts is not documented.
    Whether a user has the role is not looked up: a client that is left counts if it could give it.
    """
    lost = [change for change in _last(changes, _may_have_full_access) if change.action is Action.DELETE]
    if lost:
        yield Finding(
            "last-full-access",
            f"no API client would be left that could have {FULL_ACCESS} (deleted: "
            f"{', '.join(map(str, addresses(lost)))}); OrderCloud refuses to delete the last one",
            f"keep one active client with AllowSeller, a default context user and no cap that excludes {FULL_ACCESS}",
            addresses(lost),
        )


def _last(changes: Sequence[Change], counts: Callable[[Body | None], bool]) -> list[Change]:
    """The changes of all objects that count today, where none will that is there afterwards."""
    if any(counts(body_after(change)) for change in changes):
        return []
    return [change for change in changes if counts(change.before)]


def _serves_sellers(body: Body | None) -> bool:
    return bool(body and body.get("Active") and body.get("AllowSeller"))


def _may_have_full_access(body: Body | None) -> bool:
    cap = names(body, "MaximumGrantedRoles")
    is_for_sellers = _serves_sellers(body) and bool(body and body.get("DefaultContextUserName"))
    return is_for_sellers and (not cap or FULL_ACCESS in cap)


def own_client(changes: Sequence[Change], context: Context) -> Iterator[Finding]:
    """The client that the run itself is logged in with would be deleted or lose access that the run needs."""
    own = login_key(context.access.client_id)
    for change in changes:
        if change.action.writes and change.key == own:
            harms = list(_harms(change, context))
            if harms:
                yield Finding(
                    "own-client",
                    f"{change.address} is the client that this run is logged in with; {'; '.join(harms)}",
                    "run this change with the credentials of another client",
                    (change.address,),
                )


def _harms(change: Change, context: Context) -> Iterator[str]:
    """Each as a sentence without its end."""
    if change.action is Action.DELETE:
        yield "it would be deleted"
        return
    changed = {field.pointer.removeprefix("/") for field in change.fields}
    yield from _doors(change, changed)
    yield from _user(change, changed, context.access)
    yield from _cap(change, changed, context.access)
    yield from _new_requirements(change, changed, context.access)
    yield from _token(change, changed)
    yield from _secret(change, context.access)
    if "AppName" in changed and change.key not in context.known:
        yield "it would be renamed, and nothing but its name binds it to its manifest"


def _doors(change: Change, changed: set[str]) -> Iterator[str]:
    after = change.after or {}
    if "Active" in changed and not after.get("Active"):
        yield "it would be deactivated, and nobody could log in through it"
    if "AllowSeller" in changed and not after.get("AllowSeller"):
        yield "it would be closed to sellers, and only sellers may manage API clients"


def _user(change: Change, changed: set[str], access: Access) -> Iterator[str]:
    """Only the client-credentials grant acts as the context user, and gives tokens for anonymous shoppers."""
    after = change.after or {}
    if not access.as_context_user:
        return
    if "DefaultContextUserName" in changed:
        user = after.get("DefaultContextUserName")
        yield f"it would act as another context user, {user}" if user else "it would have no context user to act as"
    if "IsAnonBuyer" in changed and after.get("IsAnonBuyer"):
        yield "its logins would be those of anonymous shoppers"


def _cap(change: Change, changed: set[str], access: Access) -> Iterator[str]:
    cap = names(change.after, "MaximumGrantedRoles")
    if "MaximumGrantedRoles" not in changed or not cap:
        return
    needed = _WRITERS if access.roles is None or access.roles & _WRITERS else _READERS
    held = needed if access.roles is None else access.roles & needed
    if held and not held & cap:
        kept, needs = ", ".join(sorted(cap)), " or ".join(sorted(held))
        yield f"its tokens would be capped to {kept}, without the {needs} that this run has and needs"


def _new_requirements(change: Change, changed: set[str], access: Access) -> Iterator[str]:
    for field in ("MinimumRequiredRoles", "MinimumRequiredCustomRoles"):
        if field in changed:
            new = names(change.after, field) - names(change.before, field)
            lacking = sorted(new - (access.roles or frozenset()))
            if lacking:
                yield f"it would require more roles, and the token of this run does not hold {', '.join(lacking)}"


def _token(change: Change, changed: set[str]) -> Iterator[str]:
    before, after = ((body or {}).get("AccessTokenDuration") for body in (change.before, change.after))
    if "AccessTokenDuration" not in changed or not isinstance(before, int) or not isinstance(after, int):
        return
    if after < min(before, LEAST_TOKEN_MINUTES):
        yield f"it would be given shorter tokens, of {after} minutes, and a run may need {LEAST_TOKEN_MINUTES}"


def _secret(change: Change, access: Access) -> Iterator[str]:
    """A secret where there was none ends the access, too: from then on every grant needs one."""
    if change.new_secrets and not access.with_secret:
        yield "it would be given a secret, and this run logs in without one"
    for intent in change.secrets:
        if intent.reference is None:
            yield "its secret would be cleared"
        else:
            yield "it would be given a secret other than the one that this run logged in with"


GUARDS: Final[tuple[Guard, ...]] = (last_seller_client, last_full_access, own_client)
