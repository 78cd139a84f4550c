"""Named secrets of an object: the desired and the live ones, their comparison, and the steps of a rotation.

The service keeps several secrets of an object, each with a name and an optional expiry, and shows a value only once, on
creation. So the service does not know whether a value was delivered. Suffixes of the name record it instead:

UNDELIVERED created; no delivery has started, so its value is lost
UNPROVEN    a delivery has started, so a receiver may have its value; not known to be delivered everywhere
UNTRIED     delivered everywhere; not verified by a login, because logins through the client are not possible yet
RETIRED     replaced by another one

UNPROVEN may be followed by a mark of the deliveries that may have its value, if not all may; the first three by a mark
of the value, by which a later run recognises it in a delivery.
So an interrupted run can continue from the state in the service.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from reconciler.model.dataclass import dataclass
from reconciler.model.json import Json, digest
from reconciler.model.secret import Delivery, delivery_entry, delivery_of

if TYPE_CHECKING:
    from reconciler.errors import ReconcilerError

UNDELIVERED: Final = ".undelivered"
UNPROVEN: Final = ".unproven"
UNTRIED: Final = ".untried"
RETIRED: Final = ".retired"
DEFAULT_OVERLAP: Final = timedelta(days=7)

_UNITS: Final = {"w": timedelta(weeks=1), "d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}
_ENDINGS: Final = f"{UNDELIVERED}|{UNPROVEN}|{UNTRIED}|{RETIRED}".replace(".", "[.]")
_ENDING: Final = re.compile(rf"({_ENDINGS})(?:-([0-9a-f]{{8}}))?(?:-([0-9a-f]{{16}}))?\Z")
_STAMP: Final = re.compile(r"-([0-9]{8}T[0-9]{6}Z)-[0-9a-f]+")
_STAMP_FORMAT: Final = "%Y%m%dT%H%M%SZ"


def duration_of(value: str | int) -> timedelta:
    """Read ``90d``, ``12h``, ``30m``, ``2w`` or ``0``, which may be a number."""
    text = str(value)
    return timedelta() if text == "0" else int(text[:-1]) * _UNITS[text[-1]]


def duration_text(duration: timedelta) -> str:
    """Write a duration in the largest unit, up to days, of which it is a multiple."""
    if not duration:
        return "0"
    unit = next(unit for unit in "dhm" if not duration % _UNITS[unit])
    return f"{duration // _UNITS[unit]}{unit}"


def moment_text(moment: datetime) -> str:
    """UTC, ISO 8601, whole seconds, with a Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_of(text: str) -> datetime:
    """Read a date or an ISO 8601 date-time; without an offset it is UTC.

    Raises:
        ValueError: it is neither.
    """
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def later(moment: datetime, by: timedelta) -> datetime:
    """The moment after a duration, limited to the range of the calendar."""
    first, last = datetime.min.replace(tzinfo=moment.tzinfo), datetime.max.replace(tzinfo=moment.tzinfo)
    return moment + min(max(by, first - moment), last - moment)


@dataclass(frozen=True, slots=True)
class NamedSecret:
    """One entry of a manifest's ``secrets``."""

    name: str
    expires: datetime | None = None
    max_age: timedelta | None = None
    """The lifetime of a new secret. With neither this nor `expires`, it does not expire."""
    overlap: timedelta = DEFAULT_OVERLAP
    """How long the old secret stays valid after a rotation; also how long before its expiry a secret is expiring."""
    deliver: tuple[Delivery, ...] = ()

    def expiry(self, now: datetime) -> datetime | None:
        """The expiry of a secret created now."""
        return self.expires or (later(now, self.max_age) if self.max_age is not None else None)

    def due_at_once(self, now: datetime) -> str:
        """Why a secret created now would be due for rotation immediately; empty: it would not."""
        expiry = self.expiry(now)
        if expiry is None or expiry > later(now, self.overlap):
            return ""
        overlap = duration_text(self.overlap)
        return f"expires at {moment_text(expiry)}, within its overlap of {overlap}: a new one would be due immediately"

    @property
    def policy(self) -> str:
        """The manifest's requirements, as text."""
        age = f"max age {duration_text(self.max_age)}" if self.max_age is not None else ""
        expiry = f"expires {moment_text(self.expires)}" if self.expires else ""
        return f"{age or expiry or 'no expiry'}, overlap {duration_text(self.overlap)}"

    def holders(self, one: "LiveSecret") -> tuple[Delivery, ...]:
        """The deliveries that may have the value of a secret with this name; all if that is unknown."""
        count = len(self.deliver)
        some = (self._from(start)[:size] for start in range(count) for size in range(1, count))
        return next((each for each in some if held_by(each) == f"{one.ending}-{one.holders_mark}"), self.deliver)

    def round_after(self, one: "LiveSecret | None") -> tuple[Delivery, ...]:
        """The deliveries in order, starting with the one that failed for a secret.

        If it fails again, no receiver has the new secret, so it can be deleted, and the earlier one stays valid.
        """
        holders = self.holders(one) if one else ()
        return self._from(self.deliver.index(holders[-1]) + 1 if holders else 0)

    def _from(self, start: int) -> tuple[Delivery, ...]:
        return self.deliver[start:] + self.deliver[:start]


