"""A seeding file of OrderCloud's own tools -> objects as the service would return them, and what is left out.

The format has ``Objects:`` with a list for each type of object, and ``Assignments:``. Files of different tools and
versions differ in what they leave out, in the case of ids and keys, and in the place of the lists; request bodies and
pages of the API are read, too. What cannot be used is reported and does not affect the rest.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Final

from reconciler.errors import InputError
from reconciler.kinds import DEFAULT_KIND, KINDS, Kind, Reference, secrecy, secret_fields
from reconciler.kinds.fields import PARTIES, member_of
from reconciler.kinds.references import references
from reconciler.manifests.schema import did_you_mean
from reconciler.manifests.secrets import redacted
from reconciler.manifests.yaml import parse
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Diagnostic, Place
from reconciler.model.json import Absent, Body, Json, get_at, is_array
from reconciler.model.reports import LeftOut
from reconciler.model.resource import LiveResource, LiveState
from reconciler.model.secret import Secret

_MEMBERS: Final[Mapping[str, tuple[str, str]]] = {
    "users": ("buyer", "user"),
    "usergroups": ("buyer", "group"),
    "supplierusers": ("supplier", "user"),
    "supplierusergroups": ("supplier", "group"),
}
"""Section, in lower case -> the type of company of its objects, and the type of object."""
_OBJECTS: Final = {(kind.section or f"{name}s").casefold(): name for name, kind in KINDS.items()}
_SINGLES: Final = {
    f"{name}{path.removeprefix(kind.path)}".casefold(): (name, one)
    for name, kind in KINDS.items()
    for one, path in kind.singles.items()
}
"""Section with a single object, in lower case -> its kind and the id that we use."""
_ASSIGNMENTS: Final = {
    (level.section or f"{name}Assignments").casefold(): name for name, kind in KINDS.items() for level in kind.levels
}
"""Section of assignments, in lower case -> the kind of the assigned objects."""
_PATHS: Final[Mapping[str, str]] = {
    "buyers": PARTIES["buyer"].path,
    "suppliers": PARTIES["supplier"].path,
    "adminusers": PARTIES["user"].path,
    **{section: KINDS[name].path for section, name in _OBJECTS.items()},
}
"""Section, in lower case -> the path of its objects in the API."""


@dataclass(slots=True)
class Held:
    """The objects of a file. Objects of a section that it lacks may exist in the service."""

    _lists: set[str] = field(default_factory=set)
    _objects: dict[tuple[str, str], Mapping[str, Json]] = field(default_factory=dict)
    """Path of the API and id, in lower case -> the object, with the names of its fields in lower case."""

    def add(self, section: str, entries: Iterable[Json]) -> None:
        """Keep the objects of a section, whose name is in lower case."""
        for one in map(_folded, entries):
            path = _PATHS.get(section, "")
            if section in _MEMBERS:
                company, word = _MEMBERS[section]
                path = member_of(company, str(one.get(f"{company}id")), word).path
            if path:
                self._lists.add(_list_of(path))
                self._objects[path.casefold(), str(one.get("id")).casefold()] = one

    def faults(self, kind: Kind, body: Body, marketplace: str) -> Iterator[str]:
        """The invalid references of an object. Lists, such as those of webhooks, may name objects that do not exist."""
        for (name, *index), to, value in references(kind, body, marketplace):
            if isinstance(value, str) and not index and (fault := self.fault(to, value)):
                yield f"{name}: {fault}"

    def fault(self, to: Reference, object_id: str) -> str:
        """What is wrong with a reference; empty: nothing that the file shows."""
        if _list_of(to.path) not in self._lists:
            return ""
        found = self._objects.get((to.path.casefold(), object_id.casefold()))
        if found is None:
            return f"there is no {to.noun} {object_id} in this file"
        name, wanted = to.demands or ("", "")
        is_of = found.get(name.casefold(), wanted)
        return "" if is_of == wanted else f"the {to.noun} {object_id} is of {name} {is_of}, and {wanted} is needed"


def _folded(entry: Json) -> Body:
    """The same with the names of its fields in lower case; of what is no object, nothing."""
    return {key: entry[name] for key, name in _first_names(entry).items()} if isinstance(entry, Mapping) else {}


def _list_of(path: str) -> str:
    """The path, the same for all companies."""
    parts = path.casefold().split("/")
    return f"/{parts[1]}//{parts[3]}" if len(parts) > 3 else path.casefold()  # noqa: PLR2004  # /buyers/ID/users


LIMIT: Final = 1 << 26
"""The maximum size of a file, in bytes: exports with products are larger than any manifest."""
_ALL_ASSIGNMENTS: Final = "assignments"
_MARKETPLACE: Final = "<MarketplaceID placeholder>"
"""What OrderCloud's own tool writes in place of the ID of the marketplace."""
_ITEMS: Final = "items"
"""A page of the API's own."""
_DEPTH: Final = 9
"""Mappings around a list; the format has two."""
_SHOWN_IN_FULL: Final = 3


