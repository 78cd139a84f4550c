"""References to secrets -> their values, read at the last moment, and only where the environment allows it."""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import ReconcilerError
from reconciler.model.secret import Secret, SecretReference, SecretSource


@dataclass(frozen=True, slots=True)
class Resolver:
    """Looks up references. Called with one, it gives the value or raises a `ReconcilerError` that names no value."""

    root: Path
    """The folder that files are relative to, and that they may not be outside of."""
    allowed: Collection[str]
    """The environment variables that may be read."""

    def __call__(self, reference: SecretReference) -> Secret:
        """Give the value. A saved plan may name anything, so what the loader has checked is checked again."""
        if reference.source is SecretSource.ENVIRONMENT and reference.name not in self.allowed:
            hint = f"add {reference.name} to secrets.allow of the environment"
            raise ReconcilerError(f"the environment does not allow the secret {reference.name}", hint=hint)
        return value_of(reference, self.root)


def value_of(reference: SecretReference, root: Path) -> Secret:
    """Read what a reference stands for, whoever wrote it, without the line end that an editor or a shell left on it.

    Raises:
        ReconcilerError: there is nothing, or nothing that may be read.
    """
    if reference.source is SecretSource.ENVIRONMENT:
        return _of_variable(reference.name)
    return _of_file(root, reference.name)


def _of_variable(name: str) -> Secret:
    value = os.environ.get(name, "").rstrip("\r\n")
    if not value:
        state = "is empty" if name in os.environ else "is not set"
        raise ReconcilerError(f"the environment variable {name} {state}; it should hold a secret")
    return Secret(value)


def _of_file(root: Path, name: str) -> Secret:
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()):
        raise ReconcilerError(f"the secret file {name} lies outside of {root}")
    try:
        value = path.read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ReconcilerError(f"the secret file {name} is not UTF-8 text") from None  # its error quotes the bytes
    except OSError as error:
        raise ReconcilerError(f"the secret file {name} cannot be read: {error.strerror}") from error
    if not value:
        raise ReconcilerError(f"the secret file {name} is empty")
    return Secret(value)
