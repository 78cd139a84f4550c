"""What decides who may do what -> one row each: security profiles, impersonation.

Sources: .NET SDK models (bounds of the password rules), OpenAPI document 1.0.260, which has 8 as the shortest password;
the newer documentation has 10. Guesses: the client must admit the buyer when an impersonation is saved; a profile from
outside (`IsExternalRoleGroup`, which only a seed can set) can be neither changed nor deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.emulator.errors import Fault
from reconciler.emulator.fields import Field, Reference
from reconciler.emulator.resources import Resource
from reconciler.emulator.roles import FULL_ACCESS, readers, writers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.emulator.marketplace import Marketplace
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


def _check_profile(_market: Marketplace, old: Body | None, _new: Body) -> Iterator[Fault]:
    if old is not None:
        yield from _guard_profile(_market, old)


def _guard_profile(_market: Marketplace, profile: Body) -> Iterator[Fault]:
    if profile.get("IsExternalRoleGroup"):
        yield Fault("SecurityProfile.ExternalRoleGroupReadOnly")


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
    check=_check_profile,
    guard=_guard_profile,
)

_IMPERSONATION_IDS = (
    *("ImpersonationBuyerID", "ImpersonationGroupID", "ImpersonationUserID"),
    *("BuyerID", "GroupID", "UserID", "SecurityProfileID", "ClientID"),
)
_IN_USE = "Impersonation.CannotDeleteImpersonateeParty"
_A_BUYER = Reference("Buyer", cascades=True)


def _party(kind: str, owner: str, seller: str = "") -> Reference:
    """Refer to a group or user of the buyer that another field names; without it to one of the seller, if any."""
    return Reference(seller or kind, blocks=_IN_USE, owners=((owner, kind),))


def _check_impersonation(market: Marketplace, old: Body | None, new: Body) -> Iterator[Fault]:
    client, buyer = market.find("ApiClient", str(new.get("ClientID"))), market.find("Buyer", str(new.get("BuyerID")))
    if client and buyer and not client.get("AllowAnyBuyer") and not market.admits(client, "Buyer", buyer["ID"]):
        yield Fault("Impersonation.BuyerNotAssigned")
    others = (each for each in market.store.all("ImpersonationConfig").values() if each is not old)
    if any(_pairing(each) == _pairing(new) for each in others):
        yield Fault("ImpersonationConfig.ConflictingImpersonationConfigExists")


def _pairing(body: Body) -> list[str]:
    return [str(body.get(name) or "").lower() for name in _IMPERSONATION_IDS]


_IMPERSONATION = Resource(
    kind="ImpersonationConfig",
    path="/v1/impersonationconfig",
    fields=(
        Field("ImpersonationBuyerID", refers=_A_BUYER),
        Field("ImpersonationGroupID", refers=_party("UserGroup", "ImpersonationBuyerID", "AdminUserGroup")),
        Field("ImpersonationUserID", refers=_party("User", "ImpersonationBuyerID", "AdminUser")),
        Field("BuyerID", required=True, refers=_A_BUYER, only="legacy"),
        Field("BuyerID", refers=_A_BUYER, only="current"),
        Field("GroupID", refers=_party("UserGroup", "BuyerID")),
        Field("UserID", refers=_party("User", "BuyerID")),
        Field(
            "SecurityProfileID",
            required=True,
            refers=Reference("SecurityProfile", blocks="Impersonation.CannotDeleteSecurityProfile"),
        ),
        Field(
            "ClientID",
            required=True,
            refers=Reference(
                "ApiClient", missing="Impersonation.ClientIDNotFound", blocks="ApiClient.UsedByImpersonationConfig"
            ),
        ),
    ),
    read_roles=(FULL_ACCESS, "SetSecurityProfile"),
    write_roles=(FULL_ACCESS, "SetSecurityProfile"),
    sortable=("ID", *_IMPERSONATION_IDS),
    searchable=("ID", *_IMPERSONATION_IDS),
    check=_check_impersonation,
)

ROWS = (_SECURITY_PROFILE, _IMPERSONATION)
