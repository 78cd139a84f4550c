"""Read seeding files of OrderCloud's own tools as objects like those of the service.

The format has ``Objects:`` with a list for each type of object, and ``Assignments:``. Files of different tools and
versions differ in what they omit, in the case of ids and keys, and in the place of the lists. Request bodies and
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
from reconciler.render.wording import number

_MEMBERS: Final[Mapping[str, tuple[str, str]]] = {
    "users": ("buyer", "user"),
    "usergroups": ("buyer", "group"),
    "supplierusers": ("supplier", "user"),
    "supplierusergroups": ("supplier", "group"),
}
"""Section in lower case -> the type of company and the type of its objects."""
_OBJECTS: Final = {(kind.section or f"{name}s").casefold(): name for name, kind in KINDS.items()}
_SINGLE_OBJECTS: Final = {
    f"{name}{path.removeprefix(kind.path)}".casefold(): (name, one)
    for name, kind in KINDS.items()
    for one, path in kind.singles.items()
}
"""Section with a single object, in lower case -> its kind and its id here."""
_ASSIGNMENTS: Final = {
    (level.section or f"{name}Assignments").casefold(): name for name, kind in KINDS.items() for level in kind.levels
}
"""Section of assignments in lower case -> the kind of the assigned objects."""
_PATHS: Final[Mapping[str, str]] = {
    "buyers": PARTIES["buyer"].path,
    "suppliers": PARTIES["supplier"].path,
    "adminusers": PARTIES["user"].path,
    **{section: KINDS[name].path for section, name in _OBJECTS.items()},
}
"""Section in lower case -> the API path of its objects."""


@dataclass(slots=True)
class SeedObjects:
    """The objects of a file, to check references. Objects of a missing section may exist in the service."""

    _lists: set[str] = field(default_factory=set)
    _objects: dict[tuple[str, str], Mapping[str, Json]] = field(default_factory=dict)
    """API path and id in lower case -> the object, with its field names in lower case."""

    def add(self, section: str, entries: Iterable[Json]) -> None:
        """Add the objects of a section, whose name is in lower case."""
        for one in map(_with_folded_names, entries):
            path = _PATHS.get(section, "")
            if section in _MEMBERS:
                company, word = _MEMBERS[section]
                path = member_of(company, str(one.get(f"{company}id")), word).path
            if path:
                self._lists.add(_list_of(path))
                self._objects[path.casefold(), str(one.get("id")).casefold()] = one

    def faults(self, kind: Kind, body: Body, marketplace: str) -> Iterator[str]:
        """The faults of an object's references. Lists, such as those of webhooks, may name missing objects."""
        for (name, *index), to, value in references(kind, body, marketplace):
            if isinstance(value, str) and not index and (fault := self.fault(to, value)):
                yield f"{name}: {fault}"

    def fault(self, to: Reference, object_id: str) -> str:
        """The fault of a reference; empty if the file has none."""
        if _list_of(to.path) not in self._lists:
            return ""
        found = self._objects.get((to.path.casefold(), object_id.casefold()))
        if found is None:
            return f"there is no {to.noun} {object_id} in this file"
        name, wanted = to.required_value or ("", "")
        is_of = found.get(name.casefold(), wanted)
        return "" if is_of == wanted else f"the {to.noun} {object_id} has {name} {is_of}, but {wanted} is required"


def _with_folded_names(entry: Json) -> Body:
    """An object with its field names in lower case; empty for any other value."""
    return {key: entry[name] for key, name in _names_by_folded(entry).items()} if isinstance(entry, Mapping) else {}


def _list_of(path: str) -> str:
    """The path of a list without the id of its company."""
    parts = path.casefold().split("/")
    return f"/{parts[1]}//{parts[3]}" if len(parts) > 3 else path.casefold()  # noqa: PLR2004  # /buyers/ID/users


