"""Which objects of a marketplace belong to a repository, where several repositories share it.

An object is judged by what the service has of it, so that it is judged alike whether or not a manifest names it.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import translate
from functools import lru_cache
from typing import Final

from reconciler.model.json import ABSENT, Absent, Json, is_array, same

_OTHER_THAN: Final = "not"


@dataclass(frozen=True, slots=True)
class Scope:
    """Patterns of addresses, and values in the extended properties of API clients: their IDs say nothing."""

    include: tuple[str, ...] = ()
    """``KIND/NAME`` with ``*``, ``?`` and ``[...]``; case does not count. Empty: everything."""
    exclude: tuple[str, ...] = ()
    xp: Mapping[str, Json] = field(default_factory=dict)
    """Key -> the value that it must have; ``{"not": [VALUE, ...]}``: it must have none of these, or be missing."""

    @property
    def is_everything(self) -> bool:
        """Whether the repository has the marketplace for itself."""
        return not (self.include or self.exclude or self.xp)

    def objection(self, kind: str, name: str) -> str:
        """Why an object of this name is out of scope; empty: it is not."""
        if self.include and not any(_matches(glob, kind, name) for glob in self.include):
            return f"no pattern of scope.include matches {kind}/{name}"
        excluding = next((glob for glob in self.exclude if _matches(glob, kind, name)), "")
        return f"{excluding} of scope.exclude matches {kind}/{name}" if excluding else ""

    def objection_to_xp(self, xp: Json) -> str:
        """The same of its extended properties."""
        known = xp if isinstance(xp, Mapping) else {}
        return "; ".join(
            why for key, wanted in self.xp.items() if (why := _unlike(key, known.get(key, ABSENT), wanted))
        )

    def document(self) -> Json:
        """As JSON."""
        return {"include": list(self.include), "exclude": list(self.exclude), "xp": dict(self.xp)}


def _matches(glob: str, kind: str, name: str) -> bool:
    """Kinds and names are compared apart: no name can pass for a kind."""
    of_kind, _, of_name = glob.partition("/")
    return matches(of_kind, kind) and matches(of_name, name)


def matches(glob: str, text: str) -> bool:
    """Whether all of a text is of a pattern, whatever the case."""
    return bool(_pattern(glob).match(text))


@lru_cache(maxsize=256)
def _pattern(glob: str) -> re.Pattern[str]:
    return re.compile(translate(glob), re.IGNORECASE)


def _unlike(key: str, value: Json | Absent, wanted: Json) -> str:
    is_missing = isinstance(value, Absent) or value is None
    found = f"xp.{key} is {'missing' if is_missing else json.dumps(value, ensure_ascii=False)}"
    others = wanted[_OTHER_THAN] if isinstance(wanted, Mapping) else None
    if not is_array(others):
        return "" if same(value, wanted) else f"{found}, and scope.xp requires {json.dumps(wanted, ensure_ascii=False)}"
    return f"{found}, which scope.xp excludes" if any(same(value, one) for one in others) else ""
