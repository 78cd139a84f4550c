"""Export live objects, or import those of a file, as new and changed manifests, with a report. Write snapshots.

A snapshot has the live objects in one file.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from reconciler import pipeline
from reconciler.config.settings import Config, Environment
from reconciler.errors import InputError, ReconcilerError
from reconciler.export import Export, ExportChoice, ManifestOrigin, export
from reconciler.export.seeding import LIMIT, read_seeds
from reconciler.kinds import KINDS, LOGIN_KIND
from reconciler.manifests.edit import with_ids, with_values, write_ids
from reconciler.manifests.files import require_inside
from reconciler.manifests.load import LoadContext, Loaded, inspect, load
from reconciler.manifests.yaml import shown, unreadable
from reconciler.model.dataclass import dataclass
from reconciler.model.inputs import Snapshot
from reconciler.model.named_secret import LiveSecret, moment_text
from reconciler.model.reports import LeftOut
from reconciler.model.resource import DesiredState, FieldsPolicy, LiveState, ObjectKey
from reconciler.planning import snapshot as snapshotfile
from reconciler.planning.comparison import Target
from reconciler.project import Settings, connect, plan_key
from reconciler.project.environment import chosen_environment, configuration, configuration_path, load_context
from reconciler.project.files import write_file
from reconciler.render.reports import Exporting
from reconciler.render.wording import number

if TYPE_CHECKING:
    from reconciler.model.json import Json

FOLDER: Final = "manifests"
OVERLAYS: Final = "overlays"
"""The default folder of overlays."""
_SCHEMA: Final = Path("schemas/manifest.v1.schema.json")
"""Relative to the configuration, as `init` writes it; may not exist."""
_NOT_NAMED: Final = (
    "Fields that a manifest does not name are neither watched nor changed. To watch them, set",
    "defaults: {policy: {fields: exclusive, assignments: watch}} in reconciler.yaml (see docs/drift.md).",
)


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """The options of an export or import."""

    out: Path | None = None
    """The folder of new files; None: the first folder of manifests."""
    only: tuple[str, ...] = ()
    into_overlay: bool = False
    """Whether to write differences into overlays of the environment."""
    with_own_client: bool = False
    with_secrets: bool = False
    """Whether to list named secrets in comments."""
    kinds: frozenset[str] = frozenset()
    """The kinds to export; empty: the kinds in use."""
    with_all_kinds: bool = False
    """Whether to leave out kinds that the service does not have."""
    allow_unknown_roles: bool = False


EVERYTHING: Final = ExportOptions()


@dataclass(frozen=True, slots=True)
class ExportSource:
    """The objects to export, and their origin."""

    live: LiveState
    source: str
    """The origin of the objects, for comments."""
    title: str
    choice: ExportChoice
    """Which objects to export."""
    secrets: Mapping[ObjectKey, Sequence[LiveSecret]] = field(default_factory=dict)
    """The named secrets of each object."""
    left_out: Sequence[LeftOut] = ()
    """What cannot be exported."""
    is_of_environment: bool = True
    """Whether the ids are those of the environment. A file may be from another marketplace."""
    end: Sequence[str] = ()
    """Notes at the end of the output."""


@dataclass(frozen=True, slots=True)
class Destination:
    """The folder of new manifests, and the existing manifests."""

    folder: Path
    """Absolute."""
    loaded: Loaded
    context: LoadContext
    schema: Path
    overlay: Path | None = None
    """The folder of new overlays; None: differences go into the manifests."""
    ids_file: Path | None = None
    """The file for ids of live objects; None if the configuration does not name the manifests."""
    configuration: Mapping[str, bytes] = field(default_factory=dict)
    """Configuration file -> its new content, if the folder of overlays must be added."""

    @classmethod
    def open(
        cls, settings: Settings, config: Config, environment: Environment, options: ExportOptions
    ) -> "Destination":
        """Load all manifests if the configuration names the folder, else those in the folder.

        Raises:
            InputError: with every fault of every file.
            ReconcilerError: a folder is outside of the repository; see also `_into_overlay`.
        """
        first = next((path for path in config.manifests if not path.is_file()), config.path.parent / FOLDER)
        folder = _absolute(options.out or first)
        is_configured = any(folder.is_relative_to(path) for path in config.manifests)
        if is_configured or options.out is None:
            require_inside([folder, *config.manifests], config.path.parent)
        paths = tuple(path for path in (config.manifests if is_configured else (folder,)) if path.exists())
        context = load_context(
            config,
            environment,
            allow_unknown_roles=options.allow_unknown_roles,
            partial=paths != config.manifests,
            memo=settings.memo,
        )
        loaded = load(paths, replace(context, may_be_empty=True))
        opened = cls(
            folder,
            loaded,
            context,
            config.path.parent / _SCHEMA,
            ids_file=(environment.ids_file or config.path) if is_configured else None,
        )
        return opened._into_overlay(config, environment) if options.into_overlay else opened

    def _into_overlay(self, config: Config, environment: Environment) -> "Destination":
        """The same, with differences in overlays; adds their folder to the configuration if it names none.

        Raises:
            ReconcilerError: the configuration cannot be edited, or a folder is outside of the repository.
        """
        root = config.path.parent
        folder = next((path for path in environment.overlays if not path.is_file()), None)
        require_inside([*environment.overlays, folder or root / OVERLAYS / environment.name], root)
        if folder:
            return replace(self, overlay=folder)
        named: list[Json] = [Path(os.path.relpath(one, root)).as_posix() for one in environment.overlays]
        named.append(f"{OVERLAYS}/{environment.name}/")
        file, at = shown(config.path), ("environments", environment.name, "overlays")
        content, by_hand = with_values(config.path.read_bytes(), file, {at: named})
        if by_hand:
            message = f"{file} cannot be edited to add {'.'.join(at)} without changing other lines"
            raise ReconcilerError(message, hint=f"add by hand: overlays: [{named[-1]}]")
        return replace(self, overlay=root / OVERLAYS / environment.name, configuration={file: content})

    @classmethod
    def without_configuration(cls, options: ExportOptions) -> "Destination":
        """The destination without a configuration."""
        folder = _absolute(options.out or Path(FOLDER))
        context = LoadContext(allow_unknown_roles=options.allow_unknown_roles, partial=True, may_be_empty=True)
        loaded = load((folder,) if folder.exists() else (), context)
        return cls(folder, loaded, context, Path.cwd() / _SCHEMA)

    def make(self, found: ExportSource) -> "ExportResult":
        """Compute the new and changed files.

        Raises:
            InputError: a manifest matches several objects.
        """
        origin, choice = ManifestOrigin(found.source, self.schema), replace(found.choice, overlay=self.overlay)
        here = self.loaded.manifests
        made = export(found.live, here, self.context, self.folder, origin, found.secrets, choice=choice)
        made = replace(made, changed={**made.changed, **self._configuration(made, found)})
        changes = [
            (file, Path(file).read_text(encoding="utf-8"), now.decode("utf-8")) for file, now in made.changed.items()
        ]
        left_out = [*found.left_out]
        if made.out_of_scope:
            why = "out of scope, managed by another repository"
            left_out.append(LeftOut(number(made.out_of_scope, "object"), why))
        not_named = _NOT_NAMED if made.new and self.context.defaults.fields is FieldsPolicy.MERGE else ()
        end = (*not_named, *found.end, *self._only_in_environment(made))
        shows = Exporting(found.title, made.objects, changes, left_out, end=end)
        return ExportResult(made, shows, self.context.ids_at, self.ids_file if found.is_of_environment else None)

    def _only_in_environment(self, made: Export) -> Iterator[str]:
        """Notes on objects that were found in this environment only."""
        files = {shown(path) for path in made.new if path.parent == self.folder}
        if self.overlay and files:
            addresses = ", ".join(str(one.address) for one in made.objects if one.file in files)
            yield f"Only in {self.context.environment}: {addresses}. For other environments the manifest says"
            yield "state: absent. Export each of them before planning it, or the plan deletes these objects there:"
            yield "reconciler export --into-overlay ENV --write"

    def _configuration(self, made: Export, found: ExportSource) -> Mapping[str, bytes]:
        """The configuration with the folder of overlays, and the ids file with new ids, if they change.

        Raises:
            ReconcilerError: the file cannot be edited to add the ids.
        """
        contents = self.configuration if any(path.parent == self.overlay for path in made.new) else {}
        if not (self.ids_file and made.ids and found.is_of_environment):
            return contents
        file = shown(self.ids_file)
        before = contents.get(file) or self.ids_file.read_bytes()
        return {**contents, file: with_ids(before, self.context.ids_at, made.ids, file)}


@dataclass(frozen=True, slots=True)
class ExportResult:
    """The files to write, and the report on them."""

    export: Export
    shown: Exporting
    ids_at: Sequence[str] = ()
    """The path of the ids in their file."""
    ids_file: Path | None = None
    """The file for new ids, if there is one."""

    def write(self) -> "ExportResult":
        """Write the files; returns the result with the files reported as written.

        Raises:
            ReconcilerError: a file cannot be written.
        """
        self.export.write()
        return self.as_written()

    def as_written(self) -> "ExportResult":
        """The same result, with the files reported as written."""
        return replace(self, shown=replace(self.shown, written=True))


def write_shared(made: Mapping[str, ExportResult | None]) -> tuple[Mapping[str, ExportResult], str]:
    """Write manifests that environments share, if the export of each is the same, and the ids of each.

    Returns:
        The result of each environment; and why nothing was written, empty if it was.

    Raises:
        ReconcilerError: a file cannot be written. Files before it are written.
    """
    found = {name: one for name, one in made.items() if one}
    if len(found) < len(made):
        return found, "not every environment could be read"
    if differing := _differing([_contents(one) for one in found.values()]):
        more = f" and {len(differing) - 1} more" if len(differing) > 1 else ""
        return found, f"the environments differ in {differing[0]}{more}, but share their manifests"
    for index, one in enumerate(found.values()):
        if not index:
            one.export.write()
        elif one.ids_file:
            write_ids(one.ids_file, one.ids_at, one.export.ids)
    return {name: one.as_written() for name, one in found.items()}, ""


def _differing(contents: Sequence[Mapping[str, list[str]]]) -> list[str]:
    """The files whose content differs between environments."""
    files = {file for one in contents for file in one}
    return sorted(file for file in files if any(one.get(file) != contents[0].get(file) for one in contents))


def _contents(made: ExportResult) -> dict[str, list[str]]:
    """The content of each manifest without comment lines, which in new files name the marketplace."""
    texts = {shown(path): text for path, text in made.export.new.items()}
    texts |= {file: content.decode("utf-8") for file, content in made.export.changed.items()}
    texts.pop(shown(made.ids_file) if made.ids_file else "", None)
    return {file: [line for line in text.splitlines() if not line.startswith("#")] for file, text in texts.items()}


def from_live(settings: Settings, options: ExportOptions) -> ExportResult:
    """Export the objects of one environment. Only reads the service.

    Raises:
        InputError: with every fault of every file; or a manifest matches several objects.
        RemoteError: the service could not be read.
    """
    config = configuration(settings)
    environment = chosen_environment(config, settings)
    destination = Destination.open(settings, config, environment, options)
    target = _target(environment)
    desired = destination.loaded.desired
    kinds = options.kinds | {one.address.kind for one in desired.resources} if options.kinds else target.in_use(desired)
    optional = options.kinds - {LOGIN_KIND} if options.with_all_kinds else frozenset()
    with connect.reader(settings, environment, config.path.parent) as remote:
        live = pipeline.live(remote, target, kinds, optional)
        secrets = pipeline.named_secrets(remote, live) if options.with_secrets else {}
        own = "" if options.with_own_client else remote.client_id
    source = f"marketplace {live.marketplace}"
    return destination.make(
        ExportSource(
            live,
            source,
            f"Environment {environment.name}: {source} at {environment.base_url}",
            ExportChoice(options.only, own, kinds=options.kinds),
            secrets,
            [*map(_missing_kind, sorted(kinds - live.kinds))],
            end=[*_other_kinds(kinds), *_unwatched(options, target, live)],
        )
    )


def _target(environment: Environment) -> Target:
    return Target(environment.name, environment.marketplace, environment.limits, manages=environment.manages)


def _missing_kind(kind: str) -> LeftOut:
    return LeftOut(kind, f"not available on this service: GET /v1{KINDS[kind].path} returns 404")


def _unwatched(options: ExportOptions, target: Target, live: LiveState) -> Iterator[str]:
    """Notes on chosen kinds without live objects: drift would not report new objects of them."""
    names = sorted((options.kinds & live.kinds) - {one.kind for one in live.resources} - target.manages)
    if names:
        yield from _listed("Nothing live: ", names, ".")
        yield "drift reads them once a manifest names them; to report new objects, add to reconciler.yaml:"
        yield from _listed("manage: [", names, "]")


def _other_kinds(read: Collection[str]) -> Iterator[str]:
    """Notes on kinds that were not read."""
    if others := [kind for kind in KINDS if kind not in read]:
        yield from _listed("Not read: ", others, ".")
        yield f"To export them, add --kinds all, or --kinds {','.join(others[:2])}"


def _listed(before: str, names: Sequence[str], after: str) -> list[str]:
    return wrap(f"{before}{', '.join(names)}{after}", 100, subsequent_indent="  ")


def from_file(settings: Settings, file: Path, options: ExportOptions) -> ExportResult:
    """Import a seeding file, offline, next to the manifests of the configuration if there is one.

    Raises:
        InputError: with every fault of every file.
    """
    name = shown(file)
    try:
        with file.open("rb") as stream:
            content = stream.read(LIMIT + 1)
    except OSError as error:
        raise InputError([unreadable(error, file, name)]) from error
    seeds = read_seeds(content, name)
    if configuration_path(settings) is None and not options.into_overlay:
        destination = Destination.without_configuration(options)
    else:
        config = configuration(settings)
        environment = chosen_environment(config, settings)
        destination = Destination.open(settings, config, environment, options)
    choice = ExportChoice(kinds=seeds.live.kinds)
    found = ExportSource(
        seeds.live, file.name, f"File {name}", choice, left_out=seeds.left_out, is_of_environment=False
    )
    return destination.make(found)


def save_snapshot(settings: Settings, files: Mapping[str, Path]) -> Snapshot:
    """Save a snapshot of the kinds that valid manifests name or that are managed, in the file of the environment.

    Raises:
        RemoteError: the service could not be read.
        ReconcilerError: the file cannot be written.
    """
    config = configuration(settings)
    environment = chosen_environment(config, settings)
    context = load_context(config, environment, allow_unknown_roles=True, memo=settings.memo)
    target = _target(environment)
    kinds = target.in_use(DesiredState(inspect(config.manifests, context).resources, ""))
    with connect.reader(settings, environment, config.path.parent) as remote:
        taken = pipeline.snapshot(remote, target, kinds, moment_text(datetime.now(UTC)))
    write_file(files[environment.name], snapshotfile.dumps(taken, plan_key(settings.variables)))
    return taken


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100  # keeps symbolic links
