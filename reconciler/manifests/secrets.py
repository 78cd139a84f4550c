"""The secret fields of a spec, its `secrets` and `deliver` -> references. Nothing here can quote what stood there."""

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from reconciler.kinds import Kind, secrecy
from reconciler.manifests.allowed_paths import hint_for
from reconciler.manifests.context import LoadContext
from reconciler.manifests.schema import Fault, part_validator, secret_reference
from reconciler.manifests.substitution import Substitution
from reconciler.manifests.yaml import Document
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Place, Severity
from reconciler.model.json import Absent, Body, Json, get_at, is_array, pointer
from reconciler.model.named_secret import LiveSecret, NamedSecret, moment_of, secret_of
from reconciler.model.secret import REDACTION, Delivery, SecretReference, SecretSource, delivery_of


@dataclass(frozen=True, slots=True)
class Taken:
    """A spec in two parts, and what is wrong with the secret one."""

    spec: Body
    secrets: Mapping[str, SecretReference | None]
    faults: tuple[Fault, ...] = ()


def take_secrets(spec: Body, kind: Kind, file: str, context: LoadContext) -> Taken:
    """Part the secret fields from the others. References are checked, but not followed."""
    found = {path: get_at(spec, path.split("/")) for path in kind.secret_rows}
    values = {path: value for path, value in found.items() if not isinstance(value, Absent)}
    secrets: dict[str, SecretReference | None] = {}
    faults: list[Fault] = []
    for path, value in values.items():
        outcome, objections = _reference(value, path, kind, (file, context))
        faults += objections
        if not any(fault.severity is Severity.ERROR for fault in objections):
            secrets[path] = outcome
    return Taken(secrecy.without(spec, values), secrets, tuple(faults))


def empty_secrets(document: Document, kind: Kind) -> Iterator[Place]:
    """Find where a manifest has a secret field without a value."""
    found = {f"/spec/{path}": get_at(document.data, ["spec", *path.split("/")]) for path in kind.secret_rows}
    yield from (document.place(at) for at, value in found.items() if value is None)


def _reference(
    value: Json, path: str, kind: Kind, where: tuple[str, LoadContext]
) -> tuple[SecretReference | None, list[Fault]]:
    """The reference and what is to be said of it; where that is an error, the reference means nothing."""
    file, context = where
    at = f"/spec/{path}"
    if value is None:
        return None, []
    if value == REDACTION:
        return None, [redaction_fault(at)]
    reference = secret_reference(value, kind.secret_rows[path].name, at)
    if isinstance(reference, Fault):
        return None, [reference]
    match reference.source:
        case SecretSource.ENVIRONMENT:
            return reference, list(_environment_faults(reference, at, context))
        case SecretSource.FILE:
            return _from_file(reference.name, at, file, context)
        case SecretSource.GENERATED:
            return _generated(value, path, kind, file, context)


def redaction_fault(at: str) -> Fault:
    """Say that a value is the text that stands for a secret in an export."""
    message = "this is the placeholder that an export writes for a secret; sending it would overwrite the real one"
    return Fault(at, message, "redacted", "leave the field out: then it keeps its live value")


def redactions(value: Json, at: tuple[str | int, ...] = ()) -> Iterator[Fault]:
    """Find the redaction text anywhere in ordinary fields."""
    if isinstance(value, str):
        if REDACTION in value:
            yield redaction_fault(pointer(*at))
    elif isinstance(value, Mapping):
        for key, child in value.items():
            yield from redactions(child, (*at, key))
    elif is_array(value):
        for index, child in enumerate(value):
            yield from redactions(child, (*at, index))


def _environment_faults(reference: SecretReference, at: str, context: LoadContext) -> Iterator[Fault]:
    name, environment = reference.name, context.environment
    if reference in context.own_credentials:
        yield _own_credentials_fault(f"{at}/fromEnv", name)
    elif name not in context.allowed_secrets:
        if environment is None:
            message, hint = f"no environment allows the secret {name}", "select one with --env"
        else:
            message = f"environment {environment} does not allow the secret {name}"
            hint = f"add {name} to environments.{environment}.secrets.allow in reconciler.yaml"
        yield Fault(f"{at}/fromEnv", message, "secret", hint)


