"""Secrets inside a record: the targets of a delivery configuration, each with what its receiver asks for."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import InputError
from reconciler.manifests.context import LoadContext
from reconciler.manifests.load import load
from reconciler.model.inputs import Selection
from reconciler.model.plan import Change, Plan
from reconciler.model.resource import Address, DesiredState
from reconciler.planning import planfile
from tests.events import Tap
from tests.service import NO_LIMITS, Shop, shop

HUB = Address("DeliveryConfig", "hub")
CONTEXT = LoadContext(allowed_secrets=frozenset({"RECEIVER", "HEADER", "KAFKA"}))
HTTP = "{Endpoint: 'https://a.example.com', Secret: {fromEnv: RECEIVER}}"
GATEWAY = (
    "{Endpoint: 'https://a.example.com', Secret: {fromEnv: RECEIVER}, CustomAuthHeaderName: x-key, "
    "CustomAuthHeaderValue: {fromEnv: HEADER}}"
)
KAFKA = "{BootstrapServers: b, SaslUsername: u, SaslPassword: {fromEnv: KAFKA}, Topic: t}"
BOTH = f"{{Http: {GATEWAY}, Kafka: {KAFKA}}}"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Shop]:
    with shop(tmp_path) as opened:
        opened.transport = Tap(opened.transport, "/v1/integrations/deliveryconfig/hub")
        opened.secrets |= {"RECEIVER": "planted-receiver", "HEADER": "planted-header", "KAFKA": "planted-kafka"}
        yield opened


def sent(service: Shop) -> list[tuple[str, dict[str, Any]]]:
    assert isinstance(service.transport, Tap)
    return service.transport.taken()


def wanted(folder: Path, targets: str = BOTH, name: str = "Hub", policy: str = "{}") -> DesiredState:
    file = folder / "hub.yaml"
    file.write_text(
        "apiVersion: reconciler/v1\nkind: DeliveryConfig\nmetadata: {name: hub}\n"
        f"spec:\n  Name: {name}\n  Enabled: true\n  DeliveryTargets: {targets}\npolicy: {policy}\n"
    )
    return load([file], CONTEXT).desired


def there(service: Shop, folder: Path, targets: str = BOTH) -> None:
    assert service.converge(wanted(folder, targets)).is_complete
    sent(service)


def change_of(plan: Plan) -> Change:
    return next(change for change in plan.changes if change.address == HUB)


def test_each_secret_is_sent_where_it_belongs_and_is_in_no_plan(service: Shop, tmp_path: Path) -> None:
    plan = service.plan(wanted(tmp_path))
    assert "planted" not in planfile.dumps(plan)
    assert service.apply(plan).is_complete
    ((method, body),) = sent(service)
    http, kafka = body["DeliveryTargets"]["Http"], body["DeliveryTargets"]["Kafka"]
    assert (method, http["Secret"], kafka["SaslPassword"]) == ("PUT", "planted-receiver", "planted-kafka")
    assert http["CustomAuthHeaderValue"] == "planted-header"
    again = service.plan(wanted(tmp_path))
    assert not again.has_changes
    assert any(f"{HUB}#DeliveryTargets/Kafka/SaslPassword" in text for text in again.warnings)


def test_a_changed_target_is_put_with_the_secrets_of_all(service: Shop, tmp_path: Path) -> None:
    there(service, tmp_path)
    assert service.converge(wanted(tmp_path, BOTH.replace("a.example", "b.example"))).is_complete
    ((method, body),) = sent(service)
    assert (method, body["DeliveryTargets"]["Kafka"]["SaslPassword"]) == ("PUT", "planted-kafka")


def test_without_one_of_them_a_changed_target_is_refused_and_the_missing_one_is_named(
    service: Shop, tmp_path: Path
) -> None:
    there(service, tmp_path)
    less = BOTH.replace("SaslPassword: {fromEnv: KAFKA}, ", "")
    (finding,) = service.plan(wanted(tmp_path, less.replace("a.example", "b.example"))).guards
    assert (finding.rule, "DeliveryTargets/Kafka/SaslPassword" in finding.message) == ("hidden-secret", True)
    assert finding.fix == "write SaslPassword: {fromEnv: NAME} in DeliveryTargets/Kafka of its manifest"
    assert not service.plan(wanted(tmp_path, less)).has_changes


def test_without_one_of_them_what_is_beside_the_targets_is_patched(service: Shop, tmp_path: Path) -> None:
    there(service, tmp_path)
    less = BOTH.replace("SaslPassword: {fromEnv: KAFKA}, ", "")
    assert service.converge(wanted(tmp_path, less, "New")).is_complete
    assert sent(service) == [("PATCH", {"Name": "New"})]


WITHOUT_SECRETS = (
    "{Http: {Endpoint: 'https://b.example.com'}}",
    "{Http: {Endpoint: 'https://a.example.com', CustomAuthHeaderName: x-key}, Kafka: null}",
    "{Http: {Endpoint: 'https://a.example.com', CustomAuthHeaderName: null}}",
    "{Kafka: {BootstrapServers: c, SaslUsername: u, Topic: t}}",
    f"{{Http: {HTTP}, Kafka: {{BootstrapServers: b, SaslUsername: u, Topic: t}}}}",
)


@pytest.mark.parametrize("policy", ["{}", "{fields: exclusive}", "{ignore: [/DeliveryTargets/Kafka]}"])
def test_no_manifest_erases_a_secret_of_a_target_that_stays(service: Shop, tmp_path: Path, policy: str) -> None:
    for targets in WITHOUT_SECRETS:
        there(service, tmp_path)
        plan = service.plan(wanted(tmp_path, targets, "New", policy))
        if not plan.guards:
            service.apply(plan)
        for method, body in sent(service):
            stays = body.get("DeliveryTargets") or {}
            assert method == "PUT" or not stays
            assert all(stays["Http"].get(name) for name in ("Secret", "CustomAuthHeaderValue") if stays.get("Http"))
            assert not stays.get("Kafka") or stays["Kafka"].get("SaslPassword")


def test_a_target_that_goes_needs_no_secret(service: Shop, tmp_path: Path) -> None:
    there(service, tmp_path)
    only = f"{{Http: {GATEWAY}}}"
    assert service.converge(wanted(tmp_path, only)).is_complete
    ((method, body),) = sent(service)
    assert (method, body["DeliveryTargets"].get("Kafka")) == ("PUT", None)
    assert not service.plan(wanted(tmp_path, only)).has_changes


def test_a_target_of_nothing_but_a_secret_comes_and_goes(service: Shop, tmp_path: Path) -> None:
    there(service, tmp_path, f"{{Http: {HTTP}}}")
    more = f"{{Http: {HTTP}, Mailchimp: {{ApiKey: {{fromEnv: KAFKA}}}}}}"
    assert service.converge(wanted(tmp_path, more)).is_complete
    assert sent(service)[-1][1]["DeliveryTargets"]["Mailchimp"] == {"ApiKey": "planted-kafka"}
    assert not service.plan(wanted(tmp_path, more)).has_changes
    gone = change_of(service.plan(wanted(tmp_path, f"{{Http: {HTTP}}}")))
    assert "/DeliveryTargets/Mailchimp" in {one.pointer for one in gone.fields}


def test_a_new_target_without_its_secret_is_refused_and_the_secret_is_named(service: Shop, tmp_path: Path) -> None:
    there(service, tmp_path, f"{{Http: {HTTP}}}")
    (finding,) = service.plan(wanted(tmp_path, f"{{Http: {HTTP}, EventHub: {{EventHubName: orders}}}}")).guards
    assert (finding.rule, "has no DeliveryTargets/EventHub yet" in finding.message) == ("incomplete-create", True)
    assert finding.fix == "add ConnectionString to DeliveryTargets/EventHub: ConnectionString: {fromEnv: NAME}"


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("{fromEnv: KAFKA}", "planted", "SaslPassword is a secret and cannot be written here"),
        ("{fromEnv: KAFKA}", "{fromEnv: OTHER}", "no environment allows the secret OTHER"),
        ("{fromEnv: KAFKA}", "{planted: KAFKA}", "SaslPassword is a secret and cannot be written here"),
        ("CustomAuthHeaderName: x-key, ", "", "CustomAuthHeaderValue is set and CustomAuthHeaderName is not"),
        ("Topic: t", "Topics: t", "unknown field Topics"),
    ],
)
def test_a_fault_in_a_target_has_its_place_and_quotes_no_secret(
    tmp_path: Path, was: str, becomes: str, said: str
) -> None:
    with pytest.raises(InputError) as caught:
        wanted(tmp_path, BOTH.replace(was, becomes))
    assert [one for one in caught.value.diagnostics if said in one.message and one.place.line == 7]
    assert "planted" not in str(caught.value.diagnostics)


def test_a_nested_secret_is_written_again_when_the_user_asks(service: Shop, tmp_path: Path) -> None:
    there(service, tmp_path)
    name = f"{HUB}#DeliveryTargets/Http/Secret"
    target = replace(NO_LIMITS, selection=Selection(write_secrets=(name,)))
    assert service.apply(service.plan(wanted(tmp_path), target)).is_complete
    assert [body["DeliveryTargets"]["Http"]["Secret"] for _, body in sent(service)] == ["planted-receiver"]


def test_a_nested_secret_that_is_another_one_than_at_the_last_apply_is_written_with_all_others(
    service: Shop, tmp_path: Path
) -> None:
    key = b"k" * 32
    (outcome,) = service.apply(service.plan(wanted(tmp_path), replace(NO_LIMITS, plan_key=key)), plan_key=key).outcomes
    sent(service)
    known = {(HUB, field): one for field, one in outcome.fingerprints.items()}
    assert {field for _, field in known} == {
        "DeliveryTargets/Http/Secret",
        "DeliveryTargets/Http/CustomAuthHeaderValue",
        "DeliveryTargets/Kafka/SaslPassword",
    }
    target = replace(NO_LIMITS, plan_key=key, fingerprints=known)
    assert not service.plan(wanted(tmp_path), target).has_changes
    service.secrets["KAFKA"] = "planted-anew"
    plan = service.plan(wanted(tmp_path), target)
    assert {one.pointer[1:] for one in change_of(plan).fields} == {field for _, field in known}
    assert service.apply(plan, plan_key=key).is_complete
    ((method, body),) = sent(service)
    assert (method, body["DeliveryTargets"]["Kafka"]["SaslPassword"]) == ("PUT", "planted-anew")
    assert body["DeliveryTargets"]["Http"]["Secret"] == "planted-receiver"
