"""SecurityProfile: roles of the parties it is assigned to, and rules for passwords."""

from typing import Final

from reconciler.kinds.assignments import Assignments, levels
from reconciler.kinds.base import Kind
from reconciler.kinds.common import chosen_id, flag, number, texts, title
from reconciler.kinds.direction import at_least, at_most, holds
from reconciler.kinds.fields import Field, Flag, Many, Record, Role, Whole

_PASSWORDS: Final = Record(
    "PasswordConfig",
    (
        number(
            "LimitPasswordReuse",
            Whole(0, 24),
            "Number of previous passwords that cannot be reused.",
            5,
            direction_of=at_least,
        ),
        number(
            "MaxConsecutiveDupeChars",
            Whole(1, 24),
            "Maximum number of consecutive repetitions of a character.",
            3,
            direction_of=at_most,
        ),
        number(
            "MaximumPasswordAge",
            Whole(1, 365, "days"),
            "Number of days after which a password expires.",
            90,
            direction_of=at_most,
        ),
        number(
            "MinimumPasswordAge",
            Whole(1, 60, "minutes"),
            "Number of minutes for which a new password cannot be changed.",
            5,
            direction_of=at_least,
        ),
        number(
            "AllowedFailedAttempts",
            Whole(1, 10),
            "Number of failed logins after which the user is locked out.",
            5,
            direction_of=at_most,
        ),
        number(
            "LockoutDuration",
            Whole(2, 1440, "minutes"),
            "Number of minutes for which the user is locked out.",
            30,
            direction_of=at_least,
        ),
        *(
            flag(f"{of}Required", f"Whether a password requires {what}.", direction_of=at_least)
            for of, what in (
                ("UpperCase", "an uppercase letter"),
                ("LowerCase", "a lowercase letter"),
                ("SpecialCharacter", "a special character"),
                ("Numeric", "a digit"),
            )
        ),
        number(
            "MinimumCharacterCount",
            Whole(10),
            "Minimum password length (at least 10).",
            12,
            source="error code SecurityProfile.InvalidPasswordConfiguration",
            direction_of=at_least,
        ),
    ),
)

SECURITY_PROFILE: Final = Kind(
    name="SecurityProfile",
    noun="security profile",
    description="One security profile: the roles of the parties that it is assigned to.",
    path="/securityprofiles",
    source='API reference, "Security Profiles"',
    table=(
        title("Product admin", 100, required=True),
        Field(
            "Roles",
            Many(Role()),
            "The roles that it grants. Order is ignored.",
            examples=(["CatalogAdmin", "ProductAdmin"],),
            default=[],
            direction_of=holds,
        ),
        texts(
            "CustomRoles",
            "The custom roles that it grants. They appear in tokens unchanged.",
            "order-approver",
            direction_of=holds,
        ),
        Field(
            "PasswordConfig",
            _PASSWORDS,
            "Password rules. With several profiles, the strictest rule applies. null: none.",
            examples=({"MinimumCharacterCount": 12, "NumericRequired": True},),
        ),
        chosen_id(),
        Field(
            "IsExternalRoleGroup",
            Flag(),
            "Read-only: whether the Sitecore Cloud Portal manages this profile.",
            read_only=True,
            since="1.0.432",
            until="1.0.454",
        ),
    ),
    name_field="Name",
    readers=("SecurityProfileReader",),
    writers=("SecurityProfileAdmin", "SetSecurityProfile"),
    assignments=Assignments(
        levels(
            "/securityprofiles/assignments",
            "SecurityProfileID",
            "/securityprofiles/{SecurityProfileID}/assignments",
            *("seller", "buyers", "suppliers", "adminGroups", "adminUsers", "groups", "users"),
        ),
        "The parties that have the roles of this profile, by level.",
        # A reader of profiles may not read these.
        roles=("SecurityProfileAdmin", "SetSecurityProfile"),
    ),
    gives="Roles",
)
