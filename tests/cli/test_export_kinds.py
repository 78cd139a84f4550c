"""Exports of several kinds: which are read, how one object names another, and that nothing is overwritten."""

import json
from pathlib import Path

import pytest

from reconciler.model.json import Json
from tests.cli.conftest import BACK, FRONT, Project, Runner

CHECKOUT = {"ID": "ShopCheckout", "Name": "front", "EventType": "OrderCheckout", "HashKey": "planted-key"} | {
    "CustomImplementationUrl": "https://shop.example/checkout"
}
HOOK = {"ID": "hook", "Name": "Hook", "Url": "https://shop.example/hook", "HashKey": "planted-key"}


@pytest.fixture
def shop(project: Project) -> Project:
    """Two clients, of which one has a checkout; a webhook of both; a profile."""
    project.ask("POST", "/v1/integrationEvents", CHECKOUT)
    project.ask("POST", "/v1/webhooks", HOOK | {"ApiClientIDs": [FRONT, BACK]})
    project.ask("POST", "/v1/securityprofiles", {"ID": "HSBuyer", "Name": "HSBuyer", "Roles": ["Shopper"]})
    project.ask("PATCH", f"/v1/apiclients/{FRONT}", {"OrderCheckoutIntegrationEventID": "ShopCheckout"})
    (project.folder / "manifests" / "front.yaml").unlink()
    project.writes()
    return project


def paths(project: Project) -> list[str]:
    found = project.ask("GET", "/_emulator/requests")["requests"]
    return sorted(one["path"] for one in found if one["method"] == "GET" and one["path"].startswith("/v1/"))


def files(project: Project) -> dict[str, str]:
    folder = project.folder / "manifests"
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.yaml")}


def test_an_export_of_an_empty_repository_reads_api_clients_and_says_how_to_get_the_others(
    shop: Project, run: Runner
) -> None:
    done = run("export", "--write")
    assert "Not read: IntegrationEvent, Webhook, " in done.out
    assert "add --kinds all, or --kinds IntegrationEvent,Webhook" in done.out
    assert {path.split("/")[2] for path in paths(shop)} == {"me", "apiclients"}


def test_right_after_an_export_of_all_kinds_the_plan_is_empty_and_so_is_a_second_export(
    shop: Project, run: Runner
) -> None:
    exported = run("export", "--kinds", "all", "--write")
    assert exported.code == 0
    assert exported.out.count("add a reference, so that the object can be recreated if it is lost") == 1  # the event
    told = exported.out.partition("Nothing live: ")[2]
    assert max(map(len, told.splitlines())) <= 100
    made = files(shop)
    assert {"ApiClient/front.yaml", "IntegrationEvent/front.yaml", "hook.yaml", "hsbuyer.yaml"} < {*made}
    assert "OrderCheckoutIntegrationEventID:\n    ref: front\n" in made["ApiClient/front.yaml"]
    assert "ref: back" in made["hook.yaml"]
    assert FRONT.casefold() not in made["hook.yaml"].casefold()
    assert "planted-key" not in "".join(made.values())
    assert "id: HSBuyer" in made["hsbuyer.yaml"]
    assert "HSBuyer" not in (shop.folder / "reconciler.yaml").read_text()
    assert run("plan", "--detailed-exitcode").code == 0
    assert "Nothing to write." in run("export", "--write").out
    assert files(shop) == made


def test_a_name_that_no_manifest_may_have_keeps_nothing_else_out(shop: Project, run: Runner) -> None:
    config = json.loads((shop.folder / "reconciler.yaml").read_text())
    config["defaults"] = {"policy": {"fields": "exclusive"}}
    (shop.folder / "reconciler.yaml").write_text(json.dumps(config))
    blank = {"Name": "<Redacted. Leave unchanged.>"}
    shop.ask("PATCH", "/v1/securityprofiles/HSBuyer", blank)
    shop.ask("PUT", "/v1/incrementors/orders", blank | {"LastNumber": 7, "LeftPaddingCount": 6})
    done = run("export", "--kinds", "SecurityProfile,Incrementor", "--write")
    assert done.out.count("this is the placeholder") == 2
    made = "".join(files(shop).values())
    assert all(text in made for text in ("Roles: [Shopper]", "LeftPaddingCount: 6", "LastNumber: 7", "buyers: []"))
    assert made.count('ignore: ["/Name"]') == 2
    assert (run("validate").code, run("plan", "--detailed-exitcode").code) == (0, 0)


