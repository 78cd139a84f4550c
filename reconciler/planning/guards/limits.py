"""What an environment forbids -> findings: too many changes, a freeze window, protected resources."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from reconciler.kinds import KINDS
from reconciler.model.freeze import Window, holding, opening
from reconciler.model.plan import Action, Change, Direction, Finding
from reconciler.planning.guards.context import Context, addresses, writing


def freeze(changes: Sequence[Change], windows: Sequence[Window], now: datetime) -> Iterator[Finding]:
    """A freeze window of the environment holds."""
    held, writes = holding(windows, now), writing(changes)
    if held and writes:
        yield Finding(
            "freeze",
            f"nothing is applied to this environment now: {'; '.join(map(_described, held))}; "
            f"{_opening(windows, now, held[0])}",
            "wait until then",
            addresses(writes),
        )


def _described(window: Window) -> str:
    return f"{window.reason} ({window})" if window.reason else str(window)


def _opening(windows: Sequence[Window], now: datetime, window: Window) -> str:
    """When it opens, on the clock of the window and in UTC."""
    moment = opening(windows, now)
    if moment is None:
        return "no end is known"
    local = moment.astimezone(window.zone)
    return f"the next opening is {local:%Y-%m-%d %H:%M} {window.zone.key} ({moment:%Y-%m-%dT%H:%MZ})"


def protected(changes: Sequence[Change], _context: Context) -> Iterator[Finding]:
    """A protected resource would be deleted or deactivated."""
    for change in changes:
        if change.protected and (
            change.action is Action.DELETE or _switches_off(change, KINDS[change.address.kind].active_field)
        ):
            yield Finding(
                "protected",
                f"{change.address} is protected, and would be {'deleted' if not change.after else 'deactivated'}",
                "first remove policy.protected from its manifest, and its line under protected: of this environment, "
                "in a change of its own",
                (change.address,),
                can_be_acknowledged=False,
            )


def _switches_off(change: Change, name: str) -> bool:
    return bool(change.before and change.before.get(name) and change.after and not change.after.get(name))


def limit_changes(changes: Sequence[Change], context: Context) -> Iterator[Finding]:
    """More resources would change than `limits.changes` allows."""
    writes, limit = _counted(changes, context), context.limits.changes
    if limit is not None and len(writes) > limit:
        yield Finding(
            "limit-changes",
            f"{_resources(len(writes))} would change; {context.limits.name}.changes allows {limit}",
            f"split the change, or raise {context.limits.name}.changes of this environment",
            addresses(writes),
        )


def limit_changes_percent(changes: Sequence[Change], context: Context) -> Iterator[Finding]:
    """A larger part of the managed resources would change than `limits.changesPercent` allows."""
    writes, limit = _counted(changes, context), context.limits.changes_percent
    managed = sum(change.action is not Action.UNMANAGED for change in changes)
    if limit is not None and managed and 100 * len(writes) > limit * managed:
        yield Finding(
            "limit-changes-percent",
            f"{len(writes)} of {managed} managed resources ({100 * len(writes) / managed:.0f} %) would change; "
            f"{context.limits.name}.changesPercent allows {limit:g} %",
            f"split the change, or raise {context.limits.name}.changesPercent of this environment",
            addresses(writes),
        )


def limit_deletes(changes: Sequence[Change], context: Context) -> Iterator[Finding]:
    """More resources and assignments would be deleted than `limits.deletes` allows (0 unless configured)."""
    deletes, limit = [change for change in changes if change.action is Action.DELETE], context.limits.deletes
    losing = [change for change in changes if any(not step.assign for step in change.assignments)]
    rows = sum(not step.assign for change in losing for step in change.assignments)
    if limit is not None and len(deletes) + rows > limit:
        counts = [_resources(len(deletes))] * bool(deletes) + [_number(rows, "assignment")] * bool(rows)
        kept = ", or name the assignments in the manifest, or only watch them (policy.assignments: watch)"
        yield Finding(
            "limit-deletes",
            f"{' and '.join(counts)} would be deleted; {context.limits.name}.deletes allows {limit}",
            f"raise {context.limits.name}.deletes of this environment{kept if rows else ''}",
            addresses([*deletes, *losing]),
        )


def limit_widens(changes: Sequence[Change], context: Context) -> Iterator[Finding]:
    """The changes widen access of more resources than `limits.widens` allows."""
    widening = [change for change in _counted(changes, context) if change.direction is Direction.WIDENS]
    limit = context.limits.widens
    if limit is not None and len(widening) > limit:
        fields = sum(field.direction is Direction.WIDENS for change in widening for field in change.fields)
        yield Finding(
            "limit-widens",
            f"{_resources(len(widening))} would get wider access, by {_number(fields, 'field')}; "
            f"{context.limits.name}.widens allows {limit}",
            f"split the change, or raise {context.limits.name}.widens of this environment",
            addresses(widening),
        )


def _counted(changes: Sequence[Change], context: Context) -> list[Change]:
    """What would be written; not what only puts back what the restore took, where `limits.restore` says so."""
    return [change for change in writing(changes) if change.address not in context.spared]


def _resources(count: int) -> str:
    return _number(count, "resource")


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
