"""A configuration -> everything that can be done with its environments: for programs, and for every command.

`import reconciler` exports it; docs/python.md lists what is public. A method imports what it needs when it
is called, so that `--help` needs none of it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from reconciler.errors import (
    GuardRefusal,
    Interrupted,
    ReconcilerError,
    Skipped,
    UsageError,
    WouldOverwrite,
    cutting_off,
)
from reconciler.model.dataclass import dataclass
from reconciler.model.drift import Drift
from reconciler.model.inputs import Selection
from reconciler.model.outcome import ApplyResult, Outcome
from reconciler.model.plan import Plan
from reconciler.project import SILENT, Listener, Settings
from reconciler.render import FORMATS
from reconciler.render.style import PLAIN, Style

if TYPE_CHECKING:
    from reconciler.model.diagnostic import Report
    from reconciler.model.inputs import Snapshot
    from reconciler.model.outcome import RecordedRun
    from reconciler.model.reports import Diagnosis, SecretReport
    from reconciler.project.apply import ApplyOptions
    from reconciler.project.drift import DriftView, WriteBack
    from reconciler.project.export import ExportOptions, ExportResult
    from reconciler.project.rotate import RotateOptions, Rotation
    from reconciler.render import reports
    from reconciler.render.history import Listed, Verified
    from reconciler.render.several import Part


T = TypeVar("T")

AT_A_TIME: Final = 32
"""Environments that are read side by side by default."""


@dataclass(frozen=True, slots=True)
class Project:
    """A configuration and its environments.

    Safe in threads: every call reads the files again and opens a connection of its own. Two calls that write
    to one environment at the same time are kept apart by a lock.
    """

    settings: Settings = field(default_factory=Settings)

    @property
    def environments(self) -> tuple[str, ...]:
        """The names of all environments, in the order of the configuration.

        Raises:
            InputError: the configuration has faults.
        """
        from reconciler.project.environment import configuration

        return tuple(configuration(self.settings).environments)

    @property
    def promotion(self) -> tuple[str, ...]:
        """The names of the environments that are applied together, in the order of `promote:`; errors as above."""
        from reconciler.project.environment import configuration

        return configuration(self.settings).promote

    def listed(self, names: Sequence[str] = ()) -> "list[reports.Listed]":
        """These environments, or all, as far as they may be shown; see `environment.listed`."""
        from reconciler.project.environment import listed

        return listed(self.settings, names)

    def of(self, environment: str) -> "Project":
        """The same for one of the environments."""
        return replace(self, settings=replace(self.settings, environment=environment))

    def validate(self, paths: Sequence[Path] = (), *, allow_unknown_roles: bool = False) -> "Report":
        """Find every fault of manifests and configuration, offline; see `validate.check`."""
        from reconciler.project.validate import check

        return check(self.settings, paths, allow_unknown_roles=allow_unknown_roles)

    def resolved(
        self, paths: Sequence[Path], *, allow_unknown_roles: bool
    ) -> "Mapping[str, Callable[[], Iterator[str]]]":
        """What writes manifests as they are in the environment, by format; see `validate.resolved`."""
        from reconciler.project.validate import resolved

        return resolved(self.settings, paths, allow_unknown_roles=allow_unknown_roles)

    def plan(  # noqa: PLR0913  # one for each choice
        self,
        environment: str | None = None,
        *,
        paths: Sequence[Path] = (),
        selection: Selection | None = None,
        prune: bool = False,
        expires: timedelta | None = None,
        snapshot: Path | None = None,
        allow_unknown_roles: bool = False,
    ) -> Plan:
        """Plan what would bring an environment in step with its manifests. Only reads.

        Args:
            environment: its name; None: the one of `RECONCILER_ENV`, or the only one.
            paths: manifests or folders of them; none: those of the configuration.
            selection: the part of the resources that the plan is about.
            prune: also delete objects that are in no manifest.
            expires: how long the plan may be applied.
            snapshot: plan from this file, contacting nothing; a folder has a file for each environment, `NAME.json`.
            allow_unknown_roles: only warn of role names that this version does not know.

        Raises:
            InputError: with every fault of every file.
            RemoteError: the service could not be read.
        """
        from reconciler.project.session import Session

        session = Session.open(
            self._named(environment),
            paths,
            selection=selection,
            prunes=prune,
            expires=expires,
            allow_unknown_roles=allow_unknown_roles,
        )
        return session.plan_from(snapshot) if snapshot else session.plan()

    def apply(
        self,
        plan: Plan,
        *,
        paths: Sequence[Path] = (),
        acknowledge: str = "",
        keep_going: bool = False,
        on_outcome: Callable[[Outcome], None] = lambda _outcome: None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> ApplyResult:
        """Apply exactly this plan, with the checks of a saved plan. Writes the journal and the receipt.

        Args:
            plan: of this project.
            paths: the same as those given to `plan`.
            acknowledge: the digits that accept a refusal of the guards.
            keep_going: go on with other changes after one has failed.
            on_outcome: called with each outcome as a change ends, from one thread at a time.
            should_stop: called before each change; True starts no further change.

        Raises:
            GuardRefusal: a guard refuses the plan; nothing was written.
            PlanRefused: it is stale, expired, already applied or for another target; nothing was written.
        """
        from reconciler.project.apply import ApplyOptions

        def watch(_plan: Plan) -> AbstractContextManager[Callable[[Outcome], None]]:
            return nullcontext(on_outcome)

        options = ApplyOptions(
            paths,
            [plan],
            ack=acknowledge,
            keep_going=keep_going,
            allow_unknown_roles=True,
            watch=watch,
            should_stop=should_stop,
        )
        return self.of(plan.binding.environment).carry_out(options)

    def carry_out(self, options: "ApplyOptions") -> ApplyResult:
        """Apply to one environment, a saved plan or a new one; see `apply.apply`."""
        from reconciler.project.apply import apply

        return apply(options.opened(self.settings), options)

    def preview(self, options: "ApplyOptions") -> tuple[Plan, GuardRefusal | None]:
        """What `carry_out` would carry out; see `apply.look`."""
        from reconciler.project.apply import look

        return look(options.opened(self.settings), options)

    def promote(
        self, names: Sequence[str], options: "ApplyOptions", end: Callable[[ApplyResult], int]
    ) -> "tuple[Part[ApplyResult], ...]":
        """Apply to these environments one after another, up to the first that does not exit with 0; skip the others.

        All are loaded first: if one cannot be loaded, none is started, and all get the same manifests. `end` gives the
        exit code of a result.
        """
        from reconciler.project.apply import apply

        opened = self.each(names, lambda one: options.opened(one.settings), "apply", lambda _session: 0)
        if faulty := ", ".join(one.environment for one in opened if one.error):
            skipped = Skipped(f"skipped: not started, because of {faulty}")
            return tuple(_not_applied(one.environment, one.error or skipped) for one in opened)
        parts: list[Part[ApplyResult]] = []
        for one in opened:
            stop = next((done for done in parts if done.code), None)
            if stop:
                skipped = Skipped(f"skipped: {stop.environment} did not exit with 0")
                parts.append(_not_applied(one.environment, skipped))
            elif options.should_stop():
                parts.append(_not_applied(one.environment, Interrupted()))
            elif one.found:
                with cutting_off(lambda: any(done.found and done.found.run for done in parts)):
                    parts.append(_part(one.environment, partial(apply, one.found, options), "apply", end))
        return tuple(parts)

    def each(  # noqa: PLR0913  # one for each choice
        self,
        names: Sequence[str],
        find: "Callable[[Project], T]",
        noun: str,
        end: Callable[[T], int],
        *,
        jobs: int = 0,
        in_turn: bool = False,
        ended: Callable[[str, str], None] = lambda _name, _how: None,
    ) -> "tuple[Part[T], ...]":
        """Read these environments side by side. One that fails does not stop the others.

        Args:
            names: of the environments; see `environment.names_of`.
            find: called for each.
            noun: what the document is called.
            end: gives the exit code of what was found; may raise an error although there is a document.
            jobs: how many run side by side; 0: up to `AT_A_TIME`.
            in_turn: for what writes files: one environment after another, each reading what the previous one wrote.
            ended: called with each environment and how it ended, in a word.
        """
        # Imported in this thread: threads that import the same modules at once can see one half-initialized.
        from reconciler import pipeline  # noqa: F401
        from reconciler.manifests.context import Once
        from reconciler.project.environment import configuration
        from reconciler.remote import client  # noqa: F401
        from reconciler.remote.threads import Threads

        shared = self.settings
        if not in_turn:
            shared = replace(shared, loaded=configuration(shared), once=Once())

        def part(name: str) -> "Part[T]":
            found = _part(name, partial(find, replace(self, settings=shared).of(name)), noun, end)
            ended(name, "failed" if found.error else "done")
            return found

        with Threads(1 if in_turn else jobs or min(len(names), AT_A_TIME) or 1) as pool:
            return tuple(pool.map(part, names))

    def run_to_roll_back(self, run: str) -> "tuple[Project, RecordedRun]":
        """The run that `rollback` is about, and its environment; see `apply.run_to_roll_back`."""
        from reconciler.project.apply import run_to_roll_back

        recorded = run_to_roll_back(self.settings, run)
        return self.of(recorded.environment), recorded

    def rollback(self, run: "RecordedRun", only: Sequence[str], options: "ApplyOptions") -> ApplyResult:
        """Undo what a run of this environment has written; see `apply.roll_back`."""
        from reconciler.project.apply import roll_back

        return roll_back(self.settings, run, only, options)

    def preview_rollback(
        self, run: "RecordedRun", only: Sequence[str], options: "ApplyOptions"
    ) -> tuple[Plan, GuardRefusal | None]:
        """What `rollback` would carry out; see `apply.look_at_rollback`."""
        from reconciler.project.apply import look_at_rollback

        return look_at_rollback(self.settings, run, only, options.ack)

    def drift(
        self,
        environment: str | None = None,
        *,
        paths: Sequence[Path] = (),
        selection: Selection | None = None,
        view: "DriftView | None" = None,
        allow_unknown_roles: bool = False,
    ) -> Drift:
        """Find where the service differs from the manifests. Only reads; arguments and errors as for `plan`."""
        from reconciler.project.drift import DriftView
        from reconciler.project.session import Session

        settings = self._named(environment)
        session = Session.open(settings, paths, selection=selection, allow_unknown_roles=allow_unknown_roles)
        return (view or DriftView()).see(session, session.plan())

    def write_back(
        self, paths: Sequence[Path], selection: Selection, view: "DriftView", *, allow_unknown_roles: bool
    ) -> "WriteBack":
        """Put the values that drifted into manifests; see `drift.write_back`."""
        from reconciler.project.drift import write_back
        from reconciler.project.session import Session

        session = Session.open(self.settings, paths, selection=selection, allow_unknown_roles=allow_unknown_roles)
        return write_back(session, view)

    def adopt(
        self, paths: Sequence[Path], given: Mapping[str, str], *, write: bool, allow_unknown_roles: bool
    ) -> "reports.Adopted":
        """Find the live object of each manifest, and write its id if that is asked for; see `adopt.adopt`."""
        from reconciler.project.adopt import adopt
        from reconciler.project.session import Session

        return adopt(Session.open(self.settings, paths, allow_unknown_roles=allow_unknown_roles), given, write=write)

    def export(self, options: "ExportOptions", *, allow_unknown_roles: bool = False) -> "ExportResult":
        """Make manifests of what is live; see `export.from_live`."""
        from reconciler.project.export import from_live

        return from_live(self.settings, options, allow_unknown_roles=allow_unknown_roles)

    def import_(self, file: Path, options: "ExportOptions", *, allow_unknown_roles: bool = False) -> "ExportResult":
        """Make manifests of a seeding file, offline; see `export.from_file`."""
        from reconciler.project.export import from_file

        return from_file(self.settings, file, options, allow_unknown_roles=allow_unknown_roles)

    def snapshot(self) -> "Snapshot":
        """Save what the service has of the kinds in use."""
        from reconciler.project.export import snapshot

        return snapshot(self.settings)

    def diagnose(self) -> "Diagnosis":
        """Check everything that plan and apply need; see `doctor`."""
        from reconciler.project.doctor import diagnose

        return diagnose(self.settings)

    def secrets(self, paths: Sequence[Path], selection: Selection) -> "SecretReport":
        """Report the status of every secret; see `secret_status.status`."""
        from reconciler.project import connect
        from reconciler.project.secret_status import status
        from reconciler.project.session import Session

        session = Session.open(self.settings, paths, selection=selection, allow_unknown_roles=True)
        with connect.reader(session.settings, session.environment, session.root) as remote:
            return status(session.loaded.desired, remote, session.target(), session.resolve)

    def rotate(self, selection: Selection, options: "RotateOptions", *, dry_run: bool) -> "Rotation":
        """Replace secrets by new ones, or only plan the steps; see `rotate`."""
        from reconciler.project.rotate import carry_out, show
        from reconciler.project.secret_status import wanted
        from reconciler.project.session import Session

        session = Session.open(self.settings, selection=selection, allow_unknown_roles=True)
        wanted(session.loaded.desired, selection, options.choice)  # what is not there is known before any request
        return show(session, options) if dry_run else carry_out(session, options)

    def history(self, environments: Sequence[str]) -> "list[Listed]":
        """The runs of these environments, or of all; see `records.history`."""
        from reconciler.project.records import history

        return history(self.settings, environments)

    def run(self, name: str) -> "Listed":
        """One run, by its id, its start or end, or `last`; see `records.run_of`."""
        from reconciler.project.records import run_of

        return run_of(self.settings, name)

    def verify(self, name: str | None) -> "Verified":
        """Whether the journal of a run, or every journal, is as it was written; see `records.verified`."""
        from reconciler.project.records import verified

        return verified(self.settings, name)

    def _named(self, environment: str | None) -> Settings:
        return replace(self.settings, environment=environment or self.settings.environment)


def _part(environment: str, find: Callable[[], T], noun: str, end: Callable[[T], int]) -> "Part[T]":
    """What was found in one environment, or its error."""
    from reconciler.render.several import Part

    part: Part[T] = Part(environment, None, noun=noun)
    try:
        part = replace(part, found=(found := find()))
        return replace(part, code=end(found))
    except WouldOverwrite:
        raise
    except ReconcilerError as error:
        return replace(part, error=error, code=error.exit_code)


def _not_applied(environment: str, error: ReconcilerError) -> "Part[ApplyResult]":
    from reconciler.render.several import Part

    return Part(environment, None, error, "apply", error.exit_code)


def load(
    config: Path | str | None = None,
    *,
    variables: Mapping[str, str] | None = None,
    allowed_hosts: Sequence[str] = (),
    listener: Listener = SILENT,
) -> Project:
    """Load a configuration.

    Args:
        config: its file; None: the nearest `reconciler.yaml`, in the working directory or above.
        variables: where secrets and `RECONCILER_*` are looked up; None: the environment variables of the process.
        allowed_hosts: hosts that credentials may be sent to, besides those of OrderCloud.
        listener: receives what happens. None of its methods is called after the call that it reports on has returned.

    Raises:
        InputError: with every fault of the configuration.
        ReconcilerError: there is no configuration.
    """
    from reconciler.project.environment import configuration

    settings = Settings(Path(config) if config else None, allowed_hosts=tuple(allowed_hosts), listener=listener)
    settings = settings if variables is None else replace(settings, variables=variables)
    return Project(replace(settings, config=configuration(settings).path))


def refusal(plan: Plan, acknowledge: str = "") -> GuardRefusal | None:
    """Why the guards refuse a plan; its `hint` says how to accept it. None: they do not refuse it."""
    from reconciler.planning.planfile import refusal

    return refusal(plan, acknowledge)


def to_text(document: Plan | Drift | ApplyResult, format_name: str = "text") -> str:
    """The text of a document, without colours. The JSON of a plan is its plan file.

    Raises:
        UsageError: the document has no such format.
    """
    return text_of(document, format_name, PLAIN)


def text_of(document: Plan | Drift | ApplyResult, format_name: str, style: Style, plan_key: bytes | None = None) -> str:
    """The text of a document in a style; a plan key signs a plan file. Errors as above."""
    from reconciler.planning.planfile import dumps

    if isinstance(document, Plan) and format_name == "json":
        return dumps(document, plan_key)
    known = FORMATS.get(format_name)
    match document:
        case Plan() if known and known.plan:
            return known.plan(document, digest_of(document), style)
        case Drift() if known and known.drift:
            return known.drift(document, digest_of(document.plan), style)
        case ApplyResult() if known and known.result:
            return known.result(document, style)
    message = f"{type(document).__name__} has no format {format_name}"
    raise UsageError(message, hint=f"formats: {', '.join(FORMATS)}")


def digest_of(plan: Plan) -> str:
    """The digest of its changes; empty if there is nothing to apply."""
    from reconciler.planning.planfile import changes_digest

    return changes_digest(plan) if plan.guards or plan.has_changes else ""
