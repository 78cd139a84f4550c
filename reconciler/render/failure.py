"""An error or an interrupted run -> what is wrong, where, and what to do about it."""

from collections.abc import Iterator, Sequence
from typing import Final

from reconciler.errors import GuardRefusal, InputError, PlanRefused, ReconcilerError
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Checked
from reconciler.model.outcome import Certainty, RecordedChange, RecordedRun
from reconciler.render.escape import escape
from reconciler.render.style import Style, Tone, laid_out
from reconciler.render.text import diagnostics
from reconciler.render.values import LONGEST_MESSAGE, brief
from reconciler.render.wording import finding_block


def failure(error: ReconcilerError, style: Style) -> str:
    """The text of an error that was raised on purpose."""
    return laid_out([*_lines(error, style), *_hint(error)], style)


def in_place_of(name: str, error: ReconcilerError, style: Style) -> str:
    """The text document that there is in place of the one of this name."""
    return f"There is no {name}:\n{failure(error, style)}"


def _lines(error: ReconcilerError, style: Style) -> Iterator[str]:
    match error:
        case InputError():
            yield from diagnostics(map(Checked, error.diagnostics), style)
            yield _error(error.message, style)
        case GuardRefusal():
            yield _error("refused by a guard; nothing was written", style)
            for finding in error.findings:
                yield from finding_block(finding, style)
        case PlanRefused():
            yield _error(f"{error.message} [{error.reason}]", style)
        case _:
            yield _error(error.message, style)


def _error(message: str, style: Style) -> str:
    return f"{style.paint(Tone.ALARM, 'error:')} {brief(message, LONGEST_MESSAGE)}"


def _hint(error: ReconcilerError) -> Iterator[str]:
    if error.hint:
        yield f"  hint: {brief(error.hint, LONGEST_MESSAGE)}"


def warning(message: str, style: Style) -> str:
    """One line about something that does not stop the run."""
    return laid_out([f"{style.paint(Tone.UPDATE, 'warning:')} {brief(message, LONGEST_MESSAGE)}"], style)


def internal_error(error: BaseException, place: str, style: Style) -> str:
    """An error that nobody foresaw: its type and place, never its text, which could quote a value."""
    text = f"internal error: {type(error).__name__} at {place}; please report it with the command that you ran"
    return laid_out([style.paint(Tone.ALARM, escape(text))], style)


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
    return laid_out([*lines, "The plan is made again from what the service has now.", ""], style)


_CERTAIN: Final = {
    Certainty.ENDED: "came to an end",
    Certainty.WRITTEN: "written, though not looked at again",
    Certainty.REFUSED: "refused by the service",
    Certainty.NOT_STARTED: "not started",
}
