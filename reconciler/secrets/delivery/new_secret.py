"""What is delivered: a secret and whose it is; and a way to undo a delivery."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from reconciler.errors import ReconcilerError
from reconciler.manifests.replacing import replace_file
from reconciler.model.resource import Address
from reconciler.model.secret import Secret


@dataclass(frozen=True, slots=True)
class NewSecret:
    """One new secret."""

    address: Address
    client_id: str
    name: str
    """Of a named secret, or the field of a legacy one."""
    value: Secret

    @property
    def facts(self) -> Mapping[str, str]:
        """What a command gets in its environment."""
        return {
            "RECONCILER_ADDRESS": str(self.address),
            "RECONCILER_CLIENT_ID": self.client_id,
            "RECONCILER_SECRET_NAME": self.name,
        }


Undo: TypeAlias = Callable[[], None]
"""Takes a delivery back, or raises a `ReconcilerError`."""


def put_back(path: Path, ours: bytes, before: bytes | None) -> Undo:
    """Restore the content that a file had before a delivery; None: there was no such file."""

    def undo() -> None:
        try:
            if path.read_bytes() != ours:
                raise ReconcilerError(f"{path} has been changed since, and was left as it is")
            if before is None:
                path.unlink()
            else:
                replace_file(path, before, keeps_owner=True)
        except OSError as error:
            raise cannot(path, error) from None

    return undo


def cannot(path: Path, error: OSError) -> ReconcilerError:
    """Say that a file could not be restored; its frames hold the value."""
    return ReconcilerError(f"{path} still has the value: {error.strerror or type(error).__name__}")
