"""All manifests -> what one of them alone cannot show: names, ids and AppNames that are taken."""

import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

from reconciler.kinds import KINDS, short
from reconciler.manifests.context import LoadContext
from reconciler.manifests.manifest import Candidate
from reconciler.manifests.schema import Fault, did_you_mean
from reconciler.model.diagnostic import Diagnostic, Place, Severity
from reconciler.model.json import pointer
from reconciler.model.resource import ObjectKey


def clashes(candidates: Sequence[Candidate]) -> Iterator[Diagnostic]:
    """Find manifests that cannot stand side by side. Each is reported at all its places but the first."""
    for first, other in _pairs(candidates, lambda one: one.address):
        message = f"{other.address} is defined twice, first at {first.document.place('/metadata/name')}"
        hint = "rename one, or take one out; what holds in one environment only is an overlay"
        yield Fault("/metadata/name", message, "duplicate-name", hint).within(other.document)
    for first, other in _pairs(candidates, lambda one: ObjectKey(one.address.kind, one.id) if one.id else None):
        if first.address != other.address:
            message = f"{other.address} has the same id as {first.address} at {first.document.place('/metadata/id')}"
            hint = "give each its own, as metadata.id or under ids: of the environment"
            yield Fault("/metadata/id", message, "duplicate-id", hint).within(other.document)
    yield from _indistinct(candidates)


def dangling(candidates: Sequence[Candidate], *, is_whole: bool) -> Iterator[Diagnostic]:
    """Find references to manifests that this environment does not have, or that ask for a deletion."""
    known = {candidate.address: candidate for candidate in candidates}
    for candidate in candidates:
        for at, address in () if candidate.is_absent else candidate.references.items():
            there = known.get(address)
            if there is None:
                names = [one.name for one in known if one.kind == address.kind]
                others = "write one, or name another" if is_whole else "is its file among the given PATHs?"
                hint = did_you_mean(address.name, names) or others
                yield Fault(at, f"there is no manifest {address}", "reference", hint).within(candidate.document)
            elif there.is_absent:
                message = f"{address} is to be deleted (state: absent)"
                yield Fault(at, message, "reference", "name another one").within(candidate.document)


def unclaimed_ids(candidates: Iterable[Candidate], context: LoadContext) -> Iterator[Diagnostic]:
    """Find ids of the environment that are of no manifest; asked only where all manifests are there."""
    known = {candidate.address for candidate in candidates}
    for address in context.ids:
        if address not in known:
            name = short(address)
            at = pointer("environments", context.environment or "", "ids", name)
            message = f"ids has {json.dumps(name)}, a name that no manifest has"
            names = [short(one) for one in known]
            hint = did_you_mean(name, names) or "remove it, or give it the name that its manifest has now"
            place = context.id_places.get(address, Place("reconciler.yaml"))
            yield Diagnostic(place, message, "id-without-manifest", at, hint, Severity.WARNING)


def _indistinct(candidates: Iterable[Candidate]) -> Iterator[Diagnostic]:
    """Find manifests without an id whose live object would be found by a name that another manifest has, too."""
    named = [one for one in candidates if one.name_in_service]
    for first, other in _pairs(named, lambda one: (one.address.kind, one.name_in_service)):
        if first.address != other.address and not (first.id and other.id):
            field = KINDS[other.address.kind].name_field
            message = (
                f"{other.address} has the same {field} as {first.address} at {first.document.place(f'/spec/{field}')}"
            )
            hint = "without an id, the two would be taken for one: give both an id"
            yield Fault(f"/spec/{field}", message, "duplicate-id", hint).within(other.document)


def _pairs(
    candidates: Iterable[Candidate], key: Callable[[Candidate], Hashable | None]
) -> Iterator[tuple[Candidate, Candidate]]:
    """Give each candidate whose key another has, with the first of them. No key is like no other."""
    groups = defaultdict(list)
    for candidate in candidates:
        found = key(candidate)
        if found is not None:
            groups[found].append(candidate)
    for group in groups.values():
        if len(group) > 1:
            first, *others = sorted(group, key=lambda one: one.document.place())
            yield from ((first, other) for other in others)
