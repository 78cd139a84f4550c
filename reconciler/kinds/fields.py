"""The facts about each field of a kind, as data: its type, limits, meaning, secrecy, and more.

Everything about a field follows from its row: the check of service bodies (`body`), the canonical form in which two
values are compared, and the JSON Schema of manifests (``tools/schemas.py``).
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from datetime import UTC, datetime
from enum import Enum
from typing import Final, TypeAlias
from urllib.parse import quote

from reconciler.kinds.direction import DirectionOf, any_of, neutral
from reconciler.model.dataclass import dataclass
from reconciler.model.json import Body, Json, is_array, same
from reconciler.model.resource import same_id


@dataclass(frozen=True, slots=True)
class Text:
    """A string."""

    max_length: int | None = None
    min_length: int = 1
    trimmed: bool = False
    """Whether it must not start or end with blanks."""
    schemes: tuple[str, ...] | None = None
    """The allowed schemes of a URL; empty: any, as in links to an app; None: it is not a URL."""


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false."""


@dataclass(frozen=True, slots=True)
class Whole:
    """An integer."""

    minimum: int | None = None
    maximum: int | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few names, which the API fixes."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Role:
    """A role that OrderCloud defines. The list grows, so the loader checks unknown roles."""


FULL_ACCESS: Final = "FullAccess"
"""The role that suffices for everything."""

_ROLES: Final = """
    AddressAdmin AddressReader AdminAddressAdmin AdminAddressReader AdminUserAdmin AdminUserGroupAdmin
    AdminUserGroupReader AdminUserReader ApiClientAdmin ApiClientReader ApprovalRuleAdmin ApprovalRuleReader BulkReader
    BundleAdmin BundleAssignmentAdmin BundleReader BuyerAdmin BuyerImpersonation BuyerReader BuyerUserAdmin
    BuyerUserReader CatalogAdmin CatalogReader CategoryAdmin CategoryReader CostCenterAdmin CostCenterReader
    CreditCardAdmin CreditCardReader DeliveryConfigAdmin EntitySyncConfigAdmin ErrorConfigAdmin FullAccess
    IncrementorAdmin IncrementorReader IntegrationEventAdmin IntegrationEventReader LocaleAdmin LocaleReader
    MeAddressAdmin MeAdmin MeCreditCardAdmin MeSubscriptionAdmin MeXpAdmin MessageConfigAssignmentAdmin
    MessageSenderAdmin MessageSenderReader OpenIDConnectAdmin OpenIDConnectReader OrderAdmin OrderEditAfterSubmit
    OrderReader OrderSyncConfigAdmin OverrideShipping OverrideTax OverrideUnitPrice PasswordReset PriceScheduleAdmin
    PriceScheduleReader ProductAdmin ProductAssignmentAdmin ProductCollectionReader ProductFacetAdmin ProductFacetReader
    ProductReader ProductSyncConfigAdmin PromotionAdmin PromotionReader SecurityProfileAdmin SecurityProfileReader
    SetSecurityProfile ShipmentAdmin ShipmentReader Shopper SpendingAccountAdmin SpendingAccountReader SubscriptionAdmin
    SubscriptionReader SupplierAddressAdmin SupplierAddressReader SupplierAdmin SupplierReader SupplierUserAdmin
    SupplierUserGroupAdmin SupplierUserGroupReader SupplierUserReader TrackingEventAdmin TrackingEventReader
    UnsubmittedOrderReader UserGroupAdmin UserGroupReader WebhookAdmin WebhookReader XpIndexAdmin
"""
API_ROLES: Final = frozenset(_ROLES.split())
"""The roles that the API knew at version 1.0.470 (October 2026)."""


@dataclass(frozen=True, slots=True)
class Data:
    """A JSON object with free-form content."""


@dataclass(frozen=True, slots=True)
class Record:
    """An object with its own fields."""

    name: str
    fields: "tuple[Field, ...]"


@dataclass(frozen=True, slots=True)
class Many:
    """A list whose order and repetitions are ignored."""

    of: "Text | Choice | Role | Record"


Type: TypeAlias = Text | Flag | Whole | Choice | Role | Data | Record | Many


class Secrecy(Enum):
    """Whether the service returns a secret."""

    READABLE = "readable"
    """Returned to every login that may read the object."""
    WRITE_ONLY = "write-only"
    """Never returned."""


