"""What the rules of API clients find, whatever a manifest says and leaves open."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.kinds.api_client.rules import EVERYONE, administrative
from reconciler.kinds.checks import ManifestView
from reconciler.kinds.fields import API_ROLES
from reconciler.manifests.rules import RULES, objections
from reconciler.model.json import ABSENT, Body, get_at, pointer_parts
from reconciler.model.secret import SecretReference, SecretSource
from tests.manifests.test_rules import API_CLIENT


def found(view: ManifestView, **changes: Any) -> set[str]:
    return {rule.name for rule, _ in objections(API_CLIENT, replace(view, **changes))}


@pytest.mark.parametrize(
    ("role", "is_administrative"),
    [
        ("FullAccess", True),
        ("OrderAdmin", True),
        ("MessageSenderAdmin", True),
        ("AdminUserReader", False),
        ("Shopper", False),
        *((role, False) for role in sorted(API_ROLES) if re.match(r"Me[A-Z]", role)),
    ],
)
def test_roles_for_the_own_account_are_not_administrative(role: str, is_administrative: bool) -> None:
    assert bool(administrative([role])) is is_administrative


FLAGS = ["Active", "AllowSeller", "IsAnonBuyer", *EVERYONE.values()]
MINUTES = [name for name in API_CLIENT.fields if name.endswith("Duration")]
ROLES = [name for name in API_CLIENT.fields if name.endswith("Roles")]
SPECS = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(FLAGS, st.none() | st.booleans()),
        **dict.fromkeys(MINUTES, st.sampled_from([None, 0, 10, 600])),
        **dict.fromkeys(ROLES, st.none() | st.lists(st.sampled_from(["Shopper", "OrderAdmin"]), unique=True)),
        "DefaultContextUserName": st.sampled_from([None, "ann"]),
    },
)
DEFAULTS = {name: field.default for name, field in API_CLIENT.fields.items()}
REFERENCES = st.none() | st.just(SecretReference(SecretSource.ENVIRONMENT, "A"))
SECRETS = st.fixed_dictionaries({}, optional={"ClientSecret": REFERENCES})
IDS = st.sampled_from([(), ("a",)])
ASSIGNMENTS = st.fixed_dictionaries({}, optional=dict.fromkeys(EVERYONE, IDS))
VIEWS = st.builds(
    ManifestView,
    SPECS,
    st.just(DEFAULTS),
    SECRETS,
    ASSIGNMENTS,
    st.booleans(),
    st.frozensets(st.sampled_from([*FLAGS, *MINUTES, *ROLES, "DefaultContextUserName"]), max_size=3),
    st.booleans(),
)


@given(VIEWS)
def test_a_rule_never_finds_fault_with_what_the_manifest_does_not_name(view: ManifestView) -> None:
    blocks: dict[str, Any] = {"assignments": view.assignments}
    blocks |= {"secrets": [{"name": "primary"}]} if view.has_named_secrets else {}
    manifest: dict[str, Any] = {"spec": {**view.spec, **view.secrets}, **blocks}
    for rule, objection in objections(API_CLIENT, view):
        assert get_at(manifest, pointer_parts(objection.pointer)) is not ABSENT
        assert rule.about & {*view.spec, *view.secrets, *blocks}


@given(VIEWS, SPECS, ASSIGNMENTS, SECRETS)
def test_what_is_found_is_found_whatever_the_service_has_in_what_the_manifest_leaves_open(
    view: ManifestView, spec: Body, assignments: Mapping[str, Any], secrets: Mapping[str, Any]
) -> None:
    kept = {name: value for name, value in view.spec.items() if name not in view.open_fields}
    view = replace(view, spec=kept, exclusive=False, open_fields=frozenset())
    live = {**spec, "Active": True}
    effective = {
        "spec": {**live, **view.spec},
        "assignments": {**assignments, **view.assignments},
        "secrets": {**secrets, **view.secrets},
    }
    assert {rule.name for rule, one in objections(API_CLIENT, view) if one.is_certain} <= found(view, **effective)


@given(VIEWS)
@example(
    ManifestView(
        dict.fromkeys(FLAGS, False), DEFAULTS, {}, dict.fromkeys(EVERYONE, ()), open_fields=frozenset({"Active"})
    )
)
@example(ManifestView({"AnonymousTokenDuration": 10080}, DEFAULTS, exclusive=True))
@example(ManifestView({"IsAnonBuyer": True}, DEFAULTS, {"ClientSecret": None}, {}, True, frozenset({"IsAnonBuyer"})))
def test_to_leave_more_open_never_adds_to_what_is_found(view: ManifestView) -> None:
    assert found(view) <= found(view, open_fields=frozenset())
    assert found(view, exclusive=False) <= found(view, exclusive=True)


@given(VIEWS)
def test_a_rule_that_is_not_asked_would_have_nothing_to_say(view: ManifestView) -> None:
    asked = {rule for rule, _ in objections(API_CLIENT, view)}
    assert {rule for rule in RULES.values() if list(rule.check(view))} == asked


def test_what_the_rules_know_of_api_clients_is_what_the_kind_says() -> None:
    parties = API_CLIENT.assignments.levels if API_CLIENT.assignments else ()
    assert {party.name: party.everyone_field for party in parties} == EVERYONE
