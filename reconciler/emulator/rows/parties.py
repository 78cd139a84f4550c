"""The parties of a marketplace -> one row each: buyers, suppliers, their users and groups, and those of the seller.

They are business data, and exist as far as references to them need it. Sources: .NET SDK models (fields, lengths,
required), OpenAPI document 1.0.260 (roles). Guess: deleting a buyer or supplier also deletes all that is its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.emulator.errors import Fault
from reconciler.emulator.fields import Field, Reference
from reconciler.emulator.marketplace import PARTIES, Party, User
from reconciler.emulator.resources import Resource
from reconciler.emulator.roles import readers, writers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.emulator.marketplace import Marketplace
    from reconciler.emulator.store import Body

A_BUYER, A_SUPPLIER = Reference("Buyer"), Reference("Supplier")
A_USER = Reference("AdminUser", owners=(("BuyerID", "User"), ("SupplierID", "SupplierUser")))
A_GROUP = Reference("AdminUserGroup", owners=(("BuyerID", "UserGroup"), ("SupplierID", "SupplierUserGroup")))
XP = Field("xp", "xp")
_CREATED = Field("DateCreated", read_only=True)


def _settle_created(market: Marketplace, old: Body | None, new: Body) -> Body:
    return new if old else new | {"DateCreated": market.clock().isoformat()}


def _is_default_user(market: Marketplace, user: Body) -> bool:
    clients = market.store.all("ApiClient").values()
    name = str(user["Username"]).lower()
    return any((client.get("DefaultContextUserName") or "").lower() == name for client in clients)


def _company_row(company: str, user_kind: str, *fields: Field) -> Resource:
    """Describe buyers or suppliers."""

    def guard(market: Marketplace, owner: Body) -> Iterator[Fault]:
        users = market.store.all(user_kind).values()
        if any(user["_parent"] == owner["ID"].lower() and _is_default_user(market, user) for user in users):
            yield Fault("User.CannotDeleteDefaultContextUser")

    return Resource(
        kind=company,
        path=f"/v1/{company.lower()}s",
        fields=(
            Field("Name", required=True, maximum=100),
            Field("Active", "boolean", default=False),
            *fields,
            _CREATED,
            XP,
        ),
        read_roles=readers(company),
        write_roles=writers(company),
        seller_only=False,
        sortable=("ID", "Name", "DateCreated"),
        settle=_settle_created,
        guard=guard,
    )


BUYER = _company_row("Buyer", "User", Field("DefaultCatalogID"))
SUPPLIER = _company_row("Supplier", "SupplierUser", Field("AllBuyersCanOrder", "boolean", default=False))

_USER_FIELDS = (
    Field("CompanyID", read_only=True),
    Field("Username", required=True, maximum=100),
    Field("Password", write_only=True),
    Field("FirstName", required=True, maximum=100),
    Field("LastName", required=True, maximum=100),
    Field("Email", required=True, maximum=200),
    Field("Phone", maximum=100),
    Field("TermsAccepted", "datetime"),
    Field("Active", "boolean", required=True),
    XP,
    Field("AvailableRoles", "strings", read_only=True),
    Field("Locale", "object", read_only=True),
    _CREATED,
    Field("PasswordLastSetDate", "datetime", read_only=True),
    Field("LastActive", "datetime", read_only=True, only="current"),
    Field("FailedLoginAttempts", "integer", default=0, read_only=True, only="current"),
)


def _check_user(market: Marketplace, old: Body | None, new: Body) -> Iterator[Fault]:
    other = market.user_named(str(new.get("Username") or ""))
    if other is not None and other.body is not old:
        yield Fault("User.UsernameMustBeUnique")


def _guard_user(market: Marketplace, user: Body) -> Iterator[Fault]:
    if _is_default_user(market, user):
        yield Fault("User.CannotDeleteDefaultContextUser")


def _user_row(kind: str, path: str, role: str) -> Resource:
    """Describe the users of one party."""
    party = PARTIES[kind]

    def settle(market: Marketplace, old: Body | None, new: Body) -> Body:
        owner = market.find(party.company, new["_parent"]) if party.company else None
        return _settle_created(market, old, new) | {"CompanyID": owner["ID"] if owner else market.settings.marketplace}

    return Resource(
        kind=kind,
        path=path,
        fields=_USER_FIELDS,
        read_roles=readers(role),
        write_roles=writers(role),
        seller_only=False,
        sortable=("ID", "Username", "LastName", "FirstName", "Email", "DateCreated", "PasswordLastSetDate"),
        searchable=("ID", "Username", "LastName", "FirstName", "Email"),
        parent=party.company,
        check=_check_user,
        settle=settle,
        guard=_guard_user,
        show=lambda market, user: user | {"AvailableRoles": sorted(market.roles_of(User(party, user)))},
    )


ADMIN_USER = _user_row("AdminUser", "/v1/adminusers", "AdminUser")
BUYER_USER = _user_row("User", "/v1/buyers/{parent}/users", "BuyerUser")
SUPPLIER_USER = _user_row("SupplierUser", "/v1/suppliers/{parent}/users", "SupplierUser")


def _group_row(party: Party, path: str, role: str) -> Resource:
    """Describe the user groups of one party."""
    return Resource(
        kind=party.group,
        path=path,
        fields=(Field("Name", required=True, maximum=100), Field("Description", maximum=2000), XP),
        read_roles=readers(role),
        write_roles=writers(role),
        seller_only=party.company is None,
        searchable=("ID", "Name", "Description"),
        parent=party.company,
    )


ROWS = (
    BUYER,
    SUPPLIER,
    ADMIN_USER,
    BUYER_USER,
    SUPPLIER_USER,
    _group_row(PARTIES["AdminUser"], "/v1/usergroups", "AdminUserGroup"),
    _group_row(PARTIES["User"], "/v1/buyers/{parent}/usergroups", "UserGroup"),
    _group_row(PARTIES["SupplierUser"], "/v1/suppliers/{parent}/usergroups", "SupplierUserGroup"),
)