@dataclass(frozen=True, slots=True)
class Seeds:
    """What a file holds."""

    live: LiveState
    left_out: Sequence[LeftOut]


def read_seeds(content: bytes, file: str) -> Seeds:
    """Read a seeding file, YAML or JSON.

    Raises:
        InputError: it is neither, or has nothing that can be managed.
    """
    found = _Sections()
    for data in _documents(content, file):
        found.walk(data, "", depth=0)
    if not found.objects:
        sections = ", ".join(f"{name}s" for name in KINDS)
        hint = f"a seeding file has Objects: with some of these in it: {sections}"
        raise InputError([Diagnostic(Place(file), "there is nothing to manage in this file", "no-objects", hint=hint)])
    kinds = dict.fromkeys([*found.objects, *found.assignments])
    resources = [one for kind in kinds for one in _of_kind(KINDS[kind], found.objects.get(kind, ()), found)]
    if found.others:
        found.leave(_sections(found.others), "business data, or of a kind that is not managed")
    return Seeds(LiveState(tuple(resources), _MARKETPLACE, frozenset(found.objects)), found.left_out)


def _documents(content: bytes, file: str) -> list[Json]:
    """Parse JSON as JSON, which has escapes that YAML lacks; but as YAML if a key is there twice, for its place."""
    try:
        return [json.loads(content.decode("utf-8-sig"), object_pairs_hook=_object_of)]
    except (ValueError, RecursionError) as error:
        is_repeated = isinstance(error, _Repeated)
    parsed = parse(content, file, LIMIT)
    if is_repeated and "duplicate-key" not in {one.rule for one in parsed.faults}:
        raise InputError([Diagnostic(Place(file), "an object has the same key twice", "duplicate-key")])
    if parsed.faults:
        raise InputError(tuple(redacted(parsed.faults, secret_fields())))
    return [document.data for document in parsed.documents]


class _Repeated(ValueError):
    """A key is given twice: one of the two values would be lost."""


