"""Secrets that no answer has: never compared, never erased, and written when something says that they must be."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import SecretMissing
from reconciler.kinds import KINDS
from reconciler.kinds.direction import sends_to
from reconciler.kinds.secrecy import field_of
from reconciler.model.inputs import Selection
from reconciler.model.outcome import Status
from reconciler.model.plan import Action, Change, Plan
from reconciler.model.resource import Address, DesiredState
from reconciler.model.secret import SecretReference, SecretSource
from reconciler.planning import planfile
from reconciler.planning.planfile import reading
from tests.builders import desired, manifest
from tests.events import Tap, event
from tests.service import NO_LIMITS, Shop, shop

VALUE = "CustomAuthHeaderValue"
EVENT = Address("IntegrationEvent", "shop")
PATH = "/v1/integrationEvents/shop"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Shop]:
    with shop(tmp_path) as opened:
        opened.transport = Tap(opened.transport, PATH)
        opened.secrets |= {"HASH_KEY": "key", "GATEWAY": "first"}
        yield opened


def tap(service: Shop) -> Tap:
    assert isinstance(service.transport, Tap)
    return service.transport


def wanted(*, with_value: bool = True, **spec: Any) -> DesiredState:
    """An event that is called through a gateway; its manifest knows the gateway's key, or does not."""
    one = event("shop", CustomAuthHeaderName="x-key", **spec)
    value = {VALUE: SecretReference(SecretSource.ENVIRONMENT, "GATEWAY")} if with_value else {}
    return desired(replace(one, secrets={**one.secrets, **value}))


def change_of(plan: Plan) -> Change:
    return next(change for change in plan.changes if change.address == EVENT)


def there(service: Shop) -> None:
    """The event as its whole manifest has it."""
    assert service.converge(wanted()).is_complete
    tap(service).taken()


def test_a_value_that_nobody_can_see_is_no_change_and_is_not_called_in_step(service: Shop) -> None:
    there(service)
    plan = service.plan(wanted())
    assert not plan.has_changes
    assert [text for text in plan.warnings if f"(unknown: no receipt): {EVENT}#{VALUE}" in text]


def test_with_the_value_at_hand_a_change_is_put_with_it(service: Shop) -> None:
    there(service)
    assert service.converge(wanted(Name="New")).is_complete
    ((method, body),) = tap(service).taken()
    assert (method, body["Name"], body[VALUE]) == ("PUT", "New", "first")


def test_without_the_value_exactly_the_changed_fields_are_patched(service: Shop) -> None:
    there(service)
    plan = service.plan(wanted(with_value=False, Name="New"))
    assert any(text.startswith(f"{EVENT}: {VALUE} is write-only") for text in plan.warnings)
    saved = reading.loads(planfile.dumps(plan), "plan.json")
    assert change_of(saved).is_patch
    assert service.apply(saved).is_complete
    assert tap(service).taken() == [("PATCH", {"Name": "New"})]
    assert not service.plan(wanted(with_value=False, Name="New")).has_changes


def test_an_acknowledgement_of_a_put_is_none_of_a_patch(service: Shop) -> None:
    there(service)
    plan = service.plan(wanted(with_value=False, Name="New"))
    changes = tuple(replace(change, is_patch=False) for change in plan.changes)
    assert planfile.changes_digest(plan) != planfile.changes_digest(replace(plan, changes=changes))


@pytest.mark.parametrize(
    "spec", [{"CustomAuthHeaderName": "x-other"}, {"ConfigData": {}}], ids=["another header", "a member less"]
)
def test_what_cannot_be_patched_is_refused_and_names_the_secret(service: Shop, spec: dict[str, Any]) -> None:
    assert service.converge(wanted(ConfigData={"a": 1})).is_complete
    one = wanted(with_value=False, ConfigData={"a": 1}).resources[0]
    plan = service.plan(desired(replace(one, spec={**one.spec, **spec})))
    (finding,) = plan.guards
    assert (finding.rule, finding.can_be_acknowledged) == ("hidden-secret", False)
    assert VALUE in finding.message
    assert finding.fix == f"write {VALUE}: {{fromEnv: NAME}} in its manifest; or remove it: {VALUE}: null"
    assert not service.plan(desired(replace(one, spec={**one.spec, "ConfigData": {"a": 2}}))).guards


