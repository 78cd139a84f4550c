"""Every operation of the emulator with an example, in an order that satisfies their dependencies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from reconciler.emulator import ADMIN_CLIENT_ID
from reconciler.emulator.rows.delivery import ENTITIES

LATER_OPERATIONS = {
    "/apiclients/{apiClientID}/secrets": "since 1.0.368, in both generations",
    "/integrations/": "after 1.0.260, in the newer generation only",
}

MINE = "0f0f0f0f-0000-4000-8000-00000000000a"
WHOLE = {
    "AppName": "Contract",
    "AccessTokenDuration": 60,
    "Active": True,
    "RefreshTokenDuration": 0,
    "DefaultContextUserName": "shopper",
    "xp": {"a": [1, None]},
    "AllowAnyBuyer": False,
    "AllowAnySupplier": True,
    "AllowSeller": False,
    "IsAnonBuyer": True,
    "OrderCheckoutIntegrationEventID": "OrderCheckout-Event",
    "OrderReturnIntegrationEventID": "OrderReturn-Event",
    "AddToCartIntegrationEventID": "AddToCart-Event",
    "MinimumRequiredRoles": ["Shopper"],
    "MinimumRequiredCustomRoles": [],
    "MaximumGrantedRoles": ["Shopper", "MeAdmin"],
    "MaximumGrantedCustomRoles": ["vip"],
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One documented operation with an example; `path` is the documented template, `own` the ID of the example."""

    method: str
    path: str
    status: int
    body: dict[str, Any] | None = None
    query: str = ""
    own: str = "mine"

    @property
    def is_later(self) -> bool:
        return self.path.startswith(tuple(LATER_OPERATIONS))

    def url(self) -> str:
        known = {
            "thingType": "Order",
            "key": "a.b",
            "apiClientID": MINE,
            "secretID": "s1",
            "buyerID": "Acme",
            "supplierID": "tools",
        }
        if self.path in {"/buyers/{buyerID}", "/suppliers/{supplierID}"}:
            known = {}  # the example itself, not the parent of others
        if "assignments" in self.path:
            known |= {"userID": MEMBERS.get(self.path.split("/")[1], ""), "securityProfileID": "reading"}
        return "/v1" + re.sub(r"\{(\w+)\}", lambda name: known.get(name[1], self.own), self.path) + self.query


MEMBERS = {"usergroups": "reader", "buyers": "shopper", "suppliers": "vendor"}
CLIENTS, CLIENT = "/apiclients", "/apiclients/{apiClientID}"
ASSIGNMENTS, SECRETS = CLIENTS + "/assignments", CLIENT + "/secrets"
SECRET = SECRETS + "/{secretID}"
CLIENT_OPERATIONS = (  # in this order: each depends on the ones before it
    Operation("PUT", CLIENT, 200, WHOLE),  # creates
    Operation("PUT", CLIENT, 200, WHOLE),
    Operation("GET", CLIENT, 200),
    Operation("PATCH", CLIENT, 200, {"xp": {"b": 2}, "Active": None}),
    Operation("POST", CLIENTS, 201, WHOLE),
    Operation("GET", CLIENTS, 200, query="?search=contract&searchOn=AppName&sortBy=!ID&page=1&pageSize=2&ID=!x"),
    Operation("POST", ASSIGNMENTS, 204, {"ApiClientID": MINE, "BuyerID": "Acme"}),
    Operation("POST", ASSIGNMENTS, 204, {"ApiClientID": MINE, "SupplierID": "tools"}),
    Operation("GET", ASSIGNMENTS, 200, query=f"?apiClientID={MINE}&buyerID=Acme&page=1&pageSize=10"),
    Operation("DELETE", "/buyers/{buyerID}/ApiClients/Assignments/{apiClientID}", 204),
    Operation("DELETE", "/suppliers/{supplierID}/ApiClients/Assignments/{apiClientID}", 204),
    Operation("POST", SECRETS, 201, {"ID": "s1", "Name": "s"}),
    Operation("GET", SECRETS, 200, query="?sortBy=ID"),
    Operation("GET", SECRET, 200),
    Operation("PATCH", SECRET, 200, {"Name": "t"}),
    Operation("DELETE", SECRET, 204),
    Operation("DELETE", CLIENT, 204),
)


def neighbour(
    path: str, name: str, body: dict[str, Any], patch: dict[str, Any], *meanwhile: Operation, **another: str
) -> tuple[Operation, ...]:
    """All operations on a resource; `meanwhile` are those that need it, `another` makes a second one unique."""
    one = f"{path}/{{{name}}}"
    return (
        Operation("PUT", one, 200, body),  # creates
        Operation("PUT", one, 200, body),
        Operation("GET", one, 200),
        Operation("PATCH", one, 200, patch),
        Operation("POST", path, 201, {**body, "ID": "second", **another}),
        Operation("GET", path, 200, query="?sortBy=ID&page=1&pageSize=2&ID=!x"),
        Operation("DELETE", one, 204, own="second"),
        *meanwhile,
        Operation("DELETE", one, 204),
    )


