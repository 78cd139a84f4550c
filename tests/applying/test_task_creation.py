"""Creations, whatever the service makes of a PUT to an id that it does not know."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.applying.run import Controls
from reconciler.manifests.files import AllowedPaths
from reconciler.model.named_secret import NamedSecret
from reconciler.model.outcome import Status
from reconciler.model.plan import Action, Creation
from reconciler.model.secret import SecretReference, SecretSource, ToCommand, ToFile
from reconciler.planning import planfile
from reconciler.planning.planfile import reading
from reconciler.render import text
from reconciler.render.style import Style
from reconciler.secrets.delivery import Deliverer
from tests.builders import body, desired, manifest
from tests.service import NO_LIMITS, Shop, client_id, shop

POST = replace(NO_LIMITS, creation="post")
NEW = desired(manifest("new", AccessTokenDuration=60))
REFUSALS = [
    "status=400 code=ApiClient.InvalidClientID",
    "status=400 code=Request.InvalidRequestBody",
    "status=403 code=Auth.InsufficientRoles",
    "status=404",
    "status=404 body=empty",
    "status=405",
    "status=405 body=empty",
    "status=409 code=IdExists",
]


def created(service: Shop, creation: Creation = "auto") -> tuple[Status, str, list[str]]:
    """Apply `NEW`: its status and message, and the methods of all writes."""
    plan = service.plan(NEW)
    service.forget()
    outcome = service.apply(plan, Controls(creation=creation)).outcomes[0]
    return outcome.status, outcome.message, [write.split()[0] for write in service.writes()]


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_put_that_is_refused_without_having_written_is_followed_by_one_post(tmp_path: Path, refusal: str) -> None:
    with shop(tmp_path) as empty:
        empty.fault(f"PUT /v1/apiclients/* count=all {refusal}")
        status, _, methods = created(empty)
        assert (status, methods, list(empty.bodies())) == (Status.APPLIED, ["PUT", "POST"], ["new"])


@pytest.mark.parametrize("refusal", REFUSALS)
def test_where_only_put_is_to_create_a_refusal_says_how_to_allow_post(tmp_path: Path, refusal: str) -> None:
    with shop(tmp_path) as empty:
        empty.fault(f"PUT /v1/apiclients/* count=all {refusal}")
        status, message, methods = created(empty, "put")
        assert (status, set(methods), empty.bodies()) == (Status.FAILED, {"PUT"}, {})
        assert "create: post" in message


def test_where_only_post_creates_no_put_is_tried(tmp_path: Path) -> None:
    with shop(tmp_path) as empty:
        assert created(empty, "post")[::2] == (Status.APPLIED, ["POST"])
        assert not empty.plan(NEW).has_changes


@pytest.mark.parametrize("object_id", [None, client_id(0xC)], ids=["derived", "in the manifest"])
def test_where_only_post_creates_the_plan_shows_no_id(tmp_path: Path, object_id: str | None) -> None:
    new = desired(manifest("new", AccessTokenDuration=60, id=object_id))
    with shop(tmp_path) as empty:
        plan = empty.plan(new, POST)
        assert [one.id for one in plan.changes if one.action is Action.CREATE] == [None]
        assert "id known after apply" in text.plan(plan, "", Style())
        saved = reading.loads(planfile.dumps(plan), "p.json")
        assert empty.objections(saved, new, POST) == ()
        (outcome,) = empty.apply(saved, Controls(creation="post")).outcomes
        assert (outcome.status, outcome.id) == (Status.APPLIED, empty.bodies()["new"]["ID"])


def test_a_plan_for_post_is_not_applied_by_put(tmp_path: Path) -> None:
    with shop(tmp_path) as empty:
        (outcome,) = empty.apply(empty.plan(NEW, POST), Controls(creation="put")).outcomes
        assert (outcome.status, empty.bodies()) == (Status.CONFLICT, {})
        assert "plan again" in outcome.message


@pytest.mark.parametrize("way", ["auto", "post"])
def test_a_command_that_gets_a_generated_secret_is_told_the_id_that_the_service_has_chosen(
    tmp_path: Path, way: Creation
) -> None:
    keep = tmp_path / "keep"
    keep.write_text('#!/bin/sh\necho "$RECONCILER_CLIENT_ID $(cat)" >> kept\n')
    keep.chmod(0o755)
    reference = SecretReference(SecretSource.GENERATED, deliver=(ToCommand((str(keep),)), ToFile("secret")))
    new = desired(manifest("new", AccessTokenDuration=60, secrets={"ClientSecret": reference}))
    with shop(tmp_path, body(client_id(1), "a", ClientSecret="any"), profile="legacy", put_creates=False) as legacy:
        plan = legacy.plan(new, replace(NO_LIMITS, creation=way))
        deliverer = Deliverer(AllowedPaths(tmp_path), lambda _text: None)
        (outcome,) = legacy.apply(plan, Controls(creation=way), deliverer=deliverer).outcomes
        (made,) = [one for name, one in legacy.bodies().items() if name == "new"]
    first, second = (tmp_path / "kept").read_text().splitlines()
    value = made["ClientSecret"]
    planned = next(one.id for one in plan.changes if one.action is Action.CREATE) or ""
    assert (first, second) == (f"{planned} {value}", f"{made['ID']} {value}")
    assert (outcome.status, (tmp_path / "secret").read_text()) == (Status.APPLIED, value)
    assert "was run again with the id of the client" in outcome.message
    assert (f"what it stored for {planned} does not work" in outcome.message) is bool(planned)


def test_a_command_that_fails_once_the_id_is_known_fails_the_change_and_says_so(tmp_path: Path) -> None:
    once = tmp_path / "once"
    once.write_text("#!/bin/sh\ncat > /dev/null; mkdir once.done\n")
    once.chmod(0o755)
    reference = SecretReference(SecretSource.GENERATED, deliver=(ToCommand((str(once),)),))
    new = desired(manifest("new", AccessTokenDuration=60, secrets={"ClientSecret": reference}))
    with shop(tmp_path, body(client_id(1), "a", ClientSecret="any"), profile="legacy", put_creates=False) as legacy:
        deliverer = Deliverer(AllowedPaths(tmp_path), lambda _text: None)
        (outcome,) = legacy.apply(legacy.plan(new, POST), Controls(creation="post"), deliverer=deliverer).outcomes
        assert "new" in legacy.bodies()
    assert (outcome.status, outcome.may_be_written) == (Status.FAILED, True)
    assert "its new secret was not delivered with its id" in outcome.message


def test_a_client_whose_named_secret_is_refused_has_failed_and_was_written_in_part(tmp_path: Path) -> None:
    secret = NamedSecret("primary", None, timedelta(days=90), timedelta(days=2), (ToFile("secret"),))
    new = desired(replace(manifest("new", AccessTokenDuration=60, AllowSeller=True), named_secrets=(secret,)))
    with shop(tmp_path) as empty:
        plan = empty.plan(new)
        empty.fault("POST /v1/apiclients/*/secrets status=400")
        deliverer = Deliverer(AllowedPaths(tmp_path), lambda _text: None)
        (outcome,) = empty.apply(plan, deliverer=deliverer).outcomes
        assert "new" in empty.bodies()
    assert (outcome.status, outcome.uncertain, outcome.partly) == (Status.FAILED, False, True)
    assert "the body was written, but not all secrets were created" in outcome.message


def test_a_secret_command_that_fails_leaves_no_doubt_about_what_was_written(tmp_path: Path) -> None:
    secret = NamedSecret("primary", None, timedelta(days=90), timedelta(days=2), (ToCommand(("false",)),))
    named = replace(manifest("a", AllowSeller=True), named_secrets=(secret,))
    with shop(tmp_path, body(client_id(1), "a", AllowSeller=True)) as one:
        plan = one.plan(desired(named))
        (outcome,) = one.apply(plan, deliverer=Deliverer(AllowedPaths(tmp_path), lambda _text: None)).outcomes
    assert (outcome.status, outcome.uncertain, outcome.may_be_written) == (Status.FAILED, False, True)
    assert outcome.message.startswith("not all secrets were created: command false exited with 1")


def test_a_delivery_that_cannot_be_made_is_no_write(tmp_path: Path) -> None:
    secret = NamedSecret("primary", None, timedelta(days=90), timedelta(days=2), (ToFile("late/secret"),))
    named = replace(manifest("a", AllowSeller=True), named_secrets=(secret,))
    (tmp_path / "late").mkdir()
    with shop(tmp_path, body(client_id(1), "a", AllowSeller=True)) as one:
        plan = one.plan(desired(named))
        one.fault("GET /v1/apiclients/*/secrets status=403 count=all")
        (outcome,) = one.apply(plan, deliverer=Deliverer(AllowedPaths(tmp_path), lambda _text: None)).outcomes
    assert (outcome.status, outcome.uncertain, outcome.may_be_written) == (Status.FAILED, False, False)


def test_a_warning_of_many_new_clients_is_said_once_with_their_number(tmp_path: Path) -> None:
    new = [manifest(f"new{n}", AccessTokenDuration=60, AllowSeller=True) for n in range(5)]
    with shop(tmp_path) as empty:
        few, many = empty.plan(desired(*new[:3])), empty.plan(desired(*new))
    assert len(few.warnings) == 3
    (warning,) = many.warnings
    assert warning.startswith("ApiClient/new0 is created without a secret, ")
    assert warning.endswith("; the same for 4 others: ApiClient/new1, ApiClient/new2, ApiClient/new3, ApiClient/new4")


def test_the_id_that_the_service_has_chosen_is_told_beside_assignments_too(tmp_path: Path) -> None:
    buyers = {"Buyers": [{"ID": "b1", "Name": "b1", "Active": True}]}
    with shop(tmp_path, objects=buyers, put_creates=False) as empty:
        want = desired(manifest("new", AccessTokenDuration=60, assignments={"buyers": ("b1",)}))
        assert empty.converge(want).outcomes[0].message == "the service assigned its id"
        assert len(empty.assigned()) == 1


def test_a_content_that_is_refused_is_not_sent_again_and_the_hint_names_the_id(tmp_path: Path) -> None:
    with shop(tmp_path) as empty:
        empty.fault("PUT /v1/apiclients/* status=400 code=ValidationFailure")
        status, message, methods = created(empty)
        assert (status, methods) == (Status.FAILED, ["PUT"])
        assert "if the id is refused, set create: post" in message


@pytest.mark.parametrize("refusal", ["status=400 body=empty", "status=422 body=html"])
def test_a_refusal_that_is_not_the_api_s_names_the_id_too(tmp_path: Path, refusal: str) -> None:
    with shop(tmp_path) as empty:
        empty.fault(f"PUT /v1/apiclients/* count=all {refusal}")
        status, message, methods = created(empty)
        assert (status, set(methods), empty.bodies()) == (Status.FAILED, {"PUT"}, {})
        assert "if the id is refused, set create: post" in message


def test_a_refused_post_after_a_refused_put_fails_with_the_answer_to_the_post(tmp_path: Path) -> None:
    with shop(tmp_path) as empty:
        for route in ("PUT /v1/apiclients/*", "POST /v1/apiclients"):
            empty.fault(f"{route} status=403 code=Auth.InsufficientRoles")
        status, message, methods = created(empty)
        assert (status, methods) == (Status.FAILED, ["PUT", "POST"])
        assert "POST /v1/apiclients, answered 403" in message


def test_where_the_list_cannot_be_read_nothing_is_posted(tmp_path: Path) -> None:
    with shop(tmp_path) as empty:
        plan = empty.plan(NEW, POST)
        empty.forget()
        empty.fault("GET /v1/apiclients count=all status=403 code=Auth.InsufficientRoles")
        (outcome,) = empty.apply(plan, Controls(creation="post")).outcomes
        assert (outcome.status, empty.writes()) == (Status.FAILED, [])
        assert "GET /v1/apiclients, answered 403" in outcome.message


def test_a_put_that_was_lost_and_then_refused_is_looked_for_by_name_before_the_post(tmp_path: Path) -> None:
    with shop(tmp_path, put_creates=False) as empty:
        empty.fault("PUT /v1/apiclients/* status=500")
        assert created(empty)[::2] == (Status.APPLIED, ["PUT", "PUT", "POST"])
        looked = next(one["query"] for one in empty.requests() if one["path"] == "/v1/apiclients")
        assert looked.startswith("AppName=new")


@pytest.mark.sweep
def test_three_hundred_clients_are_created_eight_at_a_time_with_few_readings_of_the_list(tmp_path: Path) -> None:
    names = [f"client-{number:03}" for number in range(300)]
    with shop(tmp_path, put_creates=False) as empty:
        plan = empty.plan(desired(*(manifest(name, AccessTokenDuration=60) for name in names)))
        empty.forget()
        result = empty.apply(plan, Controls(concurrency=8))
        assert {outcome.status for outcome in result.outcomes} == {Status.APPLIED}
        assert sorted(empty.bodies()) == names
        pages = [one for one in empty.requests() if (one["method"], one["path"]) == ("GET", "/v1/apiclients")]
        assert len(pages) <= 2 * 4 + 4  # before the first POST one page; at the end four; and what the test reads
