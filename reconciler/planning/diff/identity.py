"""Manifests x live objects -> which is which, and what their references name.

Where people choose the ids, an object is the one of the id that the environment or the manifest knows, else of the
manifest's name. Where the service makes them, the first hit wins:

1. the id that the environment or the manifest knows
2. the manifest's own id, where the one that the environment knows is not live
3. the one live object in scope whose name (an API client's ``AppName``) equals exactly
4. the id that we would create it with: it was created so earlier, and renamed since
"""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from reconciler.errors import InputError
from reconciler.kinds import KINDS, Kind, outside
from reconciler.kinds.fields import Reference
from reconciler.kinds.references import referred, with_references
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.json import Json, pointer
from reconciler.model.plan import known_after
from reconciler.model.reports import Candidate
from reconciler.model.resource import Address, DesiredResource, DesiredState, LiveResource, LiveState, ObjectKey
from reconciler.model.scope import Scope

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "ordercloud-reconciler")


def derived_id(marketplace: str, name: str) -> str:
    """The id that a new object gets where nobody chose one: the same wherever and however often it is computed.

    The service writes the marketplace's own id in either case, too.
    """
    return str(uuid.uuid5(_NAMESPACE, f"{marketplace.casefold()}/{name}")).upper()


def new_id(resource: DesiredResource, marketplace: str) -> str:
    """The id that the object of a manifest is created with."""
    if resource.id:
        return resource.id
    name = resource.address.name
    return name if KINDS[resource.address.kind].has_chosen_ids else derived_id(marketplace, name)


def match(desired: DesiredState, live: LiveState) -> dict[Address, LiveResource | None]:
    """Find the live object of every manifest.

    Raises:
        InputError: with every ambiguity, each at its manifest's place.
    """
    finder = Finder(live, desired.scope)
    looks = {resource.address: finder.look(resource) for resource in desired.resources}
    matches = {address: look.found for address, look in looks.items()}
    faults = [
        ambiguity(resource, looks[resource.address].listed(KINDS[resource.address.kind]), KINDS[resource.address.kind])
        for resource in desired.resources
        if looks[resource.address].is_ambiguous
    ]
    faults += _odd(desired, matches)
    claims: dict[ObjectKey, list[DesiredResource]] = defaultdict(list)
    for resource in desired.resources:
        found = matches[resource.address]
        if found:
            claims[found.key].append(resource)
    faults += [rivalry(first, other) for first, *others in claims.values() for other in others]
    if faults:
        raise InputError(faults)
    return matches


def require_valid(desired: DesiredState, live: LiveState) -> None:
    """Refuse manifests whose live object has fields of unexpected types: nobody knows what it is.

    Raises:
        InputError: with every such manifest.
    """
    finder = Finder(live, desired.scope)
    faults = _odd(desired, {one.address: finder.look(one).found for one in desired.resources})
    if faults:
        raise InputError(faults)


def _odd(desired: DesiredState, matches: Mapping[Address, LiveResource | None]) -> list[Diagnostic]:
    return [
        Diagnostic(
            resource.place,
            f"{resource.address}: {KINDS[found.kind].odd(found)}",
            rule="odd-object",
            hint="correct the object in the service",
        )
        for resource in desired.resources
        if (found := matches[resource.address]) and found.faults
    ]


def rivalry(first: DesiredResource, other: DesiredResource) -> Diagnostic:
    """Two manifests have the same live object."""
    return Diagnostic(
        other.place,
        f"{other.address} is the same live object as {first.address} ({first.place})",
        rule="same-object",
        hint="give each manifest its own metadata.id, or remove one of them",
    )


def ambiguity(resource: DesiredResource, candidates: Sequence[Candidate], kind: Kind) -> Diagnostic:
    """Several live objects have the name that a manifest looks for; the message lists them."""
    listed = ", ".join(f"{one.id} ({_looks(one)})" for one in candidates)
    return Diagnostic(
        resource.places.get(pointer("spec", kind.name_field), resource.place),
        f"{resource.address} could be any of {len(candidates)} live objects of that {kind.name_field}: {listed}",
        rule="ambiguous-name",
        pointer=pointer("spec", kind.name_field),
        hint="name the right one in metadata.id, or under ids: of the environment",
    )


