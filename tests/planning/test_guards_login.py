"""Guards of several kinds: limits for one of them, and what the login of a run depends on."""

from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest

from reconciler.config import load_config
from reconciler.errors import InputError
from reconciler.model.inputs import Access
from reconciler.model.plan import Action, AssignmentChange, Change, Limits
from reconciler.model.resource import Address, ObjectKey
from reconciler.planning.guards import Context, check

NO_LIMITS = Limits(deletes=None)
ACCESS = Access("own", frozenset({"SecurityProfileAdmin", "ApiClientReader"}))
PROFILE = Change(
    Address("SecurityProfile", "p"),
    Action.UPDATE,
    "p",
    {"Roles": ["SecurityProfileAdmin", "Shopper"]},
    {"Roles": ["SecurityProfileAdmin", "Shopper"]},
)


def rules(*changes: Change, access: Access = ACCESS, limits: Limits = NO_LIMITS) -> list[str]:
    return [one.rule for one in check(changes, Context(limits, access))]


@pytest.mark.parametrize(
    "change",
    [
        replace(PROFILE, after={"Roles": ["Shopper"]}),
        replace(PROFILE, action=Action.DELETE, after=None),
        replace(PROFILE, assignments=(AssignmentChange("seller", "seller", assign=False),)),
        replace(PROFILE, assignments=(AssignmentChange("adminGroups", "staff", assign=False),)),
    ],
)
def test_a_run_does_not_take_away_its_own_roles(change: Change) -> None:
    assert rules(change) == ["own-roles"]
    assert rules(change, access=Access("own", ACCESS.roles | {"FullAccess"} if ACCESS.roles else None)) == []
    assert rules(change, access=Access("own", None)) == ["own-roles"]


@pytest.mark.parametrize(
    "change",
    [
        replace(PROFILE, after={"Roles": ["SecurityProfileAdmin"]}),
        replace(PROFILE, assignments=(AssignmentChange("buyers", "main", assign=False),)),
        replace(PROFILE, assignments=(AssignmentChange("seller", "seller", assign=True),)),
    ],
)
def test_what_the_run_does_not_need_may_go(change: Change) -> None:
    assert rules(change) == []


GROUP = Change(Address("AdminUserGroup", "staff"), Action.UPDATE, "staff", {}, {})
LEAVES = replace(GROUP, assignments=(AssignmentChange("adminUsers", "me", assign=False),))


@pytest.mark.parametrize("change", [LEAVES, replace(GROUP, action=Action.DELETE, after=None)])
def test_a_run_does_not_take_its_user_out_of_the_group_that_gives_it_its_roles(change: Change) -> None:
    access = replace(ACCESS, user="ME", roles=frozenset({"AdminUserGroupAdmin"}))
    gives = replace(PROFILE, action=Action.NO_OP, before={"Roles": ["AdminUserGroupAdmin"]})
    assert rules(change, gives, access=access) == ["own-roles"]
    assert rules(change, replace(gives, before={"Roles": ["Shopper"]}), access=access) == []


def test_without_the_profiles_only_leaving_a_group_is_refused() -> None:
    access = replace(ACCESS, user="me", roles=frozenset({"AdminUserGroupAdmin"}))
    assert rules(LEAVES, access=access) == ["own-roles"]
    assert rules(LEAVES, access=replace(access, roles=None)) == ["own-roles"]
    assert rules(replace(GROUP, action=Action.DELETE, after=None), access=access) == []


Held: TypeAlias = dict[ObjectKey, dict[str, tuple[str, ...]]]
GIVES = [
    replace(PROFILE, address=Address("SecurityProfile", name), action=Action.NO_OP, id=name, before={"Roles": [role]})
    for name, role in (("team", "AdminUserGroupAdmin"), ("other", "WebhookAdmin"), ("unread", "LocaleAdmin"))
]
HELD: Held = {
    ObjectKey("SecurityProfile", "team"): {"adminGroups": ("STAFF",), "adminUsers": ()},
    ObjectKey("SecurityProfile", "other"): {"adminGroups": ("others",), "adminUsers": ("other",)},
}


