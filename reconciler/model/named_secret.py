"""Named secrets of an object: what manifests want, what the service has, how these compare, and steps of a rotation.

The service keeps several secrets beside an object, each with a name and perhaps an expiry, and shows a value once, when
it makes it. So whether a value was ever delivered cannot be read from it. Endings of the name say it instead:

UNDELIVERED made; no delivery has begun, or none was made, so nobody has its value
UNPROVEN    a delivery has begun, so somebody may have its value; not known to be delivered everywhere
UNTRIED     delivered everywhere; whether it opens a login could not be tried, because nobody can log in yet
RETIRED     another one has taken its place

UNPROVEN may be followed by a mark of the deliveries that may have its value, where not all may; the first three by a
mark of the value, by which a later run recognises it where it was delivered.
Whoever is interrupted anywhere finds in the service how far it had come.
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
    """Write a duration in the largest unit of days or less that it is a whole number of."""
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
        ValueError: it is none.
    """
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def later(moment: datetime, by: timedelta) -> datetime:
    """A moment that is so much later, as far as the calendar goes."""
    first, last = datetime.min.replace(tzinfo=moment.tzinfo), datetime.max.replace(tzinfo=moment.tzinfo)
    return moment + min(max(by, first - moment), last - moment)


@dataclass(frozen=True, slots=True)
class NamedSecret:
    """One entry of a manifest's ``secrets``."""

    name: str
    expires: datetime | None = None
    max_age: timedelta | None = None
    """A new one expires so long after it was made. Neither this nor `expires`: it does not expire."""
    overlap: timedelta = DEFAULT_OVERLAP
    """How long the old one stays valid beside a new one; also how long before its expiry one counts as expiring."""
    deliver: tuple[Delivery, ...] = ()

    def expiry(self, now: datetime) -> datetime | None:
        """When one that is made now is to expire."""
        return self.expires or (later(now, self.max_age) if self.max_age is not None else None)

    def due_at_once(self, now: datetime) -> str:
        """Why one that is made now would have to be replaced at once; empty: it would not."""
        expiry = self.expiry(now)
        if expiry is None or expiry > later(now, self.overlap):
            return ""
        overlap = duration_text(self.overlap)
        return f"expires at {moment_text(expiry)}, within its overlap of {overlap}: a new one would be due at once"

    @property
    def policy(self) -> str:
        """What the manifest demands, in words."""
        age = f"max age {duration_text(self.max_age)}" if self.max_age is not None else ""
        expiry = f"expires {moment_text(self.expires)}" if self.expires else ""
        return f"{age or expiry or 'no expiry'}, overlap {duration_text(self.overlap)}"

    def holders(self, one: "LiveSecret") -> tuple[Delivery, ...]:
        """The deliveries that may have the value of a secret of this name; all where that is not known."""
        count = len(self.deliver)
        some = (self._from(start)[:size] for start in range(count) for size in range(1, count))
        return next((each for each in some if held_by(each) == f"{one.ending}-{one.holders_mark}"), self.deliver)

    def round_after(self, one: "LiveSecret | None") -> tuple[Delivery, ...]:
        """The deliveries in their order, beginning with the one that failed for a secret.

        If it fails again, nobody has the new secret, so it can be deleted, and the earlier one stays valid.
        """
        holders = self.holders(one) if one else ()
        return self._from(self.deliver.index(holders[-1]) + 1 if holders else 0)

    def _from(self, start: int) -> tuple[Delivery, ...]:
        return self.deliver[start:] + self.deliver[:start]


def held_by(deliveries: Collection[Delivery]) -> str:
    """The ending of a secret that these deliveries may have, and no others."""
    return f"{UNPROVEN}-{digest([*sorted({str(one) for one in deliveries})])[:8]}"


