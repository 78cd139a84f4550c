"""A configuration -> what programs do with its environments, and what commands do with several of them.

`import reconciler` exports it; docs/python.md lists what is public. A method imports what it needs when it
is called, so that `--help` needs none of it.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
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
    from reconciler.project.apply import ApplyOptions
    from reconciler.project.drift import DriftView
    from reconciler.render.several import Part


T = TypeVar("T")

DEFAULT_JOBS: Final = 32
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

    def of(self, environment: str) -> "Project":
        """The same for one of the environments."""
        return replace(self, settings=replace(self.settings, environment=environment))

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
        from reconciler.project.apply import ApplyOptions, apply

        options = ApplyOptions(
            paths,
            [plan],
            ack=acknowledge,
            keep_going=keep_going,
            allow_unknown_roles=True,
            watch=lambda _plan: nullcontext(on_outcome),
            should_stop=should_stop,
        )
        return apply(options.opened(self._named(plan.binding.environment)), options)

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
        sequential: bool = False,
        ended: Callable[[str, str], None] = lambda _name, _how: None,
    ) -> "tuple[Part[T], ...]":
        """Read these environments side by side. One that fails does not stop the others.

        Args:
            names: of the environments; see `environment.names_of`.
            find: called for each.
            noun: what the document is called.
            end: gives the exit code of what was found; may raise an error although there is a document.
            jobs: how many run side by side; 0: up to `DEFAULT_JOBS`.
            sequential: for what writes files: one environment after another, each reading what the previous one wrote.
            ended: called with each environment and how it ended, in a word.
        """
        # Imported in this thread: threads that import the same modules at once can see one half-initialized.
        from reconciler import pipeline  # noqa: F401
        from reconciler.manifests.context import Memo
        from reconciler.project.environment import configuration
        from reconciler.remote import client  # noqa: F401
        from reconciler.remote.threads import Threads

        shared = self.settings
        if not sequential:
            shared = replace(shared, loaded=configuration(shared), memo=Memo())

        def part(name: str) -> "Part[T]":
            found = _part(name, partial(find, replace(self, settings=shared).of(name)), noun, end)
            ended(name, "failed" if found.error else "done")
            return found

        with Threads(1 if sequential else jobs or min(len(names), DEFAULT_JOBS) or 1) as pool:
            return tuple(pool.map(part, names))

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
        return (view or DriftView()).find_drift(session, session.plan())

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
