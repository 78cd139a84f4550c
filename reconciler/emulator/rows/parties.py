"""The resources for buyers, suppliers, users, groups, security profiles and impersonation.

Buyers, suppliers and users are business data, and are emulated only as far as references to them require. Sources: .NET
SDK models (fields, lengths, required, limits of the password rules), OpenAPI document 1.0.260 (roles), in which the
minimum password length is 8; the newer documentation has 10. Guesses: deleting a buyer or supplier also deletes all
objects that belong to it; the client must allow the buyer when an impersonation is saved; an external profile
(`IsExternalRoleGroup`, which only a seed can set) cannot be changed or deleted.
"""

from collections.abc import Iterator

from reconciler.emulator.calls import FULL_ACCESS, readers, writers
from reconciler.emulator.errors import ServiceError
from reconciler.emulator.fields import Field, Reference
from reconciler.emulator.marketplace import PARTIES, Marketplace, Party, User
from reconciler.emulator.resources import Resource
from reconciler.emulator.store import Body

PASSWORD_FIELDS = (
    Field("LimitPasswordReuse", "integer", minimum=0, maximum=24),
    Field("MaxConsecutiveDupeChars", "integer", minimum=1, maximum=24),
    Field("MaximumPasswordAge", "integer", minimum=1, maximum=365),
    Field("MinimumPasswordAge", "integer", minimum=1, maximum=60),
    Field("AllowedFailedAttempts", "integer", minimum=1, maximum=10),
    Field("LockoutDuration", "integer", minimum=2, maximum=1440),
    *(Field(f"{kind}Required", "boolean") for kind in ("UpperCase", "LowerCase", "SpecialCharacter", "Numeric")),
    Field("MinimumCharacterCount", "integer", minimum=8, only="legacy"),
    Field("MinimumCharacterCount", "integer", minimum=10, only="current"),
)


def _guard_profile(_market: Marketplace, profile: Body) -> Iterator[ServiceError]:
    if profile.get("IsExternalRoleGroup"):
        yield ServiceError("SecurityProfile.ExternalRoleGroupReadOnly")


_SECURITY_PROFILE = Resource(
    kind="SecurityProfile",
    path="/v1/securityprofiles",
    fields=(
        Field("Name", required=True, maximum=100),
        Field("Roles", "roles", default=[]),
        Field("CustomRoles", "strings", default=[]),
        Field("PasswordConfig", "object", fields=PASSWORD_FIELDS, code="SecurityProfile.InvalidPasswordConfiguration"),
        Field("IsExternalRoleGroup", "boolean", default=False, read_only=True, only="current"),
    ),
    read_roles=(*readers("SecurityProfile"), "SetSecurityProfile"),
    write_roles=(*writers("SecurityProfile"), "SetSecurityProfile"),
    check=lambda market, old, _new: _guard_profile(market, old or {}),
    guard=_guard_profile,
)

_IMPERSONATION_IDS = (
    *("ImpersonationBuyerID", "ImpersonationGroupID", "ImpersonationUserID"),
    *("BuyerID", "GroupID", "UserID", "SecurityProfileID", "ClientID"),
)
_IN_USE = "Impersonation.CannotDeleteImpersonateeParty"
_CASCADING_BUYER_REF = Reference("Buyer", cascades=True)
_PROFILE_REF = Reference("SecurityProfile", blocks="Impersonation.CannotDeleteSecurityProfile")
_CLIENT_REF = Reference(
    "ApiClient", missing="Impersonation.ClientIDNotFound", blocks="ApiClient.UsedByImpersonationConfig"
)


def _party(kind: str, owner: str, seller: str = "") -> Reference:
    """A reference to a group or user of the buyer in the field `owner`; without one, to the kind `seller` if given."""
    return Reference(seller or kind, blocks=_IN_USE, owners=((owner, kind),))


def _check_impersonation(market: Marketplace, old: Body | None, new: Body) -> Iterator[ServiceError]:
    client, buyer = market.find("ApiClient", str(new.get("ClientID"))), market.find("Buyer", str(new.get("BuyerID")))
    if client and buyer and not client.get("AllowAnyBuyer") and not market.is_assigned(client, "Buyer", buyer["ID"]):
        yield ServiceError("Impersonation.BuyerNotAssigned")
    if market.is_taken("ImpersonationConfig", _IMPERSONATION_IDS, old, new):
        yield ServiceError("ImpersonationConfig.ConflictingImpersonationConfigExists")


