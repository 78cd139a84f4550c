"""After `init` and `export --write`: whatever somebody changes in the portal is drift, and apply takes nothing away."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from reconciler.emulator import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET, Emulator, Settings
from reconciler.kinds import KINDS
from reconciler.kinds.api_client import API_CLIENT
from reconciler.model.json import Json
from tests.cli.conftest import BACK, FRONT, Project, Run, Runner, Switchboard

EVENT: Final = {"CustomImplementationUrl": "https://shop.example/", "HashKey": "k", "ElevatedRoles": []}
EVENT_TYPES: Final = ("OrderCheckout", "OrderReturn", "AddToCart")
SEED: Final[Any] = {
    "Objects": {
        "ApiClients": [
            {"ID": FRONT, "AppName": "front", "Active": True, "AccessTokenDuration": 600, "AllowAnySupplier": False},
            {"ID": BACK, "AppName": "back", "Active": True, "AccessTokenDuration": 600, "AllowSeller": True},
        ],
        "Buyers": [{"ID": one, "Name": one, "Active": True} for one in ("north", "south")],
        "Suppliers": [{"ID": "mill", "Name": "mill", "Active": True}],
        "Users": [
            {"ID": "u1", "Username": "guest", "BuyerID": "north", "FirstName": "G", "LastName": "U", "Active": True}
            | {"Email": "g@shop.example"}
        ],
        "IntegrationEvents": [{"ID": one, "Name": one, "EventType": one, **EVENT} for one in EVENT_TYPES],
    },
    "Assignments": {"ApiClientAssignments": [{"ApiClientID": FRONT, "BuyerID": "north"}]},
}
ELSEWHERE: Final[dict[str, Json]] = {
    "AppName": "renamed",
    "Active": False,
    "AccessTokenDuration": 60,
    "RefreshTokenDuration": 5,
    "AnonymousTokenDuration": 20_000,
    "DefaultContextUserName": "guest",
    "AllowAnyBuyer": True,
    "AllowAnySupplier": True,
    "AllowSeller": True,
    "IsAnonBuyer": True,
    **{f"{one}IntegrationEventID": one for one in EVENT_TYPES},
    "MinimumRequiredRoles": ["Shopper"],
    "MinimumRequiredCustomRoles": ["Ours"],
    "MaximumGrantedRoles": ["Shopper"],
    "MaximumGrantedCustomRoles": ["Ours"],
    "xp": {"a": 1},
}
"""A value for each writable field that is neither the client's nor the API's default."""
BESIDES: Final[dict[str, dict[str, Json]]] = {"IsAnonBuyer": {"DefaultContextUserName": "guest"}}
"""What the API demands together with it."""


@pytest.fixture
def emptied(
    tmp_path: Path, served: tuple[Switchboard, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Project, str]]:
    """A marketplace, its base URL, and an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OC_CLIENT_ID", ADMIN_CLIENT_ID)
    monkeypatch.setenv("OC_CLIENT_SECRET", ADMIN_CLIENT_SECRET)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))  # see the fixture `project`
    seed = tmp_path / "seed.json"
    seed.write_text(json.dumps(SEED), encoding="utf-8")
    server, url = served
    with closing(Emulator(Settings(seed=seed))) as emulator:
        server.emulator = emulator
        yield Project(tmp_path, emulator), url


@pytest.fixture
def watched(emptied: tuple[Project, str], run: Runner) -> Project:
    """The same after `init` and `export --write`."""
    project, url = emptied
    assert run("init", "--url", url, "--marketplace", "emulator", "--env", "test").code == 0
    assert run("export", "--write").code == 0
    return project


def patch(project: Project, **fields: Json) -> None:
    """Change a client as somebody in the portal would."""
    answer = project.ask("PATCH", f"/v1/apiclients/{FRONT}", fields)
    assert {name: folded(answer[name]) for name in fields} == {name: folded(fields[name]) for name in fields}, answer


def folded(value: Json) -> Json:
    """The service answers ids in any case."""
    return value.casefold() if isinstance(value, str) else value


