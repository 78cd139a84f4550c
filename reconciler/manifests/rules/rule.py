"""What a rule is, and what it finds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from reconciler.manifests.rules.stated import Stated


@dataclass(frozen=True, slots=True)
class Objection:
    """What a rule finds in one manifest."""

    pointer: str
    """JSON pointer into the manifest, to something that is there."""
    message: str
    """What is the case; why that is bad is the rule's reason."""
    hint: str
    """How to fix it."""
    is_certain: bool = True
    """Whether it holds whatever the service has in what the manifest leaves open."""


class Level(StrEnum):
    """How strictly a rule is taken."""

    ERROR = "error"
    WARNING = "warning"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    name: str
    reason: str
    """Why what it finds is bad: a sentence without capital and full stop, which follows a colon."""
    source: str
    """Where OrderCloud's public documentation says so; without a documented fact a rule is a warning."""
    check: Callable[[Stated], Iterable[Objection]]
    about: frozenset[str]
    """It has nothing to say of a manifest that names none of these fields and blocks."""
    level: Level = Level.WARNING
    """How strictly it is taken unless the configuration says otherwise."""