_IMPERSONATION = Resource(
    kind="ImpersonationConfig",
    path="/v1/impersonationconfig",
    fields=(
        Field("ImpersonationBuyerID", reference=_CASCADING_BUYER_REF),
        Field("ImpersonationGroupID", reference=_party("UserGroup", "ImpersonationBuyerID", "AdminUserGroup")),
        Field("ImpersonationUserID", reference=_party("User", "ImpersonationBuyerID", "AdminUser")),
        Field("BuyerID", required=True, reference=_CASCADING_BUYER_REF, only="legacy"),
        Field("BuyerID", reference=_CASCADING_BUYER_REF, only="current"),
        Field("GroupID", reference=_party("UserGroup", "BuyerID")),
        Field("UserID", reference=_party("User", "BuyerID")),
        Field("SecurityProfileID", required=True, reference=_PROFILE_REF),
        Field("ClientID", required=True, reference=_CLIENT_REF),
    ),
    read_roles=(FULL_ACCESS, "SetSecurityProfile"),
    write_roles=(FULL_ACCESS, "SetSecurityProfile"),
    sortable=("ID", *_IMPERSONATION_IDS),
    check=_check_impersonation,
)


BUYER_REF, SUPPLIER_REF = Reference("Buyer"), Reference("Supplier")
USER_REF = Reference("AdminUser", owners=(("BuyerID", "User"), ("SupplierID", "SupplierUser")))
GROUP_REF = Reference("AdminUserGroup", owners=(("BuyerID", "UserGroup"), ("SupplierID", "SupplierUserGroup")))
XP = Field("xp", "xp")
_CREATED = Field("DateCreated", read_only=True)


def _finalize_created(market: Marketplace, old: Body | None, new: Body) -> Body:
    return new if old else new | {"DateCreated": market.clock().isoformat()}


def _is_default_user(market: Marketplace, user: Body) -> bool:
    clients = market.store.all("ApiClient").values()
    name = str(user["Username"]).lower()
    return any((client.get("DefaultContextUserName") or "").lower() == name for client in clients)


def _company_row(company: str, user_kind: str, *fields: Field) -> Resource:
    """The resource for buyers or suppliers."""

    def guard(market: Marketplace, owner: Body) -> Iterator[ServiceError]:
        users = market.store.all(user_kind).values()
        if any(user["_parent"] == owner["ID"].lower() and _is_default_user(market, user) for user in users):
            yield ServiceError("User.CannotDeleteDefaultContextUser")

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
        seller_only=False,
        sortable=("ID", "Name", "DateCreated"),
        searchable=("ID", "Name"),
        finalize=_finalize_created,
        guard=guard,
    )


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


def _check_user(market: Marketplace, old: Body | None, new: Body) -> Iterator[ServiceError]:
    other = market.user_named(str(new.get("Username") or ""))
    if other is not None and other.body is not old:
        yield ServiceError("User.UsernameMustBeUnique")


def _guard_user(market: Marketplace, user: Body) -> Iterator[ServiceError]:
    if _is_default_user(market, user):
        yield ServiceError("User.CannotDeleteDefaultContextUser")


def _user_row(kind: str, path: str, role: str = "") -> Resource:
    """The resource for the users of one party."""
    party = PARTIES[kind]

    def finalize(market: Marketplace, old: Body | None, new: Body) -> Body:
        owner = market.find(party.company, new["_parent"]) if party.company else None
        return _finalize_created(market, old, new) | {
            "CompanyID": owner["ID"] if owner else market.settings.marketplace
        }

    return Resource(
        kind=kind,
        path=path,
        fields=_USER_FIELDS,
        role=role,
        seller_only=False,
        sortable=("ID", "Username", "LastName", "FirstName", "Email", "DateCreated", "PasswordLastSetDate"),
        searchable=("ID", "Username", "LastName", "FirstName", "Email"),
        parent=party.company,
        check=_check_user,
        finalize=finalize,
        guard=_guard_user,
        show=lambda market, user: user | {"AvailableRoles": sorted(market.roles_of(User(party, user)))},
    )


def _group_row(party: Party, path: str) -> Resource:
    """The resource for the user groups of one party."""
    return Resource(
        kind=party.group,
        path=path,
        fields=(Field("Name", required=True, maximum=100), Field("Description", maximum=2000), XP),
        seller_only=party.company is None,
        searchable=("ID", "Name", "Description"),
        parent=party.company,
    )


ROWS = (
    _company_row("Buyer", "User", Field("DefaultCatalogID")),
    _company_row("Supplier", "SupplierUser", Field("AllBuyersCanOrder", "boolean", default=False)),
    _user_row("AdminUser", "/v1/adminusers"),
    _user_row("User", "/v1/buyers/{parent}/users", "BuyerUser"),
    _user_row("SupplierUser", "/v1/suppliers/{parent}/users"),
    _group_row(PARTIES["AdminUser"], "/v1/usergroups"),
    _group_row(PARTIES["User"], "/v1/buyers/{parent}/usergroups"),
    _group_row(PARTIES["SupplierUser"], "/v1/suppliers/{parent}/usergroups"),
    _SECURITY_PROFILE,
    _IMPERSONATION,
)
