"""Manifests x live objects x the ids of an environment -> what each manifest is to be bound to. Pure.

Objects are found as a plan finds them (`identity`). An id that the environment keeps is never replaced: where it is not
live, that is said, and nothing else.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from reconciler.kinds import KINDS, Kind, outside, short
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.reports import Proposal, State
from reconciler.model.resource import Address, DesiredResource, DesiredState, LiveState, ObjectKey, same_id
from reconciler.model.scope import Scope
from reconciler.planning.diff.identity import Finder, Look, MatchedBy, ambiguity, rivalry

_NOTHING_GIVEN: Final[Mapping[Address, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Case:
    """One manifest and what was found for it."""

    resource: DesiredResource
    kind: Kind
    look: Look
    in_environment: bool
    """Its id stands under ``ids`` of the environment."""
    given: str | None = None
    """The id of the object that somebody says it is."""

    @property
    def source(self) -> str:
        """Where its id is known from."""
        if self.in_environment:
            return "ids"
        return "metadata.name" if self.resource.id == self.resource.address.name else "metadata.id"


def propose(
    desired: DesiredState,
    live: LiveState,
    bound: Mapping[Address, str],
    given: Mapping[Address, str] = _NOTHING_GIVEN,
) -> tuple[Proposal, ...]:
    """Give one proposal for each manifest, sorted by address; where ids are given, for these manifests only.

    Args:
        desired: the manifests of one environment.
        live: all that the service has.
        bound: the ids of the environment by manifest, those of manifests that are not in `desired` included.
        given: the ids of objects that somebody says some manifests are.
    """
    finder = Finder(live, desired.scope)
    cases = [_case(one, finder, bound, given.get(one.address)) for one in desired.resources]
    rivals = _rivals(cases)
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
    if given and (known is None or same_id(known, given)):
        resource = replace(resource, id=given, second_id=None)
    return _Case(resource, KINDS[resource.address.kind], finder.look(resource), known is not None, given)


def _rivals(cases: Sequence[_Case]) -> Mapping[Address, Diagnostic]:
    """Manifests whose object is another manifest's; the one whose id is known comes first, a given one last."""
    claims: dict[ObjectKey, list[_Case]] = defaultdict(list)
    for case in sorted(cases, key=lambda case: (case.given is not None, case.look.way is not MatchedBy.ID)):
        if case.look.found:
            claims[case.look.found.key].append(case)
    return {
        other.resource.address: rivalry(first.resource, other.resource)
        for first, *others in claims.values()
        for other in others
    }


def _owners(desired: DesiredState, bound: Mapping[Address, str]) -> Mapping[ObjectKey, str]:
    """Object -> the name under which it is kept, for names that no manifest has."""
    there = {resource.address for resource in desired.resources}
    return {ObjectKey(one.kind, known): short(one) for one, known in bound.items() if one not in there}


def _taken(case: _Case, fault: Diagnostic) -> Proposal:
    found = case.look.found
    return Proposal(case.resource.address, State.TAKEN, found.id if found else None, fault.message, fault=fault)


def _unless_owned(case: _Case, owners: Mapping[ObjectKey, str], scope: Scope) -> Proposal:
    """Bind nothing whose id is kept under a name that no manifest of this run has, and nothing out of scope."""
    proposal = _not_as_given(case) if case.given and not _is_as_given(case) else _proposal(case)
    found = case.look.found if proposal.state is State.BIND else None
    if found is None:
        return proposal
    is_live = f"{case.resource.address} is live as {found.id}"
    if owner := owners.get(found.key):
        message = f"{is_live}, bound to {owner}, a name that no manifest here has"
        hint = f"if {owner} was renamed, rename it under ids: of the environment, too; else remove it there"
        return _taken(case, Diagnostic(case.resource.place, message, "duplicate-id", hint=hint))
    if objection := outside(scope, found.kind, found.id, found.body):
        message, hint = f"{is_live}, which is out of scope: {objection}", "another repository may manage it"
        return _taken(case, Diagnostic(case.resource.place, message, "out-of-scope", hint=hint))
    return proposal


def _proposal(case: _Case) -> Proposal:
    address, known, look = case.resource.address, case.resource.id, case.look
    found = look.found
    if case.given and not case.in_environment and found and look.way is MatchedBy.ID:
        return Proposal(address, State.BIND, found.id, "as given")
    if look.is_ambiguous:
        candidates = look.listed(case.kind)
        fault = ambiguity(case.resource, candidates, case.kind)
        note = f"{len(candidates)} live objects have this {case.kind.name_field}"
        return Proposal(address, State.AMBIGUOUS, note=note, candidates=candidates, fault=fault)
    if found and look.way is MatchedBy.ID:
        return Proposal(address, State.BOUND, found.id, f"by {case.source}")
    if known and (case.in_environment or not found) and not case.kind.has_chosen_ids:
        return Proposal(address, State.STALE, known, _stale(case))
    if found:
        return Proposal(address, State.BIND, found.id, _found_by(case))
    return Proposal(address, State.NOT_LIVE, note=_missing(case.resource))


def _is_as_given(case: _Case) -> bool:
    return case.look.way is MatchedBy.ID and case.resource.id == case.given


def _not_as_given(case: _Case) -> Proposal:
    address, known = case.resource.address, case.resource.id
    message, hint = (
        f"there is no live object with the ID {known}",
        "the IDs are in the portal, or in: reconciler export",
    )
    if case.in_environment:
        message, hint = f"it is bound to {known} already, under ids", "nothing is overwritten; remove that line first"
    fault = Diagnostic(case.resource.place, f"{address} cannot be bound: {message}", "adopt", hint=hint)
    return Proposal(address, State.STALE, known, message, fault=fault)


def _stale(case: _Case) -> str:
    found = case.look.found
    then = f"what it would be matched with is {found.id}" if found else _missing(case.resource)
    return f"by {case.source}, and not live here; {then}"


def _found_by(case: _Case) -> str:
    ways = {
        MatchedBy.SECOND_ID: "by metadata.id",
        MatchedBy.NAME: f"by {case.kind.name_field}",
        MatchedBy.DERIVED: "by the id that it was created with",
    }
    note = ways[case.look.way]
    return f"{note}; its metadata.id is not live here" if case.resource.id else note


def _missing(resource: DesiredResource) -> str:
    return "there is nothing to delete" if resource.policy.absent else "it would be created"
