"""Plan x receipt of the last apply x baseline -> drift: what deviates, which side moved, and what of it is shown. Pure.

There is no state file. Without a receipt the service is compared with the manifests, and nobody knows who moved. With
one, a value that the service has is looked up among the hashes of what was applied, and so is the one that git wants.
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
"""The service is as the apply left it."""


def find(  # one for each way to look
    plan: Plan,
    receipt: Receipt | None = None,
    *,
    baseline: Collection[str] = (),
    since_receipt: bool = False,
    strict: bool = False,
    unmanaged: bool = False,
) -> Drift:
    """See a plan as drift.

    Args:
        plan: of this moment.
        receipt: of the last apply, if there is one.
        baseline: fingerprints of what is known and not to be shown again.
        since_receipt: show only what moved in the service since the receipt, or may have.
        strict: fields that no manifest owns are drift, too, where they are wider than the API's default.
        unmanaged: objects in no manifest are drift, too, save the client that the run is logged in with.
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
    """A warning where an apply was of another part of the marketplace; empty: it was not, or does not say."""
    if receipt.scope in (None, plan.scope.document()):
        return ""
    return (
        f"scope changed since the last apply, at {receipt.created_at}: objects new in scope are "
        "reported even if unchanged, and objects no longer in scope are not reported"
    )


def _with_noticed(changes: Sequence[Change], counted: Sequence[Notice]) -> list[Change]:
    """The changes with what no manifest names as further fields; a field that has both is seen as a whole."""
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
        judge = _FieldSides(change, KINDS[change.address.kind], past)
        for field in change.fields:
            live, wanted = judge.sides(field)
            known_by = fingerprint(environment, DriftKind.CHANGED, change.address, field.pointer, live, wanted)
            yield Deviation(DriftKind.CHANGED, change, field, known_by, judge.side_of(field, live, wanted))
    elif change.action in _KINDS:
        kind = _KINDS[change.action]
        known_by = fingerprint(environment, kind, _stable_address(change), "", ABSENT, ABSENT)
        side = _whole_side(change, kind, KINDS[change.address.kind], past) if past else Side.UNKNOWN
        yield Deviation(kind, change, None, known_by, side, is_drift=kind is not DriftKind.UNMANAGED)


def _stable_address(change: Change) -> Address:
    """The address, of an unmanaged object in lower case: OrderCloud writes its id now in one case, now in another."""
    address = change.address
    return replace(address, name=address.name.casefold()) if change.action is Action.UNMANAGED else address


class _Past:
    """A receipt, ready for many questions."""

    def __init__(self, receipt: Receipt, plan: Plan) -> None:
        self.applied = {one.address: one for one in receipt.resources}
        self.addresses = {ObjectKey(one.address.kind, one.id): one.address for one in receipt.resources if one.id}
        self.wanted = {change.address for change in plan.changes if change.action is not Action.UNMANAGED}
        self.unmanaged = frozenset(receipt.unmanaged)
        self.watched = _watched(plan)
        self._is_complete = receipt.is_complete and not scope_changed(receipt, plan)

    def side_if_not_recorded(self, otherwise: Side) -> Side:
        """What follows from a receipt's silence, if it speaks of everything that there was."""
        return otherwise if self._is_complete else Side.UNKNOWN


def _side(*, git: bool, live: bool) -> Side:
    """Name who moved."""
    if git and live:
        return Side.BOTH
    return Side.GIT_AHEAD if git else Side.LIVE_DRIFTED if live else Side.NEITHER


def _whole_side(change: Change, kind: DriftKind, table: Kind, past: _Past) -> Side:
    """Who made an object come or go."""
    applied = past.applied.get(change.address)
    match kind:
        case DriftKind.UNMANAGED:
            return _unmanaged_side(change, past)
        case DriftKind.MISSING if applied and applied.hashes is not None:
            return _side(git=_asks_for_more(table, change.after or {}, applied), live=True)
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


def _asks_for_more(kind: Kind, wanted: Body, applied: Applied) -> bool:
    """Whether a manifest names a field that is not as it was applied."""
    canonical = kind.canonical(wanted)
    return any(hashes_of(canonical[name]) != get_at(applied.hashes, (name,)) for name in wanted if name in canonical)


