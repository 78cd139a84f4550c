"""A seeding file of OrderCloud's own tools -> API clients as the service would show them, and what is left out.

The format has ``Objects:`` with a list for each type of object, and ``Assignments:``. Files of many years and tools
differ in what they leave out, in the case of ids and keys, and in where they keep the lists; request bodies and pages
of the API are taken, too. Whatever cannot be used is told, and keeps nothing else from being taken.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from reconciler.errors import InputError
from reconciler.kinds import KINDS
from reconciler.manifests.schema import did_you_mean
from reconciler.manifests.yaml import parse
from reconciler.model.diagnostic import Diagnostic, Place
from reconciler.model.export import LeftOut
from reconciler.model.json import Body, Json, is_array
from reconciler.model.resource import LiveResource, LiveState
from reconciler.model.secret import Secret

LIMIT: Final = 1 << 26
"""Bytes in a file: exports of marketplaces with their products are larger than any manifest."""
_KIND: Final = KINDS["ApiClient"]
_CLIENTS: Final = "apiclients"
_ASSIGNMENTS: Final = "apiclientassignments"
_ALL_ASSIGNMENTS: Final = "assignments"
_ITEMS: Final = "items"
"""A page of the API's own."""
_DEPTH: Final = 9
"""Mappings around a list; the format has two."""
_SHOWN_IN_FULL: Final = 3


@dataclass(slots=True)
class Seeds:
    """What a file holds."""

    live: LiveState = field(default_factory=lambda: LiveState((), ""))
    left_out: list[LeftOut] = field(default_factory=list)


def read_seeds(content: bytes, file: str) -> Seeds:
    """Read a seeding file, YAML or JSON.

    Raises:
        InputError: it can be read as neither, or there are no API clients in it.
    """
    found = _Sections()
    for data in _documents(content, file):
        found.walk(data, "", depth=0)
    if not found.clients:
        hint = "a seeding file has Objects: with ApiClients: in it; so do the exports of OrderCloud's own tools"
        raise InputError([Diagnostic(Place(file), "there are no ApiClients in this file", "no-clients", hint=hint)])
    return _seeds(found)


def _documents(content: bytes, file: str) -> list[Json]:
    """JSON is read as such: its escapes are not all YAML's."""
    try:
        return [json.loads(content.decode("utf-8-sig"))]
    except (ValueError, RecursionError):
        parsed = parse(content, file, LIMIT)
    if parsed.faults:
        raise InputError(parsed.faults)
    return [document.data for document in parsed.documents]


@dataclass(slots=True)
class _Sections:
    """The lists of a file, by what is in them."""

    clients: list[tuple[str, Json]] = field(default_factory=list)
    """Where each stands, and what it is."""
    assignments: list[tuple[str, Json]] = field(default_factory=list)
    has_assignments: bool = False
    """Whether the file speaks of assignments at all; a page of the API or a request body does not."""
    others: dict[str, int] = field(default_factory=dict)
    """Name of a section -> how many members it has."""

    def walk(self, value: Json, at: str, depth: int) -> None:
        """Find lists wherever a file keeps them: mappings are gone through, members of lists are not."""
        self.has_assignments |= _key(at) in {_ALL_ASSIGNMENTS, _ASSIGNMENTS}
        if is_array(value):
            self._take(value, at, depth)
        elif isinstance(value, Mapping) and not depth and _key(_KIND.name_field) in map(_key, value):
            self.clients.append(("the file", value))  # the body of one request
        elif isinstance(value, Mapping) and depth < _DEPTH:
            for name, member in value.items():
                self.walk(member, name, depth + 1)

    def _take(self, members: Json, name: str, depth: int) -> None:
        entries = (
            [(f"{name or 'list'}[{index}]", one) for index, one in enumerate(members)] if is_array(members) else []
        )
        key = _key(name)
        if key == _CLIENTS or (depth <= 1 and key in {"", _ITEMS}):
            self.clients += entries
        elif key == _ASSIGNMENTS:
            self.assignments += entries
        elif entries:
            self.others[name] = self.others.get(name, 0) + len(entries)