def test_another_host_does_not_get_a_secret_that_the_manifest_does_not_name(service: Shop) -> None:
    there(service)
    plan = service.plan(wanted(with_value=False, CustomImplementationUrl="https://other.example/shop"))
    (finding,) = plan.guards
    assert (finding.rule, finding.can_be_acknowledged) == ("hidden-secret", False)
    assert "changing CustomImplementationUrl, or clearing it and setting another one later," in finding.message
    assert not service.plan(wanted(with_value=False, CustomImplementationUrl="https://shop.example/other")).guards
    assert not service.plan(wanted(CustomImplementationUrl="https://other.example/shop")).guards


def test_a_webhook_does_not_lose_its_url_and_keep_a_secret_that_the_next_host_would_get(service: Shop) -> None:
    there = {"Name": "Hook", "Url": "https://shop.example", "CustomAuthHeaderName": "x-key"}
    secrets = {one: SecretReference(SecretSource.ENVIRONMENT, "GATEWAY") for one in ("HashKey", VALUE)}
    hook = replace(event("hook"), address=Address("Webhook", "hook"), spec=there, secrets=secrets)
    assert service.converge(desired(hook)).is_complete
    bare = replace(hook, spec={**there, "Url": None}, secrets={"HashKey": secrets["HashKey"]})
    assert [one.rule for one in service.plan(desired(bare)).guards] == ["hidden-secret"]
    assert not service.plan(desired(replace(bare, secrets=secrets))).guards
    unnamed = replace(bare, spec={**bare.spec, "CustomAuthHeaderName": None}, secrets={**secrets, VALUE: None})
    assert not service.plan(desired(unnamed)).guards


def test_a_url_that_the_restore_cleared_is_put_back_without_the_secret(service: Shop) -> None:
    there(service)
    service.http.post("/_emulator/staging-restore").raise_for_status()
    assert service.converge(wanted(with_value=False)).is_complete


def test_an_event_that_lost_its_url_gets_its_value_again(service: Shop) -> None:
    there(service)
    service.http.post("/_emulator/staging-restore").raise_for_status()
    assert service.converge(wanted()).is_complete
    ((method, body),) = tap(service).taken()
    assert (method, body[VALUE]) == ("PUT", "first")


@pytest.mark.parametrize(("assignments", "is_restore"), [({}, True), ({"buyers": ("main",)}, False)])
def test_a_plan_of_a_part_sees_a_restore_where_that_of_the_whole_does(
    service: Shop, assignments: dict[str, tuple[str, ...]], *, is_restore: bool
) -> None:
    there(service)
    with service.writer() as writer:
        for name in "ab":
            writer.post("/apiclients", {"AppName": name, "AccessTokenDuration": 60})
    clients = [manifest(name, OrderCheckoutIntegrationEventID="shop", assignments=assignments) for name in "ab"]
    every = desired(*wanted().resources, *clients)
    for only in ((), (str(EVENT),)):
        change = change_of(service.plan(every, replace(NO_LIMITS, selection=Selection(only))))
        assert [one.pointer for one in change.fields] == ([f"/{VALUE}"] if is_restore else [])


def test_a_value_is_written_again_when_the_user_asks(service: Shop) -> None:
    there(service)
    target = replace(NO_LIMITS, selection=Selection(write_secrets=(f"{EVENT}#{VALUE}",)))
    plan = service.plan(wanted(), target)
    assert [(one.pointer, one.sensitive) for one in change_of(plan).fields] == [(f"/{VALUE}", True)]
    assert service.apply(plan).is_complete
    ((method, body),) = tap(service).taken()
    assert (method, body[VALUE]) == ("PUT", "first")


def test_a_value_is_written_when_the_last_one_was_another(service: Shop) -> None:
    target = replace(NO_LIMITS, plan_key=b"key")
    outcome = service.apply(service.plan(wanted(), target), plan_key=b"key").outcomes[0]
    known = {(EVENT, name): one for name, one in outcome.fingerprints.items()}
    target = replace(target, fingerprints=known)
    same = service.plan(wanted(), target)
    assert not same.has_changes
    assert not [text for text in same.warnings if VALUE in text]
    service.secrets["GATEWAY"] = "second"
    assert [one.pointer for one in change_of(service.plan(wanted(), target)).fields] == [f"/{VALUE}"]