def in_manifest(run: Runner) -> Run:
    """What drift says right after onboarding; nothing is wrong."""
    done = run("drift")
    assert (done.code, run("plan", "--detailed-exitcode").code) == (0, 0), done.out
    return done


def test_right_after_onboarding_nothing_is_drift(watched: Project, run: Runner) -> None:
    in_manifest(run)
    assert "buyers: [north]\n  suppliers: []\n" in Path("manifests/front.yaml").read_text(encoding="utf-8")


@pytest.mark.sample(3)
@pytest.mark.parametrize("name", KINDS["ApiClient"].fields)
def test_whatever_field_somebody_sets_in_the_portal_is_drift(watched: Project, run: Runner, name: str) -> None:
    patch(watched, **BESIDES.get(name, {}), **{name: ELSEWHERE[name]})
    assert run("drift").code == 2


@pytest.mark.sample(4)
@pytest.mark.parametrize("name", KINDS["ApiClient"].fields)
def test_it_is_named_and_apply_takes_it_back(watched: Project, run: Runner, name: str) -> None:
    assert run("adopt", "--write").code == 0  # else a renamed client is another one
    patch(watched, **BESIDES.get(name, {}), **{name: ELSEWHERE[name]})
    found = json.loads(run("drift", "--format", "json").out)["deviations"]
    assert name in {one["pointer"].split("/")[1] for one in found if one["kind"] == "changed"}
    assert run("apply", "--auto-approve", "--ack", acknowledgement(run)).code in {0, 6}
    assert run("drift").code == 0


def acknowledgement(run: Runner) -> str:
    return str(json.loads(run("plan", "--format", "json").out)["changes_digest"])[:12]


def test_a_value_for_each_field_of_the_table_is_known_here() -> None:
    assert ELSEWHERE.keys() == API_CLIENT.fields.keys()


def test_an_assignment_that_an_application_added_is_drift_and_never_deleted(watched: Project, run: Runner) -> None:
    watched.ask("POST", "/v1/apiclients/assignments", {"ApiClientID": FRONT, "BuyerID": "south"})
    watched.ask("POST", "/v1/apiclients/assignments", {"ApiClientID": BACK, "SupplierID": "mill"})
    done = run("drift")
    assert done.code == 2
    assert "surplus south" in done.out
    assert "surplus mill" in done.out
    assert "0 missing, 2 differ, 0 surplus; 0 in step, 1 unmanaged." in done.out
    kept = run("apply", "--auto-approve")
    assert (kept.code, watched.writes()) == (0, ["POST", "POST"])
    assert "ApiClient/front has assignments that its manifest does not name, and apply keeps them (buyers: south)" in (
        run("plan").out
    )


def test_what_somebody_took_away_is_drift_and_assigned_again_beside_what_was_added(
    watched: Project, run: Runner
) -> None:
    watched.ask("POST", "/v1/apiclients/assignments", {"ApiClientID": FRONT, "BuyerID": "south"})
    watched.ask("DELETE", f"/v1/buyers/north/ApiClients/Assignments/{FRONT}")
    done = run("drift")
    assert done.code == 2
    assert "missing north" in done.out
    assert "surplus south" in done.out
    watched.writes()
    assert run("apply", "--auto-approve").code == 0
    assert watched.writes() == ["POST"]


def test_the_receipt_knows_which_assignments_were_there_after_the_apply(watched: Project, run: Runner) -> None:
    watched.ask("POST", "/v1/apiclients/assignments", {"ApiClientID": FRONT, "BuyerID": "south"})
    patch(watched, AllowSeller=True)
    assert run("apply", "--auto-approve").code == 0
    assert run("drift", "--since-receipt").code == 0
    watched.ask("POST", "/v1/apiclients/assignments", {"ApiClientID": FRONT, "SupplierID": "mill"})
    since = run("drift", "--since-receipt")
    assert (since.code, "surplus mill" in since.out, "surplus south" in since.out) == (2, True, False)


