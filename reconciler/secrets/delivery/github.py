"""A secret -> an output of the present step of a GitHub Actions job, masked in its log before anything else.

Source: GitHub documentation, "Workflow commands": ``::add-mask::``, and the file that GITHUB_OUTPUT names.
"""

import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from reconciler.errors import PartlyDelivered, ReconcilerError
from reconciler.manifests.replacing import replace_file
from reconciler.model.secret import Secret
from reconciler.secrets.delivery.files import open_to_append, unwritable
from reconciler.secrets.delivery.new_secret import Undo, cannot


def check(environ: Mapping[str, str]) -> None:
    """See whether there is a file in which the runner looks for outputs.

    Raises:
        ReconcilerError: there is none, or it cannot be written.
    """
    os.close(open_to_append(output_file(environ)))


def output_file(environ: Mapping[str, str]) -> Path:
    """Give the file in which the runner looks for outputs.

    Raises:
        ReconcilerError: this is no step of a GitHub Actions job.
    """
    path = environ.get("GITHUB_OUTPUT")
    if not path:
        hint = "run it in a GitHub Actions job, or give the secret another delivery"
        raise ReconcilerError("GITHUB_OUTPUT is not set, so that no output can be set", hint=hint)
    return Path(path)


def set_output(path: Path, name: str, value: Secret, tell: Callable[[str], None]) -> Undo:
    """Mask the value and then set the output, on a line of its own.

    Raises:
        ReconcilerError: the file cannot be written.
        PartlyDelivered: it was written in part.
    """
    text = value.reveal()
    tell(f"::add-mask::{_data(text)}\n")
    end = f"end_{secrets.token_hex(16)}"  # no value can end the block before its end
    block = f"{name}<<{end}\n{text}\n{end}\n".encode()
    descriptor = open_to_append(path)
    try:
        _append(descriptor, block)
    except OSError as error:
        raise PartlyDelivered(unwritable(path, error).message) from None
    finally:
        os.close(descriptor)
    return lambda: _take_back(path, block)


def _append(descriptor: int, block: bytes) -> None:
    """Write it after what is there, on a line of its own; unbuffered, or closing the file would try it once more."""
    size = os.fstat(descriptor).st_size
    ends_a_line = not size or (os.lseek(descriptor, size - 1, os.SEEK_SET) >= 0 and os.read(descriptor, 1) == b"\n")
    left = block if ends_a_line else b"\n" + block
    while left:
        left = left[os.write(descriptor, left) :]


def _take_back(path: Path, block: bytes) -> None:
    try:
        content = path.read_bytes()
        replace_file(path.resolve(), content.replace(block, b""), keeps_owner=True)
    except OSError as error:
        raise cannot(path, error) from None


def _data(line: str) -> str:
    return line.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