def test_a_write_of_nothing_but_the_value_is_sent_again_when_its_answer_is_lost(service: Shop) -> None:
    there(service)
    target = replace(NO_LIMITS, selection=Selection(write_secrets=(f"{EVENT}#{VALUE}",)))
    plan = service.plan(wanted(), target)
    tap(service).lose_answers = 1
    (outcome,) = service.apply(plan).outcomes
    assert outcome.status is Status.APPLIED
    assert [body[VALUE] for _, body in tap(service).taken()] == ["first", "first"]


def test_a_lost_answer_to_a_patch_is_settled_by_looking(service: Shop) -> None:
    there(service)
    plan = service.plan(wanted(with_value=False, Name="New"))
    tap(service).lose_answers = 1
    assert service.apply(plan).is_complete
    assert tap(service).taken() == [("PATCH", {"Name": "New"})]


def test_a_header_is_removed_with_its_value(service: Shop) -> None:
    there(service)
    one = wanted().resources[0]
    bare = replace(one, spec={**one.spec, "CustomAuthHeaderName": None}, secrets={**one.secrets, VALUE: None})
    assert service.converge(desired(bare)).is_complete
    assert not service.plan(desired(bare)).has_changes
    assert change_of(service.plan(desired(bare))).action is Action.NO_OP


# ------------------------------------------------------------------------------------- readable secrets that are sent

LOGIN = Address("OpenIdConnect", "login")


def login(token_host: str, *, with_secret: bool = True, **spec: Any) -> DesiredState:
    """Logins through an identity provider; the manifest knows the client secret there, or does not."""
    hosts = {"AppStartUrl": "https://shop.example", "AuthorizationEndpoint": "https://idp.example/authorize"}
    ids = {"OrderCloudApiClientID": "00000000-0000-0000-0000-00000000AD01", "ConnectClientID": "shop"}
    secrets = {"ConnectClientSecret": SecretReference(SecretSource.ENVIRONMENT, "GATEWAY")} if with_secret else {}
    spec = {**ids, **hosts, "TokenEndpoint": f"https://{token_host}/token", **spec}
    return desired(replace(event("login"), address=LOGIN, spec=spec, secrets=secrets))


def test_another_host_does_not_get_a_readable_secret_that_the_manifest_does_not_name(service: Shop) -> None:
    assert service.converge(login("idp.example")).is_complete
    (finding,) = service.plan(login("evil.example", with_secret=False)).guards
    assert (finding.rule, finding.can_be_acknowledged) == ("hidden-secret", False)
    assert "has a ConnectClientSecret that its manifest does not name: changing TokenEndpoint" in finding.message
    assert "write ConnectClientSecret: {fromEnv: NAME} in its manifest" in finding.fix
    assert not service.plan(login("idp.example", with_secret=False, TokenEndpoint="https://idp.example/new")).guards
    assert not service.plan(login("idp.example", with_secret=False, AppStartUrl="https://other.example")).guards
    assert not service.plan(login("new.example")).guards


def test_whoever_has_a_readable_secret_sent_to_another_host_must_have_it_at_hand(service: Shop) -> None:
    assert service.converge(login("idp.example")).is_complete
    del service.secrets["GATEWAY"]
    plan = service.plan(login("new.example"))
    assert [intent.field for intent in plan.changes[0].secrets] == ["ConnectClientSecret"]
    with pytest.raises(SecretMissing):
        service.apply(plan)
    service.secrets["GATEWAY"] = "first"
    assert service.apply(plan).is_complete
    assert not service.plan(login("new.example")).has_changes


def test_every_secret_that_no_answer_has_says_which_url_it_is_sent_to() -> None:
    for kind in KINDS.values():
        for name in kind.write_only_fields:
            if field_of(name) == name:
                assert kind.fields[kind.secret_rows[name].sent_to].direction_of is sends_to
