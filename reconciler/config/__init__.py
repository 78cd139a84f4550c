"""reconciler.yaml -> Config: the environments and where the manifests are; every fault with file:line:column.

The schema judges the structure, and `file` what a schema cannot: addresses, combinations, credentials.
No secret is read here: credentials stay references until they are needed.
Ids in files of their own are read first, so that they are checked alike wherever they stand.
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
_SPLIT: Final = "keep ids in files of their own, with ids: {file: ids/ENV.yaml}"


def find_config(start: Path) -> Path | None:
    """Give the nearest reconciler.yaml, in a folder or in one above it."""
    folder = start.absolute()
    return next((file for each in (folder, *folder.parents) if (file := each / FILE_NAME).is_file()), None)


def misnamed_config(start: Path) -> Path | None:
    """Give the nearest file that somebody may have meant to be one: ``reconciler.yml``."""
    folder = start.absolute()
    files = (file for each in (folder, *folder.parents) for file in _listed(each))
    return next((file for file in files if file.name.casefold() in {FILE_NAME, "reconciler.yml"}), None)


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
    """Find what does not fit the schema, and secrets that stand in clear. No message quotes one."""
    if not isinstance(data, Mapping) or data.get("kind") != "Config":
        message = "this is not a configuration: it starts with apiVersion: reconciler/v1, kind: Config"
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
        faults = (replace(one, hint=_SPLIT) if one.rule == "file-size" else one for one in parsed.faults)
        raise InputError(tuple(redacted(faults, SECRET_POSITIONS)))
    if not parsed.documents:
        raise InputError([Diagnostic(Place(name), "the file is empty", "empty-file")])
    first, *others = parsed.documents
    if others:
        message = "a configuration is one document, and another starts here"
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
        hint = f"{did_you_mean(name, config.environments)} there are: {known}".lstrip()
        raise UsageError(f"there is no environment {name!r} in {shown(config.path)}", hint=hint)
    return config.environments[name]


_PART: Final = "ids"
_FILE: Final = "file"
_CREATE: Final = "create it: it may be empty, and adopt --write fills it"


@dataclass(slots=True)
class _Sources:
    """A configuration with the files of ids that it names."""

    main: Document
    """What the configuration says; it fits the schema."""
    folder: Path
    """Where it is."""
    paths: dict[str, Path] = field(default_factory=dict)
    """Environment -> the file of its ids."""
    faults: list[Diagnostic] = field(default_factory=list)
    """What is wrong with these files."""
    _documents: dict[str, Document] = field(default_factory=dict)
    """Environment -> its ids; one whose file is empty is not here."""
    _places: dict[str, Mapping[str, Place]] = field(default_factory=dict)
    """File -> all that was found in it so far."""

    def read(self) -> Body:
        """Read the files, and give what the configuration says as if the ids stood in it."""
        whole: Any = self.main.data
        environments = {name: self._with_ids(name, one) for name, one in whole["environments"].items()}
        return {**whole, "environments": environments}

    def within(self, fault: Fault) -> Diagnostic:
        """Add the place."""
        document, at = self._found(fault.pointer)
        return fault.moved(fault.pointer, at).within(document)

    def place(self, at: str) -> Place | None:
        """Where something stands; the pointer is into what `read` gives."""
        document, at = self._found(at)
        return self._places.setdefault(document.file, document.places).get(at)

    def _found(self, at: str) -> tuple[Document, str]:
        match pointer_parts(at):
            case ("environments", name, "ids", *parts) if name in self._documents:
                return self._documents[name], pointer(*parts)
        return self.main, at

    def _with_ids(self, name: str, environment: Body) -> Body:
        """The environment with the ids of its file, if it has one."""
        ids = environment.get(_PART)
        named = _named(ids)
        if not named or not isinstance(ids, Mapping):
            return environment
        path, at = below(self.folder, named), pointer("environments", name, _PART)
        if faults := [*_misplaced(ids, path, self.folder, self.paths)]:
            self.faults += [fault.moved("", at).within(self.main) for fault in faults]
            return {**environment, _PART: {}}
        self.paths[name] = path
        return {**environment, _PART: self._read(name, path)}

    def _read(self, name: str, path: Path) -> Json:
        parsed = read(path, shown(path), IDS_LIMIT)
        self.faults += [one if os.path.lexists(path) else replace(one, hint=_CREATE) for one in parsed.faults]
        for other in parsed.documents[1:]:
            self.faults.append(Fault("", "ids are one document, and another starts here", "documents").within(other))
        if parsed.faults or not parsed.documents or parsed.documents[0].data is None:
            return {}
        self._documents[name] = document = parsed.documents[0]
        faults = [fault.moved("/ids", "") for fault in part_validator(SCHEMA, _PART).faults({_PART: document.data})]
        if _named(document.data):
            faults.append(Fault("/file", "a file of ids cannot name another", "ids-file", "write the ids here"))
        self.faults += [fault.within(document) for fault in faults]
        return {} if faults else document.data


def _named(ids: Json) -> str:
    """The path of a file of ids; no id has a dot in it."""
    named = ids.get(_FILE) if isinstance(ids, Mapping) else None
    return named if isinstance(named, str) and "." in named else ""


def _misplaced(ids: Body, path: Path, folder: Path, others: Mapping[str, Path]) -> Iterator[Fault]:
    """What keeps a path from being the file of these ids."""
    at, named = pointer(_FILE), ids[_FILE]
    if objection := objection_to_write(path, folder):
        yield Fault(at, f"{named} {objection}", "written-path", "choose a place inside the repository")
    for name in ids:
        if name != _FILE:
            message = "ids are in a file, and another one is written here"
            yield Fault(pointer(name), message, "ids-file", f"move it to {named}", at_key=True)
    target = resolved(path)
    other = next((name for name, one in others.items() if target and resolved(one) == target), None)
    if other is not None:
        hint = "an id that environments share goes in metadata.id of the manifest"
        yield Fault(at, f"{named} has the ids of {other}", "ids-file", hint)
