"""The digest of changes and findings: what it covers, and what it does not."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from reconciler.model.diagnostic import Place
from reconciler.model.plan import Change, FieldChange, Finding, Plan, SecretIntent
from reconciler.model.resource import Address, Policy
from reconciler.model.secret import SecretReference, SecretSource
from reconciler.planning.diff import diff
from reconciler.planning.planfile import changes_digest
from tests.builders import body, desired, live, manifest, plan_of

SHOP = Address("ApiClient", "shop")
FINDING = Finding("reference-missing", "m/shop.yaml:3:1: ApiClient/shop: there is no x", "create it", (SHOP,))
SOURCE = SecretReference(SecretSource.ENVIRONMENT, "NAME")


def plan(**live_fields: Any) -> Plan:
    want = desired(
        manifest("gone", policy=Policy(absent=True)),
        manifest("same"),
        manifest("shop", Active=False, assignments={"buyers": ("b",)}, OrderCheckoutIntegrationEventID="New"),
    )
    roles: Any = {"MaximumGrantedRoles": ["Shopper", "MeAdmin"]} | live_fields
    have = live(body("1A", "gone", **roles), body("2", "same"), body("3", "shop", **live_fields))
    found = replace(plan_of(*diff(want, have, {})), guards=(FINDING,))
    secret = SecretIntent("ClientSecret", SOURCE, "f" * 64)
    return changed(found, lambda one: replace(one, secrets=(secret,)))


def changed(plan: Plan, change: Callable[[Change], Change]) -> Plan:
    """The plan after something happened to the change of the shop."""
    return replace(plan, changes=tuple(change(one) if one.address == SHOP else one for one in plan.changes))


def of_field(change: Callable[[FieldChange], FieldChange]) -> Callable[[Plan], Plan]:
    return lambda plan: changed(plan, lambda one: replace(one, fields=tuple(map(change, one.fields))))


def without(name: str) -> Callable[[Plan], Plan]:
    return lambda plan: replace(plan, changes=tuple(one for one in plan.changes if one.address.name != name))


DOES_NOT_COUNT: Mapping[str, Callable[[Plan], Plan]] = {
    "time": lambda plan: replace(plan, created_at="later"),
    "commit": lambda plan: replace(plan, binding=replace(plan.binding, git_commit="b" * 40, git_dirty=True)),
    "manifests": lambda plan: replace(plan, binding=replace(plan.binding, manifest_digest="1" * 64)),
    "version": lambda plan: replace(plan, binding=replace(plan.binding, tool_version="9")),
    "expiry": lambda plan: replace(plan, binding=replace(plan.binding, expires_at="2030-01-01T00:00:00Z")),
    "warnings": lambda plan: replace(plan, warnings=("mind",)),
    "what is in step": without("same"),
    "lines": lambda plan: changed(plan, lambda one: replace(one, place=Place("other.yaml", 9, 9))),
    "lines of fields": of_field(lambda one: replace(one, place=Place("other.yaml", 9, 9))),
    "lines of findings": lambda plan: replace(plan, guards=(replace(FINDING, message="n.yaml:9:9: " + _said()),)),
    "fingerprints": lambda plan: changed(
        plan, lambda one: replace(one, secrets=(SecretIntent("ClientSecret", SOURCE, ""),))
    ),
    "case of ids": lambda plan: replace(
        plan, changes=tuple(replace(one, id=(one.id or "").lower()) for one in plan.changes)
    ),
    "order of members": lambda _: plan(MaximumGrantedRoles=["MeAdmin", "Shopper"]),
    "unknown fields": lambda _: plan(FieldOfTomorrow=1),
}

COUNTS: Mapping[str, Callable[[Plan], Plan]] = {
    "environment": lambda plan: replace(plan, binding=replace(plan.binding, environment="other")),
    "marketplace": lambda plan: replace(plan, binding=replace(plan.binding, marketplace="other")),
    "a deletion": without("gone"),
    "what is deleted": lambda _: plan(Active=False),
    "an id": lambda plan: changed(plan, lambda one: replace(one, id="4")),
    "a value": of_field(lambda one: replace(one, after="other")),
    "a value before": of_field(lambda one: replace(one, before="other")),
    "a field": lambda plan: changed(plan, lambda one: replace(one, fields=one.fields[1:])),
    "assignments": lambda plan: changed(plan, lambda one: replace(one, assignments=())),
    "secrets": lambda plan: changed(plan, lambda one: replace(one, secrets=())),
    "a finding less": lambda plan: replace(plan, guards=()),
    "another rule": lambda plan: replace(plan, guards=(replace(FINDING, rule="protected"),)),
    "other numbers": lambda plan: replace(plan, guards=(replace(FINDING, message=FINDING.message + "y"),)),
    "a final finding": lambda plan: replace(plan, guards=(replace(FINDING, can_be_acknowledged=False),)),
}


def _said() -> str:
    return FINDING.message.partition(": ")[2]


@pytest.mark.parametrize("name", DOES_NOT_COUNT)
def test_the_digest_of_changes_is_the_same_with_another(name: str) -> None:
    assert changes_digest(DOES_NOT_COUNT[name](plan())) == changes_digest(plan())


@pytest.mark.parametrize("name", COUNTS)
def test_the_digest_of_changes_is_another_with_another(name: str) -> None:
    assert changes_digest(COUNTS[name](plan())) != changes_digest(plan())