@pytest.mark.parametrize("known", [{}, {"marketplace": "mine"}])
def test_an_export_of_an_embedded_marketplace_is_in_step_whether_its_id_is_configured_or_not(
    project: Project, run: Runner, known: dict[str, Json]
) -> None:
    rule = {"ID": "returns", "Name": "Returns", "ApprovalType": "OrderReturn", "RuleExpression": "true"}
    seed = {"AdminUserGroups": [{"ID": "team", "Name": "Team"}], "SellerApprovalRules": [rule]}
    seed["SellerApprovalRules"][0]["ApprovingGroupID"] = "team"
    (project.folder / "seed.json").write_text(json.dumps({"Objects": seed}))
    (project.folder / "manifests" / "front.yaml").unlink()
    project.configure(local={"emulator": {"seed": "seed.json"}, **known})
    assert run("export", "--kinds", "SellerApprovalRule", "--write").code == 0
    assert run("plan", "--detailed-exitcode").code == 0


def test_kinds_of_which_nothing_is_live_are_watched_once_they_are_listed(shop: Project, run: Runner) -> None:
    done = run("export", "--kinds", "ApiClient,Locale", "--write")
    listed = "manage: [Locale]"
    assert done.out.endswith(f"add to reconciler.yaml:\n{listed}\n")
    shop.ask("POST", "/v1/locales", {"ID": "en", "Currency": "USD", "Language": "en-US"})
    assert "Locale/en" not in run("drift").out
    text = (shop.folder / "reconciler.yaml").read_text()
    (shop.folder / "reconciler.yaml").write_text(text.replace("{", '{"manage": ["Locale"], ', 1))
    assert "Locale/en" in run("drift").out
    assert listed not in run("export", "--kinds", "ApiClient,Locale").out


def test_a_reference_that_is_live_otherwise_changes_in_place_and_the_others_stay_as_they_are(
    shop: Project, run: Runner
) -> None:
    run("export", "--kinds", "all", "--write")
    shop.ask("PATCH", "/v1/webhooks/hook", {"ApiClientIDs": [BACK]})
    shop.ask("PATCH", f"/v1/apiclients/{BACK}", {"OrderCheckoutIntegrationEventID": "ShopCheckout"})
    assert run("export", "--write").code == 0
    made = files(shop)
    assert ("ref: back" in made["hook.yaml"], "ref: front" in made["hook.yaml"]) == (True, False)
    assert "ref: front" in made["back.yaml"]
    assert run("plan", "--detailed-exitcode").code == 0


def test_drift_of_a_list_of_references_is_written_back(shop: Project, run: Runner) -> None:
    run("export", "--kinds", "all", "--write")
    shop.ask("PATCH", "/v1/webhooks/hook", {"ApiClientIDs": [BACK]})
    assert run("drift", "--write-back", "--write").code == 0
    assert run("plan", "--detailed-exitcode").code == 0


def test_what_gets_no_manifest_is_named_by_its_id(shop: Project, run: Runner) -> None:
    assert run("export", "--kinds", "Webhook", "--write").code == 0
    made = files(shop)
    assert {*made} == {"hook.yaml"}
    assert FRONT.casefold() in made["hook.yaml"].casefold()
    assert run("plan", "--detailed-exitcode").code == 0


def test_no_file_is_overwritten_though_it_has_the_name_of_an_object(shop: Project, run: Runner) -> None:
    folder = shop.folder / "manifests"
    for name in ("hook.yaml", "Webhook/hook.yaml"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("# ours\n")
    assert run("export", "--kinds", "Webhook", "--write").code == 0
    made = files(shop)
    assert (made["hook.yaml"], made["Webhook/hook.yaml"], len(made)) == ("# ours\n", "# ours\n", 3)


def test_a_kind_that_the_service_lacks_is_left_out_of_all_and_an_error_where_a_manifest_has_it(
    shop: Project, run: Runner
) -> None:
    shop.ask("POST", "/_emulator/faults", {"spec": "GET /v1/webhooks status=404 count=all"})
    done = run("export", "--kinds", "all")
    assert done.code == 0
    assert "Webhook: not available on this service: GET /v1/webhooks returns 404" in done.out
    manifest = {"apiVersion": "reconciler/v1", "kind": "Webhook", "metadata": {"name": "hook"}}
    path = Path("manifests") / "hook.yaml"
    path.write_text(json.dumps(manifest | {"spec": {"Name": "Hook"}}))
    refused = run("plan")
    assert refused.code == 1
    assert "manifests/hook.yaml:1:" in refused.err
    assert "this service has no webhooks" in refused.err


def test_a_kind_that_does_not_exist_is_a_usage_error_with_a_suggestion(project: Project, run: Runner) -> None:
    refused = run("export", "--kinds", "Webhok")
    assert refused.code == 64
    assert "Webhook" in refused.err
    assert paths(project) == []


def test_a_plan_of_api_clients_reads_no_other_kind(project: Project, run: Runner) -> None:
    project.writes()
    assert run("plan").code == 0
    assert paths(project) == ["/v1/apiclients", "/v1/me"]


def test_a_kind_to_manage_is_read_and_reported_without_a_manifest(project: Project, run: Runner) -> None:
    project.ask("POST", "/v1/webhooks", HOOK)
    path = project.folder / "reconciler.yaml"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"manage": ["Webhook"]}))
    project.writes()
    assert json.loads(run("plan", "--format", "json").out)["summary"]["unmanaged"] == 3  # with two clients
    assert paths(project) == ["/v1/apiclients", "/v1/me", "/v1/webhooks"]