def secret_of(entry: Mapping[str, Any]) -> NamedSecret:
    """Read one entry of ``secrets`` that fits the schema, its paths as they stand.

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
    """One secret as the service lists it: without its value."""

    id: str
    name: str
    expires: datetime | None = None

    @property
    def base(self) -> str:
        """The name without its ending."""
        return _ENDING.sub("", self.name)

    @property
    def ending(self) -> str:
        """`UNDELIVERED`, `UNPROVEN`, `UNTRIED`, `RETIRED` or empty."""
        return self._part(1)

    @property
    def mark(self) -> str:
        """By what its value is recognised, see `Secret.mark`; empty: by nothing."""
        return self._part(3)

    @property
    def holders_mark(self) -> str:
        """Which deliveries may have its value, see `NamedSecret.holders`; empty: nobody knows."""
        return self._part(2)

    def _part(self, number: int) -> str:
        found = _ENDING.search(self.name)
        return (found[number] or "") if found else ""

    @property
    def made_at(self) -> datetime | None:
        """When it was made, which only an id of ours tells."""
        stamp = _STAMP.search(self.id)
        try:
            return datetime.strptime(stamp[1], _STAMP_FORMAT).replace(tzinfo=UTC) if stamp else None
        except ValueError:
            return None

    def is_over(self, now: datetime) -> bool:
        """Whether it opens nothing any more."""
        return self.expires is not None and self.expires <= now


def new_id(name: str, live: Iterable[LiveSecret], now: datetime, salt: str) -> str:
    """An id that tells when the secret was made; later than any there is, even where clocks differ or stand still.

    Args:
        name: the secret's.
        live: all secrets of the object.
        now: the present time.
        salt: a few hexadecimal digits that nobody else draws.
    """
    known = [one.made_at for one in live if one.made_at]
    moment = max([now.replace(microsecond=0), *(later(made_at, timedelta(seconds=1)) for made_at in known)])
    word = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")
    return f"{word}-{moment.strftime(_STAMP_FORMAT)}-{salt}"


@dataclass(frozen=True, slots=True)
class Family:
    """The live secrets that belong to one name, by how far they have come."""

    current: LiveSecret | None = None
    """The one in use: delivered, and proven or untried; or made by somebody else under this very name."""
    superseded: tuple[LiveSecret, ...] = ()
    """Older ones that were not retired yet, unproven ones among them if the current one is proven."""
    pending: tuple[LiveSecret, ...] = ()
    """Unproven ones, the newest first: somebody may have them until another one is delivered wherever they were."""
    undelivered: tuple[LiveSecret, ...] = ()
    """Nobody has their values."""
    retired: tuple[LiveSecret, ...] = ()
    is_unfinished: bool = False
    """Whether a rotation has begun and not come to its end."""

    @property
    def members(self) -> tuple[LiveSecret, ...]:
        """All of them."""
        current = [self.current] if self.current else []
        return (*current, *self.superseded, *self.pending, *self.undelivered, *self.retired)


_NEVER: Final = datetime.min.replace(tzinfo=UTC)


def family(name: str, live: Sequence[LiveSecret]) -> Family:
    """Part the live secrets of one name. One whose age is not known counts as older than any that was made by us."""
    by_age = sorted(live, key=lambda one: (one.made_at or _NEVER, one.id), reverse=True)
    members = [one for one in by_age if one.base == name]
    in_use = [one for one in members if one.ending in {"", UNTRIED}]
    current = in_use[0] if in_use else None
    proven_at = current.made_at if current and not current.ending else None
    begun = [one for one in members if one.ending in {UNDELIVERED, UNPROVEN}]
    stale = [one for one in begun if proven_at and one.made_at and one.made_at < proven_at]
    return Family(
        current,
        tuple(one for one in (*in_use[1:], *stale) if one.ending != UNDELIVERED),
        tuple(one for one in begun if one.ending == UNPROVEN and one not in stale),
        tuple(one for one in begun if one.ending == UNDELIVERED),
        tuple(one for one in members if one.ending == RETIRED),
        is_unfinished=len(stale) < len(begun),
    )


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
    if current.expires is not None and current.expires <= later(now, secret.overlap):
        return Standing.EXPIRING
    latest = secret.expiry(now)
    if latest is not None and (current.expires is None or current.expires > later(latest, _CLOCKS_DIFFER)):
        return Standing.OFF_POLICY
    return Standing.UNTRIED if current.ending == UNTRIED else Standing.IN_STEP
