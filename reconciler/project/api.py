"""The Python API: plan, apply and drift of one environment; and runs over several environments, for commands.

`import reconciler` exports it; docs/python.md lists the public names. A method imports what it needs when it
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
"""The default number of environments that are read concurrently."""


@dataclass(frozen=True, slots=True)
class Project:
    """A configuration and its environments.

    Thread-safe: every call reads the files again and opens its own connection. A lock keeps two calls from writing
    to one environment at the same time.
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
        """The environments that are applied together, in the order of `promote:`; raises as `environments`."""
        from reconciler.project.environment import configuration

        return configuration(self.settings).promote

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
        """Plan the changes that bring an environment in line with its manifests. Only reads.

        Args:
            environment: the name; None: the one of `RECONCILER_ENV`, or the only one.
            paths: manifests or folders of manifests; none: those of the configuration.
            selection: the resources to plan; None: all.
            prune: also delete objects that no manifest claims.
            expires: how long the plan is valid; None: without limit.
            snapshot: plan offline from this file, or from `NAME.json` of the environment in this folder.
            allow_unknown_roles: warn of role names that this version does not know, instead of failing.

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
        """Apply exactly this plan, checked as a saved plan is. Writes the journal and the receipt.

        Args:
            plan: a plan of this project.
            paths: the same as those given to `plan`.
            acknowledge: the digits that accept the findings of the guards.
            keep_going: continue with other changes after one has failed.
            on_outcome: called with the outcome of each change, from one thread at a time.
            should_stop: called before each change; True stops the run.

        Raises:
            GuardRefusal: a guard refuses the plan; nothing was written.
            PlanRefused: the plan is stale, expired, already applied or for another target; nothing was written.
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

    def drift(
        self,
        environment: str | None = None,
        *,
        paths: Sequence[Path] = (),
        selection: Selection | None = None,
        view: "DriftView | None" = None,
        allow_unknown_roles: bool = False,
    ) -> Drift:
        """Find where the service differs from the manifests. Only reads; arguments and errors as of `plan`."""
        from reconciler.project.drift import DriftView
        from reconciler.project.session import Session

        settings = self._named(environment)
        session = Session.open(settings, paths, selection=selection, allow_unknown_roles=allow_unknown_roles)
        return (view or DriftView()).find_drift(session, session.plan())

    def _named(self, environment: str | None) -> Settings:
        return replace(self.settings, environment=environment or self.settings.environment)


# ------------------------------------------------------------------------------------------------- for the command line


def each(  # noqa: PLR0913  # one for each choice
    settings: Settings,
    names: Sequence[str],
    find: "Callable[[Project], T]",
    noun: str,
    end: Callable[[T], int],
    *,
    jobs: int = 0,
    sequential: bool = False,
    ended: Callable[[str, str], None] = lambda _name, _how: None,
) -> "tuple[Part[T], ...]":
    """Read these environments concurrently. One that fails does not stop the others.

    Args:
        settings: those of the run.
        names: the environments; see `environment.names_of`.
        find: called with a project for each environment; returns its document.
        noun: the name of such a document.
        end: gives the exit code of a document; may raise an error.
        jobs: how many run concurrently; 0: up to `DEFAULT_JOBS`.
        sequential: one environment after another, each reading the files that the previous one wrote.
        ended: called with each environment and its result, `done` or `failed`.
    """
    from reconciler.manifests.files import Memo
    from reconciler.project.environment import configuration

    sequential = sequential and len(names) > 1
    shared = replace(settings, loaded=None)
    if not sequential:
        shared = replace(shared, loaded=configuration(settings), memo=Memo() if len(names) > 1 else None)

    def part(name: str) -> "Part[T]":
        found = _part(name, partial(find, Project(replace(shared, environment=name))), noun, end)
        ended(name, "failed" if found.error else "done")
        return found

    return _concurrently(part, names, 1 if sequential else jobs or DEFAULT_JOBS)


def _concurrently(part: "Callable[[str], Part[T]]", names: Sequence[str], jobs: int) -> "tuple[Part[T], ...]":
    workers = min(len(names), jobs)
    if workers <= 1:
        return tuple(map(part, names))
    # Imported in this thread: threads that import a module at the same time can see it half-initialized.
    from reconciler import pipeline  # noqa: F401
    from reconciler.remote import client  # noqa: F401
    from reconciler.remote.threads import Threads

    with Threads(workers) as pool:
        return tuple(pool.map(part, names))


def promote(
    settings: Settings, options: "ApplyOptions", end: Callable[[ApplyResult], int]
) -> "tuple[Part[ApplyResult], ...]":
    """Apply to the environments of the options in their order, up to the first that does not exit with 0; skip others.

    All are loaded first, so that all get the same manifests; if one cannot be loaded, none is applied. `end` gives the
    exit code of a result.
    """
    from reconciler.project.apply import apply

    opened = each(settings, options.names, lambda one: options.opened(one.settings), "apply", lambda _session: 0)
    options.loaded()
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


def _part(environment: str, find: Callable[[], T], noun: str, end: Callable[[T], int]) -> "Part[T]":
    """The document of one environment, or its error."""
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
        config: the file; None: the nearest `reconciler.yaml`, in the working directory or above.
        variables: where secrets and `RECONCILER_*` are looked up; None: the environment variables of the process.
        allowed_hosts: hosts that credentials may be sent to, in addition to those of OrderCloud.
        listener: receives the events of each call, none after the call has returned.

    Raises:
        InputError: with every fault of the configuration.
        ReconcilerError: there is no configuration.
    """
    from reconciler.project.environment import configuration

    settings = Settings(Path(config) if config else None, allowed_hosts=tuple(allowed_hosts), listener=listener)
    settings = settings if variables is None else replace(settings, variables=variables)
    return Project(replace(settings, config=configuration(settings).path))


def refusal(plan: Plan, acknowledge: str = "") -> GuardRefusal | None:
    """The refusal of a plan by the guards, with a `hint` that says how to accept it; None: they accept the plan."""
    from reconciler.planning.planfile import refusal

    return refusal(plan, acknowledge)


def to_text(document: Plan | Drift | ApplyResult, format_name: str = "text") -> str:
    """The text of a document, without colours. The JSON of a plan is its plan file.

    Raises:
        UsageError: the document has no such format.
    """
    return text_of(document, format_name, PLAIN)


def text_of(document: Plan | Drift | ApplyResult, format_name: str, style: Style) -> str:
    """The text of a document in a style; a plan file is not signed. Raises as `to_text`."""
    from reconciler.planning.planfile import dumps

    if isinstance(document, Plan) and format_name == "json":
        return dumps(document)
    known = FORMATS.get(format_name)
    match document:
        case Plan() if known and known.plan:
            return known.plan(document, digest_of(document), style)
        case Drift() if known and known.drift:
            return known.drift(document, digest_of(document.plan), style)
        case ApplyResult() if known and known.result:
            return known.result(document, style)
    noun = {Plan: "plan", Drift: "drift", ApplyResult: "result"}[type(document)]
    names = [name for name, one in FORMATS.items() if getattr(one, noun)]
    message = f"{type(document).__name__} has no format {format_name}"
    raise UsageError(message, hint=f"formats: {', '.join([*names, 'json'] if noun == 'plan' else names)}")


def digest_of(plan: Plan) -> str:
    """The digest of the changes of a plan; empty if there is nothing to apply."""
    from reconciler.planning.planfile import changes_digest

    return changes_digest(plan) if plan.guards or plan.has_changes else ""
