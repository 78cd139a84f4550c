"""Open an environment with its manifests, to plan or to write."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

from reconciler import pipeline
from reconciler.applying.journal.write import exclusive
from reconciler.config.settings import Config, Environment
from reconciler.errors import PlanRefused, ReconcilerError, UsageError
from reconciler.manifests.files import AllowedPaths
from reconciler.manifests.load import LoadContext, Loaded, load, require_all
from reconciler.model.dataclass import dataclass
from reconciler.model.inputs import Checkout, Selection
from reconciler.model.named_secret import later, moment_text
from reconciler.model.outcome import RecordedRun
from reconciler.model.plan import Finding, Plan
from reconciler.model.resource import Address
from reconciler.model.secret import SecretSource
from reconciler.planning.check import check_here, check_saved, frozen
from reconciler.planning.comparison import Target
from reconciler.planning.deletion import Protection
from reconciler.planning.selection import check as check_selection
from reconciler.planning.snapshot import loads
from reconciler.project import Settings, connect, environment_name, plan_key
from reconciler.project.checkout import Inputs, checkout, listed_commits
from reconciler.project.environment import (
    chosen_environment,
    configuration,
    load_context,
    protect_inputs,
    protect_manifests,
)
from reconciler.project.files import own_folder, read_file
from reconciler.project.records import last_fingerprints, scope_changed
from reconciler.remote import ReadRemote, SecretRemote
from reconciler.secrets import Resolver
from reconciler.secrets.delivery import Deliverer

EVERYTHING: Final = Selection()


@dataclass(frozen=True, slots=True)
class Session:
    """One environment and its manifests."""

    settings: Settings
    config: Config
    environment: Environment
    sources: tuple[Path, ...]
    """The manifests and folders that were loaded."""
    context: LoadContext
    """The context in which the manifests were loaded."""
    loaded: Loaded
    saved: Plan | None
    """The saved plan to apply; None: a new plan is made."""
    selection: Selection
    """The resources to plan."""
    expires_at: str | None
    """When plans expire; None: never."""
    prunes: bool
    """Whether plans delete objects that no manifest claims."""
    plan_key: bytes | None = field(repr=False)
    """The key for signatures and for fingerprints of secrets."""
    fingerprints: Mapping[tuple[Address, str], str]
    """The fingerprints of the write-only secrets that the last apply wrote."""
    commits: tuple[str, ...]
    """The commit of the manifests and its ancestors, from `RECONCILER_COMMITS`."""

    @classmethod
    def open(  # noqa: PLR0913  # one for each option of the command line
        cls,
        settings: Settings,
        paths: Sequence[Path] = (),
        *,
        allow_unknown_roles: bool,
        saved: Plan | None = None,
        selection: Selection | None = None,
        expires: timedelta | None = None,
        prunes: bool = False,
    ) -> Self:
        """Load configuration and manifests. If the settings name no environment, the saved plan does.

        Raises:
            InputError: with every fault of every file; with `prunes`, a file without a manifest is one.
            UsageError: the selection matches nothing, or is combined with pruning.
            PlanRefused: the saved plan is for an environment that does not exist.
        """
        selection = selection or EVERYTHING
        _check_prune(selection, paths, prunes=prunes)
        key, config = plan_key(settings.variables), configuration(settings)
        environment = chosen_environment(config, settings, _environment_of(saved, config, settings))
        protect_manifests(settings, sources := tuple(paths) or config.manifests, config)
        context = load_context(
            config, environment, allow_unknown_roles=allow_unknown_roles, partial=bool(paths), memo=settings.memo
        )
        return cls(
            settings,
            config,
            environment,
            sources,
            context,
            loaded := load(sources, context),
            saved=saved,
            selection=replace(selection, paths=tuple(map(str, paths))),
            expires_at=moment_text(later(datetime.now(UTC), expires)) if expires else None,
            prunes=prunes,
            plan_key=key,
            fingerprints=last_fingerprints(config.journal, environment, loaded.desired, key),
            commits=listed_commits(settings.variables),
        ).checked()

    def checked(self) -> Self:
        """Check the inputs and the selection, and report what was loaded."""
        if self.prunes:
            require_all(self.loaded)
        inputs = self.inputs
        protect_inputs(self.settings, [*inputs.files, *inputs.named])
        listener, name, loaded = self.settings.listener, self.environment.name, self.loaded
        listener.noted(f"configuration {self.config.path}, environment {name}, manifests: {loaded.documents}")
        listener.warned(name, loaded.warnings)
        check_selection(self.selection, loaded.desired)
        return self

    @property
    def root(self) -> Path:
        """The folder of the configuration."""
        return self.config.path.parent

    @property
    def inputs(self) -> Inputs:
        """The inputs of plans."""
        own = self.environment.own_credentials
        named = {one for resource in self.loaded.desired.resources for one in resource.secrets.values() if one} | own
        files = {self.root / one.name for one in named if one.source is SecretSource.FILE}
        emulator = self.environment.emulator
        files |= {emulator.seed} if emulator and emulator.seed else set()
        read = {str(path) for path in (self.config.path, self.environment.ids_file) if path}
        return Inputs(self.loaded.files | read, (*self.sources, *self.environment.overlays), frozenset(files))

    @property
    def resolve(self) -> Resolver:
        """The resolver of secret references."""
        environment = self.environment
        return Resolver(
            self.allowed_paths, environment.allowed_secrets, environment.own_credentials, self.settings.variables
        )

    @property
    def allowed_paths(self) -> AllowedPaths:
        """The paths where secret files are allowed."""
        kept = (*self.config.inputs, *self.sources, *self.settings.reads, *self.settings.writes)
        return AllowedPaths(self.root, self.environment.secret_folders, kept)

    @property
    def deliverer(self) -> Deliverer:
        """The deliverer of new secrets."""
        own = {one.name for one in self.environment.own_credentials if one.source is SecretSource.ENVIRONMENT}
        return Deliverer(self.allowed_paths, self.settings.listener.masked, self.settings.variables, withheld=own)

    def target(self, *, requires_secrets: bool = False) -> Target:
        """The target of a plan."""
        environment = self.environment
        return Target(
            environment.name,
            environment.marketplace,
            environment.limits,
            checkout=Checkout(self.commits[0]) if self.commits else checkout(self.root, self.inputs),
            expires_at=self.expires_at,
            plan_key=self.plan_key,
            fingerprints=self.fingerprints,
            requires_secrets=requires_secrets,
            rules=environment.rules,
            selection=self.selection,
            prunes=self.prunes,
            protection=Protection(environment.protected, environment.ids),
            freeze=environment.freeze,
            creation=environment.create,
            manages=environment.manages,
        )

    def with_contents(self, contents: Mapping[str, bytes]) -> Self:
        """The same session with other contents of some files, which are not written.

        Raises:
            InputError: the contents are not valid manifests.
        """
        return replace(self, loaded=load(self.sources, replace(self.context, contents=contents)))

    def plan(self) -> Plan:
        """Plan over a connection that cannot write."""
        with self.reader() as remote:
            return self.plan_with(remote)

    def plan_from(self, path: Path) -> Plan:
        """Plan offline from a snapshot, or from that of the environment in a folder of snapshots.

        Raises:
            ReconcilerError: the folder has no snapshot of this environment.
        """
        name = self.environment.name
        file = path / f"{name}.json" if path.is_dir() else path
        if file != path and not file.exists():
            hint = f"a job with credentials writes it: reconciler snapshot --env {name} --out {file}"
            raise ReconcilerError(f"there is no snapshot of environment {name} in {path}", hint=hint)
        protect_inputs(self.settings, [file])
        snapshot = loads(read_file(file), str(file), self.plan_key)
        return pipeline.plan_from(snapshot, self.loaded.desired, self.environment.base_url, self.target())

    def plan_with(self, remote: ReadRemote, *, requires_secrets: bool = False) -> Plan:
        """Plan over an open connection. `requires_secrets`: every secret must have a value, as for an apply."""
        target = self.target(requires_secrets=requires_secrets)
        plan = pipeline.plan(self.loaded.desired, remote, target, self.resolve)
        may_matter = self.prunes or not plan.scope.is_everything  # otherwise, reading the receipt only costs time
        warning = scope_changed(self.config.journal, plan, self.plan_key) if may_matter else ""
        return replace(plan, warnings=(*plan.warnings, warning)) if warning else plan

    def plan_rollback(self, run: RecordedRun, only: Sequence[str], remote: ReadRemote) -> Plan:
        """Plan the rollback of a run."""
        return pipeline.plan_back(run, only, self.loaded.desired, remote, self.target())

    def check_here(self, saved: Plan) -> None:
        """Refuse a saved plan that does not match the local inputs. Sends no request."""
        check_here(saved, self.loaded.desired, self.environment.base_url, self.target(), datetime.now(UTC))

    def check(self, saved: Plan, remote: ReadRemote) -> tuple[Finding, ...]:
        """Refuse a saved plan that does not match the service; returns guard findings outside of the plan."""
        return check_saved(saved, self.loaded.desired, remote, self.target(), datetime.now(UTC))

    def frozen(self, plan: Plan) -> tuple[Finding, ...]:
        """The findings of freeze windows at the current time."""
        return frozen(plan, self.environment.freeze, datetime.now(UTC))

    def locked(self) -> AbstractContextManager[None]:
        """Lock the environment for other runs from this checkout."""
        own_folder(self.config.journal)
        return exclusive(self.config.journal, self.environment.name)

    @contextmanager
    def reader(self) -> Iterator[ReadRemote]:
        """Open a connection that cannot write, and start the request for the user of the login."""
        with connect.reader(self.settings, self.environment, self.root) as remote:
            remote.greet()
            yield remote

    @contextmanager
    def writer(self) -> Iterator[SecretRemote]:
        """Open a connection that can write; see `reader`."""
        with connect.writer(self.settings, self.environment, self.root) as remote:
            remote.greet()
            yield remote


def _environment_of(saved: Plan | None, config: Config, settings: Settings) -> str | None:
    if saved is None:
        return None
    name, requested = saved.binding.environment, environment_name(settings)
    if requested and requested != name:
        raise PlanRefused("environment", f"the plan was made for environment {name}, but {requested} was requested")
    if name not in config.environments:
        raise PlanRefused("environment", f"the plan was made for environment {name}, which is not in {config.path}")
    return name


def _check_prune(selection: Selection, paths: Sequence[Path], *, prunes: bool) -> None:
    """Refuse to prune without all manifests, since it would delete the objects of the others.

    Raises:
        UsageError: only some manifests were chosen.
    """
    if prunes and (selection.only or selection.selector):
        raise UsageError("--prune cannot be combined with --only or --selector", hint="prune with all manifests")
    if prunes and paths:
        message = "--prune cannot be combined with PATHs: it would delete the objects of all other manifests"
        raise UsageError(message, hint="remove the PATHs, so that those of the configuration are read")
