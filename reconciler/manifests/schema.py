"""Data x JSON Schema -> readable faults, each with its JSON pointer.

Two libraries share the work. jsonschema-rs validates correct data within microseconds; jsonschema, a hundred times
slower, is imported and used only to explain faults. A property test keeps the two consistent.

The schemas are also for editors. The loader ignores these parts of them:

- a choice of ``#/$defs/fromValues`` or ``#/$defs/manifestReference``: the ``${values.KEY}`` and the ``{ref: NAME}``
  that an editor accepts, which are replaced before validation;
- an ``anyOf`` next to ``x-open``: the known names of an extensible list, which the loader checks;
- ``doNotSuggest``: what the YAML language server does not suggest;
- ``x-unit`` and ``x-pattern``: words for messages; ``x-source``: where OrderCloud documents a field.
"""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Diagnostic, Severity, listed
from reconciler.model.json import Json, pointer, same

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator as Explainer

    from reconciler.manifests.yaml.tree import Document


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a document, without the place of the document."""

    pointer: str
    message: str
    rule: str
    hint: str = ""
    at_key: bool = False
    """Whether it points to the key instead of its value."""
    severity: Severity = Severity.ERROR

    def moved(self, start: str, to: str) -> "Fault":
        """The fault with one pointer prefix replaced by another."""
        return replace(self, pointer=to + self.pointer.removeprefix(start))

    def within(self, document: "Document") -> Diagnostic:
        """The diagnostic of the fault, with its place in the document."""
        place = document.key_place(self.pointer) if self.at_key else document.place(self.pointer)
        return Diagnostic(place, self.message, self.rule, self.pointer, self.hint, self.severity)


UNSEPARATED_HINTS: Final[Mapping[str, str]] = {
    ":": "is a space missing after it?",
    "=": "write ': ' after the name of a field",
    " ": "write the name of a field without spaces, and ': ' after it",
}
"""Character in an unknown field -> hint for fields that may be "ClientSecret:value", which must not be quoted."""
_MIN_SIMILARITY: Final = 0.7


def closest(word: str, choices: Iterable[str]) -> str | None:
    """The most similar choice for a misspelled word, or None.

    Ignores case. Whole words count more than letters, so that ``AllowAnySeller`` suggests ``AllowSeller`` and not
    ``AllowAnySupplier``. If no choice is similar, one whose words the word contains: ``baseUrl`` suggests ``url``.
    """

    def likeness(choice: str) -> tuple[bool, bool, float]:
        ratio = difflib.SequenceMatcher(None, word.casefold(), choice.casefold()).ratio()
        ours, theirs = _words(word), _words(choice)
        return ratio >= _MIN_SIMILARITY, theirs <= ours, ratio + len(ours & theirs) / len(ours | theirs)

    scored = [
        (is_alike, total, choice)
        for choice in choices
        for is_alike, has_it, total in (likeness(choice),)
        if is_alike or has_it
    ]
    return max(scored)[-1] if scored else None


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """A hint such as ``did you mean AllowSeller?``, or an empty text."""
    choice = closest(word, choices)
    return meant(choice) if choice else ""


def meant(choice: str) -> str:
    """The hint for one choice."""
    return f"did you mean {choice}?"


def _words(name: str) -> frozenset[str]:
    found = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+", name)
    return frozenset(word.casefold() for word in found) or frozenset({name})


Schema: TypeAlias = Mapping[str, Any]

_PACKAGE: Final = Path(__file__).parents[1]
_FOR_EDITORS: Final = ({"$ref": "#/$defs/fromValues"}, {"$ref": "#/$defs/manifestReference"})


def schema_path(name: str) -> Path:
    """The file of a schema: inside the installed package, or, in a checkout, in ``schemas/`` next to it."""
    installed = _PACKAGE / "schemas" / name
    return installed if installed.exists() else _PACKAGE.parent / "schemas" / name


def read_schema(name: str) -> Schema:
    """A schema as published."""
    schema: Schema = json.loads(schema_path(name).read_text(encoding="utf-8"))
    return schema


@lru_cache(maxsize=32)
def validator(name: str) -> "Validator":
    """The validator of a schema file, compiled once in a run."""
    return Validator(read_schema(name))


@lru_cache(maxsize=32)
def part_validator(name: str, part: str) -> "Validator":
    """The validator of a mapping with a single member, named like its definition."""
    schema = read_schema(name)
    return Validator({"$defs": schema["$defs"], "type": "object", "properties": {part: {"$ref": f"#/$defs/{part}"}}})


class Validator:
    """One schema, compiled."""

    def __init__(self, schema: Schema) -> None:
        self._schema = _for_loading(schema)
        import jsonschema_rs  # noqa: PLC0415  # not needed by runs that check no document

        self._gate = jsonschema_rs.Draft202012Validator(self._schema)

    def faults(self, data: Json) -> list[Fault]:
        """All faults of the data, without duplicates."""
        if self._passes(data):
            return []
        errors = [fault for error in self._explainer.iter_errors(data) for fault in explain(error)]
        return list(dict.fromkeys(errors))

    def _passes(self, data: Json) -> bool:
        try:
            return bool(self._gate.is_valid(data))
        except UnicodeEncodeError:  # an unpaired surrogate, which jsonschema-rs cannot compare with a choice
            return False

    @cached_property
    def _explainer(self) -> "Explainer":
        from jsonschema import Draft202012Validator  # noqa: PLC0415  # only a faulty document is worth its import
        from jsonschema.validators import extend  # noqa: PLC0415

        explainer: type[Explainer] = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]  # no types
        return explainer(self._schema)


def _for_loading(schema: Any) -> Any:  # noqa: ANN401  # any part of a schema
    """Remove the parts of the schema that are only for editors."""
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
    """Match like ECMA 262, where ``$`` does not match before a final newline."""
    from jsonschema.exceptions import ValidationError  # noqa: PLC0415  # see Validator._explainer

    if isinstance(value, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), value):
        yield ValidationError(f"does not match {pattern}")


@dataclass(frozen=True, slots=True)
class _Problem:
    """An error of jsonschema, without its layers of optional types."""

    at: tuple[str | int, ...]
    keyword: str
    wanted: Any
    """The keyword's value in the schema."""
    value: Any
    """The part of the document that violates it."""
    schema: Mapping[str, Any]
    nested: "Sequence[ValidationError]"

    @property
    def name(self) -> str:
        return _name(self.at)

    @property
    def pointer(self) -> str:
        return pointer(*self.at)


