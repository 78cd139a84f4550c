"""One event <-> one line of a journal, whose hash covers the line before it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from reconciler.model.json import Json, canonical_text

FORMAT_VERSION: Final = "2.0"
NO_LINE: Final = "0" * 64
"""What the first line has for the hash of the line before it."""
_MEMBERS: Final = {"at": str, "event": str, "facts": dict, "hash": str, "line": int, "previous": str}


class NotALine(ValueError):
    """A text is not a line of a journal; the message says why and quotes nothing."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of a run."""

    line: int
    """Counted from 1, as an editor does."""
    at: str
    """UTC, ISO 8601 with microseconds and a Z."""
    event: str
    facts: Mapping[str, Json]
    previous: str
    """The hash of the line before it; 64 zeros in the first line."""
    hash: str
    """SHA-256 in hexadecimal over all other members in canonical JSON."""

    @classmethod
    def after(cls, last: "Entry | None", at: str, event: str, facts: Mapping[str, Json]) -> "tuple[Entry, str]":
        """Make the next line, and its text with its end, which is canonical JSON as well.

        What is not JSON, a secret above all, is refused with a TypeError.
        """
        line, previous = (last.line + 1, last.hash) if last else (1, NO_LINE)
        head, tail = _halves(line, at, event, facts, previous)
        sealed = _hash(head, tail)
        return cls(line, at, event, facts, previous, sealed), f'{head},"hash":"{sealed}",{tail}\n'

    @classmethod
    def of(cls, text: str) -> "Entry":
        """Read a line; whether its hash is right is `is_genuine`.

        Raises:
            NotALine: it has another form.
        """
        try:
            found: Any = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise NotALine("it is not JSON") from None
        if not isinstance(found, dict) or found.keys() != _MEMBERS.keys():
            raise NotALine("it has not the members of a journal's line")
        wrong = [name for name, shape in _MEMBERS.items() if type(found[name]) is not shape]
        if wrong:
            raise NotALine(f"its {wrong[0]} is of another type")
        return cls(**found)

    @property
    def is_genuine(self) -> bool:
        """Whether the line is as it was written."""
        try:
            return self.hash == _hash(*_halves(self.line, self.at, self.event, self.facts, self.previous))
        except ValueError:  # 1e999 is JSON, and no number that we would have written
            return False


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _halves(line: int, at: str, event: str, facts: Mapping[str, Json], previous: str) -> tuple[str, str]:
    """The canonical text of a line, parted at the comma where its hash belongs: facts may be long, and come once."""
    head = canonical_text({"at": at, "event": event, "facts": facts})
    tail = canonical_text({"line": line, "previous": previous})
    return head[:-1], tail[1:]


def _hash(head: str, tail: str) -> str:
    return hashlib.sha256(f"{head},{tail}".encode("ascii")).hexdigest()
