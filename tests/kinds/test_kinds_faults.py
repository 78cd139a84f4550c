"""What a manifest cannot ask for: half a pair, another value of what is fixed, a field of another generation."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.errors import InputError
from reconciler.manifests.context import LoadContext
from reconciler.manifests.load import load
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.plan import Finding
from reconciler.model.resource import DesiredState
from reconciler.planning.planfile import acknowledgement, refusal
from tests.service import Shop, shop

CONTEXT = LoadContext(allowed_secrets=frozenset({"KEY"}))
EVENT = "Name: A, EventType: OrderReturn, CustomImplementationUrl: 'https://a.example.com'"
KEYED = f"{EVENT}, HashKey: {{fromEnv: KEY}}"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Shop]:
    with shop(tmp_path) as opened:
        opened.secrets["KEY"] = "planted"
        yield opened


def wanted(folder: Path, spec: str, kind: str = "IntegrationEvent") -> DesiredState:
    file = folder / "a.yaml"
    file.write_text(f"apiVersion: reconciler/v1\nkind: {kind}\nmetadata: {{name: one}}\nspec:\n  {{{spec}}}\n")
    return load([file], CONTEXT).desired


def faults(service: Shop, desired: DesiredState) -> list[Diagnostic]:
    with pytest.raises(InputError) as caught:
        service.plan(desired)
    return sorted(caught.value.diagnostics)


def refusals(service: Shop, desired: DesiredState) -> list[Finding]:
    """What a plan is refused for, whatever is acknowledged; it is shown all the same."""
    plan = service.plan(desired)
    assert plan.has_changes
    assert refusal(plan, acknowledgement(plan))
    return [one for one in plan.guards if not one.can_be_acknowledged]


@pytest.mark.parametrize(
    ("pair", "at", "said"),
    [
        ("CustomAuthHeaderValue: {fromEnv: KEY}", "Value", "CustomAuthHeaderName is not"),
        ("CustomAuthHeaderName: null, CustomAuthHeaderValue: {fromEnv: KEY}", "Value", "CustomAuthHeaderName is null"),
        ("CustomAuthHeaderName: x, CustomAuthHeaderValue: null", "Name", "CustomAuthHeaderValue is null"),
    ],
)
def test_one_of_two_fields_that_go_together_is_an_error_where_it_stands(
    tmp_path: Path, pair: str, at: str, said: str
) -> None:
    with pytest.raises(InputError) as caught:
        wanted(tmp_path, f"{KEYED}, {pair}")
    (fault,) = caught.value.diagnostics
    assert (fault.rule, fault.pointer, fault.place.line) == ("together", f"/spec/CustomAuthHeader{at}", 5)
    assert said in fault.message


def test_a_secret_may_be_left_out_until_its_object_must_be_created(service: Shop, tmp_path: Path) -> None:
    full = f"{KEYED}, CustomAuthHeaderName: x, CustomAuthHeaderValue: {{fromEnv: KEY}}"
    exported = wanted(tmp_path, f"{EVENT}, CustomAuthHeaderName: x")
    found = refusals(service, exported)
    assert [one.rule for one in found] == ["incomplete-create", "incomplete-create"]
    assert [one.fix for one in found] == [
        "add CustomAuthHeaderValue to the spec: CustomAuthHeaderValue: {fromEnv: NAME}",
        "add HashKey to the spec: HashKey: {fromEnv: NAME}",
    ]
    assert service.converge(wanted(tmp_path, full)).is_complete
    assert not service.plan(exported).has_changes


def test_a_header_that_an_object_had_not_needs_its_value(service: Shop, tmp_path: Path) -> None:
    assert service.converge(wanted(tmp_path, KEYED)).is_complete
    (finding,) = refusals(service, wanted(tmp_path, f"{EVENT}, CustomAuthHeaderName: x"))
    assert "has no CustomAuthHeaderName yet, which cannot be created without CustomAuthHeaderValue" in finding.message
    whole = f"{EVENT}, CustomAuthHeaderName: x, CustomAuthHeaderValue: {{fromEnv: KEY}}"
    assert service.converge(wanted(tmp_path, whole)).is_complete


def test_what_is_created_needs_every_field_that_its_creation_needs(service: Shop, tmp_path: Path) -> None:
    (one,) = refusals(service, wanted(tmp_path, KEYED.replace("Name: A, ", "")))
    assert (
        one.message == f"{tmp_path}/a.yaml:1:1: IntegrationEvent/one does not exist, and cannot be created without Name"
    )
    assert one.fix == "add Name to the spec"


def test_what_is_fixed_cannot_be_changed_and_the_finding_says_how_to_proceed(service: Shop, tmp_path: Path) -> None:
    assert service.converge(wanted(tmp_path, KEYED)).is_complete
    (one,) = refusals(service, wanted(tmp_path, KEYED.replace("OrderReturn", "AddToCart")))
    assert one.rule == "immutable"
    assert one.message.startswith(f"{tmp_path}/a.yaml:5:24: IntegrationEvent/one has EventType: OrderReturn")
    assert "cannot be changed after creation" in one.message
    assert "under another name" in one.fix


@pytest.mark.parametrize(("profile", "is_there"), [("legacy", False), ("current", True)])
def test_a_field_that_this_service_does_not_have_is_an_error_where_it_stands(
    tmp_path: Path, profile: str, is_there: bool
) -> None:
    hook = {"ID": "one", "Name": "A", "Url": "https://a.example.com", "HashKey": "k"}
    with shop(tmp_path, objects={"Webhooks": [hook]}, profile=profile) as service:
        desired = wanted(tmp_path, "Name: A, CustomAuthHeaderName: x", "Webhook")
        if is_there:
            assert service.plan(desired).has_changes
            return
        (fault,) = faults(service, desired)
    assert (fault.rule, fault.pointer, fault.place.line) == ("no-such-field", "/spec/CustomAuthHeaderName", 5)
    assert "requires API 1.0.376 or later" in fault.message
