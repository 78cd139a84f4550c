"""What a kind has besides fields: how its objects get ids, named secrets, and what keeps them from being deleted."""

from collections.abc import Mapping
from enum import Enum
from typing import Final
from urllib.parse import quote

from reconciler.model.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class NamedSecrets:
    """Where the service keeps the named secrets of an object, whose values it shows once, when it makes them."""

    path: str
    """Below an object's own path."""
    value_field: str
    """The field of the value, in the answer to the POST."""
    limit: int
    """How many an object can have."""
    doors: tuple[str, ...]
    """The flags by which an object lets parties in; with a secret, it demands it of them."""
    open_field: str
    """The flag of an object that is meant to be open without any."""
    name_field: str = "Name"
    expiry_field: str = "Expiration"

    def of(self, kind_path: str, object_id: str) -> str:
        """The collection of one object's secrets; its id percent-encoded."""
        return f"{kind_path}/{quote(object_id, safe='')}/{self.path}"


@dataclass(frozen=True, slots=True)
class Dependent:
    """Something of the service that keeps an object from being deleted while it refers to it."""

    noun: str
    path: str
    field: str
    """Holds the object's id."""
    role: str
    """What the login needs for looking."""
    is_single: bool = False
    """There is at most one, at the path itself."""


class IdChoice(Enum):
    """Who chooses the id of an object."""

    SERVICE = "service"
    """The service, when it creates the object."""
    CHOSEN = "chosen"
    """Whoever creates the object: it is metadata.id, else metadata.name, and PUT to an unknown id creates."""
    SINGLE = "single"
    """Nobody: a marketplace has one at most, at the path itself (EntitySync: one for each entity, below it)."""
    SET = "set"
    """Nobody: one document holds all of them."""


ABOUT_ID: Final[Mapping[IdChoice, str]] = {
    IdChoice.CHOSEN: "The ID that it has in OrderCloud. Left out: the same as metadata.name. For an environment with "
    "another one, use ids in reconciler.yaml: it wins.",
    IdChoice.SINGLE: "Read-only: a marketplace has only one, without an ID.",
    IdChoice.SET: "Read-only: one manifest holds all of them, without an ID.",
}
"""What metadata.id is."""
