"""The steps that replace one secret by another, and what the secrets of an object need."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from reconciler.model.dataclass import dataclass
from reconciler.model.named_secret import UNTRIED, Family, LiveSecret, NamedSecret, family
from reconciler.model.secret import Delivery

if TYPE_CHECKING:
    from reconciler.errors import ReconcilerError


class StepKind(StrEnum):
    """What is done in one step."""

    TRY = "try"
    """See whether a secret of the client can be tried at all."""
    CREATE = "create"
    DELIVER = "deliver"
    PROVE = "prove"
    CONFIRM = "confirm"
    EXPIRE = "expire"
    DELETE = "delete"
    WAIT = "wait"
    """Nothing, until a moment has come."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step, in words and as far as it is known before it is taken."""

    kind: StepKind
    text: str
    secret: LiveSecret | None = None
    """The secret that it is about; None: the new one."""
    until: datetime | None = None
    delivery: Delivery | None = None

    @property
    def writes(self) -> bool:
        """Whether it sends a request that changes something, or delivers."""
        return self.kind not in {StepKind.TRY, StepKind.PROVE, StepKind.WAIT}


class Begin(StrEnum):
    """When a new secret is made."""

    IF_MISSING = "if-missing"
    """Where there is none in use, as `apply` does."""
    IF_DUE = "if-due"
    """Where the one in use ends soon, ends later than its manifest allows, or could not be tried."""
    ANYWAY = "anyway"
    """Wherever no rotation is under way."""


@dataclass(frozen=True, slots=True)
class Provided:
    """What became of the new secrets of one object."""

    note: str
    """What there is to say of those that could not be tried; empty where there are none."""
    error: "ReconcilerError | None" = None
    """Why one was not made, not delivered, or is not taken; those after it were not begun."""
    has_written: bool = False
    """Whether anything was or may have been changed or delivered."""


class Ended(StrEnum):
    """How the rotation of one secret ended."""

    COMPLETED = "completed"
    """All that was due was done."""
    POSTPONED = "postponed"
    """Whether the service takes the new secret could not be tried; nothing old was touched."""
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    NOT_STARTED = "not-started"


class Standing(StrEnum):
    """How one secret stands to what the manifest asks for."""

    IN_STEP = "in-step"
    UNMANAGED = "unmanaged"
    """The manifest says nothing of secrets."""
    OVERLAP = "overlap"
    """Retired, and valid for a while yet, so that nobody is locked out."""
    MISSING = "missing"
    EXPIRING = "expiring"
    """It expires within the overlap."""
    EXPIRED = "expired"
    OFF_POLICY = "off-policy"
    """It expires later than the manifest allows, or never."""
    UNPROVEN = "unproven"
    """Made, but not proven: a rotation did not end."""
    UNTRIED = "untried"
    """Delivered, but whether it opens a login could not be tried."""
    SUPERSEDED = "superseded"
    """There is a newer one of this name, and it was not retired: a rotation was interrupted."""
    OVER = "over"
    """Retired and expired: to be deleted."""
    UNKNOWN = "unknown"
    """Its name is in no manifest that lists secrets."""
    DIFFERS = "differs"
    """The field has another value than its reference, or the last apply wrote another one."""
    UNVERIFIABLE = "unverifiable"
    """The service does not show it, so that it cannot be compared."""

    @property
    def needs_attention(self) -> bool:
        """Whether somebody, or a run of ours, has something to do."""
        return self not in {Standing.IN_STEP, Standing.UNMANAGED, Standing.OVERLAP, Standing.UNVERIFIABLE}

    @property
    def is_for_rotation(self) -> bool:
        """Whether a rotation is what there is to do."""
        return self in _FOR_ROTATION


_FOR_ROTATION: Final = frozenset(
    {
        Standing.EXPIRING,
        Standing.EXPIRED,
        Standing.OFF_POLICY,
        Standing.UNPROVEN,
        Standing.UNTRIED,
        Standing.SUPERSEDED,
        Standing.OVER,
    }
)


_CLOCKS_DIFFER: Final = timedelta(minutes=5)
"""Between the machine that made a secret and this one, at most."""


@dataclass(frozen=True, slots=True)
class SecretState:
    """How one secret of one resource stands."""

    name: str
    standing: Standing
    live: LiveSecret | None = None
    wanted: NamedSecret | None = None
    is_active: bool = True
    """Whether anybody can log in through the client, so that a secret of it can be tried."""
    note: str = ""
    """What to say of it beyond its standing."""

    @property
    def is_due(self) -> bool:
        """Whether a rotation has something to do now. Through an inactive client no new secret could be proven."""
        return self.standing is Standing.OVER or (self.is_active and self.standing.is_for_rotation)


def states(
    wanted: Sequence[NamedSecret] | None, live: Sequence[LiveSecret], now: datetime, *, is_active: bool
) -> tuple[SecretState, ...]:
    """Judge every secret that is wanted or there. None: the manifest says nothing of secrets."""
    if wanted is None:
        return tuple(SecretState(one.name, Standing.UNMANAGED, one) for one in sorted(live, key=_by_name))
    found: list[SecretState] = []
    claimed: set[str] = set()
    for secret in wanted:
        relatives = family(secret.name, live)
        claimed |= {one.id for one in relatives.members}
        found += [
            SecretState(secret.name, standing, one, secret, is_active)
            for standing, one in _of_family(secret, relatives, now)
        ]
    unlisted = [one for one in sorted(live, key=_by_name) if one.id not in claimed]
    return (*found, *(SecretState(one.name, Standing.UNKNOWN, one) for one in unlisted))


def _by_name(one: LiveSecret) -> tuple[str, str]:
    return one.name, one.id


def _of_family(secret: NamedSecret, relatives: Family, now: datetime) -> Iterator[tuple[Standing, LiveSecret | None]]:
    yield standing_of(secret, relatives.current, now), relatives.current
    yield from ((Standing.SUPERSEDED, one) for one in relatives.superseded)
    yield from ((Standing.UNPROVEN, one) for one in (*relatives.pending, *relatives.undelivered))
    yield from ((Standing.OVER if one.is_over(now) else Standing.OVERLAP, one) for one in relatives.retired)


def standing_of(secret: NamedSecret, current: LiveSecret | None, now: datetime) -> Standing:
    """How the secret in use stands to what the manifest asks for."""
    if current is None:
        return Standing.MISSING
    if current.is_over(now):
        return Standing.EXPIRED
    if current.expires is not None and current.expires <= now + secret.overlap:
        return Standing.EXPIRING
    latest = secret.expiry(now)
    if latest is not None and (current.expires is None or current.expires > latest + _CLOCKS_DIFFER):
        return Standing.OFF_POLICY
    return Standing.UNTRIED if current.ending == UNTRIED else Standing.IN_STEP
