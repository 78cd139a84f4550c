"""Data with ``${values.KEY}`` or ``${marketplace}`` -> data with the environment's values in their place.

It happens after parsing and a value is never parsed, so that no value can add a key, end a text or become a comment.
Nothing but those can be read: a manifest cannot carry a variable of the CI job to the service.
"""

import json
import re
from collections.abc import Mapping
from typing import Final

from reconciler.manifests.context import LoadContext
from reconciler.manifests.schema import Fault, did_you_mean
from reconciler.model.json import ABSENT, Body, Json, canonical_text, get_at, is_array, pointer

_REFERENCE: Final = re.compile(r"\$(\$)\{|\$\{([^{}]*)(\}?)")
_LARGEST: Final = 1024 * 1024
"""Characters that all references of one document may come to: as much as a file may have without any."""
_NAME: Final = re.compile(r"values(?:\.[A-Za-z0-9_-]+)+|marketplace")


class _Unusable(Exception):  # never leaves this module
    """A reference that gives nothing; the arguments are the message and the hint."""


class Substitution:
    """Replaces the references of one document and collects what is wrong with them."""

    def __init__(self, context: LoadContext) -> None:
        self._context = context
        self._known: Body = {"values": context.values} | ({"marketplace": at} if (at := context.marketplace) else {})
        self.faults: list[Fault] = []
        self.used: dict[str, tuple[str, ...]] = {}
        """JSON pointer -> what the value there was made of: ``values.domain``."""
        self._names: list[str] = []
        self._left = _LARGEST

    def apply(self, body: Body) -> Body:
        """Give the object with all references in it replaced."""
        return {key: self._replaced(value, (key,)) for key, value in body.items()}

    def _replaced(self, value: Json, at: tuple[str | int, ...]) -> Json:
        if isinstance(value, str):
            return self._text(value, at) if "${" in value else value
        if isinstance(value, Mapping):
            return {key: self._replaced(child, (*at, key)) for key, child in value.items()}
        if is_array(value):
            return [self._replaced(child, (*at, index)) for index, child in enumerate(value)]
        return value

    def _text(self, text: str, at: tuple[str | int, ...]) -> Json:
        if self._left < 0:
            return text  # that the document is too large is among the faults already
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
        """Give what a reference inside of a text is replaced by. ``$${`` stands for ``${``."""
        if reference[1]:
            return "${"
        value = self._value(reference)
        if isinstance(value, str):
            return value
        if isinstance(value, bool | int | float):
            return json.dumps(value)
        what = "null" if value is None else "a mapping" if isinstance(value, Mapping) else "a list"
        raise _Unusable(f"{reference[0]} is {what}, which cannot be used inside a text", "")

    def _value(self, reference: re.Match[str]) -> Json:
        name = _NAME.fullmatch(reference[2])
        if not reference[3]:
            raise _Unusable('"${" is not closed by "}"', 'write "$${" for a literal "${"')
        if not name:
            raise _Unusable(
                f"{reference[0]} cannot be read: only ${{values.KEY}} and ${{marketplace}} can",
                'write "$${" for a literal "${"',
            )
        value = get_at(self._known, name[0].split("."))
        if value is ABSENT:
            hint = did_you_mean(reference[2], [*_names(self._context.values), *({"marketplace"} & self._known.keys())])
            raise _Unusable(self._undefined(reference[2]), hint or self._define(reference[2]))
        self._names.append(reference[2])
        self._bound(reference[0], value)  # type: ignore[arg-type]  # likewise
        return value  # type: ignore[return-value]  # mypy does not narrow by a sentinel's identity

    def _bound(self, reference: str, value: Json) -> None:
        """Refuse what makes the document too large."""
        self._left -= len(value) if isinstance(value, str) else len(canonical_text(value))
        if self._left < 0:
            message = f"with {reference} the values of the document come to more than {_LARGEST} characters"
            raise _Unusable(message, "shorten the value, or refer to it less often")

    def _define(self, name: str) -> str:
        environment = self._context.environment
        if environment is None:
            return "choose one with --env"
        return f"define it in reconciler.yaml, as environments.{environment}.{name}"

    def _undefined(self, name: str) -> str:
        if self._context.environment is None:
            return f"{name} is not defined: no environment is selected"
        return f"{name} is not defined in environment {self._context.environment}"


def _names(values: Mapping[str, Json], prefix: str = "values") -> list[str]:
    """Give all values that could be referred to: ``values.a``, ``values.a.b``."""
    names = []
    for key, value in values.items():
        names.append(f"{prefix}.{key}")
        if isinstance(value, Mapping):
            names += _names(value, f"{prefix}.{key}")
    return names
