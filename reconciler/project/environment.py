"""Load the configuration, choose environments, and refuse outputs that would overwrite inputs.

Separate from `session`, which imports the HTTP client: `validate` does not need that.
"""

import shlex
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Final

from reconciler.config import find_config, load_config, misnamed_config, select_environment
from reconciler.config.settings import EMULATOR_MARKETPLACE, Config, Environment
from reconciler.errors import ReconcilerError, UsageError, WouldOverwrite
from reconciler.manifests.files import Memo, find_files, resolved
from reconciler.manifests.git import in_git
from reconciler.manifests.load import LoadContext
from reconciler.manifests.yaml import shown
from reconciler.project import ENVIRONMENT_VARIABLE, Settings, environment_name
from reconciler.project.files import identity
from reconciler.render.reports import ListedEnvironment


def configuration_path(settings: Settings) -> Path | None:
    """The given configuration file, or the nearest one; None if there is none."""
    return settings.config or find_config(Path.cwd())


def configuration(settings: Settings) -> Config:
    """Load the configuration.

    Raises:
        ReconcilerError: there is no configuration.
        InputError: the configuration has faults.
    """
    if settings.loaded:
        return settings.loaded
    path = configuration_path(settings)
    if path is None:
        raise no_configuration()
    protect_inputs(settings, [path])
    config = load_config(path)
    protect_manifests(settings, config.manifests, config)
    return config


def no_configuration() -> ReconcilerError:
    """The error of a command that needs a configuration."""
    message = "there is no reconciler.yaml here or in any folder above"
    other = misnamed_config(Path.cwd())
    if other:
        message, name = f"{message}, but there is {shown(other)}", shlex.quote(str(other.with_name("reconciler.yaml")))
        return ReconcilerError(message, hint=f"rename it: mv {shlex.quote(str(other))} {name}")
    return ReconcilerError(message, hint="change to its folder, give --config FILE, or create one: reconciler init")


def chosen_environment(config: Config, settings: Settings, default_name: str | None = None) -> Environment:
    """The environment that the settings choose; else `default_name`, or the only one.

    Raises:
        UsageError: no environment has that name, or there are several and none was chosen.
    """
    name = environment_name(settings)
    try:
        environment = select_environment(config, name or default_name)
    except UsageError as error:
        if settings.environment or not name:
            raise
        raise UsageError(f"{error.message}, which {ENVIRONMENT_VARIABLE} names", hint=error.hint) from error
    settings.listener.chosen(environment.name)
    return environment


def promoted(settings: Settings, named: Collection[str]) -> list[str]:
    """The environments to apply together, in the order of `promote:`; none named: all that it lists.

    Raises:
        InputError: the configuration has faults.
        UsageError: there is no `promote:`, or it lacks an environment that was named; nothing was contacted.
    """
    config = configuration(settings)
    order, names = config.promote, [select_environment(config, name).name for name in named]
    if not order:
        message = f"to apply several environments, {shown(config.path)} must list their order"
        hint = f"give one --env, or list them in the order to apply: promote: [{', '.join(config.environments)}]"
        raise UsageError(message, hint=hint)
    for name in names:
        if name not in order:
            message = f"promote: in {shown(config.path)} does not list {name}"
            raise UsageError(message, hint=f"add it, or apply it alone: --env {name}")
    return [name for name in order if name in named or not named]


def names_of(settings: Settings, named: Collection[str], *, every: bool) -> list[str]:
    """The named environments, or `every` one; else the one that the settings choose.

    Raises:
        InputError: the configuration has faults.
        UsageError: an environment does not exist, or none was chosen; nothing was contacted.
    """
    config = configuration(settings)
    chosen = _named_or_all(config, named) if named or every else [chosen_environment(config, settings)]
    return [one.name for one in chosen]


