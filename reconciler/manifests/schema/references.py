"""What stands at a secret field -> the reference that it is. Nothing here quotes it: it may be the secret itself."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from reconciler.manifests.schema.fault import Fault
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.json import Json, pointer, pointer_parts
from reconciler.model.secret import SecretReference, SecretSource, is_own_variable

_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]*")


def secret_reference(value: Json, name: str, at: str) -> SecretReference | Fault:
    """Read ``{fromEnv: NAME}``, ``{fromFile: PATH}`` or ``{generate: true}``; `name` is the field's, `at` its pointer.

    The path of a file is given as it stands. Deliveries of a generated one are not looked at.
    """
    match value:
        case {"fromEnv": str(variable), **others} if not others:
            return _from_variable(variable, f"{at}/fromEnv")
        case {"fromFile": str(path), **others} if not others:
            return SecretReference(SecretSource.FILE, path)
        case {"generate": True, **others} if others.keys() <= {"deliver"}:
            return SecretReference(SecretSource.GENERATED)
    message = f"{name} is a secret and cannot be written here"
    return Fault(at, message, "secret", f"write {name}: {{fromEnv: NAME}} or {name}: {{fromFile: PATH}}")


def _from_variable(variable: str, at: str) -> SecretReference | Fault:
    if is_own_variable(variable):
        message = f"{variable} is a variable of the reconciler itself, which no file may name"
        return Fault(at, message, "secret", "give the secret a variable of its own")
    if _VARIABLE.fullmatch(variable):
        return SecretReference(SecretSource.ENVIRONMENT, variable)
    message = "fromEnv takes the name of an environment variable: capital letters, digits and '_'"
    return Fault(at, message, "secret")


def hushed(diagnostics: Iterable[Diagnostic], secret_fields: frozenset[str]) -> Iterator[Diagnostic]:
    """Take out of diagnostics what they quote from inside of a secret field: a key there may be the secret itself."""
    for diagnostic in diagnostics:
        parts = pointer_parts(diagnostic.pointer)
        depth = next((index for index, part in enumerate(parts, 1) if part in secret_fields), len(parts))
        if depth < len(parts):
            message = f"this is not a reference, as {parts[depth - 1]} takes"
            yield replace(diagnostic, message=message, pointer=pointer(*parts[:depth]))
        else:
            yield diagnostic
