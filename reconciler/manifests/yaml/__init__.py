"""Bytes of YAML -> documents as plain data, with the line and column of every key and value.

Uses ruamel.yaml's C event parser, because its other loaders either lose positions or take five times as long. So the
builder implements the rest: the core schema of YAML 1.2, duplicate keys, merge keys, and limits on aliases and depth.

No message quotes a key, a scalar, an alias or a tag, any of which may be an unquoted secret.
"""

import errno
import os
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from ruamel.yaml.error import MarkedYAMLError, YAMLError

from reconciler.manifests.replacing import AS_IT_IS
from reconciler.manifests.yaml.builder import Builder, Stop
from reconciler.manifests.yaml.parser import Parser
from reconciler.manifests.yaml.tree import Document
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Diagnostic, Place

_QUOTE: Final = "put quotes around the value"
_CLOSE: Final = "close it, or put quotes around the value"
_TAB: Final = ("a tab is used to indent", "indent with spaces")
_INDENT: Final = "lines that belong together start in the same column"

_NO_VALUE: Final = "did not find expected node content"
_IN_BRACKETS: Final = "while parsing a flow node"
_ENDS: Final = ("", "---", "...")
_NEVER_CLOSED: Final = ("the document ends here, and a '[' or '{' above is not closed", "close it")

# libyaml's message -> our message and hint. libyaml's messages are fixed texts that quote nothing of the file.
_PROBLEMS: Final[Mapping[str, tuple[str, str]]] = {
    "mapping values are not allowed in this context": (
        "a key is not allowed before this ':'",
        "put quotes around a value that contains ': ', or correct the indentation",
    ),
    "found character that cannot start any token": ("no value can start with this character", _QUOTE),
    "found unexpected end of stream": ("the quotes that open here are never closed", "close them"),
    "found unexpected document indicator": ("the quotes that open here are never closed", "close them"),
    "did not find expected ',' or '}'": ("in {...}, a ',' or the closing '}' is missing", _CLOSE),
    "did not find expected ',' or ']'": ("in [...], a ',' or the closing ']' is missing", _CLOSE),
    "found unexpected ':'": (
        "inside [...] and {...}, a string with ':' needs quotes",
        "put quotes around it, or a space after the ':' if it ends a key",
    ),
    "did not find expected '-' indicator": ("this line does not belong to the list above it", _INDENT),
    "did not find expected key": ("this line does not belong to the mapping above it", _INDENT),
    _NO_VALUE: ("a value is missing here", 'write "" for an empty text'),
    "could not find expected ':'": ("this line is neither 'key: value' nor a list item", "write 'key: value'"),
    "block sequence entries are not allowed in this context": (
        "a list item is not allowed here",
        "start the list on a line of its own below its key",
    ),
    "mapping keys are not allowed in this context": ("a key is not allowed here", _INDENT),
    "found a tab character where an intendation space is expected": _TAB,
    "found a tab character that violate intendation": _TAB,
    "found unknown escape character": (
        "in double quotes, a backslash starts an escape, and this one is unknown",
        "use single quotes, or write the backslash twice",
    ),
    "found invalid Unicode character escape code": (
        "this escape is not a character (JSON's pairs of \\ud83d\\ude00 are not YAML)",
        "write the character itself",
    ),
    "did not find expected alphabetic or numeric character": (
        "a value that starts with * or & is an alias or an anchor",
        _QUOTE,
    ),
    "found undefined tag handle": ("a value that starts with ! has a tag, and this one is unknown", _QUOTE),
    "found incompatible YAML document": ("only YAML 1.2 is read", "remove the %YAML line"),
    "found unknown directive name": ("a line that starts with % is a directive, and this one is unknown", _QUOTE),
    "did not find expected <document start>": ("the document above ended here", "start the next one with '---'"),
}
_REPORTED_AT_START: Final = frozenset(
    {"found unexpected end of stream", "found unexpected document indicator", "could not find expected ':'"}
)
"""Problems that are reported where their context begins, not where the parser stopped."""
_REFERENCE: Final = 'inside [...] and {...}, put quotes around "${...}"'

# Line breaks of YAML 1.1 that editors do not show: text after one of them would look like part of a comment.
_HIDDEN_BREAK: Final = re.compile("[\x85\u2028\u2029]")
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


def bytes_fault(content: bytes, file: str) -> Diagnostic | None:
    """Why the bytes are not text, or None."""
    if content.isascii():
        return None
    if content.startswith(_UTF16):
        return Diagnostic(Place(file), "the file is in UTF-16", "encoding", hint="save it in UTF-8")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        place = _place_at(file, content[: error.start].decode())
        message = f"byte 0x{content[error.start]:02x} at offset {error.start} is not UTF-8"
        return Diagnostic(place, message, "encoding", hint="save the file in UTF-8")
    found = _HIDDEN_BREAK.search(text)
    return found and _character(file, text, found.start())


def character_fault(content: bytes, file: str) -> Diagnostic:
    """The place of the character that the parser refused. The bytes are UTF-8."""
    text = content.decode()
    found = _CONTROL.search(text)
    return _character(file, text, found.start() if found else 0)


