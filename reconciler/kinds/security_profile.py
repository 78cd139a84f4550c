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
            "How many earlier passwords cannot be used again.",
            5,
            direction_of=at_least,
        ),
        number(
            "MaxConsecutiveDupeChars",
            Whole(1, 24),
            "How often a character may be repeated in a row.",
            3,
            direction_of=at_most,
        ),
        number(
            "MaximumPasswordAge",
            Whole(1, 365, "days"),
            "After how many days a password expires.",
            90,
            direction_of=at_most,
        ),
        number(
            "MinimumPasswordAge",
            Whole(1, 60, "minutes"),
            "For how many minutes a new password cannot be changed.",
            5,
            direction_of=at_least,
        ),
        number(
            "AllowedFailedAttempts",
            Whole(1, 10),
            "After how many failed logins the user is locked out.",
            5,
            direction_of=at_most,
        ),
        number(
            "LockoutDuration",
            Whole(2, 1440, "minutes"),
            "For how many minutes the user is locked out.",
            30,
            direction_of=at_least,
        ),
        *(
            flag(f"{of}Required", f"Whether a password needs {needs}.", direction_of=at_least)
            for of, needs in (
                ("UpperCase", "a capital letter"),
                ("LowerCase", "a small letter"),
                ("SpecialCharacter", "a special character"),
                ("Numeric", "a digit"),
            )
        ),
        number(
            "MinimumCharacterCount",
            Whole(10),
            "The least length of a password: 10 or more.",
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
            "The roles that it gives. The order means nothing.",
            examples=(["CatalogAdmin", "ProductAdmin"],),
            default=[],
            direction_of=holds,
        ),
        texts(
            "CustomRoles",
            "The custom roles that it gives. They appear in tokens as they are.",
            "order-approver",
            direction_of=holds,
        ),
        Field(
            "PasswordConfig",
            _PASSWORDS,
            "Rules for passwords. Of all profiles of a user the strictest rule counts. null: none.",
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
        "Who has the roles of this profile, level by level.",
        # A reader of profiles may not read these.
        roles=("SecurityProfileAdmin", "SetSecurityProfile"),
    ),
    gives="Roles",
)
