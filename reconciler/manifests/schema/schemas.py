"""A schema file -> a validator: a fast gate, and a slow explainer that is asked only for what the gate refuses."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import jsonschema_rs

from reconciler.manifests.schema.fault import Fault
from reconciler.manifests.schema.words import explain
from reconciler.model.json import Json

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator as Explainer

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
        self._gate = jsonschema_rs.Draft202012Validator(self._schema)

    def faults(self, data: Json) -> list[Fault]:
        """Everything that is wrong with the data, each fault once."""
        if self._gate.is_valid(data):
            return []
        errors = [fault for error in self._explainer.iter_errors(data) for fault in explain(error)]
        return list(dict.fromkeys(errors))

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
        del taken["enum"]
    if any(branch in _FOR_EDITORS for branch in taken.get("anyOf", ())):
        (only,) = (branch for branch in taken.pop("anyOf") if branch not in _FOR_EDITORS)
        taken |= only
    return taken


def _pattern(_: "Explainer", pattern: str, value: object, __: Schema) -> Iterator["ValidationError"]:
    """Judge like ECMA 262: there, ``$`` does not match before a final newline."""
    from jsonschema.exceptions import ValidationError  # noqa: PLC0415  # see Validator._explainer

    if isinstance(value, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), value):
        yield ValidationError(f"does not match {pattern}")
