"""Two repositories that share a marketplace: what belongs to the other one is looked up, and never written."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import BACK, FRONT, Project, Run, Runner

WEB = {"include": ["ApiClient/web*", "IntegrationEvent/web-*"]}
REST = {"exclude": WEB["include"]}
EVENT = {
    "Name": "Checkout",
    "EventType": "OrderCheckout",
    "CustomImplementationUrl": "https://shop.example/checkout",
    "HashKey": {"fromEnv": "EVENT_KEY"},
    "ElevatedRoles": [],
}


@dataclass(frozen=True, slots=True)
class Repository:
    """A configuration of its own, and manifests."""

    folder: Path
    run: Runner
    environment: Any

    def configure(self, scope: Any, /, **more: Any) -> "Repository":
        """Write the configuration; of the scope nothing, where it is None."""
        document: dict[str, Any] = {"apiVersion": "reconciler/v1", "kind": "Config", "manifests": ["manifests/"]}
        document |= {"environments": {"test": self.environment | more}, "drift": {"unmanaged": "fail"}}
        text = json.dumps(document | ({"scope": scope} if scope is not None else {}), indent=1)
        (self.folder / "reconciler.yaml").write_text(text, encoding="utf-8")
        return self

    def manifest(self, address: str, spec: Any, **blocks: Any) -> Path:
        """Write a manifest."""
        kind, name = address.split("/")
        document = {"apiVersion": "reconciler/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        path = self.folder / "manifests" / f"{kind}-{name}.yaml"
        path.write_text(json.dumps(document | blocks), encoding="utf-8")
        return path

    def client(self, name: str, **spec: Any) -> Path:
        """Write a manifest of an API client that is called so in the service, too, unless its spec says otherwise."""
        return self.manifest(f"ApiClient/{name}", {"AppName": name, "AccessTokenDuration": 600, "Active": True} | spec)

    def __call__(self, command: str, *arguments: str) -> Run:
        return self.run(command, "--config", str(self.folder / "reconciler.yaml"), *arguments)

    def apply(self, *arguments: str) -> Run:
        """Apply without asking."""
        return self("apply", "--auto-approve", *arguments)


@pytest.fixture
def repository(project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Any], Repository]:
    """Make a repository of a name and a scope. The marketplace has the clients `front` and `back`."""
    monkeypatch.setenv("EVENT_KEY", "secret")
    document = json.loads((project.folder / "reconciler.yaml").read_text(encoding="utf-8"))
    target = document["environments"]["test"] | {"secrets": {"allow": ["EVENT_KEY"]}, "limits": {"deletes": 5}}

    def make(name: str, scope: Any) -> Repository:
        (project.folder / name / "manifests").mkdir(parents=True)
        return Repository(project.folder / name, run, target).configure(scope)

    return make


@pytest.fixture
def web(repository: Callable[[str, Any], Repository]) -> Repository:
    """Manages what is called web, and refers to an event that is not."""
    web = repository("web", WEB)
    web.client("web", OrderCheckoutIntegrationEventID="desk-checkout")
    return web


@pytest.fixture
def desk(repository: Callable[[str, Any], Repository]) -> Repository:
    """Manages the rest: the clients `front` and `back`, and an event."""
    desk = repository("desk", REST)
    desk.client("front")
    desk.client("back", AllowSeller=True)
    desk.manifest("IntegrationEvent/desk-checkout", EVENT)
    assert desk.apply().code == 0
    return desk


def test_what_another_repository_applies_is_no_change_and_no_drift(
    web: Repository, desk: Repository, project: Project
) -> None:
    assert web.apply().code == 0
    for each in (web, desk):
        done = each("plan", "--detailed-exitcode", "--prune")
        assert (done.code, "out of scope." in done.out) == (0, True), done.out
        assert each("drift").code == 0
    project.writes()
    assert web.apply("--prune").code == 0
    assert project.writes() == []


def test_a_plan_counts_what_is_out_of_scope_and_names_none_of_it(web: Repository, desk: Repository) -> None:
    done = web("plan", "--format", "json")
    plan = json.loads(done.out)
    assert plan["summary"]["out_of_scope"] == 3  # front, back and what the run is logged in with
    assert [one["address"] for one in plan["resource_changes"]] == ["ApiClient/web"]
    assert json.loads(web("drift", "--format", "json").out)["summary"]["out_of_scope"] == 3
    assert BACK not in done.out
    assert json.loads(web("plan", "--format", "jsonl").out.splitlines()[-1])["changes"]["out_of_scope"] == 3
    for name in ("markdown", "html"):
        assert "out of scope" in web("plan", "--format", name).out


def test_a_scope_that_widens_shows_what_it_takes_in(web: Repository, desk: Repository) -> None:
    assert web.apply().code == 0
    web.configure({"include": ["*/*"]})
    done = web("drift")
    assert done.code == 2
    assert f'ApiClient/{BACK} "back" (drift)' in done.out
    refused = web.configure({"include": ["*/*"]}, limits={}).apply("--prune")
    assert (refused.code, "limit-deletes: 2 resources would be deleted" in refused.err) == (3, True)


def test_every_manifest_out_of_scope_is_an_error_that_says_why(repository: Callable[[str, Any], Repository]) -> None:
    web = repository("web", WEB | {"exclude": ["*/WEB-old*"], "xp": {"team": "web", "tier": {"not": [1, "x"]}}})
    web.client("web-1", xp={"team": "web", "tier": 2})
    web.client("web-old", xp={"team": "web"})
    web.client("web-2", AppName="shop", xp={"team": "desk", "tier": 1})
    web.client("web-3")
    web.manifest("IntegrationEvent/checkout", EVENT)
    web.manifest("IntegrationEvent/orders", EVENT, metadata={"name": "orders", "id": "web-orders"})
    web.manifest("ApiClient/gone", {}, policy={"state": "absent"})
    done = web("validate")
    assert done.code == 1
    told = [line.partition(": out-of-scope")[0] for line in done.out.splitlines() if "out of scope" in line]
    assert len(told) == 5
    for said in (
        "ApiClient/web-old is out of scope: */WEB-old* of scope.exclude matches ApiClient/web-old",
        "ApiClient/web-2 is out of scope: no pattern of scope.include matches ApiClient/shop",
        'ApiClient/web-2 is out of scope: xp.team is "desk", and scope.xp requires "web"; xp.tier is 1, which',
        'ApiClient/web-3 is out of scope: xp.team is missing, and scope.xp requires "web"',
        "is out of scope: no pattern of scope.include matches IntegrationEvent/checkout (at /metadata/name)",
    ):
        assert said in done.out


def test_a_reference_to_another_repository_is_a_plain_id(web: Repository, desk: Repository) -> None:
    web.client("web", OrderCheckoutIntegrationEventID={"ref": "desk-checkout"})
    done = web("validate")
    assert done.code == 1
    assert "there is no manifest IntegrationEvent/desk-checkout" in done.out
    assert "refer to an object of another repository by its ID, without ref" in done.out
    web.client("web", OrderCheckoutIntegrationEventID="desk-chekout")
    assert "there is no integration event desk-chekout" in web("plan").out


def test_what_another_repository_refers_to_is_not_deleted(web: Repository, desk: Repository, project: Project) -> None:
    assert web.apply().code == 0
    desk.manifest("IntegrationEvent/desk-checkout", EVENT, policy={"state": "absent"})
    project.writes()
    done = desk.apply()
    assert (done.code, project.writes()) == (3, [])
    assert "still-in-use" in done.err
    assert "IntegrationEvent/desk-checkout (desk/manifests/" in done.err


def test_the_last_client_of_the_sellers_may_be_one_of_another_repository(web: Repository, desk: Repository) -> None:
    web.client("web", OrderCheckoutIntegrationEventID="desk-checkout", AllowSeller=True)
    assert web.apply().code == 0
    web.client("web", OrderCheckoutIntegrationEventID="desk-checkout", AllowSeller=False)
    assert web.apply().code == 0


@pytest.mark.parametrize("known", [FRONT, FRONT.lower()])
def test_an_id_of_another_repository_is_refused_until_it_is_acknowledged(
    web: Repository, desk: Repository, project: Project, known: str
) -> None:
    web.configure(WEB, ids={"web": known})
    project.writes()
    done = web.apply()
    assert (done.code, project.writes()) == (3, [])
    assert "out-of-scope: ApiClient/web is live as" in done.err
    assert "which is out of scope: no pattern of scope.include matches ApiClient/front" in done.err


def test_secrets_of_another_repository_are_not_rotated(web: Repository, desk: Repository, project: Project) -> None:
    web.configure(WEB, ids={"web": FRONT})
    (project.folder / ".gitignore").write_text("*", encoding="utf-8")
    path = web.client("web")
    deliver = [{"file": "secret"}]
    path.write_text(json.dumps(json.loads(path.read_text()) | {"secrets": [{"name": "primary", "deliver": deliver}]}))
    project.writes()
    done = web("secrets", "rotate", "ApiClient/web", "--auto-approve")
    assert (done.code, project.writes()) == (3, [])
    assert "out-of-scope: ApiClient/web is live as" in done.err


def test_what_somebody_takes_out_of_scope_is_drift_and_is_put_back_when_that_is_acknowledged(
    web: Repository, desk: Repository, project: Project
) -> None:
    assert web.apply().code == 0
    (client,) = project.ask("GET", "/v1/apiclients?AppName=web")["Items"]
    project.ask("PATCH", f"/v1/apiclients/{client['ID']}", {"AppName": "shop"})
    done = web("drift")  # the ID is the one that it was created with
    assert (done.code, '"shop"' in done.out, "out-of-scope" in done.out) == (2, True, True)
    digest = json.loads(web("plan", "--format", "json").out)["changes_digest"][:12]
    assert web.apply().code == 3
    assert web.apply("--ack", digest).code == 0
    assert web("plan", "--detailed-exitcode").code == 0


def test_what_is_taken_out_of_scope_where_nobody_compares_is_a_warning(
    repository: Callable[[str, Any], Repository], project: Project
) -> None:
    web = repository("web", {"xp": {"team": "web"}})
    web.client("web", xp={"team": "web"})
    assert web.apply().code == 0
    path = web.client("web", xp={"team": "web"})
    path.write_text(path.read_text().replace('"spec"', '"policy": {"ignore": ["/xp/team"]}, "spec"'), encoding="utf-8")
    (client,) = project.ask("GET", "/v1/apiclients?AppName=web")["Items"]
    project.ask("PATCH", f"/v1/apiclients/{client['ID']}", {"xp": {"team": "desk"}})
    done = web("plan", "--detailed-exitcode")
    assert done.code == 0
    assert 'which is out of scope: xp.team is "desk", and scope.xp requires "web"' in done.out


def test_a_client_of_another_repository_is_not_taken_for_one_of_its_name(
    repository: Callable[[str, Any], Repository], project: Project
) -> None:
    web, desk = repository("web", {"xp": {"team": "web"}}), repository("desk", {"xp": {"team": {"not": ["web"]}}})
    desk.client("desk-shop", AppName="Shop")
    web.client("web-shop", AppName="Shop", xp={"team": "web"})
    assert desk.apply().code == 0
    project.writes()
    done = web.apply()
    assert (done.code, project.writes()) == (3, [])
    assert "ApiClient/web-shop would have the AppName of " in done.err
    assert "not-live   ApiClient/web-shop" in web("adopt").out
    (other,) = project.ask("GET", "/v1/apiclients?AppName=Shop")["Items"]
    taken = web("adopt", f"web-shop={other['ID']}", "--write")
    assert (taken.code, "which is out of scope: xp.team is missing" in taken.err) == (1, True)
    assert web.apply("--ack", json.loads(web("plan", "--format", "json").out)["changes_digest"][:12]).code == 0
    for each in (web, desk):  # each finds its own of the two
        assert each("plan", "--detailed-exitcode").code == 0
        assert "bind       " in each("adopt").out


def test_a_new_client_never_gets_the_id_of_another_repository(web: Repository, desk: Repository) -> None:
    """Where a manifest has no ID, the ID comes of its name, which manifests of two repositories may share."""
    web.client("shop", AppName="web-shop")
    assert web.apply().code == 0
    desk.client("shop", AppName="desk-shop")
    done = desk.apply()
    assert done.code == 3
    assert "out-of-scope: ApiClient/shop is live as" in done.err


def test_only_what_is_in_scope_is_exported(web: Repository, desk: Repository, tmp_path: Path) -> None:
    assert web.apply().code == 0
    done = desk("export", "--out", str(tmp_path / "desk" / "manifests"))
    assert (done.code, "1 object: out of scope" in done.out) == (0, True)
    assert "ApiClient/web" not in done.out
    assert desk("export", "--only", "ApiClient/web").code == 1
    document = json.loads(web("export", "--format", "json").out)
    assert [(one["address"], one["status"]) for one in document["objects"]] == [("ApiClient/web", "changed")]
    assert document["left_out"] == [{"what": "3 objects", "reason": "out of scope, managed by another repository"}]


def test_only_what_is_in_scope_is_imported(web: Repository, tmp_path: Path) -> None:
    done = web("import", str(tmp_path / "seed.json"))
    assert (done.code, "2 objects: out of scope" in done.out, "front" in done.out) == (0, True, False)


def test_drift_that_would_leave_the_scope_is_not_written_back(
    web: Repository, desk: Repository, project: Project
) -> None:
    assert web.apply().code == 0
    web("adopt", "--write")
    (client,) = project.ask("GET", "/v1/apiclients?AppName=web")["Items"]
    project.ask("PATCH", f"/v1/apiclients/{client['ID']}", {"AppName": "shop"})
    before = (web.folder / "manifests" / "ApiClient-web.yaml").read_text(encoding="utf-8")
    for command in (["drift", "--write-back", "--write"], ["export", "--write"]):
        done = web(*command)
        assert "out of scope" in done.out + done.err
        assert (web.folder / "manifests" / "ApiClient-web.yaml").read_text(encoding="utf-8") == before


def test_a_snapshot_has_all_and_a_plan_of_it_its_scope(web: Repository, desk: Repository, tmp_path: Path) -> None:
    assert web.apply().code == 0
    file = str(tmp_path / "snapshot.json")
    assert web("snapshot", "--out", file).code == 0
    assert BACK in Path(file).read_text(encoding="utf-8").upper()
    done = web("plan", "--from-snapshot", file, "--format", "json")
    assert (
        json.loads(done.out)["summary"] | {"no_op": 1, "out_of_scope": 3, "unmanaged": 0}
        == json.loads(done.out)["summary"]
    )


def test_a_saved_plan_is_of_the_scope_that_it_was_made_with(web: Repository, desk: Repository, tmp_path: Path) -> None:
    file = str(tmp_path / "plan.json")
    assert web("plan", "--out", file).code == 0
    web.configure({"include": [*WEB["include"], "Webhook/*"]})
    assert web("apply", file).code == 4


def test_the_receipt_of_a_saved_plan_has_the_scope_of_its_manifests(
    repository: Callable[[str, Any], Repository], tmp_path: Path
) -> None:
    web, file = repository("web", {"include": ["ApiClient/front"]}), str(tmp_path / "plan.json")
    web.client("front", AccessTokenDuration=500)
    assert [web("plan", "--out", file).code, web("apply", file).code] == [0, 0]
    for command in ("plan", "drift"):
        assert "scope changed" not in web(command).out


def test_a_run_is_not_taken_back_where_its_objects_have_left_the_scope(
    repository: Callable[[str, Any], Repository], project: Project
) -> None:
    web = repository("web", None)
    path = web.client("web")
    assert web.apply().code == 0
    run_id = json.loads(web("history", "--format", "json").out)["runs"][0]["id"]
    path.unlink()
    web.configure(WEB | {"exclude": ["ApiClient/web"]}).client("web-2")
    project.writes()
    done = web("rollback", run_id, "--auto-approve")
    assert (done.code, project.writes()) == (3, [])
    assert "ApiClient/web of scope.exclude matches ApiClient/web" in done.err


def test_the_status_of_secrets_counts_nothing_of_others(web: Repository, desk: Repository) -> None:
    assert web.apply().code == 0
    assert "without a manifest: secrets not read" not in web("secrets", "status").out


def test_a_pattern_for_a_live_object_finds_none_that_is_out_of_scope(web: Repository, desk: Repository) -> None:
    done = web("plan", "--only", f"ApiClient/{FRONT}")
    assert (done.code, "matches neither a manifest nor a live object in scope" in done.err) == (1, True)


def test_a_scope_that_was_widened_is_named_and_what_it_brings_is_nobody_s_doing(
    repository: Callable[[str, Any], Repository],
) -> None:
    web = repository("web", {"include": ["ApiClient/front"]})
    web.client("front", AccessTokenDuration=500)
    assert web.apply().code == 0
    assert web("drift").code == 0
    web.configure({"include": ["ApiClient/front", "ApiClient/back"]})
    for command in ("plan", "drift"):
        assert web(command).out.count("scope changed since the last apply, at ") == 1
    deviations = json.loads(web("drift", "--format", "json").out)["deviations"]
    assert [(one["kind"], one["side"]) for one in deviations] == [("unmanaged", "unknown")]
    web.configure(None)
    for widened in (web("drift"), web("plan", "--prune")):
        assert "scope changed since the last apply, at " in widened.out
    web.configure({"include": ["ApiClient/front"]})
    assert "scope changed" not in web("plan").out