def test_exact_assignments_are_deleted_and_count_as_deletions(watched: Project, run: Runner) -> None:
    manifest = Path("manifests/front.yaml")
    manifest.write_text(manifest.read_text(encoding="utf-8") + "policy: {assignments: exact}\n", encoding="utf-8")
    watched.ask("POST", "/v1/apiclients/assignments", {"ApiClientID": FRONT, "BuyerID": "south"})
    refused = run("apply", "--auto-approve")
    assert refused.code == 3
    assert "1 assignment would be deleted; limits.deletes allows 0" in refused.out + refused.err
    assert run("apply", "--auto-approve", "--ack", acknowledgement(run)).code == 0
    assert run("drift").code == 0


def test_assignments_that_an_apply_makes_are_not_left_by_it(watched: Project, run: Runner) -> None:
    watched.ask("POST", "/v1/apiclients/assignments", {"ApiClientID": FRONT, "BuyerID": "south"})

    def left() -> list[tuple[str, bool]]:
        found = json.loads(run("drift", "--format", "json").out)["deviations"]
        return [(one["pointer"], one["left_by_apply"]) for one in found if one["kind"] == "changed"]

    assert left() == [("/assignments/buyers", True)]
    watched.ask("DELETE", f"/v1/buyers/north/ApiClients/Assignments/{FRONT}")
    assert left() == [("/assignments/buyers", False)]


def test_a_client_that_somebody_creates_is_drift(watched: Project, run: Runner) -> None:
    watched.ask("POST", "/v1/apiclients", {"AppName": "new", "AccessTokenDuration": 60})
    assert run("drift").code == 2
    assert run("plan", "--detailed-exitcode").code == 0
    assert run("drift", "manifests/front.yaml").code == 0


def test_a_client_that_somebody_deletes_is_drift(watched: Project, run: Runner) -> None:
    watched.ask("DELETE", f"/v1/apiclients/{FRONT}")
    done = run("drift")
    assert (done.code, "missing ApiClient/front" in done.out) == (2, True)


def test_an_environment_can_only_report_what_is_in_no_manifest(watched: Project, run: Runner) -> None:
    file = Path("reconciler.yaml")
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("    limits:", "    drift: {unmanaged: report}\n    limits:"), encoding="utf-8")
    watched.ask("POST", "/v1/apiclients", {"AppName": "new", "AccessTokenDuration": 60})
    assert run("drift").code == 0


def test_unowned_fields_that_are_wider_than_the_default_are_a_notice_with_the_line_to_add(
    project: Project, run: Runner
) -> None:
    project.ask("PATCH", f"/v1/apiclients/{FRONT}", {"AllowSeller": True, "MinimumRequiredRoles": ["Shopper"]})
    notice = (
        "ApiClient/front: wider than the API's default and not in the manifest, so not watched; to watch it, "
        "add to spec: Active: true, AllowSeller: true"
    )
    for command in ("plan", "drift"):
        done = run(command)
        assert (done.code, f"Notices:\n    {notice}\n" in done.out) == (0, True)
        assert [one["message"] for one in json.loads(run(command, "--format", "json").out)["notices"]] == [notice]
        for name in ("markdown", "html", "github", "jsonl"):
            assert "Active: true, AllowSeller: true" in run(command, "--format", name).out
    strict = run("drift", "--strict")
    assert strict.code == 2
    assert "AllowSeller  live true, desired false  (not changed by apply)  [wider than desired]" in strict.out
    assert "Notices" not in strict.out


def test_what_rules_say_is_shown_where_manifests_are_judged_alone(project: Project, run: Runner) -> None:
    project.manifest("front", AccessTokenDuration=600, RefreshTokenDuration=300)
    (project.folder / "manifests" / "empty.yaml").touch()
    shown = {name: run(*name.split()).err for name in ("plan", "apply --dry-run", "drift", "secrets status", "adopt")}
    assert [name for name, text in shown.items() if "[refresh-shorter-than-access]" in text] == [
        "plan",
        "apply --dry-run",
    ]
    assert [name for name, text in shown.items() if "[empty-file]" not in text] == []


