"""Each guard refuses with exit code 3, its rule and a way out, and nothing is written."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import FRONT, Project, Run, Runner

ROOT = Path(__file__).parents[2]


def limit(project: Project, **limits: Any) -> None:
    configure(project, limits=limits)


def configure(project: Project, **more: Any) -> None:
    document = json.loads(Path("reconciler.yaml").read_text(encoding="utf-8"))["environments"]["test"]
    project.configure(test=document | more)


def absent(project: Project, name: str, **spec: Any) -> None:
    path = project.manifest(name, **spec)
    document = json.loads(path.read_text(encoding="utf-8")) | {"policy": {"state": "absent"}}
    path.write_text(json.dumps(document), encoding="utf-8")


def put(project: Project, path: str, **body: Any) -> None:
    project.ask("PUT", path, body)


# ------------------------------------------------------------------------------------------- what each of them refuses


def wrong_marketplace(project: Project) -> None:
    configure(project, marketplace="another")


def host_that_nobody_allows(project: Project) -> None:
    configure(project, url="https://shop.example")


def a_creation_that_lacks_a_field(project: Project) -> None:
    project.manifest("new")


def another_value_of_what_is_fixed(project: Project) -> None:
    returns_event(project)
    spec = {"Name": "Returns", "EventType": "AddToCart", "CustomImplementationUrl": "https://shop.example"}
    manifest = {"apiVersion": "reconciler/v1", "kind": "IntegrationEvent", "metadata": {"name": "returns"}}
    path = project.folder / "manifests" / "returns.yaml"
    path.write_text(json.dumps(manifest | {"spec": spec}), encoding="utf-8")


def too_many_changes(project: Project) -> None:
    limit(project, changes=0)
    project.manifest("front", AccessTokenDuration=60)


def too_large_a_part(project: Project) -> None:
    limit(project, changesPercent=50)
    project.manifest("front", AccessTokenDuration=60)


def too_many_deletions(project: Project) -> None:
    absent(project, "front")


def too_much_let_in(project: Project) -> None:
    limit(project, widens=0)
    project.manifest("front", AllowAnyBuyer=True)


def a_protected_client(project: Project) -> None:
    configure(project, protected=["fr*"])
    project.manifest("front", Active=False)


def the_last_one_for_sellers(project: Project) -> None:
    """The client of the run is one, too, and goes first; that it does is another objection."""
    limit(project, deletes=2)
    project.manifest("back", Active=False)
    absent(project, "tool", AppName="Emulator Administration")


def full_access(project: Project) -> None:
    limit(project, deletes=1)
    absent(project, "tool", AppName="Emulator Administration")


def own_client(project: Project) -> None:
    project.manifest("tool", AppName="Emulator Administration", Active=False)


def freeze(project: Project) -> None:
    configure(project, freeze=[{"from": "2020-01-01", "to": "2099-12-31", "reason": "always"}])
    project.manifest("front", AccessTokenDuration=60)


def a_hidden_secret(project: Project) -> None:
    """A service of the older generation that shows a mask."""
    client = {"ID": FRONT, "AppName": "front", "Active": True, "AccessTokenDuration": 600, "ClientSecret": "****"}
    (project.folder / "hidden.json").write_text(json.dumps({"Objects": {"ApiClients": [client]}}), encoding="utf-8")
    project.configure(test={"emulator": {"seed": "hidden.json", "profile": "legacy"}})
    project.manifest("front", AccessTokenDuration=60)


def a_secret_that_is_over(project: Project) -> None:
    path = project.manifest("front", AccessTokenDuration=60)
    secret = {"name": "primary", "expires": "2020-01-01", "deliver": [{"file": "../out/front"}]}
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"secrets": [secret]}), encoding="utf-8")


def in_use(project: Project) -> None:
    limit(project, deletes=1)
    put(project, "/v1/securityprofiles/staff", ID="staff", Name="Staff", Roles=["Shopper"])
    put(project, "/v1/impersonationconfig/imp", ID="imp", ClientID=FRONT, SecurityProfileID="staff")
    absent(project, "front")


def a_rename(project: Project) -> None:
    limit(project, deletes=1)
    project.manifest("back2", AccessTokenDuration=600)


def a_missing_event(project: Project) -> None:
    project.manifest("front", OrderCheckoutIntegrationEventID="nowhere")


def returns_event(project: Project) -> None:
    put(
        project,
        "/v1/integrationEvents/returns",
        ID="returns",
        Name="Returns",
        EventType="OrderReturn",
        CustomImplementationUrl="https://shop.example",
        HashKey="key",
    )


def an_event_of_another_type(project: Project) -> None:
    returns_event(project)
    project.manifest("front", OrderCheckoutIntegrationEventID="returns")


def an_inactive_user(project: Project) -> None:
    user(project, "sleeper", active=False)
    project.manifest("front", DefaultContextUserName="sleeper")


def a_seller_as_an_anonymous_shopper(project: Project) -> None:
    user(project, "clerk", active=True)
    project.manifest("front", DefaultContextUserName="clerk", IsAnonBuyer=True, AllowAnyBuyer=True)


def user(project: Project, name: str, *, active: bool) -> None:
    names = {"Username": name, "FirstName": "A", "LastName": "B", "Email": "a@example.com"}
    put(project, f"/v1/adminusers/{name}", ID=name, Active=active, **names)


def a_client_of_another_repository(project: Project) -> None:
    configure(project, ids={"front": FRONT}, scope={"xp": {"team": "web"}})
    project.manifest("front", AccessTokenDuration=600, xp={"team": "web"})


CASES: Mapping[str, Callable[[Project], None]] = {
    "host": host_that_nobody_allows,
    "marketplace": wrong_marketplace,
    "incomplete-create": a_creation_that_lacks_a_field,
    "immutable": another_value_of_what_is_fixed,
    "limit-changes": too_many_changes,
    "limit-changes-percent": too_large_a_part,
    "limit-deletes": too_many_deletions,
    "limit-widens": too_much_let_in,
    "protected": a_protected_client,
    "out-of-scope": a_client_of_another_repository,
    "last-seller-client": the_last_one_for_sellers,
    "last-full-access": full_access,
    "own-client": own_client,
    "freeze": freeze,
    "hidden-secret": a_hidden_secret,
    "secret-expiry": a_secret_that_is_over,
    "still-in-use": in_use,
    "prune-renamed": a_rename,
    "reference-missing": a_missing_event,
    "reference-type": an_event_of_another_type,
    "reference-inactive": an_inactive_user,
    "reference-not-buyer": a_seller_as_an_anonymous_shopper,
}
ELSEWHERE = {"own-roles", "not-unique"}
"""Tried in `tests/planning/test_guards_login.py` and `tests/manifests/test_state_unique.py`: here the client has every
role whatever profiles there are, and no kind has unique values.
"""
FINAL = {"host", "marketplace", "protected", "hidden-secret", "secret-expiry", "incomplete-create", "immutable"}
OPTIONS = {"prune-renamed": ["--prune"]}


def applied(run: Runner, rule: str, *more: str) -> Run:
    return run("apply", "--auto-approve", *OPTIONS.get(rule, []), *more)


@pytest.mark.parametrize("rule", CASES)
def test_a_guard_refuses_with_3_and_nothing_is_written(project: Project, run: Runner, rule: str) -> None:
    CASES[rule](project)
    project.writes()
    done = applied(run, rule)
    assert (done.code, done.out, project.writes()) == (3, "", [])
    assert re.search(rf"^  {rule}: .+(\n      resources: .+)?\n      fix: .+", done.err, re.MULTILINE)
    assert ("--ack" in done.err) is (rule not in FINAL)


@pytest.mark.sample(5)
@pytest.mark.parametrize("rule", CASES)
def test_the_digits_of_another_plan_accept_nothing(project: Project, run: Runner, rule: str) -> None:
    CASES[rule](project)
    project.writes()
    assert (applied(run, rule, "--ack", "0123456789ab").code, project.writes()) == (3, [])


@pytest.mark.sample(6)
@pytest.mark.parametrize("rule", sorted(CASES.keys() - {"host", "marketplace", "freeze"}))
def test_plan_shows_and_saves_what_a_guard_refuses_and_exits_with_3(project: Project, run: Runner, rule: str) -> None:
    CASES[rule](project)
    planned = run("plan", "--out", "plan.json", "--detailed-exitcode", *OPTIONS.get(rule, []))
    assert (planned.code, f"  {rule}: " in planned.out) == (3, True)
    assert f"  {rule}: " in run("show", "plan.json").out
    if rule not in OPTIONS:
        drift = run("drift")
        assert (drift.code, f"  {rule}: " in drift.out) == (2, True)


def test_the_wrong_marketplace_stops_those_that_only_read_as_well(project: Project, run: Runner) -> None:
    wrong_marketplace(project)
    assert [run(command).code for command in ("plan", "drift")] == [3, 3]


def test_the_acknowledged_plan_is_applied_and_no_other(project: Project, run: Runner) -> None:
    too_much_let_in(project)
    run("plan", "--out", "a.json")
    project.manifest("front", AllowAnyBuyer=True, AllowAnySupplier=True)
    run("plan", "--out", "b.json")
    project.writes()
    a, b = (json.loads(Path(name).read_text(encoding="utf-8"))["changes_digest"][:12] for name in ("a.json", "b.json"))
    refused = run("apply", "b.json", "--ack", a)
    assert (refused.code, project.writes()) == (3, [])
    assert (
        f"--ack {a} is for other changes or findings; to accept exactly these changes and findings, add --ack {b}"
        in refused.err
    )
    assert (run("apply", "b.json", "--ack", b).code, project.writes()) == (0, ["PUT"])


def test_every_rule_is_tried_here_and_has_its_line_in_the_documentation() -> None:
    page = (ROOT / "docs" / "safety.md").read_text(encoding="utf-8")
    table = page[page.index("## Guards") : page.index("### Deletions")]
    listed = {
        rule
        for line in table.splitlines()
        for rule in re.findall(r"`([a-z-]+)`", line.split("|")[1] if "|" in line else "")
    }
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "reconciler").rglob("*.py"))
    found = set(re.findall(r'Finding\(\s*"([a-z-]+)"', code)) | set(re.findall(r'"(reference-[a-z-]+)"', code))
    assert listed == CASES.keys() | ELSEWHERE == found
