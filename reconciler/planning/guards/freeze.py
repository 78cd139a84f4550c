"""Changes x the hour -> finding: nothing is applied to this environment now."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from reconciler.model.freeze import Window, holding, opening
from reconciler.model.plan import Change, Finding
from reconciler.planning.guards.context import addresses, writing


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
