"""Changes x limits -> findings: the rules that refuse a dangerous plan before its first write. Pure.

Each guard is one function in `GUARDS`; it says the numbers, the rule's name and the way out. A finding that
`can_be_acknowledged` is overridden by ``--ack`` with this very plan's digest, and by nothing else.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from reconciler.model.json import Body
from reconciler.model.plan import Action, Change, Direction, Finding, Limits
from reconciler.model.resource import Address


@dataclass(frozen=True, slots=True)
class Context:
    """What the guards know besides the changes."""

    limits: Limits
    own_client_id: str
    """The API client that this run is logged in with."""


Guard: TypeAlias = Callable[[Sequence[Change], Context], Iterator[Finding]]


def check(changes: Sequence[Change], context: Context) -> tuple[Finding, ...]:
    """All objections to these changes, in the order of the rules."""
    return tuple(finding for guard in GUARDS for finding in guard(changes, context))


def _writes(changes: Sequence[Change]) -> list[Change]:
    return [change for change in changes if change.action.writes]


def _addresses(changes: Sequence[Change]) -> tuple[Address, ...]:
    return tuple(change.address for change in changes)


def limit_changes(changes: Sequence[Change], context: Context) -> Iterator[Finding]:
    """More resources would change than `limits.changes` allows."""
    writes, limit = _writes(changes), context.limits.changes
    if limit is not None and len(writes) > limit:
        yield Finding(
            "limit-changes",
            f"{len(writes)} resources would change; limits.changes allows {limit}",
            "split the change, or raise limits.changes of this environment",
            _addresses(writes),
        )


def limit_changes_percent(changes: Sequence[Change], context: Context) -> Iterator[Finding]:
    """A larger part of the managed resources would change than `limits.changesPercent` allows."""
    writes, limit = _writes(changes), context.limits.changes_percent
    managed = sum(change.action is not Action.UNMANAGED for change in changes)
    if limit is not None and managed and 100 * len(writes) > limit * managed:
        yield Finding(
            "limit-changes-percent",
            f"{len(writes)} of {managed} managed resources ({100 * len(writes) / managed:.0f} %) would change; "
            f"limits.changesPercent allows {limit:g} %",
            "split the change, or raise limits.changesPercent of this environment",
            _addresses(writes),
        )


def limit_deletes(changes: Sequence[Change], context: Context) -> Iterator[Finding]:
    """More resources would be deleted than `limits.deletes` allows (0 unless configured)."""
    deletes, limit = [change for change in changes if change.action is Action.DELETE], context.limits.deletes
    if limit is not None and len(deletes) > limit:
        yield Finding(
            "limit-deletes",
            f"{len(deletes)} resources would be deleted; limits.deletes allows {limit}",
            "raise limits.deletes of this environment",
            _addresses(deletes),
        )


def protected(changes: Sequence[Change], _context: Context) -> Iterator[Finding]:
    """A resource with `policy.protected` would be deleted or deactivated."""
    for change in changes:
        if change.protected and (change.action is Action.DELETE or _switches_off(change, "Active")):
            yield Finding(
                "protected",
                f"{change.address} is protected, and would be {'deleted' if not change.after else 'deactivated'}",
                "remove policy.protected from its manifest first, in a change of its own",
                (change.address,),
                can_be_acknowledged=False,
            )


def last_seller_client(changes: Sequence[Change], _context: Context) -> Iterator[Finding]:
    """No active client with `AllowSeller` would be left; integration events then get no elevated token.

    Source: OrderCloud error code ``IntegrationEvent.AllowSellerApiClientRequired``.
    """
    before = [change for change in changes if _serves_sellers(change.before)]
    after = [change for change in changes if _serves_sellers(_body_after(change))]
    if before and not after:
        lost = _addresses(before)
        yield Finding(
            "last-seller-client",
            f"no active API client with AllowSeller would be left (today: {', '.join(map(str, lost))}); "
            "sellers could not log in, and integration events would get no elevated token",
            "keep one active client with AllowSeller: true",
            lost,
        )


# What ends or endangers the access of the client that the tool itself is logged in with.
_OWN_ACCESS: Final = {
    "/Active": "deactivated",
    "/AllowSeller": "closed to sellers",
    "/DefaultContextUserName": "given another context user",
    "/MaximumGrantedRoles": "capped to fewer roles",
    "/MinimumRequiredRoles": "made to demand more roles",
    "/MinimumRequiredCustomRoles": "made to demand more roles",
    "/AccessTokenDuration": "given shorter tokens",
    "/ClientSecret": "given another secret, or none",
}
_ANY_DIRECTION: Final = {"/DefaultContextUserName", "/ClientSecret"}


def own_client(changes: Sequence[Change], context: Context) -> Iterator[Finding]:
    """The client that the tool itself logs in with would be deleted or lose a part of its access."""
    own = context.own_client_id.casefold()
    for change in changes:
        if change.id is None or change.id.casefold() != own:
            continue
        harms = ["deleted"] if change.action is Action.DELETE else list(_own_harms(change))
        if harms:
            yield Finding(
                "own-client",
                f"{change.address} is the client that this run is logged in with, and would be {', '.join(harms)}",
                "run this change with the credentials of another client",
                (change.address,),
            )


def _own_harms(change: Change) -> Iterator[str]:
    for field in change.fields:
        harm = _OWN_ACCESS.get(field.pointer)
        if harm and (field.direction is Direction.NARROWS or field.pointer in _ANY_DIRECTION):
            yield harm


def _switches_off(change: Change, name: str) -> bool:
    return bool(change.before and change.before.get(name) and change.after and not change.after.get(name))


def _serves_sellers(body: Body | None) -> bool:
    return bool(body and body.get("Active") and body.get("AllowSeller"))


def _body_after(change: Change) -> Body | None:
    """The body that will be there: an unmanaged object stays as it is."""
    return change.before if change.action is Action.UNMANAGED else change.after


GUARDS: Final[tuple[Guard, ...]] = (
    limit_changes,
    limit_changes_percent,
    limit_deletes,
    protected,
    last_seller_client,
    own_client,
)

NEED_THE_WHOLE: Final = frozenset({"limit-changes-percent", "last-seller-client"})
"""Rules that can only judge a plan of the whole marketplace."""
