"""Write a secret to a file: alone, as a Kubernetes manifest, or as one line among others; and undo that.

A line is a variable of a dotenv file (only this module uses python-dotenv), or an output of a step in a GitHub Actions
job, masked in the log first. Source: GitHub documentation, "Workflow commands": ``::add-mask::``, and
the file that GITHUB_OUTPUT names.
"""

import base64
import io
import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from reconciler.errors import PartlyDelivered, ReconcilerError
from reconciler.manifests.edit.text import YamlStyle, block
from reconciler.manifests.replacing import open_regular, replace_file, take_over, temporary_in
from reconciler.model.secret import Secret, ToKubernetesSecret

if TYPE_CHECKING:
    from reconciler.model.json import Json

Undo: TypeAlias = Callable[[], None]
"""Undoes a delivery, or raises a `ReconcilerError`. Not a `partial`, whose repr would show the value."""
_MAX_BYTES: Final = 2**20
"""The maximum size of a file that is read back, in bytes."""


def check(path: Path) -> None:
    """Check that a file can be written, without creating it.

    Raises:
        ReconcilerError: it cannot be written.
    """
    with _os_errors_as(f"no secret can be delivered to {path}"):
        if _is_there(path) and not path.is_file():
            raise ReconcilerError(f"{path} is not a file, so no secret can be delivered to it")
        folder = next(each for each in path.parents if _is_there(each))
        with temporary_in(folder) as (descriptor, _), os.fdopen(descriptor, "wb"):
            take_over(descriptor, path)


@contextmanager
def _os_errors_as(message: str, kind: type[ReconcilerError] = ReconcilerError) -> Iterator[None]:
    """Convert an `OSError` to an error with this message, without its traceback, whose frames may have the value."""
    try:
        yield
    except OSError as error:
        raise kind(f"{message}: {error.strerror or type(error).__name__}") from None