def held_by(deliveries: Collection[Delivery]) -> str:
    """The suffix of a secret that only these deliveries may have."""
    return f"{UNPROVEN}-{digest([*sorted({str(one) for one in deliveries})])[:8]}"


def secret_of(entry: Mapping[str, Any]) -> NamedSecret:
    """Read one entry of ``secrets`` that matches the schema, with unchanged paths.

    Raises:
        ValueError: `expires` is not a date.
    """
    return NamedSecret(
        entry["name"],
        moment_of(entry["expires"]) if "expires" in entry else None,
        duration_of(entry["maxAge"]) if "maxAge" in entry else None,
        duration_of(entry["overlap"]) if "overlap" in entry else DEFAULT_OVERLAP,
        tuple(delivery_of(each) for each in entry.get("deliver", ())),
    )


def secret_entry(secret: NamedSecret) -> dict[str, Json]:
    """Write one entry of ``secrets``: `secret_of` reads it."""
    expiry: dict[str, Json] = {"expires": moment_text(secret.expires)} if secret.expires else {}
    age: dict[str, Json] = {"maxAge": duration_text(secret.max_age)} if secret.max_age is not None else {}
    deliver = [delivery_entry(delivery) for delivery in secret.deliver]
    overlap = {"overlap": duration_text(secret.overlap)}
    return {"name": secret.name, **expiry, **age, **overlap, **({"deliver": deliver} if deliver else {})}


@dataclass(frozen=True, slots=True)
class LiveSecret:
    """One secret as the service lists it, without its value."""

    id: str
    name: str
    expires: datetime | None = None

    @property
    def base(self) -> str:
        """The name without its suffix."""
        return _ENDING.sub("", self.name)

    @property
    def ending(self) -> str:
        """`UNDELIVERED`, `UNPROVEN`, `UNTRIED`, `RETIRED` or empty."""
        return self._part(1)

    @property
    def mark(self) -> str:
        """The mark that identifies its value, see `Secret.mark`; empty: none."""
        return self._part(3)

    @property
    def holders_mark(self) -> str:
        """The mark of the deliveries that may have its value, see `NamedSecret.holders`; empty: unknown."""
        return self._part(2)

    def _part(self, number: int) -> str:
        found = _ENDING.search(self.name)
        return (found[number] or "") if found else ""

    @property
    def made_at(self) -> datetime | None:
        """When it was created, from an id that this program created; None for other ids."""
        stamp = _STAMP.search(self.id)
        try:
            return datetime.strptime(stamp[1], _STAMP_FORMAT).replace(tzinfo=UTC) if stamp else None
        except ValueError:
            return None

    def is_over(self, now: datetime) -> bool:
        """Whether it has expired."""
        return self.expires is not None and self.expires <= now


def new_id(name: str, live: Iterable[LiveSecret], now: datetime, salt: str) -> str:
    """An id with the creation time of a secret; later than all existing ones, even if clocks differ or stop.

    Args:
        name: the secret's.
        live: all secrets of the object.
        now: the current time.
        salt: random hexadecimal digits.
    """
    known = [one.made_at for one in live if one.made_at]
    moment = max([now.replace(microsecond=0), *(later(made_at, timedelta(seconds=1)) for made_at in known)])
    word = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
    return f"{word}-{moment.strftime(_STAMP_FORMAT)}-{salt}"


@dataclass(frozen=True, slots=True)
class Family:
    """The live secrets of one name, by their state."""

    current: LiveSecret | None = None
    """The secret in use: delivered, and verified or untried; or created by another program with exactly this name."""
    superseded: tuple[LiveSecret, ...] = ()
    """Older ones that are not retired yet, including unproven ones if the current one is verified."""
    pending: tuple[LiveSecret, ...] = ()
    """Unproven ones, the newest first: receivers may have them until another one is delivered to the same places."""
    undelivered: tuple[LiveSecret, ...] = ()
    """Undelivered ones, whose values are lost."""
    retired: tuple[LiveSecret, ...] = ()
    is_unfinished: bool = False
    """Whether a rotation has started and not finished."""

    @property
    def members(self) -> tuple[LiveSecret, ...]:
        """All of them."""
        current = [self.current] if self.current else []
        return (*current, *self.superseded, *self.pending, *self.undelivered, *self.retired)


_NEVER: Final = datetime.min.replace(tzinfo=UTC)