def members(path: str, user: str, *meanwhile: Operation) -> tuple[Operation, ...]:
    """All operations on the groups of one party and on their members."""
    return neighbour(
        path,
        "userGroupID",
        {"Name": "G", "Description": "d", "xp": {"a": 1}},
        {"Description": None},
        Operation("POST", f"{path}/assignments", 204, {"UserGroupID": "mine", "UserID": user}),
        Operation("GET", f"{path}/assignments", 200, query=f"?userGroupID=mine&userID={user}&page=1&pageSize=10"),
        Operation("DELETE", f"{path}/{{userGroupID}}/assignments/{{userID}}", 204),
        *meanwhile,
    )


def only(path: str, body: dict[str, Any]) -> tuple[Operation, ...]:
    """All operations on a singleton."""
    return (
        Operation("PUT", path, 200, body),
        Operation("GET", path, 200),
        Operation("PATCH", path, 200, body),
        Operation("DELETE", path, 204),
    )


PERSON = {
    "Username": "contract",
    "Password": "Password-1234",
    "FirstName": "A",
    "LastName": "B",
    "Email": "a@example.com",
    "Phone": "1",
    "TermsAccepted": "2026-01-01T00:00:00+00:00",
    "Active": True,
    "xp": {"a": 1},
}
EVENT = {
    "Name": "E",
    "EventType": "OrderReturn",
    "CustomImplementationUrl": "https://x.example/y",
    "HashKey": "h",
    "ElevatedRoles": ["FullAccess"],
    "ConfigData": {"a": 1},
}
WEBHOOK = {
    "Name": "W",
    "Description": "d",
    "Url": "https://x.example/y",
    "HashKey": "h",
    "ElevatedRoles": ["FullAccess"],
    "ConfigData": {"a": 1},
    "BeforeProcessRequest": True,
    "ApiClientIDs": ["e5a05785-caff-4f7d-9cc3-758f13865fc3"],
    "WebhookRoutes": [{"Route": "v1/orders", "Verb": "POST"}],
}
SUBSCRIPTION = {"ApiClientID": ADMIN_CLIENT_ID, "HashKey": "h"}
COMPANY = {"Name": "C", "Active": True, "xp": {"a": 1}}
PROFILE = {"Name": "P", "Roles": ["Shopper"], "CustomRoles": ["vip"], "PasswordConfig": None}
IMPERSONATION = {"ClientID": "e5a05785-caff-4f7d-9cc3-758f13865fc3", "SecurityProfileID": "reading", "BuyerID": "Acme"}
DELIVERY = {"Name": "D", "Enabled": True, "DeliveryTargets": {"Http": {"Endpoint": "https://x.example", "Secret": "s"}}}
PROFILES = "/securityprofiles/assignments"
STOREFRONT = "e5a05785-caff-4f7d-9cc3-758f13865fc3"
PROVIDER = {
    "OrderCloudApiClientID": STOREFRONT,
    **dict.fromkeys(("ConnectClientID", "ConnectClientSecret", "AppStartUrl", "AuthorizationEndpoint"), "x"),
    "TokenEndpoint": "x",
    "UrlEncoded": True,
    "AdditionalIdpScopes": ["mail"],
}
SENDER = {
    "Name": "S",
    "MessageTypes": ["OrderSubmitted"],
    "URL": "https://x.example/{messagetype}",
    "SharedKey": "k",
    "ElevatedRoles": [],
    "DeliveryConfigID": "mine",
}
RULE = {"ApprovalType": "OrderReturn", "ApprovingGroupID": "mine", "RuleExpression": "true", "Name": "R"}
TRACKING = {"EventType": "UserLoggedIn", "ClientID": STOREFRONT, "Name": "T", "DeliveryConfigID": "mine"}
SYNC = {"DeliveryConfigID": "mine"}
ENTITY = SYNC | {"SyncEntityChanged": True, "SyncEntityDeleted": False}
PRODUCT = SYNC | {"SyncProductChanged": True, "SyncProductDeleted": False}
SENDERS, COPIES, LOCALES = (
    "/messagesenders/assignments",
    "/messagesenders/CCListenerAssignments",
    "/locales/assignments",
)
SENDER_OPERATIONS = neighbour(
    "/messagesenders",
    "messageSenderID",
    SENDER,
    {"Description": "d"},
    Operation("POST", SENDERS, 204, {"MessageSenderID": "mine", "BuyerID": "Acme"}),
    Operation("GET", SENDERS, 200, query="?buyerID=acme&messageSenderID=mine&level=Company"),
    Operation(
        "POST",
        COPIES,
        204,
        {"MessageSenderAssignment": {"MessageSenderID": "mine"}, "MessageType": "OrderSubmitted", "BuyerID": "Acme"},
    ),
    Operation("GET", COPIES, 200, query="?search=acme&searchOn=BuyerID&sortBy=!MessageConfigName"),
    Operation("DELETE", "/messagesenders/{messageSenderID}/assignments", 204, query="?buyerID=acme"),
)
LOCALE_OPERATIONS = neighbour(
    "/locales",
    "localeID",
    {"Currency": "USD", "Language": "en"},
    {"Language": "de"},
    Operation("POST", LOCALES, 204, {"LocaleID": "mine", "BuyerID": "Acme"}),
    Operation("GET", LOCALES, 200, query="?localeID=mine&level=Company"),
    Operation("DELETE", "/locales/{localeID}/assignments", 204, query="?buyerID=acme"),
    Currency="EUR",
)
DELIVERED_OPERATIONS = neighbour(
    "/integrations/deliveryconfig",
    "deliveryConfigID",
    DELIVERY,
    {"Enabled": False},
    *SENDER_OPERATIONS,
    *neighbour("/integrations/trackingEvents", "eventID", TRACKING, {"Name": "U"}, EventType="OrderSubmitted"),
    *only("/integrations/productsync", PRODUCT),
    *(operation for entity in ENTITIES for operation in only(f"/integrations/entitysync/{entity}", ENTITY)),
    *only("/integrations/OrderSync", SYNC),
    *only("/integrations/ErrorConfig", SYNC),
    *only("/integrations/inventory", SYNC),
)
NEIGHBOUR_OPERATIONS = (
    *neighbour("/integrationEvents", "integrationEventID", EVENT, {"Name": "F"}),
    *neighbour("/webhooks", "webhookID", WEBHOOK, {"ApiClientIDs": []}),
    *neighbour("/buyers", "buyerID", COMPANY | {"DefaultCatalogID": "c"}, {"Active": False}),
    *neighbour("/suppliers", "supplierID", COMPANY | {"AllBuyersCanOrder": True}, {"xp": {"b": 2}}),
    *neighbour("/adminusers", "userID", PERSON, {"Active": False}, Username="second"),
    *neighbour("/buyers/{buyerID}/users", "userID", PERSON | {"Username": "buying"}, {"Phone": None}, Username="third"),
    *neighbour(
        "/suppliers/{supplierID}/users",
        "userID",
        PERSON | {"Username": "supplying"},
        {"LastName": "C"},
        Username="fourth",
    ),
    *neighbour("/securityprofiles", "securityProfileID", PROFILE, {"Roles": []}),
    *neighbour("/impersonationconfig", "impersonationConfigID", IMPERSONATION, {"BuyerID": "Acme"}, UserID="shopper"),
    Operation("GET", "/buyerusers", 200, query="?search=s&searchOn=Username"),
    *members("/usergroups", "reader", *neighbour("/approvalrules", "approvalRuleID", RULE, {"Name": "S"})),
    *members("/buyers/{buyerID}/usergroups", "shopper"),
    *members("/suppliers/{supplierID}/usergroups", "vendor"),
    Operation("POST", PROFILES, 204, {"SecurityProfileID": "reading", "BuyerID": "Acme"}),
    Operation("GET", PROFILES, 200, query="?buyerID=acme&level=Company&commerceRole=Buyer"),
    Operation("DELETE", "/securityprofiles/{securityProfileID}/assignments", 204, query="?buyerID=acme"),
    *neighbour("/openidconnects", "openidconnectID", PROVIDER, {"UrlEncoded": False}),
    *DELIVERED_OPERATIONS,
    *LOCALE_OPERATIONS,
    *neighbour("/productfacets", "productFacetID", {"Name": "F", "XpPath": "a.b"}, {"MinCount": 2}, XpPath="c"),
    *neighbour("/incrementors", "incrementorID", {"LastNumber": 0, "LeftPaddingCount": 4}, {"Name": "I"}),
    Operation("PUT", "/xpindices", 204, {"ThingType": "Order", "Key": "a.b"}),
    Operation("GET", "/xpindices", 200, query="?sortBy=!Key&ThingType=Order"),
    Operation("DELETE", "/xpindices/{thingType}/{key}", 204),
    *only("/integrations/promotion", {"HashKey": "h"}),
    Operation("GET", "/me", 200),
    *only("/integrations/subscription", SUBSCRIPTION),
)
OPERATIONS = (*CLIENT_OPERATIONS, *NEIGHBOUR_OPERATIONS)
