"""Taking a run back: what goes back, what stays, and what is refused; through apply, journal and guards as they are."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler import pipeline
from reconciler.applying import journal
from reconciler.applying.journal.events import ApplyRecorder, facts_of, recorded
from reconciler.applying.journal.write import Journal
from reconciler.applying.run import Controls
from reconciler.errors import GuardRefusal, PlanRefused, UsageError
from reconciler.manifests.files import AllowedPaths
from reconciler.model.named_secret import NamedSecret
from reconciler.model.outcome import ApplyResult, RecordedRun, Status
from reconciler.model.plan import Action, Limits, Plan
from reconciler.model.resource import DesiredResource, DesiredState, FieldsPolicy, Policy
from reconciler.model.secret import SecretReference, SecretSource, ToFile
from reconciler.planning.comparison import Target
from reconciler.planning.planfile import acknowledgement, plan_digest
from reconciler.secrets.delivery import Deliverer
from tests.builders import body, desired, manifest
from tests.service import NO_LIMITS, Shop, client_id, shop

A, B = client_id(0xA), client_id(0xB)
BUYERS = {"Buyers": [{"ID": one, "Name": one, "Active": True} for one in ("b1", "b2", "b3")]}
GONE = Policy(absent=True)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Shop]:
    """A marketplace of two clients, a and b; b1 is assigned to a."""
    rows = [{"ApiClientID": A, "BuyerID": "b1", "SupplierID": None}]
    live = (body(A, "a", xp={"keep": 1}, FutureFlag="unknown"), body(B, "b"))
    with shop(tmp_path, *live, objects=BUYERS, assignments=rows) as opened:
        yield opened


def run_of(
    service: Shop, folder: Path, *wanted: DesiredResource, keep_going: bool = False, **options: Any
) -> RecordedRun:
    """Apply manifests, and give the run as its journal tells it."""
    run = run_if_any(service, folder, *wanted, keep_going=keep_going, **options)
    assert run
    return run


def run_if_any(
    service: Shop, folder: Path, *wanted: DesiredResource, keep_going: bool = False, **options: Any
) -> RecordedRun | None:
    """The same; None where there was nothing to write."""
    plan = service.plan(desired(*wanted))
    facts = facts_of(plan, plan_digest(plan))
    record = ApplyRecorder(plan, lambda: facts, lambda facts: Journal.start(folder / "runs", facts))
    controls = Controls(concurrency=1, keep_going=keep_going, recorder=record)
    record.end(service.apply(plan, controls, **options))
    found = [*journal.runs(folder / "runs").values()]
    return recorded(found[-1]) if found and isinstance(found[-1], journal.Run) else None


def plan_back(
    service: Shop,
    run: RecordedRun,
    *only: str,
    manifests: DesiredState | None = None,
    target: Target = NO_LIMITS,
) -> Plan:
    with service.reader() as reader:
        return pipeline.plan_back(run, only, manifests or desired(), reader, target)


def take_back(service: Shop, run: RecordedRun, *only: str) -> ApplyResult:
    return service.apply(plan_back(service, run, *only))


def state(service: Shop) -> dict[str, Any]:
    """All API clients by AppName."""
    return service.bodies()


def rules(plan: Plan) -> list[str]:
    return [finding.rule for finding in plan.guards]


def test_a_run_that_is_taken_back_leaves_all_as_it_was(two: Shop, tmp_path: Path) -> None:
    before, assigned = state(two), two.assigned()
    run = run_of(
        two,
        tmp_path,
        manifest("a", AccessTokenDuration=60, xp={"new": 2}, assignments={"buyers": ("b2",)}),
        manifest("b", AllowSeller=True, MaximumGrantedRoles=["Shopper"]),
        manifest("c", AccessTokenDuration=60),
    )
    assert take_back(two, run).is_complete
    assert (state(two), two.assigned()) == (before, assigned)


def test_taking_back_twice_is_taking_back_once(two: Shop, tmp_path: Path) -> None:
    run = run_of(two, tmp_path, manifest("a", AccessTokenDuration=60), manifest("c", AccessTokenDuration=60))
    take_back(two, run)
    assert not plan_back(two, run).has_changes
    assert "ApiClient/c was created by that run, but no longer exists" in plan_back(two, run).warnings


def test_what_others_have_changed_since_stays_where_the_run_did_not_touch_it(two: Shop, tmp_path: Path) -> None:
    run = run_of(two, tmp_path, manifest("a", AccessTokenDuration=60))
    two.edit("a", RefreshTokenDuration=99)
    assert take_back(two, run).is_complete
    after = two.bodies()["a"]
    assert (after["AccessTokenDuration"], after["RefreshTokenDuration"]) == (600, 99)


def test_a_touched_field_that_somebody_has_changed_since_refuses_the_plan(two: Shop, tmp_path: Path) -> None:
    run = run_of(two, tmp_path, manifest("a", AccessTokenDuration=60), manifest("b", Active=False))
    two.edit("a", AccessTokenDuration=77)
    plan = plan_back(two, run)
    assert rules(plan) == ["rollback-moved"]
    assert "modified after that run (changed AccessTokenDuration)" in plan.guards[0].message
    two.forget()
    with pytest.raises(GuardRefusal):
        two.apply(plan, acknowledged=acknowledgement(plan))
    assert two.writes() == []


def test_the_rest_can_be_taken_back_alone(two: Shop, tmp_path: Path) -> None:
    run = run_of(two, tmp_path, manifest("a", AccessTokenDuration=60), manifest("b", Active=False))
    two.edit("a", AccessTokenDuration=77)
    assert take_back(two, run, "ApiClient/B*").is_complete
    assert (two.bodies()["a"]["AccessTokenDuration"], two.bodies()["b"]["Active"]) == (77, True)
    with pytest.raises(UsageError, match="matches --only ApiClient/x"):
        plan_back(two, run, "ApiClient/x")


def test_an_object_that_was_deleted_since_is_not_made_anew(two: Shop, tmp_path: Path) -> None:
    run = run_of(two, tmp_path, manifest("a", AccessTokenDuration=60))
    two.converge(desired(manifest("a", policy=GONE)))
    assert rules(plan_back(two, run)) == ["rollback-moved"]


def test_what_the_run_created_is_deleted_as_far_as_the_limits_allow(two: Shop, tmp_path: Path) -> None:
    run = run_of(two, tmp_path, manifest("c", AccessTokenDuration=60))
    plan = plan_back(two, run, target=Target("test", None, Limits(deletes=0)))
    assert [change.action for change in plan.changes] == [Action.DELETE]
    assert rules(plan) == ["limit-deletes"]
    assert "ApiClient/c was created by that run and would be deleted, with its secrets" in plan.warnings[0]


def test_what_the_run_created_and_somebody_has_changed_since_is_not_deleted(two: Shop, tmp_path: Path) -> None:
    run = run_of(two, tmp_path, manifest("c", AccessTokenDuration=60))
    two.edit("c", AccessTokenDuration=77)
    assert rules(plan_back(two, run)) == ["rollback-moved"]


IN_USE = {
    "activated": ({"Active": True}, "changed Active"),
    "given-roles": ({"MaximumGrantedRoles": ["Shopper"]}, "changed MaximumGrantedRoles"),
    "given-xp": ({"xp": {"owner": "mobile"}}, "changed xp"),
    "opened": ({"AllowAnyBuyer": True}, "changed AllowAnyBuyer"),
    "given-a-user": ({"DefaultContextUserName": "emulator-admin"}, "changed DefaultContextUserName"),
    "given-what-is-in-no-documentation": ({"FutureFlag": "on"}, "FutureFlag"),
}


@pytest.mark.parametrize(("fields", "told"), IN_USE.values(), ids=IN_USE)
def test_a_created_client_that_has_gone_into_use_is_not_deleted(
    two: Shop, tmp_path: Path, fields: dict[str, Any], told: str
) -> None:
    run = run_of(two, tmp_path, manifest("c", AccessTokenDuration=60))
    two.edit("c", **fields)
    plan = plan_back(two, run)
    assert rules(plan) == ["rollback-moved"]
    assert told in plan.guards[0].message
    assert (plan.has_changes, plan.guards[0].can_be_acknowledged) == (False, False)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/webhooks", {"Url": "https://shop.example/hook", "HashKey": "key", "ApiClientIDs": [None]}),
        (
            "/openidconnects",
            {"OrderCloudApiClientID": None, "ConnectClientID": "c", "ConnectClientSecret": "s"}
            | dict.fromkeys(("AppStartUrl", "AuthorizationEndpoint", "TokenEndpoint"), "https://idp.example"),
        ),
    ],
    ids=["webhook", "login"],
)
def test_a_created_client_that_something_else_refers_to_since_is_not_deleted_unnoticed(
    two: Shop, tmp_path: Path, path: str, fields: dict[str, Any]
) -> None:
    run = run_of(two, tmp_path, manifest("c", AccessTokenDuration=60))
    own = state(two)["c"]["ID"]
    user = {name: own if value is None else [own] if value == [None] else value for name, value in fields.items()}
    with two.writer() as writer:
        writer.post(path, {"ID": "user", "Name": "user", **user})
    plan = plan_back(two, run)
    assert rules(plan) == ["still-in-use"]
    assert "user refers to it" in plan.guards[0].message


def test_a_created_client_that_got_or_lost_a_buyer_since_is_not_deleted(two: Shop, tmp_path: Path) -> None:
    run = run_of(two, tmp_path, manifest("c", AccessTokenDuration=60, assignments={"buyers": ("b1", "b2")}))
    assert rules(plan_back(two, run)) == []
    two.converge(desired(manifest("c", AccessTokenDuration=60, assignments={"buyers": ("b2", "b3")})))
    assert "after that run (assigned b3 (buyers); unassigned b1 (buyers))" in plan_back(two, run).guards[0].message


def test_a_created_client_whose_secrets_are_others_since_is_not_deleted(two: Shop, tmp_path: Path) -> None:
    named = (NamedSecret("primary", deliver=(ToFile("c.secret"),)),)
    spec: dict[str, Any] = {
        "AccessTokenDuration": 60,
        "Active": True,
        "AllowSeller": True,
        "DefaultContextUserName": "emulator-admin",
    }
    deliverer = Deliverer(AllowedPaths(tmp_path), lambda _text: None)
    run = run_of(two, tmp_path, replace(manifest("c", **spec), named_secrets=named), deliverer=deliverer)
    assert rules(plan_back(two, run)) == []
    assert "secrets already delivered are not removed" in plan_back(two, run).warnings[0]
    path = f"/apiclients/{two.bodies()['c']['ID']}/secrets"
    with two.writer() as writer:
        (made,) = writer.list_all(path)
        writer.post(path, {"Name": "of the portal"})
        writer.patch(path, str(made["ID"]), {"Expiration": "2099-01-01T00:00:00Z"})
    told = plan_back(two, run).guards[0].message
    assert "added the secret of the portal (id " in told
    assert f"changed the secret primary (id {made['ID']})" in told
    assert "modified after that run (" in told
    with two.writer() as writer:
        writer.delete(path, str(made["ID"]))
    assert f"deleted the secret primary (id {made['ID']})" in plan_back(two, run).guards[0].message


def test_a_created_client_that_got_a_secret_of_the_older_generation_is_not_deleted(tmp_path: Path) -> None:
    with shop(tmp_path, body(A, "a", ClientSecret="any"), profile="legacy") as legacy:
        run = run_of(legacy, tmp_path, manifest("c", AccessTokenDuration=60))
        assert rules(plan_back(legacy, run)) == []
        legacy.edit("c", ClientSecret="planted")
        (finding,) = plan_back(legacy, run).guards
        assert "set ClientSecret" in finding.message
        assert "planted" not in finding.message


KEY = b"a plan key of some length"
KEYED = replace(NO_LIMITS, plan_key=KEY)
LEGACY_SECRET = SecretReference(SecretSource.ENVIRONMENT, "NEW")
GENERATED = SecretReference(SecretSource.GENERATED, deliver=(ToFile("c.secret"),))


@pytest.mark.parametrize("reference", [LEGACY_SECRET, GENERATED], ids=["reference", "generated"])
def test_a_created_client_whose_readable_secret_was_replaced_since_is_not_deleted(
    tmp_path: Path, reference: SecretReference
) -> None:
    with shop(tmp_path, body(A, "a", ClientSecret="any"), profile="legacy") as legacy:
        legacy.secrets["NEW"] = "planted-new"
        deliverer = Deliverer(AllowedPaths(tmp_path), lambda _text: None)
        wanted = manifest("c", AccessTokenDuration=60, secrets={"ClientSecret": reference})
        run = run_of(legacy, tmp_path, wanted, deliverer=deliverer, plan_key=KEY)
        assert rules(plan_back(legacy, run, target=KEYED)) == []
        legacy.edit("c", ClientSecret="replaced-since")
        (finding,) = plan_back(legacy, run, target=KEYED).guards
        assert (finding.rule, finding.can_be_acknowledged) == ("rollback-moved", False)
        assert "modified after that run (replaced ClientSecret)" in finding.message
        assert not any("replaced-since" in one.read_text() for one in (tmp_path / "runs").glob("*.jsonl"))


@pytest.mark.parametrize(("then", "now"), [(KEY, None), (None, KEY), (None, None)], ids=["now", "then", "both"])
def test_without_a_plan_key_a_created_client_with_a_readable_secret_is_deleted_only_if_acknowledged(
    tmp_path: Path, then: bytes | None, now: bytes | None
) -> None:
    with shop(tmp_path, body(A, "a", ClientSecret="any"), profile="legacy") as legacy:
        legacy.secrets["NEW"] = "planted-new"
        wanted = manifest("c", AccessTokenDuration=60, secrets={"ClientSecret": LEGACY_SECRET})
        run = run_of(legacy, tmp_path, wanted, plan_key=then)
        plan = plan_back(legacy, run, target=replace(NO_LIMITS, plan_key=now))
        (finding,) = plan.guards
        assert (finding.rule, finding.can_be_acknowledged) == ("rollback-secret", True)
        with pytest.raises(GuardRefusal):
            legacy.apply(plan)
        legacy.apply(plan, acknowledged=acknowledgement(plan))
        assert set(legacy.bodies()) == {"a"}


def test_a_null_that_the_answer_to_the_creation_left_out_is_no_change(two: Shop, tmp_path: Path) -> None:
    run = run_of(two, tmp_path, manifest("c", AccessTokenDuration=60))
    left = {name: value for name, value in (run.changes[0].left or {}).items() if name != "FutureFlag"}
    run = replace(run, changes=(replace(run.changes[0], left=left),))
    assert rules(plan_back(two, run)) == []
    two.edit("c", FutureFlag="on")
    assert "FutureFlag" in plan_back(two, run).guards[0].message


def test_what_was_cut_off_before_its_end_was_recorded_is_judged_by_the_defaults_of_the_api(
    two: Shop, tmp_path: Path
) -> None:
    run = run_of(two, tmp_path, manifest("c", AccessTokenDuration=60))
    run = replace(run, changes=(replace(run.changes[0], left=None),))
    assert rules(plan_back(two, run)) == []
    two.edit("c", Active=True)
    assert "changed Active" in plan_back(two, run).guards[0].message


def test_it_says_where_the_manifests_still_ask_for_what_is_taken_back(two: Shop, tmp_path: Path) -> None:
    wanted = [
        manifest("a", AccessTokenDuration=60, assignments={"buyers": ("b1", "b2")}),
        manifest("b", policy=GONE),
        manifest("c", AccessTokenDuration=60),
    ]
    run = run_of(two, tmp_path, *wanted)
    told = plan_back(two, run, manifests=desired(*wanted)).warnings[-1]
    assert "values that this rolls back: ApiClient/a, ApiClient/b, ApiClient/c; revert them too" in told
    reverted = desired(manifest("a", AccessTokenDuration=600, assignments={"buyers": ("b1",)}), manifest("b"))
    assert not any("still declare" in warning for warning in plan_back(two, run, manifests=reverted).warnings)
    assigns = desired(manifest("a", assignments={"buyers": ("b1", "b2")}))
    assert "back: ApiClient/a;" in plan_back(two, run, manifests=assigns).warnings[-1]
    resets = desired(manifest("a", policy=Policy(fields=FieldsPolicy.EXCLUSIVE)))
    assert not any("still declare" in warning for warning in plan_back(two, run, manifests=resets).warnings)


def test_a_manifest_that_asks_for_one_of_the_fields_still_asks(two: Shop, tmp_path: Path) -> None:
    run = run_of(two, tmp_path, manifest("a", AccessTokenDuration=60, RefreshTokenDuration=600))
    half = desired(manifest("a", AccessTokenDuration=60))
    assert "values that this rolls back: ApiClient/a;" in plan_back(two, run, manifests=half).warnings[-1]


def test_a_protected_resource_is_protected_from_a_rollback_as_well(two: Shop, tmp_path: Path) -> None:
    run = run_of(two, tmp_path, manifest("c", AccessTokenDuration=60))
    manifests = desired(manifest("c", AccessTokenDuration=60, policy=Policy(protected=True)))
    assert rules(plan_back(two, run, manifests=manifests)) == ["protected"]


def test_what_the_run_deleted_is_there_again_under_its_id(two: Shop, tmp_path: Path) -> None:
    before = state(two)["b"]
    run = run_of(two, tmp_path, manifest("b", policy=GONE))
    plan = plan_back(two, run)
    assert "with its old id if the service accepts it, otherwise with a new one" in plan.warnings[0]
    assert two.apply(plan).is_complete
    assert state(two)["b"] == before
    assert "ApiClient/b exists, although that run planned to delete it" in plan_back(two, run).warnings


def test_where_the_service_makes_ids_it_is_there_under_a_new_one_and_that_is_said(tmp_path: Path) -> None:
    with shop(tmp_path, body(A, "a"), put_creates=False) as strict:
        run = run_of(strict, tmp_path, manifest("a", policy=GONE))
        (outcome,) = take_back(strict, run).outcomes
        assert (outcome.status, outcome.message) == (Status.APPLIED, "the service assigned its id")
        assert outcome.id == strict.bodies()["a"]["ID"] != A


def test_another_of_the_name_of_what_was_deleted_refuses_the_plan(two: Shop, tmp_path: Path) -> None:
    run = run_of(two, tmp_path, manifest("b", policy=GONE))
    two.converge(desired(manifest("b", id=client_id(0xBB), AccessTokenDuration=60)))
    assert "another API client with its name, " in plan_back(two, run).guards[0].message


def test_secrets_stay_as_they_are_and_the_plan_says_so(tmp_path: Path) -> None:
    source = SecretReference(SecretSource.ENVIRONMENT, "NEW")
    with shop(tmp_path, body(A, "a", ClientSecret="planted-old"), profile="legacy") as legacy:
        legacy.secrets["NEW"] = "planted-new"
        run = run_of(legacy, tmp_path, manifest("a", AccessTokenDuration=60, secrets={"ClientSecret": source}))
        plan = plan_back(legacy, run)
        assert plan.warnings[0].startswith("ApiClient/a: secrets are not rolled back")
        assert legacy.apply(plan).is_complete
        after = legacy.bodies()["a"]
    assert (after["AccessTokenDuration"], after["ClientSecret"]) == (600, "planted-new")


def test_only_what_was_written_is_taken_back(two: Shop, tmp_path: Path) -> None:
    two.fault(f"PUT /v1/apiclients/{A} status=400 count=all")
    run = run_of(two, tmp_path, manifest("a", Active=False), manifest("b", Active=False), keep_going=True)
    two.clear_faults()
    assert [str(change.address) for change in plan_back(two, run).changes] == ["ApiClient/b"]


def test_an_uncertain_write_that_was_not_carried_out_is_in_step(two: Shop, tmp_path: Path) -> None:
    two.fault("PUT /v1/apiclients/* drop=before count=all")
    run = run_of(two, tmp_path, manifest("a", Active=False), manifest("c", AccessTokenDuration=60), keep_going=True)
    two.clear_faults()
    assert not plan_back(two, run).has_changes


def test_a_client_of_unknown_id_is_found_by_its_name(tmp_path: Path) -> None:
    with shop(tmp_path, put_creates=False) as empty:
        run_of(empty, tmp_path, manifest("new", AccessTokenDuration=60))
        path = journal.find(tmp_path / "runs", "last")
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:5]))
        run = recorded(journal.read(path))
        assert run
        assert take_back(empty, run).is_complete
        assert empty.bodies() == {}


def test_what_the_service_had_made_otherwise_is_taken_back_as_well(two: Shop, tmp_path: Path) -> None:
    two.fault(f"PUT /v1/apiclients/{A} body=bom")
    two.fault(f"GET /v1/apiclients/{A} after=1 edit=AccessTokenDuration:61")
    run = run_of(two, tmp_path, manifest("a", AccessTokenDuration=60))
    assert run.changes[0].status is Status.NOT_CONVERGED
    assert take_back(two, run).is_complete
    assert two.bodies()["a"]["AccessTokenDuration"] == 600


def test_a_run_of_another_marketplace_is_refused(two: Shop, tmp_path: Path) -> None:
    run = run_of(two, tmp_path, manifest("a", Active=False))
    with pytest.raises(PlanRefused) as caught:
        plan_back(two, run, target=Target("production", None, Limits()))
    assert caught.value.reason == "environment"


def test_guards_count_what_manifests_claim_as_managed(two: Shop, tmp_path: Path) -> None:
    run = run_of(two, tmp_path, manifest("a", AccessTokenDuration=60))
    half = Target("test", None, Limits(changes_percent=50, deletes=None))
    manifests = desired(manifest("a"), manifest("b", id=B))
    assert rules(plan_back(two, run, target=half)) == ["limit-changes-percent"]
    assert rules(plan_back(two, run, manifests=manifests, target=half)) == []
