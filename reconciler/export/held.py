"""The sections of a seeding file -> what they hold, so that what its rows refer to can be looked for."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from reconciler.kinds import KINDS, Kind, Reference
from reconciler.kinds.fields import PARTIES, member_of
from reconciler.kinds.references import references
from reconciler.model.json import Body, Json

_MEMBERS: Final[Mapping[str, tuple[str, str]]] = {
    "users": ("buyer", "user"),
    "usergroups": ("buyer", "group"),
    "supplierusers": ("supplier", "user"),
    "supplierusergroups": ("supplier", "group"),
}
"""Section, in lower case -> the company that each of its objects is of, and what the object is."""
_PATHS: Final[Mapping[str, str]] = {
    "buyers": PARTIES["buyer"].path,
    "suppliers": PARTIES["supplier"].path,
    "adminusers": PARTIES["user"].path,
    **{(kind.section or f"{name}s").casefold(): kind.path for name, kind in KINDS.items()},
}
"""Section, in lower case -> the path of its objects in the API."""


@dataclass(slots=True)
class Held:
    """The objects of a file. Of a section that it lacks nothing can be said: the service may have the objects."""

    _lists: set[str] = field(default_factory=set)
    _objects: dict[tuple[str, str], Mapping[str, Json]] = field(default_factory=dict)
    """Path of the API and id, in lower case -> the object, with the names of its fields in lower case."""

    def add(self, section: str, entries: Iterable[Json]) -> None:
        """Keep the objects of a section."""
        for entry in entries:
            one = {name.casefold(): value for name, value in entry.items()} if isinstance(entry, Mapping) else {}
            path = _PATHS.get(section.casefold(), "")
            if section.casefold() in _MEMBERS:
                company, word = _MEMBERS[section.casefold()]
                path = member_of(company, str(one.get(f"{company}id")), word).path
            if path:
                self._lists.add(_list_of(path))
                self._objects[path.casefold(), str(one.get("id")).casefold()] = one

    def faults(self, kind: Kind, body: Body, marketplace: str) -> Iterator[str]:
        """What is wrong with what an object refers to. A list may name what is gone, as those of webhooks do."""
        for (name, *index), to, value in references(kind, body, marketplace):
            if isinstance(value, str) and not index and (fault := self.fault(to, value)):
                yield f"{name}: {fault}"

    def fault(self, to: Reference, object_id: str) -> str:
        """What is wrong with a reference; empty: nothing, as far as the file says."""
        if _list_of(to.path) not in self._lists:
            return ""
        found = self._objects.get((to.path.casefold(), object_id.casefold()))
        if found is None:
            return f"there is no {to.noun} {object_id} in this file"
        name, wanted = to.demands or ("", "")
        is_of = found.get(name.casefold(), wanted)
        return "" if is_of == wanted else f"the {to.noun} {object_id} is of {name} {is_of}, and {wanted} is needed"


def _list_of(path: str) -> str:
    """The path, the same for all companies."""
    parts = path.casefold().split("/")
    return f"/{parts[1]}//{parts[3]}" if len(parts) > 3 else path.casefold()  # noqa: PLR2004  # /buyers/ID/users
