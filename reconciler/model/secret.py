"""A secret value -> something that can be sent, and nothing else.

The value leaves this type by `reveal` only, which the transport calls while it writes the request.
"""

import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NoReturn

REDACTED: Final = "(secret)"


class Secret:
    """A value that cannot be printed, formatted, compared by ``==``, pickled, copied into JSON or logged."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """Give the value in clear. Only code that writes a request body or a delivery may call this."""
        return self.__value

    def fingerprint(self, key: bytes) -> str:
        """HMAC-SHA-256 in hexadecimal: tells the holder of the key 'the same value as then', and others nothing."""
        return hmac.new(key, self.__value.encode(), hashlib.sha256).hexdigest()

    def equals(self, other: "Secret") -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(self.__value.encode(), other.reveal().encode())

    def __repr__(self) -> str:
        return REDACTED

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("secrets are compared by equals(), in constant time")

    __hash__ = None  # type: ignore[assignment]  # a hash could be printed, and would key a dict that is

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled or copied")


class SecretSource(StrEnum):
    """Where a manifest says that a secret is to be taken from."""

    ENVIRONMENT = "fromEnv"
    FILE = "fromFile"


@dataclass(frozen=True, slots=True)
class SecretReference:
    """``{fromEnv: NAME}`` or ``{fromFile: PATH}``: the intent to set a secret, free of its value."""

    source: SecretSource
    name: str

    def __str__(self) -> str:
        return f"{{{self.source}: {self.name}}}"
