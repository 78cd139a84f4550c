"""The secret fields of a spec -> references. Nothing here, and nothing after, can quote what stood there."""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.kinds import Kind, secrecy
from reconciler.manifests.allowed_paths import hint_for
from reconciler.manifests.context import LoadContext
from reconciler.manifests.named_secrets import take_deliveries
from reconciler.manifests.schema import Fault, part_validator, secret_reference
from reconciler.manifests.substitution import Substitution
from reconciler.manifests.yaml import Document
from reconciler.model.diagnostic import Place, Severity
from reconciler.model.json import Absent, Body, Json, get_at, is_array, pointer
from reconciler.model.secret import REDACTION, SecretReference, SecretSource


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
    message = "this is the text by which an export hides a secret; sending it would overwrite the real one"
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
            message = f"the secret file {kept} may be read by others than its owner"
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