LIMIT: Final = 1 << 26
"""The maximum size of a file, in bytes: exports with products are larger than any manifest."""
_ALL_ASSIGNMENTS: Final = "assignments"
_MARKETPLACE: Final = "<MarketplaceID placeholder>"
"""The placeholder of OrderCloud's own tool for the ID of the marketplace."""
_ITEMS: Final = "items"
"""The list in a page of the API."""
_DEPTH: Final = 9
"""The maximum depth of a list; the format has two."""
_MAX_SECTIONS_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Seeds:
    """The content of a file."""

    live: LiveState
    left_out: Sequence[LeftOut]


def read_seeds(content: bytes, file: str) -> Seeds:
    """Read a seeding file, YAML or JSON.

    Raises:
        InputError: the file is invalid, or has no objects that can be managed.
    """
    found = _Sections()
    for data in _documents(content, file):
        found.walk(data, "", depth=0)
    if not found.objects:
        sections = ", ".join(kind.section or f"{name}s" for name, kind in KINDS.items())
        hint = f"a seeding file has Objects: with some of these sections: {sections}"
        message = "this file has no objects that can be managed"
        raise InputError([Diagnostic(Place(file), message, "no-objects", hint=hint)])
    kinds = dict.fromkeys([*found.objects, *found.assignments])
    resources = [one for kind in kinds for one in _resources(KINDS[kind], found.objects.get(kind, ()), found)]
    if found.others:
        found.leave_out(_sections(found.others), "business data or unmanaged kinds")
    return Seeds(LiveState(tuple(resources), _MARKETPLACE, frozenset(found.objects)), found.left_out)


def _documents(content: bytes, file: str) -> list[Json]:
    """Parse as JSON, which has escapes that YAML does not have; otherwise as YAML, also to locate duplicate keys."""
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
    """An object has a duplicate key, of which one value would be lost."""


