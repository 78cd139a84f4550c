"""Plan x receipt of the last apply x baseline -> drift: deviations, the side that changed, and which are shown. Pure.

There is no state file. Without a receipt, the service is compared with the manifests, and the side that changed is
unknown. With a receipt, the live and the desired value are each compared with the hash of the applied value.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from reconciler.kinds import KINDS, Field, Kind
from reconciler.kinds.references import with_references
from reconciler.model.drift import Applied, Deviation, Drift, DriftKind, Receipt, Side, fingerprint, hashes_of
from reconciler.model.json import ABSENT, Absent, Body, Json, get_at, is_array, pointer
from reconciler.model.outcome import ApplyResult, Outcome, Status
from reconciler.model.plan import Action, Change, FieldChange, Notice, Plan
from reconciler.model.resource import Address, DesiredState, ObjectKey, SecretKey
from reconciler.planning.diff.identity import known_ids, with_ids
from reconciler.planning.restore import restored

_KINDS: Final = {
    Action.CREATE: DriftKind.MISSING,
    Action.DELETE: DriftKind.SURPLUS,
    Action.UNMANAGED: DriftKind.UNMANAGED,
}
_ASSIGNMENTS: Final = "assignments"
_UNMOVED: Final = frozenset({Side.GIT_AHEAD, Side.NEITHER})
"""The service has not changed since the apply."""


def find(  # one parameter for each option of drift
    plan: Plan,
    receipt: Receipt | None = None,
    *,
    baseline: Collection[str] = (),
    since_receipt: bool = False,
    strict: bool = False,
    unmanaged: bool = False,
) -> Drift:
    """Convert a plan to drift.

    Args:
        plan: the current plan.
        receipt: of the last apply, if there is one.
        baseline: fingerprints of known deviations, which are not shown.
        since_receipt: show only what changed, or may have changed, in the service since the receipt.
        strict: fields that no manifest owns are also drift if they are wider than the API's default.
        unmanaged: objects in no manifest are also drift, except the login client.
    """
    past = _Past(receipt, plan) if receipt else None
    if receipt and (changed := scope_changed(receipt, plan)):
        plan = replace(plan, warnings=tuple(dict.fromkeys([*plan.warnings, changed])))
    counted = [one for one in plan.notices if one.is_watched or strict]
    changes = _with_noticed(plan.changes, counted)
    found = [deviation for change in changes for deviation in _deviations(plan, change, past)]
    lost = restored(plan.changes)
    found = [replace(one, kind=DriftKind.RESTORED) if one.address in lost else one for one in found]
    if unmanaged:
        found = [one if one.change.key == plan.login else replace(one, is_drift=True) for one in found]
    new = [one for one in found if one.fingerprint not in baseline]
    shown = [one for one in new if not (since_receipt and one.side in _UNMOVED)]
    facts = receipt.facts if receipt else None
    plan = replace(plan, notices=tuple(one for one in plan.notices if one not in counted))
    return Drift(plan, tuple(shown), len(found) - len(new), len(new) - len(shown), facts)


def scope_changed(receipt: Receipt, plan: Plan) -> str:
    """A warning if the last apply had another scope; empty: the same scope, or unknown."""
    if receipt.scope in (None, plan.scope.document()):
        return ""
    return (
        f"scope changed since the last apply, at {receipt.created_at}: objects new in scope are "
        "reported even if unchanged, and objects no longer in scope are not reported"
    )


def _with_noticed(changes: Sequence[Change], counted: Sequence[Notice]) -> list[Change]:
    """The changes with unmanaged parts as further fields; a field that has both is merged."""
    of: dict[Address, dict[str, FieldChange]] = {}
    for one in counted:
        of.setdefault(one.address, {}).update({field.pointer: replace(field, is_left=True) for field in one.fields})
    return [_with_fields(change, of[change.address]) if change.address in of else change for change in changes]


def _with_fields(change: Change, more: Mapping[str, FieldChange]) -> Change:
    others = tuple(field for field in change.fields if field.pointer not in more)
    return replace(change, action=Action.UPDATE, fields=(*others, *more.values()))


def _deviations(plan: Plan, change: Change, past: "_Past | None") -> Iterator[Deviation]:
    environment = plan.binding.environment
    if change.action is Action.UPDATE:
        field_sides = _FieldSides(change, KINDS[change.address.kind], past)
        for field in change.fields:
            live, wanted = field_sides.sides(field)
            known_by = fingerprint(environment, DriftKind.CHANGED, change.address, field.pointer, live, wanted)
            yield Deviation(DriftKind.CHANGED, change, field, known_by, field_sides.side_of(field, live, wanted))
    elif change.action in _KINDS:
        kind = _KINDS[change.action]
        known_by = fingerprint(environment, kind, _stable_address(change), "", ABSENT, ABSENT)
        side = _whole_side(change, kind, KINDS[change.address.kind], past) if past else Side.UNKNOWN
        yield Deviation(kind, change, None, known_by, side, is_drift=kind is not DriftKind.UNMANAGED)


def _stable_address(change: Change) -> Address:
    """The address; lower case for an unmanaged object, whose id OrderCloud returns in varying case."""
    address = change.address
    return replace(address, name=address.name.casefold()) if change.action is Action.UNMANAGED else address


class _Past:
    """A receipt, indexed for lookups."""

    def __init__(self, receipt: Receipt, plan: Plan) -> None:
        self.applied = {one.address: one for one in receipt.resources}
        self.addresses = {ObjectKey(one.address.kind, one.id): one.address for one in receipt.resources if one.id}
        self.wanted = {change.address for change in plan.changes if change.action is not Action.UNMANAGED}
        self.unmanaged = frozenset(receipt.unmanaged)
        self.watched = _watched(plan)
        self._is_complete = receipt.is_complete and not scope_changed(receipt, plan)

    def side_if_not_recorded(self, otherwise: Side) -> Side:
        """The side if the receipt does not contain an object; unknown if the receipt is incomplete."""
        return otherwise if self._is_complete else Side.UNKNOWN


def _side(*, git: bool, live: bool) -> Side:
    """The side that changed."""
    if git and live:
        return Side.BOTH
    return Side.GIT_AHEAD if git else Side.LIVE_DRIFTED if live else Side.NEITHER


def _whole_side(change: Change, kind: DriftKind, table: Kind, past: _Past) -> Side:
    """The side that created or deleted an object."""
    applied = past.applied.get(change.address)
    match kind:
        case DriftKind.UNMANAGED:
            return _unmanaged_side(change, past)
        case DriftKind.MISSING if applied and applied.hashes is not None:
            return _side(git=_differs_from_applied(table, change.after or {}, applied), live=True)
        case DriftKind.SURPLUS if applied and applied.hashes is None:
            return Side.LIVE_DRIFTED
        case _:
            return Side.GIT_AHEAD if applied else past.side_if_not_recorded(Side.GIT_AHEAD)


def _unmanaged_side(change: Change, past: _Past) -> Side:
    address = str(_stable_address(change))
    if address in past.unmanaged:
        return Side.NEITHER
    was = past.addresses.get(change.key) if change.key else None
    if was is None:
        return past.side_if_not_recorded(Side.LIVE_DRIFTED)
    return Side.LIVE_DRIFTED if was in past.wanted else Side.GIT_AHEAD  # it was renamed, or its manifest was removed


def _differs_from_applied(kind: Kind, wanted: Body, applied: Applied) -> bool:
    """Whether a manifest names a field whose value differs from the applied one."""
    canonical = kind.canonical(wanted)
    return any(hashes_of(canonical[name]) != get_at(applied.hashes, (name,)) for name in wanted if name in canonical)


class _FieldSides:
    """Compares both sides of a resource's fields with the applied values."""

    def __init__(self, change: Change, kind: Kind, past: "_Past | None") -> None:
        self._change = change
        self._kind = kind
        self._past = past
        self._applied = past.applied.get(change.address) if past else None

    def sides(self, field: FieldChange) -> tuple[Json | Absent, Json | Absent]:
        """The canonical live and desired values; absent for a secret."""
        path = field.path
        if path[0] == _ASSIGNMENTS:
            live, wanted = (_parties(side) if is_array(side) else side for side in (field.before, field.after))
            return live, wanted
        known = self._kind.fields.get(path[0]) if len(path) == 1 else None  # members have no canonical form
        return _canonical(known, field.before), _canonical(known, field.after)

    def side_of(self, field: FieldChange, live: Json | Absent, wanted: Json | Absent) -> Side:
        """Compare both values with the applied one."""
        if self._past is None or field.sensitive:
            return Side.UNKNOWN
        if self._applied is None:
            return self._past.side_if_not_recorded(Side.GIT_AHEAD)
        path = field.path
        if get_at(self._applied.hashes, path[:1]) is ABSENT:
            return Side.UNKNOWN
        was = get_at(self._applied.hashes, path)
        # A watched assignment existed in addition to those that git named.
        is_watched = not field.added and (self._change.address, field.pointer) in self._past.watched
        return _side(git=not is_watched and hashes_of(wanted) != was, live=hashes_of(live) != was)


