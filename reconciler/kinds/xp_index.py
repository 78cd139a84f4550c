"""XpIndex: the extended properties by which lists can be filtered; one document contains all of them."""

from typing import Final

from reconciler.kinds.base import IdChoice, Kind
from reconciler.kinds.common import texts

_OBJECT_TYPES: Final = """
    Address Variant Order OrderReturn LineItem CostCenter CreditCard Payment Spec SpecOption UserGroup Company Category
    PriceSchedule Shipment SpendingAccount User Promotion ApprovalRule SellerApprovalRule Catalog ProductFacet
    MessageSender InventoryRecord ProductCollection Subscription GroupOrderInvitation BuyerGroup Discount
"""

XP_INDEX: Final = Kind(
    name="XpIndex",
    noun="XP index set",
    description="All indices of extended properties, by object type.",
    path="/xpindices",
    source='API reference, "Xp Indices"',
    table=tuple(
        texts(object_type, f"The keys below xp of {object_type} objects that lists can filter by.", "team")
        for object_type in _OBJECT_TYPES.split()
    ),
    writers=("XpIndexAdmin",),
    id_choice=IdChoice.SET,
    row_fields=("ThingType", "Key"),
    section="XpIndices",
)
