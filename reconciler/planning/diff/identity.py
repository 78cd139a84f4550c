"""Manifests x live objects -> matches, resolved references, and the bindings that `adopt` proposes.

If users choose ids, a manifest matches the object with the id in the environment or in the manifest, otherwise with
the manifest's name. If the service assigns ids, the first match wins:

1. the id in the environment or in the manifest
2. the manifest's own id, if the environment's id is not live
3. the only live object in scope with exactly the same name (an API client's ``AppName``)
4. the derived id that the object would be created with: it was created earlier and renamed since

`adopt` matches in the same way. An id in the environment is never replaced: if it is not live, that is reported.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from reconciler.errors import InputError
from reconciler.kinds import KINDS, Kind, short
from reconciler.kinds.fields import Reference
from reconciler.kinds.references import referred, with_references
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.json import Json, pointer
from reconciler.model.plan import known_after
from reconciler.model.reports import BindingState, ObjectSummary, Proposal
from reconciler.model.resource import (
    Address,
    DesiredResource,
    DesiredState,
    LiveResource,
    LiveState,
    ObjectKey,
    Scope,
    same_id,
)

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "ordercloud-reconciler")


def derived_id(marketplace: str, name: str) -> str:
    """The id of a new object without a chosen id: deterministic, the same in every run and environment.

    The service also returns the marketplace's own id in different cases.
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
    looks = [(resource, finder.look(resource)) for resource in desired.resources]
    matches = {resource.address: look.found for resource, look in looks}
    faults = [_ambiguity(resource, look.candidates) for resource, look in looks if look.is_ambiguous]
    faults += _unexpected_fields(desired, matches)
    faults += _rivals((resource, look.found) for resource, look in looks).values()
    if faults:
        raise InputError(faults)
    return matches


def require_valid(desired: DesiredState, live: LiveState) -> None:
    """Refuse manifests whose live object has fields of unexpected types, so that it cannot be compared.

    Raises:
        InputError: with every such manifest.
    """
    finder = Finder(live, desired.scope)
    faults = _unexpected_fields(desired, {one.address: finder.look(one).found for one in desired.resources})
    if faults:
        raise InputError(faults)


def _unexpected_fields(desired: DesiredState, matches: Mapping[Address, LiveResource | None]) -> list[Diagnostic]:
    return [
        Diagnostic(
            resource.place,
            f"{resource.address}: {KINDS[found.kind].unexpected_fields(found)}",
            rule="odd-object",
            hint="correct the object in the service",
        )
        for resource in desired.resources
        if (found := matches[resource.address]) and found.faults
    ]


def _rivals(matched: Iterable[tuple[DesiredResource, LiveResource | None]]) -> Mapping[Address, Diagnostic]:
    """The manifests that match the same live object as an earlier manifest."""
    first: dict[ObjectKey, DesiredResource] = {}
    found = {}
    for resource, live in matched:
        if live and (owner := first.setdefault(live.key, resource)) is not resource:
            found[resource.address] = Diagnostic(
                resource.place,
                f"{resource.address} is the same live object as {owner.address} ({owner.place})",
                rule="same-object",
                hint="give each manifest a different ID, or remove one of them",
            )
    return found


def _ambiguity(resource: DesiredResource, candidates: Sequence[LiveResource]) -> Diagnostic:
    """Several live objects have the name of a manifest; the message lists them."""
    name = KINDS[resource.address.kind].name_field
    listed = ", ".join(f"{one.id} ({_looks(one)})" for one in map(_candidate, candidates))
    return Diagnostic(
        resource.places.get(pointer("spec", name), resource.place),
        f"{resource.address} matches {len(candidates)} live objects with that {name}: {listed}",
        rule="ambiguous-name",
        pointer=pointer("spec", name),
        hint="set the id of the right one in metadata.id, or under ids: of the environment",
    )


def _candidate(live: LiveResource) -> ObjectSummary:
    """An object as shown to a user who must choose."""
    kind = KINDS[live.kind]
    return ObjectSummary(live.id, bool(live.body.get(kind.active_field)), kind.labels(live.body))


def _looks(candidate: ObjectSummary) -> str:
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
    """What a manifest matches: no live object, exactly one, or several of its name, sorted by id."""

    matched_by: MatchedBy
    candidates: tuple[LiveResource, ...]

    @property
    def found(self) -> LiveResource | None:
        """The object, if exactly one matches."""
        return self.candidates[0] if len(self.candidates) == 1 else None

    @property
    def is_ambiguous(self) -> bool:
        """Whether several objects match, so that the user must choose."""
        return len(self.candidates) > 1


