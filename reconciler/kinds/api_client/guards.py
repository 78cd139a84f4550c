"""Changes of API clients x the login of this run -> findings on access that must not be lost. Pure.

Whether the run loses access depends on its token, not on the field alone: a cap that keeps the role to write with is
harmless, and so is another context user if the run logs in with a password. If the API's behaviour is not documented
(whether FullAccess counts as each role that a cap or a requirement names), the stricter reading holds, since a wrong
finding can be acknowledged.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from reconciler.kinds import login_key
from reconciler.kinds.api_client import API_CLIENT
from reconciler.kinds.checks import Context, Guard, addresses, body_after, names
from reconciler.kinds.fields import FULL_ACCESS
from reconciler.model.inputs import LEAST_TOKEN_MINUTES, Access
from reconciler.model.json import Body
from reconciler.model.plan import Action, Change, Finding

_WRITERS: Final = frozenset(API_CLIENT.writing_roles)
_READERS: Final = frozenset(API_CLIENT.reading_roles)


def last_seller_client(changes: Sequence[Change], _context: Context) -> Iterator[Finding]:
    """No active client with `AllowSeller` would be left; integration events then get no elevated token.

    Source: OrderCloud error code ``IntegrationEvent.AllowSellerApiClientRequired``.
    """
    lost = _last(changes, _serves_sellers)
    if lost:
        yield Finding(
            "last-seller-client",
            f"no active API client with AllowSeller would be left (currently: {', '.join(map(str, addresses(lost)))}); "
            "sellers could not log in, and integration events would get no elevated token",
            "keep one active client with AllowSeller: true",
            addresses(lost),
        )


def last_full_access(changes: Sequence[Change], _context: Context) -> Iterator[Finding]:
    """A deletion, which OrderCloud would refuse, would leave no client through which a login could have full access.

    Source: OrderCloud error code ``ApiClient.CannotDeleteLastFullAccess``. How the service counts is not documented.
    Users' roles are not looked up: a remaining client counts if it could grant the role.
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
    """The changes of all objects that match now, if no object will match afterwards."""
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
                    f"{change.address} is the login client; {'; '.join(harms)}",
                    "run this change with the credentials of another client",
                    (change.address,),
                )


def _harms(change: Change, context: Context) -> Iterator[str]:
    """The reasons why a change ends the access of the run, each as a clause."""
    if change.action is Action.DELETE:
        yield "it would be deleted"
        return
    changed = {field.pointer.removeprefix("/") for field in change.fields}
    yield from _closed_logins(change, changed)
    yield from _user(change, changed, context.access)
    yield from _cap(change, changed, context.access)
    yield from _new_requirements(change, changed, context.access)
    yield from _token(change, changed)
    yield from _secret(change, context.access)
    if "AppName" in changed and change.key not in context.known:
        yield "it would be renamed, but its manifest finds it by name only"


def _closed_logins(change: Change, changed: set[str]) -> Iterator[str]:
    after = change.after or {}
    if "Active" in changed and not after.get("Active"):
        yield "it would be deactivated, which blocks all logins through it"
    if "AllowSeller" in changed and not after.get("AllowSeller"):
        yield "it would no longer allow sellers, and only sellers can manage API clients"


def _user(change: Change, changed: set[str], access: Access) -> Iterator[str]:
    """Only the client-credentials grant acts as the context user, and issues tokens for anonymous shoppers."""
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
        yield f"its tokens would be limited to {kept}, without {needs}, which this run needs"


def _new_requirements(change: Change, changed: set[str], access: Access) -> Iterator[str]:
    for field in ("MinimumRequiredRoles", "MinimumRequiredCustomRoles"):
        if field in changed:
            new = names(change.after, field) - names(change.before, field)
            lacking = sorted(new - (access.roles or frozenset()))
            if lacking:
                yield f"it would require more roles, and the token of this run does not have {', '.join(lacking)}"


def _token(change: Change, changed: set[str]) -> Iterator[str]:
    before, after = ((body or {}).get("AccessTokenDuration") for body in (change.before, change.after))
    if "AccessTokenDuration" not in changed or not isinstance(before, int) or not isinstance(after, int):
        return
    if after < min(before, LEAST_TOKEN_MINUTES):
        yield f"its tokens would be valid for only {after} minutes, and a run may require {LEAST_TOKEN_MINUTES}"


def _secret(change: Change, access: Access) -> Iterator[str]:
    """A first secret also ends the access: from then on every grant requires it."""
    if change.new_secrets and not access.with_secret:
        yield "it would get a secret, and this run logs in without one"
    for intent in change.secrets:
        if intent.reference is None:
            yield "its secret would be cleared"
        else:
            yield "it would get a secret other than the one that this run logged in with"


GUARDS: Final[tuple[Guard, ...]] = (last_seller_client, last_full_access, own_client)

NEED_THE_WHOLE: Final = frozenset({"last-seller-client", "last-full-access"})
"""Guards that require a plan of the whole marketplace."""