def _canonical(known: Field | None, value: Json | Absent) -> Json | Absent:
    if isinstance(value, Absent):
        return value
    return known.canonical_value(value) if known else value


def _parties(ids: Iterable[Json]) -> Json:
    """The assigned ids, sorted and in one case."""
    return sorted(str(member).casefold() for member in ids)


def _watched(plan: Plan) -> Mapping[tuple[Address, str], FieldChange]:
    """The assignments that manifests do not name, by address and JSON pointer."""
    return {(one.address, field.pointer): field for one in plan.notices if one.is_watched for field in one.fields}


# ------------------------------------------------------------------------------------------------------------ receipts


def receipt_of(
    plan: Plan,
    result: ApplyResult,
    desired: DesiredState,
    created_at: str,
    known: Mapping[SecretKey, str] = MappingProxyType({}),
) -> Receipt:
    """Create the receipt of an apply, without changes that failed, were skipped or did not converge.

    Args:
        plan: the applied plan.
        result: its result.
        desired: the manifests of the plan.
        created_at: the current time, UTC.
        known: the fingerprints of write-only secrets in the previous receipt; unwritten secrets keep theirs.
    """
    binding = plan.binding
    return Receipt(
        created_at,
        binding.environment,
        binding.base_url,
        binding.marketplace,
        binding.manifest_digest,
        binding.git_commit,
        is_complete=plan.selection.is_everything and result.is_complete,
        resources=tuple(_applied(plan, result, desired, known)),
        scope=desired.scope.document(),  # a saved plan does not have it
        unmanaged=tuple(sorted(str(_stable_address(one)) for one in plan.changes if one.action is Action.UNMANAGED)),
    )