def test_a_comment_says_what_creating_an_object_from_its_manifest_takes(shop: Project, run: Runner) -> None:
    assert run("export", "--kinds", "all", "--write").code == 0
    text = files(shop)["IntegrationEvent/front.yaml"]
    assert "event ID ShopCheckout" in text
    assert (
        "# Its HashKey is not exported. An existing object keeps it;\n"
        "# to create it from this manifest, add:\n"
        "#   HashKey: {fromEnv: FRONT_HASH_KEY}\n"
    ) in text
    assert "log in" not in text


@pytest.fixture
def staff(shop: Project, run: Runner) -> Project:
    """Two groups of the seller, of which one has a profile, and one no manifest."""
    for name in ("Team", "Night"):
        shop.ask("POST", "/v1/usergroups", {"ID": name, "Name": name})
    shop.ask("POST", "/v1/securityprofiles/assignments", {"SecurityProfileID": "HSBuyer", "UserGroupID": "Team"})
    assert run("export", "--kinds", "all", "--write").code == 0
    return shop


def test_an_assignment_to_an_object_with_a_manifest_is_a_reference(staff: Project, run: Runner) -> None:
    assert "  adminGroups:\n    - ref: team\n" in files(staff)["hsbuyer.yaml"]
    config = staff.folder / "reconciler.yaml"
    watching = {"defaults": {"policy": {"fields": "exclusive", "assignments": "watch"}}}
    config.write_text(json.dumps(json.loads(config.read_text()) | watching))
    drift = run("drift")
    assert (drift.code, "apply keeps them" in drift.out) == (0, False)
    assert run("plan", "--detailed-exitcode").code == 0
    assert "Nothing to write." in run("export", "--write").out


@pytest.mark.sample(1)
@pytest.mark.parametrize("command", [("export", "--write"), ("drift", "--write-back", "--write")])
def test_what_is_assigned_by_now_is_a_reference_too(staff: Project, run: Runner, command: tuple[str, ...]) -> None:
    staff.ask("DELETE", "/v1/securityprofiles/HSBuyer/assignments?userGroupID=Team")
    staff.ask("POST", "/v1/securityprofiles/assignments", {"SecurityProfileID": "HSBuyer", "UserGroupID": "Night"})
    assert run(*command).code == 0
    text = files(staff)["hsbuyer.yaml"]
    assert ("ref: night" in text, "ref: team" in text) == (True, False)
    assert run("plan", "--detailed-exitcode").code == 0


@pytest.mark.sample(1)
@pytest.mark.parametrize("command", [("export", "--write"), ("drift", "--write-back", "--write")])
def test_another_object_that_is_referred_to_by_now_is_named(
    shop: Project, run: Runner, command: tuple[str, ...]
) -> None:
    shop.ask("POST", "/v1/integrationEvents", CHECKOUT | {"ID": "Other", "Name": "other"})
    assert run("export", "--kinds", "all", "--write").code == 0
    shop.ask("PATCH", f"/v1/apiclients/{FRONT}", {"OrderCheckoutIntegrationEventID": "Other"})
    assert run(*command).code == 0
    assert "OrderCheckoutIntegrationEventID:\n    ref: other\n" in files(shop)["ApiClient/front.yaml"]
    assert run("plan", "--detailed-exitcode").code == 0
