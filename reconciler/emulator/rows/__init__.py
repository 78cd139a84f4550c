"""An API generation -> its resources and its tables of assignments.

Sources of the tables: OpenAPI document 1.0.260 (columns, parameters, roles, paths), official seed files (one party per
assignment of a client), the reference solution (409 for a repeated assignment of a message sender). Guess: an
assignment of a client to both a buyer and a supplier, or to neither, is rejected with `ValidationFailure`.
"""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import replace

from reconciler.emulator import Profile
from reconciler.emulator.calls import writers
from reconciler.emulator.errors import ServiceError
from reconciler.emulator.fields import Field, Reference, fields_of
from reconciler.emulator.marketplace import PARTIES, Marketplace, Party
from reconciler.emulator.resources import Resource, Table, party_errors
from reconciler.emulator.rows import clients, delivery, integrations, parties, storefront
from reconciler.emulator.rows.parties import BUYER_REF, GROUP_REF, SUPPLIER_REF, USER_REF
from reconciler.emulator.store import Body

_LISTENERS = ("BuyerID", "UserGroupID", "UserID", "MessageConfigName", "SupplierID")
_LEGACY_THING_TYPES = (
    *("Address", "Variant", "Order", "OrderReturn", "LineItem", "CostCenter", "CreditCard", "Payment", "Spec"),
    *("SpecOption", "UserGroup", "Company", "Category", "PriceSchedule", "Shipment", "SpendingAccount", "User"),
    *("Promotion", "ApprovalRule", "SellerApprovalRule", "Catalog", "ProductFacet", "MessageSender"),
    *("InventoryRecord", "ProductCollection"),
)
THING_TYPES: dict[Profile, tuple[str, ...]] = {
    "legacy": _LEGACY_THING_TYPES,
    "current": (*_LEGACY_THING_TYPES, "Subscription", "GroupOrderInvitation", "BuyerGroup", "Discount"),
}
_COMPANIES = (Field("BuyerID", reference=BUYER_REF), Field("SupplierID", reference=SUPPLIER_REF))
_GROUP = Field("UserGroupID", reference=GROUP_REF)
_USER = Field("UserID", reference=USER_REF)


def _object(kind: str) -> Field:
    return Field(f"{kind}ID", required=True, reference=Reference(kind))


def _check_company(row: Body) -> Iterator[ServiceError]:
    if bool(row.get("BuyerID")) == bool(row.get("SupplierID")):
        yield ServiceError("ValidationFailure", "Exactly one of BuyerID and SupplierID is required.")


_CLIENTS = Table(
    kind="ApiClientAssignment",
    path="/v1/apiclients/assignments",
    columns=(_object("ApiClient"), *_COMPANIES),
    role="ApiClient",
    deletions=(
        "/v1/buyers/{BuyerID}/apiclients/assignments/{ApiClientID}",
        "/v1/suppliers/{SupplierID}/apiclients/assignments/{ApiClientID}",
    ),
    check=_check_company,
)
_PROFILE_ROLES = (*writers("SecurityProfile"), "SetSecurityProfile")  # SecurityProfileReader is not sufficient
_PROFILES = Table(
    kind="SecurityProfileAssignment",
    path="/v1/securityprofiles/assignments",
    columns=(_object("SecurityProfile"), *_COMPANIES, _USER, _GROUP),
    read_roles=_PROFILE_ROLES,
    write_roles=_PROFILE_ROLES,
    deletions=("/v1/securityprofiles/{SecurityProfileID}/assignments",),
    narrowing=("level", "commercerole"),
    check=party_errors,
)


def _members(party: Party, path: str) -> Table:
    """The group memberships of one party; the company, if any, is in the path only."""
    owner = f"{party.company}ID" if party.company else ""

    def member_reference(kind: str) -> Reference:
        return Reference(kind, owners=((owner, kind),) if owner else ())

    company = (
        Field(owner, required=True, write_only=True, reference=Reference(party.company)) if party.company else None
    )
    return Table(
        kind=f"{party.group}Assignment",
        path=f"{path}/assignments",
        columns=(
            *((company,) if company else ()),
            Field("UserGroupID", required=True, reference=member_reference(party.group)),
            Field("UserID", required=True, reference=member_reference(party.kind)),
        ),
        role=party.group,
        deletions=(f"{path}/{{UserGroupID}}/assignments/{{UserID}}",),
    )


