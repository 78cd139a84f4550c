"""Values that must be unique in OrderCloud: who else has them is found before the first write."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.errors import InputError
from reconciler.manifests.context import LoadContext
from reconciler.manifests.load import load
from reconciler.model.resource import DesiredState, FieldsPolicy, Policy
from tests.service import Shop, client_id, shop

LIVE = {
    "Locales": [{"ID": "us", "Currency": "USD", "Language": "en-US"}],
    "ProductFacets": [{"ID": "colour", "Name": "Colour", "XpPath": "Colour"}],
}
EXCLUSIVE = LoadContext(defaults=Policy(FieldsPolicy.EXCLUSIVE))
TRACKING = "Name: T, EventType: OrderSubmitted, DeliveryConfigID: mail, ClientID"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Shop]:
    with shop(tmp_path, objects=LIVE) as opened:
        yield opened


def wanted(folder: Path, *manifests: tuple[str, str, str], context: LoadContext = EXCLUSIVE) -> DesiredState:
    """Manifests of (kind, name, spec and more)."""
    file = folder / "a.yaml"
    head = "apiVersion: reconciler/v1\nkind: {}\nmetadata: {{name: {}}}\n{}\n"
    file.write_text("---\n".join(head.format(*one) for one in manifests))
    return load([file], context).desired


@pytest.mark.parametrize(
    ("kind", "spec", "other"),
    [
        ("Locale", "spec: {Currency: USD, Language: en-US}", "spec: {Language: en-US, Currency: USD}"),
        ("Locale", "spec: {Currency: USD}", "spec: {Currency: USD}"),
        ("ProductFacet", "spec: {Name: A, XpPath: size}", "spec: {Name: B, XpPath: size}"),
        ("TrackingEvent", f"spec: {{{TRACKING}: {client_id(1)}}}", f"spec: {{{TRACKING}: {client_id(1)}}}"),
        (
            "ImpersonationConfig",
            f"spec: {{ClientID: {client_id(1)}, SecurityProfileID: {{ref: p}}}}",
            f"spec: {{SecurityProfileID: {{ref: p}}, ClientID: {client_id(1)}}}",
        ),
    ],
)
def test_manifests_that_only_one_object_can_satisfy_are_an_error_with_both_places(
    tmp_path: Path, kind: str, spec: str, other: str
) -> None:
    profile = ("SecurityProfile", "p", "spec: {Name: P}")
    with pytest.raises(InputError) as caught:
        wanted(tmp_path, (kind, "one", spec), (kind, "two", other), profile)
    (fault,) = caught.value.diagnostics
    assert fault.rule == "not-unique"
    assert f"{kind}/two has the same " in fault.message
    assert f" as {kind}/one at {tmp_path}/a.yaml:4:" in fault.message


@pytest.mark.parametrize(
    ("kind", "spec", "other"),
    [
        ("Locale", "spec: {Currency: USD}", "spec: {Currency: USD, Language: en-US}"),
        ("Locale", "spec: {Currency: USD}", "spec: {Currency: USD}\npolicy: {fields: merge}"),
        ("ProductFacet", "spec: {Name: A}", "spec: {Name: A}"),
        ("ProductFacet", "spec: {Name: A, XpPath: size}", "spec: {Name: B, XpPath: Size}"),
        ("Locale", "spec: {Currency: USD}\npolicy: {ignore: [/Currency]}", "spec: {Currency: USD}"),
        ("Locale", "spec: {Currency: USD}\npolicy: {state: absent}", "spec: {Currency: USD}"),
    ],
)
def test_manifests_that_may_differ_are_no_error(tmp_path: Path, kind: str, spec: str, other: str) -> None:
    assert len(wanted(tmp_path, (kind, "one", spec), (kind, "two", other)).resources) == 2


@pytest.mark.parametrize(
    ("kind", "spec", "message"),
    [
        ("Locale", "spec: {Currency: USD, Language: en-US}", "the same Currency and Language as Locale/us (live)"),
        ("ProductFacet", "spec: {Name: A, XpPath: Colour}", "the same XpPath as ProductFacet/colour (live)"),
    ],
)
def test_what_a_live_object_has_is_refused_before_the_first_write(
    service: Shop, tmp_path: Path, kind: str, spec: str, message: str
) -> None:
    plan = service.plan(wanted(tmp_path, (kind, "new", spec)))
    assert [(one.rule, one.can_be_acknowledged) for one in plan.guards] == [("not-unique", False)]
    assert message in plan.guards[0].message
    other = service.plan(wanted(tmp_path, (kind, "new", spec.replace("USD", "usd").replace("Colour", "colour"))))
    assert [(one.rule, one.can_be_acknowledged) for one in other.guards] == [("not-unique", True)]


def test_values_that_another_object_gives_up_in_the_same_plan_are_refused_unless_acknowledged(
    service: Shop, tmp_path: Path
) -> None:
    moves = ("ProductFacet", "colour", "spec: {Name: Colour, XpPath: shade}")
    takes = ("ProductFacet", "new", "spec: {Name: New, XpPath: Colour}")
    (finding,) = service.plan(wanted(tmp_path, moves, takes)).guards
    assert (finding.rule, finding.addresses[0].name, finding.can_be_acknowledged) == ("not-unique", "new", True)
    service.converge(wanted(tmp_path, moves))
    assert service.converge(wanted(tmp_path, moves, takes)).is_complete


def test_what_a_plan_deletes_still_has_its_values_when_others_are_written(service: Shop, tmp_path: Path) -> None:
    gone = ("Locale", "us", "policy: {state: absent}\nspec: {}")
    new = ("Locale", "new", "spec: {Currency: USD, Language: en-US}")
    assert "not-unique" in [one.rule for one in service.plan(wanted(tmp_path, gone, new)).guards]
    service.converge(wanted(tmp_path, gone))
    assert service.converge(wanted(tmp_path, gone, new)).is_complete


def test_an_object_that_keeps_its_values_is_not_refused(service: Shop, tmp_path: Path) -> None:
    same = ("ProductFacet", "colour", "spec: {Name: Color, XpPath: Colour, ListOrder: 3}")
    assert service.converge(wanted(tmp_path, same)).is_complete
