"""``${values.KEY}``, ``${marketplace}`` and ``{ref: NAME}`` in data -> values and manifests of the environment.

It happens after parsing, and a value is never parsed, so that no value can add a key, end a text or become a comment.
Only these can be read, so that a manifest cannot send a variable of the CI job to the service.

The kind of a reference follows from the field, so that it consists of a name only.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from reconciler.kinds import Kind
from reconciler.kinds.assignments import Level
from reconciler.kinds.references import references, referred, with_references
from reconciler.manifests.context import LoadContext
from reconciler.manifests.schema import Fault, did_you_mean
from reconciler.model.json import ABSENT, Body, Json, canonical_text, get_at, is_array, pointer, with_value_at
from reconciler.model.resource import Address

_REFERENCE: Final = re.compile(r"\$(\$)\{|\$\{([^{}]*)(\}?)")
_LARGEST: Final = 1024 * 1024
"""The most characters in the substituted values of one document: the size limit of a file."""
_NAME: Final = re.compile(r"values(?:\.[A-Za-z0-9_-]+)+|marketplace")


At: TypeAlias = tuple[str | int, ...]
"""The path of a value."""


def with_texts(value: Json, new: Callable[[str, At], Json], at: At = ()) -> Json:
    """The value with its texts replaced; keys are unchanged."""
    if isinstance(value, str):
        return new(value, at)
    if isinstance(value, Mapping):
        return {key: with_texts(child, new, (*at, key)) for key, child in value.items()}
    if is_array(value):
        return [with_texts(child, new, (*at, index)) for index, child in enumerate(value)]
    return value


def texts(value: Json) -> Mapping[At, str]:
    """All texts in a value with their paths, without keys."""
    found: dict[At, str] = {}
    with_texts(value, lambda text, at: found.setdefault(at, text))
    return found


def literal(value: Json) -> Json:
    """The value escaped, so that no text is a reference to an environment value."""
    return with_texts(value, lambda text, _: text.replace("${", "$${"))


def literal_body(body: Body) -> Body:
    """The same for a whole manifest."""
    return {key: literal(value) for key, value in body.items()}


class _Unusable(Exception):  # never leaves this module
    """A reference that cannot be replaced; the arguments are the message and the hint."""


class Substitution:
    """Replaces the references of one document and collects their faults."""

    def __init__(self, context: LoadContext) -> None:
        self._context = context
        self._known: Body = {"values": context.values} | ({"marketplace": at} if (at := context.marketplace) else {})
        self.faults: list[Fault] = []
        self.used: dict[str, tuple[str, ...]] = {}
        """JSON pointer -> the environment values used there: ``values.domain``."""
        self._names: list[str] = []
        self._left = _LARGEST

    def apply(self, body: Body) -> Body:
        """The object with all references in it replaced."""
        return {key: with_texts(value, self._text, (key,)) for key, value in body.items()}

    def _text(self, text: str, at: At) -> Json:
        if "${" not in text or self._left < 0:
            return text  # the size of the document is already reported
        self._names = []
        try:
            whole = _REFERENCE.fullmatch(text)
            replaced = self._value(whole) if whole and not whole[1] else _REFERENCE.sub(self._inside, text)
        except _Unusable as unusable:
            message, hint = unusable.args
            self.faults.append(Fault(pointer(*at), message, "substitution", hint))
            return text
        if self._names:
            self.used[pointer(*at)] = tuple(self._names)
        return replaced

    def _inside(self, reference: re.Match[str]) -> str:
        """The replacement of a reference inside text. ``$${`` is an escaped ``${``."""
        if reference[1]:
            return "${"
        value = self._value(reference)
        if isinstance(value, str):
            return value
        if isinstance(value, bool | int | float):
            return json.dumps(value)
        what = "null" if value is None else "a mapping" if isinstance(value, Mapping) else "a list"
        raise _Unusable(f"{reference[0]} is {what}, which cannot be used inside text", "")

    def _value(self, reference: re.Match[str]) -> Json:
        name = _NAME.fullmatch(reference[2])
        if not reference[3]:
            raise _Unusable('"${" is not closed by "}"', 'write "$${" for a literal "${"')
        if not name:
            raise _Unusable(
                f"{reference[0]} is not available; only ${{values.KEY}} and ${{marketplace}} are",
                'write "$${" for a literal "${"',
            )
        value = get_at(self._known, name[0].split("."))
        if value is ABSENT:
            raise self._undefined(reference[2])
        self._names.append(reference[2])
        self._bound(reference[0], value)  # type: ignore[arg-type]  # likewise
        return value  # type: ignore[return-value]  # mypy does not narrow by a sentinel's identity

    def _bound(self, reference: str, value: Json) -> None:
        """Refuse a value that makes the document too large."""
        self._left -= len(value) if isinstance(value, str) else len(canonical_text(value))
        if self._left < 0:
            message = f"with {reference} the values of the document exceed {_LARGEST} characters"
            raise _Unusable(message, "shorten the value, or refer to it less often")

    def _undefined(self, name: str) -> _Unusable:
        environment = self._context.environment
        message, hint = f"{name} is not defined: no environment is selected", "choose one with --env"
        if environment is not None:
            message = f"{name} is not defined in environment {environment}"
            hint = f"define it in reconciler.yaml, as environments.{environment}.{name}"
        guess = did_you_mean(name, [*_names(self._context.values), *({"marketplace"} & self._known.keys())])
        return _Unusable(message, guess or hint)


def _names(values: Mapping[str, Json], prefix: str = "values") -> list[str]:
    """The names of all environment values: ``values.a``, ``values.a.b``."""
    names = []
    for key, value in values.items():
        names.append(f"{prefix}.{key}")
        if isinstance(value, Mapping):
            names += _names(value, f"{prefix}.{key}")
    return names


def take_references(manifest: Body, kind: Kind, faults: list[Fault]) -> tuple[Body, Mapping[str, Address]]:
    """Replace each reference by its name, which is valid wherever an id is.

    Returns:
        The manifest with names, and the referenced manifests by JSON pointer.
    """
    named: dict[str, Address] = {}
    for parts, to, value in _references(manifest, kind):
        if not isinstance(value, Mapping):
            continue
        at = pointer(*parts)
        if to and (name := referred(value)):
            named[at] = Address(to, name)
        else:
            hint = (
                f"write {{ref: NAME}}, with the name of a manifest of kind {to}" if to else "write the id of the object"
            )
            faults.append(Fault(at, "this is not a reference", "reference", hint))
    return _with_names(manifest, kind) if named else manifest, named


def _references(manifest: Body, kind: Kind) -> Iterator[tuple[tuple[str | int, ...], str, Json]]:
    """Each value that refers to another object: its path, the kind of that object, and the value."""
    spec = manifest.get("spec")
    for path, to, value in references(kind, spec) if isinstance(spec, Mapping) else ():
        yield ("spec", *path), to.kind, value
    for level, rows in _plain_levels(manifest, kind):
        for index, value in enumerate(rows):
            yield ("assignments", level.name, index), level.kind, value


def _plain_levels(manifest: Body, kind: Kind) -> Iterator[tuple[Level, Sequence[Json]]]:
    """The levels whose rows are single ids."""
    block = manifest.get("assignments")
    if not isinstance(block, Mapping):
        return
    for level in kind.levels:
        rows = block.get(level.name)
        if level.is_plain and is_array(rows):
            yield level, rows


def _with_names(manifest: Body, kind: Kind) -> Body:
    spec = manifest.get("spec")
    if isinstance(spec, Mapping):
        manifest = {**manifest, "spec": with_references(kind, spec, lambda _, value: referred(value) or value)}
    for level, rows in _plain_levels(manifest, kind):
        # A name may contain dots but no underscores; an id may contain underscores but no dots.
        names = [referred(row).replace(".", "_") or row for row in rows]
        manifest = with_value_at(manifest, ("assignments", level.name), names)
    return manifest
