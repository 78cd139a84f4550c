"""Nothing -> the names of OrderCloud's roles, and which of them open which endpoint.

Source: the enumeration ApiRole of API version 1.0.470, and the `security` entries of Sitecore's OpenAPI document.
"""

from __future__ import annotations

FULL_ACCESS = "FullAccess"

_NAMES = """
    ApiClientAdmin ApiClientReader AddressAdmin AddressReader AdminAddressAdmin AdminAddressReader AdminUserAdmin
    AdminUserGroupAdmin AdminUserGroupReader AdminUserReader ApprovalRuleAdmin ApprovalRuleReader BulkReader
    BundleAdmin BundleAssignmentAdmin BundleReader BuyerAdmin BuyerImpersonation BuyerReader BuyerUserAdmin
    BuyerUserReader CatalogAdmin CatalogReader CategoryAdmin CategoryReader CostCenterAdmin CostCenterReader
    CreditCardAdmin CreditCardReader EntitySyncConfigAdmin FullAccess IncrementorAdmin IncrementorReader
    LocaleReader LocaleAdmin MeAddressAdmin MeAdmin MeCreditCardAdmin MessageConfigAssignmentAdmin
    MeSubscriptionAdmin MeXpAdmin OrderAdmin OrderEditAfterSubmit OrderReader OverrideShipping OverrideTax
    OverrideUnitPrice PasswordReset PriceScheduleAdmin PriceScheduleReader ProductAdmin ProductAssignmentAdmin
    ProductCollectionReader ProductFacetAdmin ProductFacetReader ProductReader ProductSyncConfigAdmin PromotionAdmin
    PromotionReader SecurityProfileAdmin SecurityProfileReader SetSecurityProfile ShipmentAdmin ShipmentReader
    Shopper SpendingAccountAdmin SpendingAccountReader SubscriptionAdmin SubscriptionReader SupplierAddressAdmin
    SupplierAddressReader SupplierAdmin SupplierReader SupplierUserAdmin SupplierUserGroupAdmin
    SupplierUserGroupReader SupplierUserReader UnsubmittedOrderReader UserGroupAdmin UserGroupReader
    OpenIDConnectReader OpenIDConnectAdmin MessageSenderReader MessageSenderAdmin XpIndexAdmin WebhookReader
    WebhookAdmin IntegrationEventReader IntegrationEventAdmin TrackingEventReader TrackingEventAdmin
    DeliveryConfigAdmin OrderSyncConfigAdmin ErrorConfigAdmin
"""
API_ROLES = frozenset(_NAMES.split())


def readers(*names: str) -> tuple[str, ...]:
    """Give the roles that may read: FullAccess, and for each name its Admin and its Reader role."""
    return (FULL_ACCESS, *(name + suffix for name in names for suffix in ("Admin", "Reader")))


def writers(*names: str) -> tuple[str, ...]:
    """Give the roles that may write: FullAccess, and for each name its Admin role."""
    return (FULL_ACCESS, *(name + "Admin" for name in names))
