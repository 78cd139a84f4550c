"""AdminUserGroup: a group of the seller's users."""

from typing import Final

from reconciler.kinds.assignments import Assignments, levels
from reconciler.kinds.base import Kind
from reconciler.kinds.common import chosen_id, description, title, xp

ADMIN_USER_GROUP: Final = Kind(
    name="AdminUserGroup",
    noun="admin user group",
    description="One group of the seller's users.",
    path="/usergroups",
    source='API reference, "Admin User Groups"',
    table=(title("Catalogue team", 100, required=True), description("Maintains the catalogue."), xp(), chosen_id()),
    name_field="Name",
    readers=("AdminUserGroupReader",),
    writers=("AdminUserGroupAdmin",),
    assignments=Assignments(
        levels(
            "/usergroups/assignments", "UserGroupID", "/usergroups/{UserGroupID}/assignments/{UserID}", "adminUsers"
        ),
        "The members of this group.",
    ),
    members="adminUsers",
)
