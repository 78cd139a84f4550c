"""What becomes of each live object when manifests are made of live ones."""

from dataclasses import dataclass
from enum import StrEnum

from reconciler.model.resource import Address


class Fate(StrEnum):
    """What an export does, or would do, with one object."""

    NEW = "new"
    """It gets a file of its own."""
    CHANGED = "changed"
    """Its manifest gets what is live."""
    SAME = "same"
    """Its manifest says what is live."""
    LEFT = "left out"
    """Nothing is written for it; the reasons are among what is left out."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that is not in a manifest."""

    what: str
    """A field, a section of a file, an object."""
    reason: str


@dataclass(frozen=True, slots=True)
class Exported:
    """One live object."""

    address: Address
    """Of an object that gets no manifest, its kind and its id."""
    fate: Fate
    title: str
    """The name that people know it by: an API client's AppName."""
    id: str = ""
    file: str = ""
    """As messages call it."""
    left_out: tuple[LeftOut, ...] = ()