def test_what_strict_counts_can_be_written_back(project: Project, run: Runner) -> None:
    manifest = project.folder / "manifests" / "front.yaml"
    manifest.write_text(
        "apiVersion: reconciler/v1\nkind: ApiClient\nmetadata: {name: front}\nspec:\n  AppName: front\n",
        encoding="utf-8",
    )
    assert run("drift", "--strict", "--write-back", "--write").code == 0
    assert "Active: true" in manifest.read_text(encoding="utf-8")
    assert run("drift", "--strict").code == 0


def test_doctor_says_whether_everything_is_watched(watched: Project, run: Runner) -> None:
    assert "ok       drift-coverage" in run("doctor").out
    config = Path("reconciler.yaml")
    config.write_text(
        config.read_text(encoding="utf-8").replace("unmanaged: fail", "unmanaged: report"), encoding="utf-8"
    )
    assert "warning  drift-coverage" in run("doctor").out


def test_a_repository_changes_over_by_an_export_before_the_configuration(project: Project, run: Runner) -> None:
    project.ask("PATCH", f"/v1/apiclients/{FRONT}", {"AllowAnyBuyer": True, "xp": {"a": 1}})
    config = Path("reconciler.yaml")
    document = json.loads(config.read_text(encoding="utf-8"))
    policy = {"defaults": {"policy": {"fields": "exclusive", "assignments": "watch"}}, "drift": {"unmanaged": "fail"}}
    config.write_text(json.dumps(document | policy), encoding="utf-8")
    reset = run("plan", "--detailed-exitcode")
    assert (reset.code, "AllowAnyBuyer  true -> false" in reset.out) == (2, True)
    config.write_text(json.dumps(document), encoding="utf-8")
    assert run("export", "--write").code == 0
    config.write_text(json.dumps(document | policy), encoding="utf-8")
    in_manifest(run)


def test_every_format_says_that_what_is_in_no_manifest_is_drift(watched: Project, run: Runner) -> None:
    watched.ask("POST", "/v1/apiclients", {"AppName": "new", "AccessTokenDuration": 60})
    watched.ask("POST", "/v1/apiclients/assignments", {"ApiClientID": FRONT, "BuyerID": "south"})
    names = ("text", "junit", "github", "sarif", "html", "markdown", "json", "jsonl")
    documents = {name: run("drift", "--format", name) for name in names}
    assert {name: done.code for name, done in documents.items()} == dict.fromkeys(documents, 2)
    assert "2 unmanaged (1 of them drift)." in documents["text"].out
    export = re.compile(r"reconciler export --env \S+ --only (ApiClient/\S+) --write")
    (address,) = {export.search(documents[name].out)[1] for name in ("text", "html")}  # type: ignore[index]
    assert run("export", "--only", address, "--write").code == 0
    assert Path("manifests/new.yaml").exists()
    assert 'failures="2"' in documents["junit"].out
    assert "title=unmanaged ApiClient/" in documents["github"].out
    assert '"new" is live, not in any manifest' in documents["github"].out
    assert documents["sarif"].out.count('"level": "warning"') == 1
    for name in ("json", "jsonl", "sarif"):
        assert len(re.findall('"left_by_apply": ?true', documents.pop(name).out)) == 3, name  # two are unmanaged
    assert [name for name, done in documents.items() if "members are not removed by apply" not in done.out] == []


def test_write_back_leaves_what_is_in_no_manifest_as_drift(watched: Project, run: Runner) -> None:
    watched.ask("POST", "/v1/apiclients", {"AppName": "new", "AccessTokenDuration": 60})
    watched.ask("POST", "/v1/apiclients/assignments", {"ApiClientID": FRONT, "BuyerID": "south"})
    patch(watched, RefreshTokenDuration=700)
    done = run("drift", "--write-back", "--write")
    assert (done.code, "0 differ" in done.out) == (2, True)
    text = Path("manifests/front.yaml").read_text(encoding="utf-8")
    assert "RefreshTokenDuration: 700\n" in text
    assert "buyers: [north, south]\n" in text
    assert "2 unmanaged (1 of them drift)" in run("drift").out
