"""reconciler.yaml -> Config: the environments and where the manifests are; every fault with file:line:column.

The schema judges the structure, and `file` what a schema cannot: addresses, combinations, credentials.
No secret is read here: credentials stay references until they are needed.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from reconciler.config.file import SCHEMA, SECRET_POSITIONS, config_of, structure_faults
from reconciler.config.ids import with_ids_of_files
from reconciler.config.settings import (
    BASE_URLS,
    EMULATOR_MARKETPLACE,
    EMULATOR_URL,
    Auth,
    Config,
    EmulatorSettings,
    Environment,
)
from reconciler.errors import InputError, UsageError
from reconciler.manifests.schema import Fault, did_you_mean, redacted, without_tails
from reconciler.manifests.yaml import Document, read, shown
from reconciler.model.diagnostic import Diagnostic, Place

__all__ = [
    "BASE_URLS",
    "EMULATOR_MARKETPLACE",
    "EMULATOR_URL",
    "Auth",
    "Config",
    "EmulatorSettings",
    "Environment",
    "find_config",
    "load_config",
    "misnamed_config",
    "select_environment",
]

FILE_NAME: Final = "reconciler.yaml"
_SPLIT: Final = "keep ids in files of their own, with ids: {file: ids/ENV.yaml}"


def find_config(start: Path) -> Path | None:
    """Give the nearest reconciler.yaml, in a folder or in one above it."""
    folder = start.absolute()
    return next((file for each in (folder, *folder.parents) if (file := each / FILE_NAME).is_file()), None)


def misnamed_config(start: Path) -> Path | None:
    """Give the nearest file that somebody may have meant to be one: ``reconciler.yml``."""
    folder = start.absolute()
    names = {FILE_NAME, "reconciler.yml"}
    return next(
        (file for each in (folder, *folder.parents) for file in _listed(each) if file.name.casefold() in names), None
    )


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def load_config(path: Path) -> Config:
    """Read and check a configuration.

    Raises:
        InputError: with all faults. While the structure is at fault, what depends on it is not looked at.
    """
    document = _only_document(path)
    if faults := structure_faults(document.data):
        raise InputError(without_tails((fault.within(document) for fault in faults), SECRET_POSITIONS))
    sources = with_ids_of_files(document, path.absolute().parent, SCHEMA)
    config = config_of(sources.data, path.absolute())
    if isinstance(config, Config) and not sources.faults:
        return replace(config, environments=_with_ids_files(config, sources.paths), place=sources.place)
    faults = config if isinstance(config, list) else []
    raise InputError(without_tails([*sources.faults, *map(sources.within, faults)], SECRET_POSITIONS))


def _with_ids_files(config: Config, paths: Mapping[str, Path]) -> Mapping[str, Environment]:
    return {name: replace(each, ids_file=paths.get(name)) for name, each in config.environments.items()}


def _only_document(path: Path) -> Document:
    name = shown(path)
    parsed = read(path, name)
    if parsed.faults:
        faults = (replace(one, hint=_SPLIT) if one.rule == "file-size" else one for one in parsed.faults)
        raise InputError(tuple(redacted(faults, SECRET_POSITIONS)))
    if not parsed.documents:
        raise InputError([Diagnostic(Place(name), "the file is empty", "empty-file")])
    first, *others = parsed.documents
    if others:
        message = "a configuration is one document, and here starts another"
        raise InputError([Fault("", message, "documents").within(others[0])])
    return first


def select_environment(config: Config, name: str | None) -> Environment:
    """Give the environment of that name; without a name, the only one.

    Raises:
        UsageError: there is none of that name, or there are several and none is named.
    """
    known = ", ".join(config.environments)
    if name is None:
        if len(config.environments) == 1:
            return next(iter(config.environments.values()))
        raise UsageError("there are several environments", hint=f"choose one with --env: {known}")
    if name not in config.environments:
        guess = did_you_mean(name, config.environments)
        raise UsageError(
            f"there is no environment {name!r} in {shown(config.path)}", hint=f"{guess} there are: {known}".lstrip()
        )
    return config.environments[name]
