"""Load reconciler.yaml as a `Config`; every fault has file:line:column.

The schema checks the structure, and `file` what a schema cannot: addresses, combinations, credentials.
No secret is read here: credentials are references until they are needed.
Files of ids are read first, so that ids are checked the same way in either file.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any, Final

from reconciler.config.file import config_of
from reconciler.config.settings import Config, Environment
from reconciler.errors import InputError, UsageError
from reconciler.manifests.files import below, objection_to_write, resolved
from reconciler.manifests.schema import Fault, did_you_mean, part_validator, validator
from reconciler.manifests.secrets import redacted, secret_reference, without_tails
from reconciler.manifests.yaml import IDS_LIMIT, read, shown
from reconciler.manifests.yaml.tree import Document
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Diagnostic, Place
from reconciler.model.json import Body, Json, pointer, pointer_parts

SCHEMA: Final = "config.v1.schema.json"
SECRET_POSITIONS: Final = frozenset({"clientSecret", "password"})
FILE_NAME: Final = "reconciler.yaml"
_SPLIT_HINT: Final = "move ids to separate files, with ids: {file: ids/ENV.yaml}"


def find_config(start: Path) -> Path | None:
    """The nearest reconciler.yaml, in a folder or above it."""
    folder = start.absolute()
    return next((file for each in (folder, *folder.parents) if (file := each / FILE_NAME).is_file()), None)


def misnamed_config(start: Path) -> Path | None:
    """The nearest file with a similar name, such as ``reconciler.yml``."""
    folder = start.absolute()
    files = (file for each in (folder, *folder.parents) for file in _files_in(each))
    return next((file for file in files if file.name.casefold() in {FILE_NAME, "reconciler.yml"}), None)


def _files_in(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def load_config(path: Path) -> Config:
    """Read and check a configuration.

    Raises:
        InputError: with all faults. If the structure has faults, nothing else is checked.
    """
    document = _only_document(path)
    if faults := structure_faults(document.data):
        raise InputError(without_tails((fault.within(document) for fault in faults), SECRET_POSITIONS))
    sources = _Sources(document, path.absolute().parent)
    config = config_of(sources.read(), path.absolute())
    if isinstance(config, Config) and not sources.faults:
        environments = {
            name: replace(each, ids_file=sources.paths.get(name)) for name, each in config.environments.items()
        }
        return replace(config, environments=environments, place=sources.place)
    faults = config if isinstance(config, list) else []
    raise InputError(without_tails([*sources.faults, *map(sources.within, faults)], SECRET_POSITIONS))


def structure_faults(data: Json) -> list[Fault]:
    """Find violations of the schema and secrets in clear text. No message quotes a secret."""
    if not isinstance(data, Mapping) or data.get("kind") != "Config":
        message = "not a configuration: expected apiVersion: reconciler/v1 and kind: Config"
        return [Fault("", message, "kind")]
    secrets = list(_secrets_in_clear(data))
    places = {fault.pointer for fault in secrets}
    return secrets + [
        fault
        for fault in validator(SCHEMA).faults(data)
        if not any(fault.pointer == place or fault.pointer.startswith(f"{place}/") for place in places)
    ]


def _secrets_in_clear(data: Mapping[str, Json]) -> Iterator[Fault]:
    environments = data.get("environments")
    for name, environment in environments.items() if isinstance(environments, Mapping) else ():
        auth = environment.get("auth") if isinstance(environment, Mapping) else None
        for key in sorted(SECRET_POSITIONS):
            if isinstance(auth, Mapping) and key in auth:
                reference = secret_reference(auth[key], key, pointer("environments", name, "auth", key))
                if isinstance(reference, Fault):
                    yield reference


def _only_document(path: Path) -> Document:
    name = shown(path)
    parsed = read(path, name)
    if parsed.faults:
        faults = (replace(one, hint=_SPLIT_HINT) if one.rule == "file-size" else one for one in parsed.faults)
        raise InputError(tuple(redacted(faults, SECRET_POSITIONS)))
    if not parsed.documents:
        raise InputError([Diagnostic(Place(name), "the file is empty", "empty-file")])
    first, *others = parsed.documents
    if others:
        message = "a configuration must be a single document; another one starts here"
        raise InputError([Fault("", message, "documents").within(others[0])])
    return first


def select_environment(config: Config, name: str | None) -> Environment:
    """The environment of that name; without a name, the only one.

    Raises:
        UsageError: there is no such environment, or there are several and no name is given.
    """
    known = ", ".join(config.environments)
    if name is None:
        if len(config.environments) == 1:
            return next(iter(config.environments.values()))
        raise UsageError("there are several environments", hint=f"choose one with --env: {known}")
    if name not in config.environments:
        hint = f"{did_you_mean(name, config.environments)} choose one of: {known}".lstrip()
        raise UsageError(f"there is no environment {name!r} in {shown(config.path)}", hint=hint)
    return config.environments[name]


_IDS: Final = "ids"
_FILE: Final = "file"
_CREATE_HINT: Final = "create an empty file; adopt --write adds the ids"


@dataclass(slots=True)
class _Sources:
    """A configuration and the files of ids that it names."""

    main: Document
    """The configuration, valid by the schema."""
    folder: Path
    """The folder of the configuration."""
    paths: dict[str, Path] = field(default_factory=dict)
    """Environment -> the file of its ids."""
    faults: list[Diagnostic] = field(default_factory=list)
    """The faults of the files of ids."""
    _documents: dict[str, Document] = field(default_factory=dict)
    """Environment -> its file of ids, unless that is empty."""
    _places: dict[str, Mapping[str, Place]] = field(default_factory=dict)
    """File -> the places in it, once they are needed."""

    def read(self) -> Body:
        """Read the files; returns the configuration with their ids in it."""
        data: Any = self.main.data
        environments = {name: self._with_ids(name, one) for name, one in data["environments"].items()}
        return {**data, "environments": environments}

    def within(self, fault: Fault) -> Diagnostic:
        """The diagnostic of a fault, with its place."""
        document, at = self._locate(fault.pointer)
        return fault.moved(fault.pointer, at).within(document)

    def place(self, at: str) -> Place | None:
        """The place of a JSON pointer into the result of `read`."""
        document, at = self._locate(at)
        return self._places.setdefault(document.file, document.places).get(at)

    def _locate(self, at: str) -> tuple[Document, str]:
        match pointer_parts(at):
            case ("environments", name, "ids", *parts) if name in self._documents:
                return self._documents[name], pointer(*parts)
        return self.main, at

    def _with_ids(self, name: str, environment: Body) -> Body:
        """The environment, with the ids of its file if it has one."""
        ids = environment.get(_IDS)
        ids_path = _ids_path(ids)
        if not ids_path or not isinstance(ids, Mapping):
            return environment
        path, at = below(self.folder, ids_path), pointer("environments", name, _IDS)
        if faults := [*_misplaced(ids, path, self.folder, self.paths)]:
            self.faults += [fault.moved("", at).within(self.main) for fault in faults]
            return {**environment, _IDS: {}}
        self.paths[name] = path
        return {**environment, _IDS: self._read(name, path)}

    def _read(self, name: str, path: Path) -> Json:
        parsed = read(path, shown(path), IDS_LIMIT)
        self.faults += [one if os.path.lexists(path) else replace(one, hint=_CREATE_HINT) for one in parsed.faults]
        for other in parsed.documents[1:]:
            fault = Fault("", "ids must be a single document; another one starts here", "documents")
            self.faults.append(fault.within(other))
        if parsed.faults or not parsed.documents or parsed.documents[0].data is None:
            return {}
        self._documents[name] = document = parsed.documents[0]
        faults = [fault.moved("/ids", "") for fault in part_validator(SCHEMA, _IDS).faults({_IDS: document.data})]
        if _ids_path(document.data):
            faults.append(Fault("/file", "a file of ids cannot refer to another one", "ids-file", "write the ids here"))
        self.faults += [fault.within(document) for fault in faults]
        return {} if faults else document.data


def _ids_path(ids: Json) -> str:
    """The path of a file of ids; empty if there is none. No id contains a dot."""
    ids_path = ids.get(_FILE) if isinstance(ids, Mapping) else None
    return ids_path if isinstance(ids_path, str) and "." in ids_path else ""


def _misplaced(ids: Body, path: Path, folder: Path, others: Mapping[str, Path]) -> Iterator[Fault]:
    """The faults of the path of a file of ids."""
    at, ids_path = pointer(_FILE), ids[_FILE]
    if objection := objection_to_write(path, folder):
        yield Fault(at, f"{ids_path} {objection}", "written-path", "choose a place inside the repository")
    for name in ids:
        if name != _FILE:
            message = "ids.file is set, so this id must be in that file"
            yield Fault(pointer(name), message, "ids-file", f"move it to {ids_path}", at_key=True)
    target = resolved(path)
    other = next((name for name, one in others.items() if target and resolved(one) == target), None)
    if other is not None:
        hint = "write an id that environments share as metadata.id in the manifest"
        yield Fault(at, f"{ids_path} has the ids of {other}", "ids-file", hint)