class Finder:
    """Live objects by id, and those in scope by name: an object found by its id may have left the scope."""

    def __init__(self, live: LiveState, scope: Scope) -> None:
        self._marketplace = live.marketplace
        self._by_id = {resource.key: resource for resource in live.resources}
        self._by_name: dict[tuple[str, Json], list[LiveResource]] = defaultdict(list)
        for resource in live.resources:
            name = resource.body.get(KINDS[resource.kind].name_field)
            if isinstance(name, str) and not KINDS[resource.kind].outside(scope, resource.id, resource.body):
                self._by_name[resource.kind, name].append(resource)

    def look(self, resource: DesiredResource) -> Look:
        """Match by known id, the manifest's own id, the exact name, or the derived id, in this order."""
        kind = resource.address.kind
        if KINDS[kind].has_chosen_ids:
            chosen = self._by_id.get(ObjectKey(kind, resource.id or resource.address.name))
            return Look(MatchedBy.ID, (chosen,) if chosen else ())
        for matched_by, known in ((MatchedBy.ID, resource.id), (MatchedBy.SECOND_ID, resource.second_id)):
            found = self._by_id.get(ObjectKey(kind, known)) if known else None
            if found:
                return Look(matched_by, (found,))
        named = self._by_name.get((kind, resource.spec.get(KINDS[kind].name_field)))
        if named:
            return Look(MatchedBy.NAME, tuple(sorted(named, key=lambda one: one.id)))
        derived = self._by_id.get(ObjectKey(kind, derived_id(self._marketplace, resource.address.name)))
        return Look(MatchedBy.DERIVED, (derived,) if derived else ())


def resolved(
    desired: DesiredState, matches: Mapping[Address, LiveResource | None], marketplace: str
) -> tuple[DesiredResource, ...]:
    """Every manifest with the ids of its references; an id that the service assigns later is known after apply."""
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

    def with_its_ids(one: DesiredResource) -> DesiredResource:
        spec = with_references(KINDS[one.address.kind], one.spec, id_of)
        if spec is one.spec and not one.assignments:
            return one  # nearly all, and a copy costs more than the rest
        return replace(
            one, spec=spec, assignments={at: tuple(map(row, texts)) for at, texts in one.assignments.items()}
        )

    return tuple(map(with_its_ids, desired.resources))


def known_ids(ids: Mapping[Address, str | None]) -> Mapping[str, str]:
    """Placeholder of an id before apply -> the id."""
    return {known_after(address): one for address, one in ids.items() if one}


