"""Names that people gave to live objects -> names of manifests: readable, unique, the same in every export."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from typing import Final

_LONGEST: Final = 60
_DIGITS: Final = 8
"""Of an id: enough to tell a handful of objects apart."""
_RESERVED: Final = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
)
"""Names that Windows has for devices: no file can be called so, with whatever suffix."""


def names(objects: Mapping[str, str], taken: Collection[str], nameless: str) -> Mapping[str, str]:
    """Give each object a name of its own.

    Two objects whose names come to the same get a part of their ids, both of them: so neither is called otherwise when
    the other one comes or goes.

    Args:
        objects: id -> what people call it.
        taken: names that others have.
        nameless: what an object without a usable name is called.
    """
    plain = {one: slug(title) for one, title in objects.items()}
    counts = Counter(plain.values())
    found: dict[str, str] = {}
    used = set(taken)
    for one in sorted(objects):
        name = plain[one]
        choices = [name] if name and counts[name] == 1 and name not in _RESERVED else []
        found[one] = _first_free(chain(choices, _with_id(name or nameless, one)), used)
        used.add(found[one])
    return found


def slug(text: str) -> str:
    """Small letters and digits with dashes between, ``Café (EU)`` -> ``cafe-eu``; empty where none are left."""
    ascii_only = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^a-z0-9]+", "-", ascii_only)[:_LONGEST].strip("-")


def _with_id(name: str, object_id: str) -> Iterable[str]:
    digits = slug(object_id)
    yield f"{name}-{digits[:_DIGITS]}".strip("-")
    whole = f"{name}-{digits}".strip("-")
    yield whole
    number = 2
    while True:
        yield f"{whole}-{number}"
        number += 1


def _first_free(choices: Iterable[str], used: Collection[str]) -> str:
    return next(choice for choice in choices if choice not in used)