def syntax_fault(error: MarkedYAMLError, content: bytes, file: str) -> Diagnostic:
    """Convert the parser's error to a readable diagnostic."""
    begun = error.context_mark
    mark = begun if begun is not None and error.problem in _REPORTED_AT_START else error.problem_mark
    lines = content.decode("utf-8-sig").splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    message, hint = _PROBLEMS.get(error.problem, (f"this is not YAML: {error.problem}", ""))
    if error.problem == _NO_VALUE and error.context == _IN_BRACKETS and line.strip() in _ENDS:
        message, hint = _NEVER_CLOSED
    if line[mark.column : mark.column + 1] == "\t":
        message, hint = _TAB
    elif "${" in line:
        hint = _REFERENCE
    elif begun is not None and hint is _CLOSE:
        message += f" (opened at line {begun.line + 1}, column {begun.column + 1})"
    return Diagnostic(Place(file, mark.line + 1, mark.column + 1), message, "yaml-syntax", hint=hint)


def _character(file: str, text: str, index: int) -> Diagnostic:
    message = f"the character U+{ord(text[index]):04X} is not allowed in a file"
    hint = "is this UTF-16? save it in UTF-8" if text[index] == "\0" else "remove it, or write it as an escape"
    return Diagnostic(_place_at(file, text[:index]), message, "character", hint=hint)


def _place_at(file: str, before: str) -> Place:
    """The place after a text, which may begin with a byte order mark."""
    before = before.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return Place(file, before.count("\n") + 1, len(before) - before.rfind("\n"))


SIZE_LIMIT: Final = 1 << 20
"""Bytes in a file."""
IDS_LIMIT: Final = 8 << 20
"""Bytes in a file of ids: more than a hundred thousand."""

_REASONS: Final[Mapping[int, tuple[str, str]]] = {
    errno.ENOENT: ("there is no such file or directory", ""),
    errno.ENOTDIR: ("there is no such file or directory", ""),
    errno.EACCES: ("permission denied", "correct its permissions"),
    errno.EPERM: ("permission denied", "correct its permissions"),
    errno.ELOOP: ("the symbolic link points to itself", "remove it"),
    errno.ENXIO: ("this is not a regular file", ""),
    errno.EISDIR: ("this is a directory, not a file", ""),
    errno.ENAMETOOLONG: ("the path is too long", ""),
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """The readable documents of a file, and its faults as YAML."""

    documents: tuple[Document, ...]
    faults: tuple[Diagnostic, ...] = ()


def read(path: Path | str, shown: str, limit: int = SIZE_LIMIT) -> Parsed:
    """Read and parse one file; `shown` is its name in messages.

    Only a regular file is read, so that a FIFO or a device can neither block nor flood the run.
    """
    try:
        content = _bytes_of(path, limit)
    except OSError as error:
        return Parsed((), (unreadable(error, path, shown),))
    return parse(content, shown, limit)


def parse(content: bytes, file: str, limit: int = SIZE_LIMIT, parser: Callable[[bytes], Any] = Parser) -> Parsed:
    """Parse the bytes of one file. Parsing continues after faults that leave the structure readable."""
    if len(content) > limit:
        message = f"the file is larger than {limit:,} bytes"
        return Parsed((), (Diagnostic(Place(file), message, "file-size", hint="split it"),))
    fault = bytes_fault(content, file)
    if fault is not None:
        return Parsed((), (fault,))
    builder = Builder(file)
    try:
        builder.run(parser(content))
    except MarkedYAMLError as error:
        builder.faults.append(syntax_fault(error, content, file))
    except YAMLError:  # a ReaderError, which has no mark
        builder.faults.append(character_fault(content, file))
    except Stop as stop:
        builder.faults.append(stop.diagnostic)
    return Parsed(tuple(builder.documents), tuple(builder.faults))


def shown(path: Path | str) -> str:
    """A path as a user would type it: relative if it is the working directory or below it."""
    absolute, here = os.path.abspath(path), os.getcwd()  # noqa: PTH100, PTH109  # strings, for speed
    return "." if absolute == here else absolute.removeprefix(here.rstrip(os.sep) + os.sep)


def unreadable(error: OSError, path: Path | str, shown: str) -> Diagnostic:
    """Why the operating system cannot open a file or directory."""
    message, hint = _REASONS.get(error.errno or 0, (f"it cannot be read: {error.strerror}", ""))
    if error.errno == errno.ENOENT and os.path.islink(path):  # noqa: PTH114  # paths are plain strings here, for speed
        message, hint = "the symbolic link is broken", "correct or remove it"
    return Diagnostic(Place(shown), message, "unreadable", hint=hint)


def _bytes_of(path: Path | str, limit: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | AS_IT_IS)
    with open(descriptor, "rb", buffering=0) as stream:  # noqa: PTH123  # a descriptor is no path
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.ENXIO, "not a regular file")
        return stream.read(limit + 1) if status.st_size > limit else stream.readall()