def listed(settings: Settings, named: Iterable[str]) -> list[ListedEnvironment]:
    """The chosen environments for `environments`, which marks the default one; raises as `names_of`."""
    config = configuration(settings)
    only = next(iter(config.environments)) if len(config.environments) == 1 else None
    default = settings.variables.get(ENVIRONMENT_VARIABLE) or only
    return [
        ListedEnvironment(one.name, None if one.emulator else one.base_url, one.marketplace, one.name == default)
        for one in _named_or_all(config, named)
    ]


def _named_or_all(config: Config, named: Iterable[str]) -> list[Environment]:
    """These environments; none named: all."""
    return [select_environment(config, name) for name in named] or list(config.environments.values())


def load_context(
    config: Config,
    environment: Environment,
    *,
    allow_unknown_roles: bool,
    partial: bool = False,
    memo: Memo | None = None,
) -> LoadContext:
    """The context for loading the manifests of an environment; for `partial` see `LoadContext`."""

    def of_all() -> dict[str, LoadContext]:
        return _contexts(config, memo, allow_unknown_roles=allow_unknown_roles, partial=partial)

    contexts = memo.get(("contexts", partial, allow_unknown_roles), of_all) if memo else of_all()
    others = tuple(other for name, other in contexts.items() if name != environment.name)
    return replace(contexts[environment.name], ask_git=in_git, others=others)


def _contexts(config: Config, memo: Memo | None, *, allow_unknown_roles: bool, partial: bool) -> dict[str, LoadContext]:
    """The contexts of all environments, without git and without the others."""
    resolved_inputs = Memo()
    return {
        name: LoadContext(
            environment=name,
            values=each.values,
            marketplace=each.marketplace or (EMULATOR_MARKETPLACE if each.emulator else None),
            ids=each.ids,
            ids_at=each.ids_at,
            defaults=each.defaults,
            scope=each.scope,
            allowed_secrets=each.allowed_secrets,
            secret_folders=each.secret_folders,
            own_credentials=each.own_credentials,
            overlays=each.overlays,
            rules=each.rules,
            is_emulated=each.emulator is not None,
            config_place=config.place,
            allow_unknown_roles=allow_unknown_roles,
            root=config.path.parent,
            inputs=config.inputs,
            resolved_inputs=resolved_inputs,
            apart=config.apart,
            memo=memo,
            partial=partial,
        )
        for name, each in config.environments.items()
    }


def protect_inputs(settings: Settings, reads: Iterable[Path | str]) -> None:
    """Refuse an output that is one of these files, one of the inputs in the settings, or another output.

    Raises:
        WouldOverwrite: an output would overwrite such a file.
    """
    known = {identity(path) for path in (*settings.reads, *reads)} - {None} if settings.writes else set()
    for path in settings.writes:
        if identity(path) in known:
            raise WouldOverwrite(f"{path} is an input of this run and would be overwritten", hint="name another file")
    written = (*settings.writes, Path("/dev/stdout"))
    files = Counter(resolved(path) or path for path in written if identity(path) or not path.exists())
    for path in (path for path, count in files.items() if count > 1):
        raise WouldOverwrite(f"two outputs of this run are written to {path}", hint="name another file for one of them")


_RUN_FILES: Final = ("*.jsonl", "*.receipt.json", "*.lock")
"""The files of runs in the folder of journals."""


def protect_manifests(settings: Settings, paths: Iterable[Path], config: Config | None = None) -> None:
    """Refuse outputs over manifests below these paths, or over files of a configuration; see `protect_inputs`."""
    if not settings.writes:
        return
    own: list[Path] = []
    kept: list[Path] = []
    if config:
        own = [config.path, *config.apart]
        kept = [*config.inputs, *chain.from_iterable(map(config.journal.glob, _RUN_FILES))]
        for path in settings.writes:
            if any(map(path.match, _RUN_FILES)) and resolved(path.parent) == resolved(config.journal):
                message = f"{path} could be mistaken for the record of a run, which {config.journal.name}/ contains"
                raise WouldOverwrite(message, hint="name a file in another folder")
    protect_inputs(settings, [*(file.path for file in find_files([*paths, *own]).files), *own, *kept])
