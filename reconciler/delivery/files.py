"""A secret -> a file: alone, as one line of a dotenv file, or as a Kubernetes manifest. The home of python-dotenv."""

import base64
import io
import json
import os
import re
import tempfile
from pathlib import Path
from typing import Final

from reconciler.atomic import replace_file
from reconciler.errors import ReconcilerError
from reconciler.model.delivery import ToKubernetesSecret
from reconciler.model.secret import Secret

_LONGEST: Final = 2**20
"""Bytes of a file that a delivery is read back from."""


def check(path: Path) -> None:
    """See whether a file can be written; makes the folder where there is none.

    Raises:
        ReconcilerError: it cannot.
    """
    if path.exists() and not path.is_file():
        raise ReconcilerError(f"{path} is no file, so no secret can be delivered to it")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _unwritable(path, error) from error


def write(path: Path, text: str) -> None:
    """Replace a file, which only its owner may read.

    Raises:
        ReconcilerError: it cannot be written; the old one is still there.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(path, text)
    except OSError as error:
        raise _unwritable(path, error) from None  # `from None`: its frames hold the text


def set_variable(path: Path, variable: str, value: Secret) -> None:
    """Set one variable of a dotenv file; all other lines stay as they are.

    Raises:
        ReconcilerError: the file cannot be read or written; the old one is still there.
    """
    from dotenv import set_key  # noqa: PLC0415  # only who delivers so needs it

    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            draft = Path(folder) / "env"
            draft.touch(mode=0o600)
            draft.write_text(before, encoding="utf-8")
            export = bool(re.search(rf"^\s*export\s+{variable}\s*=", before, re.MULTILINE))
            set_key(draft, variable, value.reveal(), quote_mode="always", export=export, encoding="utf-8")
            replace_file(path, draft.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise ReconcilerError(f"{path} is not UTF-8 text, so no secret can be set in it") from None
    except OSError as error:
        raise _unwritable(path, error) from None  # `from None`: its frames hold the text


def kubernetes_secret(wanted: ToKubernetesSecret, value: Secret) -> str:
    """Write the manifest of a Secret. Source: Kubernetes documentation, "Secrets": values below data are base64."""
    place = [f"  namespace: {json.dumps(wanted.namespace)}"] if wanted.namespace else []
    lines = [
        "apiVersion: v1",
        "kind: Secret",
        "metadata:",
        f"  name: {json.dumps(wanted.name)}",
        *place,
        "type: Opaque",
        "data:",
        f"  {json.dumps(wanted.key)}: {base64.b64encode(value.reveal().encode()).decode('ascii')}",
    ]
    return "\n".join(lines) + "\n"


def value_in(path: Path) -> Secret:
    """The value that `write` has left in a file.

    Raises:
        OSError: there is none.
        ValueError: it is not such a file.
    """
    return Secret(_text(path))


def variable_in(path: Path, variable: str) -> Secret | None:
    """The value that `set_variable` has left; raises as `value_in` does."""
    from dotenv import dotenv_values  # noqa: PLC0415  # see set_variable

    value = dotenv_values(stream=io.StringIO(_text(path)), interpolate=False).get(variable)
    return Secret(value) if value else None


def kubernetes_value_in(path: Path) -> Secret:
    """The value that `kubernetes_secret` has written, in its last line; raises as `value_in` does."""
    _, _, encoded = _text(path).rstrip().rpartition(": ")
    return Secret(base64.b64decode(encoded, validate=True).decode("utf-8"))


def _text(path: Path) -> str:
    """The text of a file such as we write; nothing that may be endless is opened."""
    if not path.is_file() or path.stat().st_size > _LONGEST:
        raise ValueError(f"{path} is no file with a secret")
    return path.read_text(encoding="utf-8")


def _unwritable(path: Path, error: OSError) -> ReconcilerError:
    return ReconcilerError(f"no secret can be delivered to {path}: {error.strerror or type(error).__name__}")


def append(path: str, text: str) -> None:
    """Add to a file that somebody else reads.

    Raises:
        ReconcilerError: it cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise _unwritable(Path(path), error) from None
