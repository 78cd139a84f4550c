"""Security profiles and impersonation -> one row each.

Sources: .NET SDK models (bounds of the password rules), OpenAPI document 1.0.260, which has 8 as the shortest password;
the newer documentation has 10.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.emulator.errors import Fault, not_found
from reconciler.emulator.fields import Field, faults_of, replaced
from reconciler.emulator.resources import Resource
from reconciler.emulator.roles import FULL_ACCESS, readers, writers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.emulator.marketplace import Marketplace
    from reconciler.emulator.settings import Profile
    from reconciler.emulator.store import Body

_PASSWORD_FIELDS = (
    Field("LimitPasswordReuse", "integer", minimum=0, maximum=24),
    Field("MaxConsecutiveDupeChars", "integer", minimum=1, maximum=24),
    Field("MaximumPasswordAge", "integer", minimum=1, maximum=365),
    Field("MinimumPasswordAge", "integer", minimum=1, maximum=60),
    Field("AllowedFailedAttempts", "integer", minimum=1, maximum=10),
    Field("LockoutDuration", "integer", minimum=2, maximum=1440),
    *(Field(f"{kind}Required", "boolean") for kind in ("UpperCase", "LowerCase", "SpecialCharacter", "Numeric")),
    Field("MinimumCharacterCount", "integer"),
)
_SHORTEST_PASSWORD: dict[Profile, int] = {"legacy": 8, "current": 10}


def _check_profile(market: Marketplace, _old: Body | None, new: Body) -> Iterator[Fault]:
    config = new.get("PasswordConfig")
    if not isinstance(config, dict):
        return
    shortest = Field("MinimumCharacterCount", "integer", minimum=_SHORTEST_PASSWORD[market.settings.profile])
    for fault in faults_of((*_PASSWORD_FIELDS[:-1], shortest), config):
        yield Fault("SecurityProfile.InvalidPasswordConfiguration", f"PasswordConfig.{fault.message}")


def _settle_profile(_market: Marketplace, _old: Body | None, new: Body) -> Body:
    config = new["PasswordConfig"]
    return new | {"PasswordConfig": None if config is None else replaced(_PASSWORD_FIELDS, config)}


SECURITY_PROFILE = Resource(
    kind="SecurityProfile",
    path="/v1/securityprofiles",
    fields=(
        Field("Name", required=True, maximum=100),
        Field("Roles", "roles", default=[]),
        Field("CustomRoles", "strings", default=[]),
        Field("PasswordConfig", "object"),
        Field("IsExternalRoleGroup", "boolean", default=False, read_only=True),
    ),
    read_roles=(*readers("SecurityProfile"), "SetSecurityProfile"),
    write_roles=(*writers("SecurityProfile"), "SetSecurityProfile"),
    check=_check_profile,
    settle=_settle_profile,
)


def _check_impersonation(market: Marketplace, _old: Body | None, new: Body) -> Iterator[Fault]:
    for kind, reference in (("ApiClient", "ClientID"), ("SecurityProfile", "SecurityProfileID"), ("Buyer", "BuyerID")):
        if new.get(reference) and market.find(kind, str(new[reference])) is None:
            yield not_found(kind, str(new[reference]))


_IMPERSONATION_IDS = (
    *("ImpersonationBuyerID", "ImpersonationGroupID", "ImpersonationUserID"),
    *("BuyerID", "GroupID", "UserID", "SecurityProfileID", "ClientID"),
)
IMPERSONATION = Resource(
    kind="ImpersonationConfig",
    path="/v1/impersonationconfig",
    fields=(*(Field(name, required=name in {"SecurityProfileID", "ClientID"}) for name in _IMPERSONATION_IDS),),
    read_roles=(FULL_ACCESS, "SetSecurityProfile"),
    write_roles=(FULL_ACCESS, "SetSecurityProfile"),
    sortable=("ID", *_IMPERSONATION_IDS),
    searchable=("ID", *_IMPERSONATION_IDS),
    check=_check_impersonation,
    settle=lambda _market, _old, new: new | {"ClientID": new["ClientID"].lower()},
)