def family(name: str, live: Sequence[LiveSecret]) -> Family:
    """Group the live secrets of one name. One of unknown age counts as older than all that this program created."""
    by_age = sorted(live, key=lambda one: (one.made_at or _NEVER, one.id), reverse=True)
    members = [one for one in by_age if one.base == name]
    in_use = [one for one in members if one.ending in {"", UNTRIED}]
    current = in_use[0] if in_use else None
    verified_at = current.made_at if current and not current.ending else None
    begun = [one for one in members if one.ending in {UNDELIVERED, UNPROVEN}]
    stale = [one for one in begun if verified_at and one.made_at and one.made_at < verified_at]
    return Family(
        current,
        tuple(one for one in (*in_use[1:], *stale) if one.ending != UNDELIVERED),
        tuple(one for one in begun if one.ending == UNPROVEN and one not in stale),
        tuple(one for one in begun if one.ending == UNDELIVERED),
        tuple(one for one in members if one.ending == RETIRED),
        is_unfinished=len(stale) < len(begun),
    )


class StepKind(StrEnum):
    """The action of one step."""

    TRY = "try"
    """Check whether a secret of the client can be verified."""
    CREATE = "create"
    DELIVER = "deliver"
    PROVE = "prove"
    CONFIRM = "confirm"
    EXPIRE = "expire"
    DELETE = "delete"
    WAIT = "wait"
    """Wait until a moment."""


@dataclass(frozen=True, slots=True)
class RotationStep:
    """One step, as far as it is known in advance."""

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
    """When a new secret is created."""

    IF_MISSING = "if-missing"
    """If there is none in use, as `apply` does."""
    IF_DUE = "if-due"
    """If the one in use expires soon, expires later than its manifest allows, or is unverified."""
    ANYWAY = "anyway"
    """Unless a rotation is in progress."""


@dataclass(frozen=True, slots=True)
class Provided:
    """The result for the new secrets of one object."""

    note: str
    """A message about those that could not be verified; empty if there are none."""
    error: "ReconcilerError | None" = None
    """Why one was not created, not delivered, or is not accepted; later ones were not started."""
    has_written: bool = False
    """Whether anything was or may have been changed or delivered."""


class Ended(StrEnum):
    """How the rotation of one secret ended."""

    COMPLETED = "completed"
    """All due steps were done."""
    POSTPONED = "postponed"
    """The new secret could not be verified; old ones are unchanged."""
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    NOT_STARTED = "not-started"


class Standing(StrEnum):
    """The state of one secret compared with its manifest."""

    IN_STEP = "in-step"
    UNMANAGED = "unmanaged"
    """The manifest does not manage secrets."""
    OVERLAP = "overlap"
    """Retired, but still valid, so that its users are not locked out."""
    MISSING = "missing"
    EXPIRING = "expiring"
    """It expires within the overlap."""
    EXPIRED = "expired"
    OFF_POLICY = "off-policy"
    """It expires later than the manifest allows, or never."""
    UNPROVEN = "unproven"
    """Created, but not confirmed: a rotation did not finish."""
    UNTRIED = "untried"
    """Delivered, but not verified by a login."""
    SUPERSEDED = "superseded"
    """There is a newer one with this name, but it was not retired: a rotation was interrupted."""
    OVER = "over"
    """Retired and expired: it can be deleted."""
    UNKNOWN = "unknown"
    """Its name is in no manifest that lists secrets."""
    DIFFERS = "differs"
    """The value differs from its reference, or from the one that the last apply wrote."""
    UNVERIFIABLE = "unverifiable"
    """The service does not show it, so it cannot be compared."""

    @property
    def needs_attention(self) -> bool:
        """Whether a user or a run must act."""
        return self not in {Standing.IN_STEP, Standing.UNMANAGED, Standing.OVERLAP, Standing.UNVERIFIABLE}

    @property
    def is_for_rotation(self) -> bool:
        """Whether a rotation is required."""
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
"""The largest clock difference between the machine that created a secret and this one."""


@dataclass(frozen=True, slots=True)
class SecretState:
    """The state of one secret of one resource."""

    name: str
    standing: Standing
    live: LiveSecret | None = None
    wanted: NamedSecret | None = None
    is_active: bool = True
    """Whether logins through the client are possible, so that its secrets can be verified."""
    note: str = ""
    """Further information in addition to its standing."""

    @property
    def is_due(self) -> bool:
        """Whether a rotation is due now. New secrets of an inactive client cannot be verified."""
        return self.standing is Standing.OVER or (self.is_active and self.standing.is_for_rotation)


def states(
    wanted: Sequence[NamedSecret] | None, live: Sequence[LiveSecret], now: datetime, *, is_active: bool
) -> tuple[SecretState, ...]:
    """The state of every desired or live secret. `wanted` is None: the manifest does not manage secrets."""
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
    """The standing of the secret in use."""
    if current is None:
        return Standing.MISSING
    if current.is_over(now):
        return Standing.EXPIRED
    if current.expires is not None and current.expires <= later(now, secret.overlap):
        return Standing.EXPIRING
    latest = secret.expiry(now)
    if latest is not None and (current.expires is None or current.expires > later(latest, _CLOCKS_DIFFER)):
        return Standing.OFF_POLICY
    return Standing.UNTRIED if current.ending == UNTRIED else Standing.IN_STEP
