"""The text of a file -> YAML events, from libyaml, or from ruamel.yaml's own parser if libyaml is not installed.

ruamel.yaml's own parser is fifty times slower. `SlowParser` makes it accept and refuse the same input as libyaml, with
the same messages and places.

Plain scalars follow the core schema of YAML 1.2: `yes` and `on` are strings, `012` is twelve, `1_000` and dates are
strings.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from sys import intern
from typing import Any, Final, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import DocumentStartEvent, ScalarEvent
from ruamel.yaml.scanner import Scanner, ScannerError
from ruamel.yaml.tokens import AliasToken

from reconciler.model.dataclass import dataclass

try:
    from ruamel.yaml.cyaml import CParser  # type: ignore[attr-defined]  # not in its __all__
except ImportError:
    CParser = None  # pip installs it; other packagers may not

_ESCAPES: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|.)", re.DOTALL)
_NOT_IN_ANCHORS: Final = re.compile("[^0-9A-Za-z_-]")
_COLON: Final = re.compile("[ \\t]*:(?=[ \\t]*(?:#|[\\r\\n]|$))")
_WORDS: Final[Mapping[str, str]] = {
    "mapping values are not allowed here": "mapping values are not allowed in this context",
    "mapping keys are not allowed here": "mapping keys are not allowed in this context",
    "sequence entries are not allowed here": "block sequence entries are not allowed in this context",
    "expected ',' or ']'": "did not find expected ',' or ']'",
    "expected ',' or '}'": "did not find expected ',' or '}'",
    "expected the node content": "did not find expected node content",
    "expected '<document start>'": "did not find expected <document start>",
    "expected alphabetic or numeric character": "did not find expected alphabetic or numeric character",
    "found unknown escape character": "found unknown escape character",
    "found undefined tag handle": "found undefined tag handle",
    "found incompatible YAML document": "found incompatible YAML document",
    "found unexpected document separator": "found unexpected document indicator",
    "expected indentation indicator in the range": "found an indentation indicator equal to 0",
    "expected chomping or indentation indicators": "did not find expected comment or line break",
    "expected a comment or a line break": "did not find expected comment or line break",
    "found duplicate YAML directive": "found duplicate %YAML directive",
}
"""Beginning of a message of ruamel.yaml -> libyaml's message."""
_BLOCK_ENDS: Final[Mapping[str, str]] = {
    "while parsing a block mapping": "did not find expected key",
    "while parsing a block collection": "did not find expected '-' indicator",
}


_Untyped: TypeAlias = Any
"""Of ruamel.yaml, whose tokens, marks and events have no types."""


@dataclass(frozen=True, slots=True)
class _Mark:
    line: int
    column: int
    index: int = 0


class _Scanner(Scanner):
    """Scans a text like libyaml, which allows tabs between words and before a comment, and refuses the same input."""

    def scan_to_next_token(self) -> _Untyped:
        while not self.allow_simple_key and self.reader.peek() in " \t":
            self.reader.forward()
        return super().scan_to_next_token()

    def scan_directive(self) -> _Untyped:
        token = super().scan_directive()
        if token.name not in {"YAML", "TAG"}:
            mark = _Mark(token.start_mark.line, len(token.name) + 1)
            raise ScannerError("while scanning a directive", token.start_mark, "found unknown directive name", mark)
        return token

    def scan_plain(self) -> _Untyped:
        token = super().scan_plain()
        if self.flow_level and ":" in token.value:
            mark = _mark(self.reader.buffer, self.reader.buffer.index(":", token.start_mark.index))
            raise ScannerError("while scanning a plain scalar", token.start_mark, "found unexpected ':'", mark)
        return token

    def scan_plain_spaces(self, indent: int, start_mark: _Untyped) -> _Untyped:
        length = 0
        while self.reader.peek(length) in " \t":
            length += 1
        spaces = self.reader.prefix(length)
        if "\t" not in spaces:
            return super().scan_plain_spaces(indent, start_mark)
        self.reader.forward(length)
        return super().scan_plain_spaces(indent, start_mark) or [spaces]

    def scan_anchor(self, token_class: _Untyped) -> _Untyped:
        token = super().scan_anchor(token_class)
        if odd := _NOT_IN_ANCHORS.search(token.value):
            mark = _Mark(token.start_mark.line, token.start_mark.column + 1 + odd.start())
            what = "while scanning an alias" if token_class is AliasToken else "while scanning an anchor"
            raise ScannerError(what, token.start_mark, "did not find expected alphabetic or numeric character", mark)
        return token

    def scan_flow_scalar(self, style: str) -> _Untyped:
        start = self.reader.get_mark()
        try:
            token = super().scan_flow_scalar(style)
            token.value.encode()
        except ValueError as error:  # not the number of a character, or half of a surrogate pair
            mark = _mark(self.reader.buffer, _no_character(self.reader.buffer, start.index))
            problem = "found invalid Unicode character escape code"
            raise ScannerError("while parsing a quoted scalar", start, problem, mark) from error
        return token


