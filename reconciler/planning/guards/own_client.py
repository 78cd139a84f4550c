"""Changes x how this run is logged in -> finding: the run would take its own access away.

Judged by what the token holds, not by the field alone: a cap that keeps the role to write with is no harm, and neither
is another context user where a user logs in with a password. Where the API's behaviour is not documented (whether
FullAccess passes for each role that a cap or a demand names), the stricter reading holds, since the mistake that it
makes can be acknowledged.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from reconciler.kinds import KINDS, LOGIN_KIND, login_key
from reconciler.model.inputs import LEAST_TOKEN_MINUTES, Access
from reconciler.model.plan import Action, Change, Finding
from reconciler.planning.guards.context import Context, names

_WRITERS: Final = frozenset(KINDS[LOGIN_KIND].writing_roles)
_READERS: Final = frozenset(KINDS[LOGIN_KIND].reading_roles)


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
    yield from _demands(change, changed, context.access)
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


def _demands(change: Change, changed: set[str], access: Access) -> Iterator[str]:
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
            yield "it would be given another secret than the one that this run logged in with"