def _looks(candidate: Candidate) -> str:
    labels = [f"{name}={value}" for name, value in candidate.labels.items()]
    return ", ".join(["active" if candidate.active else "inactive", *labels])


class MatchedBy(Enum):
    """How a live object is found."""

    ID = auto()
    SECOND_ID = auto()
    NAME = auto()
    DERIVED = auto()


@dataclass(frozen=True, slots=True)
class Look:
    """What a manifest may be: no live object, exactly one, or several of its name, sorted by id."""

    way: MatchedBy
    candidates: tuple[LiveResource, ...]

    @property
    def found(self) -> LiveResource | None:
        """The one object, where there is no doubt."""
        return self.candidates[0] if len(self.candidates) == 1 else None

    def listed(self, kind: Kind) -> tuple[Candidate, ...]:
        """All that it may be, as somebody who must choose sees them."""
        return tuple(
            Candidate(one.id, bool(one.body.get(kind.active_field)), kind.labels(one.body)) for one in self.candidates
        )

    @property
    def is_ambiguous(self) -> bool:
        """Whether somebody must choose."""
        return len(self.candidates) > 1


class Finder:
    """Live objects by id, and those in scope by name: what is known by its id alone may have left the scope."""

    def __init__(self, live: LiveState, scope: Scope) -> None:
        self._marketplace = live.marketplace
        self._by_id = {resource.key: resource for resource in live.resources}
        self._by_name: dict[tuple[str, Json], list[LiveResource]] = defaultdict(list)
        for resource in live.resources:
            name = resource.body.get(KINDS[resource.kind].name_field)
            if isinstance(name, str) and not outside(scope, resource.kind, resource.id, resource.body):
                self._by_name[resource.kind, name].append(resource)

    def look(self, resource: DesiredResource) -> Look:
        """By known id, else by the manifest's own, by the exact name, or by the id that we would create it with."""
        kind = resource.address.kind
        if KINDS[kind].has_chosen_ids:
            chosen = self._by_id.get(ObjectKey(kind, resource.id or resource.address.name))
            return Look(MatchedBy.ID, (chosen,) if chosen else ())
        for way, known in ((MatchedBy.ID, resource.id), (MatchedBy.SECOND_ID, resource.second_id)):
            found = self._by_id.get(ObjectKey(kind, known)) if known else None
            if found:
                return Look(way, (found,))
        named = self._by_name.get((kind, resource.spec.get(KINDS[kind].name_field)))
        if named:
            return Look(MatchedBy.NAME, tuple(sorted(named, key=lambda one: one.id)))
        derived = self._by_id.get(ObjectKey(kind, derived_id(self._marketplace, resource.address.name)))
        return Look(MatchedBy.DERIVED, (derived,) if derived else ())


def resolved(
    desired: DesiredState, matches: Mapping[Address, LiveResource | None], marketplace: str
) -> tuple[DesiredResource, ...]:
    """Every manifest with the ids of what it names; an id that the service is yet to make is known after apply."""
    resources = {resource.address: resource for resource in desired.resources}

    def id_of(to: Reference, value: Json) -> Json:
        name = referred(value) if to.kind else ""
        return _id(Address(to.kind, name)) if name else value

    def _id(address: Address) -> str:
        found = matches.get(address)
        if found:
            return found.id
        return new_id(resources[address], marketplace) if KINDS[address.kind].has_chosen_ids else known_after(address)

    placeholders = {known_after(address): address for address in resources}

    def row(text: str) -> str:
        return _id(placeholders[text]) if text in placeholders else text

    return tuple(
        replace(
            one,
            spec=with_references(KINDS[one.address.kind], one.spec, id_of),
            assignments={level: tuple(map(row, texts)) for level, texts in one.assignments.items()},
        )
        for one in desired.resources
    )


def known_ids(ids: Mapping[Address, str | None]) -> Mapping[str, str]:
    """What stands for an id before it is known -> the id."""
    return {known_after(address): one for address, one in ids.items() if one}


def with_ids(assignments: Mapping[str, tuple[str, ...]], known: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    """Rows of a manifest with the ids that have become known, see `known_ids`."""
    return {level: tuple(known.get(text, text) for text in texts) for level, texts in assignments.items()}