def _is_there(path: Path) -> bool:
    """Whether a path exists. Unlike `Path.exists`, raises other errors."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def write(path: Path, text: str) -> Undo:
    """Replace a file; a new one is readable by its owner only.

    Raises:
        ReconcilerError: the file cannot be written, and is unchanged.
    """
    with _os_errors_as(f"no secret can be delivered to {path}"):
        before = path.read_bytes() if path.exists() else None
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(path, text, keeps_owner=True)
    return lambda: _restore(path, text.encode(), before)


def kubernetes_secret(wanted: ToKubernetesSecret, value: Secret) -> str:
    """The manifest of a Secret. Source: Kubernetes documentation, "Secrets": values below `data` are base64."""
    metadata = {"name": wanted.name} | ({"namespace": wanted.namespace} if wanted.namespace else {})
    data = {wanted.key: base64.b64encode(value.reveal().encode()).decode("ascii")}
    entries: dict[str, Json] = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": "Opaque",
        "data": data,
    }
    return "".join(f"{line}\n" for line in block(entries, 0, YamlStyle()))


def kubernetes_value_in(path: Path) -> Secret:
    """The value in a file of `kubernetes_secret`, on its last line; raises as `text_in`."""
    _, _, encoded = text_in(path).rstrip().rpartition(": ")
    return Secret(base64.b64decode(encoded.strip('"'), validate=True).decode("utf-8"))


def text_in(path: Path) -> str:
    """The text of a regular file of limited size.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not a regular file, or is too large.
    """
    if not path.is_file() or path.stat().st_size > _MAX_BYTES:
        raise ValueError(f"{path} is not a file with a secret")
    return path.read_text(encoding="utf-8")


def open_to_append(path: Path) -> int:
    """Open a file of another program for appending; refuses pipes and devices without blocking.

    Raises:
        ReconcilerError: it is not a writable file.
    """
    with _os_errors_as(f"no secret can be delivered to {path}"):
        return open_regular(path, os.O_RDWR | os.O_APPEND)


def _restore(path: Path, ours: bytes, before: bytes | None) -> None:
    """Restore the content of a file before a delivery; None: the file did not exist."""
    with _os_errors_as(f"{path} still has the value"):
        if path.read_bytes() != ours:
            raise ReconcilerError(f"{path} has changed since and was not restored")
        if before is None:
            path.unlink()
        else:
            replace_file(path, before, keeps_owner=True)


def check_variable(path: Path, variable: str) -> None:
    """Check that a variable can be set in a file, without writing; raises as `set_variable`."""
    _with_variable(path, variable, Secret("any"))


def set_variable(path: Path, variable: str, value: Secret) -> Undo:
    """Set a variable in a dotenv file.

    Raises:
        ReconcilerError: the file cannot be read or written, or is not a dotenv file; it is unchanged.
    """
    old, new, text = _with_variable(path, variable, value)
    restore = write(path, text)

    def undo() -> None:
        if _env_text(path) == text:
            restore()
        else:
            _unset(path, variable, new, old)

    return undo


def _with_variable(path: Path, variable: str, value: Secret) -> tuple[list[str], list[str], str]:
    """The pieces that set a variable in a file, the new pieces, and the text with the new pieces."""
    before = _env_text(path)
    old = _bindings(before, variable)
    new = [_line(one, variable, value) for one in old] or [_line(_new_line_piece(before), variable, value)]
    text = _with_lines(before, variable, new)
    found = _value(text, variable)
    if found is None or not found.equals(value):
        message = f"{path} is not a valid dotenv file: {variable} would not get the value that is set"
        raise ReconcilerError(message, hint="look for an unclosed quote")
    return old, new, text


def variable_in(path: Path, variable: str) -> Secret | None:
    """The value of a variable in a dotenv file; raises as `text_in`."""
    return _value(text_in(path), variable)


def _value(text: str, variable: str) -> Secret | None:
    value = next((value for key, value, _ in reversed(_parts(text)) if key == variable), None)
    return Secret(value) if value else None


def _unset(path: Path, variable: str, ours: Sequence[str], before: Sequence[str]) -> None:
    """Restore the previous lines of a variable in a file that has changed elsewhere since.

    A file that is then empty was created by deliveries that are all undone, so it is removed.

    Args:
        path: the file.
        variable: the variable.
        ours: the pieces of the delivery.
        before: the pieces before the delivery.
    """
    text = _env_text(path)
    if [one.strip() for one in _bindings(text, variable)] != [one.strip() for one in ours]:
        raise ReconcilerError(f"{variable} in {path} has changed since and was not restored")
    left = _with_lines(text, variable, before or [""] * len(ours))
    with _os_errors_as(f"{path} still has the value"):
        if left:
            replace_file(path, left, keeps_owner=True)
        else:
            path.unlink()


def _env_text(path: Path) -> str:
    """The text of a dotenv file, empty if there is none; raises a `ReconcilerError` if it cannot be read."""
    with _os_errors_as(f"no secret can be delivered to {path}"):
        content = path.read_bytes() if path.exists() else b""
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ReconcilerError(f"{path} is not UTF-8 text, so no secret can be set in it") from None


def _parts(text: str) -> list[tuple[str | None, str | None, str]]:
    """Split a text into pieces, each after the variable that it sets and its value, if any.

    `dotenv_values` would write a line to stderr for each piece that sets nothing.
    """
    from dotenv.parser import parse_stream  # noqa: PLC0415  # only deliveries to dotenv files need it

    return [(one.key, one.value, one.original.string) for one in parse_stream(io.StringIO(text, newline=""))]


def _bindings(text: str, variable: str) -> list[str]:
    return [piece for key, _, piece in _parts(text) if key == variable]


def _with_lines(text: str, variable: str, lines: Sequence[str]) -> str:
    """Replace the pieces that set a variable; append the lines if there are none."""
    left = list(lines)
    pieces = [left.pop(0) if key == variable else piece for key, _, piece in _parts(text)]
    return "".join(pieces + left)


def _new_line_piece(text: str) -> str:
    """A piece for `_line` with the line ends that a line at the end of a text needs."""
    ending = "\r\n" if "\r\n" in text else "\n"
    return (ending if text and not text.endswith("\n") else "") + "x" + ending


def _line(piece: str, variable: str, value: Secret) -> str:
    """The line that sets a variable, with the blank lines and the line end of the piece that it replaces."""
    before = piece[: len(piece) - len(piece.lstrip())]
    ending = piece[len(piece.rstrip("\r\n")) :]
    export = "export " if piece.lstrip().startswith("export ") else ""
    text = value.reveal().replace("\\", "\\\\").replace("'", "\\'")
    return f"{before}{export}{variable}='{text}'{ending}"


def output_file(environ: Mapping[str, str]) -> Path:
    """The file in which the GitHub runner expects outputs.

    Raises:
        ReconcilerError: this is not a GitHub Actions job.
    """
    path = environ.get("GITHUB_OUTPUT")
    if not path:
        hint = "run this in a GitHub Actions job, or use another delivery"
        raise ReconcilerError("GITHUB_OUTPUT is not set, so no output can be set", hint=hint)
    return Path(path)


def set_output(path: Path, name: str, value: Secret, write_log: Callable[[str], None]) -> Undo:
    """Mask the value in the log, then set the output on a new line.

    Raises:
        ReconcilerError: the file cannot be written.
        PartlyDelivered: it was partly written.
    """
    text = value.reveal()
    shown = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    write_log(f"::add-mask::{shown}\n")
    end = f"end_{secrets.token_hex(16)}"  # random, so that no value can end the block
    block = f"{name}<<{end}\n{text}\n{end}\n".encode()
    descriptor = open_to_append(path)
    try:
        with _os_errors_as(f"no secret can be delivered to {path}", PartlyDelivered):
            written = _append(descriptor, block)
    finally:
        os.close(descriptor)
    return lambda: _remove(path, written, block)


def _append(descriptor: int, block: bytes) -> bytes:
    """Append a block on a new line; returns what was written. Unbuffered: closing the file must not write again."""
    size = os.fstat(descriptor).st_size
    ends_a_line = not size or (os.lseek(descriptor, size - 1, os.SEEK_SET) >= 0 and os.read(descriptor, 1) == b"\n")
    written = left = block if ends_a_line else b"\n" + block
    while left:
        left = left[os.write(descriptor, left) :]
    return written


def _remove(path: Path, written: bytes, block: bytes) -> None:
    """Remove what was written; if more was appended since, only the block."""
    with _os_errors_as(f"{path} still has the value"):
        left = path.read_bytes().removesuffix(written).replace(block, b"")
        replace_file(path.resolve(), left, keeps_owner=True)
