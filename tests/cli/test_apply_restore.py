"""What OrderCloud's restore takes from staging on Sundays, and what one apply puts back, within the usual limits."""

import json
from typing import Any

import pytest

from reconciler.export.init import Answers, files
from reconciler.kinds import KINDS
from reconciler.kinds.references import wave
from tests.cli.conftest import BACK, FRONT, Project, Run, Runner

PROFILES = [{"ID": f"Shop{number}", "Name": f"Shop{number}", "CustomRoles": [f"Shop{number}"]} for number in range(28)]
EVENTS = [
    {"ID": f"Shop{type_}", "Name": type_, "EventType": type_, "HashKey": "k", "ElevatedRoles": ["OrderAdmin"]}
    | {"CustomImplementationUrl": f"https://shop.example/{type_}"}
    for type_ in ("OrderCheckout", "OrderReturn", "AddToCart")
]
REFERENCES = {f"{one['EventType']}IntegrationEventID": one["ID"] for one in EVENTS}
HOOK = {"ID": "validate", "Name": "Validate", "Url": "https://shop.example/hook", "HashKey": "k"}
HUB = {"ID": "hub", "Name": "Hub", "DeliveryTargets": {"Http": {"Endpoint": "https://shop.example", "Secret": "s"}}}
SENDERS = [
    {"ID": name, "Name": name, "MessageTypes": ["OrderSubmitted"], "DeliveryConfigID": "hub"}
    for name in ("SellerEmails", "BuyerEmails")
]
ASSIGNED = [
    *({"SecurityProfileID": f"Shop{number}"} for number in range(6)),
    *({"SecurityProfileID": f"Shop{number}", "BuyerID": "north"} for number in range(6)),
    *({"SecurityProfileID": f"Shop{number}", "UserGroupID": "staff"} for number in range(6)),
]
MAILED = [{"MessageSenderID": "SellerEmails"}, {"MessageSenderID": "BuyerEmails", "BuyerID": "north"}]
SENDER = {"MessageSenderID": "BuyerEmails", "BuyerID": "north"}
COPIED = [{"MessageSenderAssignment": SENDER, "MessageType": "OrderSubmitted", "BuyerID": "north"}]
SEEDED: list[tuple[str, list[dict[str, Any]]]] = [
    ("buyers", [{"ID": "north", "Name": "North", "Active": True}]),
    ("usergroups", [{"ID": "staff", "Name": "Staff"}]),
    ("integrations/deliveryconfig", [HUB]),
    ("integrationEvents", EVENTS),
    ("securityprofiles", PROFILES),
    ("messagesenders", SENDERS),
    ("securityprofiles/assignments", ASSIGNED),
    ("messagesenders/assignments", MAILED),
    ("messagesenders/CCListenerAssignments", COPIED),
]
BOTH = "?events=removed&webhookUrl=null"
READINGS = (
    "",
    *(pytest.param(one, marks=pytest.mark.sweep) for one in (BOTH, "?events=removed", "?webhookUrl=null")),
)
PATHS = ("/v1/webhooks", "/v1/apiclients", *(f"/v1/{path}" for path, _ in SEEDED))
LOST = ("IntegrationEvent", "MessageSender", "ApiClient", "Webhook")


