"""Changes x a selection -> the changes that are planned, and what the guards are shown. Pure.

What is left out is not planned, not applied and not reported, not even as unmanaged. The guards still judge the whole
marketplace as it would be after the selected changes alone: they see those as they are, and everything that was left
out as a no-op of its live state. So the last client for sellers may be one that was left out, and a percentage is one
of all managed resources. A run that was given PATHs leaves out what no loaded manifest claims.
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
    """The changes of a run, parted."""

    changes: tuple[Change, ...]
    """Those that are planned."""
    whole: tuple[Change, ...]
    """Those, and all others as no-ops: what the guards and the search for renamed objects are given."""
    warnings: tuple[str, ...] = ()
    """How much was left out."""


def check(selection: Selection, desired: DesiredState) -> None:
    """Refuse a selection of which it can be known offline that a part of it, or all of it together, selects nothing.

    Raises:
        UsageError: with the address or label that was probably meant.
    """
    for glob in selection.only:
        if not any(matches(glob, one) for one in _addresses(desired)) and (
            selection.selector or not _may_be_an_id(glob)
        ):
            raise UsageError(f"--only {glob} matches no manifest", hint=meant_address(glob, desired))
    for label, value in selection.selector.items():
        _check_label(label, value, desired)
    for one in selection.write_secrets:
        _check_write_secret(one, desired, selection)
    if selection.selector and not any(is_selected(selection, one.address, one.labels) for one in desired.resources):
        raise UsageError(f"no manifest matches all of {selection}")


def requested_secrets(selection: Selection) -> frozenset[SecretKey]:
    """The write-only secrets that the user wants written."""
    parted = [one.partition("#") for one in selection.write_secrets]
    return frozenset((address_of(address), name) for address, _, name in parted)


def _check_write_secret(text: str, desired: DesiredState, selection: Selection) -> None:
    address, _, name = text.partition("#")
    found = next((one for one in desired.resources if one.address == address_of(address)), None)
    if found is None:
        hint = meant_address(address, desired) or "it takes ADDRESS#FIELD"
        raise UsageError(f"--write-secret {text}: there is no manifest {address}", hint=hint)
    fields = KINDS[found.address.kind].write_only_fields
    named = [one for one, reference in found.secrets.items() if reference and one in fields]
    if name not in named:
        why = "its manifest does not name it" if name in fields else "it is not a write-only secret"
        there_are = f"there are: {', '.join(named)}" if named else ""
        raise UsageError(f"--write-secret {text}: {why}", hint=did_you_mean(name, named) or there_are)
    if not is_selected(selection, found.address, found.labels):
        raise UsageError(f"--write-secret {text}: {found.address} is left out by {selection}")


def without_secrets(desired: DesiredState) -> DesiredState:
    """The manifests, less all secrets: where there is nobody to ask for them."""
    return replace(desired, resources=tuple(replace(one, secrets={}, is_disarmed=True) for one in desired.resources))


def without_other_secrets(desired: DesiredState, selection: Selection) -> DesiredState:
    """The manifests, less the secrets of those that are left out: a run needs only those of what it is about."""
    if selection.is_everything:
        return desired
    return replace(desired, resources=tuple(_disarmed(one, selection) for one in desired.resources))


def parted(changes: Iterable[Change], scope: Scope) -> tuple[list[Change], list[Change]]:
    """The changes of this repository, and the objects in no manifest that are out of scope: they belong to others."""
    own: list[Change] = []
    foreign: list[Change] = []
    for one in changes:
        (foreign if one.action is Action.UNMANAGED and outside(one, scope) else own).append(one)
    return own, foreign


def outside(change: Change, scope: Scope) -> str:
    """Why the live object of a change is out of scope; empty: it is not, or there is none."""
    kind = KINDS[change.address.kind]
    return "" if change.before is None else kind.outside(scope, change.id or "", change.before)


def left_scope(changes: Iterable[Change], scope: Scope) -> Iterator[str]:
    """A warning for each object that a manifest has and that somebody took out of scope; writes have a guard."""
    for one in changes:
        if one.action is Action.NO_OP and (why := outside(one, scope)):
            yield f"{one.address} is live as {one.id}, which is out of scope: {why}"


def without(live: LiveState, changes: Iterable[Change]) -> LiveState:
    """What is live, less the objects of these changes."""
    keys = {one.key for one in changes}
    return replace(live, resources=tuple(one for one in live.resources if one.key not in keys)) if keys else live


def restrict(changes: Sequence[Change], desired: DesiredState, selection: Selection) -> Selected:
    """Part the changes.

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
        tuple(change if is_chosen else _as_it_is(change) for change, is_chosen in parted),
        tuple(_left_out(changes, [change for change, is_chosen in parted if not is_chosen], selection)),
    )


def _is_chosen(selection: Selection, change: Change, labels: Mapping[Address, Mapping[str, str]]) -> bool:
    """Whether a change is selected; with paths, nobody knows whether a manifest claims what is unmanaged."""
    if selection.paths and change.action is Action.UNMANAGED:
        return False
    return is_selected(selection, change.address, labels.get(change.address, {}))


def is_selected(selection: Selection, address: Address, labels: Mapping[str, str]) -> bool:
    """Whether one resource is."""
    if selection.only and not any(matches(glob, str(address)) for glob in selection.only):
        return False
    return all(labels.get(label) == value for label, value in selection.selector.items())


def _addresses(desired: DesiredState) -> list[str]:
    return [str(resource.address) for resource in desired.resources]


def _may_be_an_id(glob: str) -> bool:
    """Whether a pattern may be meant for a live object that no manifest claims; its address has its ID for a name."""
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
        there_are = f"there are: {', '.join(sorted(values[label]))}"
        message = f"--selector {label}={value}: no manifest has this value"
        raise UsageError(message, hint=did_you_mean(value, values[label]) or there_are)


def _disarmed(resource: DesiredResource, selection: Selection) -> DesiredResource:
    has_any = resource.secrets or resource.named_secrets is not None
    if not has_any or is_selected(selection, resource.address, resource.labels):
        return resource
    return replace(resource, secrets={}, named_secrets=None)


def _as_it_is(change: Change) -> Change:
    """A change that is not made: what is live stays. Of an object that is not live, nothing is left but its address."""
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
    """A warning, where anything was left out; what no manifest manages is counted apart."""
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