class Restore(Enum):
    """The effect of OrderCloud's staging restore on a field. The documents disagree: see docs/emulator.md."""

    CLEARS = "clears"
    """It is empty afterwards, by both documents."""
    MAY_CLEAR = "may clear"
    """It is empty by one of them, and production's by the other."""
    COPIES = "copies"
    """It may be production's, and send data or users there. Neither document mentions it."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The object whose id a field must contain."""

    noun: str
    path: str
    """The collection that it is looked up in."""
    role: str
    """The role that the login needs to look it up."""
    required_value: tuple[str, str] | None = None
    """A field of the referred object and the value that it must have."""
    kind: str = ""
    """The kind of the referred object; empty if it is not managed."""


USERS: Final = (("seller", "/adminusers", "AdminUserReader"), ("buyer", "/buyerusers", "BuyerUserReader"))
"""The parties whose users a list contains, the list, and the role that the login needs to read it."""
SUPPLIER_USERS: Final = "SupplierUserReader"
"""The role that the login needs to read the users of one supplier; no list contains those of all."""


PARTIES: Final[Mapping[str, Reference]] = {
    "buyer": Reference("buyer", "/buyers", "BuyerReader"),
    "supplier": Reference("supplier", "/suppliers", "SupplierReader"),
    "group": Reference("admin user group", "/usergroups", "AdminUserGroupReader", kind="AdminUserGroup"),
    "user": Reference("admin user", "/adminusers", "AdminUserReader"),
}
"""Word of a manifest -> the object that its value refers to if no company is named."""
_MEMBERS: Final[Mapping[tuple[str, str], tuple[str, str, str]]] = {
    ("buyer", "group"): ("user group", "usergroups", "UserGroupReader"),
    ("buyer", "user"): ("user", "users", "BuyerUserReader"),
    ("supplier", "group"): ("user group", "usergroups", "SupplierUserGroupReader"),
    ("supplier", "user"): ("user", "users", "SupplierUserReader"),
}
"""Company and member -> the member's noun, its path below the company, and the role that the login needs to read it."""


def member_of(company: str, company_id: str, word: str) -> Reference:
    """The reference to a group or user of a company."""
    noun, below, role = _MEMBERS[company, word]
    path = f"{PARTIES[company].path}/{quote(company_id, safe='')}/{below}"
    return Reference(f"{company}'s {noun}", path, role)


@dataclass(frozen=True, slots=True)
class MemberReference:
    """The value of a field must be the id of a group or a user of the company that another field names."""

    word: str
    """``group`` or ``user``."""
    company: str
    """``buyer`` or ``supplier``."""
    company_field: str
    or_seller: bool = False
    """Whether it belongs to the seller if that field names no company, or the marketplace."""

    @property
    def of_seller(self) -> Reference | None:
        """The seller's reference; None: it never belongs to the seller."""
        return PARTIES[self.word] if self.or_seller else None

    def reference(self, body: Body, marketplace: str) -> Reference | None:
        """The reference in a body; None if it is unknown."""
        company = body.get(self.company_field)
        if not isinstance(company, str) or not company or same_id(company, marketplace):
            return self.of_seller
        return member_of(self.company, company, self.word)

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that the login needs to look it up, wherever it is."""
        return (*([PARTIES[self.word].role] if self.or_seller else []), _MEMBERS[self.company, self.word][2])


@dataclass(frozen=True, slots=True)
class UserReference:
    """The value of a field must be the name of an active user, and of a buyer's user if a flag is set."""

    buyer_flag: str


_MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)?", re.ASCII)


def with_moments(value: Json) -> Json:
    """The canonical form of data in which two notations of one moment are equal."""
    if isinstance(value, str):
        found = _MOMENT.fullmatch(value)
        return _in_utc(found) if found else value
    if isinstance(value, Mapping):
        return {key: with_moments(member) for key, member in value.items()}
    return [with_moments(member) for member in value] if is_array(value) else value


def _in_utc(found: re.Match[str]) -> str:
    seconds, fraction, offset = found.groups()
    try:
        moment = datetime.fromisoformat(seconds + (offset or "Z")).astimezone(UTC)
    except (ValueError, OverflowError):
        return found[0]
    digits = (fraction or "").rstrip("0")
    return moment.replace(tzinfo=None).isoformat() + (f".{digits}" if digits else "") + "Z"


Canonical: TypeAlias = Callable[[Json], Json]


def as_is(value: Json) -> Json:
    """Most values are their own canonical form."""
    return value


def as_set(value: Json) -> Json:
    """A list without order and repetitions: sorted, each member once."""
    return sorted({str(member) for member in value}) if is_array(value) else value


def as_id(value: Json) -> Json:
    """An id or username in one case: OrderCloud compares them without case, and may return them in another case.

    Without `str.casefold`, which would make two users, strasse and straße, equal.
    """
    return value.lower() if isinstance(value, str) else value