def explain(error: "ValidationError") -> Iterator[Fault]:
    """The faults for one error of jsonschema."""
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    at, keyword = tuple(error.absolute_path), str(error.validator)
    problem = _Problem(at, keyword, error.validator_value, error.instance, schema, error.context or ())
    match keyword:
        case "additionalProperties":
            yield from _unknown_fields(problem)
        case "required":
            yield from _missing_fields(problem)
        case "anyOf" | "oneOf":
            yield from _no_choice(problem)
        case "uniqueItems":
            yield from _repeated(problem)
        case "not" if schema.get("readOnly"):
            hint = str(schema.get("description", "")).removeprefix("Read-only: ").rstrip(".")
            yield Fault(problem.pointer, f"{problem.name} is read-only: remove it", "read-only", hint, at_key=True)
        case _ if "propertyNames" in tuple(error.absolute_schema_path)[-2:-1]:
            message = f"the name {_shown(problem.value)} {_expectation(problem).partition(', got ')[0]}"
            yield Fault(pointer(*at, problem.value), message, "name", at_key=True)
        case _:
            rule = _RULES.get(keyword, keyword)
            yield Fault(problem.pointer, f"{problem.name} {_expectation(problem)}", rule, _hint(problem))


_RULES: Final[Mapping[str, str]] = {
    "minimum": "range",
    "maximum": "range",
    "enum": "choice",
    "const": "choice",
    "maxProperties": "choice",
    "minLength": "empty",
    "minItems": "empty",
    "minProperties": "empty",
    "maxLength": "length",
    "pattern": "format",
}


def _name(at: Sequence[str | int]) -> str:
    """Name a part of a document in a message: ``Active``, ``MaximumGrantedRoles[0]``."""
    if not at:
        return "the document"
    *before, last = at
    return f"{_name(before)}[{last}]" if isinstance(last, int) else last


def _unknown_fields(problem: _Problem) -> Iterator[Fault]:
    known = problem.schema.get("properties", {})
    writable = [name for name, schema in known.items() if not schema.get("readOnly")]
    for key in problem.value:
        sign = next((one for one in UNSEPARATED_HINTS if one in key), None)
        if key in known:
            continue
        if sign:
            message = f"unknown field with a '{sign}' in it"
            yield Fault(problem.pointer, message, "unknown-field", UNSEPARATED_HINTS[sign])
        else:
            at, hint = pointer(*problem.at, key), did_you_mean(key, writable)
            yield Fault(at, f"unknown field {_shown(key)}", "unknown-field", hint, at_key=True)


def _missing_fields(problem: _Problem) -> Iterator[Fault]:
    for key in problem.wanted:
        if key not in problem.value:
            yield Fault(problem.pointer, f"{key} is missing", "required", at_key=True)


