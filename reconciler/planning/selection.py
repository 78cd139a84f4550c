"""Changes x a selection -> the planned changes, and the changes that guards check. Pure.

Excluded resources are not planned, applied or reported, not even as unmanaged. The guards still check the whole
marketplace as it would be after the selected changes: excluded resources are no-ops of their live state. So the last
client for sellers may be an excluded one, and percentages are of all managed resources. A run with PATHs excludes
objects that no loaded manifest claims.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from reconciler.errors import ReconcilerError, UsageError
from reconciler.kinds import KINDS, address_of
from reconciler.manifests.schema import did_you_mean, meant
from reconciler.model.dataclass import dataclass
from reconciler.model.inputs import Selection
from reconciler.model.plan import Action, Change
from reconciler.model.resource import Address, DesiredResource, DesiredState, LiveState, Scope, SecretKey, matches

_WILD: Final = re.compile(r"\[[^\]]*\]|[*?]")
_PART_OF_A_GUID: Final = re.compile(r"[0-9a-f-]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Selected:
    """The changes of a run, split by the selection."""

    changes: tuple[Change, ...]
    """The planned changes."""
    whole: tuple[Change, ...]
    """The planned changes, and all others as no-ops: the input of guards and of the search for renames."""
    warnings: tuple[str, ...] = ()
    """Warnings that count what was left out."""


def check(selection: Selection, desired: DesiredState) -> None:
    """Refuse a selection if a part of it, or all of it together, selects nothing, as far as this is known offline.

    Raises:
        UsageError: with the address or label that was probably meant.
    """
    for glob in selection.only:
        if not any(matches(glob, one) for one in _addresses(desired)) and (
            selection.selector or not _may_be_an_id(glob)
        ):
            hint = meant_address(glob, desired) or "give KIND/NAME of a manifest"
            raise UsageError(f"--only {glob} matches no manifest", hint=hint)
    for label, value in selection.selector.items():
        _check_label(label, value, desired)
    for one in selection.write_secrets:
        _check_write_secret(one, desired, selection)
    if selection.selector and not any(is_selected(selection, one.address, one.labels) for one in desired.resources):
        raise UsageError(f"no manifest matches all of {selection}")


def requested_secrets(selection: Selection) -> frozenset[SecretKey]:
    """The write-only secrets that the user requests to write."""
    parted = [one.partition("#") for one in selection.write_secrets]
    return frozenset((address_of(address), name) for address, _, name in parted)


def _check_write_secret(text: str, desired: DesiredState, selection: Selection) -> None:
    address, _, name = text.partition("#")
    found = next((one for one in desired.resources if one.address == address_of(address)), None)
    if found is None:
        hint = meant_address(address, desired) or "expected ADDRESS#FIELD"
        raise UsageError(f"--write-secret {text}: there is no manifest {address}", hint=hint)
    fields = KINDS[found.address.kind].write_only_fields
    named = [one for one, reference in found.secrets.items() if reference and one in fields]
    if name not in named:
        why = "its manifest does not name it" if name in fields else "it is not a write-only secret"
        known = f"choose one of: {', '.join(named)}" if named else ""
        raise UsageError(f"--write-secret {text}: {why}", hint=did_you_mean(name, named) or known)
    if not is_selected(selection, found.address, found.labels):
        raise UsageError(f"--write-secret {text}: {found.address} is excluded by {selection}")


def without_secrets(desired: DesiredState) -> DesiredState:
    """The manifests without secrets, for a run that cannot read them."""
    return replace(
        desired, resources=tuple(replace(one, secrets={}, has_no_secrets_loaded=True) for one in desired.resources)
    )


def without_other_secrets(desired: DesiredState, selection: Selection) -> DesiredState:
    """The manifests without the secrets of excluded resources, which the run does not need."""
    if selection.is_everything:
        return desired
    return replace(desired, resources=tuple(_without_unselected_secrets(one, selection) for one in desired.resources))


def parted(changes: Iterable[Change], scope: Scope) -> tuple[list[Change], list[Change]]:
    """The changes of this repository, and the unmanaged objects that are out of scope."""
    own: list[Change] = []
    foreign: list[Change] = []
    for one in changes:
        (foreign if one.action is Action.UNMANAGED and outside(one, scope) else own).append(one)
    return own, foreign


def outside(change: Change, scope: Scope) -> str:
    """Why the live object of a change is out of scope; empty: it is in scope, or does not exist."""
    kind = KINDS[change.address.kind]
    return "" if change.before is None else kind.outside(scope, change.id or "", change.before)


def left_scope(changes: Iterable[Change], scope: Scope) -> Iterator[str]:
    """A warning for each managed object that is out of scope now; for writes there is a guard."""
    for one in changes:
        if one.action is Action.NO_OP and (why := outside(one, scope)):
            yield f"{one.address} is live as {one.id}, which is out of scope: {why}"


def without(live: LiveState, changes: Iterable[Change]) -> LiveState:
    """The live state without the objects of these changes."""
    keys = {one.key for one in changes}
    return replace(live, resources=tuple(one for one in live.resources if one.key not in keys)) if keys else live


def restrict(changes: Sequence[Change], desired: DesiredState, selection: Selection) -> Selected:
    """Split the changes.

    Raises:
        ReconcilerError: a pattern that could have been the ID of a live object matches nothing.
    """
    if selection.is_everything:
        return Selected(tuple(changes), tuple(changes))
    labels = {resource.address: resource.labels for resource in desired.resources}
    chosen = [_is_chosen(selection, change, labels) for change in changes]
    for glob in selection.only:
        if not any(matches(glob, str(change.address)) for change in changes):
            within = "" if desired.scope.is_everything else " in scope"
            raise ReconcilerError(f"--only {glob} matches neither a manifest nor a live object{within}")
    parted = list(zip(changes, chosen, strict=True))
    return Selected(
        tuple(change for change, is_chosen in parted if is_chosen),
        tuple(change if is_chosen else _as_no_op(change) for change, is_chosen in parted),
        tuple(_left_out(changes, [change for change, is_chosen in parted if not is_chosen], selection)),
    )


def _is_chosen(selection: Selection, change: Change, labels: Mapping[Address, Mapping[str, str]]) -> bool:
    """Whether a change is selected; with paths, a manifest that is not loaded may claim an unmanaged object."""
    if selection.paths and change.action is Action.UNMANAGED:
        return False
    return is_selected(selection, change.address, labels.get(change.address, {}))


def is_selected(selection: Selection, address: Address, labels: Mapping[str, str]) -> bool:
    """Whether one resource is selected."""
    if selection.only and not any(matches(glob, str(address)) for glob in selection.only):
        return False
    return all(labels.get(label) == value for label, value in selection.selector.items())


def _addresses(desired: DesiredState) -> list[str]:
    return [str(resource.address) for resource in desired.resources]


def _may_be_an_id(glob: str) -> bool:
    """Whether a pattern may match an unmanaged object, whose address contains its ID."""
    kind, slash, name = glob.rpartition("/")
    is_kind = any(matches(kind, one) for one in KINDS) if slash else bool(_WILD.search(name))
    return is_kind and bool(_PART_OF_A_GUID.fullmatch(_WILD.sub("", name)))


def meant_address(glob: str, desired: DesiredState) -> str:
    """Suggest the address that a pattern, a misspelled one, or a name without its kind may be meant for."""
    known = _addresses(desired)
    whole = next((address for address in known if matches(f"*/{glob}", address)), "")
    return meant(whole) if whole else did_you_mean(glob, known)


def _check_label(label: str, value: str, desired: DesiredState) -> None:
    values: dict[str, set[str]] = {}
    for resource in desired.resources:
        for known, one in resource.labels.items():
            values.setdefault(known, set()).add(one)
    if label not in values:
        message = f"--selector {label}={value}: no manifest has this label"
        raise UsageError(message, hint=did_you_mean(label, values))
    if value not in values[label]:
        known = f"choose one of: {', '.join(sorted(values[label]))}"
        message = f"--selector {label}={value}: no manifest has this value"
        raise UsageError(message, hint=did_you_mean(value, values[label]) or known)


def _without_unselected_secrets(resource: DesiredResource, selection: Selection) -> DesiredResource:
    has_any = resource.secrets or resource.named_secrets is not None
    if not has_any or is_selected(selection, resource.address, resource.labels):
        return resource
    return replace(resource, secrets={}, named_secrets=None)


def _as_no_op(change: Change) -> Change:
    """The change as a no-op, which keeps the live state. For an object that is not live, only the address remains."""
    if not change.action.writes:
        return change
    return Change(
        change.address,
        Action.NO_OP,
        change.id,
        before=change.before,
        after=change.before,
        place=change.place,
        protected=change.protected,
    )


def _left_out(changes: Sequence[Change], left: Sequence[Change], selection: Selection) -> Iterator[str]:
    """A warning if anything was left out, with a separate count of unmanaged objects."""
    managed, unmanaged = _counts(left)
    parts = [f"{managed} of {_counts(changes)[0]} resources"] if managed else []
    if selection.paths and unmanaged:
        objects = "1 live object is" if unmanaged == 1 else f"{unmanaged} live objects are"
        yield f"{objects} not loaded: no manifest in the given PATHs claims {'it' if unmanaged == 1 else 'them'}"
    elif unmanaged:
        parts.append(f"{unmanaged} unmanaged")
    if parts:
        number = managed + (0 if selection.paths else unmanaged)
        yield f"{' and '.join(parts)} {'was' if number == 1 else 'were'} left out by {selection}"


def _counts(changes: Sequence[Change]) -> tuple[int, int]:
    unmanaged = sum(change.action is Action.UNMANAGED for change in changes)
    return len(changes) - unmanaged, unmanaged