class _FieldSides:
    """Compares the two sides of one resource's fields with what was applied."""

    def __init__(self, change: Change, kind: Kind, past: "_Past | None") -> None:
        self._change = change
        self._kind = kind
        self._past = past
        self._applied = past.applied.get(change.address) if past else None

    def sides(self, field: FieldChange) -> tuple[Json | Absent, Json | Absent]:
        """The canonical values, live and wanted; of a secret nothing is known."""
        path = field.path
        if path[0] == _ASSIGNMENTS:
            live, wanted = (_parties(side) if is_array(side) else side for side in (field.before, field.after))
            return live, wanted
        known = self._kind.fields.get(path[0]) if len(path) == 1 else None  # what is in an object is as it is
        return _canonical(known, field.before), _canonical(known, field.after)

    def side_of(self, field: FieldChange, live: Json | Absent, wanted: Json | Absent) -> Side:
        """Compare both with what was applied."""
        if self._past is None or field.sensitive:
            return Side.UNKNOWN
        if self._applied is None:
            return self._past.side_if_not_recorded(Side.GIT_AHEAD)
        path = field.path
        if get_at(self._applied.hashes, path[:1]) is ABSENT:
            return Side.UNKNOWN
        was = get_at(self._applied.hashes, path)
        # What is only watched was there beside what git asked for.
        is_watched = not field.added and (self._change.address, field.pointer) in self._past.watched
        return _side(git=not is_watched and hashes_of(wanted) != was, live=hashes_of(live) != was)


def _canonical(known: Field | None, value: Json | Absent) -> Json | Absent:
    if isinstance(value, Absent):
        return value
    return known.canonical_value(value) if known else value


def _parties(ids: Iterable[Json]) -> Json:
    """Ids of those who are assigned, in one case and order."""
    return sorted(str(member).casefold() for member in ids)


def _watched(plan: Plan) -> Mapping[tuple[Address, str], FieldChange]:
    """The assignments beside those that manifests name, by address and JSON pointer."""
    return {(one.address, field.pointer): field for one in plan.notices if one.is_watched for field in one.fields}


# ------------------------------------------------------------------------------------------------------------ receipts


def receipt_of(
    plan: Plan,
    result: ApplyResult,
    desired: DesiredState,
    created_at: str,
    known: Mapping[SecretKey, str] = MappingProxyType({}),
) -> Receipt:
    """Keep what an apply left behind. What failed, was skipped or did not converge is left out: nobody knows it.

    Args:
        plan: what was carried out.
        result: what became of it.
        desired: the manifests that it was made from.
        created_at: the present time, UTC.
        known: the fingerprints of write-only secrets that the receipt before had; what was not written keeps its own.
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
        scope=desired.scope.document(),  # a plan that was saved does not say
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
    beside = _watched(plan)
    for change in plan.changes:
        if change.action is Action.NO_OP or change.address in done:
            yield Applied(
                change.address,
                ids_by_address[change.address],
                _hashes(_with_ids(change, made), managed.get(change.address, {}), beside),
                _fingerprints(change, done.get(change.address), known),
            )


def _fingerprints(change: Change, outcome: Outcome | None, known: Mapping[SecretKey, str]) -> Mapping[str, str]:
    """The fingerprints of the write-only secrets that an object has now, as far as anybody knows."""
    if change.after is None:
        return {}
    names = sorted(KINDS[change.address.kind].write_only_fields)
    written = {intent.field for intent in change.secrets}
    kept = {} if change.action is Action.CREATE else {name: known.get((change.address, name), "") for name in names}
    new = {name: outcome.fingerprints.get(name, "") if outcome else "" for name in written}
    return {name: one for name in names if (one := {**kept, **new}.get(name, ""))}


def _with_ids(change: Change, made: Mapping[str, str]) -> Change:
    """The change with the ids that have become known, see `known_ids`: the next plan compares with those."""
    if change.after is None or not made:
        return change
    after = with_references(KINDS[change.address.kind], change.after, lambda _, one: made.get(str(one), one))
    return replace(change, after=after)


def _hashes(
    change: Change,
    assignments: Mapping[str, tuple[str, ...]],
    beside: Mapping[tuple[Address, str], FieldChange],
) -> Json:
    if change.after is None:
        return None
    parties: dict[str, Json] = {}
    for party, ids in assignments.items():
        watched = beside.get((change.address, pointer(_ASSIGNMENTS, party)))
        parties[party] = _parties([*ids, *(watched.removed if watched else ())])
    canonical = KINDS[change.address.kind].canonical(change.after)
    hashes = hashes_of({**canonical, **({_ASSIGNMENTS: parties} if parties else {})})
    assert not isinstance(hashes, Absent)  # noqa: S101  # a body is a value
    return hashes