def _object_of(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Repeated
    return found


@dataclass(slots=True)
class _Sections:
    """The lists of a file, by what is in them."""

    objects: dict[str, list[tuple[str, Json]]] = field(default_factory=dict)
    """Kind -> where each stands, and what it is."""
    assignments: dict[str, list[tuple[str, Json]]] = field(default_factory=dict)
    """The same of the assignments of the objects of a kind."""
    has_assignments: bool = False
    """Whether the file has assignments; pages of the API and request bodies do not."""
    others: dict[str, int] = field(default_factory=dict)
    """Name of a section -> how many members it has."""
    held: Held = field(default_factory=Held)
    left_out: list[LeftOut] = field(default_factory=list)

    def leave(self, what: str, why: str) -> None:
        """Report what cannot be used."""
        self.left_out.append(LeftOut(what, why))

    def walk(self, value: Json, at: str, depth: int) -> None:
        """Find lists at any depth of mappings, but not inside lists."""
        key = at.casefold()
        self.has_assignments |= key == _ALL_ASSIGNMENTS or key in _ASSIGNMENTS
        if is_array(value):
            self._take(value, at, depth)
        elif value is not None and (key in _OBJECTS or key in _ASSIGNMENTS) and not _leads_on(value):
            self.leave(at, "it is not a list")
        elif isinstance(value, Mapping) and key in _SINGLES:
            self._take_single(key, at, value)
        elif not depth and KINDS[DEFAULT_KIND].name_field.casefold() in _folded(value):
            self.objects.setdefault(DEFAULT_KIND, []).append(("the file", value))  # the body of one request
        elif isinstance(value, Mapping) and depth < _DEPTH:
            for name, member in value.items():
                self.walk(member, name, depth + 1)

    def _take(self, members: Sequence[Json], name: str, depth: int) -> None:
        entries = [(f"{name or 'list'}[{index}]", one) for index, one in enumerate(members)]
        key = name.casefold()
        is_page = depth <= 1 and key in {"", _ITEMS}
        self.held.add(key, (one for _, one in entries))
        if entries and (is_page or key in _OBJECTS):
            self.objects.setdefault(_OBJECTS.get(key, DEFAULT_KIND), []).extend(self._distinct(entries))
        elif key in _ASSIGNMENTS:
            self.assignments.setdefault(_ASSIGNMENTS[key], []).extend(self._distinct(entries))
        elif key in _SINGLES:
            for place, one in entries:
                self._take_single(key, place, one)
        elif entries:
            self.others[name] = self.others.get(name, 0) + len(entries)

    def _take_single(self, key: str, place: str, value: Json) -> None:
        kind, one = _SINGLES[key]
        entry = {**value, KINDS[kind].id_field: one} if isinstance(value, Mapping) else value
        self.objects.setdefault(kind, []).extend(self._distinct([(place, entry)]))

    def _distinct(self, entries: Iterable[tuple[str, Json]]) -> Iterator[tuple[str, Json]]:
        """The entries, of whose fields none has the name of another one in another case."""
        for place, entry in entries:
            if isinstance(entry, Mapping) and len(first := _first_names(entry)) != len(entry):
                for name in entry:
                    if name != (kept := first[name.casefold()]):
                        self.leave(f"{place} {name}", f"it has {kept}, too")
                yield place, {name: entry[name] for name in first.values()}
            else:
                yield place, entry


def _leads_on(value: Json) -> bool:
    """Whether lists may stand below it."""
    names = _folded(value).keys()
    return not names.isdisjoint([*_OBJECTS, *_ASSIGNMENTS, *_SINGLES, _ITEMS])


def _first_names(entry: Body) -> dict[str, str]:
    """Name of a field in lower case -> as it is given first."""
    return {name.casefold(): name for name in reversed([*entry])}


def _of_kind(kind: Kind, entries: Sequence[tuple[str, Json]], found: _Sections) -> Iterator[LiveResource]:
    """The objects of one kind, each with those who are assigned to it."""
    parties = _parties(kind, found)
    nobody: dict[str, tuple[str, ...]] = {level.name: () for level in kind.levels if found.has_assignments}
    taken: dict[str, str] = {}
    if kind.row_fields:
        entries = [(kind.section, _set_of(kind, kind.row_fields, entries, found))]
    for number, (place, entry) in enumerate(entries):
        resource = _object(kind, place, entry, f"entry-{number}", found)
        if resource is None:
            continue
        faults = [*found.held.faults(kind, resource.body, _MARKETPLACE)]
        if first := taken.get(resource.id.casefold()):
            faults = [f"it has the ID of {'an earlier one' if first == place else first}"]
        taken.setdefault(resource.id.casefold(), place)
        if faults:
            found.leave(place, "; ".join(faults))
        else:
            yield replace(resource, assignments={**nobody, **parties.get(resource.id.casefold(), {})})
    for one in parties:
        if one not in taken:
            found.leave(f"assignments of {one}", f"there is no such {kind.noun} in this file")


def _set_of(kind: Kind, names: tuple[str, str], entries: Sequence[tuple[str, Json]], found: _Sections) -> Body:
    """The set that rows make."""
    known = {one.name.casefold(): one.name for one in kind.table}
    groups: dict[str, list[Json]] = {}
    for place, entry in entries:
        group, member = (_folded(entry).get(name.casefold()) for name in names)
        if isinstance(group, str) and isinstance(member, str) and group and member:
            groups.setdefault(known.get(group.casefold(), group), []).append(member)
        else:
            found.leave(place, f"it has no {' or no '.join(names)}")
    return groups


def _sections(others: Mapping[str, int]) -> str:
    """``Products (12 entries), Buyers (1 entry) and 20 more sections (153 entries)``."""
    ordered = sorted(others.items(), key=lambda one: (-one[1], one[0]))
    told = [f"{name} ({_entries(count)})" for name, count in ordered[:_SHOWN_IN_FULL]]
    rest = ordered[_SHOWN_IN_FULL:]
    if not rest:
        return ", ".join(told)
    sections = "1 more section" if len(rest) == 1 else f"{len(rest)} more sections"
    return f"{', '.join(told)} and {sections} ({_entries(sum(count for _, count in rest))})"


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def _object(kind: Kind, place: str, entry: Json, key: str, found: _Sections) -> LiveResource | None:
    """One object; None where it is none."""
    if not isinstance(entry, Mapping):
        found.leave(place, "it is not a mapping")
        return None
    named = dict(_known(kind, place, entry, found))
    secrets = {name: Secret("there is one") for name in kind.secret_rows if _is_given(get_at(named, name.split("/")))}
    body = dict(secrecy.without(named, kind.secret_rows))
    called = f"{place} {body.get(kind.name_field)}" if isinstance(body.get(kind.name_field), str) else place
    for name, fault in kind.faults({kind.id_field: key, **body}).items():
        if body.pop(name, None) is not None:
            found.leave(f"{called} {name}", fault.split(": ", 1)[1])
    known = body.get(kind.id_field)
    object_id = kind.only_id or (known if isinstance(known, str) and known else key)
    return LiveResource(kind.name, object_id, body, secrets)


def _is_given(value: Json | Absent) -> bool:
    return bool(value) and not isinstance(value, Absent)


def _known(kind: Kind, place: str, entry: Body, found: _Sections) -> Iterator[tuple[str, Json]]:
    """The fields that the API has, by the names that it has for them."""
    names = {one.name.casefold(): one.name for one in kind.table} | {kind.id_field.casefold(): kind.id_field}
    owners = {name for name, one in kind.fields.items() if one.is_owner}
    for name, value in entry.items():
        known = names.get(name.casefold())
        if value == _MARKETPLACE and known not in owners:
            found.leave(f"{place} {name}", "it stands for the ID of the marketplace")
        elif known:
            yield known, value
        elif value is not None:
            reason = f"the API has no such field; {did_you_mean(name, names.values())}".rstrip("; ")
            found.leave(f"{place} {name}", reason)


def _parties(kind: Kind, found: _Sections) -> dict[str, dict[str, tuple[str, ...]]]:
    """Id of an object, case folded -> party -> ids."""
    parties: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    levels = kind.levels
    names = {name.casefold(): name for level in levels for name in level.fields}
    for place, entry in found.assignments.get(kind.name, ()):
        row = _named(entry, names) if isinstance(entry, Mapping) else {}
        one = next((known for level in levels if (known := level.object_id(row))), None)
        named = {level.name: text for level in levels if (text := level.found(row)) is not None}
        if not one or not named:
            found.leave(place, f"it names no {kind.noun}, or no party that it can be assigned to")
            continue
        targets = [to for level in levels if level.name in named for to in level.targets(named[level.name])]
        if faults := [fault for to in targets if (fault := found.held.fault(*to))]:
            found.leave(place, "; ".join(faults))
            continue
        for name, party in named.items():  # a row that is there twice says nothing new
            parties[one.casefold()][name].setdefault(party.casefold(), party)
    return {one: {name: (*ones.values(),) for name, ones in of_one.items()} for one, of_one in parties.items()}


def _named(entry: Body, names: Mapping[str, str]) -> Body:
    """The same with the names that the API has, on every level."""
    return {
        names.get(name.casefold(), name): _named(value, names) if isinstance(value, Mapping) else value
        for name, value in entry.items()
    }
