"""Changes -> which of them delete. Pure.

Protection that stands in a manifest goes with the manifest. What stands under ``protected`` of an environment stays: an
object is found by it under every name that it goes by, also when no manifest claims it any more.
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import translate

from reconciler.kinds import KINDS, login_key, short
from reconciler.model.plan import Action, Change, Finding
from reconciler.model.resource import Address, ObjectKey


@dataclass(frozen=True, slots=True)
class Protection:
    """What an environment never lets go of."""

    patterns: tuple[str, ...] = ()
    """Names, ids or addresses, ``*`` and ``?`` included; compared without case."""
    ids: Mapping[Address, str] | None = None
    """The ids of the environment by manifest, those of manifests that are gone included."""

    def mark(self, changes: Iterable[Change]) -> tuple[Change, ...]:
        """The changes, those of protected objects marked so."""
        if not self.patterns:
            return tuple(changes)
        wanted = re.compile("|".join(map(translate, self.patterns)), re.IGNORECASE)
        bound = self._bound()
        return tuple(
            replace(change, protected=True) if any(map(wanted.match, _names(change, bound))) else change
            for change in changes
        )

    def idle(self, changes: Sequence[Change]) -> Iterator[str]:
        """Warnings: patterns that match nothing, and so protect nothing."""
        if not self.patterns:
            return
        bound = self._bound()
        names = {name for change in changes for name in _names(change, bound)}
        for pattern in self.patterns:
            if not any(map(re.compile(translate(pattern), re.IGNORECASE).match, names)):
                yield f"protected: {pattern} matches no manifest and no live object"

    def _bound(self) -> Mapping[ObjectKey, Address]:
        """Object -> the manifest that it is kept under."""
        return {ObjectKey(address.kind, known): address for address, known in (self.ids or {}).items()}


def _names(change: Change, bound: Mapping[ObjectKey, Address]) -> Iterator[str]:
    """Everything that the object goes by."""
    yield change.address.name
    yield str(change.address)
    if change.key:
        yield change.key.id
        kept = bound.get(change.key)
        yield from (kept.name, str(kept)) if kept else ()
    name = (change.before or {}).get(KINDS[change.address.kind].name_field)
    if isinstance(name, str):
        yield name


@dataclass(frozen=True, slots=True)
class Pruned:
    """The changes of a run that deletes what no manifest claims."""

    changes: tuple[Change, ...]
    warnings: tuple[str, ...] = ()
    """What is spared all the same, and why."""


def settle(
    changes: Iterable[Change],
    protection: Protection,
    *,
    prunes: bool,
    own_client_id: str,
    odd: Container[Address] = (),
) -> Pruned:
    """Mark what is protected, and where it is asked for delete what no manifest claims, less `odd` objects."""
    marked = protection.mark(changes)
    pruned = prune(marked, own_client_id, odd) if prunes else Pruned(marked)
    return replace(pruned, warnings=(*protection.idle(marked), *pruned.warnings))


def prune(changes: Iterable[Change], own_client_id: str, odd: Container[Address] = ()) -> Pruned:
    """Make deletions of unmanaged objects, but for protected ones and the client that the run is logged in with."""
    pruned: list[Change] = []
    warnings: list[str] = []
    for change in changes:
        if change.action is not Action.UNMANAGED:
            pruned.append(change)
        elif reason := _spared(change, own_client_id, odd):
            pruned.append(change)
            warnings.append(f"{change.address} is in no manifest and is not pruned: it is {reason}")
        else:
            pruned.append(replace(change, action=Action.DELETE))
    return Pruned(tuple(pruned), tuple(warnings))


def _spared(change: Change, own_client_id: str, odd: Container[Address]) -> str:
    if change.address in odd:
        return "an object with fields of unexpected types"
    if change.key == login_key(own_client_id):
        return "the client that this run is logged in with"
    return "protected" if change.protected else ""


def renamed(pairs: Iterable[tuple[Change, Change]]) -> Iterator[Finding]:
    """What would be pruned is much like what would be created: it may be the same under another name.

    What is created has another id, which everything that uses the object would need.
    """
    for created, other in pairs:
        if other.action is Action.DELETE:
            yield Finding(
                "prune-renamed",
                f"{other.address} would be deleted and {created.address} created, and the two are so much alike that "
                f"it may be a rename; the new {KINDS[created.address.kind].noun} would have another ID",
                f"write {short(created.address)}: {other.id} under ids: of the environment, or metadata.id: {other.id} "
                "in the manifest",
                (other.address, created.address),
            )