def _applied(
    plan: Plan, result: ApplyResult, desired: DesiredState, known: Mapping[SecretKey, str]
) -> Iterator[Applied]:
    done = {outcome.change.address: outcome for outcome in result.outcomes if outcome.status is Status.APPLIED}
    ids = {address: outcome.id for address, outcome in done.items()}
    ids_by_address = {one.address: ids.get(one.address) or one.id for one in plan.changes}
    made = known_ids(ids_by_address)
    managed = {one.address: with_ids(one.assignments, made) for one in desired.resources if one.assignments}
    watched_assignments = _watched(plan)
    for change in plan.changes:
        if change.action is Action.NO_OP or change.address in done:
            yield Applied(
                change.address,
                ids_by_address[change.address],
                _hashes(_with_ids(change, made), managed.get(change.address, {}), watched_assignments),
                _fingerprints(change, done.get(change.address), known),
            )


def _fingerprints(change: Change, outcome: Outcome | None, known: Mapping[SecretKey, str]) -> Mapping[str, str]:
    """The known fingerprints of an object's current write-only secrets."""
    if change.after is None:
        return {}
    names = sorted(KINDS[change.address.kind].write_only_fields)
    written = {intent.field for intent in change.secrets}
    kept = {} if change.action is Action.CREATE else {name: known.get((change.address, name), "") for name in names}
    new = {name: outcome.fingerprints.get(name, "") if outcome else "" for name in written}
    return {name: one for name in names if (one := {**kept, **new}.get(name, ""))}


def _with_ids(change: Change, made: Mapping[str, str]) -> Change:
    """The change with the ids that are now known, see `known_ids`: the next plan compares with those."""
    if change.after is None or not made:
        return change
    after = with_references(KINDS[change.address.kind], change.after, lambda _, one: made.get(str(one), one))
    return replace(change, after=after)


def _hashes(
    change: Change,
    assignments: Mapping[str, tuple[str, ...]],
    watched_assignments: Mapping[tuple[Address, str], FieldChange],
) -> Json:
    if change.after is None:
        return None
    parties: dict[str, Json] = {}
    for party, ids in assignments.items():
        watched = watched_assignments.get((change.address, pointer(_ASSIGNMENTS, party)))
        parties[party] = _parties([*ids, *(watched.removed if watched else ())])
    canonical = KINDS[change.address.kind].canonical(change.after)
    hashes = hashes_of({**canonical, **({_ASSIGNMENTS: parties} if parties else {})})
    assert not isinstance(hashes, Absent)  # noqa: S101  # a body is a value
    return hashes
