"""References to secrets -> their values, read at the last moment, and only where the environment allows it."""

import os
import stat
from collections.abc import Collection, Mapping
from dataclasses import field
from typing import Final

from reconciler.errors import ReconcilerError, SecretMissing
from reconciler.manifests.files import AllowedPaths
from reconciler.manifests.replacing import AS_IT_IS
from reconciler.model.dataclass import dataclass
from reconciler.model.secret import Secret, SecretReference, SecretSource, is_own_variable, unsendable

_LONGEST: Final = 65_536
"""Bytes of a file with a secret."""


@dataclass(frozen=True, slots=True)
class Resolver:
    """Looks up references. Called with one, it gives the value or raises a `ReconcilerError` that names no value."""

    allowed_paths: AllowedPaths
    """Where files may be read."""
    allowed: Collection[str]
    """The environment variables that may be read."""
    own: Collection[SecretReference] = ()
    """What the reconciler itself logs in with: never given out, whoever allows it."""
    variables: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def __call__(self, reference: SecretReference) -> Secret:
        """Give the value. A saved plan may name anything, so what the loader has checked is checked again."""
        if self._is_own(reference):
            raise ReconcilerError(f"{reference} holds the reconciler's own credentials, which no manifest may use")
        if reference.source is SecretSource.ENVIRONMENT and reference.name not in self.allowed:
            hint = f"add {reference.name} to secrets.allow of the environment"
            raise ReconcilerError(f"the environment does not allow the secret {reference.name}", hint=hint)
        return value_of(reference, self.allowed_paths, self.variables)

    def _is_own(self, reference: SecretReference) -> bool:
        if reference.source is not SecretSource.FILE:
            return reference in self.own or is_own_variable(reference.name)
        target = (self.allowed_paths.root / reference.name).resolve()
        files = [one.name for one in self.own if one.source is SecretSource.FILE]
        return any((self.allowed_paths.root / name).resolve() == target for name in files)


def value_of(reference: SecretReference, allowed_paths: AllowedPaths, variables: Mapping[str, str]) -> Secret:
    """Read what a reference stands for, whoever wrote it.

    Less the byte order mark and the line end that an editor or a shell left on it.

    Raises:
        SecretMissing: there is nothing.
        ReconcilerError: there is something that may not be read, or that is no secret.
    """
    if reference.source is SecretSource.ENVIRONMENT:
        secret = _of_variable(reference.name, variables)
    else:
        secret = _of_file(allowed_paths, reference.name)
    if secret.is_placeholder:
        message = f"{reference} gives a placeholder for a hidden secret; sending it would make it the secret"
        raise ReconcilerError(message, hint="give the real secret")
    return secret


def _of_variable(name: str, variables: Mapping[str, str]) -> Secret:
    if name not in variables:
        raise SecretMissing(f"the environment variable {name} is not set")
    return _secret(variables[name], f"the environment variable {name}")


def _of_file(allowed_paths: AllowedPaths, name: str) -> Secret:
    path, about = allowed_paths.at(name), f"the secret file {name}"
    try:
        descriptor = os.open(path, os.O_RDONLY | AS_IT_IS)  # a pipe would be waited for
    except OSError as error:
        raise SecretMissing(f"{about} cannot be read: {error.strerror}") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ReconcilerError(f"{about} is not a regular file")
        content = os.read(descriptor, _LONGEST + 1)
    except OSError as error:
        raise SecretMissing(f"{about} cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)
    if len(content) > _LONGEST:
        raise ReconcilerError(f"{about} has more than {_LONGEST:,} bytes, too long for a secret")
    return _secret(content.decode("utf-8", "surrogateescape"), about)


def _secret(text: str, about: str) -> Secret:
    value = text.removeprefix("\ufeff").rstrip("\r\n")
    if not value.strip():
        raise SecretMissing(f"{about} is empty")
    if fault := unsendable(value):
        raise ReconcilerError(
            f"{about} {fault}, so it cannot be sent as a secret", hint="a secret is one line of UTF-8 text"
        )
    return Secret(value)