def as_ids(value: Json) -> Json:
    """A set of ids."""
    return as_set([as_id(member) for member in value]) if is_array(value) else value


def as_rows(value: Json) -> Json:
    """A list of objects without order and repetitions, in which null equals missing."""
    if not is_array(value):
        return value
    rows = {json.dumps(_named(member), sort_keys=True): _named(member) for member in value}
    return [rows[key] for key in sorted(rows)]


def _named(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {name: member for name, member in value.items() if member is not None}
    return value


def record(members: Mapping[str, Canonical], *, may_be_empty: bool = False) -> Canonical:
    """The canonical form of an object with known members: null equals missing, unknown members are kept.

    An object without members equals none, unless its members may be secrets, which are not visible.
    """

    def canonical(value: Json) -> Json:
        if not isinstance(value, Mapping):
            return value
        known = {name: members.get(name, as_is)(member) for name, member in value.items() if member is not None}
        found = {name: member for name, member in known.items() if member is not None}
        return found if found or may_be_empty else None

    return canonical


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a kind, or of a record in one."""

    name: str
    type: Type
    description: str
    examples: tuple[Json, ...] = ()
    source: str = ""
    """Where OrderCloud documents it."""
    default: Json = None
    """The API's default if the field is missing or null."""
    direction_of: DirectionOf = neutral
    required: bool = False
    """Whether the API requires it to create an object."""
    read_only: bool = False
    """Whether the service sets it: never sent, never compared."""
    secret: Secrecy | None = None
    can_be_generated: bool = False
    """Whether a manifest may request a generated value of this secret."""
    immutable: bool = False
    """Whether it cannot be changed after creation."""
    initial: bool = False
    """Whether it is data after creation: neither compared nor written again."""
    is_owner: bool = False
    """Whether it defaults to the marketplace's ID: if it is omitted, the live value is kept."""
    together: str = ""
    """Another field that the API requires with this one."""
    sent_to: str = ""
    """The URL field to whose host a secret is sent. A secret that requests are signed with is not sent."""
    refers_to: Reference | MemberReference | UserReference | None = None
    restore: Restore | None = None
    varies: bool = False
    """Whether its values differ between environments."""
    since: str = ""
    """The API version that introduced it."""
    until: str = ""
    """The last API version that is known to have it."""
    canonical: Canonical = field(default=as_is, init=False, repr=False, compare=False)
    """The canonical form of a value that is not null."""
    reference: Reference | None = field(default=None, init=False, repr=False, compare=False)
    """The object that its value refers to; if that depends on the body, the seller's."""

    def __post_init__(self) -> None:
        """Compute derived attributes, including the direction of changes for a record."""
        object.__setattr__(self, "canonical", _canonical(self))
        to = self.refers_to.of_seller if isinstance(self.refers_to, MemberReference) else self.refers_to
        object.__setattr__(self, "reference", to if isinstance(to, Reference) else None)
        if isinstance(self.type, Record):
            object.__setattr__(self, "direction_of", any_of({one.name: one.direction_of for one in self.type.fields}))

    @property
    def is_set(self) -> bool:
        """Whether a change is shown by its added and removed members."""
        return isinstance(self.type, Many) and not isinstance(self.type.of, Record)

    @property
    def members(self) -> Mapping[str, "Field"]:
        """The members of a record by name."""
        return {one.name: one for one in self.type.fields} if isinstance(self.type, Record) else {}

    @property
    def has_roles(self) -> bool:
        """Whether its members are roles of OrderCloud."""
        return isinstance(self.type, Many) and isinstance(self.type.of, Role)

    def canonical_value(self, value: Json) -> Json:
        """The canonical form of a value, in which null equals the default."""
        return self.canonical(self.default if value is None else value)

    def equal(self, left: Json, right: Json) -> bool:
        """Whether two values are equal. Most are equal as they are, without computing the canonical form."""
        return same(left, right) or same(self.canonical_value(left), self.canonical_value(right))


def varying(fields: Iterable[Field], at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of values that differ between environments."""
    for one in fields:
        if one.varies:
            yield (*at, one.name)
        yield from varying(one.members.values(), (*at, one.name))


def _canonical(one: Field) -> Canonical:
    match one.type:
        case Many(Record()):
            return as_rows
        case Many():
            return as_ids if one.refers_to else as_set
        case Data():
            return with_moments
        case Record(_, fields):
            has_secrets = any(member.secret for member in fields)
            return record({member.name: member.canonical_value for member in fields}, may_be_empty=has_secrets)
        case Text() | Flag() | Whole() | Choice() | Role():
            return as_id if one.refers_to or one.is_owner else as_is
