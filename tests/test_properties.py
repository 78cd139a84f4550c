"""Random manifests against a random service: what holds whatever is in them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.kinds import KINDS
from reconciler.model.outcome import Status
from reconciler.model.resource import DesiredState, FieldsPolicy, Policy
from reconciler.planning import planfile
from tests.applying.test_rollback import plan_back, run_if_any
from tests.builders import body, desired, manifest
from tests.service import Shop, client_id, shop

KIND = KINDS["ApiClient"]
NAMES = ["back office", "middleware", "shop"]
ROLES = st.lists(st.sampled_from(["Shopper", "MeAdmin", "FullAccess", "OrderReader"]), unique=True, max_size=3)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=4)
XP = st.none() | st.dictionaries(
    TEXTS, st.none() | st.booleans() | st.integers(-9, 9) | TEXTS | st.lists(st.integers(0, 1), max_size=2), max_size=3
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "Active": st.booleans(),
    "AccessTokenDuration": st.integers(10, 600),
    "RefreshTokenDuration": st.integers(0, 524_160) | st.none(),
    "AnonymousTokenDuration": st.integers(10_080, 86_400) | st.none(),
    "AllowAnyBuyer": st.booleans() | st.none(),
    "AllowSeller": st.booleans() | st.none(),
    "OrderCheckoutIntegrationEventID": st.sampled_from(["checkout", "CHECKOUT", "Checkout", None]),
    "MinimumRequiredCustomRoles": st.lists(st.sampled_from("abc"), unique=True) | st.none(),
    "MaximumGrantedRoles": ROLES | st.none(),
    "xp": XP,
}
LIVE = st.fixed_dictionaries({}, optional=FIELDS | {"FutureFlag": TEXTS, "ClientSecret": st.just("planted")})
POLICIES = st.builds(
    Policy,
    fields=st.sampled_from(FieldsPolicy),
    ignore=st.lists(st.sampled_from(["/xp/seen", "/Active", "/MaximumGrantedRoles"]), unique=True, max_size=1).map(
        tuple
    ),
)


@st.composite
def manifests(draw: st.DrawFn) -> DesiredState:
    chosen = draw(st.lists(st.sampled_from([*NAMES, "new"]), unique=True))
    specs = {name: draw(st.fixed_dictionaries({}, optional=FIELDS)) for name in chosen}
    return desired(
        *(manifest(name, policy=draw(POLICIES), **{"AccessTokenDuration": 60, **spec}) for name, spec in specs.items())
    )


@st.composite
def services(draw: st.DrawFn) -> list[dict[str, Any]]:
    live = draw(st.lists(st.sampled_from(NAMES), unique=True))
    return [body(client_id(NAMES.index(name)), name, **draw(LIVE)) for name in live]


PROFILES = st.fixed_dictionaries(
    {"profile": st.sampled_from(["current", "legacy"]), "put_creates": st.booleans(), "max_page_size": st.just(2)}
)


BRIEF = settings(max_examples=25)
"""Each example plans and applies several times."""


@contextmanager
def opened(bodies: list[dict[str, Any]], profile: dict[str, Any]) -> Iterator[Shop]:
    with tempfile.TemporaryDirectory() as folder, shop(Path(folder), *bodies, **profile) as service:
        yield service


@given(manifests(), services(), PROFILES)
@BRIEF
def test_after_an_apply_the_plan_is_empty(want: DesiredState, have: list[dict[str, Any]], profile: Any) -> None:
    with opened(have, profile) as service:
        result = service.converge(want)
        assert {outcome.status for outcome in result.outcomes} <= {Status.APPLIED}
        assert not service.plan(want).has_changes


@given(manifests(), services(), PROFILES)
@BRIEF
def test_applying_a_plan_twice_is_applying_it_once(
    want: DesiredState, have: list[dict[str, Any]], profile: Any
) -> None:
    with opened(have, profile) as service:
        plan = service.plan(want)
        service.apply(plan)
        after_once = service.bodies()
        assert {outcome.status for outcome in service.apply(plan).outcomes} <= {Status.APPLIED}
        assert service.bodies() == after_once


@given(manifests(), services(), PROFILES)
@BRIEF
def test_only_planned_resources_are_written(want: DesiredState, have: list[dict[str, Any]], profile: Any) -> None:
    with opened(have, profile) as service:
        plan = service.plan(want)
        service.forget()
        service.apply(plan)
        planned = {change.id for change in plan.changes if change.action.writes}
        puts = [write for write in service.writes() if write.startswith("PUT")]
        assert sorted(puts) == sorted(f"PUT /v1/apiclients/{one}" for one in planned)


@given(manifests(), services(), PROFILES)
@BRIEF
def test_fields_that_no_manifest_names_survive(want: DesiredState, have: list[dict[str, Any]], profile: Any) -> None:
    named = {
        one.spec["AppName"]: KIND.fields.keys() if one.policy.fields is FieldsPolicy.EXCLUSIVE else one.spec.keys()
        for one in want.resources
    }
    with opened(have, profile) as service:
        before = service.bodies()
        service.converge(want)
        after = service.bodies()
    for name, old in before.items():
        kept = old.keys() - named.get(name, set()) - KIND.read_only
        assert {field: after[name].get(field) for field in kept} == {field: old[field] for field in kept}


@given(manifests(), services(), PROFILES)
@BRIEF
def test_a_run_that_is_taken_back_leaves_all_as_it_was(
    want: DesiredState, have: list[dict[str, Any]], profile: Any
) -> None:
    with tempfile.TemporaryDirectory() as folder, shop(Path(folder), *have, **profile) as service:
        before = service.bodies()
        run = run_if_any(service, Path(folder), *want.resources)
        if run:
            service.apply(plan_back(service, run))
        after = service.bodies()
    assert before.keys() == after.keys()
    assert all(not KIND.moved(before[name], after[name]) for name in before)


@given(manifests(), services())
@BRIEF
def test_a_secret_is_in_no_plan_and_in_no_outcome(want: DesiredState, have: list[dict[str, Any]]) -> None:
    with opened(have, {"profile": "legacy"}) as service:
        plan = service.plan(want)
        result = service.apply(plan)
        kept = [one["ClientSecret"] for one in service.bodies().values() if one.get("ClientSecret")]
    assert "planted" not in planfile.dumps(plan) + repr(plan) + repr(result)
    assert kept == ["planted"] * sum("ClientSecret" in one for one in have)


@given(manifests(), services(), PROFILES)
@BRIEF
def test_a_saved_plan_is_the_plan(want: DesiredState, have: list[dict[str, Any]], profile: Any) -> None:
    with opened(have, profile) as service:
        first, second = service.plan(want), service.plan(want)
    text = planfile.dumps(first)
    assert planfile.loads(text, "plan.json") == first
    assert text == planfile.dumps(replace(second, created_at=first.created_at))
