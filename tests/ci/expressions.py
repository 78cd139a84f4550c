"""The expressions of GitHub workflows, as far as the recipes use them."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

_TOKEN: Final = re.compile(r"\s*('(?:[^']|'')*'|\d+|&&|\|\||[!=]=|[!().,\[\]]|[A-Za-z_][\w-]*)")
_STATUS: Final = ("success", "failure", "always", "cancelled")

Functions = Mapping[str, Callable[..., Any]]


def interpolated(text: str, context: Mapping[str, Any], functions: Functions | None = None) -> Any:
    """A text with its expressions evaluated; where it is one expression, the value itself."""
    whole = re.fullmatch(r"\s*\$\{\{(.*)\}\}\s*", text, re.DOTALL)
    if whole and "${{" not in whole[1]:
        return evaluated(whole[1], context, functions)
    return re.sub(r"\$\{\{(.*?)\}\}", lambda one: worded(evaluated(one[1], context, functions)), text, flags=re.DOTALL)


def condition(text: str, context: Mapping[str, Any], functions: Functions) -> bool:
    """An ``if``, which asks for success unless it asks for a status itself."""
    inner = re.fullmatch(r"\s*\$\{\{(.*)\}\}\s*", text, re.DOTALL)
    text = inner[1] if inner else text
    if not any(f"{name}()" in text for name in _STATUS):
        text = f"success() && ({text})"
    return bool(evaluated(text, context, functions))


def worded(value: Any) -> str:
    """How GitHub writes a value into a text."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else value if isinstance(value, str) else json.dumps(value)


def evaluated(text: str, context: Mapping[str, Any], functions: Functions | None = None) -> Any:
    """The value of an expression."""
    parser = _Parser(text, context, {**_FUNCTIONS, **(functions or {})})
    value = parser.either()
    assert not parser.rest, text
    return value


_FUNCTIONS: Final[Functions] = {
    "contains": lambda many, one: one in many,
    "fromjson": json.loads,
    "tojson": lambda value: json.dumps(value, indent=2),
}


class _Parser:
    def __init__(self, text: str, context: Mapping[str, Any], functions: Functions) -> None:
        self.rest = [one[1] for one in _TOKEN.finditer(text.strip())]
        assert "".join(self.rest) == re.sub(r"\s(?=(?:[^']*'[^']*')*[^']*$)", "", text.strip()), text
        self._context, self._functions = context, functions

    def _takes(self, *words: str) -> bool:
        if self.rest and self.rest[0] in words:
            self.rest.pop(0)
            return True
        return False

    def either(self) -> Any:
        value = self._both()
        while self._takes("||"):
            other = self._both()
            value = value or other
        return value

    def _both(self) -> Any:
        value = self._comparison()
        while self._takes("&&"):
            other = self._comparison()
            value = value and other
        return value

    def _comparison(self) -> Any:
        value = self._not()
        if self._takes("=="):
            return _same(value, self._not())
        return not _same(value, self._not()) if self._takes("!=") else value

    def _not(self) -> Any:
        return not self._not() if self._takes("!") else self._value()

    def _value(self) -> Any:
        if self._takes("("):
            value = self.either()
            assert self._takes(")")
            return value
        word = self.rest.pop(0)
        if word.startswith("'"):
            return word[1:-1].replace("''", "'")
        if word.isdigit():
            return int(word)
        if self._takes("("):
            return self._call(word)
        return self._member(self._context.get(word))

    def _member(self, value: Any) -> Any:
        while self._takes(".", "["):
            word = self.rest.pop(0)
            name = word.strip("'")
            if word != name:
                assert self._takes("]")
            value = value.get(name) if isinstance(value, Mapping) else None
        return value

    def _call(self, name: str) -> Any:
        arguments = []
        while not self._takes(")"):
            arguments.append(self.either())
            self._takes(",")
        return self._functions[name.lower()](*arguments)


def _same(one: Any, other: Any) -> bool:
    if None in (one, other):
        return one in (None, "", 0, False) and other in (None, "", 0, False)
    return worded(one).lower() == worded(other).lower()
