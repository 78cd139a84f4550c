"""A run that was cut off, and what a look at its objects shows -> text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from reconciler.model.run import Certainty, RecordedChange, RecordedRun
from reconciler.render.escape import escape
from reconciler.render.layout import laid_out
from reconciler.render.style import Style, Tone


@dataclass(frozen=True, slots=True)
class Uncertain:
    """A write of which the journal knows no end, and what a look at its object shows, in words."""

    change: RecordedChange
    request: str
    found: str


def cut_off(run: RecordedRun, uncertain: Sequence[Uncertain], style: Style) -> str:
    """What a run that was cut off has certainly done, what not, and what was found of the rest."""
    lines = [
        style.paint(
            Tone.ALARM, f"An earlier run was cut off: {escape(run.id)} of {escape(run.user)}, process {run.pid}"
        ),
    ]
    for certainty, words in _CERTAIN.items():
        addresses = [escape(str(change.address)) for change in run.changes if change.certainty is certainty]
        if addresses:
            lines.append(f"  certain: {len(addresses)} {words}: {', '.join(addresses)}")
    for one in uncertain:
        about = f"{one.change.action} {escape(str(one.change.address))}"
        lines.append(
            f"  uncertain: {about}: {escape(one.request)} was announced, its end is not recorded; {escape(one.found)}"
        )
    if not run.changes:
        lines.append("  certain: nothing was written")
    return laid_out([*lines, "What is to be done now is planned anew from what the service holds.", ""], style)


_CERTAIN: Final = {
    Certainty.ENDED: "came to an end",
    Certainty.WRITTEN: "written, though not looked at again",
    Certainty.REFUSED: "refused by the service",
    Certainty.NOT_STARTED: "not started",
}
