"""Read saved plans; apply or roll back in a session, and record the run; compare a plan with a reviewed one."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from reconciler import pipeline
from reconciler.applying import journal
from reconciler.applying import receipt as receiptfile
from reconciler.applying.journal import events
from reconciler.applying.rollback.view import RULE
from reconciler.applying.run import Controls
from reconciler.errors import GuardRefusal, PlanRefused, ReconcilerError, UsageError, cutting_off
from reconciler.model.dataclass import dataclass
from reconciler.model.inputs import Selection
from reconciler.model.outcome import ApplyResult, Outcome, RecordedRun
from reconciler.model.plan import Finding, Plan, Review
from reconciler.planning import planfile
from reconciler.planning.planfile import reading
from reconciler.project import Settings, environment_name, plan_key
from reconciler.project.checkout import require_tip
from reconciler.project.environment import chosen_environment, configuration, names_of, promoted, protect_inputs
from reconciler.project.files import is_plan, read_file
from reconciler.project.records import (
    check_interrupted_runs,
    finish,
    recorder_of,
    require_newest,
    require_not_applied,
    write_receipt,
)
from reconciler.project.session import EVERYTHING, Session
from reconciler.project.validate import saved_plan
from reconciler.remote import ReadRemote, SecretRemote

Watch: TypeAlias = Callable[[Plan], AbstractContextManager[Callable[[Outcome], None]]]


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """What to apply, the options of the user, and callbacks that watch and stop the run."""

    paths: Sequence[Path] = ()
    saved: Sequence[Plan] = ()
    """One saved plan for each environment; none: plans are made and approved."""
    names: Sequence[str] = ()
    """The environments, in the order in which they are applied."""
    selection: Selection = EVERYTHING
    prune: bool = False
    allow_unknown_roles: bool = False
    require_tip: str | None = None
    """The branch whose tip the inputs must be equal to."""
    receipt: Path | None = None
    """A file for the receipt, in addition to the journal."""
    ack: str | None = None
    keep_going: bool = False
    approve: Callable[[Plan, Sequence[Finding]], bool] = lambda _plan, _objections: False
    """Called with a new plan and the findings of freeze windows; raises if it is not approved.

    True: a person was asked, so time has passed."""
    watch: Watch = lambda _plan: nullcontext(lambda _outcome: None)
    """A context around all writes; gives the callback for each outcome."""
    should_stop: Callable[[], bool] = lambda: False
    """Called before each change and each environment; True stops the run."""
    loaded: Callable[[], None] = lambda: None
    """Called when all environments are loaded, before the first is applied."""
    ended: Callable[[Plan, ApplyResult], None] = lambda _plan, _result: None
    """Called with each plan and its result."""

    def opened(self, settings: Settings) -> Session:
        """Open the session of one environment, with its saved plan if there is one."""
        session = Session.open(
            settings,
            self.paths,
            allow_unknown_roles=self.allow_unknown_roles,
            saved=self._saved_for(settings),
            selection=self.selection,
            prunes=self.prune,
        )
        if session.saved and len(self.saved) > 1:  # before another one is applied
            session.check_here(session.saved)
        if self.require_tip:
            require_tip(session.root, session.inputs, self.require_tip)
        return session

    def _saved_for(self, settings: Settings) -> Plan | None:
        """The saved plan of an environment. `Session.open` checks the environment of a single one."""
        if len(self.saved) <= 1:
            return next(iter(self.saved), None)
        return next(plan for plan in self.saved if plan.binding.environment == settings.environment)


def read_options(
    settings: Settings,
    paths: Sequence[Path],
    named: Sequence[str],
    *,
    every: bool,
    **choices: Any,  # noqa: ANN401  # the other fields
) -> ApplyOptions:
    """The options of apply, with the saved plans and environments.

    Args:
        settings: those of the run.
        paths: saved plans, then manifests and folders.
        named: environments; for `every` see `environment.names_of`.
        every: all environments of the configuration.
        choices: the other fields of `ApplyOptions`.

    Raises:
        PlanRefused: a plan is refused, or the plan key is set and a path is not a plan.
        UsageError: a plan comes after another path, options cannot be combined, the configuration has no order for
            several environments, or saved plans are for other environments.
        WouldOverwrite: an output is an input.
    """
    protect_inputs(settings, ())
    key = plan_key(settings.variables)
    plans = [path for path in paths if is_plan(path)]
    others = tuple(path for path in paths if path not in plans)
    if key and others:
        message = f"RECONCILER_PLAN_KEY is set, so apply only accepts plans signed with it; {others[0]} is not a plan"
        raise PlanRefused("no-plan", message, hint="save a plan with plan --out and apply that")
    if (*plans, *others) != tuple(paths):
        raise UsageError("PLANFILEs must come before PATHs", hint="see reconciler apply --help")
    options = ApplyOptions(others, [reading.read(path, key) for path in plans], **choices)
    if options.saved:
        _check_saved_with(options)
    return replace(options, names=_targets(settings, options, named, every=every))


def _check_saved_with(options: ApplyOptions) -> None:
    """Reject options that cannot be used with saved plans.

    Raises:
        UsageError: there is one.
    """
    if not options.selection.is_everything:
        hint = "remove them, or plan again with them"
        raise UsageError("--only and --selector cannot be used with a saved plan", hint=hint)
    if options.selection.write_secrets:
        message = "--write-secret cannot be used with a saved plan"
        raise UsageError(message, hint="remove it, or plan again with it")
    if options.prune:
        raise UsageError("--prune cannot be used with a saved plan", hint="remove it, or plan again with it")


def _targets(settings: Settings, options: ApplyOptions, named: Sequence[str], *, every: bool) -> list[str]:
    planned = [plan.binding.environment for plan in options.saved]
    chosen = environment_name(settings)
    if not (every or len(named) > 1 or len(planned) > 1):
        return [chosen or planned[0]] if planned else names_of(settings, named, every=False)
    if options.receipt:
        raise UsageError("--receipt takes one environment", hint="remove it: the journal keeps a receipt for each")
    meant = {*named, *filter(None, [chosen])}
    if planned and (every or (meant and meant != set(planned))):
        hint = "remove --env, --env-all and RECONCILER_ENV; to apply some of the plans, give only their files"
        raise UsageError("saved plans cannot be combined with other environments", hint=hint)
    if len(set(planned)) < len(planned):
        hint = "give one plan for each environment"
        raise UsageError("two of the saved plans are for the same environment", hint=hint)
    return promoted(settings, planned or named)


def preview(settings: Settings, options: ApplyOptions) -> tuple[Plan, GuardRefusal | None]:
    """The plan that would be applied, and a refusal for findings outside of the plan. The connection cannot write.

    Raises:
        PlanRefused: `apply` would refuse the saved plan.
    """
    session = options.opened(settings)
    _check(session, options, receipt=None)
    with session.reader() as remote:
        plan, objections = _plan_and_findings(session, remote)
    return plan, planfile.refusal(plan, options.ack, objections) if objections else None


def apply(session: Session, options: ApplyOptions) -> ApplyResult:
    """Check and apply the saved plan; without one, make a plan, have it approved and apply it.

    What can be checked offline is checked before the service is contacted.

    Raises:
        PlanRefused: the saved plan is for another target, or was already applied; nothing was written.
        GuardRefusal: a guard refuses it; nothing was written.
        ReconcilerError: it was not approved; nothing was written.
    """
    with session.locked():
        _check(session, options, options.receipt)
        with session.writer() as remote:
            plan, objections = _plan_and_findings(session, remote)
            follows_up = check_interrupted_runs(session, remote, plan)
            if not session.saved:
                options.approve(plan, objections)
                objections = session.frozen(plan)
            result = _execute(session, remote, options, plan, objections, follows_up=follows_up)
    with cutting_off(lambda: bool(result.run)):
        write_receipt(options.receipt, session, plan, result)
        options.ended(plan, result)
    return result


def _check(session: Session, options: ApplyOptions, receipt: Path | None) -> None:
    require_newest(session, options.receipt)
    if session.saved:
        session.check_here(session.saved)
        require_not_applied(session.saved, session.config.journal, receipt, session.plan_key)


def _plan_and_findings(session: Session, remote: ReadRemote) -> tuple[Plan, Sequence[Finding]]:
    """The plan, and findings outside of it."""
    if session.saved:
        return session.saved, session.check(session.saved, remote)
    plan = session.plan_with(remote, requires_secrets=True)
    return plan, session.frozen(plan)


def _execute(  # noqa: PLR0913  # both ends, what to do, and what is known of earlier runs
    session: Session,
    remote: SecretRemote,
    options: ApplyOptions,
    plan: Plan,
    objections: Sequence[Finding],
    *,
    follows_up: tuple[str, ...],
    rolls_back: str | None = None,
) -> ApplyResult:
    """Apply the plan and record the run. `follows_up`: the ids of the interrupted runs that were checked."""
    recorder, environment = recorder_of(session, plan, follows_up, rolls_back), session.environment
    with closing(recorder):
        with options.watch(plan) as on_outcome, cutting_off(lambda: bool(recorder.run_id)):
            result = pipeline.apply(
                plan,
                remote,
                session.resolve,
                Controls(
                    environment.concurrency,
                    options.keep_going,
                    on_outcome,
                    options.should_stop,
                    recorder,
                    environment.create,
                ),
                objections=objections,
                acknowledged=options.ack,
                plan_key=session.plan_key,
                deliverer=session.deliverer,
            )
        return finish(session, recorder, result, follows_up)


# ------------------------------------------------------------------------------------------------------------ rollback


def run_to_roll_back(settings: Settings, name: str) -> RecordedRun:
    """Read a run from its journal, which must be intact; ``last`` is the newest run that has written.

    Raises:
        UsageError: there is no such run.
        PlanRefused: the journal was altered, or the run is a rotation or of another environment.
    """
    config, environment = configuration(settings), environment_name(settings)
    if environment:
        chosen_environment(config, settings)
    is_last = name == "last"
    path = events.last_written(config.journal, environment) if is_last else journal.find(config.journal, name)
    faults = journal.check(path)
    if faults:
        raise PlanRefused("journal", f"{faults[0]}", hint="reconciler history verify lists everything that was altered")
    run = events.recorded(journal.read(path))
    if run is None:
        hint = "a rotation cannot be rolled back; reconciler history lists the runs"
        raise PlanRefused("journal", f"{path.stem} is not a run of apply or rollback", hint=hint)
    if environment and environment != run.environment:
        message = f"run {run.id} was of environment {run.environment}, not of {environment}"
        raise PlanRefused("environment", message, hint=f"choose --env {run.environment}")
    if run.environment not in config.environments:
        message = f"run {run.id} was of environment {run.environment}, which is not in {config.path}"
        raise PlanRefused("environment", message, hint="add the environment again, or apply changed manifests")
    return run


def preview_rollback(
    settings: Settings, run: RecordedRun, only: Sequence[str], ack: str | None
) -> tuple[Plan, GuardRefusal | None]:
    """The plan that `roll_back` would apply, and a refusal; see `preview`."""
    session = Session.open(replace(settings, environment=run.environment), allow_unknown_roles=True)
    with session.reader() as remote:
        plan = session.plan_rollback(run, only, remote)
    objections = session.frozen(plan)
    return plan, planfile.refusal(plan, ack, objections) if objections else None


def roll_back(settings: Settings, run: RecordedRun, only: Sequence[str], options: ApplyOptions) -> ApplyResult:
    """Plan the return to the state before a run, have the plan approved, and apply it.

    Raises:
        GuardRefusal: a guard refuses it; nothing was written.
        ReconcilerError: the plan was not approved, or the service has changed since; nothing was written.
    """
    session = Session.open(replace(settings, environment=run.environment), allow_unknown_roles=True)
    with session.locked(), session.writer() as remote:
        plan = session.plan_rollback(run, only, remote)
        follows_up = check_interrupted_runs(session, remote, plan)
        if options.approve(plan, session.frozen(plan)):
            _require_unchanged(plan, session.plan_rollback(run, only, remote))
        objections = session.frozen(plan)
        return _execute(session, remote, options, plan, objections, follows_up=follows_up, rolls_back=run.id)


def _require_unchanged(shown: Plan, now: Plan) -> None:
    """Refuse if the service has changed during the review. Before a write, assignments and secrets are not read again.

    Raises:
        GuardRefusal: an object to roll back has changed.
        ReconcilerError: the plan has changed.
    """
    refused = [finding for finding in now.guards if finding.rule == RULE]
    if refused:
        raise GuardRefusal(refused)
    if now.changes != shown.changes:
        message = "the service has changed since the plan was shown; nothing was written"
        raise ReconcilerError(message, hint="run it again to see the plan as it is now")


# -------------------------------------------------------------------------------------------------------------- review


def review(settings: Settings, path: Path, file: Path) -> tuple[Review, str]:
    """Compare a saved plan with an earlier one, or with the receipt of the last apply; also gives its digest.

    Args:
        settings: the plan key in it signs the plan and a receipt.
        path: the plan to apply.
        file: the unsigned plan of a pull request, or a receipt. If it cannot be read, the plan is not reviewed.

    Raises:
        PlanRefused, WouldOverwrite: as `saved_plan` does.
    """
    plan, _ = saved_plan(settings, path)
    return _compared(plan, file, plan_key(settings.variables)), planfile.changes_digest(plan)


def _compared(plan: Plan, file: Path, key: bytes | None) -> Review:
    if not plan.has_changes:
        return Review(is_reviewed=True, reason="there is nothing to do", unseen=plan)
    try:
        text = read_file(file)
        if '"resource_changes"' in text:
            return _compared_with_plan(plan, reading.loads(text, str(file)))
        return _compared_with_receipt(plan, text, file, key)
    except ReconcilerError as error:
        return Review(is_reviewed=False, reason=error.message, unseen=plan)


def _compared_with_plan(plan: Plan, reviewed: Plan) -> Review:
    digest = planfile.changes_digest(plan)
    if digest == planfile.changes_digest(reviewed):
        reason = f"the changes match the reviewed plan, {digest[:12]}"
        return Review(is_reviewed=True, reason=reason, unseen=plan)
    unseen = replace(plan, changes=planfile.changes_not_in(plan, reviewed))
    gone = [f"{change.action} {change.address}" for change in planfile.changes_not_in(reviewed, plan)]
    return Review(is_reviewed=False, reason=_difference(plan, reviewed), unseen=unseen, gone=tuple(gone))


def _difference(plan: Plan, reviewed: Plan) -> str:
    here, there = plan.binding, reviewed.binding
    if (here.environment, here.marketplace.casefold()) != (there.environment, there.marketplace.casefold()):
        return f"the reviewed plan is for environment {there.environment}, marketplace {there.marketplace}"
    if planfile.changes_not_in(plan, reviewed) or planfile.changes_not_in(reviewed, plan):
        return "the changes differ from the reviewed plan"
    return "the guard findings differ from the reviewed plan"


def _compared_with_receipt(plan: Plan, text: str, file: Path, key: bytes | None) -> Review:
    receipt = receiptfile.loads(text, str(file), key)
    receiptfile.check(receipt, plan.binding)
    is_reviewed = receipt.manifest_digest == plan.binding.manifest_digest
    reason = f"the manifests differ from those of the last apply, at {receipt.created_at}"
    if is_reviewed:
        reason = f"the manifests match the apply at {receipt.created_at}; only the service has changed"
    return Review(is_reviewed=is_reviewed, reason=reason, unseen=plan)
