"""Every kind that is managed goes round in the emulator: created, in step, changed, in step, exported, deleted."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler import pipeline
from reconciler.errors import InputError
from reconciler.export import ManifestOrigin, export
from reconciler.kinds import KINDS, IdChoice
from reconciler.live import every_body
from reconciler.manifests.context import LoadContext
from reconciler.manifests.load import load
from reconciler.model.plan import Action, Direction
from reconciler.model.resource import DesiredState, FieldsPolicy, Policy
from tests.service import NO_LIMITS, Shop, client_id, shop

CLIENT = client_id(1)
OBJECTS: dict[str, Any] = {
    "Buyers": [{"ID": "main", "Name": "Main", "Active": True}],
    "DeliveryConfigs": [
        {
            "ID": "mail",
            "Name": "Mail",
            "Enabled": True,
            "DeliveryTargets": {"Http": {"Endpoint": "https://a.example.com", "Secret": "planted"}},
        },
        {"ID": "other", "Name": "Other", "DeliveryTargets": {"SendEvent": {"SiteID": "a", "ServiceEndpoint": "b"}}},
    ],
    "SecurityProfiles": [{"ID": "acting", "Name": "Acting", "Roles": ["Shopper"]}],
    "AdminUserGroups": [{"ID": "team", "Name": "Team"}],
}
SECRET = "{fromEnv: KEY}"
SPECS = {
    "IntegrationEvent": "{Name: A, EventType: OrderReturn, CustomImplementationUrl: 'https://a.example.com', "
    f"HashKey: {SECRET}, CustomAuthHeaderName: x-key, CustomAuthHeaderValue: {SECRET}, ElevatedRoles: [OrderAdmin]}}",
    "Webhook": f"{{Name: A, Url: 'https://a.example.com', HashKey: {SECRET}, ApiClientIDs: [{CLIENT.lower()}], "
    "WebhookRoutes: [{Route: v1/orders, Verb: POST}, {Route: v1/me, Verb: PUT}]}",
    "DeliveryConfig": "{Name: A, Enabled: true, DeliveryTargets: {Http: {Endpoint: 'https://a.example.com', "
    f"Secret: {SECRET}, CustomAuthHeaderName: x-key, CustomAuthHeaderValue: {SECRET}}}, "
    f"Mailchimp: {{ApiKey: {SECRET}}}, SearchIngestion: {{Domain: a, Source: b, Endpoint: 'https://b.example.com', "
    f"Entity: product, ApiKey: {SECRET}, "
    "Content: {Locales: [en_us], Http: {Endpoint: 'https://c.example.com', CustomAuthHeaderName: x-key, "
    f"CustomAuthHeaderValue: {SECRET}}}}}}}}}}}",
    "SecurityProfile": "{Name: A, Roles: [Shopper, MeAdmin], CustomRoles: [b, a], PasswordConfig: "
    "{MinimumCharacterCount: 12, NumericRequired: true}}",
    "MessageSender": "{Name: A, MessageTypes: [OrderSubmitted, OrderDeclined], DeliveryConfigID: mail}",
    "OpenIdConnect": f"{{OrderCloudApiClientID: {CLIENT}, ConnectClientID: a, ConnectClientSecret: {SECRET}, "
    "AppStartUrl: 'https://a.example.com/{0}', AuthorizationEndpoint: 'https://b.example.com', "
    "TokenEndpoint: 'https://b.example.com/token', AdditionalIdpScopes: [email]}",
    "ImpersonationConfig": f"{{ClientID: {CLIENT}, SecurityProfileID: acting, BuyerID: main}}",
    "AdminUserGroup": "{Name: A, Description: Some, xp: {team: web}}",
    "TrackingEvent": f"{{Name: A, EventType: UserLoggedIn, ClientID: {CLIENT}, DeliveryConfigID: mail}}",
    "Locale": "{Currency: USD, Language: en-US}",
    "SellerApprovalRule": "{Name: A, ApprovalType: OrderReturn, ApprovingGroupID: team, RuleExpression: 'true'}",
    "ProductFacet": "{Name: A, XpPath: colour, ListOrder: 2}",
    "Incrementor": "{Name: A, LastNumber: 7, LeftPaddingCount: 6}",
    "XpIndex": "{Order: [a.b, c], User: [team]}",
    "ProductSync": "{DeliveryConfigID: mail, SyncProductChanged: true, SyncProductDeleted: false, ConfigData: {a: 1}}",
    "EntitySync": "{DeliveryConfigID: mail, SyncEntityChanged: true, SyncEntityDeleted: true}",
    "OrderSync": "{DeliveryConfigID: mail, ConfigData: {a: 1}}",
    "ErrorConfig": "{DeliveryConfigID: mail}",
    "SubscriptionIntegration": f"{{ApiClientID: {CLIENT}, HashKey: {SECRET}, Active: true, NotificationDays: 3, "
    f"CustomAuthHeaderName: x-key, CustomAuthHeaderValue: {SECRET}}}",
    "InventoryIntegration": "{DeliveryConfigID: mail, LimitNotifications: true}",
    "PromotionIntegration": f"{{Url: 'https://a.example.com', HashKey: {SECRET}}}",
}
CHANGED = {
    "Locale": ("en-US", "en-GB"),
    "OpenIdConnect": ("[email]", "[]"),
    "ImpersonationConfig": ("BuyerID: main", "BuyerID: null"),
    "XpIndex": ("c]", "e]"),
    "ProductSync": ("SyncProductDeleted: false", "SyncProductDeleted: true"),
    "EntitySync": ("SyncEntityDeleted: true", "SyncEntityDeleted: false"),
    "OrderSync": ("a: 1", "a: 2"),
    "ErrorConfig": ("mail", "other"),
    "SubscriptionIntegration": ("Days: 3", "Days: 4"),
    "InventoryIntegration": ("LimitNotifications: true", "LimitNotifications: false"),
    "PromotionIntegration": ("a.example", "b.example"),
}
CHOSEN = [name for name, kind in KINDS.items() if kind.id_choice is not IdChoice.SERVICE]
CONTEXT = LoadContext(allowed_secrets=frozenset({"KEY"}), marketplace="emulator")
EXCLUSIVE = replace(CONTEXT, defaults=Policy(FieldsPolicy.EXCLUSIVE))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Shop]:
    client = {"ID": CLIENT, "AppName": "A", "AccessTokenDuration": 60, "Active": True, "AllowAnyBuyer": True}
    client |= {"DefaultContextUserName": "shopper"}
    with shop(tmp_path, client, objects=OBJECTS) as opened:
        opened.secrets["KEY"] = "planted"
        yield opened


def wanted(
    folder: Path, kind: str, spec: str, policy: str = "{}", name: str = "round", assignments: str = ""
) -> DesiredState:
    file = folder / "a.yaml"
    name = "buyers-users" if KINDS[kind].entities else name
    head = f"apiVersion: reconciler/v1\nkind: {kind}\nmetadata: {{name: {name}}}\n"
    tail = f"assignments: {assignments}\n" if assignments else ""
    file.write_text(f"{head}spec: {spec}\npolicy: {policy}\n{tail}")
    return load([file], CONTEXT).desired


@pytest.mark.sample(3)
@pytest.mark.parametrize("kind", CHOSEN)
def test_a_kind_goes_round(kind: str, service: Shop, tmp_path: Path) -> None:
    spec = SPECS[kind]
    first = wanted(tmp_path, kind, spec)
    assert service.converge(first).is_complete
    assert not service.plan(first).has_changes
    second = wanted(tmp_path, kind, spec.replace(*CHANGED.get(kind, ("Name: A", "Name: B"))))
    assert service.plan(second).has_changes
    assert service.converge(second).is_complete
    assert not service.plan(second).has_changes
    _is_exported(kind, service, tmp_path / "exported")
    if not KINDS[kind].row_fields:
        _is_deleted(kind, service, wanted(tmp_path, kind, spec, "{state: absent}"))


def _is_deleted(kind: str, service: Shop, absent: DesiredState) -> None:
    assert service.converge(absent).is_complete
    with service.reader() as reader:
        left = {one["ID"] for one in every_body(reader, KINDS[kind])}
    assert left.isdisjoint({absent.resources[0].id})
    path = "/".join(filter(None, KINDS[kind].place(str(absent.resources[0].id))))
    second = "PATCH" if KINDS[kind].initial_fields else "PUT"
    assert [call.partition("?")[0] for call in service.writes()] == [
        f"PUT /v1{path}",
        f"{second} /v1{path}",
        f"DELETE /v1{path}",
    ]


def _is_exported(kind: str, service: Shop, folder: Path) -> None:
    """What is exported plans to nothing, and shows no secret."""
    with service.reader() as reader:
        live = pipeline.live(reader, NO_LIMITS, [kind])
    export(live, (), CONTEXT, folder, ManifestOrigin("here")).write()
    text = "".join(file.read_text() for file in folder.rglob("*.yaml"))
    assert f"kind: {kind}" in text
    assert "planted" not in text
    assert "  OwnerID: emulator" not in text
    assert not service.plan(load([folder], EXCLUSIVE).desired).has_changes


def test_every_kind_with_chosen_ids_is_tried() -> None:
    assert set(CHOSEN) <= SPECS.keys()


def test_of_a_record_the_members_that_differ_are_shown_each_with_its_direction(service: Shop, tmp_path: Path) -> None:
    spec = "{Name: A, PasswordConfig: {MinimumCharacterCount: 12, AllowedFailedAttempts: 5}}"
    service.converge(wanted(tmp_path, "SecurityProfile", spec))
    changed = spec.replace("12", "10").replace("5", "3")
    plan = service.plan(wanted(tmp_path, "SecurityProfile", changed))
    (change,) = (one for one in plan.changes if one.action is Action.UPDATE)
    assert {(one.pointer, one.direction) for one in change.fields} == {
        ("/PasswordConfig/MinimumCharacterCount", Direction.WIDENS),
        ("/PasswordConfig/AllowedFailedAttempts", Direction.NARROWS),
    }


def test_of_a_record_that_goes_only_members_that_say_something_are_shown(service: Shop, tmp_path: Path) -> None:
    service.converge(wanted(tmp_path, "SecurityProfile", "{Name: A, PasswordConfig: {MinimumCharacterCount: 12}}"))
    plan = service.plan(wanted(tmp_path, "SecurityProfile", "{Name: A, PasswordConfig: null}"))
    (change,) = (one for one in plan.changes if one.action is Action.UPDATE)
    assert [(one.before, one.after) for one in change.fields] == [({"MinimumCharacterCount": 12}, None)]


def test_a_name_that_cannot_be_an_id_needs_one(tmp_path: Path) -> None:
    text = "apiVersion: reconciler/v1\nkind: Locale\nmetadata: {name: en.us%s}\nspec: {Currency: USD}\n"
    (tmp_path / "a.yaml").write_text(text % "")
    with pytest.raises(InputError) as caught:
        load([tmp_path], CONTEXT)
    assert "the name en.us is also the id in OrderCloud" in caught.value.diagnostics[0].message
    (tmp_path / "a.yaml").write_text(text % ", id: en-US")
    assert load([tmp_path], CONTEXT).desired.resources[0].id == "en-US"
