"""What is delivered: a secret and whose it is."""

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.model.resource import Address
from reconciler.model.secret import Secret


@dataclass(frozen=True, slots=True)
class Parcel:
    """One new secret."""

    address: Address
    client_id: str
    name: str
    """Of a named secret, or the field of a legacy one."""
    value: Secret

    @property
    def facts(self) -> Mapping[str, str]:
        """What a command is told of it."""
        return {
            "RECONCILER_ADDRESS": str(self.address),
            "RECONCILER_CLIENT_ID": self.client_id,
            "RECONCILER_SECRET_NAME": self.name,
        }
