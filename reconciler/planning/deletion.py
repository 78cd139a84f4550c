"""Changes -> which of them delete, and what prevents that: protection, and objects that refer to them.

Protection in a manifest ends with the manifest. An entry under ``protected`` of an environment remains, and matches
an object by each of its names, even if no manifest claims it any more.

References to an object are searched only if something is deleted, each list once. If the login may not read a list,
a warning names the missing role.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import translate
from functools import partial
from http import HTTPStatus

from reconciler.errors import AccessDenied, NotFound
from reconciler.kinds import KINDS, Dependent, Kind, login_key, short
from reconciler.kinds.assignments import Level
from reconciler.kinds.checks import body_after
from reconciler.kinds.references import references, referred_kinds
from reconciler.live import every_body
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Place
from reconciler.model.json import Body, pointer
from reconciler.model.plan import Action, Change, Finding
from reconciler.model.resource import Address, DesiredState, ObjectKey, matches, same_id
from reconciler.remote import ReadRemote


@dataclass(frozen=True, slots=True)
class Findings:
    """The result of a check."""

    findings: Sequence[Finding] = ()
    warnings: Sequence[str] = ()


def check(
    changes: Sequence[Change],
    remote: ReadRemote,
    marketplace: str,
    whole: Sequence[Change] | None = None,
    manifests: DesiredState | None = None,
    *,
    everywhere: bool = False,
) -> Findings:
    """Find what would prevent deletions: in the plan itself, then in the service.

    Args:
        changes: the planned changes.
        remote: the service.
        marketplace: its ID there.
        whole: the changes, and everything else that is live; None: there is nothing else.
        manifests: have the places of references.
        everywhere: also search kinds that are not in use here, whatever is deleted. Otherwise only for objects of a
        kind whose table does not list what prevents their deletion.

    Raises:
        RemoteError: a read failed otherwise than by a missing role.
    """
    deleted: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        if change.action is Action.DELETE:
            deleted[change.address.kind].append(change)
    known = changes if whole is None else whole
    warnings: list[str] = []
    searched = {name: ones for name, ones in deleted.items() if everywhere or not KINDS[name].dependents}
    elsewhere = _elsewhere(searched, {one.address.kind for one in known}, remote, warnings)
    places = {one.address: one.places for one in manifests.resources} if manifests else {}
    findings = list(_left_referring(deleted, [*known, *elsewhere], marketplace, places))
    for name, deletions in deleted.items():
        for dependent in KINDS[name].dependents:
            bodies = _seen(partial(_read, remote, dependent), deletions, dependent, warnings)
            findings += _still_used(deletions, dependent, bodies, _planned(known, dependent))
    findings += _left_assigned(deleted, known, remote, warnings)
    return Findings(tuple(findings), tuple(warnings))


def _seen(
    read: Callable[[], Iterable[Body]], deletions: Sequence[Change], dependent: Dependent, warnings: list[str]
) -> list[Body]:
    """Objects that may depend on what is deleted; without the role to read them, a warning."""
    try:
        return list(read())
    except NotFound:  # there is none, or this version of the service does not have the kind
        return []
    except AccessDenied as error:
        if error.request.status != HTTPStatus.FORBIDDEN:
            raise
        warnings.append(_unseen(deletions, dependent))
        return []


def _elsewhere(
    deleted: Mapping[str, Sequence[Change]], known: Collection[str], remote: ReadRemote, warnings: list[str]
) -> Iterator[Change]:
    """Live objects of kinds that are not in use here and can refer to what is deleted."""
    for kind in (KINDS[name] for name in KINDS if deleted and name not in known):
        deletions = [one for name in referred_kinds(kind) for one in deleted.get(name, ())]
        if not deletions or any(kind.path == one.path for name in deleted for one in KINDS[name].dependents):
            continue
        seen = Dependent(kind.noun, kind.path, kind.id_field, kind.reading_roles[0])
        for body in _seen(partial(every_body, remote, kind), deletions, seen, warnings):
            address = Address(kind.name, str(body.get(kind.id_field)))
            yield Change(address, Action.UNMANAGED, id=address.name, before=body, after=None)


def _left_referring(
    deleted: Mapping[str, Sequence[Change]],
    changes: Sequence[Change],
    marketplace: str,
    places: Mapping[Address, Mapping[str, Place]],
) -> Iterator[Finding]:
    """Objects that would still refer to a deleted object: the inverse of the references of all kinds."""
    gone = {one.key: one for deletions in deleted.values() for one in deletions if one.key}
    for user in changes if gone else ():
        for path, to, value in references(KINDS[user.address.kind], body_after(user) or {}, marketplace):
            change = gone.get(ObjectKey(to.kind, str(value)))
            if change:
                at = places.get(user.address, {}).get(pointer("spec", *path), user.place)
                yield Finding(
                    "still-in-use",
                    f"{change.address}{_at(change.place)} would be deleted, and {path[0]} of {user.address}{_at(at)} "
                    "refers to it",
                    f"first remove it from {path[0]} of {user.address}",
                    (change.address, user.address),
                )


def _left_assigned(
    deleted: Mapping[str, Sequence[Change]], known: Sequence[Change], remote: ReadRemote, warnings: list[str]
) -> Iterator[Finding]:
    """Objects that would still be assigned to a deleted object: the inverse of the assignments of all kinds."""
    ended = {one.key for one in known if one.action is Action.DELETE}
    freed = {(one.key, step.party, step.id.casefold()) for one in known for step in one.assignments if not step.assign}
    for kind, level in _assigning(deleted):
        seen = Dependent(kind.noun, level.path, level.object_path[-1], kind.assignment_reading_roles[0])
        rows = _seen(partial(remote.list_all, level.path, key=None), deleted[level.kind], seen, warnings)
        for user, party in ((ObjectKey(kind.name, level.object_id(row) or ""), level.found(row) or "") for row in rows):
            change = next((one for one in deleted[level.kind] if same_id(one.id, party)), None)
            if change and user not in ended and (user, level.name, party.casefold()) not in freed:
                yield Finding(
                    "still-in-use",
                    f"{change.address}{_at(change.place)} would be deleted, and {level.name} of the {kind.noun} "
                    f"{user.id} refers to it",
                    f"first remove it from {level.name} of that {kind.noun}",
                    (change.address,),
                )


def _assigning(deleted: Collection[str]) -> Iterator[tuple[Kind, Level]]:
    """The levels of assignments, of all kinds, that name objects of one of these kinds."""
    for kind in map(KINDS.__getitem__, KINDS if deleted else ()):
        yield from ((kind, one) for one in kind.levels if one.kind in deleted)


def _at(place: Place | None) -> str:
    return f" ({place})" if place else ""


def _read(remote: ReadRemote, dependent: Dependent) -> Iterable[Body]:
    return [remote.single(dependent.path)] if dependent.is_single else remote.list_all(dependent.path)


def _planned(changes: Iterable[Change], dependent: Dependent) -> Mapping[str, Change]:
    """The changes of objects that may prevent a deletion, by ID in one case; empty for a singleton."""
    found: dict[str, Change] = {}
    for change in changes:
        path, below = KINDS[change.address.kind].place(change.id or "")
        if path == dependent.path:
            found[(below or "").casefold()] = change
    return found


def _still_used(
    deletions: Iterable[Change], dependent: Dependent, found: Iterable[Body], planned: Mapping[str, Change]
) -> Iterable[Finding]:
    users: dict[str, list[str]] = defaultdict(list)
    for body in found:
        known, used = str(body.get("ID") or ""), str(body.get(dependent.field)).casefold()
        if not _is_settled(planned.get("" if dependent.is_single else known.casefold()), dependent, used):
            users[used].append(known)
    for change in deletions:
        if (change.id or "").casefold() in users:
            names = " ".join([dependent.noun, ", ".join(filter(None, users[(change.id or "").casefold()]))]).strip()
            yield Finding(
                "still-in-use",
                f"{change.address} is used by the {names}, and OrderCloud refuses to delete it",
                f"delete the {dependent.noun} first",
                (change.address,),
            )


def _is_settled(change: Change | None, dependent: Dependent, used: str) -> bool:
    """Whether the plan ends the reference before the deletion, or keeps it, which another check reports."""
    if change is None:
        return False
    refers = str((body_after(change) or {}).get(dependent.field)).casefold() == used
    return refers or change.action in {Action.UPDATE, Action.DELETE}


def _unseen(deletions: Sequence[Change], dependent: Dependent) -> str:
    who = deletions[0].address if len(deletions) == 1 else f"any of {len(deletions)} resources to be deleted"
    return f"cannot check that no {dependent.noun} uses {who}: the login lacks {dependent.role}"


@dataclass(frozen=True, slots=True)
class Protection:
    """The objects that an environment never deletes."""

    patterns: tuple[str, ...] = ()
    """Names, ids or addresses, possibly with ``*`` and ``?``; case-insensitive."""
    ids: Mapping[Address, str] | None = None
    """The ids of the environment by manifest, including removed manifests."""

    def mark(self, changes: Iterable[Change]) -> tuple[Change, ...]:
        """The changes, with those of protected objects marked."""
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
            if not any(matches(pattern, name) for name in names):
                yield f"protected: {pattern} matches no manifest and no live object"

    def _bound(self) -> Mapping[ObjectKey, Address]:
        """Object -> the manifest name of its id in the environment."""
        return {ObjectKey(address.kind, known): address for address, known in (self.ids or {}).items()}


def _names(change: Change, bound: Mapping[ObjectKey, Address]) -> Iterator[str]:
    """All names of the object."""
    yield change.address.name
    yield str(change.address)
    if change.key:
        yield change.key.id
        kept = bound.get(change.key)
        yield from (kept.name, str(kept)) if kept else ()
    name = (change.before or {}).get(KINDS[change.address.kind].name_field)
    if isinstance(name, str):
        yield name


def protect_and_prune(
    changes: Iterable[Change],
    protection: Protection,
    *,
    prunes: bool,
    own_client_id: str,
    unexpected_fields: Container[Address] = (),
) -> tuple[tuple[Change, ...], tuple[str, ...]]:
    """Mark protected objects, and delete unmanaged ones if pruning is requested.

    Protected objects, objects with unexpected fields and the login client are kept, each with
    a warning.
    """
    marked = protection.mark(changes)
    found, warnings = [], [*protection.idle(marked)]
    for change in marked:
        if not prunes or change.action is not Action.UNMANAGED:
            found.append(change)
        elif reason := _why_kept(change, own_client_id, unexpected_fields):
            found.append(change)
            warnings.append(f"{change.address} is in no manifest and is not pruned: it is {reason}")
        else:
            found.append(replace(change, action=Action.DELETE))
    return tuple(found), tuple(warnings)


def _why_kept(change: Change, own_client_id: str, unexpected_fields: Container[Address]) -> str:
    if change.address in unexpected_fields:
        return "an object with fields of unexpected types"
    if change.key == login_key(own_client_id):
        return "the login client"
    if KINDS[change.address.kind].row_fields:
        return "a set, which always exists"
    return "protected" if change.protected else ""


def renamed(pairs: Iterable[tuple[Change, Change]]) -> Iterator[Finding]:
    """Report pruned objects that are similar to created ones, which may be renames.

    The created object has another id, which all its users would need.
    """
    for created, other in pairs:
        if other.action is Action.DELETE:
            yield Finding(
                "prune-renamed",
                f"{other.address} would be deleted and {created.address} created; they are similar, so this may be "
                f"a rename, and the new {KINDS[created.address.kind].noun} would have another ID",
                f"write {short(created.address)}: {other.id} under ids: of the environment, or metadata.id: {other.id} "
                "in the manifest",
                (other.address, created.address),
            )