def _own_credentials_fault(at: str, name: str) -> Fault:
    message = f"{name} holds the reconciler's own credentials, which no manifest may use"
    return Fault(at, message, "secret", "give the client a secret of its own")


def _from_file(path: str, at: str, file: str, context: LoadContext) -> tuple[SecretReference | None, list[Fault]]:
    """Keep the path relative to the root, so that the same manifests mean the same in every checkout."""
    allowed_paths, at = context.allowed_paths, f"{at}/fromFile"
    kept = allowed_paths.kept(path, file)
    if objection := allowed_paths.objection(kept):
        message = f"fromFile takes the path of a file, relative to the manifest; this one {objection}"
        return None, [Fault(at, message, "secret", hint_for(objection))]
    reference = SecretReference(SecretSource.FILE, kept)
    target = allowed_paths.at(kept)
    own = [one.name for one in context.own_credentials if one.source is SecretSource.FILE]
    if any((allowed_paths.root / name).resolve() == target for name in own):
        return None, [_own_credentials_fault(at, kept)]
    return reference, list(_permission_faults(target, kept, at))


def _permission_faults(target: Path, kept: str, at: str) -> Iterator[Fault]:
    """Warn of a file that others than its owner may read. Whether it is there, is looked at when it is needed."""
    if os.name == "nt":  # its modes say nothing of who may read
        return
    with suppress(OSError):
        mode = target.stat().st_mode
        if stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
            message = f"the secret file {kept} can be read by users other than its owner"
            yield Fault(at, message, "readable-secret", f"run chmod 600 {kept}", severity=Severity.WARNING)


def _generated(
    value: Json, path: str, kind: Kind, file: str, context: LoadContext
) -> tuple[SecretReference | None, list[Fault]]:
    """A generated secret is shown nowhere, so it has to be delivered."""
    at, name = f"/spec/{path}", kind.secret_rows[path].name
    if path not in kind.generated_fields:
        message = f"{name} of {kind.name} cannot be generated"
        return None, [Fault(at, message, "secret", f"write {name}: {{fromEnv: NAME}} or {name}: {{fromFile: PATH}}")]
    entries: Any = value.get("deliver") if isinstance(value, Mapping) else None
    if not entries:
        message = "a generated secret that is delivered nowhere would be lost"
        return None, [Fault(at, message, "secret", "write {generate: true, deliver: [{file: PATH}]}")]
    substitution = Substitution(context)
    part: Any = substitution.apply({"deliver": entries})
    found = substitution.faults or part_validator(kind.schema, "deliver").faults(part)
    faults = [fault.moved("", at) for fault in found]
    if faults:
        return None, faults
    taken = take_deliveries(part["deliver"], f"{at}/deliver", file, context)
    return SecretReference(SecretSource.GENERATED, deliver=taken.deliveries), list(taken.faults)


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
        yield Fault(at, message + (f", and this one has {' and '.join(kinds)}" if kinds else ""), "delivery")
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
        message = f"a name does not end in {ending}: that marks a secret during its rotation"
        yield Fault(f"{at}/name", message, "name")
    if "expires" in entry and "maxAge" in entry:
        message = "expires and maxAge exclude each other"
        yield Fault(f"{at}/maxAge", message, "contradiction", "keep one of them", at_key=True)
    if "expires" in entry and not _is_moment(entry["expires"]):
        message = (
            "expires is neither a date, such as 2027-01-31, nor a date and time in UTC, such as 2027-01-31T12:00:00Z"
        )
        yield Fault(f"{at}/expires", message, "format")
    elif "maxAge" in entry and _is_always_due(secret_of({**entry, "deliver": ()})):
        message = "overlap is not shorter than maxAge, so the secret would be due as soon as it is created"
        yield Fault(f"{at}/maxAge", message, "contradiction", "make overlap the shorter of the two")


def _is_always_due(secret: NamedSecret) -> bool:
    return secret.max_age is not None and secret.overlap >= secret.max_age


def _is_moment(text: str) -> bool:
    try:
        moment_of(text)
    except (ValueError, OverflowError):
        return False
    return True
