"""A secret -> one line of a dotenv file; every other byte stays as it is. The home of python-dotenv."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import ReconcilerError
from reconciler.manifests.replacing import replace_file
from reconciler.model.secret import Secret
from reconciler.secrets.delivery.files import text_in, unwritable
from reconciler.secrets.delivery.new_secret import Undo, cannot


def check(path: Path) -> None:
    """See whether the file, where there is one, can be read.

    Raises:
        ReconcilerError: it cannot.
    """
    _text(path)


def set_variable(path: Path, variable: str, value: Secret) -> Undo:
    """Set one variable.

    Raises:
        ReconcilerError: the file cannot be read or written; the old one is still there.
    """
    existed, before = path.exists(), _text(path)
    old = _bindings(before, variable)
    new = [_line(one, variable, value) for one in old] or [_line(_end_of(before), variable, value)]
    text = _edited(before, variable, new)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(path, text, keeps_owner=True)
    except OSError as error:
        raise unwritable(path, error) from None  # `from None`: its frames hold the text
    return lambda: _take_back(path, variable, _Edit(new, old, was_empty=existed and not before))


def variable_in(path: Path, variable: str) -> Secret | None:
    """The value that `set_variable` has left; raises as `files.value_in` does."""
    from dotenv import dotenv_values  # noqa: PLC0415  # only who delivers so needs it

    value = dotenv_values(stream=io.StringIO(text_in(path)), interpolate=False).get(variable)
    return Secret(value) if value else None


@dataclass(frozen=True, slots=True)
class _Edit:
    """What was done to a file."""

    ours: Sequence[str]
    """The pieces that set the variable."""
    before: Sequence[str]
    """Those that did so before."""
    was_empty: bool
    """Whether there was a file, and nothing in it."""


def _take_back(path: Path, variable: str, edit: _Edit) -> None:
    """Restore the lines that the variable had, unless somebody has changed them since.

    A file in which nothing is left was made for deliveries, all of which have been taken back by now.
    """
    text = _text(path)
    if [one.strip() for one in _bindings(text, variable)] != [one.strip() for one in edit.ours]:
        raise ReconcilerError(f"{variable} in {path} has been changed since, and was left as it is")
    left = _edited(text, variable, edit.before or [""] * len(edit.ours))
    try:
        if not left and not edit.was_empty:
            path.unlink()
        else:
            replace_file(path, left, keeps_owner=True)
    except OSError as error:
        raise cannot(path, error) from None


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode() if path.exists() else ""
    except UnicodeDecodeError:
        raise ReconcilerError(f"{path} is not UTF-8 text, so no secret can be set in it") from None
    except OSError as error:
        raise unwritable(path, error) from None


def _parts(text: str) -> list[tuple[str | None, str]]:
    """The text in pieces, each with the variable that it sets."""
    from dotenv.parser import parse_stream  # noqa: PLC0415  # only who delivers so needs it

    return [(one.key, one.original.string) for one in parse_stream(io.StringIO(text, newline=""))]


def _bindings(text: str, variable: str) -> list[str]:
    return [piece for key, piece in _parts(text) if key == variable]


def _edited(text: str, variable: str, lines: Sequence[str]) -> str:
    """Put these pieces in the places of those that set the variable, the first of none at the end."""
    left = list(lines)
    pieces = [left.pop(0) if key == variable else piece for key, piece in _parts(text)]
    return "".join(pieces + left)


def _end_of(text: str) -> str:
    """What a new line is to begin and end with, as a piece that `_line` reads."""
    ending = "\r\n" if "\r\n" in text else "\n"
    return (ending if text and not text.endswith("\n") else "") + "x" + ending


def _line(piece: str, variable: str, value: Secret) -> str:
    """The line that sets the variable, with the blank lines before and the line end of the piece that it replaces."""
    before = piece[: len(piece) - len(piece.lstrip())]
    ending = piece[len(piece.rstrip("\r\n")) :]
    export = "export " if piece.lstrip().startswith("export ") else ""
    text = value.reveal().replace("\\", "\\\\").replace("'", "\\'")
    return f"{before}{export}{variable}='{text}'{ending}"
