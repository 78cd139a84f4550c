"""Changes of API clients -> findings: what a marketplace must not lose."""

from collections.abc import Callable, Iterator, Sequence

from reconciler.kinds.roles import FULL_ACCESS
from reconciler.model.json import Body
from reconciler.model.plan import Action, Change, Finding
from reconciler.planning.guards.context import Context, addresses, body_after, names


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
