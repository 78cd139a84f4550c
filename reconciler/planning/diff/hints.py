"""Changes -> warnings of what they may not mean."""

from collections.abc import Iterator, Mapping, Sequence

from reconciler.kinds import KINDS, Kind, short
from reconciler.model.plan import Action, Change
from reconciler.model.resource import Address, DesiredResource, DesiredState, same_id
from reconciler.planning.diff.renames import likely_renames


def hints(changes: Sequence[Change], desired: DesiredState) -> tuple[str, ...]:
    """All warnings, each sort in the order of the changes."""
    known = {resource.address: resource.id for resource in desired.resources if resource.id}
    second = {resource.address: resource.second_id for resource in desired.resources}
    others = [_other_id(one, known[one.address], second) for one in changes if _is_another(one, known)]
    renames = [_renaming(*pair, KINDS[pair[0].address.kind]) for pair in likely_renames(changes)]
    pointless = (warning for one in changes for warning in _pointless_assignments(one, KINDS[one.address.kind]))
    wanted = {resource.address: resource for resource in desired.resources}
    open_ones = [_without_secret(one) for one in changes if _is_open(one, wanted.get(one.address))]
    return (*others, *renames, *pointless, *open_ones)


def _is_open(change: Change, resource: DesiredResource | None) -> bool:
    """Whether an object that lets somebody in is created without a secret, and its manifest does not say so."""
    kind = KINDS[change.address.kind]
    if change.action is not Action.CREATE or resource is None or kind.named_secrets is None:
        return False
    if (
        resource.named_secrets is not None
        or resource.secrets
        or (change.after or {}).get(kind.named_secrets.open_field)
    ):
        return False
    return bool(change.assignments) or any((change.after or {}).get(door) for door in kind.named_secrets.doors)


def _without_secret(change: Change) -> str:
    return (
        f"{change.address} is created without a secret, which widens access: whoever knows its id can log in through "
        "it; declare one (secrets: [{name: primary, deliver: [{file: PATH}]}]), or write secrets: [] if it needs none"
    )


def _is_another(change: Change, known: Mapping[Address, str]) -> bool:
    """Whether a manifest is another live object than the one whose id is known, because that one is not live."""
    expected = known.get(change.address)
    return bool(expected and change.before and change.id and not same_id(change.id, expected))


def _other_id(change: Change, known: str, second: Mapping[Address, str | None]) -> str:
    is_second = same_id(change.id, second.get(change.address))
    way = "metadata.id" if is_second else f"its {KINDS[change.address.kind].name_field}"
    return (
        f"{change.address}: the id that is known, {known}, is not live here; it was found by {way} as "
        f"{change.id}: if that is right, write {short(change.address)}: {change.id} under ids: of the environment"
    )


def _renaming(created: Change, other: Change, kind: Kind) -> str:
    name = (other.before or {}).get(kind.name_field)
    return (
        f"{created.address} would be created; if it is {name} (ID {other.id}) under another name, write "
        f"{short(created.address)}: {other.id} under ids: of the environment, or metadata.id: {other.id} in the "
        "manifest, and it is renamed instead"
    )


def _pointless_assignments(change: Change, kind: Kind) -> Iterator[str]:
    """An assignment means nothing where everybody of that party is let in anyway."""
    if not kind.assignments or not change.after:
        return
    for party in kind.assignments.levels:
        if any(step.party == party.name and step.assign for step in change.assignments) and change.after.get(
            party.everyone_field
        ):
            yield f"{change.address}: assigning {party.name} changes nothing while {party.everyone_field} is true"
