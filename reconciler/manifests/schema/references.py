"""What stands at a secret field -> the reference that it is. Nothing here quotes it: it may be the secret itself."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from reconciler.manifests.schema.fault import Fault
from reconciler.model.diagnostic import Diagnostic, Place
from reconciler.model.json import Json, pointer, pointer_parts
from reconciler.model.secret import SecretReference, SecretSource, is_own_variable

_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]*")
_OF_A_KEY: Final = {
    "unknown-field": "unknown field",
    "nothing-to-remove": "this null removes nothing from the manifest",
}
"""Rule -> its message without the key."""
_TAIL: Final = "its name is not shown: it may be a part of the secret above"


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


def hushed(faults: Iterable[Diagnostic], secret_fields: frozenset[str]) -> Iterator[Diagnostic]:
    """Take out of a parser's faults the keys that lead to them: one may be a part of a secret that somebody pasted."""
    for fault in faults:
        parts = pointer_parts(fault.pointer)
        depth = next((index for index, part in enumerate(parts[:-1], 1) if part in secret_fields), 0)
        message = f"this is not a reference, as {parts[depth - 1]} takes" if depth else fault.message
        yield replace(fault, message=message, pointer=pointer(*parts[:depth]))


def without_tails(found: Iterable[Diagnostic], secret_fields: frozenset[str]) -> list[Diagnostic]:
    """Quote no unknown key after a secret in clear, and sort by place.

    An unquoted secret can end the value that it is meant to be: the rest of ``{ClientSecret: s3cr,et}`` is such a key.
    """
    starts: dict[str, Place] = {}
    quiet = []
    for each in sorted(found):
        first = starts.get(each.place.file)
        if each.rule == "secret" and not secret_fields.isdisjoint(pointer_parts(each.pointer)[-1:]):
            starts.setdefault(each.place.file, each.place)
        message = _OF_A_KEY.get(each.rule) if first and each.place > first else None
        quiet.append(replace(each, message=message, pointer="", hint=_TAIL) if message else each)
    return quiet