class SlowParser:
    """A parser with libyaml's interface, as far as it is used here."""

    def __init__(self, content: bytes | str) -> None:
        self._text = content.decode() if isinstance(content, bytes) else content
        yaml = YAML(typ="safe", pure=True)
        yaml.version = "1.1"  # libyaml's
        yaml.Scanner = _Scanner
        self._end = 0
        """The end of the last event."""
        self._events: Iterator[_Untyped] = yaml.parse(self._text)

    def get_event(self) -> _Untyped:
        """Return the next event.

        Raises:
            ruamel.yaml.error.YAMLError: what follows is not YAML.
        """
        try:
            event = next(self._events)
        except MarkedYAMLError as error:
            self._as_libyaml(error)
            raise
        if isinstance(event, DocumentStartEvent) and event.version is not None:
            event.start_mark = _mark(self._text, self._text.rindex("%YAML", 0, event.start_mark.index))
        elif isinstance(event, ScalarEvent) and not event.value and (colon := _COLON.match(self._text, self._end)):
            event.start_mark = event.end_mark = _mark(self._text, colon.end())  # an empty value ends where its key does
        self._end = event.end_mark.index
        return event

    def _as_libyaml(self, error: MarkedYAMLError) -> None:
        """Change an error to the message and the place of libyaml."""
        mark = error.problem_mark
        error.problem = _libyaml_problem(error)
        if error.problem == "found unknown escape character":
            error.problem_mark = _Mark(mark.line, mark.column - 1)
        elif getattr(mark, "index", 0) == len(self._text) and mark.column:
            error.problem_mark = _Mark(mark.line + 1, 0)  # the end of an unterminated last line


LibyamlParser: Final[_Untyped] = CParser
Parser: Final = LibyamlParser or SlowParser


def _libyaml_problem(error: MarkedYAMLError) -> str:
    problem = str(error.problem)
    if problem.startswith("expected <block end>"):
        return _BLOCK_ENDS.get(error.context, problem)
    if problem.endswith("that cannot start any token"):
        return "found character that cannot start any token"
    return next((words for start, words in _WORDS.items() if problem.startswith(start)), problem)


def _no_character(text: str, start: int) -> int:
    """The position of the first invalid escape number after `start`."""
    numbers = ((one.start() + 2, int(one[1] or one[2] or "0", 16)) for one in _ESCAPES.finditer(text, start))
    return next(at for at, number in numbers if 0xD800 <= number <= 0xDFFF or number > 0x10FFFF)  # noqa: PLR2004


def _mark(text: str, index: int) -> _Mark:
    before = text[:index].removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return _Mark(before.count("\n"), len(before) - before.rfind("\n") - 1, index)


Scalar: TypeAlias = bool | int | float | str | None

DIGITS_LIMIT: Final = 300

_CONSTANTS: Final[Mapping[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER_STARTS: Final = frozenset("0123456789+-.")
SPECIAL_STARTS: Final = _NUMBER_STARTS | {word[:1] for word in _CONSTANTS}
"""A plain scalar that starts with any other character is a string."""
_INTEGER: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_JSON: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_EXACT: Final = 1 << 53  # up to here a float distinguishes integers


@lru_cache(maxsize=4096)
def resolve(text: str) -> Scalar:
    """Return the value of a plain scalar.

    Raises:
        ValueError: a number that JSON cannot represent; the message has the reason.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    return _number(text) if text[0] in _NUMBER_STARTS else text


def _number(text: str) -> int | float | str:
    if _INTEGER.fullmatch(text):
        if len(text) > DIGITS_LIMIT:
            raise ValueError(f"a number of more than {DIGITS_LIMIT} digits")
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if _FLOAT.fullmatch(text):
        number = float(text)
        if number in {float("inf"), float("-inf")}:
            raise ValueError("a number that is too large for JSON")
        # JSON does not distinguish 600.0 from 600, and a service that expects an integer must not get a decimal point.
        return int(number) if number.is_integer() and abs(number) < _EXACT else number
    if _NOT_JSON.fullmatch(text):
        raise ValueError("JSON has neither infinity nor 'not a number'")
    return text


@lru_cache(maxsize=4096)
def key_text(text: str) -> str | None:
    """A plain scalar as a key; None for a number, a boolean, null or the merge key."""
    if text == "<<":
        return None
    try:
        value = resolve(text)
    except ValueError:
        return None
    return intern(value) if isinstance(value, str) else None


_TAGS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "tag:yaml.org,2002:null": type(None),
    "tag:yaml.org,2002:bool": bool,
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": (int, float),
}


def resolve_tagged(text: str, tag: str) -> Scalar:
    """Return the value of a scalar with an explicit tag of the core schema.

    Raises:
        ValueError: another tag, or a text that does not fit it; the message has the reason.
    """
    if tag in {"!", "tag:yaml.org,2002:str"}:
        return text
    if tag not in _TAGS:
        raise ValueError("only the tags !!str, !!int, !!float, !!bool, !!null, !!map and !!seq are read")
    value = resolve(text)
    if not isinstance(value, _TAGS[tag]) or (isinstance(value, bool) and _TAGS[tag] is not bool):
        raise ValueError("the tag does not fit the value")
    return value