def _seeds(found: _Sections) -> Seeds:
    seeds = Seeds()
    parties = _parties(found, seeds)
    levels = _KIND.assignments.levels if _KIND.assignments and found.has_assignments else ()
    nobody: dict[str, tuple[str, ...]] = {level.name: () for level in levels}
    taken: dict[str, str] = {}
    resources = []
    for number, (place, entry) in enumerate(found.clients):
        resource = _client(place, entry, f"entry-{number}", parties, seeds)
        if resource is None:
            continue
        resource = replace(resource, assignments={**nobody, **resource.assignments})
        first = taken.setdefault(resource.id.casefold(), place)
        if first == place:
            resources.append(resource)
        else:
            seeds.left_out.append(LeftOut(place, f"it has the ID of {first}"))
    ids = set(taken)
    seeds.left_out += [
        LeftOut(f"assignments of {one}", "there is no such API client in this file")
        for one in parties
        if one not in ids
    ]
    if found.others:
        seeds.left_out.append(LeftOut(_sections(found.others), "only API clients and their assignments are imported"))
    seeds.live = LiveState(tuple(resources), "")
    return seeds


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


def _client(
    place: str, entry: Json, key: str, parties: Mapping[str, Mapping[str, tuple[str, ...]]], seeds: Seeds
) -> LiveResource | None:
    """One API client; None where it is none."""
    if not isinstance(entry, Mapping):
        seeds.left_out.append(LeftOut(place, "it is not a mapping"))
        return None
    body = dict(_known(place, entry, seeds))
    secrets = {name: Secret("there is one") for name in _KIND.secret_fields if body.pop(name, None)}
    called = f"{place} {body.get(_KIND.name_field)}" if isinstance(body.get(_KIND.name_field), str) else place
    for name, fault in _KIND.faults({_KIND.id_field: key, **body}).items():
        if body.pop(name, None) is not None:
            seeds.left_out.append(LeftOut(f"{called} {name}", fault.split(": ", 1)[1]))
    known = body.get(_KIND.id_field)
    object_id = known if isinstance(known, str) and known else key
    return LiveResource(_KIND.name, object_id, body, secrets, parties.get(object_id.casefold(), {}))


def _known(place: str, entry: Body, seeds: Seeds) -> Iterator[tuple[str, Json]]:
    """The fields that the API has, by the names that it has for them."""
    names = {_key(name): name for name in (*_KIND.fields, *_KIND.read_only, *_KIND.secret_fields)}
    for name, value in entry.items():
        known = names.get(_key(name))
        if known:
            yield known, value
        elif value is not None:
            reason = f"the API has no such field; {did_you_mean(name, names.values())}".rstrip("; ")
            seeds.left_out.append(LeftOut(f"{place} {name}", reason))


def _parties(found: _Sections, seeds: Seeds) -> dict[str, dict[str, tuple[str, ...]]]:
    """Client id, case folded -> party -> ids."""
    parties: dict[str, dict[str, tuple[str, ...]]] = {}
    levels = _KIND.assignments.levels if _KIND.assignments else ()
    names = {_key(name): name for level in levels for name in level.fields}
    for place, entry in found.assignments:
        row = (
            {names.get(_key(name), name): value for name, value in entry.items()} if isinstance(entry, Mapping) else {}
        )
        client = next((level.object_id(row) for level in levels), None)
        named = {level.name: text for level in levels if (text := level.found(row)) is not None}
        if not client or not named:
            seeds.left_out.append(LeftOut(place, "it names no API client, or no buyer and no supplier"))
            continue
        of_client = parties.setdefault(client.casefold(), {})
        for name, one in named.items():
            of_client[name] = (*of_client.get(name, ()), one)
    return parties


def _key(name: str) -> str:
    return name.casefold()
