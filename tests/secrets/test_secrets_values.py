"""Named secrets from the manifest to the service: what a plan says of them, and what an apply makes and delivers."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import InputError, PlanRefused, ReconcilerError, RequestFacts, SecretMissing
from reconciler.kinds import KINDS
from reconciler.manifests.files import AllowedPaths
from reconciler.model.named_secret import NamedSecret
from reconciler.model.outcome import ApplyResult, Status
from reconciler.model.plan import Action, Change, Direction, Plan, SecretIntent
from reconciler.model.resource import Address, DesiredResource, LiveState
from reconciler.model.secret import (
    REDACTION,
    Secret,
    SecretReference,
    SecretSource,
    ToCommand,
    ToEnvFile,
    ToFile,
    ToGithubOutput,
    ToKubernetesSecret,
)
from reconciler.planning import hidden_secrets, planfile
from reconciler.planning.planfile import reading
from reconciler.secrets import look_up, prepare
from reconciler.secrets.delivery import Deliverer
from tests.builders import BINDING, body, desired, manifest
from tests.events import event
from tests.service import NO_LIMITS, Shop, client_id, shop

A = client_id(0xA)
KEY = b"key"
OPEN: dict[str, Any] = {"AllowSeller": True, "DefaultContextUserName": "emulator-admin"}
DELIVERED = NamedSecret("primary", deliver=(ToFile("a.secret"),))


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Shop]:
    """A marketplace of one client, which has no secret."""
    with shop(tmp_path, body(A, "a", **OPEN)) as opened:
        yield opened


def wanting(*secrets: NamedSecret, **spec: Any) -> DesiredResource:
    return replace(manifest("a", **spec), named_secrets=secrets)


def apply(shop: Shop, plan: Plan, folder: Path) -> ApplyResult:
    return shop.apply(plan, deliverer=Deliverer(AllowedPaths(folder), tell=lambda _text: None))


def secrets_of(shop: Shop, object_id: str = A) -> list[str]:
    """The names of all secrets of a client."""
    with shop.reader() as reader:
        return sorted(str(one["Name"]) for one in reader.list_all(f"/apiclients/{object_id}/secrets"))


def add_secret(shop: Shop, name: str, expires: datetime | None = None) -> None:
    """Make a secret as somebody in the portal would."""
    with shop.writer() as writer:
        expiry = {"Expiration": expires.isoformat()} if expires else {}
        writer.post(f"/apiclients/{A}/secrets", {"Name": name, **expiry})
    shop.forget()


def logs_in(shop: Shop, value: str) -> bool:
    login = {"grant_type": "client_credentials", "client_id": A, "client_secret": value}
    return shop.http.post("/oauth/token", data=login).is_success


def test_a_missing_secret_is_made_delivered_and_opens_a_login(one: Shop, tmp_path: Path) -> None:
    plan = one.plan(desired(wanting(DELIVERED)))
    (change,) = [change for change in plan.changes if change.action is Action.UPDATE]
    assert [(field.pointer, field.sensitive, field.direction) for field in change.fields] == [
        ("/secrets/primary", True, Direction.NARROWS)
    ]
    assert [outcome.status for outcome in apply(one, plan, tmp_path).outcomes] == [Status.APPLIED]
    assert secrets_of(one) == ["primary"]
    assert logs_in(one, (tmp_path / "a.secret").read_text())
    assert not one.plan(desired(wanting(DELIVERED))).has_changes


def test_the_secrets_of_a_client_are_listed_once_by_a_plan_and_once_for_all_that_are_made(
    one: Shop, tmp_path: Path
) -> None:
    wanted = [NamedSecret(name, deliver=(ToFile(f"{name}.secret"),)) for name in ("primary", "second", "third")]
    lists = ("GET", f"/v1/apiclients/{A}/secrets")
    plan = one.plan(
        desired(wanting(*wanted), replace(manifest("new", AccessTokenDuration=60), named_secrets=(wanted[0],)))
    )
    assert [each["path"] for each in one.requests() if each["path"].endswith("/secrets")] == [lists[1]]
    one.forget()
    apply(one, replace(plan, changes=tuple(each for each in plan.changes if each.id == A)), tmp_path)
    asked = [(each["method"], each["path"]) for each in one.requests()]
    assert (asked.count(lists), secrets_of(one)) == (1, ["primary", "second", "third"])


def test_a_client_that_is_made_gets_its_secrets_as_well(one: Shop, tmp_path: Path) -> None:
    new = replace(manifest("new", AccessTokenDuration=600, Active=True, **OPEN), named_secrets=(DELIVERED,))
    result = apply(one, one.plan(desired(new)), tmp_path)
    (outcome,) = result.outcomes
    assert (outcome.status, secrets_of(one, outcome.id or "")) == (Status.APPLIED, ["primary"])


def test_a_missing_secret_without_a_delivery_is_reported_and_not_made(one: Shop) -> None:
    plan = one.plan(desired(wanting(NamedSecret("primary"))))
    assert not plan.has_changes
    (warning,) = plan.warnings
    assert warning.startswith(
        "ApiClient/a: secret primary is missing and is not created: its manifest declares no deliv"
    )


NOW = datetime.now(UTC)
SOON, LATER = NOW + timedelta(days=3), NOW + timedelta(days=300)


@pytest.mark.parametrize(
    ("live", "wanted", "said"),
    [
        (("primary", None), DELIVERED, None),
        (("primary", LATER), DELIVERED, None),
        (("primary", SOON), DELIVERED, "within its overlap of 7d"),
        (("primary", SOON), replace(DELIVERED, overlap=timedelta(days=1)), None),
        (("primary", None), replace(DELIVERED, max_age=timedelta(days=90)), "expires never, but its manifest requires"),
        (("primary", LATER), replace(DELIVERED, max_age=timedelta(days=90)), "max age 90d, overlap 7d"),
        (("primary", LATER), replace(DELIVERED, expires=NOW + timedelta(days=20)), "its manifest requires expires"),
    ],
)
def test_what_is_said_of_a_secret_that_is_there(
    one: Shop, live: tuple[str, datetime | None], wanted: NamedSecret, said: str | None
) -> None:
    add_secret(one, *live)
    plan = one.plan(desired(wanting(wanted)))
    assert not plan.has_changes
    assert all(said is not None and said in text for text in plan.warnings)
    assert len(plan.warnings) == (said is not None)


def test_what_has_expired_or_was_left_over_is_told_apart(one: Shop) -> None:
    for name in ("primary", "primary", "primary.unproven", "primary.retired", "stranger"):
        add_secret(one, name, LATER)
    target = replace(NO_LIMITS, now=LATER + timedelta(days=1))
    said = "\n".join(one.plan(desired(wanting(DELIVERED)), target).warnings)
    for words in (
        "expired at",
        "exists twice",
        "not delivered",
        "can be deleted",
        "stranger (id",
        "in no manifest",
    ):
        assert words in said


def test_a_manifest_without_the_block_reads_and_says_nothing(one: Shop) -> None:
    add_secret(one, "stranger")
    plan = one.plan(desired(manifest("a")))
    assert plan.warnings == ()
    assert not [entry for entry in one.requests() if entry["path"].endswith("/secrets")]


def test_an_empty_block_reports_what_is_there_and_deletes_nothing(one: Shop) -> None:
    add_secret(one, "stranger")
    plan = one.plan(desired(wanting()))
    assert not plan.has_changes
    assert "in no manifest" in plan.warnings[0]


def test_more_secrets_than_the_service_keeps_are_foretold(one: Shop) -> None:
    for number in range(10):
        add_secret(one, f"s{number}")
    assert any("there would be 11 secrets" in text for text in one.plan(desired(wanting(DELIVERED))).warnings)


def test_a_delivery_that_cannot_be_made_is_found_before_the_first_write(one: Shop, tmp_path: Path) -> None:
    (tmp_path / "a.secret").mkdir()
    plan = one.plan(desired(wanting(DELIVERED, Active=False)))
    one.forget()
    with pytest.raises(Exception, match=r"is not a file, so no secret can be delivered"):
        apply(one, plan, tmp_path)
    assert one.writes() == []


def test_a_secret_that_somebody_made_meanwhile_is_left_alone(one: Shop, tmp_path: Path) -> None:
    plan = one.plan(desired(wanting(DELIVERED)))
    add_secret(one, "primary")
    assert [outcome.status for outcome in apply(one, plan, tmp_path).outcomes] == [Status.APPLIED]
    assert (secrets_of(one), (tmp_path / "a.secret").exists()) == (["primary"], False)


# --------------------------------------------------------------------------------------------- the legacy generation

GENERATED = SecretReference(SecretSource.GENERATED, deliver=(ToFile("a.secret"),))


def legacy(folder: Path, value: str | None) -> Any:
    return shop(folder, body(A, "a", ClientSecret=value, **OPEN), profile="legacy")


def with_secret(reference: SecretReference | None) -> DesiredResource:
    return manifest("a", secrets={"ClientSecret": reference})


def test_a_generated_secret_is_delivered_and_then_set(tmp_path: Path) -> None:
    with legacy(tmp_path, None) as one:
        plan = one.plan(desired(with_secret(GENERATED)))
        assert [outcome.status for outcome in apply(one, plan, tmp_path).outcomes] == [Status.APPLIED]
        value = (tmp_path / "a.secret").read_text()
        assert (len(value), one.bodies()["a"]["ClientSecret"]) == (60, value)
        assert not one.plan(desired(with_secret(GENERATED))).has_changes


def test_a_generated_secret_never_replaces_one_that_is_there(tmp_path: Path) -> None:
    with legacy(tmp_path, "kept") as one:
        assert not one.plan(desired(with_secret(GENERATED))).has_changes


def test_a_secret_that_appears_before_a_generated_one_is_set_is_a_conflict(tmp_path: Path) -> None:
    with legacy(tmp_path, None) as one:
        plan = one.plan(desired(with_secret(GENERATED)))
        one.edit("a", ClientSecret="theirs")
        (outcome,) = apply(one, plan, tmp_path).outcomes
        assert (outcome.status, one.bodies()["a"]["ClientSecret"]) == (Status.CONFLICT, "theirs")


FROM_ENV = SecretReference(SecretSource.ENVIRONMENT, "A_SECRET")


def test_a_secret_that_cannot_be_read_here_is_not_compared_and_the_plan_says_so(tmp_path: Path) -> None:
    with legacy(tmp_path, "old") as one:
        plan = one.plan(desired(with_secret(FROM_ENV)))
        assert not plan.has_changes
        assert "{fromEnv: A_SECRET} is not set; the live secret was not compared with it" in plan.warnings[0]


def test_secrets_that_are_too_long_are_named_before_the_first_write_and_not_shown() -> None:
    too_long = replace(event("shop"), secrets={"HashKey": FROM_ENV, "CustomAuthHeaderValue": FROM_ENV})
    with pytest.raises(
        ReconcilerError, match=r"A_SECRET\} has more than 50 characters, the maximum of HashKey"
    ) as raised:
        look_up(desired(too_long), lambda _: Secret("planted" * 10))
    assert "planted" not in str(raised.value)


def test_a_variable_that_is_missing_for_two_secrets_of_an_object_is_named_once() -> None:
    def resolve(_reference: SecretReference) -> Secret:
        raise SecretMissing("A_SECRET is not set")

    one = manifest("a", secrets=dict.fromkeys(["HashKey", "CustomAuthHeaderValue"], FROM_ENV))
    assert look_up(desired(one), resolve).unresolved == ((one.address, "A_SECRET is not set"),)


def test_a_secret_that_cannot_be_read_here_is_said_to_be_needed_for_what_is_created(tmp_path: Path) -> None:
    with legacy(tmp_path, "old") as one:
        plan = one.plan(desired(manifest("new", secrets={"ClientSecret": FROM_ENV})))
        assert "ApiClient/new: {fromEnv: A_SECRET} is not set; apply requires it" in plan.warnings


def test_every_secret_that_cannot_be_sent_is_named_at_once() -> None:
    def resolve(reference: SecretReference) -> Secret:
        raise ReconcilerError(f"{reference.name} has a control character")

    names = ("one", "two")
    wanted = desired(
        *(manifest(name, secrets={"ClientSecret": SecretReference(SecretSource.ENVIRONMENT, name)}) for name in names)
    )
    with pytest.raises(ReconcilerError) as raised:
        look_up(wanted, resolve)
    assert [name for name in names if f"{name} has a control character" in str(raised.value)] == [*names]


@pytest.mark.parametrize(("value", "key", "is_refused"), [("new", KEY, False), ("x", KEY, True), ("x", None, False)])
def test_a_secret_with_another_value_than_was_planned_is_refused_where_a_key_tells(
    value: str, key: bytes | None, is_refused: bool
) -> None:
    change = Change(
        Address("ApiClient", "a"),
        Action.UPDATE,
        A,
        {},
        {},
        secrets=(SecretIntent("ClientSecret", FROM_ENV, Secret("new").fingerprint(KEY, "ApiClient/a ClientSecret")),),
    )
    refusal = pytest.raises(PlanRefused, match="has changed since the plan was made") if is_refused else nullcontext()
    with refusal:
        prepare(Plan((change,), BINDING), lambda _reference: Secret(value), key, None)


def test_a_secret_that_is_missing_is_planned_unseen_and_demanded_by_apply(tmp_path: Path) -> None:
    with legacy(tmp_path, None) as one:
        plan = one.plan(desired(with_secret(FROM_ENV)))
        assert plan.has_changes
        one.forget()
        with pytest.raises(SecretMissing, match="A_SECRET"):
            apply(one, plan, tmp_path)
        assert one.writes() == []
        one.secrets["A_SECRET"] = "new"
        apply(one, plan, tmp_path)
        assert one.bodies()["a"]["ClientSecret"] == "new"


def test_what_is_applied_at_once_demands_its_secrets_while_it_is_planned(tmp_path: Path) -> None:
    with legacy(tmp_path, "old") as one, pytest.raises(SecretMissing, match="A_SECRET"):
        one.plan(desired(with_secret(FROM_ENV)), replace(NO_LIMITS, requires_secrets=True))


def test_a_secret_field_against_the_current_generation_spells_out_the_migration(one: Shop) -> None:
    one.secrets["A_SECRET"] = "new"
    with pytest.raises(InputError) as caught:
        one.plan(desired(with_secret(FROM_ENV)))
    hint = caught.value.diagnostics[0].hint
    assert "secrets: [{name: primary, deliver: [{file: PATH}]}]" in hint
    assert "docs/secrets.md" in hint


def test_both_generations_live_side_by_side_where_the_service_has_both(tmp_path: Path) -> None:
    with legacy(tmp_path, "kept") as one:
        result = apply(one, one.plan(desired(wanting(DELIVERED))), tmp_path)
        assert [outcome.status for outcome in result.outcomes] == [Status.APPLIED]
        assert (secrets_of(one), one.bodies()["a"]["ClientSecret"]) == (["primary"], "kept")
        assert logs_in(one, "kept")
        assert logs_in(one, (tmp_path / "a.secret").read_text())


def test_a_secret_that_is_the_text_of_an_export_is_told_and_never_sent(tmp_path: Path) -> None:
    with legacy(tmp_path, None) as one:
        one.secrets["A_SECRET"] = REDACTION
        plan = one.plan(desired(with_secret(FROM_ENV)))
        (outcome,) = apply(one, plan, tmp_path).outcomes
        assert (outcome.status, one.bodies()["a"]["ClientSecret"]) == (Status.FAILED, None)


def test_a_live_secret_that_is_the_text_of_an_export_is_a_warning(tmp_path: Path) -> None:
    facts = RequestFacts("GET", "/v1/apiclients")
    live = KINDS["ApiClient"].live(body(A, "a", ClientSecret=REDACTION), facts)
    (warning,) = hidden_secrets.placeholders(LiveState((live,), "shop"))
    assert f"ApiClient {A}: its ClientSecret is the public placeholder" in warning
    assert hidden_secrets.placeholders(LiveState((replace(live, secrets={"ClientSecret": None}),), "shop")) == ()


def test_without_anybody_to_deliver_no_secret_is_made(one: Shop) -> None:
    plan = one.plan(desired(wanting(DELIVERED)))
    one.forget()
    with pytest.raises(ReconcilerError, match="this run cannot deliver any"):
        one.apply(plan)
    assert one.writes() == []


def test_a_plan_that_makes_secrets_is_read_from_its_file_as_it_was(one: Shop) -> None:
    every = (
        ToFile("a.secret"),
        ToEnvFile(".env", "A"),
        ToCommand(("cat", "-"), 5),
        ToGithubOutput("a"),
        ToKubernetesSecret("k.yaml", "a", "b", "c"),
    )
    wanted = NamedSecret("primary", None, timedelta(days=90), timedelta(hours=36), every)
    plan = one.plan(desired(wanting(wanted, Active=False)))
    assert reading.loads(planfile.dumps(plan), "plan.json").changes == plan.changes


def test_a_plan_that_generates_a_secret_is_read_from_its_file_as_it_was(tmp_path: Path) -> None:
    with legacy(tmp_path, None) as one:
        plan = one.plan(desired(with_secret(GENERATED)))
        assert reading.loads(planfile.dumps(plan), "plan.json").changes == plan.changes


def test_only_the_first_secret_of_a_client_narrows(one: Shop) -> None:
    add_secret(one, "by-hand")
    plan = one.plan(desired(wanting(DELIVERED)))
    (change,) = [change for change in plan.changes if change.action is Action.UPDATE]
    assert [(field.pointer, field.direction) for field in change.fields] == [("/secrets/primary", Direction.NEUTRAL)]