def with_ids(assignments: Mapping[str, tuple[str, ...]], known: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    """Rows of a manifest with the ids that are now known, see `known_ids`."""
    return {level: tuple(known.get(text, text) for text in texts) for level, texts in assignments.items()}


_NOTHING_GIVEN: Final[Mapping[Address, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Case:
    """One manifest and its match."""

    resource: DesiredResource
    kind: Kind
    look: Look
    in_environment: bool
    """Whether its id is under ``ids`` of the environment."""
    given: str | None = None
    """Its id from the command line."""

    @property
    def source(self) -> str:
        """The source of its known id."""
        if self.in_environment:
            return "ids"
        return "metadata.name" if self.resource.id == self.resource.address.name else "metadata.id"


def propose(
    desired: DesiredState,
    live: LiveState,
    bound: Mapping[Address, str],
    given: Mapping[Address, str] = _NOTHING_GIVEN,
) -> tuple[Proposal, ...]:
    """Propose a binding for each manifest, sorted by address; if ids are given, for these manifests only.

    Args:
        desired: the manifests of one environment.
        live: the complete live state.
        bound: the ids of the environment by manifest, including manifests that are not in `desired`.
        given: ids from the command line, by manifest.
    """
    finder = Finder(live, desired.scope)
    cases = [_case(one, finder, bound, given.get(one.address)) for one in desired.resources]
    # Manifests with a known id come first, those with a given one last.
    by_claim = sorted(cases, key=lambda case: (case.given is not None, case.look.matched_by is not MatchedBy.ID))
    rivals = _rivals((case.resource, case.look.found) for case in by_claim)
    owners = _owners(desired, bound)
    return tuple(
        _taken(case, rivals[case.resource.address])
        if case.resource.address in rivals
        else _unless_owned(case, owners, desired.scope)
        for case in sorted(cases, key=lambda case: case.resource.address)
        if case.given or not given
    )


def _case(resource: DesiredResource, finder: Finder, bound: Mapping[Address, str], given: str | None) -> _Case:
    known = bound.get(resource.address)
    kind = KINDS[resource.address.kind]
    if given and (known is None or same_id(known, given)) and not _has_fixed_id(kind):
        resource = replace(resource, id=given, second_id=None)
    return _Case(resource, kind, finder.look(resource), known is not None, given)


def _has_fixed_id(kind: Kind) -> bool:
    """Whether the id of an object is fixed, so that there is nothing to bind."""
    return bool(kind.singles or kind.only_id)


def _owners(desired: DesiredState, bound: Mapping[Address, str]) -> Mapping[ObjectKey, str]:
    """Object -> the name that it is bound to, for names without a manifest."""
    there = {resource.address for resource in desired.resources}
    return {ObjectKey(one.kind, known): short(one) for one, known in bound.items() if one not in there}


def _taken(case: _Case, fault: Diagnostic) -> Proposal:
    found = case.look.found
    return Proposal(case.resource.address, BindingState.TAKEN, found.id if found else None, fault.message, fault=fault)


def _unless_owned(case: _Case, owners: Mapping[ObjectKey, str], scope: Scope) -> Proposal:
    """Refuse to bind an object that is bound to a name without a manifest, or that is out of scope."""
    proposal = _not_as_given(case) if case.given and not _is_as_given(case) else _proposal(case)
    found = case.look.found if proposal.state is BindingState.BIND else None
    if found is None:
        return proposal
    is_live = f"{case.resource.address} is live as {found.id}"
    if owner := owners.get(found.key):
        message = f"{is_live} and bound to {owner}, which has no manifest here"
        hint = f"if {owner} was renamed, also rename it under ids: of the environment; otherwise remove it there"
        return _taken(case, Diagnostic(case.resource.place, message, "duplicate-id", hint=hint))
    if objection := KINDS[found.kind].outside(scope, found.id, found.body):
        message, hint = f"{is_live}, which is out of scope: {objection}", "another repository may manage it"
        return _taken(case, Diagnostic(case.resource.place, message, "out-of-scope", hint=hint))
    return proposal


def _proposal(case: _Case) -> Proposal:
    address, known, look = case.resource.address, case.resource.id, case.look
    found = look.found
    if (
        case.given
        and not (case.in_environment or _has_fixed_id(case.kind))
        and found
        and look.matched_by is MatchedBy.ID
    ):
        return Proposal(address, BindingState.BIND, found.id, "from the command line")
    if look.is_ambiguous:
        note = f"{len(look.candidates)} live objects have this {case.kind.name_field}"
        fault = _ambiguity(case.resource, look.candidates)
        return Proposal(
            address, BindingState.AMBIGUOUS, note=note, candidates=tuple(map(_candidate, look.candidates)), fault=fault
        )
    if found and look.matched_by is MatchedBy.ID:
        return Proposal(address, BindingState.BOUND, found.id, f"by {case.source}")
    if known and (case.in_environment or not found) and not case.kind.has_chosen_ids:
        return Proposal(address, BindingState.STALE, known, _stale(case))
    if found:
        return Proposal(address, BindingState.BIND, found.id, _found_by(case))
    return Proposal(address, BindingState.NOT_LIVE, note=_missing(case.resource))


def _is_as_given(case: _Case) -> bool:
    return case.look.matched_by is MatchedBy.ID and case.resource.id == case.given


def _not_as_given(case: _Case) -> Proposal:
    address, known = case.resource.address, case.resource.id
    message, hint = (
        f"there is no live object with the ID {known}",
        "find IDs in the portal or with: reconciler export",
    )
    if _has_fixed_id(case.kind):
        message, hint = "its ID is set by its manifest", "remove it from the arguments: there is nothing to bind"
    elif case.in_environment:
        message, hint = (
            f"it is already bound to {known} under ids",
            "existing bindings are kept: remove that line first",
        )
    fault = Diagnostic(case.resource.place, f"{address} cannot be bound: {message}", "adopt", hint=hint)
    return Proposal(address, BindingState.STALE, known, message, fault=fault)


def _stale(case: _Case) -> str:
    found = case.look.found
    then = f"it would be matched with {found.id}" if found else _missing(case.resource)
    return f"by {case.source}, but its id is not live here; {then}"


def _found_by(case: _Case) -> str:
    notes = {
        MatchedBy.SECOND_ID: "by metadata.id",
        MatchedBy.NAME: f"by {case.kind.name_field}",
        MatchedBy.DERIVED: "by the id that it was created with",
    }
    note = notes[case.look.matched_by]
    return f"{note}; its metadata.id is not live here" if case.resource.id else note


def _missing(resource: DesiredResource) -> str:
    return "there is nothing to delete" if resource.policy.absent else "it would be created"
