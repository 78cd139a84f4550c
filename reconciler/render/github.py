"""Plan, drift, result, report or error -> workflow commands of GitHub Actions: annotations at the line of the manifest.

GitHub shows the first ten errors, ten warnings and ten notices of a step, and at most 64 KB of each. The first line
has what is missing and the command that shows it; the log has the rest. See
https://docs.github.com/actions/reference/workflow-commands-for-github-actions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Final

from reconciler.errors import ReconcilerError
from reconciler.model.diagnostic import Checked, Place, Report
from reconciler.model.drift import Drift
from reconciler.model.outcome import ApplyResult, Outcome, Status
from reconciler.model.plan import Change, Finding, Plan
from reconciler.render import wording
from reconciler.render.command import details
from reconciler.render.escape import LONGEST_MESSAGE, brief, escape
from reconciler.render.rows import line, outcome_rows, rows
from reconciler.render.several import Planned, TextOf, texts_of
from reconciler.render.style import Style
from reconciler.render.wording import DRIFT_WORDS, PLAN_WORDS, View, Words, heading, number, verdict, view


class AnnotationLevel(StrEnum):
    """The level of an annotation."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


_SHOWN: Final = 10
"""How many annotations of each level GitHub shows for a step."""
_ROOM: Final = 60_000
"""The maximum number of bytes of a message."""


def annotation(level: AnnotationLevel, title: str, lines: Iterable[str], place: Place | None = None) -> str:
    """A workflow command. The lines must be escaped, the title and the place not."""
    at = {"file": place.file} if place else {}
    if place and place.line:
        at |= {"line": str(place.line), "col": str(place.column)}
    properties = ",".join(f"{name}={_property(brief(text))}" for name, text in {**at, "title": title}.items())
    message = "%0A".join(map(_data, lines))
    return f"::{level} {properties}::{message if len(message.encode()) <= _ROOM else _TOO_LONG}\n"


_TOO_LONG: Final = "too long for an annotation, not shown"
NOT_ALL: Final = "Not shown in full: "
"""How the first line of an incomplete document begins."""


def document(annotations: Iterable[str], last: str, style: Style) -> str:
    """All annotations, after a line about those that GitHub does not show."""
    made = list(annotations)
    hidden = sum(max(0, sum(one.startswith(f"::{level} ") for one in made) - _SHOWN) for level in AnnotationLevel)
    long = sum(one.endswith(f"::{_TOO_LONG}\n") for one in made)
    missing = [
        *([f"GitHub shows {_SHOWN} annotations of each level: {hidden:,} more are in this log only"] if hidden else []),
        *([f"{number(long, 'annotation')} too long to be shown"] if long else []),
    ]
    source = f"; full output: {style.source}" if style.source else ""
    return "".join([*([f"{NOT_ALL}{escape('; '.join(missing) + source)}\n"] if missing else []), *made, last])


def _data(text: str) -> str:
    """Encode as GitHub requires; there are no line ends left."""
    return text.replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def plan(plan: Plan, _digest: str, style: Style) -> str:
    """A notice for each change; a warning if it widens access or deletes, an error for each guard finding."""
    seen = view(plan)
    changes = [_change(change, PLAN_WORDS, _level(change)) for change in seen.written]
    return _document(plan, seen, [*map(_finding, plan.guards), *changes], style)


def drift(drift: Drift, _digest: str, style: Style) -> str:
    """A warning for each resource that drifted, at its manifest."""
    seen = view(drift)
    changes = [_change(change, DRIFT_WORDS, AnnotationLevel.WARNING) for change in seen.written]
    return _document(drift, seen, [*changes, *map(_unmanaged, drift.uncontrolled)], style)


def _document(found: Plan | Drift, seen: View, first: Iterable[str], style: Style) -> str:
    warnings = (_remark(AnnotationLevel.WARNING, text) for text in seen.plan.warnings)
    notices = (_remark(AnnotationLevel.NOTICE, text) for text in seen.notices)
    return document([*first, *warnings, *notices], _last(seen.environment, verdict(found)), style)


def _unmanaged(change: Change) -> str:
    message = f"{wording.named(change)} is live, not in any manifest"
    return annotation(AnnotationLevel.WARNING, f"unmanaged {change.address}", [message])


def _last(subject: str, verdict: str) -> str:
    """The verdict as a line for the log, not a command."""
    return f"{escape(subject) or 'reconciler'}: {escape(verdict)}\n"


def _finding(finding: Finding) -> str:
    lines = [brief(finding.message, LONGEST_MESSAGE), f"fix: {brief(finding.fix, LONGEST_MESSAGE)}"]
    return annotation(AnnotationLevel.ERROR, f"refused by a guard: {finding.rule}", lines)


def _level(change: Change) -> AnnotationLevel:
    return AnnotationLevel.WARNING if wording.is_alarming(change, PLAN_WORDS) else AnnotationLevel.NOTICE


def _change(change: Change, words: Words, level: AnnotationLevel) -> str:
    lines = [line(row, words) for row in rows(change, words)] or ["no field is set"]
    return annotation(level, f"{words.verbs[change.action]} {heading(change)}", lines, change.place)


def _remark(level: AnnotationLevel, text: str) -> str:
    """An annotation without a place."""
    return annotation(level, level.value, [brief(text, LONGEST_MESSAGE)])


def result(result: ApplyResult, style: Style) -> str:
    """An error for each change that was not applied; applied changes are log lines."""
    shown = [_outcome(outcome) for outcome in result.outcomes if outcome.status is not Status.APPLIED]
    style = replace(style, source=details(result, style))
    return document(shown, _last(style.environment, verdict(result)), style)


def _outcome(outcome: Outcome) -> str:
    level = AnnotationLevel.WARNING if outcome.status is Status.SKIPPED else AnnotationLevel.ERROR
    doubt = [wording.DOUBT] if outcome.uncertain else []
    lost = [f"not stored as sent: {line(row, wording.SENT_WORDS)}" for row in outcome_rows(outcome.fields)]
    lines = [*([brief(outcome.message, LONGEST_MESSAGE)] if outcome.message else []), *doubt, *lost]
    title = f"{outcome.status}: {outcome.change.action} {heading(outcome.change)}"
    return annotation(level, title, lines or [outcome.status.value], outcome.change.place)


def validation(report: Report, style: Style) -> str:
    """An annotation for each fault, at its line."""
    return document(map(_fault, report.found), _last(style.environment, verdict(report)), style)


def _fault(one: Checked) -> str:
    fault = one.diagnostic
    texts = [fault.message, fault.hint, f"in {', '.join(one.environments)}" if one.environments else ""]
    lines = [brief(text, LONGEST_MESSAGE) for text in texts if text]
    return annotation(AnnotationLevel(fault.severity), fault.rule, lines, fault.place)


def failure(name: str, error: ReconcilerError, style: Style) -> str:
    """An error for each fault."""
    shown = [*map(_fault, wording.faults_of(error)), *map(_finding, wording.findings_of(error))]
    lines = [brief(text, LONGEST_MESSAGE) for text in (error.message, error.hint) if text]
    shown = shown or [annotation(AnnotationLevel.ERROR, f"{name} failed", lines)]
    return document(shown, _last(style.environment, f"{name} failed"), style)


def several(planned: Sequence[Planned], text_of: TextOf, style: Style) -> str:
    """All annotations; the limits of GitHub apply to all environments together."""
    texts = texts_of(planned, text_of, style)
    lines = (f"{line}\n" for text in texts for line in text.splitlines() if not line.startswith(NOT_ALL))
    return document(lines, "", style)
