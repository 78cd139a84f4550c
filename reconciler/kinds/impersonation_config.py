"""ImpersonationConfig: who may act as whom, through which API client, with which roles."""

from typing import Any, Final

from reconciler.kinds.base import Kind
from reconciler.kinds.common import TO_SECURITY_PROFILE, chosen_id, client_id, reference, text
from reconciler.kinds.direction import acts_as, limited_to
from reconciler.kinds.fields import PARTIES, Field, MemberReference


def _member(name: str, to: MemberReference, meaning: str, example: str) -> Field:
    return text(name, meaning, example, 100, refers_to=to, direction_of=limited_to)


def _buyer(name: str, meaning: str, **known: Any) -> Field:
    return reference(name, PARTIES["buyer"], meaning, "main", direction_of=limited_to, **known)


IMPERSONATION_CONFIG: Final = Kind(
    name="ImpersonationConfig",
    noun="impersonation configuration",
    description="One impersonation configuration: who may act as whom, through which API client, with which roles.",
    path="/impersonationconfig",
    source='API reference, "Impersonation Configs"',
    table=(
        _buyer("ImpersonationBuyerID", "The buyer whose users may act as others. null: users of the seller may."),
        _member(
            "ImpersonationGroupID",
            MemberReference("group", "buyer", "ImpersonationBuyerID", or_seller=True),
            "The user group whose members may act as others. null: any group.",
            "support",
        ),
        _member(
            "ImpersonationUserID",
            MemberReference("user", "buyer", "ImpersonationBuyerID", or_seller=True),
            "The only user who may act as others. null: any user.",
            "support-user",
        ),
        _buyer("BuyerID", "The buyer whose users they act as. null: users of any buyer, since API 1.0.315."),
        _member(
            "GroupID",
            MemberReference("group", "buyer", "BuyerID"),
            "The user group of that buyer whose members they act as. null: any group.",
            "approvers",
        ),
        _member(
            "UserID",
            MemberReference("user", "buyer", "BuyerID"),
            "The only user of that buyer whom they act as. null: any user.",
            "buyer-user",
        ),
        reference(
            "SecurityProfileID",
            TO_SECURITY_PROFILE,
            "The ID of the security profile with the roles they have while impersonating.",
            "impersonation",
            direction_of=acts_as,
            required=True,
        ),
        client_id(
            "ClientID",
            "The ID of the API client used for the impersonation.",
            direction_of=acts_as,
            required=True,
        ),
        chosen_id(),
    ),
    name_field="ClientID",
    unique=(
        *("ClientID", "SecurityProfileID", "ImpersonationBuyerID", "ImpersonationGroupID", "ImpersonationUserID"),
        *("BuyerID", "GroupID", "UserID"),
    ),
    writers=("SetSecurityProfile",),
)
