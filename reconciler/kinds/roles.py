"""The ApiRole values that the API knew at version 1.0.470 (October 2026)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from reconciler.errors import AccessDenied

FULL_ACCESS: Final = "FullAccess"
"""The role that suffices for everything."""

_NAMES: Final = """
    AddressAdmin AddressReader AdminAddressAdmin AdminAddressReader AdminUserAdmin AdminUserGroupAdmin
    AdminUserGroupReader AdminUserReader ApiClientAdmin ApiClientReader ApprovalRuleAdmin ApprovalRuleReader BulkReader
    BundleAdmin BundleAssignmentAdmin BundleReader BuyerAdmin BuyerImpersonation BuyerReader BuyerUserAdmin
    BuyerUserReader CatalogAdmin CatalogReader CategoryAdmin CategoryReader CostCenterAdmin CostCenterReader
    CreditCardAdmin CreditCardReader DeliveryConfigAdmin EntitySyncConfigAdmin ErrorConfigAdmin FullAccess
    IncrementorAdmin IncrementorReader IntegrationEventAdmin IntegrationEventReader LocaleAdmin LocaleReader
    MeAddressAdmin MeAdmin MeCreditCardAdmin MeSubscriptionAdmin MeXpAdmin MessageConfigAssignmentAdmin
    MessageSenderAdmin MessageSenderReader OpenIDConnectAdmin OpenIDConnectReader OrderAdmin OrderEditAfterSubmit
    OrderReader OrderSyncConfigAdmin OverrideShipping OverrideTax OverrideUnitPrice PasswordReset PriceScheduleAdmin
    PriceScheduleReader ProductAdmin ProductAssignmentAdmin ProductCollectionReader ProductFacetAdmin ProductFacetReader
    ProductReader ProductSyncConfigAdmin PromotionAdmin PromotionReader SecurityProfileAdmin SecurityProfileReader
    SetSecurityProfile ShipmentAdmin ShipmentReader Shopper SpendingAccountAdmin SpendingAccountReader SubscriptionAdmin
    SubscriptionReader SupplierAddressAdmin SupplierAddressReader SupplierAdmin SupplierReader SupplierUserAdmin
    SupplierUserGroupAdmin SupplierUserGroupReader SupplierUserReader TrackingEventAdmin TrackingEventReader
    UnsubmittedOrderReader UserGroupAdmin UserGroupReader WebhookAdmin WebhookReader XpIndexAdmin
"""
API_ROLES: Final = frozenset(_NAMES.split())


@contextmanager
def naming(what: str, roles: Sequence[str]) -> Iterator[None]:
    """Let a refusal for the lack of a role say which roles would do."""
    try:
        yield
    except AccessDenied as error:
        if error.request.status == HTTPStatus.FORBIDDEN:
            error.hint = "; ".join(filter(None, [f"{what} takes one of the roles {', '.join(roles)}", error.hint]))
        raise