@pytest.fixture
def staging(project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A whole marketplace with the manifests that an export makes of it and the limits that `init` writes."""
    for path, bodies in SEEDED:
        for body in bodies:
            project.ask("POST", f"/v1/{path}", body)
    for client in (FRONT, BACK):
        project.ask("PATCH", f"/v1/apiclients/{client}", REFERENCES)
    project.ask("POST", "/v1/webhooks", HOOK | {"ApiClientIDs": [BACK, FRONT]})
    (project.folder / "manifests" / "front.yaml").unlink()
    limit(project, changes=3, widens=0, deletes=0, restore=True)
    assert run("export", "--kinds", "all", "--write").code == 0
    monkeypatch.setenv("HASH_KEY", "k")
    for file in project.folder.glob("manifests/*.yaml"):
        text = file.read_text()
        if "kind: IntegrationEvent" in text:
            file.write_text(text.replace("\nspec:\n", "\nspec:\n  HashKey: {fromEnv: HASH_KEY}\n"))
    assert run("plan", "--detailed-exitcode").code == 0
    return project


def limit(project: Project, **limits: Any) -> None:
    path = project.folder / "reconciler.yaml"
    config = json.loads(path.read_text()) if path.read_text().startswith("{") else None
    assert config
    config["environments"]["test"] |= {"limits": limits, "secrets": {"allow": ["HASH_KEY"]}}
    path.write_text(json.dumps(config))


def bodies(project: Project) -> dict[str, list[str]]:
    """All objects, less what is in another case or order each time."""
    found = {path: project.ask("GET", f"{path}?pageSize=100")["Items"] for path in PATHS}
    return {path: sorted(json.dumps(one, sort_keys=True).casefold() for one in items) for path, items in found.items()}


def written(project: Project) -> list[str]:
    """The kinds in the order in which objects and assignments of them were written."""
    found = project.ask("GET", "/_emulator/requests")["requests"]
    writes = [one["path"] for one in found if one["method"] in {"PUT", "PATCH", "POST"}]
    paths = {kind: f"/v1{KINDS[kind].path}/".casefold() for kind in LOST}
    return [kind for path in writes for kind, start in paths.items() if path.casefold().startswith(start)]


def drift(run: Runner) -> tuple[Run, set[tuple[str, str]]]:
    done = run("drift", "--format", "json")
    found = {(one["kind"], one["address"].partition("/")[0]) for one in json.loads(done.out)["deviations"]}
    return done, {one for one in found if one[0] != "unmanaged"}


@pytest.mark.parametrize("reading", READINGS)
def test_one_apply_puts_back_all_that_the_restore_took(staging: Project, run: Runner, reading: str) -> None:
    before = bodies(staging)
    staging.ask("POST", f"/_emulator/staging-restore{reading}")
    found, kinds = drift(run)
    assert (found.code, kinds) == (2, {("restored", kind) for kind in LOST})
    assert "8 removed by OrderCloud's staging restore" in run("drift").out
    staging.ask("DELETE", "/_emulator/requests")
    assert run("apply", "--auto-approve").code == 0
    waves = [wave(kind) for kind in written(staging)]
    assert (waves, set(written(staging))) == (sorted(waves), set(LOST))
    assert bodies(staging) == before
    assert run("plan", "--detailed-exitcode").code == 0


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("reading", "refused"), [("", "PUT /v1/integrationEvents/ShopAddToCart"), (BOTH, "PUT /v1/apiclients/*")]
)
def test_what_an_apply_has_left_of_the_restore_is_put_back_by_the_next_one(
    staging: Project, run: Runner, reading: str, refused: str
) -> None:
    before = bodies(staging)
    staging.ask("POST", f"/_emulator/staging-restore{reading}")
    staging.ask("POST", "/_emulator/faults", {"spec": f"{refused} status=500 count=all"})
    assert run("apply", "--auto-approve").code == 5
    staging.ask("DELETE", "/_emulator/faults")
    assert {kind for kind, _ in drift(run)[1]} == {"restored"}
    assert run("apply", "--auto-approve").code == 0
    assert bodies(staging) == before


@pytest.mark.sweep
def test_drift_names_what_apply_will_need_and_apply_writes_nothing_without_it(staging: Project, run: Runner) -> None:
    for file in staging.folder.glob("manifests/*.yaml"):
        file.write_text(file.read_text().replace("  HashKey: {fromEnv: HASH_KEY}\n", ""))
    staging.ask("POST", "/_emulator/staging-restore?events=removed")
    found = run("drift")
    assert (found.code, run("plan").code) == (2, 3)
    assert "8 removed by OrderCloud's staging restore" in found.out
    assert found.out.count("cannot be created without HashKey") == 3
    staging.ask("DELETE", "/_emulator/requests")
    assert (run("apply", "--auto-approve").code, written(staging)) == (3, [])


@pytest.mark.sweep
def test_without_the_key_the_limits_hold_as_ever(staging: Project, run: Runner) -> None:
    text = (staging.folder / "reconciler.yaml").read_text()
    (staging.folder / "reconciler.yaml").write_text(text.replace('"restore": true', '"restore": false'))
    staging.ask("POST", "/_emulator/staging-restore")
    refused = run("apply", "--auto-approve")
    assert refused.code == 3
    assert "limits.changes allows 3" in refused.err


@pytest.mark.sweep
def test_what_the_restore_does_not_do_counts_beside_it(staging: Project, run: Runner) -> None:
    staging.ask("POST", "/_emulator/staging-restore")
    for number in range(4):
        staging.ask("PATCH", f"/v1/securityprofiles/Shop{number}", {"CustomRoles": []})
    refused = run("apply", "--auto-approve")
    assert refused.code == 3
    assert "4 resources would change; limits.changes allows 3" in refused.err


@pytest.mark.sweep
def test_a_reference_that_somebody_removed_from_one_client_is_no_restore(staging: Project, run: Runner) -> None:
    staging.ask("PATCH", f"/v1/apiclients/{FRONT}", {"OrderCheckoutIntegrationEventID": None})
    staging.ask("PATCH", "/v1/webhooks/validate", {"ApiClientIDs": [FRONT]})
    assert drift(run)[1] == {("changed", "ApiClient"), ("changed", "Webhook")}


@pytest.mark.sweep
def test_what_the_restore_took_is_not_written_back_to_the_manifests(staging: Project, run: Runner) -> None:
    staging.ask("POST", "/_emulator/staging-restore")
    refused = run("drift", "--write-back", "--write")
    assert refused.code == 1
    assert "OrderCloud's restore of staging removed it" in refused.err


def test_the_key_is_refused_for_another_stage(project: Project, run: Runner) -> None:
    config: dict[str, Any] = {"region": "us-west", "stage": "production", "marketplace": "m"}
    project.configure(
        test=config | {"limits": {"restore": True}, "auth": {"clientId": "c", "clientSecret": {"fromEnv": "OC_SECRET"}}}
    )
    refused = run("plan")
    assert refused.code == 1
    assert "restore requires stage staging, but the stage is production" in refused.err


@pytest.mark.parametrize(
    ("name", "where", "has_it"),
    [
        ("here", {"region": "us-west", "stage": "staging"}, True),
        ("here", {"url": "https://useast-staging.ordercloud.io"}, True),
        ("here", {"url": "http://127.0.0.1:8080"}, False),
        ("here", {"region": "us-west", "stage": "production"}, False),
        ("staging", {"url": "http://127.0.0.1:8080"}, True),
        ("staging", {"region": "us-west", "stage": "production"}, False),
        ("staging", {"url": "https://api.ordercloud.io"}, False),
        ("staging", {"url": "https://API.ordercloud.io/"}, False),
    ],
)
def test_init_writes_the_key_for_staging_alone(name: str, where: dict[str, Any], has_it: bool) -> None:
    assert ("restore: true" in files(Answers(name, "shop", **where))["reconciler.yaml"]) is has_it
