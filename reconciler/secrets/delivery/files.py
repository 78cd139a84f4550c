"""A secret -> a file: alone, or as a Kubernetes manifest."""

import base64
import json
import os
import stat
from pathlib import Path
from typing import Final

from reconciler.errors import ReconcilerError
from reconciler.manifests.replacing import AS_IT_IS, replace_file, take_over, temporary_in
from reconciler.model.delivery import ToKubernetesSecret
from reconciler.model.secret import Secret
from reconciler.secrets.delivery.new_secret import Undo, put_back

_LONGEST: Final = 2**20
"""Bytes of a file that a delivery is read back from."""


def check(path: Path) -> None:
    """See whether a file can be written; makes nothing.

    Raises:
        ReconcilerError: it cannot.
    """
    try:
        if _is_there(path) and not path.is_file():
            raise ReconcilerError(f"{path} is not a file, so no secret can be delivered to it")
        folder = next(each for each in path.parents if _is_there(each))
        with temporary_in(folder) as (descriptor, _), os.fdopen(descriptor, "wb"):
            take_over(descriptor, path)
    except OSError as error:
        raise unwritable(path, error) from error


def _is_there(path: Path) -> bool:
    """Whether there is something; unlike `Path.exists`, an error other than its absence is raised."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def write(path: Path, text: str) -> Undo:
    """Replace a file; a new one may be read by its owner only.

    Raises:
        ReconcilerError: it cannot be written; the old one is still there.
    """
    try:
        before = path.read_bytes() if path.exists() else None
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(path, text, keeps_owner=True)
    except OSError as error:
        raise unwritable(path, error) from None  # `from None`: its frames hold the text
    return put_back(path, text.encode(), before)


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
    return Secret(text_in(path))


def kubernetes_value_in(path: Path) -> Secret:
    """The value that `kubernetes_secret` has written, in its last line; raises as `value_in` does."""
    _, _, encoded = text_in(path).rstrip().rpartition(": ")
    return Secret(base64.b64decode(encoded, validate=True).decode("utf-8"))


def text_in(path: Path) -> str:
    """The text of a file such as we write; nothing that may be endless is opened."""
    if not path.is_file() or path.stat().st_size > _LONGEST:
        raise ValueError(f"{path} is no file with a secret")
    return path.read_text(encoding="utf-8")


def unwritable(path: Path, error: OSError) -> ReconcilerError:
    """Say that no secret can go to a file."""
    return ReconcilerError(f"no secret can be delivered to {path}: {error.strerror or type(error).__name__}")


def open_to_append(path: Path) -> int:
    """Open a file that somebody else made and reads; a pipe or a device is refused, not waited for.

    Raises:
        ReconcilerError: it is not a file that can be written.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | AS_IT_IS)
    except OSError as error:
        raise unwritable(path, error) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ReconcilerError(f"no secret can be delivered to {path}: it is not a regular file")
    return descriptor