def _no_choice(problem: _Problem) -> Iterator[Fault]:
    """Explain the faults of the evidently intended choice; without one, list the choices."""
    branches: dict[Any, list[ValidationError]] = {}
    for error in problem.nested:
        branches.setdefault(error.schema_path[0], []).append(error)
    meant = [found for found in branches.values() if not any(_is_other_type(error, problem) for error in found)]
    if len(meant) == 1:
        for error in meant[0]:
            yield from explain(error)
        return
    choices = [branch.get("title") or _types(branch.get("type", "object")) for branch in problem.wanted]
    message = f"{problem.name} must be {listed(choices, 'or')}, got {_kind_of(problem.value)}"
    yield Fault(problem.pointer, message, "type")


def _is_other_type(error: "ValidationError", problem: _Problem) -> bool:
    return error.validator == "type" and tuple(error.absolute_path) == problem.at


def _repeated(problem: _Problem) -> Iterator[Fault]:
    for index, member in enumerate(problem.value):
        if any(same(member, earlier) for earlier in problem.value[:index]):
            yield Fault(pointer(*problem.at, index), f"{problem.name} lists {_shown(member)} twice", "repeated")


def _expectation(problem: _Problem) -> str:  # noqa: PLR0911  # one sentence for each keyword
    """What the value must be, and what it is."""
    value, wanted = problem.value, problem.wanted
    match problem.keyword:
        case "type":
            return f"must be {_types(wanted)}, got {_kind_of(value)}"
        case "minimum" | "maximum":
            return f"must be {_range(problem.schema)}, got {value}"
        case "enum":
            return f"must be {listed([_shown(choice) for choice in wanted], 'or')}, got {_shown(value)}"
        case "const":
            return f"must be {_shown(wanted)}, got {_shown(value)}"
        case "pattern":
            return f"must be {problem.schema.get('x-pattern', f'of the form {wanted}')}, got {_shown(value)}"
        case "maxLength":
            return f"must have at most {wanted} characters, has {len(value)}"
        case "minLength" | "minItems" | "minProperties":
            return "must not be empty"
        case "maxProperties":
            return f"accepts only one of {listed(problem.schema['properties'], 'or')}"
        case keyword:
            return f"is invalid (schema keyword {keyword})"


_TYPES: Final[Mapping[str, Sequence[str]]] = {
    "string": ["a string"],
    "boolean": ["true", "false"],
    "integer": ["a whole number"],
    "number": ["a number"],
    "array": ["a list"],
    "object": ["a mapping"],
    "null": ["null"],
}
_OLD_BOOLEANS: Final = frozenset({"yes", "no", "on", "off", "y", "n"})
_SHOWN_LENGTH: Final = 60


def _hint(problem: _Problem) -> str:
    value, wanted = problem.value, problem.wanted
    if problem.keyword == "enum" and isinstance(value, str):
        return did_you_mean(value, [choice for choice in wanted if isinstance(choice, str)])
    if problem.keyword == "type":
        return _hint_on_type(problem, {wanted} if isinstance(wanted, str) else set(wanted))
    return ""


def _hint_on_type(problem: _Problem, types: set[str]) -> str:
    value = problem.value
    if "boolean" in types and isinstance(value, str) and value.casefold() in _OLD_BOOLEANS:
        return "in YAML 1.2 yes, no, on and off are strings"
    if types & {"boolean", "integer", "number"} and isinstance(value, str):
        is_typed = value in {"true", "false"} or re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value)
        return "write it without quotes" if is_typed else ""
    if "array" in types:
        return "start each entry with '- '" if isinstance(value, dict) else "write a list: [...]"
    if "string" in types and isinstance(value, bool | int | float):
        form, pattern = problem.schema.get("x-pattern"), problem.schema.get("pattern", "")
        return f"write {form}" if form and not re.search(pattern, json.dumps(value)) else "put quotes around it"
    return ""


def _types(wanted: str | Sequence[str]) -> str:
    names = [wanted] if isinstance(wanted, str) else wanted
    return listed([word for name in names for word in _TYPES[name]], "or")


def _range(schema: Mapping[str, Any]) -> str:
    low, high, unit = schema.get("minimum"), schema.get("maximum"), schema.get("x-unit")
    words = f"{low} to {high}" if None not in {low, high} else f"at least {low}" if high is None else f"at most {high}"
    return f"{words} ({unit})" if unit else words


def _kind_of(value: Json) -> str:
    """The type of a value, never the value itself, which may be a secret."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return "a number"
    return "a string" if isinstance(value, str) else "a mapping" if isinstance(value, Mapping) else "a list"


def _shown(value: Json) -> str:
    """Quote a short value completely and a long one in part."""
    is_word = isinstance(value, str) and re.fullmatch(r"[\w./-]+", value)
    text = str(value) if is_word else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_LENGTH else text[: _SHOWN_LENGTH - 3] + "..."
