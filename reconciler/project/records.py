"""Write the journal and the receipt of a run, and read those of earlier runs.

The receipt is next to the journal and, if requested, in another file.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.applying import journal as journals
from reconciler.applying import receipt as receiptfile
from reconciler.applying import verify
from reconciler.applying.journal import Run, all_files, applied, last_run, newest, require_trusted, run_files, runs
from reconciler.applying.journal.events import (
    ApplyRecorder,
    facts_of,
    may_have_written,
    recorded,
    recorded_rotation,
    unfinished,
)
from reconciler.applying.journal.write import Journal
from reconciler.applying.verify import Condition, Looked
from reconciler.config import select_environment
from reconciler.errors import PlanRefused, ReconcilerError
from reconciler.kinds import KINDS
from reconciler.manifests.git import Untrusted, untrusted
from reconciler.manifests.replacing import read_own
from reconciler.model.drift import Receipt
from reconciler.model.named_secret import moment_text
from reconciler.model.outcome import ApplyResult, RecordedRun
from reconciler.model.plan import Binding, Plan
from reconciler.model.resource import Address, DesiredState
from reconciler.planning import drift as drifts
from reconciler.planning.planfile import plan_digest
from reconciler.project import Settings, environment_name
from reconciler.project.environment import configuration
from reconciler.project.files import read_file, write_file
from reconciler.remote import ReadRemote
from reconciler.render.history import Event, ListedRun, Uncertain, Verified, moment
from reconciler.render.style import Moment

if TYPE_CHECKING:
    from reconciler.config.settings import Environment
    from reconciler.project.session import Session


def history(settings: Settings, environments: Collection[str] = (), *, every: bool = False) -> list[ListedRun]:
    """The runs of these environments, the newest last; none named: of the requested one, or of `every` one.

    Raises:
        UsageError: an environment is neither in the configuration nor in a journal.
    """
    config = configuration(settings)
    chosen = environment_name(settings)
    environments = environments or ([chosen] if chosen and not every else [])
    found = [listed(run, path) for path, run in runs(config.journal).items()]
    for name in environments:
        if all(run.environment != name for run in found):
            select_environment(config, name)
    return [run for run in found if run.environment in environments or not environments]


_MOST: Final = 40
"""The maximum number of journals that a completion reads."""


def run_ids(settings: Settings, start: str, *, written: bool) -> list[str]:
    """The ids of runs with this start; with `written`, the newest that may have written, which only journals tell."""
    found = [path for path in run_files(configuration(settings).journal) if path.stem.startswith(start)]
    return [path.stem for path in (filter(may_have_written, found[-_MOST:]) if written else found)]


def run_of(settings: Settings, name: str) -> ListedRun:
    """One run; ``last`` is the newest, of the requested environment if there is one."""
    path = _journal_of(settings, name)
    return listed(journals.read(path), path)


def verified(settings: Settings, name: str | None) -> Verified:
    """Verify the journal of a run, or those of all runs and their order."""
    folder = configuration(settings).journal
    faults = journals.check(_journal_of(settings, name)) if name else journals.check_all(folder)
    return Verified(1 if name else len(run_files(folder)), tuple(map(str, faults)))


def _journal_of(settings: Settings, name: str) -> Path:
    return journals.find(configuration(settings).journal, name, environment_name(settings))


_MOMENTS: Final = 40
"""How many runs an HTML page lists: a year of weekly restores, or a busy month."""


def moments(settings: Settings, environments: Collection[str]) -> tuple[Moment, ...]:
    """The newest runs that wrote to one of these environments, including journals that cannot be read."""
    found = history(settings, ())
    return tuple(moment(run) for run in found if run.fault or run.environment in environments)[-_MOMENTS:]


_FOUND: Final = {
    Condition.AS_SENT: "the object shows that it was applied",
    Condition.AS_BEFORE: "the object shows that it was not applied",
    Condition.OTHERWISE: "the object differs from what it was before and from what was sent",
    Condition.UNKNOWN: "only secrets were sent; the object cannot show whether they were applied",
}


def check_interrupted_runs(session: "Session", remote: ReadRemote, plan: Plan) -> tuple[str, ...]:
    """Report interrupted runs against this marketplace and their uncertain writes; returns the ids of the runs.

    An untrusted journal is reported, too: its run may have been interrupted.
    """
    found = runs(session.config.journal).values()
    for problem in [one for one in found if isinstance(one, Untrusted)][:1]:
        session.settings.listener.failed(problem)
    left = unfinished(_all_applied(found), plan.binding)
    for run in left:
        session.settings.listener.found_interrupted_run(run, [_uncertain(one) for one in verify.look(run, remote)])
    return tuple(run.id for run in left)


def _all_applied(found: Iterable[Run | ReconcilerError]) -> list[RecordedRun]:
    """All runs that applied a plan. Unreadable ones are left out; `history verify` reports them."""
    found_applied = []
    for run in found:
        try:
            applied = recorded(run) if isinstance(run, Run) else None
        except ReconcilerError:
            continue
        found_applied += [applied] if applied else []
    return found_applied


def _uncertain(looked: Looked) -> Uncertain:
    words = _FOUND.get(looked.found) or f"it could not be read: {looked.message}"
    return Uncertain(looked.change, f"{looked.write.method} {looked.write.path}", words)


def recorder_of(
    session: "Session", plan: Plan, follows_up: tuple[str, ...], rolls_back: str | None = None
) -> ApplyRecorder:
    """The recorder for an apply of this plan."""
    return ApplyRecorder(
        plan,
        lambda: facts_of(plan, plan_digest(plan), follows_up=follows_up, rolls_back=rolls_back),
        lambda facts: Journal.start(session.config.journal, facts),
    )


def finish(session: "Session", recorder: ApplyRecorder, result: ApplyResult, follows_up: Sequence[str]) -> ApplyResult:
    """End the record; returns the result with the id of the run and whether the record is complete."""
    if follows_up:
        recorder.begin()
    recorder.end(result)
    if recorder.fault:
        session.settings.listener.failed(recorder.fault)
    return replace(result, run=recorder.run_id, is_recorded=recorder.fault is None)


def listed(run: Run | ReconcilerError, path: Path) -> ListedRun:
    """A run, or the error of reading it, for display."""
    if isinstance(run, ReconcilerError):
        return ListedRun(path.stem, fault=run.message)
    try:
        applied, rotation = recorded(run), recorded_rotation(run)
    except ReconcilerError as error:
        return ListedRun(run.id, fault=error.message)
    events = () if applied or rotation else tuple(Event(one.at, one.event, one.facts) for one in run.entries)
    return ListedRun(
        run.id,
        run.kind,
        run.started_at,
        environment=str(run.facts.get("environment", "")),
        user=str(run.facts.get("user", "")),
        is_finished=run.is_finished,
        torn=run.torn,
        applied=applied,
        rotation=rotation,
        events=events,
    )


_SUFFIX: Final = ".receipt.json"


def write_receipt(path: Path | None, session: "Session", plan: Plan, result: ApplyResult) -> None:
    """Write the receipt of a run next to its journal, if there is one, and to `path`, if given.

    A failure is reported to the listener. It does not change the exit code, which is about the service.
    """
    in_journal = session.config.journal / f"{result.run}{_SUFFIX}" if result.run else None
    files = [file for file in (in_journal, path) if file]
    if not files:
        return
    now = moment_text(datetime.now(UTC))
    kept = drifts.receipt_of(plan, result, session.loaded.desired, now, session.fingerprints)
    text = receiptfile.dumps(replace(kept, plan_digest=plan_digest(plan)), session.plan_key)
    for file in files:
        try:
            write_file(file, text)
        except ReconcilerError as error:
            session.settings.listener.failed(error)


def require_not_applied(saved: Plan, folder: Path, receipt: Path | None, key: bytes | None) -> None:
    """Refuse a plan that was already applied, according to the journal or a receipt.

    Args:
        saved: the saved plan.
        folder: the folder of journals and receipts.
        receipt: the file of the new receipt, which may have that of an earlier apply.
        key: the key with which receipts are signed.

    Raises:
        PlanRefused: the plan was already applied.
    """
    digest = plan_digest(saved)
    in_journal = [*folder.glob(f"*{_SUFFIX}")]
    distrusted = {} if key else untrusted(in_journal)
    kept = [(file, _read) for file in in_journal if file not in distrusted]
    named = [(receipt, read_file)] if receipt and receipt.is_file() else []
    found = applied(folder, digest) or next(
        (str(file) for file, read in (*kept, *named) if _applied(file, read, key) == digest), None
    )
    if found and saved.has_changes:
        raise PlanRefused("applied", f"this plan was already applied, see {found}: a plan can be applied only once")


def require_newest(session: "Session", receipt: Path | None) -> None:
    """Refuse manifests that are older than the last applied commit, if `RECONCILER_COMMITS` is set.

    Args:
        session: the session of the environment.
        receipt: the file of the new receipt, which may have an earlier one. Its signature is not checked, since an
            earlier receipt can only cause a refusal.

    Raises:
        PlanRefused: the manifests are older.
        ReconcilerError: the receipt was altered or is of another environment, or a journal cannot be read.
    """
    if not session.commits:
        return
    for source, commit in _last_commits(session, receipt):
        if commit and commit not in session.commits:
            message = f"these manifests are older than the applied commit {commit[:12]}: see {source}"
            hint = "use the newest image, built from a complete clone; to go back, revert the commit"
            raise PlanRefused("older", message, hint=hint)


def _last_commits(session: "Session", receipt: Path | None) -> Iterator[tuple[Path, str]]:
    """The last applied commit, according to the journal and to a receipt."""
    started = [file for file in run_files(session.config.journal) if file.stat().st_size]
    if run := last_run(started, session.environment.name):
        yield run.path, str(run.facts.get("git_commit") or "")
    if receipt and receipt.is_file():
        kept = receiptfile.loads(read_file(receipt), str(receipt), None)
        if kept.environment != session.environment.name:
            message = f"{receipt} is of environment {kept.environment}, not of {session.environment.name}"
            raise ReconcilerError(message, hint="keep a receipt for each environment")
        yield receipt, kept.git_commit or ""


def _read(file: Path) -> str:
    """Read a receipt in the folder of journals, which must not be a symbolic link.

    Raises:
        ReconcilerError: the receipt cannot be read.
    """
    try:
        return read_own(file).decode()
    except UnicodeDecodeError:
        raise ReconcilerError(f"{file} is not UTF-8 text") from None
    except OSError as error:
        why = "it is a symbolic link" if file.is_symlink() else error.strerror
        hint = "delete it; the next apply writes a new one"
        raise ReconcilerError(f"cannot read {file}: {why}", hint=hint) from error


def _applied(file: Path, read: Callable[[Path], str], key: bytes | None) -> str:
    """The digest of the plan in a receipt; empty if the receipt is not trusted."""
    with suppress(ReconcilerError):
        return receiptfile.loads(read(file), str(file), key).plan_digest
    return ""


def newest_receipt(folder: Path, now: Binding, key: bytes | None) -> Receipt | None:
    """The receipt of the newest run against this environment.

    None if there is no receipt, if it is of another base URL or marketplace, or if that run was interrupted or a
    rollback, since an older receipt is then outdated.

    Raises:
        ReconcilerError: the receipt was altered, or is a symbolic link.
        OtherKeyError: there is a key, and the receipt is not signed with it.
        Untrusted: git tracks the receipt and there is no key, or git tracks all journals.
    """
    run = newest(folder, now.environment)
    file = folder / f"{run}{_SUFFIX}"
    require_trusted(untrusted([] if key else [file]) if run else all_files(folder))
    if not run or not os.path.lexists(file):
        return None
    receipt = receiptfile.loads(_read(file), str(file), key)
    return receipt if receiptfile.is_of(receipt, now) else None


def scope_changed(folder: Path, plan: Plan, key: bytes | None) -> str:
    """A warning if the scope differs from that of the newest run; empty if it does not, or if that is unknown."""
    with suppress(ReconcilerError):
        receipt = newest_receipt(folder, plan.binding, key)
        return drifts.scope_changed(receipt, plan) if receipt else ""
    return ""


def last_fingerprints(
    folder: Path, environment: "Environment", desired: DesiredState, key: bytes | None
) -> Mapping[tuple[Address, str], str]:
    """The fingerprints of write-only secrets from the newest run, if a manifest names such a secret.

    Empty without a key or without a trusted receipt.
    """
    is_named = any(one.secrets.keys() & KINDS[one.address.kind].write_only_fields for one in desired.resources)
    run = newest(folder, environment.name) if key and is_named else None
    with suppress(ReconcilerError):
        file = folder / f"{run}{_SUFFIX}"
        receipt = receiptfile.loads(_read(file), str(file), key) if run and os.path.lexists(file) else None
        if receipt and _is_of(receipt, environment):
            return {(one.address, name): each for one in receipt.resources for name, each in one.fingerprints.items()}
    return {}


def _is_of(receipt: Receipt, environment: "Environment") -> bool:
    known = environment.marketplace or receipt.marketplace
    is_here = receipt.environment == environment.name and receipt.base_url == environment.base_url
    return is_here and receipt.marketplace.casefold() == known.casefold()
