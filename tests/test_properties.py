"""Random manifests against a random service: what holds whatever is in them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler import live as reader
from reconciler.errors import InputError, RemoteError
from reconciler.kinds import KINDS
from reconciler.model.diagnostic import Place
from reconciler.model.inputs import Selection
from reconciler.model.outcome import Status
from reconciler.model.plan import Action, Plan
from reconciler.model.resource import (
    Address,
    AssignmentsPolicy,
    DesiredResource,
    DesiredState,
    FieldsPolicy,
    Policy,
    Scope,
)
from reconciler.planning import planfile, selection
from reconciler.planning.diff.identity import derived_id
from reconciler.planning.planfile import reading
from tests.applying.test_rollback import plan_back, run_if_any
from tests.builders import body, desired, manifest
from tests.service import NO_LIMITS, Shop, client_id, shop

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


@contextmanager
def opened(bodies: list[dict[str, Any]], profile: dict[str, Any]) -> Iterator[Shop]:
    with tempfile.TemporaryDirectory() as folder, shop(Path(folder), *bodies, **profile) as service:
        yield service


@given(manifests(), services(), PROFILES)
def test_after_an_apply_the_plan_is_empty(want: DesiredState, have: list[dict[str, Any]], profile: Any) -> None:
    with opened(have, profile) as service:
        result = service.converge(want)
        assert {outcome.status for outcome in result.outcomes} <= {Status.APPLIED}
        assert not service.plan(want).has_changes


@given(manifests(), services(), PROFILES)
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
def test_only_planned_resources_are_written(want: DesiredState, have: list[dict[str, Any]], profile: Any) -> None:
    with opened(have, profile) as service:
        plan = service.plan(want)
        service.forget()
        service.apply(plan)
        planned = {change.id for change in plan.changes if change.action.writes}
        puts = [write for write in service.writes() if write.startswith("PUT")]
        assert sorted(puts) == sorted(f"PUT /v1/apiclients/{one}" for one in planned)


@given(manifests(), services(), PROFILES)
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
def test_a_secret_is_in_no_plan_and_in_no_outcome(want: DesiredState, have: list[dict[str, Any]]) -> None:
    with opened(have, {"profile": "legacy"}) as service:
        plan = service.plan(want)
        result = service.apply(plan)
        kept = [one["ClientSecret"] for one in service.bodies().values() if one.get("ClientSecret")]
    assert "planted" not in planfile.dumps(plan) + repr(plan) + repr(result)
    assert kept == ["planted"] * sum("ClientSecret" in one for one in have)


@given(manifests(), services(), PROFILES)
def test_a_saved_plan_is_the_plan(want: DesiredState, have: list[dict[str, Any]], profile: Any) -> None:
    with opened(have, profile) as service:
        first, second = service.plan(want), service.plan(want)
    text = planfile.dumps(first)
    assert reading.loads(text, "plan.json") == first
    assert text == planfile.dumps(replace(second, created_at=first.created_at))


PARTIES = {"buyers": ("b1", "b2"), "suppliers": ("s1",)}
ROWS = st.fixed_dictionaries(
    {}, optional={name: st.lists(st.sampled_from(ids), unique=True).map(tuple) for name, ids in PARTIES.items()}
)
"""Level -> who is assigned, of some levels."""
ASSIGNMENT_POLICIES = st.builds(
    Policy, assignments=st.sampled_from(AssignmentsPolicy), absent=st.sampled_from([False, False, True])
)


@st.composite
def assigning(draw: st.DrawFn) -> DesiredState:
    """Manifests of clients and profiles, of which some say who is assigned."""
    profiles = [
        DesiredResource(Address("SecurityProfile", name), {"Name": name, "Roles": ["MeAdmin"]}, Place(name))
        for name in draw(st.lists(st.sampled_from(["one", "two", "new"]), unique=True))
    ]
    every = (*draw(manifests()).resources, *profiles)
    return desired(*(replace(one, assignments=draw(ROWS), policy=draw(ASSIGNMENT_POLICIES)) for one in every))


@contextmanager
def assigned(bodies: list[dict[str, Any]], rows: list[dict[str, tuple[str, ...]]], page_size: int) -> Iterator[Shop]:
    """Clients and two profiles, and who is assigned to each."""
    objects: dict[str, Any] = {"SecurityProfiles": [{"ID": one, "Name": one} for one in ("one", "two")]}
    owners = [("/apiclients", "ApiClientID", one["ID"]) for one in bodies]
    owners += [("/securityprofiles", "SecurityProfileID", one["ID"]) for one in objects["SecurityProfiles"]]
    objects |= {name.capitalize(): [{"ID": one, "Name": one} for one in ids] for name, ids in PARTIES.items()}
    with (
        tempfile.TemporaryDirectory() as folder,
        shop(Path(folder), *bodies, objects=objects, max_page_size=page_size) as service,
        service.writer() as writer,
    ):
        for (path, field, owner), levels in zip(owners, rows, strict=False):
            for party in levels.get("buyers", ()):
                writer.post(f"{path}/assignments", {field: owner, "BuyerID": party})
            for party in levels.get("suppliers", ()):
                writer.post(f"{path}/assignments", {field: owner, "SupplierID": party})
        yield service


@contextmanager
def all_pages() -> Iterator[None]:
    """Have the assignments of all objects read."""
    read = reader.with_assignments
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "with_assignments", lambda remote, live, _of=None: read(remote, live))
        yield


@given(assigning(), services(), st.lists(ROWS, min_size=5, max_size=5), st.integers(1, 3), st.data())
@settings(max_examples=max(1, settings().max_examples // 2))
def test_a_plan_is_the_same_whether_assignments_are_read_by_object_or_all(
    want: DesiredState,
    have: list[dict[str, Any]],
    rows: list[dict[str, tuple[str, ...]]],
    page_size: int,
    data: st.DataObject,
) -> None:
    addresses = st.sampled_from([str(one.address) for one in want.resources] or ["*"])
    only = tuple(data.draw(st.lists(addresses, unique=True)))
    target = replace(NO_LIMITS, selection=Selection(only), prunes=data.draw(st.booleans()))
    with assigned(have, rows, page_size) as service, tempfile.TemporaryDirectory() as folder:
        plan = service.plan(want, target)
        with all_pages():
            assert service.plan(want, target) == plan
        run = None if plan.guards else run_if_any(service, Path(folder), *want.resources)
        if run:
            somebody = {"SecurityProfileID": data.draw(st.sampled_from(["one", "new"])), "BuyerID": "b2"}
            with service.writer() as writer, suppress(RemoteError):  # it may be gone
                writer.post("/securityprofiles/assignments", somebody)
            back = plan_back(service, run)
            with all_pages():
                assert plan_back(service, run) == back


SCOPES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"include": ("ApiClient/web*",)}, {"exclude": ("ApiClient/WEB*",)}),
    ({"xp": {"team": "web"}}, {"xp": {"team": {"not": ["web"]}}}),
]
"""Of two repositories, so that each object is in one of the scopes."""
SHARED_NAMES = ["web 1", "web 2", "shop"]
TEAMS = st.sampled_from([{"team": "web"}, {"team": "shop"}, {}])


@st.composite
def shared(draw: st.DrawFn) -> tuple[list[DesiredState], list[dict[str, Any]]]:
    """Two repositories, and what is live: clients of any name, team and ID, also such as a manifest would create."""
    ids = [client_id(0), client_id(1), derived_id("emulator", "one"), derived_id("emulator", "two")]
    titles = draw(st.lists(st.sampled_from(SHARED_NAMES), unique=True))
    have = [body(one, title, xp=draw(TEAMS)) for one, title in zip(draw(st.permutations(ids)), titles, strict=False)]
    repositories = []
    for parts, own_id in zip(draw(st.sampled_from(SCOPES)), ids, strict=False):
        scope = Scope(**parts)
        names = draw(st.lists(st.sampled_from(["one", "two"]), unique=True, max_size=2))
        titles = draw(st.permutations(SHARED_NAMES))
        made = [
            manifest(
                name,
                id=draw(st.sampled_from([None, own_id])),
                policy=draw(POLICIES),
                AppName=title,
                AccessTokenDuration=draw(st.sampled_from([60, 600])),
                xp=draw(TEAMS),
            )
            for name, title in zip(names, titles, strict=False)
        ]
        chosen = [one for one in made if not KINDS["ApiClient"].outside(scope, "", one.spec)]
        state = desired(*{one.id or one.address: one for one in chosen}.values())
        repositories.append(replace(state, scope=scope))
    return repositories, have


def in_step(plan: Plan) -> set[Address]:
    return {change.address for change in plan.changes if change.action is Action.NO_OP}


@given(shared(), st.lists(st.tuples(st.integers(0, 1), st.booleans()), min_size=2, max_size=4), PROFILES)
@settings(max_examples=max(1, settings().max_examples // 4))
def test_two_repositories_of_disjoint_scopes_never_get_in_each_others_way(
    drawn: tuple[list[DesiredState], list[dict[str, Any]]], runs: list[tuple[int, bool]], profile: Any
) -> None:
    """Whatever one applies, with or without pruning, writes nothing of the other, whose plan stays as it was."""
    repositories, have = drawn
    targets = {prunes: replace(NO_LIMITS, prunes=prunes) for prunes in (False, True)}
    with opened(have, profile) as service:
        for index, prunes in runs:
            own, other = repositories[index], repositories[1 - index]
            try:
                plan, before = service.plan(own, targets[prunes]), service.plan(other)
            except InputError:  # two live clients of one name
                return
            if plan.guards:
                continue
            written = {one.key for one in plan.changes if one.action.writes}
            named = {
                one.key
                for one in before.changes
                if one.place and one.before and not selection.outside(one, other.scope)
            }
            assert not written & named
            service.apply(plan)
            assert not service.plan(own, targets[prunes]).has_changes
            assert in_step(before) <= in_step(service.plan(other))
