"""A session and its journals -> the recorder of a run, and what earlier runs have left."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.applying import held
from reconciler.applying.held import Found, Looked
from reconciler.applying.journal import ApplyRecorder, Journal, Run, facts_of, recorded, runs, unfinished
from reconciler.applying.journal.recorded import recorded_rotation
from reconciler.errors import ReconcilerError
from reconciler.manifests.git import Disbelieved
from reconciler.model.outcome import ApplyResult
from reconciler.model.plan import Plan
from reconciler.model.run import RecordedRun
from reconciler.planning.planfile import plan_digest
from reconciler.project.environment import configuration
from reconciler.project.settings import Settings
from reconciler.remote.protocol import ReadRemote
from reconciler.render.failure import Uncertain
from reconciler.render.history import Event, Listed, moment
from reconciler.render.style import Moment

if TYPE_CHECKING:
    from reconciler.project.session import Session


_MOST: Final = 40
"""Runs that a page shows: a year of weekly restores, or a busy month."""


def moments(settings: Settings, environments: Collection[str]) -> tuple[Moment, ...]:
    """The newest runs that wrote to one of these environments; a journal that cannot be read is shown as such."""
    folder = configuration(settings).journal
    found = [listed(run, path) for path, run in runs(folder).items()]
    return tuple(moment(run) for run in found if run.fault or run.environment in environments)[-_MOST:]


_FOUND: Final = {
    Found.AS_SENT: "reading it shows that it was applied",
    Found.AS_BEFORE: "reading it shows that it was not applied",
    Found.OTHERWISE: "the object is neither as it was before nor as it was sent",
    Found.UNKNOWN: "only secrets were sent, and reading does not show whether they were applied",
}


def look_back(session: "Session", remote: ReadRemote, plan: Plan) -> tuple[str, ...]:
    """Report the runs against this marketplace that were cut off, and what is uncertain of them; give their ids.

    That a journal is not believed is reported, too: its run may have been cut off.
    """
    found = runs(session.journal).values()
    for problem in [one for one in found if isinstance(one, Disbelieved)][:1]:
        session.settings.listener.failed(problem)
    left = unfinished(_applied(found), plan.binding)
    for run in left:
        session.settings.listener.found_cut_off(run, [_uncertain(one) for one in held.look(run, remote)])
    return tuple(run.id for run in left)


def _applied(found: Iterable[Run | ReconcilerError]) -> list[RecordedRun]:
    """All runs that applied a plan. What cannot be read is for `history verify` to report."""
    all_applied = []
    for run in found:
        try:
            applied = recorded(run) if isinstance(run, Run) else None
        except ReconcilerError:
            continue
        all_applied += [applied] if applied else []
    return all_applied


def _uncertain(looked: Looked) -> Uncertain:
    words = _FOUND.get(looked.found) or f"it could not be read: {looked.message}"
    return Uncertain(looked.change, f"{looked.write.method} {looked.write.path}", words)


def recorder_of(
    session: "Session", plan: Plan, follows_up: tuple[str, ...], rolls_back: str | None = None
) -> ApplyRecorder:
    """Give what keeps the record of applying this plan."""
    return ApplyRecorder(
        plan,
        lambda: facts_of(plan, plan_digest(plan), follows_up=follows_up, rolls_back=rolls_back),
        lambda facts: Journal.start(session.journal, facts),
    )


def finished(
    session: "Session", recorder: ApplyRecorder, result: ApplyResult, follows_up: Sequence[str]
) -> ApplyResult:
    """End the record; give the result with the name of its run, and whether the record is whole."""
    if follows_up:
        recorder.begin()
    recorder.end(result)
    if recorder.fault:
        session.settings.listener.failed(recorder.fault)
    return replace(result, run=recorder.run_id, is_recorded=recorder.fault is None)


def listed(run: Run | ReconcilerError, path: Path) -> Listed:
    """What is to be shown of a run."""
    if isinstance(run, ReconcilerError):
        return Listed(path.stem, fault=run.message)
    try:
        applied, rotation = recorded(run), recorded_rotation(run)
    except ReconcilerError as error:
        return Listed(run.id, fault=error.message)
    events = () if applied or rotation else tuple(Event(one.at, one.event, one.facts) for one in run.entries)
    words = {name: str(run.facts.get(name, "")) for name in ("environment", "user")}
    return Listed(
        run.id,
        run.kind,
        run.started_at,
        is_finished=run.is_finished,
        torn=run.torn,
        applied=applied,
        rotation=rotation,
        events=events,
        **words,
    )
