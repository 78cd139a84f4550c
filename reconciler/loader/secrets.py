"""The secret fields of a spec -> references. Nothing here, and nothing after, can quote what stood there."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.kinds import Kind
from reconciler.loader.context import LoadContext
from reconciler.model.json import Body, Json, is_array, pointer
from reconciler.model.secret import SecretReference, SecretSource
from reconciler.validator import Fault, secret_reference

REDACTION: Final = "<Redacted. Leave unchanged.>"
"""What exports of OrderCloud's own tools carry in place of a secret."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A spec in two parts, and what is wrong with the secret one."""

    spec: Body
    secrets: Mapping[str, SecretReference | None]
    faults: tuple[Fault, ...] = ()


def take_secrets(spec: Body, kind: Kind, file: str, context: LoadContext) -> Taken:
    """Part the secret fields from the others. References are checked, but not followed."""
    names = [name for name in spec if name in kind.secret_fields]
    if not names:
        return Taken(spec, {})
    secrets: dict[str, SecretReference | None] = {}
    faults = []
    for name in names:
        outcome = _reference(spec[name], name, file, context)
        if isinstance(outcome, Fault):
            faults.append(outcome)
        else:
            secrets[name] = outcome
    return Taken({name: value for name, value in spec.items() if name not in names}, secrets, tuple(faults))


def _reference(value: Json, name: str, file: str, context: LoadContext) -> SecretReference | Fault | None:
    at = pointer("spec", name)
    if value is None:
        return None
    if value == REDACTION:
        return redaction_fault(at)
    reference = secret_reference(value, name, at)
    if isinstance(reference, Fault):
        return reference
    if reference.source is SecretSource.FILE:
        return _from_file(reference.name, at, file, context)
    return _from_environment(reference, at, context)


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


def _from_environment(reference: SecretReference, at: str, context: LoadContext) -> SecretReference | Fault:
    name, environment = reference.name, context.environment
    if name in context.allowed_secrets:
        return reference
    if environment is None:
        return Fault(f"{at}/fromEnv", f"no environment allows the secret {name}", "secret", "select one with --env")
    hint = f"add {name} to environments.{environment}.secrets.allow in reconciler.yaml"
    return Fault(f"{at}/fromEnv", f"environment {environment} does not allow the secret {name}", "secret", hint)


def _from_file(path: str, at: str, file: str, context: LoadContext) -> SecretReference | Fault:
    """Keep the path relative to the root, so that the same manifests mean the same in every checkout."""
    root = Path(os.path.abspath(context.root or "."))  # noqa: PTH100  # resolves ".." in words, not through links
    target = Path(os.path.abspath(Path(file).parent / path))  # noqa: PTH100
    is_inside = path and target.is_relative_to(root) and target.resolve().is_relative_to(root.resolve())
    if not is_inside or target == root:
        message = "fromFile takes the path of a file inside the repository, relative to the manifest"
        return Fault(f"{at}/fromFile", message, "secret")
    return SecretReference(SecretSource.FILE, target.relative_to(root).as_posix())