@pytest.mark.parametrize("change", [LEAVES, replace(GROUP, action=Action.DELETE, after=None)])
def test_a_group_that_goes_takes_away_the_roles_of_its_own_profiles(change: Change) -> None:
    access = Access("own", frozenset({"AdminUserGroupAdmin", "WebhookAdmin", "LocaleAdmin", "MeAdmin"}), user="me")
    (finding,) = check([change, *GIVES], Context(NO_LIMITS, access, held=HELD))
    assert "may remove AdminUserGroupAdmin, LocaleAdmin from the user of this run" in finding.message
    members: Held = {**HELD, ObjectKey("AdminUserGroup", "staff"): {"adminUsers": ("another",)}}
    deleted = replace(GROUP, action=Action.DELETE, after=None)
    assert not check([deleted, *GIVES], Context(NO_LIMITS, access, held=members))


@pytest.mark.parametrize(
    "change",
    [
        replace(PROFILE, action=Action.DELETE, after=None),
        replace(PROFILE, assignments=(AssignmentChange("adminUsers", "another", assign=False),)),
        replace(PROFILE, assignments=(AssignmentChange("adminGroups", "STAFF", assign=False),)),
    ],
)
def test_a_profile_that_the_user_of_the_run_does_not_have_may_go(change: Change) -> None:
    access = replace(ACCESS, user="me")
    held: Held = {
        ObjectKey("SecurityProfile", "p"): {"seller": (), "adminGroups": ("STAFF",), "adminUsers": ("another",)},
        ObjectKey("AdminUserGroup", "staff"): {"adminUsers": ("another",)},
    }
    group = replace(GROUP, action=Action.NO_OP)
    assert not check([change, group], Context(NO_LIMITS, access, held=held))
    mine: Held = {**held, ObjectKey("AdminUserGroup", "staff"): {"adminUsers": ("ME",)}}
    is_other = change.assignments and change.assignments[0].id == "another"
    assert bool(check([change, group], Context(NO_LIMITS, access, held=mine))) is not is_other


def test_another_user_may_leave_the_group() -> None:
    access = replace(ACCESS, user="another", roles=frozenset({"AdminUserGroupAdmin"}))
    assert rules(LEAVES, access=access) == []


def test_the_event_that_its_own_client_refers_to_is_not_deleted() -> None:
    body = {"OrderCheckoutIntegrationEventID": "checkout"}
    own = Change(Address("ApiClient", "own"), Action.NO_OP, "own", body, body)
    event = Change(Address("IntegrationEvent", "checkout"), Action.DELETE, "checkout", {"ID": "checkout"}, None)
    (finding,) = check((own, event), Context(NO_LIMITS, ACCESS))
    assert (finding.rule, finding.can_be_acknowledged) == ("own-client", False)
    assert rules(replace(own, action=Action.UPDATE, after={}), event) == []
    assert rules(replace(own, id="other"), event) == []


def test_a_limit_of_one_kind_counts_its_changes_alone() -> None:
    other = replace(PROFILE, address=Address("Locale", "en"))
    limits = replace(NO_LIMITS, kinds={"SecurityProfile": Limits(changes=0, deletes=None, name="limits.kinds.X")})
    assert rules(other, limits=limits) == []
    (finding,) = check([PROFILE, other], Context(limits, ACCESS))
    assert finding.message == "1 resource would change; limits.kinds.X.changes allows 0"


CONFIG = """apiVersion: reconciler/v1
kind: Config
manifests: [m]
environments:
  local:
    emulator: {}
    limits: {changes: 9, kinds: {%s: {changes: 1}}}
"""


def test_limits_of_kinds_stand_in_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "reconciler.yaml"
    file.write_text(CONFIG % "SecurityProfile")
    limits = load_config(file).environments["local"].limits
    assert limits.kinds == {"SecurityProfile": Limits(1, deletes=None, name="limits.kinds.SecurityProfile")}
    file.write_text(CONFIG % "SecurityProfle")
    with pytest.raises(InputError) as caught:
        load_config(file)
    assert [one.message for one in caught.value.diagnostics] == ['unknown kind "SecurityProfle"']
