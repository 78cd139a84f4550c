"""Rotate secrets: plan the steps, have them approved, carry them out and record them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reconciler.applying.journal import ROTATION
from reconciler.applying.journal.events import outcome_facts, turn_facts
from reconciler.applying.journal.write import Journal
from reconciler.errors import ReconcilerError, cutting_off
from reconciler.model.dataclass import dataclass
from reconciler.model.inputs import Selection
from reconciler.model.named_secret import Ended
from reconciler.planning import guards as guard
from reconciler.planning.planfile import given
from reconciler.project import Listener, Settings, secret_status
from reconciler.project.secret_status import RotationPlan, SecretChoice, Turn
from reconciler.project.session import Session
from reconciler.remote import ReadRemote
from reconciler.render.secrets import Rotated, Turned
from reconciler.secrets.rotation import RotationTools
from reconciler.secrets.rotation import carry_out as rotate_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.json import Json


@dataclass(frozen=True, slots=True)
class RotateOptions:
    """Which secrets to rotate, the options of the user, and callbacks."""

    choice: SecretChoice
    ack: str | None = None
    approve: Callable[[Rotated, bool], bool] = lambda _rotated, _is_acceptable: False
    """Called with the steps, and whether the guards accept them; raises if they are not approved.

    True: a person was asked, so time has passed."""
    begin: Callable[[], Callable[[], bool]] = lambda: lambda: False
    """Called before the first step; returns a function that is called before each step and says whether to stop."""


@dataclass(frozen=True, slots=True)
class RotationResult:
    """The result of a rotation."""

    rotated: Rotated
    is_refused: bool = False
    """Whether a guard refuses the steps of a dry run."""
    has_written: bool = False
    is_recorded: bool = True
    """Whether the journal is complete."""


def rotate(settings: Settings, selection: Selection, options: RotateOptions, *, dry_run: bool) -> RotationResult:
    """Replace secrets by new ones; with `dry_run`, only plan the steps.

    Raises:
        UsageError: there is no such manifest or secret; no request was sent.
        GuardRefusal: a guard refuses the steps; nothing was written.
        ReconcilerError: the steps were not approved, or a requested rotation is not possible.
    """
    session = Session.open(settings, selection=selection, allow_unknown_roles=True)
    secret_status.wanted(session.loaded.desired, selection, options.choice)
    return _show(session, options) if dry_run else _carry_out(session, options)


def _show(session: Session, options: RotateOptions) -> RotationResult:
    """Plan the steps over a connection that cannot write."""
    with session.reader() as remote:
        plan = _planned(session, options, remote)
    is_refused = any(one.rule not in guard.TIMED for one in plan.findings)
    return RotationResult(_shown(session, plan, is_dry_run=True), is_refused)


def _carry_out(session: Session, options: RotateOptions) -> RotationResult:
    """Have the steps approved, carry them out, and record them."""
    with session.locked(), session.writer() as remote:
        plan = _planned(session, options, remote)
        if not plan.has_work:
            return RotationResult(_shown(session, plan))
        plan = _approved(session, options, plan, remote)
        plan.require(options.ack, session.environment.freeze, _utc_now())
        with Journal.start(session.config.journal, _facts(session, plan)) as journal, cutting_off(lambda: True):
            return _carry_out_turns(
                session,
                plan,
                RotationTools(remote, session.deliverer, _utc_now, journal.append, options.begin()),
                journal,
            )


def _planned(session: Session, options: RotateOptions, remote: ReadRemote) -> RotationPlan:
    target = replace(session.target(), now=_utc_now())
    return secret_status.plan(session.loaded.desired, remote, target, options.choice, session.deliverer)


def _approved(session: Session, options: RotateOptions, plan: RotationPlan, remote: ReadRemote) -> RotationPlan:
    """Have the plan approved.

    Returns:
        The same plan, recomputed if a person was asked.

    Raises:
        ReconcilerError: the plan was not approved, or other steps are due now.
    """
    is_acceptable = not plan.findings or plan.acknowledgement in given(options.ack)
    if not options.approve(_shown(session, plan), is_acceptable):
        return plan
    now = _planned(session, options, remote)
    if now.acknowledgement != plan.acknowledgement:
        message = "what is due has changed since the steps were shown; nothing was written"
        raise ReconcilerError(message, hint="run it again to see the steps as they are now")
    return now


def _carry_out_turns(session: Session, plan: RotationPlan, tools: RotationTools, journal: Journal) -> RotationResult:
    turns, is_written, record = [], False, _Record(journal, session.settings.listener)
    for turn in plan.turns:
        turned, written = _carry_out_turn(session, turn, tools)
        turns.append(turned)
        is_written |= written
        ended, message = turned.ended or Ended.COMPLETED, turned.error.message if turned.error else turned.postponed
        record.note("secret-outcome", outcome_facts(turned.address, turned.secret, ended, message))
    record.end(interrupted=tools.should_stop())
    rotated = replace(_shown(session, plan), turns=turns, findings=(), run=journal.run_id)
    return RotationResult(rotated, has_written=is_written, is_recorded=record.fault is None)


@dataclass(slots=True)
class _Record:
    """Writes the journal. A failure does not stop the run and is reported at the end."""

    journal: Journal
    listener: Listener
    fault: ReconcilerError | None = None

    def note(self, event: str, facts: "Mapping[str, Json]") -> None:
        """Record an event."""
        self._attempt(lambda: self.journal.append(event, facts))

    def end(self, *, interrupted: bool) -> None:
        """Record the end of the run, and report a failure of any record."""
        self.note("end", {"interrupted": interrupted})
        self._attempt(self.journal.close)
        if self.fault:
            self.listener.failed(self.fault)

    def _attempt(self, write: Callable[[], object]) -> None:
        try:
            write()
        except ReconcilerError as error:
            self.fault = error


def _carry_out_turn(session: Session, turn: Turn, tools: RotationTools) -> tuple[Turned, bool]:
    """Carry out the steps of one secret; also returns whether anything was written."""
    if turn.error:
        return _planned_turn(turn), False
    if tools.should_stop():
        return replace(_planned_turn(turn), ended=Ended.NOT_STARTED), False
    reporting = replace(tools, on_step=lambda step: session.settings.listener.noted(f"done: {step.text}"))
    done = rotate_secret(turn.subject, turn.steps, reporting)
    turned = replace(_planned_turn(turn), done=done.steps, ended=done.ended, error=done.error, postponed=done.postponed)
    return turned, done.has_written


def _planned_turn(turn: Turn) -> Turned:
    return Turned(*turn.about, turn.steps, ended=Ended.FAILED if turn.error else None, error=turn.error)


def _shown(session: Session, plan: RotationPlan, *, is_dry_run: bool = False) -> Rotated:
    environment = session.environment
    return Rotated(
        environment.name,
        plan.marketplace,
        environment.base_url,
        list(map(_planned_turn, plan.turns)),
        is_dry_run=is_dry_run,
        findings=plan.findings,
        acknowledgement=plan.acknowledgement if plan.findings else "",
    )


def _facts(session: Session, plan: RotationPlan) -> "Mapping[str, Json]":
    environment = session.environment
    return {
        "kind": ROTATION,
        "environment": environment.name,
        "base_url": environment.base_url,
        "marketplace": plan.marketplace,
        "turns": [turn_facts(*turn.about, turn.steps) for turn in plan.turns],
    }


def _utc_now() -> datetime:
    return datetime.now(UTC)
