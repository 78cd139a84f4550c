"""Data x JSON Schema -> faults in plain words, each with the JSON pointer of what is wrong.

Two libraries share the work. jsonschema-rs says within microseconds that nothing is wrong; jsonschema, a hundred times
slower, is imported and asked only for what is wrong. A property test keeps the two in agreement.

The schemas are written for editors, too. These things in them mean nothing to a document that is being loaded:

- a choice of ``#/$defs/fromValues`` or ``#/$defs/manifestReference``: the ``${values.KEY}`` and the ``{ref: NAME}``
  that an editor accepts have been replaced by then;
- an ``anyOf`` beside ``x-open``: the known names of a list that grows elsewhere, which the loader judges;
- ``doNotSuggest``: what the YAML language server does not propose;
- ``x-unit`` and ``x-pattern``: words for messages; ``x-source``: where OrderCloud documents a field.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from reconciler.manifests.schema.faults import UNPARTED, Fault, closest, did_you_mean, explain, meant
from reconciler.model.diagnostic import Diagnostic, Place
from reconciler.model.json import Json, pointer, pointer_parts
from reconciler.model.secret import SecretReference, SecretSource, is_own_variable

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator as Explainer


_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]*")
_OF_A_KEY: Final = {
    "unknown-field": "unknown field",
    "nothing-to-remove": "this null removes nothing from the manifest",
}
"""Rule -> its message without the key."""
_TAIL: Final = "it is not shown: it may be a part of the secret before it"
_UNPARTED: Final = frozenset(UNPARTED.values())


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


def redacted(faults: Iterable[Diagnostic], secret_fields: frozenset[str]) -> Iterator[Diagnostic]:
    """Take out of a parser's faults the keys that lead to them: one may be a part of a secret that somebody pasted."""
    for fault in faults:
        parts = pointer_parts(fault.pointer)
        depth = next((index for index, part in enumerate(parts, 1) if part in secret_fields), 0)
        is_below = 0 < depth < len(parts)
        message = f"this is not a reference, as {parts[depth - 1]} takes" if is_below else fault.message
        yield replace(fault, message=message, pointer=pointer(*parts[:depth]))


def without_tails(
    found: Iterable[Diagnostic], secret_fields: frozenset[str], empty: Iterable[Place] = ()
) -> list[Diagnostic]:
    """Quote nothing after a secret in clear that may be a part of it, and sort by place.

    An unquoted secret can end the value that it is meant to be: the rest of ``{ClientSecret: s3cr,et}`` is a key. So
    nothing after it on its line is quoted, and below neither unknown keys nor what they hold. Hints name known fields.

    Args:
        found: all diagnostics.
        secret_fields: what secret fields are called.
        empty: where secret fields have no value; of ``{ClientSecret: ,s3cret}`` all is a key.
    """
    starts = {place.file: place for place in sorted(empty, reverse=True)}
    keys: dict[str, str] = {}
    quiet = []
    for each in sorted(found):
        file, is_secret = each.place.file, _has_secret(each, secret_fields)
        start = starts.get(file)
        is_after = start is not None and each.place > start and not is_secret
        if is_after and each.rule in _OF_A_KEY:
            keys[file] = each.pointer
        is_held = file in keys and f"{each.pointer}/".startswith(f"{keys[file]}/")
        is_beside = start is not None and each.place.line == start.line and each.rule != "required"
        quiet.append(_unquoted(each) if is_after and (is_held or is_beside) else each)
        if is_secret:
            starts[file] = each.place
    return quiet


def _has_secret(found: Diagnostic, secret_fields: frozenset[str]) -> bool:
    """Whether a secret may stand there in clear: in its field, in one of nearly its name, or in a key."""
    if found.rule == "unknown-field":
        return found.hint in {*_UNPARTED, *map(meant, secret_fields)}
    return not secret_fields.isdisjoint(pointer_parts(found.pointer)[-1:])


def _unquoted(found: Diagnostic) -> Diagnostic:
    message = _OF_A_KEY.get(found.rule, "this value is refused")
    hint = found.hint if found.rule == "unknown-field" and found.hint else _TAIL
    return replace(found, message=message, pointer="", hint=hint)


Schema: TypeAlias = Mapping[str, Any]

_PACKAGE: Final = Path(__file__).parents[2]
_FOR_EDITORS: Final = ({"$ref": "#/$defs/fromValues"}, {"$ref": "#/$defs/manifestReference"})


def schema_path(name: str) -> Path:
    """Where a schema's file is: inside the installed package, or, in a checkout, in ``schemas/`` beside it."""
    installed = _PACKAGE / "schemas" / name
    return installed if installed.exists() else _PACKAGE.parent / "schemas" / name


def read_schema(name: str) -> Schema:
    """Give a schema as it is published."""
    schema: Schema = json.loads(schema_path(name).read_text(encoding="utf-8"))
    return schema


@lru_cache(maxsize=32)
def validator(name: str) -> "Validator":
    """Give the validator of a schema file; it is compiled once in a run."""
    return Validator(read_schema(name))


@lru_cache(maxsize=32)
def part_validator(name: str, part: str) -> "Validator":
    """Give the validator of a mapping with nothing but one member, which has the name of its definition."""
    schema = read_schema(name)
    return Validator({"$defs": schema["$defs"], "type": "object", "properties": {part: {"$ref": f"#/$defs/{part}"}}})


class Validator:
    """One schema, compiled."""

    def __init__(self, schema: Schema) -> None:
        self._schema = _for_loading(schema)
        import jsonschema_rs  # noqa: PLC0415  # what checks no document does without its library

        self._gate = jsonschema_rs.Draft202012Validator(self._schema)

    def faults(self, data: Json) -> list[Fault]:
        """Everything that is wrong with the data, each fault once."""
        if self._passes(data):
            return []
        errors = [fault for error in self._explainer.iter_errors(data) for fault in explain(error)]
        return list(dict.fromkeys(errors))

    def _passes(self, data: Json) -> bool:
        try:
            return bool(self._gate.is_valid(data))
        except UnicodeEncodeError:  # half a character, which the gate cannot compare with a choice
            return False

    @cached_property
    def _explainer(self) -> "Explainer":
        from jsonschema import Draft202012Validator  # noqa: PLC0415  # only a faulty document is worth its import
        from jsonschema.validators import extend  # noqa: PLC0415

        explainer: type[Explainer] = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]  # no types
        return explainer(self._schema)


def _for_loading(schema: Any) -> Any:  # noqa: ANN401  # any part of a schema
    """Take out what the schema says to editors only."""
    if isinstance(schema, list):
        return [_for_loading(member) for member in schema]
    if not isinstance(schema, dict):
        return schema
    taken = {key: _for_loading(value) for key, value in schema.items()}
    if taken.get("x-open") is True:
        del taken["anyOf"]
    if any(branch in _FOR_EDITORS for branch in taken.get("anyOf", ())):
        (only,) = (branch for branch in taken.pop("anyOf") if branch not in _FOR_EDITORS)
        taken |= only
    return taken


def _pattern(_: "Explainer", pattern: str, value: object, __: Schema) -> Iterator["ValidationError"]:
    """Judge like ECMA 262: there, ``$`` does not match before a final newline."""
    from jsonschema.exceptions import ValidationError  # noqa: PLC0415  # see Validator._explainer

    if isinstance(value, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), value):
        yield ValidationError(f"does not match {pattern}")


__all__ = [
    "Fault",
    "Validator",
    "closest",
    "did_you_mean",
    "part_validator",
    "read_schema",
    "redacted",
    "schema_path",
    "secret_reference",
    "validator",
    "without_tails",
]