_SENDER_ROLES = (*writers("MessageSender"), "MessageConfigAssignmentAdmin")  # MessageSenderReader is not sufficient
_DERIVED = (Field("MessageConfigName", read_only=True), Field("MessageConfigDescription", read_only=True))
_SENDERS = Table(
    kind="MessageSenderAssignment",
    path="/v1/messagesenders/assignments",
    columns=(_object("MessageSender"), *_COMPANIES, _GROUP, *_DERIVED),
    read_roles=_SENDER_ROLES,
    write_roles=_SENDER_ROLES,
    deletions=("/v1/messagesenders/{MessageSenderID}/assignments",),
    repeated=409,
    narrowing=("level",),
    parameters=("UserID",),
    check=party_errors,
    show=lambda market, row: row | _describe(market, row["MessageSenderID"]),
)


def _describe(market: Marketplace, sender_id: str) -> Body:
    sender = market.find("MessageSender", sender_id) or {}
    return {"MessageConfigName": sender.get("Name"), "MessageConfigDescription": sender.get("Description")}


_COPIES = Table(
    kind="MessageCCListenerAssignment",
    path="/v1/messagesenders/CCListenerAssignments",
    columns=(
        Field("MessageSenderAssignment", "object", required=True, fields=_SENDERS.columns),
        Field("MessageType", required=True),
        *_COMPANIES,
        _GROUP,
        _USER,
        *_DERIVED,
    ),
    read_roles=_SENDER_ROLES,
    write_roles=_SENDER_ROLES,
    deletions=(),
    sortable=_LISTENERS,
    check=party_errors,
    show=lambda market, row: row | _describe(market, row["MessageSenderAssignment"]["MessageSenderID"]),
)

_LOCALES = Table(
    kind="LocaleAssignment",
    path="/v1/locales/assignments",
    columns=(_object("Locale"), Field("BuyerID", required=True, reference=BUYER_REF), _GROUP),
    role="Locale",
    deletions=("/v1/locales/{LocaleID}/assignments",),
    narrowing=("level",),
    parameters=("UserID",),
)

_INDICES = Table(
    kind="XpIndex",
    path="/v1/xpindices",
    columns=(
        *(Field("ThingType", required=True, choices=each, only=only) for only, each in THING_TYPES.items()),
        Field("Key", required=True),
    ),
    read_roles=writers("XpIndex"),
    deletions=("/v1/xpindices/{ThingType}/{Key}",),
    save_method="PUT",
    repeated=409,
    sortable=("ThingType", "Key"),
)


TABLES = (
    _CLIENTS,
    _PROFILES,
    _SENDERS,
    _COPIES,
    _LOCALES,
    _INDICES,
    _members(PARTIES["AdminUser"], "/v1/usergroups"),
    _members(PARTIES["User"], "/v1/buyers/{BuyerID}/usergroups"),
    _members(PARTIES["SupplierUser"], "/v1/suppliers/{SupplierID}/usergroups"),
)


ROWS = (*clients.ROWS, *parties.ROWS, *integrations.ROWS, *delivery.ROWS, *storefront.ROWS)


@functools.cache
def rows_of(profile: Profile, *, revisions: bool = True) -> tuple[Resource, ...]:
    """The resources of one generation with their fields; `EmulatorRevision` is included if `revisions` is true."""
    return tuple(_row_of(row, profile, revisions=revisions) for row in ROWS if row.only in {None, profile})


@functools.cache
def kinds_of(profile: Profile) -> Mapping[str, Resource]:
    """The resources by kind; singletons with several paths are one kind, of which one resource is returned."""
    return {row.kind: row for row in rows_of(profile)}


@functools.cache
def tables_of(profile: Profile) -> Mapping[str, Table]:
    """The tables of one generation by kind."""
    tables = [table for table in TABLES if table.only in {None, profile}]
    return {table.kind: replace(table, columns=fields_of(table.columns, profile)) for table in tables}


def _row_of(row: Resource, profile: Profile, *, revisions: bool) -> Resource:
    fields = tuple(field for field in fields_of(row.fields, profile) if revisions or field.name != clients.REVISION)
    known = {"ID", *(field.name for field in fields)}
    sortable, searchable = ([name for name in names if name in known] for names in (row.sortable, row.searchable))
    return replace(row, fields=fields, sortable=tuple(sortable), searchable=tuple(searchable))
