"""Journals of runs -> a list of runs, one run, or the state of an interrupted run; as text and JSON."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import Final

from reconciler.model.dataclass import dataclass
from reconciler.model.json import Json
from reconciler.model.named_secret import Ended
from reconciler.model.outcome import Certainty, RecordedChange, RecordedRotation, RecordedRun, RecordedTurn, Status
from reconciler.render.escape import escape, json_document, json_text
from reconciler.render.style import Moment, Style, Tone, Writers, columns, laid_out
from reconciler.render.wording import number, summed


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a journal."""

    at: str
    event: str
    facts: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class ListedRun:
    """One run: the facts of every journal, and the details of an apply, a rollback or a rotation."""

    id: str
    kind: str = ""
    started_at: str = ""
    environment: str = ""
    user: str = ""
    is_finished: bool = False
    torn: bool = False
    applied: RecordedRun | None = None
    rotation: RecordedRotation | None = None
    events: tuple[Event, ...] = ()
    fault: str = ""
    """Why its journal cannot be read; then the other fields are empty."""


# ---------------------------------------------------------------------------------------------------------------- list


def text_list(runs: Sequence[ListedRun], style: Style) -> str:
    """A line for each run, the newest last."""
    if not runs:
        return "No runs.\n"
    taken_up = {name: run.id for run in runs if run.applied for name in run.applied.follows_up}
    heads = ("RUN", "STARTED", "KIND", "ENVIRONMENT", "USER", "RESULT")
    rows = [heads, *(_row(run, taken_up.get(run.id, "")) for run in runs)]
    cells = [[escape(cell) for cell in row] for row in rows]
    head, *lines = columns(cells)
    return laid_out([style.paint(Tone.STRONG, head), *lines], style)


def _row(run: ListedRun, taken_up_by: str) -> tuple[str, ...]:
    taken_up = f"; continued by {taken_up_by}" if taken_up_by else ""
    return run.id, run.started_at[:19], run.kind, run.environment, run.user, _result(run) + taken_up


def _result(run: ListedRun) -> str:
    if run.fault:
        return f"unreadable: {run.fault}"
    if run.rotation:
        return _rotation_result(run.rotation, is_finished=run.is_finished)
    if run.applied is None:
        return "ended" if run.is_finished else "interrupted, or still running"
    counts = _totals(run.applied) if run.is_finished else _certainties(run.applied)
    summary = summed(counts) or "no changes"
    if not run.is_finished:
        return f"interrupted, or still running: {summary}"
    return f"interrupted: {summary}" if run.applied.interrupted else summary


_NAMED: Final = 3
"""The number of secrets named in a line; `history show` names all."""


def _rotation_result(rotation: RecordedRotation, *, is_finished: bool) -> str:
    """The result of a rotation, failures first; if it was interrupted, some secrets have no recorded result."""
    words = {Ended.FAILED: "failed", None: "interrupted, or still running"} | {one: one.value for one in Ended}
    summary = [_named(word, turns) for ended, word in words.items() if (turns := rotation.ended(ended))]
    if not is_finished and not rotation.ended(None):
        summary.insert(0, "interrupted, or still running")
    return "; ".join(summary)


def _named(word: str, turns: Sequence[RecordedTurn]) -> str:
    names = [turn.about for turn in turns[:_NAMED]]
    more = f" and {len(turns) - _NAMED} more" if len(turns) > _NAMED else ""
    return f"{len(turns)} {word} ({', '.join(names)}{more})"


def moment(run: ListedRun) -> Moment:
    """The run as a point on a timeline."""
    started = f"{run.started_at[:19]}Z" if run.started_at else ""
    return Moment(started, f"{run.kind} {run.environment}".strip() or "run", _result(run), run.id, _tone(run))


_BAD: Final = (Status.FAILED, Status.CONFLICT, Status.NOT_CONVERGED)


def _tone(run: ListedRun) -> str:
    if run.fault or (run.rotation and run.rotation.ended(Ended.FAILED)):
        return "bad"
    if not run.is_finished or _is_incomplete(run):
        return "warn"
    return "bad" if run.applied and any(map(run.applied.ended, _BAD)) else "good"


