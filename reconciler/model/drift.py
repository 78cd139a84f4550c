"""A plan seen as drift: a deviation for each field or object, with a lasting fingerprint; and receipts of applies."""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from enum import StrEnum
from functools import lru_cache
from typing import Final

from reconciler.model.dataclass import dataclass
from reconciler.model.json import ABSENT, Absent, Json, digest, is_array, with_whole_numbers
from reconciler.model.plan import Action, Change, FieldChange, Plan
from reconciler.model.resource import Address

FINGERPRINT_DIGITS: Final = 16


class DriftKind(StrEnum):
    """How a resource deviates from its manifest. `UNMANAGED` is drift only if the configuration requires it."""

    CHANGED = "changed"
    """A field has another value; there is a deviation for each field."""
    MISSING = "missing"
    """A manifest declares it, but it does not exist."""
    SURPLUS = "surplus"
    """A manifest declares it absent, but it exists."""
    RESTORED = "restored"
    """OrderCloud's staging restore removed it from many objects at once."""
    UNMANAGED = "unmanaged"
    """It exists, but has no manifest."""


class Side(StrEnum):
    """The side that changed since the last apply, according to its receipt."""

    GIT_AHEAD = "git-ahead"
    """The manifests changed and are not applied yet; the service is unchanged since the apply."""
    LIVE_DRIFTED = "live-drifted"
    """The service changed; the manifests are as applied."""
    BOTH = "both"
    NEITHER = "neither"
    """Neither side changed: the difference existed right after the apply."""
    UNKNOWN = "unknown"
    """There is no receipt, or it does not contain this."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """One difference between the service and the manifests."""

    kind: DriftKind
    change: Change
    """The change that would correct the resource."""
    field: FieldChange | None
    """The field of a changed resource; its `before` is live, its `after` is desired."""
    fingerprint: str
    """See `fingerprint`."""
    side: Side = Side.UNKNOWN
    is_drift: bool = True
    """Whether it counts for the exit code."""

    @property
    def address(self) -> Address:
        """The resource."""
        return self.change.address

    @property
    def is_left(self) -> bool:
        """Whether an apply does not change it."""
        return self.kind is DriftKind.UNMANAGED or bool(self.field and self.field.is_left and not self.field.added)

    @property
    def sides(self) -> tuple[Json | Absent, Json | Absent]:
        """The live and the desired value: of a field, or of the body of a missing or surplus object."""
        if self.field:
            return self.field.before, self.field.after
        is_missing = self.kind in {DriftKind.MISSING, DriftKind.RESTORED}
        live = self.change.before if self.kind is DriftKind.SURPLUS else ABSENT
        return live, self.change.after if is_missing else ABSENT

    @property
    def pointer(self) -> str:
        """JSON pointer into the resource's spec; empty for the resource as a whole."""
        return self.field.pointer if self.field else ""


@dataclass(frozen=True, slots=True)
class ReceiptFacts:
    """The apply that the sides refer to."""

    created_at: str
    git_commit: str | None


@dataclass(frozen=True, slots=True)
class Drift:
    """The drift of one service: the shown deviations, and the number of others."""

    plan: Plan
    """The whole plan, independent of what is shown."""
    deviations: tuple[Deviation, ...]
    """The shown deviations, sorted by address; the fields of a resource in its kind's order."""
    accepted: int = 0
    """The number of further deviations that the baseline contains."""
    unmoved: int = 0
    """The number of further deviations that existed right after the apply, if these are not shown."""
    receipt: ReceiptFacts | None = None

    @property
    def has_drift(self) -> bool:
        """Whether any shown deviation is drift."""
        return any(one.is_drift for one in self.deviations)

    @property
    def uncontrolled(self) -> tuple[Change, ...]:
        """The objects in no manifest that are drift; no apply corrects them."""
        return tuple(one.change for one in self.deviations if one.kind is DriftKind.UNMANAGED and one.is_drift)

    @property
    def left_out(self) -> int:
        """How many deviations there are that are not shown."""
        return self.accepted + self.unmoved

    @property
    def changes(self) -> tuple[Change, ...]:
        """The shown changes of the plan, with the shown fields of changed resources."""
        shown: dict[Address, list[Deviation]] = {}
        for one in self.deviations:
            shown.setdefault(one.address, []).append(one)
        return tuple(_as_shown(ones) for ones in shown.values())

    def count(self, kind: DriftKind) -> int:
        """The number of resources with this kind of deviation."""
        return len({one.address for one in self.deviations if one.kind is kind})

    @property
    def in_step(self) -> int:
        """The number of resources that the plan does not change and that are not shown."""
        shown = {one.address for one in self.deviations}
        return sum(one.action is Action.NO_OP and one.address not in shown for one in self.plan.changes)


def _as_shown(deviations: Sequence[Deviation]) -> Change:
    change = deviations[0].change
    fields = tuple(one.field for one in deviations if one.field)
    return replace(change, fields=fields) if fields and len(fields) < len(change.fields) else change


def fingerprint(  # one for each part
    environment: str, kind: DriftKind, address: Address, at: str, live: Json | Absent, wanted: Json | Absent
) -> str:
    """Identify a deviation: 16 hexadecimal digits, stable as long as the deviation itself does not change.

    Args:
        environment: its name: one deviation in two environments is two.
        kind: of the deviation.
        address: of the resource; of an unmanaged one with its id in one case.
        at: JSON pointer of the field, or empty.
        live: the canonical live value; absent for the resource as a whole and for secrets, whose values are unknown.
        wanted: the same for the manifest.
    """
    sides = [None if isinstance(value, Absent) else [with_whole_numbers(value)] for value in (live, wanted)]
    return digest([environment, kind.value, str(address), at, *sides])[:FINGERPRINT_DIGITS]


def hashes_of(value: Json | Absent) -> Json | Absent:
    """A value with its content hashed: an object keeps its keys, anything else becomes 16 hexadecimal digits.

    Equal values (by `same`) have equal hashes, and paths are the same in both.
    """
    if isinstance(value, Mapping):
        return {key: hashes_of(child) for key, child in value.items()}  # type: ignore[misc]  # members are never absent
    if isinstance(value, Absent):
        return value
    return _hash(value) if is_array(value) else _hash_of_one(value)


def _hash(value: Json) -> str:
    return digest(with_whole_numbers(value))[:FINGERPRINT_DIGITS]


# Typed, because True is not 1. Most fields of most objects have one of few values.
_hash_of_one: Final = lru_cache(maxsize=10_000, typed=True)(_hash)


@dataclass(frozen=True, slots=True)
class Applied:
    """One resource after an apply, without its values."""

    address: Address
    id: str | None
    hashes: Json
    """`hashes_of` the canonical body, with ``assignments`` where they are managed; null: it was deleted."""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    """Write-only secret field -> `Secret.fingerprint` of the value that was last written; empty without a key."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The result of one apply, for later comparisons with the service: only hashes, no values and no secrets."""

    created_at: str
    environment: str
    base_url: str
    marketplace: str
    manifest_digest: str
    git_commit: str | None
    is_complete: bool
    """Whether it covers everything: nothing failed, and nothing was left out."""
    resources: tuple[Applied, ...]
    """Sorted by address."""
    unmanaged: tuple[str, ...] = ()
    """Addresses of unmanaged objects, ids in lower case; sorted."""
    plan_digest: str = ""
    """Of the plan that was applied."""
    scope: Json = None
    """The scope of the manifests, see `Scope.document`; null: unknown."""

    @property
    def facts(self) -> ReceiptFacts:
        """Its facts for reports."""
        return ReceiptFacts(self.created_at, self.git_commit)