def _object_of(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Repeated
    return found


@dataclass(slots=True)
class _Sections:
    """The lists of a file, by the kind of their objects."""

    objects: dict[str, list[tuple[str, Json]]] = field(default_factory=dict)
    """Kind -> the place and the value of each object."""
    assignments: dict[str, list[tuple[str, Json]]] = field(default_factory=dict)
    """Kind -> the place and the value of each assignment."""
    has_assignments: bool = False
    """Whether the file has assignments; pages of the API and request bodies do not."""
    others: dict[str, int] = field(default_factory=dict)
    """Other section -> its number of entries."""
    seed_objects: SeedObjects = field(default_factory=SeedObjects)
    left_out: list[LeftOut] = field(default_factory=list)

    def leave_out(self, what: str, why: str) -> None:
        """Report something that cannot be used."""
        self.left_out.append(LeftOut(what, why))

    def walk(self, value: Json, at: str, depth: int) -> None:
        """Find lists in nested mappings, but not inside lists."""
        key = at.casefold()
        self.has_assignments |= key == _ALL_ASSIGNMENTS or key in _ASSIGNMENTS
        if is_array(value):
            self._add_list(value, at, depth)
        elif value is not None and (key in _OBJECTS or key in _ASSIGNMENTS) and not _contains_lists(value):
            self.leave_out(at, "it is not a list")
        elif isinstance(value, Mapping) and key in _SINGLE_OBJECTS:
            self._add_single(key, at, value)
        elif not depth and KINDS[DEFAULT_KIND].name_field.casefold() in _with_folded_names(value):
            self.objects.setdefault(DEFAULT_KIND, []).append(("the file", value))  # the body of one request
        elif isinstance(value, Mapping) and depth < _DEPTH:
            for name, member in value.items():
                self.walk(member, name, depth + 1)

    def _add_list(self, members: Sequence[Json], name: str, depth: int) -> None:
        entries = [(f"{name or 'list'}[{index}]", one) for index, one in enumerate(members)]
        key = name.casefold()
        is_page = depth <= 1 and key in {"", _ITEMS}
        self.seed_objects.add(key, (one for _, one in entries))
        if entries and (is_page or key in _OBJECTS):
            self.objects.setdefault(_OBJECTS.get(key, DEFAULT_KIND), []).extend(self._distinct(entries))
        elif key in _ASSIGNMENTS:
            self.assignments.setdefault(_ASSIGNMENTS[key], []).extend(self._distinct(entries))
        elif key in _SINGLE_OBJECTS:
            for place, one in entries:
                self._add_single(key, place, one)
        elif entries:
            self.others[name] = self.others.get(name, 0) + len(entries)

    def _add_single(self, key: str, place: str, value: Json) -> None:
        kind, one = _SINGLE_OBJECTS[key]
        entry = {**value, KINDS[kind].id_field: one} if isinstance(value, Mapping) else value
        self.objects.setdefault(kind, []).extend(self._distinct([(place, entry)]))

    def _distinct(self, entries: Iterable[tuple[str, Json]]) -> Iterator[tuple[str, Json]]:
        """The entries, without fields whose names differ only in case from an earlier one."""
        for place, entry in entries:
            if isinstance(entry, Mapping) and len(first := _names_by_folded(entry)) != len(entry):
                for name in entry:
                    if name != (kept := first[name.casefold()]):
                        self.leave_out(f"{place} {name}", f"duplicate of {kept}")
                yield place, {name: entry[name] for name in first.values()}
            else:
                yield place, entry


def _contains_lists(value: Json) -> bool:
    """Whether it may contain lists of objects."""
    names = _with_folded_names(value).keys()
    return not names.isdisjoint([*_OBJECTS, *_ASSIGNMENTS, *_SINGLE_OBJECTS, _ITEMS])


def _names_by_folded(entry: Body) -> dict[str, str]:
    """Field name in lower case -> its first spelling."""
    return {name.casefold(): name for name in reversed([*entry])}


def _resources(kind: Kind, entries: Sequence[tuple[str, Json]], found: _Sections) -> Iterator[LiveResource]:
    """The objects of one kind with their assignments."""
    parties = _parties(kind, found)
    unassigned: dict[str, tuple[str, ...]] = {level.name: () for level in kind.levels if found.has_assignments}
    used_ids: dict[str, str] = {}
    if kind.row_fields:
        entries = [(kind.section, _set_from_rows(kind, kind.row_fields, entries, found))]
    for index, (place, entry) in enumerate(entries):
        resource = _object(kind, place, entry, f"entry-{index}", found)
        if resource is None:
            continue
        faults = [*found.seed_objects.faults(kind, resource.body, _MARKETPLACE)]
        if first := used_ids.get(resource.id.casefold()):
            faults = [f"it has the ID of {'an earlier one' if first == place else first}"]
        used_ids.setdefault(resource.id.casefold(), place)
        if faults:
            found.leave_out(place, "; ".join(faults))
        else:
            yield replace(resource, assignments={**unassigned, **parties.get(resource.id.casefold(), {})})
    for one in parties:
        if one not in used_ids:
            found.leave_out(f"assignments of {one}", f"there is no such {kind.noun} in this file")


def _set_from_rows(kind: Kind, names: tuple[str, str], entries: Sequence[tuple[str, Json]], found: _Sections) -> Body:
    """Combine rows into one object: group -> members."""
    known = {one.name.casefold(): one.name for one in kind.table}
    groups: dict[str, list[Json]] = {}
    for place, entry in entries:
        group, member = (_with_folded_names(entry).get(name.casefold()) for name in names)
        if isinstance(group, str) and isinstance(member, str) and group and member:
            groups.setdefault(known.get(group.casefold(), group), []).append(member)
        else:
            found.leave_out(place, f"it has no {' or no '.join(names)}")
    return groups


def _sections(others: Mapping[str, int]) -> str:
    """``Products (12 entries), Buyers (1 entry) and 20 more sections (153 entries)``."""
    ordered = sorted(others.items(), key=lambda one: (-one[1], one[0]))
    shown = [f"{name} ({_entries(count)})" for name, count in ordered[:_MAX_SECTIONS_SHOWN]]
    other_sections = ordered[_MAX_SECTIONS_SHOWN:]
    if not other_sections:
        return ", ".join(shown)
    sections = number(len(other_sections), "more section")
    return f"{', '.join(shown)} and {sections} ({_entries(sum(count for _, count in other_sections))})"


def _entries(count: int) -> str:
    return number(count, "entry", "entries")


def _object(kind: Kind, place: str, entry: Json, key: str, found: _Sections) -> LiveResource | None:
    """Convert an entry to an object; None if it is not one."""
    if not isinstance(entry, Mapping):
        found.leave_out(place, "it is not a mapping")
        return None
    named = dict(_api_fields(kind, place, entry, found))
    secrets = {name: Secret("there is one") for name in kind.secret_rows if _is_set(get_at(named, name.split("/")))}
    body = dict(secrecy.without(named, kind.secret_rows))
    label = f"{place} {body.get(kind.name_field)}" if isinstance(body.get(kind.name_field), str) else place
    for name, fault in kind.faults({kind.id_field: key, **body}).items():
        if body.pop(name, None) is not None:
            found.leave_out(f"{label} {name}", fault.split(": ", 1)[1])
    known = body.get(kind.id_field)
    object_id = kind.only_id or (known if isinstance(known, str) and known else key)
    return LiveResource(kind.name, object_id, body, secrets)


def _is_set(value: Json | Absent) -> bool:
    return bool(value) and not isinstance(value, Absent)


def _api_fields(kind: Kind, place: str, entry: Body, found: _Sections) -> Iterator[tuple[str, Json]]:
    """The fields that the API has, with its spelling of their names."""
    names = {one.name.casefold(): one.name for one in kind.table} | {kind.id_field.casefold(): kind.id_field}
    owners = {name for name, one in kind.fields.items() if one.is_owner}
    for name, value in entry.items():
        known = names.get(name.casefold())
        if value == _MARKETPLACE and known not in owners:
            found.leave_out(f"{place} {name}", "placeholder for the ID of the marketplace")
        elif known:
            yield known, value
        elif value is not None:
            reason = f"the API has no such field; {did_you_mean(name, names.values())}".rstrip("; ")
            found.leave_out(f"{place} {name}", reason)


def _parties(kind: Kind, found: _Sections) -> dict[str, dict[str, tuple[str, ...]]]:
    """Id of an object, case-folded -> level -> ids of the parties."""
    parties: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    levels = kind.levels
    names = {name.casefold(): name for level in levels for name in level.fields}
    for place, entry in found.assignments.get(kind.name, ()):
        row = _with_api_names(entry, names) if isinstance(entry, Mapping) else {}
        one = next((known for level in levels if (known := level.object_id(row))), None)
        named = {level.name: text for level in levels if (text := level.found(row)) is not None}
        if not one or not named:
            found.leave_out(place, f"it has no {kind.noun} ID, or no party that can be assigned")
            continue
        targets = [to for level in levels if level.name in named for to in level.targets(named[level.name])]
        if faults := [fault for to in targets if (fault := found.seed_objects.fault(*to))]:
            found.leave_out(place, "; ".join(faults))
            continue
        for name, party in named.items():  # duplicates have no effect
            parties[one.casefold()][name].setdefault(party.casefold(), party)
    return {one: {name: (*ones.values(),) for name, ones in of_one.items()} for one, of_one in parties.items()}


def _with_api_names(entry: Body, names: Mapping[str, str]) -> Body:
    """An entry with the API's spelling of field names, on every level."""
    return {
        names.get(name.casefold(), name): _with_api_names(value, names) if isinstance(value, Mapping) else value
        for name, value in entry.items()
    }
