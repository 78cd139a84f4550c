"""The ``secrets`` and ``deliver`` blocks of a manifest -> named secrets, and what a schema cannot say of them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from reconciler.kinds import Kind
from reconciler.manifests.allowed_paths import hint_for
from reconciler.manifests.context import LoadContext
from reconciler.manifests.schema import Fault
from reconciler.model.delivery import Delivery, delivery_of
from reconciler.model.json import Json, is_array, pointer
from reconciler.model.named_secret import LiveSecret, NamedSecret, moment_of, secret_of

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
    return Deliveries(
        tuple(delivery_of(entry, lambda path: context.allowed_paths.kept(path, file)) for entry in entries)
    )


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
        kept = context.allowed_paths.kept(path, file)
        if objection := context.allowed_paths.objection(kept, to_write=True):
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


_AT: Final = "/secrets"


@dataclass(frozen=True, slots=True)
class Named:
    """What the block asks for; None where there is no block, and the secrets are not managed."""

    secrets: tuple[NamedSecret, ...] | None = None
    faults: tuple[Fault, ...] = ()


def take_named_secrets(block: Any, kind: Kind, file: str, context: LoadContext) -> Named:  # noqa: ANN401  # JSON of a known schema
    """Read the block. Where a part of it is at fault, nothing of it is used."""
    faults: list[Fault] = [*_crowd(block, kind), *_repeated(block)]
    found = []
    for index, entry in enumerate(block):
        at = _AT + pointer(index)
        faults += _entry_faults(entry, at)
        taken = take_deliveries(entry.get("deliver", ()), f"{at}/deliver", file, context)
        faults += taken.faults
        if not faults:
            found.append(replace(secret_of({**entry, "deliver": ()}), deliver=taken.deliveries))
    return Named(None if faults else tuple(found), tuple(faults))


def _crowd(block: Sequence[Json], kind: Kind) -> Iterator[Fault]:
    """A rotation needs room for one more."""
    if kind.named_secrets and len(block) >= kind.named_secrets.limit:
        limit = kind.named_secrets.limit
        message = f"{len(block)} secrets: OrderCloud keeps {limit} at most, and a rotation needs room for one more"
        yield Fault(_AT, message, "too-many-secrets", f"list {limit - 1} at most")


def _repeated(block: Sequence[Mapping[str, Any]]) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, entry in enumerate(block):
        name = entry["name"].casefold()
        if name in seen:
            yield Fault(_AT + pointer(index, "name"), f"there are two secrets of the name {entry['name']}", "repeated")
        seen.add(name)


def _entry_faults(entry: Mapping[str, Any], at: str) -> Iterator[Fault]:
    name = entry["name"]
    if ending := LiveSecret("", name).ending:
        message = f"a name does not end in {ending}: that marks a secret while it is rotated"
        yield Fault(f"{at}/name", message, "name")
    if "expires" in entry and "maxAge" in entry:
        message = "expires and maxAge are two answers to one question"
        yield Fault(f"{at}/maxAge", message, "contradiction", "keep one of them", at_key=True)
    if "expires" in entry and not _is_moment(entry["expires"]):
        message = "expires is not a date, such as 2027-01-31, and no date and time in UTC, such as 2027-01-31T12:00:00Z"
        yield Fault(f"{at}/expires", message, "format")
    elif "maxAge" in entry and _is_always_due(secret_of({**entry, "deliver": ()})):
        message = "overlap is not shorter than maxAge, so that the secret would be due as soon as it is made"
        yield Fault(f"{at}/maxAge", message, "contradiction", "make overlap the shorter of the two")


def _is_always_due(secret: NamedSecret) -> bool:
    return secret.max_age is not None and secret.overlap >= secret.max_age


def _is_moment(text: str) -> bool:
    try:
        moment_of(text)
    except (ValueError, OverflowError):
        return False
    return True
