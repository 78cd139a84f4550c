"""What a kind knows of each field, as data: its type, limits, meaning, secrecy, and what else the API says of it.

Everything about a field follows from its row: the check of service bodies (`body`), the form in which two values are
compared (in which those that mean the same are equal), and the JSON Schema of manifests (``tools/schemas.py``).
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
    """What it begins with if it is a URL, empty: anything, as in links to an app; None: it is no URL."""


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
    """A role that OrderCloud defines. The list of them grows, so an unknown one is the loader's business."""


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
    """A JSON object whose content is the user's own."""


@dataclass(frozen=True, slots=True)
class Record:
    """An object with fields of its own."""

    name: str
    fields: "tuple[Field, ...]"


@dataclass(frozen=True, slots=True)
class Many:
    """A list whose order and repetitions mean nothing."""

    of: "Text | Choice | Role | Record"


Type: TypeAlias = Text | Flag | Whole | Choice | Role | Data | Record | Many


class Secrecy(Enum):
    """What the service does with a secret that it was given."""

    READABLE = "readable"
    """It shows the value to everybody who may read the object."""
    WRITE_ONLY = "write-only"
    """No answer ever has it."""


class Restore(Enum):
    """What OrderCloud's restore of staging does to a field. The documents disagree: see docs/emulator.md."""

    CLEARS = "clears"
    """It is empty afterwards, whichever document is right."""
    MAY_CLEAR = "may clear"
    """It is empty according to one of them, and production's according to the other."""
    COPIES = "copies"
    """It may be production's, and sends data or people there. Neither document speaks of it."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What the value of a field must be the id of."""

    noun: str
    path: str
    """The collection that it is looked up in."""
    role: str
    """What the login needs for looking."""
    demands: tuple[str, str] | None = None
    """A field of the referred object and the value that it must have."""
    kind: str = ""
    """The kind of the referred object; empty where nothing manages it."""


USERS: Final = (("seller", "/adminusers", "AdminUserReader"), ("buyer", "/buyerusers", "BuyerUserReader"))
"""The parties whose users one list has, the list, and what the login needs for looking."""
SUPPLIER_USERS: Final = "SupplierUserReader"
"""What the login needs for looking at the users of one supplier; no list has those of all."""


PARTIES: Final[Mapping[str, Reference]] = {
    "buyer": Reference("buyer", "/buyers", "BuyerReader"),
    "supplier": Reference("supplier", "/suppliers", "SupplierReader"),
    "group": Reference("admin user group", "/usergroups", "AdminUserGroupReader", kind="AdminUserGroup"),
    "user": Reference("admin user", "/adminusers", "AdminUserReader"),
}
"""Word of a manifest -> what its value is the id of where no company is named."""
_MEMBERS: Final[Mapping[tuple[str, str], tuple[str, str, str]]] = {
    ("buyer", "group"): ("user group", "usergroups", "UserGroupReader"),
    ("buyer", "user"): ("user", "users", "BuyerUserReader"),
    ("supplier", "group"): ("user group", "usergroups", "SupplierUserGroupReader"),
    ("supplier", "user"): ("user", "users", "SupplierUserReader"),
}
"""Company and member -> what the member is, where it is below the company, and what the login needs for looking."""


def member_of(company: str, company_id: str, word: str) -> Reference:
    """What the id of a group or user of a company must be the id of."""
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
    """Whether it is one of the seller's where that field names no company, or the marketplace."""

    @property
    def of_seller(self) -> Reference | None:
        """What it is where it is one of the seller's; None: it never is."""
        return PARTIES[self.word] if self.or_seller else None

    def reference(self, body: Body, marketplace: str) -> Reference | None:
        """What it is in a body; None where nothing can be said of it."""
        company = body.get(self.company_field)
        if not isinstance(company, str) or not company or same_id(company, marketplace):
            return self.of_seller
        return member_of(self.company, company, self.word)

    @property
    def roles(self) -> tuple[str, ...]:
        """What the login needs for looking, wherever it is."""
        return (*([PARTIES[self.word].role] if self.or_seller else []), _MEMBERS[self.company, self.word][2])


@dataclass(frozen=True, slots=True)
class UserReference:
    """The value of a field must be the name of an active user, and where a flag is set, of a buyer's user."""

    buyer_flag: str


_MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)?", re.ASCII)


def with_moments(value: Json) -> Json:
    """The comparable form of data in which two notations of one moment are the same."""
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
    """A list whose order and repetitions mean nothing: sorted, each member once."""
    return sorted({str(member) for member in value}) if is_array(value) else value


def as_id(value: Json) -> Json:
    """OrderCloud compares ids and usernames without case, and answers with another case than it was asked with.

    Not by `str.casefold`, for which two users, strasse and straße, would be one.
    """
    return value.lower() if isinstance(value, str) else value


def as_ids(value: Json) -> Json:
    """A set of ids."""
    return as_set([as_id(member) for member in value]) if is_array(value) else value


def as_rows(value: Json) -> Json:
    """A list of objects whose order and repetitions mean nothing, and in which null is the same as missing."""
    if not is_array(value):
        return value
    rows = {json.dumps(_named(member), sort_keys=True): _named(member) for member in value}
    return [rows[key] for key in sorted(rows)]


def _named(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {name: member for name, member in value.items() if member is not None}
    return value


def record(members: Mapping[str, Canonical], *, may_be_empty: bool = False) -> Canonical:
    """Give the canonical form of an object with known members: null is the same as missing, unknown ones stay.

    An object without members is the same as none, unless its members may be secrets, which nobody sees.
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
    """What the API assumes where the field is missing or null."""
    direction_of: DirectionOf = neutral
    required: bool = False
    """Whether the API creates nothing without it."""
    read_only: bool = False
    """Whether the service makes it: never sent, never compared."""
    secret: Secrecy | None = None
    can_be_generated: bool = False
    """Whether a manifest may ask for a new value of this secret."""
    immutable: bool = False
    """Whether it is fixed once the object is there."""
    initial: bool = False
    """Whether it is data once the object is there: neither compared nor written again."""
    is_owner: bool = False
    """Whether it is the marketplace's ID unless somebody says another: where it is left out, the live value stays."""
    together: str = ""
    """Another field, without which the API refuses this one."""
    sent_to: str = ""
    """The URL beside a secret whose host is sent its value. One that requests are signed with is sent to nobody."""
    refers_to: Reference | MemberReference | UserReference | None = None
    restore: Restore | None = None
    varies: bool = False
    """Whether each environment has a value of its own."""
    since: str = ""
    """The API version that introduced it."""
    until: str = ""
    """The last API version that is known to have it."""
    canonical: Canonical = field(default=as_is, init=False, repr=False, compare=False)
    """The comparable form of a value that is there."""
    reference: Reference | None = field(default=None, init=False, repr=False, compare=False)
    """What its value is the id of; where the body decides, the seller's."""

    def __post_init__(self) -> None:
        """Work out what follows from the others; for a record, the direction of a change, too."""
        object.__setattr__(self, "canonical", _canonical(self))
        to = self.refers_to.of_seller if isinstance(self.refers_to, MemberReference) else self.refers_to
        object.__setattr__(self, "reference", to if isinstance(to, Reference) else None)
        if isinstance(self.type, Record):
            object.__setattr__(self, "direction_of", any_of({one.name: one.direction_of for one in self.type.fields}))

    @property
    def is_set(self) -> bool:
        """Whether a change is shown by the members that come and go."""
        return isinstance(self.type, Many) and not isinstance(self.type.of, Record)

    @property
    def members(self) -> Mapping[str, "Field"]:
        """What is known of the members of a record."""
        return {one.name: one for one in self.type.fields} if isinstance(self.type, Record) else {}

    @property
    def has_roles(self) -> bool:
        """Whether its members are roles of OrderCloud."""
        return isinstance(self.type, Many) and isinstance(self.type.of, Role)

    def canonical_value(self, value: Json) -> Json:
        """The comparable form of a value; null and the default are the same thing."""
        return self.canonical(self.default if value is None else value)

    def equal(self, left: Json, right: Json) -> bool:
        """Whether two values mean the same. Most do as they stand, and need no canonical form."""
        return same(left, right) or same(self.canonical_value(left), self.canonical_value(right))


def varying(fields: Iterable[Field], at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of the values that each environment has of its own."""
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
