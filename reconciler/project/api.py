"""A configuration -> plans, results and drift of its environments, for programs. What `import reconciler` exports."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import field, replace
from datetime import timedelta
from pathlib import Path

from reconciler.errors import GuardRefusal, ReconcilerError, UsageError
from reconciler.model.dataclass import dataclass
from reconciler.model.drift import Drift
from reconciler.model.inputs import Selection
from reconciler.model.outcome import ApplyResult, Outcome
from reconciler.model.plan import Plan
from reconciler.project import SILENT, Listener, Settings
from reconciler.project.apply import Order, Watch, apply_saved
from reconciler.project.drift import DriftView
from reconciler.project.environment import configuration, keep_apart
from reconciler.project.files import read_file
from reconciler.project.session import EVERYTHING, Session
from reconciler.render import FORMATS
from reconciler.render.style import PLAIN


@dataclass(frozen=True, slots=True)
class Project:
    """A configuration and its environments.

    Safe in threads: every call reads the files anew, and opens and closes a connection of its own. Two calls that write
    to one environment at the same time are kept apart by a lock.
    """

    settings: Settings = field(default_factory=Settings)

    @property
    def environments(self) -> tuple[str, ...]:
        """The names of all environments, in the order of the configuration.

        Raises:
            InputError: the configuration has faults.
        """
        return tuple(configuration(self.settings).environments)

    @property
    def promotion(self) -> tuple[str, ...]:
        """The names of the environments that are applied together, in the order of `promote:`; errors as above."""
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
        """Work out what would bring an environment in step with its manifests. Only reads.

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
        session = self._session(
            environment,
            paths,
            selection=selection,
            prunes=prune,
            expires=expires,
            allow_unknown_roles=allow_unknown_roles,
        )
        return _planned_from(session, snapshot) if snapshot else session.plan()

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
        """Carry out exactly this plan, with the checks of a saved plan. Writes the journal and the receipt.

        Args:
            plan: of this project.
            paths: those that the plan was made with.
            acknowledge: the digits with which a refusal of the guards is accepted.
            keep_going: go on with other changes after one has failed.
            on_outcome: called with the outcome of each change as it ends, from one thread at a time.
            should_stop: asked before each change; True starts no more of them.

        Raises:
            GuardRefusal: a guard refuses the plan; nothing was written.
            PlanRefused: it is stale, expired, applied already or of another target; nothing was written.
        """

        def watch(_plan: Plan) -> AbstractContextManager[Watch]:
            return nullcontext(Watch(on_outcome, should_stop))

        session = self._session(plan.binding.environment, paths, saved=plan, allow_unknown_roles=True)
        return apply_saved(session, Order(plan, acknowledge, keep_going, watch=watch))

    def drift(
        self,
        environment: str | None = None,
        *,
        paths: Sequence[Path] = (),
        selection: Selection | None = None,
        view: DriftView | None = None,
        allow_unknown_roles: bool = False,
    ) -> Drift:
        """Find in what the service differs from the manifests. Only reads; arguments and errors as those of `plan`."""
        session = self._session(environment, paths, selection=selection, allow_unknown_roles=allow_unknown_roles)
        return (view or _view(session, is_whole=not paths)).see(session.plan())

    def _session(  # noqa: PLR0913  # one for each choice
        self,
        environment: str | None,
        paths: Sequence[Path],
        *,
        selection: Selection | None = None,
        saved: Plan | None = None,
        prunes: bool = False,
        expires: timedelta | None = None,
        allow_unknown_roles: bool,
    ) -> Session:
        return Session.open(
            replace(self.settings, environment=environment or self.settings.environment),
            paths,
            allow_unknown_roles=allow_unknown_roles,
            saved=saved,
            selection=selection or EVERYTHING,
            expires=expires,
            prunes=prunes,
        )


def _planned_from(session: Session, path: Path) -> Plan:
    """Plan from a snapshot, or from that of the environment in a folder of them.

    Raises:
        ReconcilerError: the folder has none of this environment.
    """
    name = session.environment.name
    file = path / f"{name}.json" if path.is_dir() else path
    if file != path and not file.exists():
        hint = f"a job with credentials takes it: reconciler snapshot --env {name} --out {file}"
        raise ReconcilerError(f"there is no snapshot of environment {name} in {path}", hint=hint)
    from reconciler.planning.snapshot import loads  # noqa: PLC0415  # brings the schema checker along

    keep_apart(session.settings, [file])
    return session.plan_from(loads(read_file(file), str(file), session.plan_key))


def _view(session: Session, *, is_whole: bool) -> DriftView:
    """Where only some manifests are read, nobody can say what is in none."""
    environment = session.environment
    failing = frozenset({environment.name}) if is_whole and environment.unmanaged_is_drift else frozenset[str]()
    return DriftView(journal=session.journal, failing=failing, key=session.plan_key)


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
        listener: receives what happens. None of its methods is called after the call that it reports on has ended.

    Raises:
        InputError: with every fault of the configuration.
        ReconcilerError: there is none.
    """
    settings = Settings(Path(config) if config else None, allowed_hosts=tuple(allowed_hosts), listener=listener)
    settings = settings if variables is None else replace(settings, variables=variables)
    return Project(replace(settings, config=configuration(settings).path))


def refusal(plan: Plan, acknowledge: str = "") -> GuardRefusal | None:
    """Why the guards refuse a plan; its `hint` says how to accept that. None: they do not."""
    from reconciler.planning.planfile import refusal  # noqa: PLC0415  # see to_text

    return refusal(plan, acknowledge)


def to_text(document: Plan | Drift | ApplyResult, format_name: str = "text") -> str:
    """The text of a document, without colours. The JSON of a plan is its plan file.

    Raises:
        UsageError: there is no such format of this document.
    """
    from reconciler.planning.planfile import changes_digest, dumps  # noqa: PLC0415  # brings the schema checker along

    if isinstance(document, Plan) and format_name == "json":
        return dumps(document, None)
    known = FORMATS.get(format_name)
    plan = document.plan if isinstance(document, Drift) else document
    digest = changes_digest(plan) if isinstance(plan, Plan) and (plan.guards or plan.has_changes) else ""
    match document:
        case Plan() if known and known.plan:
            return known.plan(document, digest, PLAIN)
        case Drift() if known and known.drift:
            return known.drift(document, digest, PLAIN)
        case ApplyResult() if known and known.result:
            return known.result(document, PLAIN)
    message = f"there is no format {format_name} of {type(document).__name__}"
    raise UsageError(message, hint=f"formats: {', '.join(FORMATS)}")