def _is_incomplete(run: ListedRun) -> bool:
    if run.rotation:
        return any(turn.ended is not Ended.COMPLETED for turn in run.rotation.turns)
    return bool(run.applied and run.applied.interrupted)


def _totals(run: RecordedRun) -> Mapping[str, int]:
    return {status.value: run.ended(status) for status in Status} | {"unchanged": run.unchanged}


def _certainties(run: RecordedRun) -> Mapping[str, int]:
    return {certainty.replace("-", " "): run.count(certainty) for certainty in Certainty}


def json_list(runs: Sequence[ListedRun], _style: Style) -> str:
    """The same as a JSON document."""
    return json_document(runs=[_listed(run) for run in runs])


def _listed(run: ListedRun) -> dict[str, Json]:
    known: dict[str, Json] = {
        "id": run.id,
        "kind": run.kind,
        "started_at": run.started_at,
        "environment": run.environment,
        "user": run.user,
        "finished": run.is_finished,
        "torn": run.torn,
        "fault": run.fault,
    }
    if run.rotation:
        turns = [_turn(turn) for turn in run.rotation.turns]
        return known | {"interrupted": run.rotation.interrupted, "rotations": turns}
    if run.applied is None:
        return known
    return known | {
        "interrupted": run.applied.interrupted,
        "summary": {name.replace("-", "_"): number for name, number in _totals(run.applied).items()},
        "certainty": {name.replace(" ", "_"): number for name, number in _certainties(run.applied).items()},
    }


def _turn(turn: RecordedTurn) -> dict[str, Json]:
    return {
        "address": turn.address,
        "client_id": turn.client_id,
        "secret": turn.secret,
        "status": turn.ended.value if turn.ended else None,
        "message": turn.message,
    }


# ------------------------------------------------------------------------------------------------------------- one run


def text_run(run: ListedRun, style: Style) -> str:
    """The facts of a run, and the outcome of each change."""
    lines = [f"{style.paint(Tone.STRONG, escape(run.id))}: {_result(run)}"]
    lines += [f"  {escape(name):<12}  {escape(value)}" for name, value in _head(run) if value]
    if run.torn:
        lines.append("  The last line of the journal is incomplete: the process was killed while writing it.")
    lines.append("")
    if run.rotation:
        lines += [line for turn in run.rotation.turns for line in _turn_lines(turn)]
    else:
        lines += map(_change_line, run.applied.changes) if run.applied else map(_event_line, run.events)
    return laid_out(lines, style)


def _turn_lines(turn: RecordedTurn) -> Iterator[str]:
    word = turn.ended.value if turn.ended else "interrupted, or still running"
    message = f": {escape(turn.message)}" if turn.message else ""
    yield f"{word:<13}  {escape(turn.address)}, secret {escape(turn.secret)} (client {escape(turn.client_id)}){message}"
    yield from (f"  {step.state:<5}  {escape(step.text)}" for step in turn.steps)


def _head(run: ListedRun) -> Iterator[tuple[str, str]]:
    yield "kind", run.kind
    yield "started", run.started_at
    yield "environment", run.environment
    yield "user", run.user
    if known := run.applied or run.rotation:
        yield "process", f"{known.pid} on {known.host}, version {known.tool_version}"
        yield "marketplace", f"{known.marketplace} at {known.base_url}"
    if run.applied:
        yield "plan", run.applied.plan_digest
        yield "commit", run.applied.git_commit or ""
        yield "rolls back", run.applied.rolls_back or ""
        yield "continues", ", ".join(run.applied.follows_up)


def _change_line(change: RecordedChange) -> str:
    known = f" (id {escape(change.id)})" if change.id else ""
    message = f": {escape(change.message)}" if change.message else ""
    sent = ", ".join(f"{write.method} {escape(write.path)} {write.ending or 'unknown'}" for write in change.writes)
    writes = f" [{sent}]" if sent else ""
    return f"{_word(change):<13}  {change.action} {escape(str(change.address))}{known}{message}{writes}"


def _word(change: RecordedChange) -> str:
    status = change.status if change.certainty is Certainty.ENDED else None
    return (status or change.certainty).value


def _event_line(event: Event) -> str:
    facts = json.dumps(dict(event.facts), sort_keys=True, ensure_ascii=True)
    return f"{escape(event.at)}  {escape(event.event)}  {escape(facts)}"


