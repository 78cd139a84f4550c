"""What a plan creates is judged with all that its manifest leaves out: a new client has the API's defaults there."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.kinds.checks import RuleLevel
from reconciler.manifests.load import LoadContext, inspect, load
from reconciler.model.inputs import Selection
from reconciler.model.named_secret import NamedSecret
from reconciler.model.plan import Limits
from reconciler.model.resource import DesiredResource, Policy
from reconciler.model.secret import SecretReference, SecretSource
from reconciler.planning.check import created
from reconciler.planning.comparison import Target
from reconciler.planning.deletion import Findings
from reconciler.planning.diff import diff
from tests.builders import body, desired, live, manifest
from tests.service import Shop, client_id, shop

NEW: dict[str, Any] = {"AccessTokenDuration": 60}
BEFORE = "a.yaml:1:1: ApiClient/a does not exist yet, and would be created like this: "


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Shop]:
    """A marketplace with one client, which is not that of the manifests here."""
    with shop(tmp_path, body(client_id(1), "other", AllowSeller=True)) as opened:
        yield opened


def target(*only: str, **levels: str) -> Target:
    rules = {name.replace("_", "-"): RuleLevel(level) for name, level in levels.items()}
    return Target("test", None, Limits(deletes=None), rules=rules, selection=Selection(only))


def warned(one: Shop, *resources: DesiredResource, **levels: str) -> list[str]:
    """The names of the rules that a plan warns by; that a client needs no secret is said in its manifest."""
    plan = one.plan(desired(*(replace(each, named_secrets=()) for each in resources)), target(**levels))
    return [warning.rpartition(" [")[2].rstrip("]") for warning in plan.warnings]


def refused(one: Shop, *resources: DesiredResource, **levels: str) -> list[str]:
    """The names of the rules for which a plan can be seen and not carried out, whatever is acknowledged."""
    found = one.plan(desired(*resources), target(**levels)).guards
    return [each.rule for each in found if not each.can_be_acknowledged]


@pytest.mark.parametrize(
    ("spec", "rules"),
    [
        ({"Active": True}, ["nobody-can-log-in"]),
        ({"Active": True, "AllowSeller": True}, []),
        ({"Active": False}, []),
        ({}, []),
        ({"MaximumGrantedRoles": ["OrderAdmin"]}, ["public-client-with-admin-role"]),
        ({"MaximumGrantedRoles": ["Shopper", "MeAdmin"]}, []),
        ({"AnonymousTokenDuration": 20160}, ["anonymous-duration-without-anonymous"]),
    ],
)
def test_a_plan_warns_of_what_is_unwise_in_a_client_that_it_creates(
    one: Shop, spec: dict[str, Any], rules: list[str]
) -> None:
    assert warned(one, manifest("a", **NEW, **spec)) == rules


def test_parties_that_are_assigned_can_log_in(one: Shop, tmp_path: Path) -> None:
    parties = {"Buyers": [{"ID": "b1", "Name": "b1", "Active": True}]}
    with shop(tmp_path, objects=parties) as other:
        assert warned(other, manifest("a", **NEW, Active=True, assignments={"buyers": ("b1",)})) == []
    assert warned(one, manifest("a", **NEW, Active=True, assignments={"buyers": ()})) == ["nobody-can-log-in"]


def test_a_client_that_gets_a_secret_is_not_public(tmp_path: Path) -> None:
    secrets = {"ClientSecret": SecretReference(SecretSource.ENVIRONMENT, "S")}
    spec = NEW | {"Active": True, "AllowSeller": True, "MaximumGrantedRoles": ["OrderAdmin"]}
    named = replace(manifest("b", **spec), named_secrets=(NamedSecret("primary"),))
    with shop(tmp_path, profile="legacy") as one:
        one.secrets["S"] = "s3cret"
        assert warned(one, manifest("a", **NEW, MaximumGrantedRoles=["OrderAdmin"], secrets=secrets)) == []
    assert created(diff(desired(named), live(), {}), desired(named), {}) == Findings()


def test_a_new_client_that_the_service_would_refuse_is_refused_and_shown_all_the_same(one: Shop) -> None:
    resource = manifest("a", **NEW, IsAnonBuyer=True, AllowAnyBuyer=True, MaximumGrantedRoles=["Shopper"])
    assert refused(one, resource) == ["anonymous-without-context-user"]


def test_the_message_says_what_is_new_about_it_and_where_it_stands(one: Shop) -> None:
    (warning,) = one.plan(desired(manifest("a", **NEW, Active=True)), target()).warnings
    assert warning == (
        f"{BEFORE}no party is allowed and none is assigned: users can log in only if their party is allowed or "
        "assigned; allow or assign a party; set Active: false for an unused client [nobody-can-log-in]"
    )


@pytest.mark.parametrize(("level", "rules"), [("off", []), ("warning", ["nobody-can-log-in"])])
def test_a_rule_is_taken_as_strictly_as_the_environment_says(one: Shop, level: str, rules: list[str]) -> None:
    assert warned(one, manifest("a", **NEW, Active=True), nobody_can_log_in=level) == rules


def test_a_rule_that_is_an_error_refuses_the_plan(one: Shop) -> None:
    found = refused(one, manifest("a", **NEW, Active=True), nobody_can_log_in="error")
    assert found == ["nobody-can-log-in"]


def test_what_exists_is_judged_by_its_manifest_alone(one: Shop) -> None:
    assert warned(one, manifest("other", IsAnonBuyer=False, AnonymousTokenDuration=20160)) == []


def test_what_is_left_out_is_not_judged(one: Shop) -> None:
    resources = [manifest("a", **NEW, Active=True), manifest("other")]
    plan = one.plan(desired(*resources), target("ApiClient/other"))
    assert not [warning for warning in plan.warnings if "nobody" in warning]


def test_what_its_manifest_shows_already_is_not_told_again(one: Shop) -> None:
    flags: dict[str, Any] = dict.fromkeys(("AllowSeller", "AllowAnyBuyer", "AllowAnySupplier"), False)
    nobody: dict[str, tuple[str, ...]] = {"buyers": (), "suppliers": ()}
    assert warned(one, manifest("a", **NEW, **flags, Active=True, assignments=nobody)) == []


def test_what_is_to_be_absent_is_not_judged(one: Shop) -> None:
    assert warned(one, manifest("a", **NEW, Active=True, policy=Policy(absent=True))) == []


WAIVED = """\
apiVersion: reconciler/v1
kind: ApiClient
metadata: {name: a}
spec: {AppName: a, AccessTokenDuration: 60, Active: true}
policy:
  waivers: [{rule: nobody-can-log-in, reason: why, owner: web, expires: 2099-12-31}]
"""


def test_a_waiver_lets_pass_what_only_a_new_client_has_and_is_not_called_unused(one: Shop, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(WAIVED)
    assert inspect([tmp_path], LoadContext()).diagnostics == ()
    assert one.plan(load([tmp_path], LoadContext()).desired, target()).warnings == ()


def test_a_waiver_of_what_not_even_a_new_client_has_is_unused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(WAIVED.replace("Active: true", "AllowSeller: true"))
    assert [one.rule for one in inspect([tmp_path], LoadContext()).diagnostics] == ["unused-waiver"]
