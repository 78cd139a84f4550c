"""SellerApprovalRule: which returns of orders a group of the seller or of a supplier must approve."""

from typing import Final

from reconciler.kinds.base import Kind
from reconciler.kinds.common import chosen_id, description, text, title, xp
from reconciler.kinds.fields import Choice, Field, MemberReference

SELLER_APPROVAL_RULE: Final = Kind(
    name="SellerApprovalRule",
    noun="seller approval rule",
    description="One approval rule: which returns a group of the seller or of a supplier must approve.",
    path="/approvalrules",
    source='API reference, "Seller Approval Rules"',
    since="1.0.238",
    table=(
        title("Expensive returns", 100),
        description("Returns of more than 1000."),
        Field(
            "ApprovalType",
            Choice(("Order", "OrderReturn")),
            "What is approved. Only OrderReturn is supported.",
            examples=("OrderReturn",),
            required=True,
        ),
        text(
            "OwnerID",
            "The supplier that the rule belongs to, or ${marketplace}, whose ID differs per environment.",
            "fabric-mill",
            100,
            is_owner=True,
        ),
        text(
            "ApprovingGroupID",
            "The ID of the admin user group that approves; if OwnerID is a supplier, of one of its user groups.",
            "returns-team",
            100,
            refers_to=MemberReference("group", "supplier", "OwnerID", or_seller=True),
            required=True,
        ),
        text(
            "RuleExpression",
            "The expression that selects the returns that require approval; true for all.",
            "order.Total > 1000",
            400,
            required=True,
        ),
        xp(),
        chosen_id(),
    ),
    name_field="Name",
    readers=("ApprovalRuleReader",),
    writers=("OrderAdmin",),
)