def json_run(run: ListedRun, _style: Style) -> str:
    """The same as a JSON document, with the bodies before and after. Journals contain no secrets."""
    document = _listed(run) | {"format_version": "1.0"}
    if run.applied:
        applied = run.applied
        about = ("base_url", "marketplace", "plan_digest", "git_commit", "host", "pid", "tool_version", "rolls_back")
        document |= {name: getattr(applied, name) for name in about} | {"follows_up": list(applied.follows_up)}
        document |= {"changes": [_change(change) for change in applied.changes]}
    elif run.rotation:
        origin_fields = ("base_url", "marketplace", "host", "pid", "tool_version")
        turns = [_turn(turn) | {"steps": [asdict(step) for step in turn.steps]} for turn in run.rotation.turns]
        document |= {name: getattr(run.rotation, name) for name in origin_fields} | {"rotations": turns}
    else:
        document |= {"events": [asdict(event) for event in run.events]}
    return json_text(document)


def _change(change: RecordedChange) -> Json:
    return {
        "address": str(change.address),
        "action": change.action.value,
        "id": change.id,
        "certainty": change.certainty.value,
        "status": change.status.value if change.status else None,
        "message": change.message,
        "restored": change.restored,
        "before": change.before,
        "after": change.after,
        "secrets": list(change.secrets),
        "assignments": [asdict(step) for step in change.assignments],
        "writes": [
            {"number": one.number, "step": one.step.value, "method": one.method, "path": one.path, "ending": one.ending}
            for one in change.writes
        ],
    }


# -------------------------------------------------------------------------------------------------------------- verify


@dataclass(frozen=True, slots=True)
class Verified:
    """How many journals were read, and which of their lines were altered."""

    journals: int
    faults: tuple[str, ...]


def text_verification(verified: Verified, style: Style) -> str:
    """A line for each fault, then the verdict."""
    verdict = f"{'Altered' if verified.faults else 'Verified'}: {number(verified.journals, 'journal')} read."
    return laid_out([*map(escape, verified.faults), verdict], style)


def json_verification(verified: Verified, _style: Style) -> str:
    """The same as a JSON document."""
    return json_document(journals=verified.journals, faults=list(verified.faults))


# ----------------------------------------------------------------------------------------------------- interrupted runs


@dataclass(frozen=True, slots=True)
class Uncertain:
    """A write whose outcome the journal lacks, and what its object shows now, in words."""

    change: RecordedChange
    request: str
    found: str


def cut_off(run: RecordedRun, uncertain: Sequence[Uncertain], style: Style) -> str:
    """What an interrupted run has certainly done or not done, and what was found about other writes."""
    head = f"An earlier run was interrupted: {escape(run.id)} of {escape(run.user)}, process {run.pid}"
    lines = [style.paint(Tone.ALARM, head)]
    for certainty, words in _CERTAIN.items():
        addresses = [escape(str(change.address)) for change in run.changes if change.certainty is certainty]
        if addresses:
            lines.append(f"  certain: {len(addresses)} {words}: {', '.join(addresses)}")
    for one in uncertain:
        about, found = f"{one.change.action} {escape(str(one.change.address))}", escape(one.found)
        lines.append(f"  uncertain: {about}: {escape(one.request)} was started, its outcome is not recorded; {found}")
    unknown = [escape(str(change.address)) for change in run.changes if change.has_open_secrets]
    lines += [f"  uncertain: {one}: a secret was being written; secrets status shows the result" for one in unknown]
    if not run.changes:
        lines.append("  certain: nothing was written")
    return laid_out([*lines, "The plan is computed from the current state of the service.", ""], style)


_CERTAIN: Final = {
    Certainty.ENDED: "finished",
    Certainty.WRITTEN: "written, not verified",
    Certainty.REFUSED: "refused by the service",
    Certainty.NOT_STARTED: "not started",
}


LISTS: Final[Writers[Sequence[ListedRun]]] = MappingProxyType({"text": text_list, "json": json_list})
RUNS: Final[Writers[ListedRun]] = MappingProxyType({"text": text_run, "json": json_run})
VERIFICATIONS: Final[Writers[Verified]] = MappingProxyType({"text": text_verification, "json": json_verification})
