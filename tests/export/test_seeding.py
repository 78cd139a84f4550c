"""Files of OrderCloud's own tools, as they are found -> API clients, and a word on everything else."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import InputError
from reconciler.export import ManifestOrigin, export
from reconciler.export.seeding import Seeds, read_seeds
from reconciler.manifests.load import LoadContext, load
from reconciler.model.reports import ExportStatus

ROOT = Path(__file__).parents[2]
EXPORTS = [ROOT / "marketplace.yaml", *sorted(Path(os.environ.get("REAL_EXPORTS", os.devnull)).glob("*.[yj]*"))]
CLIENT = {"ID": "e5a05785", "AppName": "Shop", "AccessTokenDuration": 60}


def seeds(data: Any) -> Seeds:
    return read_seeds(json.dumps(data).encode(), "seed.json")


def told(found: Seeds) -> dict[str, str]:
    return {one.what: one.reason for one in found.left_out}


@pytest.mark.parametrize("export_file", EXPORTS, ids=lambda path: path.name)
def test_a_real_export_becomes_manifests_without_a_fault(export_file: Path, tmp_path: Path) -> None:
    found = read_seeds(export_file.read_bytes(), export_file.name)
    made = export(found.live, (), LoadContext(), tmp_path / "m", ManifestOrigin(export_file.name))
    made.write()
    assert len(list((tmp_path / "m").rglob("*.yaml"))) == load([tmp_path / "m"], LoadContext()).documents
    assert {one.status for one in made.objects} == {ExportStatus.NEW}
    assert "<Redacted" not in "".join(made.new.values())


@pytest.mark.parametrize(
    "data",
    [
        {"Objects": {"ApiClients": [CLIENT]}},
        {"objects": {"apiClients": [{"id": "e5a05785", "appname": "Shop", "accesstokenduration": 60}]}},
        {"ApiClients": [CLIENT]},
        {"Meta": {"Page": 1}, "Items": [CLIENT]},
        [CLIENT],
        CLIENT,
    ],
)
def test_clients_are_found_wherever_a_file_keeps_them(data: Any) -> None:
    (client,) = seeds(data).live.resources
    assert client.body == CLIENT


def test_copies_of_messages_are_rows_of_their_sender() -> None:
    sender = {"ID": "mails", "Name": "Mails", "MessageTypes": ["OrderSubmitted"], "DeliveryConfigID": "hub"}
    about = {"MessageSenderID": "MAILS", "buyerId": "north"}
    row = {"MessageSenderAssignment": about, "MessageType": "OrderSubmitted", "BuyerID": "north"}
    assignments = {
        "MessageSenderAssignments": [{"MessageSenderID": "mails", "BuyerID": "north"}],
        "MessageCCListenerAssignments": [row | {"UserGroupID": "night"}],
    }
    found = seeds({"Objects": {"MessageSenders": [sender]}, "Assignments": assignments})
    (one,) = found.live.resources
    assert one.assignments["ccListeners"] == ("messageType OrderSubmitted forBuyer north buyer north group night",)
    assert (one.assignments["buyers"], found.left_out) == (("north",), [])


@pytest.mark.parametrize("where", ["Assignments", "Objects"])
def test_assignments_are_found_wherever_a_file_keeps_them_in_any_case(where: str) -> None:
    rows = [
        {"ApiClientID": "E5A05785", "BuyerID": "north", "SupplierID": None},
        {"apiClientId": "e5a05785", "supplierId": "Mill"},
        {"ApiClientID": "e5a05785"},
        {"ApiClientID": "GONE", "BuyerID": "north"},
        "x",
    ]
    data: dict[str, Any] = {"Objects": {"ApiClients": [CLIENT]}, "Assignments": {}}
    data[where]["ApiClientAssignments"] = rows
    found = seeds(data)
    (client,) = found.live.resources
    assert client.assignments == {"buyers": ("north",), "suppliers": ("Mill",)}
    nobody = "it has no API client ID, or no party that can be assigned"
    assert told(found)["ApiClientAssignments[2]"] == told(found)["ApiClientAssignments[4]"] == nobody
    assert told(found)["assignments of gone"] == "there is no such API client in this file"


def test_what_cannot_be_used_is_told_and_the_rest_is_taken() -> None:
    odd = {
        "AppName": "Odd",
        "Active": "yes",
        "AllowAnySeller": True,
        "Later": None,
        "ClientSecret": "planted",
        "xp": None,
    }
    found = seeds(
        {"Objects": {"ApiClients": [odd, "x", CLIENT, CLIENT | {"ID": "E5A05785"}], "Buyers": [{}], "Locales": []}}
    )
    assert told(found) == {
        "ApiClients[0] AllowAnySeller": "the API has no such field; did you mean AllowSeller?",
        "ApiClients[0] Odd Active": "Input should be a valid boolean",
        "ApiClients[1]": "it is not a mapping",
        "ApiClients[3]": "it has the ID of ApiClients[2]",
        "Buyers (1 entry)": "business data or unmanaged kinds",
    }
    first = found.live.resources[0]
    assert (first.id, dict(first.body)) == ("entry-0", {"AppName": "Odd", "xp": None})
    assert "planted" not in repr(found)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"ApiClients": [{"AppName": "Shop",\n "Active": true, "Active": false}]}', "seed.json:2:18"),
        ('{"Objects": {"ApiClients": []},\n "Objects": {}}', "seed.json:2:2"),
        ('{"ApiClients": [{"AppName": "\\ud83d\\ude00", "AppName": "Shop"}]}', "seed.json"),
    ],
)
def test_json_that_has_a_key_twice_is_refused_as_yaml_is(text: str, place: str) -> None:
    with pytest.raises(InputError) as caught:
        read_seeds(text.encode(), "seed.json")
    (fault,) = caught.value.diagnostics
    assert (str(fault.place), fault.rule) == (place, "duplicate-key")


def test_a_field_that_is_there_in_two_cases_is_taken_once_and_the_other_one_is_told() -> None:
    rows = [{"ApiClientID": "e5a05785", "BuyerID": "north", "buyerid": "south"}]
    found = seeds({"ApiClients": [{**CLIENT, "appname": "Other"}], "ApiClientAssignments": rows})
    (client,) = found.live.resources
    assert (client.body, client.assignments["buyers"]) == (CLIENT, ("north",))
    assert told(found) == {
        "ApiClients[0] appname": "duplicate of AppName",
        "ApiClientAssignments[0] buyerid": "duplicate of BuyerID",
    }


def test_an_assignment_that_is_there_twice_is_one() -> None:
    rows = [{"ApiClientID": "e5a05785", "BuyerID": one} for one in ("north", "south", "NORTH", "south")]
    found = seeds({"ApiClients": [CLIENT], "ApiClientAssignments": rows})
    assert (found.live.resources[0].assignments["buyers"], found.left_out) == (("north", "south"), [])


def test_indices_of_one_type_are_one_set_whatever_the_case_of_its_name() -> None:
    rows = [{"ThingType": one, "Key": key} for one, key in (("Order", "a"), ("order", "b"), ("Order", ""))]
    found = seeds({"XpIndices": rows})
    assert found.live.resources[0].body["Order"] == ["a", "b"]
    assert told(found) == {"XpIndices[2]": "it has no ThingType or no Key"}


@pytest.mark.parametrize("objects", [{}, {"SecurityProfiles": []}])
def test_assignments_of_a_kind_that_the_file_has_no_object_of_are_told(objects: dict[str, Any]) -> None:
    rows = [{"SecurityProfileID": "acting", "BuyerID": "north"}]
    found = seeds({"ApiClients": [CLIENT], **objects, "SecurityProfileAssignments": rows})
    assert told(found) == {"assignments of acting": "there is no such security profile in this file"}


@pytest.mark.parametrize("odd", [CLIENT, {"shop": CLIENT}, "Shop", 5])
def test_a_section_that_is_not_a_list_is_told(odd: object) -> None:
    event = {"ID": "checkout", "Name": "Checkout"}
    found = seeds({"Objects": {"ApiClients": odd, "IntegrationEvents": [event]}})
    assert told(found) == {"ApiClients": "it is not a list"}


def test_what_a_marketplace_has_once_is_taken_from_a_list_too() -> None:
    sync = {"DeliveryConfigID": "search", "SyncProductChanged": True, "SyncProductDeleted": True}
    found = seeds({"ProductSync": [sync, sync | {"DeliveryConfigID": "other"}, "x"]})
    assert [one.body["DeliveryConfigID"] for one in found.live.resources] == ["search"]
    assert told(found) == {"ProductSync[1]": "it has the ID of ProductSync[0]", "ProductSync[2]": "it is not a mapping"}


def test_an_id_that_two_documents_of_a_file_have_is_taken_once() -> None:
    text = "\n---\n".join(json.dumps({"ApiClients": [{**CLIENT, "AppName": name}]}) for name in ("Shop", "Other"))
    found = read_seeds(text.encode(), "seed.yaml")
    assert [one.body["AppName"] for one in found.live.resources] == ["Shop"]
    assert told(found) == {"ApiClients[0]": "it has the ID of an earlier one"}


PARTIES: dict[str, Any] = {
    "Buyers": [{"ID": "north"}, {"ID": "south"}],
    "Suppliers": [{"ID": "mill"}],
    "Users": [{"ID": "ann", "BuyerID": "north"}],
    "UserGroups": [{"ID": "buyers", "BuyerID": "north"}, {"ID": "others", "BuyerID": "south"}],
    "SupplierUserGroups": [{"ID": "packers", "SupplierID": "mill"}],
    "AdminUserGroups": [{"ID": "staff", "Name": "Staff"}],
    "SecurityProfiles": [{"ID": "acting", "Name": "Acting"}],
}
RULE = {"ApprovalType": "OrderReturn", "RuleExpression": "true"}


@pytest.mark.parametrize(
    ("section", "rows", "faults"),
    [
        (
            "SecurityProfileAssignments",
            [
                {"SecurityProfileID": "acting", "userGroupId": "STAFF"},
                {"SecurityProfileID": "acting", "UserGroupID": "buyers"},
                {"SecurityProfileID": "acting", "BuyerID": "north", "UserID": "ann"},
                {"SecurityProfileID": "acting", "BuyerID": "north", "UserGroupID": "others"},
                {"SecurityProfileID": "acting", "BuyerID": "east", "UserID": "ann"},
                {"SecurityProfileID": "acting", "UserID": "of-a-section-that-the-file-lacks"},
            ],
            {
                1: "there is no admin user group buyers in this file",
                3: "there is no buyer's user group others in this file",
                4: "there is no buyer east in this file; there is no buyer's user ann in this file",
            },
        ),
        (
            "SellerApprovalRules",
            [
                RULE | {"OwnerID": "<MarketplaceID placeholder>", "ApprovingGroupID": "staff"},
                RULE | {"OwnerID": "<MarketplaceID placeholder>", "ApprovingGroupID": "packers"},
                RULE | {"OwnerID": "mill", "ApprovingGroupID": "packers"},
                RULE | {"OwnerID": "mill", "ApprovingGroupID": "staff"},
            ],
            {
                1: "ApprovingGroupID: there is no admin user group packers in this file",
                3: "ApprovingGroupID: there is no supplier's user group staff in this file",
            },
        ),
        (
            "ImpersonationConfigs",
            [
                {"ClientID": "elsewhere", "SecurityProfileID": "acting", "ImpersonationGroupID": "buyers"},
                {"ClientID": "elsewhere", "SecurityProfileID": "acting", "ImpersonationGroupID": "staff"},
                {"ClientID": "elsewhere", "SecurityProfileID": "gone", "BuyerID": "south", "GroupID": "buyers"},
            ],
            {
                0: "ImpersonationGroupID: there is no admin user group buyers in this file",
                2: "GroupID: there is no buyer's user group buyers in this file; "
                "SecurityProfileID: there is no security profile gone in this file",
            },
        ),
    ],
)
def test_a_row_that_names_what_its_section_lacks_is_left_out(
    section: str, rows: list[dict[str, Any]], faults: dict[int, str]
) -> None:
    found = seeds({"Objects": PARTIES | {section: rows}})
    wrong = {f"{section}[{index}]": reason for index, reason in faults.items()}
    assert {what: reason for what, reason in told(found).items() if what.startswith(section)} == wrong
    of_rows = [one for one in found.live.resources if f"{one.kind}s" == section]
    taken = sum(len(ids) for one in found.live.resources for ids in one.assignments.values()) + len(of_rows)
    assert taken == len(rows) - len(faults)


def test_a_client_whose_event_is_of_another_type_is_left_out() -> None:
    events = [{"ID": "returns", "Name": "Returns", "EventType": "OrderReturn"}, {"ID": "any", "Name": "Any"}]
    clients = [CLIENT | {"ID": name, "OrderCheckoutIntegrationEventID": name} for name in ("returns", "any")]
    found = seeds({"Objects": {"IntegrationEvents": events, "ApiClients": clients}})
    assert told(found) == {
        "ApiClients[0]": "OrderCheckoutIntegrationEventID: the integration event returns has EventType OrderReturn, "
        "but OrderCheckout is required"
    }


def test_many_other_sections_are_counted() -> None:
    others: dict[str, Any] = {name: [{}] * (number + 1) for number, name in enumerate("ABCDE")}
    assert [*told(seeds({"Objects": {"ApiClients": [CLIENT]} | others}))] == [
        "E (5 entries), D (4 entries), C (3 entries) and 2 more sections (3 entries)"
    ]
    assert "and 1 more section (2 entries)" in next(
        iter(
            told(
                seeds({"Objects": {"ApiClients": [CLIENT], "B": [{}] * 2, "C": [{}] * 3, "D": [{}] * 4, "E": [{}] * 5}})
            )
        )
    )


def test_every_kind_that_is_managed_is_taken_and_names_the_others_by_their_manifests(tmp_path: Path) -> None:
    event = {"ID": "ShopCheckout", "Name": "Checkout", "EventType": "OrderCheckout", "HashKey": "<Redacted.>"}
    found = seeds(
        {
            "Objects": {
                "ApiClients": [CLIENT | {"ID": "shop", "OrderCheckoutIntegrationEventID": "shopcheckout"}],
                "IntegrationEvents": [event | {"CustomImplementationUrl": "https://shop.example/checkout"}],
                "Webhooks": [{"Name": "Hook", "Url": "https://shop.example", "ApiClientIDs": ["SHOP", "elsewhere"]}],
                "SellerApprovalRules": [
                    {"ID": "returns", "Name": "Returns", "OwnerID": "<MarketplaceID placeholder>"}
                    | {"ApprovalType": "OrderReturn", "ApprovingGroupID": "team", "RuleExpression": "true"}
                ],
                "Products": [{"ID": "p"}],
            }
        }
    )
    assert "business data" in told(found)["Products (1 entry)"]
    made = export(found.live, (), LoadContext(), tmp_path, ManifestOrigin("seed.json"))
    made.write()
    texts = {path.name: text for path, text in made.new.items()}
    assert set(texts) == {"shop.yaml", "checkout.yaml", "hook.yaml", "returns.yaml"}
    assert "OrderCheckoutIntegrationEventID:\n    ref: checkout\n" in texts["shop.yaml"]
    assert "ref: shop" in texts["hook.yaml"]
    assert "elsewhere" in texts["hook.yaml"]
    assert "  id: ShopCheckout" in texts["checkout.yaml"]
    assert "  id:" not in texts["hook.yaml"]
    assert "Redacted" not in "".join(texts.values())
    assert 'OwnerID: "${marketplace}"' in texts["returns.yaml"]
    assert load([tmp_path], LoadContext(marketplace="shop")).documents == len(texts)


def test_two_clients_of_one_name_without_ids_are_not_guessed_at(tmp_path: Path) -> None:
    found = seeds([{"AppName": "Shop"}, {"AppName": "Shop"}])
    made = export(found.live, (), LoadContext(), tmp_path, ManifestOrigin("seed.json"))
    assert [one.status for one in made.objects] == [ExportStatus.LEFT, ExportStatus.LEFT]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"kind: Config\n", "this file has no objects that can be managed"),
        (b"Objects: {Buyers: [{ID: x}]}\n", "this file has no objects that can be managed"),
        (b"", "this file has no objects that can be managed"),
        (b"a: [\n", "a '[' or '{' above is not closed"),
        (b"\xff\xfe\x00", "UTF"),
    ],
)
def test_another_file_is_refused_with_what_it_lacks(content: bytes, message: str) -> None:
    with pytest.raises(InputError) as error:
        read_seeds(content, "x.yaml")
    assert message in error.value.diagnostics[0].message


@pytest.mark.sweep
def test_an_export_that_is_larger_than_any_manifest_is_read() -> None:
    products = "\n".join(f"    - {{ID: product-{number}, Name: Product {number}}}" for number in range(30_000))
    text = f"Objects:\n  Products:\n{products}\n  ApiClients:\n    - {{AppName: Shop, AccessTokenDuration: 60}}\n"
    assert len(text) > 1 << 20
    assert len(read_seeds(text.encode(), "big.yaml").live.resources) == 1
