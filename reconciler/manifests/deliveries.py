"""``deliver`` lists that fit the schema -> deliveries, their paths relative to the configuration, and what is wrong."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from reconciler.manifests.allowed_paths import hint_for
from reconciler.manifests.context import LoadContext
from reconciler.manifests.schema import Fault
from reconciler.model.delivery import Delivery, delivery_of
from reconciler.model.json import Json, is_array, pointer

_KINDS: Final = ("file", "command", "envFile", "githubOutput", "kubernetesSecret")
_BELONGS_TO: Final = {"timeout": "command", "variable": "envFile"}


@dataclass(frozen=True, slots=True)
class Deliveries:
    """What a list asks for, as far as it is sound."""

    deliveries: tuple[Delivery, ...]
    faults: tuple[Fault, ...] = ()


def take_deliveries(entries: Sequence[Any], at: str, file: str, context: LoadContext) -> Deliveries:
    """Read a list. `at` is its JSON pointer, `file` the manifest's path, which its paths are relative to."""
    faults = [fault for index, entry in enumerate(entries) for fault in _faults(entry, f"{at}/{index}", file, context)]
    if faults:
        return Deliveries((), tuple(faults))
    return Deliveries(tuple(delivery_of(entry, lambda path: context.confines.kept(path, file)) for entry in entries))


def _faults(entry: Mapping[str, Any], at: str, file: str, context: LoadContext) -> Iterator[Fault]:
    kinds = [kind for kind in _KINDS if kind in entry]
    if len(kinds) != 1:
        message = f"a delivery is one of {', '.join(_KINDS[:-1])} or {_KINDS[-1]}"
        yield Fault(at, message + (f", and here are {' and '.join(kinds)}" if kinds else ""), "delivery")
        return
    for name, owner in _BELONGS_TO.items():
        if name in entry and owner not in kinds:
            yield Fault(at + pointer(name), f"{name} goes with {owner} only", "delivery", at_key=True)
    if kinds == ["envFile"] and "variable" not in entry:
        yield Fault(at, "variable is missing: the name that the secret has in the file", "required", at_key=True)
    for below, path in _paths(entry):
        kept = context.confines.kept(path, file)
        if objection := context.confines.objection(kept, to_write=True):
            message = f"{below[-1]} takes the path of a file, relative to the manifest; this one {objection}"
            yield Fault(at + pointer(*below), message, "delivery", hint_for(objection))


def _paths(entry: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    for name in ("file", "envFile"):
        if name in entry:
            yield (name,), entry[name]
    if "kubernetesSecret" in entry:
        yield ("kubernetesSecret", "file"), entry["kubernetesSecret"]["file"]


def moved_deliveries(value: Json, of: str, to: str) -> Json:
    """Give a value in which deliveries may be, whose paths are relative to one file, for another file."""
    if is_array(value):
        return [moved_deliveries(member, of, to) for member in value]
    if not isinstance(value, Mapping):
        return value
    moved = {key: moved_deliveries(child, of, to) for key, child in value.items()}
    return moved | {key: _moved(moved[key], of, to) for key in ("file", "envFile") if key in moved}


def _moved(path: Json, of: str, to: str) -> Json:
    if not isinstance(path, str) or not path or Path(path).is_absolute():
        return path
    return os.path.relpath(Path(of).parent / path, Path(to).parent)
