"""Changes and a selection -> the part that is planned; the guards see the whole."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import InputError, ReconcilerError, UsageError
from reconciler.model.inputs import Access, Selection
from reconciler.model.plan import Action, Change, Limits, Plan
from reconciler.model.resource import Address, DesiredResource, DesiredState, Policy, Scope
from reconciler.model.secret import SecretReference, SecretSource
from reconciler.planning import guards as guard
from reconciler.planning import selection
from reconciler.planning.comparison import Sides, Target, diff_offline
from reconciler.planning.diff import diff
from tests.builders import body, desired, live, manifest
from tests.service import NO_LIMITS, Shop, client_id, shop

LISTING = "give KIND/NAME of a manifest"
WEB, DESK = {"team": "web", "tier": "1"}, {"team": "desk", "tier": "1"}


def labelled(resource: DesiredResource, **labels: str) -> DesiredResource:
    return replace(resource, labels=labels)


STATE = desired(
    labelled(manifest("front", Active=False), **WEB),
    labelled(manifest("kiosk", AccessTokenDuration=60), **WEB),
    labelled(manifest("office", Active=False), **DESK),
    labelled(manifest("old", policy=Policy(absent=True)), tier="2"),
)
BODIES = (body("F1", "front"), body("F2", "office", AllowSeller=True), body("0A", "old"), body("0B", "by hand"))
CHANGES = diff(STATE, live(*BODIES), {})


def select(*only: str, **selector: str) -> selection.Selected:
    chosen = Selection(only, selector)
    selection.check(chosen, STATE)
    return selection.restrict(CHANGES, STATE, chosen)


def names(changes: tuple[Change, ...]) -> list[str]:
    return [change.address.name for change in changes]


@pytest.mark.parametrize(
    ("only", "selector", "expected"),
    [
        ([], {}, ["0B", "front", "kiosk", "office", "old"]),
        (["*"], {}, ["0B", "front", "kiosk", "office", "old"]),
        (["ApiClient/*o*"], {}, ["front", "kiosk", "office", "old"]),
        (["ApiClient/[fk]*"], {}, ["front", "kiosk"]),
        (["ApiClient/o??"], {}, ["old"]),
        (["apiclient/FRONT"], {}, ["front"]),
        (["*/old", "ApiClient/kiosk"], {}, ["kiosk", "old"]),
        (["ApiClient/0b"], {}, ["0B"]),
        (["*/?b"], {}, ["0B"]),
        ([], {"team": "web"}, ["front", "kiosk"]),
        ([], {"team": "web", "tier": "1"}, ["front", "kiosk"]),
        (["*/f*", "*/o*"], {"tier": "1"}, ["front", "office"]),
    ],
)
def test_addresses_and_labels_select(only: list[str], selector: dict[str, str], expected: list[str]) -> None:
    assert names(select(*only, **selector).changes) == expected


@pytest.mark.parametrize(
    ("only", "selector", "message", "hint"),
    [
        (["ApiClient/frnt"], {}, "--only ApiClient/frnt matches no manifest", "did you mean ApiClient/front?"),
        (["front"], {}, "--only front matches no manifest", "did you mean ApiClient/front?"),
        (["Buyer/*"], {}, "--only Buyer/* matches no manifest", LISTING),
        (["*/old", "*/zzz"], {}, "--only */zzz matches no manifest", LISTING),
        (["*/0b"], {"team": "web"}, "--only */0b matches no manifest", LISTING),
        ([], {"taem": "web"}, "--selector taem=web: no manifest has this label", "did you mean team?"),
        ([], {"team": "wbe"}, "--selector team=wbe: no manifest has this value", "choose one of: desk, web"),
        ([], {"team": "dusk"}, "--selector team=dusk: no manifest has this value", "did you mean desk?"),
        ([], {"team": "web", "tier": "2"}, "no manifest matches all of --selector team=web,tier=2", ""),
        (["*/old"], {"team": "web"}, "no manifest matches all of --only */old --selector team=web", ""),
    ],
)
def test_what_selects_nothing_is_refused_offline(
    only: list[str], selector: dict[str, str], message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        select(*only, **selector)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_what_could_have_been_the_id_of_a_live_object_is_refused_when_there_is_none() -> None:
    with pytest.raises(ReconcilerError, match=r"--only ApiClient/FA\* matches neither a manifest nor a live object"):
        select("ApiClient/FA*")


@pytest.mark.parametrize(
    ("only", "selector", "warnings"),
    [
        (["*"], {}, ()),
        (["*o*"], {"tier": "1"}, ("1 of 4 resources and 1 unmanaged were left out by --only *o* --selector tier=1",)),
        (["*/front"], {}, ("3 of 4 resources and 1 unmanaged were left out by --only */front",)),
        (["*/[fko]*"], {}, ("1 unmanaged was left out by --only */[fko]*",)),
        (
            ["*/0*", "*/f*", "*/k*", "*/of*"],
            {},
            ("1 of 4 resources was left out by --only */0* --only */f* --only */k* --only */of*",),
        ),
    ],
)
def test_it_is_said_how_much_was_left_out(only: list[str], selector: dict[str, str], warnings: tuple[str]) -> None:
    assert select(*only, **selector).warnings == warnings


def test_the_guards_see_what_was_left_out_as_it_is_today() -> None:
    whole = {change.address.name: change for change in select("*/front").whole}
    assert {name: change.action for name, change in whole.items()} == {
        "0B": Action.UNMANAGED,
        "front": Action.UPDATE,
        "kiosk": Action.NO_OP,
        "office": Action.NO_OP,
        "old": Action.NO_OP,
    }
    assert whole["office"].after == whole["office"].before == BODIES[1]
    assert (whole["kiosk"].before, whole["kiosk"].after, whole["office"].fields) == (None, None, ())


def rules(found: selection.Selected, limits: Limits) -> list[str]:
    return [finding.rule for finding in guard.check(found.whole, guard.Context(limits, Access("nobody")))]


def test_limits_count_the_selected_changes_against_all_managed_resources() -> None:
    limits = Limits(changes=1, changes_percent=25, deletes=0)
    assert rules(select("*/front"), limits) == []
    assert rules(select("*/front", "*/kiosk"), limits) == ["limit-changes", "limit-changes-percent"]
    assert rules(select("*/old"), limits) == ["limit-deletes"]


def test_the_last_client_for_sellers_may_be_one_that_was_left_out() -> None:
    assert rules(select("*/front"), Limits()) == []
    assert rules(select("*/office"), Limits()) == ["last-seller-client"]


@given(
    st.lists(st.sampled_from(["*/front", "*/k*", "*/o*", "*/0*", "*"]), max_size=3), st.sampled_from([{}, WEB, DESK])
)
def test_nothing_is_lost_and_nothing_else_is_written(only: list[str], labels: dict[str, str]) -> None:
    found = selection.restrict(CHANGES, STATE, Selection(tuple(only), labels))
    assert names(found.whole) == names(CHANGES)
    assert set(names(tuple(one for one in found.whole if one.action.writes))) <= set(names(found.changes))
    assert all(change in CHANGES for change in found.changes)


# -- through the pipeline --


def planned(service: Shop, state: DesiredState, *only: str) -> Plan:
    target = replace(pipeline_target(), selection=Selection(only))
    return service.plan(state, target)


def pipeline_target() -> Target:
    return Target("test", None, Limits(deletes=None))


def test_an_object_is_in_scope_by_its_id_where_people_choose_it() -> None:
    found = [
        Change(Address("IntegrationEvent", name), Action.UNMANAGED, name, {"ID": name}, None)
        for name in ("web", "desk")
    ]
    own, foreign = map(tuple, selection.parted(found, Scope(include=("*/web",))))
    assert (names(own), names(foreign)) == (["web"], ["desk"])


def test_only_what_is_selected_is_applied(tmp_path: Path) -> None:
    state = desired(manifest("a", AccessTokenDuration=60), manifest("b", AccessTokenDuration=60))
    with shop(tmp_path) as service:
        plan = planned(service, state, "ApiClient/a")
        service.apply(plan)
        assert set(service.bodies()) == {"a"}
    assert plan.selection == Selection(("ApiClient/a",))
    assert plan.warnings == ("1 of 2 resources and 1 unmanaged were left out by --only ApiClient/a",)


def test_secrets_of_what_is_left_out_are_not_asked_for(tmp_path: Path) -> None:
    secrets = {"ClientSecret": SecretReference(SecretSource.ENVIRONMENT, "MISSING")}
    state = desired(manifest("a", AccessTokenDuration=60), manifest("b", AccessTokenDuration=60, secrets=secrets))
    with shop(tmp_path, profile="legacy") as service:
        assert not any("MISSING" in warning for warning in planned(service, state, "*/a").warnings)
        assert any("MISSING" in warning for warning in planned(service, state, "*/b").warnings)


def test_an_ambiguity_of_what_is_left_out_still_counts(tmp_path: Path) -> None:
    twins = [body(client_id(1), "b"), body(client_id(2), "b")]
    state = desired(manifest("a", AccessTokenDuration=60), manifest("b"))
    with shop(tmp_path, *twins) as service, pytest.raises(InputError) as caught:
        planned(service, state, "*/a")
    assert [fault.rule for fault in caught.value.diagnostics] == ["ambiguous-name"]


def test_a_rename_is_hinted_at_though_the_old_client_was_left_out(tmp_path: Path) -> None:
    with shop(tmp_path, body(client_id(1), "storefront old")) as service:
        plan = planned(service, desired(manifest("storefront", AccessTokenDuration=60)), "*/storefront")
    assert names(plan.changes) == ["storefront"]
    assert f"metadata.id: {client_id(1)}" in plan.warnings[1]


def test_nothing_is_said_of_an_odd_object_that_is_out_of_scope() -> None:
    found = live(body("A", "web"), body("B", "shop"))
    odd = replace(found, resources=tuple(replace(one, faults=("odd",)) for one in found.resources if one.id == "B"))
    for scope, said in ((Scope(), 1), (Scope(exclude=("ApiClient/S*",)), 0)):
        compared = diff_offline(Sides(replace(desired(), scope=scope), odd), NO_LIMITS)
        assert (len(compared.warnings), compared.out_of_scope, len(compared.whole)) == (said, 1 - said, 1)


@pytest.mark.parametrize(
    ("glob", "kind", "name", "matches"),
    [
        ("apiclient/WEB-*", "ApiClient", "web-1", True),
        ("*/web", "ApiClient", "admin/web", False),
        ("ApiClient/*/web", "ApiClient", "admin/web", True),
        ("ApiClient/web", "Webhook", "web", False),
        ("ApiClient/web", "ApiClient", "web\n", False),
        ("ApiClient/*", "ApiClient", "", True),
    ],
)
def test_kinds_and_names_are_matched_apart(glob: str, kind: str, name: str, *, matches: bool) -> None:
    assert (Scope(include=(glob,)).objection(kind, name) == "") is matches
    assert (Scope(exclude=(glob,)).objection(kind, name) != "") is matches
