"""Changes -> the same, each with the wave that it is written in and the changes that it has to wait for. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from reconciler.kinds import KINDS
from reconciler.kinds.references import assigned_key, references, wave
from reconciler.model.json import Body
from reconciler.model.plan import Action, Change, known_after
from reconciler.model.resource import Address, ObjectKey


def in_waves(changes: Sequence[Change], marketplace: str) -> tuple[Change, ...]:
    """What is written waits for what it refers to; what is deleted, for the changes that end references to it."""
    waves = {kind: wave(kind) for kind in {change.address.kind for change in changes}}
    written = {name: one.address for one in changes if one.after and one.action.writes for name in _names(one)}
    users = _users(changes, marketplace)
    return tuple(
        replace(
            change,
            wave=waves[change.address.kind],
            depends_on=tuple(sorted(set(_awaited(change, written, users, marketplace)) - {change.address})),
        )
        for change in changes
    )


def _names(change: Change) -> Iterator[ObjectKey]:
    """What other changes may call the object."""
    kind = change.address.kind
    yield ObjectKey(kind, known_after(change.address))
    if change.key:
        yield change.key


def _users(changes: Sequence[Change], marketplace: str) -> Mapping[ObjectKey, list[Address]]:
    """Object -> the changes of what refers to it now."""
    users: dict[ObjectKey, list[Address]] = defaultdict(list)
    for change in changes:
        if change.action.writes and change.before:
            for key in (
                *referred_keys(change.address.kind, change.before, marketplace),
                *_assigned(change, assign=False),
            ):
                users[key].append(change.address)
    return users


def _awaited(
    change: Change, written: Mapping[ObjectKey, Address], users: Mapping[ObjectKey, list[Address]], marketplace: str
) -> Iterator[Address]:
    if change.action is Action.DELETE and change.key:
        yield from users.get(change.key, ())
    elif change.action.writes and change.after:
        keys = (*referred_keys(change.address.kind, change.after, marketplace), *_assigned(change, assign=True))
        yield from (written[key] for key in keys if key in written)


def _assigned(change: Change, *, assign: bool) -> Iterator[ObjectKey]:
    kind = KINDS[change.address.kind]
    for step in change.assignments:
        if step.assign is assign and (key := assigned_key(kind, step.party, step.id)):
            yield key


def referred_keys(kind: str, body: Body, marketplace: str = "") -> Iterator[ObjectKey]:
    """The objects of kinds that we manage that a body names."""
    for _, to, value in references(KINDS[kind], body, marketplace):
        if to.kind and isinstance(value, str):
            yield ObjectKey(to.kind, value)
