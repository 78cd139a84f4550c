"""Assignments at every level, with each way in which the API deletes them."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler import pipeline
from reconciler.errors import InputError
from reconciler.export import ManifestOrigin, export
from reconciler.kinds import KINDS, Kind
from reconciler.kinds.assignments import Level
from reconciler.kinds.references import wave
from reconciler.manifests.context import LoadContext
from reconciler.manifests.load import load
from reconciler.model.drift import DriftKind, Side
from reconciler.model.outcome import Status
from reconciler.model.plan import Action, Direction
from reconciler.model.resource import Address, DesiredState
from reconciler.planning import drift, planfile
from reconciler.planning.planfile import reading
from reconciler.planning.planfile.reading import plan_of
from reconciler.render import FORMATS
from reconciler.render.style import Style
from tests.service import NO_LIMITS, Shop, shop

_COMPANIES = {
    "Buyers": [{"ID": "main", "Name": "Main", "Active": True}, {"ID": "other", "Name": "Other", "Active": True}],
    "Suppliers": [{"ID": "maker", "Name": "Maker", "Active": True}],
}
_PERSON = {"FirstName": "A", "LastName": "B", "Email": "a@shop.example", "Active": True}
OBJECTS = {
    **_COMPANIES,
    "AdminUserGroups": [{"ID": "staff", "Name": "Staff"}],
    "UserGroups": [{"ID": "team", "Name": "Team", "BuyerID": "main"}],
    "SupplierUserGroups": [{"ID": "crew", "Name": "Crew", "SupplierID": "maker"}],
    "AdminUsers": [{"ID": "boss", "Username": "boss", **_PERSON}],
    "Users": [{"ID": "buyer-1", "Username": "buyer-1", "BuyerID": "main", **_PERSON}],
    "DeliveryConfigs": [{"ID": "mails", "Name": "Mails", "DeliveryTargets": {}}],
}
PROFILE = "kind: SecurityProfile\nmetadata: {name: p}\nspec: {Name: P, Roles: [ProductReader]}\n"
EVERY_LEVEL = """assignments:
  seller: true
  buyers: [main]
  suppliers: [maker]
  adminGroups: [{ref: new}, staff]
  adminUsers: [boss]
  groups: [{buyer: main, group: team}, {supplier: maker, group: crew}]
  users: [{buyer: main, user: buyer-1}]
"""
NO_LEVEL = (
    "assignments: {seller: false, buyers: [], suppliers: [], adminGroups: [], adminUsers: [], groups: [], users: []}\n"
)
GROUP = "kind: AdminUserGroup\nmetadata: {name: new, id: new-group}\nspec: {Name: New}\n"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Shop]:
    """A marketplace with parties of every sort."""
    with shop(tmp_path, objects=OBJECTS) as opened:
        yield opened


def manifests(folder: Path, *texts: str) -> DesiredState:
    """Load some manifests."""
    folder.mkdir(exist_ok=True)
    for number, text in enumerate(texts):
        (folder / f"{number}.yaml").write_text(f"apiVersion: reconciler/v1\n{text}")
    return load([folder], LoadContext()).desired


def rows(service: Shop, path: str) -> list[dict[str, Any]]:
    """The rows of a list, less what is null."""
    with service.reader() as reader:
        found = reader.list_all(path, key=None)
    return [{name: value for name, value in row.items() if value is not None} for row in found]


def test_every_level_of_a_profile_is_added_and_taken_away(service: Shop, tmp_path: Path) -> None:
    wanted = manifests(tmp_path / "m", PROFILE + EVERY_LEVEL, GROUP)
    assert service.converge(wanted).is_complete
    assert len(rows(service, "/securityprofiles/assignments")) == 9
    assert not service.plan(wanted).has_changes
    nobody = manifests(tmp_path / "m", PROFILE + NO_LEVEL, GROUP)
    plan = service.plan(nobody)
    assert {one.direction for change in plan.changes for one in change.fields} == {Direction.NARROWS}
    assert service.apply(plan).is_complete
    assert rows(service, "/securityprofiles/assignments") == []
    assert not service.plan(nobody).has_changes


def test_a_level_that_is_left_out_is_left_alone_and_a_watched_one_is_reported(service: Shop, tmp_path: Path) -> None:
    service.converge(manifests(tmp_path / "m", PROFILE + EVERY_LEVEL, GROUP))
    less = PROFILE + "assignments: {buyers: []}\npolicy: {assignments: watch}\n"
    plan = service.plan(manifests(tmp_path / "m", less, GROUP))
    assert not plan.has_changes
    assert [(one.is_watched, one.fields[0].removed) for one in plan.notices] == [(True, ("main",))]


@pytest.mark.parametrize("group", ["{ref: new}", "new-group", "NEW-GROUP"])
def test_a_watched_row_that_a_reference_names_is_no_surprise(service: Shop, tmp_path: Path, group: str) -> None:
    service.converge(manifests(tmp_path / "m", PROFILE + "assignments: {adminGroups: [new-group]}\n", GROUP))
    named = PROFILE + f"assignments: {{adminGroups: [{group}]}}\npolicy: {{assignments: watch}}\n"
    plan = service.plan(manifests(tmp_path / "m", named, GROUP))
    assert (plan.has_changes, plan.notices) == (False, ())
    assert {one.kind for one in drift.find(plan).deviations} == {DriftKind.UNMANAGED}


def test_a_receipt_knows_a_row_that_a_reference_names_by_its_id(service: Shop, tmp_path: Path) -> None:
    wanted = manifests(tmp_path / "m", PROFILE + "assignments: {adminGroups: [{ref: new}]}\n", GROUP)
    plan = service.plan(wanted)
    receipt = drift.receipt_of(plan, service.apply(plan), wanted, "2026-01-01T00:00:00Z")
    assignments = KINDS["SecurityProfile"].assignments
    assert assignments is not None
    path, query = assignments.level("adminGroups").deleted_by("p", "new-group")
    with service.writer() as writer:
        writer.delete(path, query=query)
    sides = {one.change.address.name: one.side for one in drift.find(service.plan(wanted), receipt).deviations}
    assert sides["p"] is Side.LIVE_DRIFTED


def test_a_group_is_written_before_the_profile_that_is_assigned_to_it(service: Shop, tmp_path: Path) -> None:
    plan = service.plan(manifests(tmp_path / "m", PROFILE + EVERY_LEVEL, GROUP))
    (profile,) = (one for one in plan.changes if one.address == Address("SecurityProfile", "p"))
    assert (profile.wave, profile.depends_on) == (2, (Address("AdminUserGroup", "new"),))
    assert wave("AdminUserGroup") < wave("SecurityProfile")
    assert "new-group" in {step.id for step in profile.assignments}


def test_a_plan_says_what_a_change_waits_for_and_in_which_wave(service: Shop, tmp_path: Path) -> None:
    plan = service.plan(manifests(tmp_path / "m", PROFILE + EVERY_LEVEL, GROUP))
    for name in ("text", "markdown", "html"):
        write = FORMATS[name].plan
        assert write is not None
        assert "AdminUserGroup/new, in wave 2" in write(plan, "", Style())


def test_a_group_is_deleted_after_the_assignments_to_it(service: Shop, tmp_path: Path) -> None:
    service.converge(manifests(tmp_path / "m", PROFILE + EVERY_LEVEL, GROUP))
    gone = manifests(
        tmp_path / "m", PROFILE + "assignments: {adminGroups: [staff]}\n", GROUP + "policy: {state: absent}\n"
    )
    plan = service.plan(gone)
    (deleted,) = (one for one in plan.changes if one.action is Action.DELETE)
    assert deleted.depends_on == (Address("SecurityProfile", "p"),)
    assert service.apply(plan).is_complete


def test_the_members_of_a_group_are_its_assignments(service: Shop, tmp_path: Path) -> None:
    wanted = manifests(tmp_path / "m", GROUP + "assignments: {adminUsers: [boss]}\n")
    assert service.converge(wanted).is_complete
    assert rows(service, "/usergroups/assignments") == [{"UserGroupID": "new-group", "UserID": "boss"}]
    service.forget()
    assert service.converge(manifests(tmp_path / "m", GROUP + "assignments: {adminUsers: []}\n")).is_complete
    assert service.writes() == ["DELETE /v1/usergroups/new-group/assignments/boss"]


def test_a_locale_has_buyers_and_groups_of_buyers(service: Shop, tmp_path: Path) -> None:
    text = "kind: Locale\nmetadata: {name: en}\nspec: {Currency: USD, Language: en-US}\n"
    wanted = manifests(tmp_path / "m", text + "assignments: {buyers: [main], groups: [{buyer: main, group: team}]}\n")
    plan = service.plan(wanted)
    assert {one.direction for one in plan.changes[0].fields if one.pointer.startswith("/assign")} == {Direction.NEUTRAL}
    assert service.apply(plan).is_complete
    fewer = manifests(tmp_path / "m", text + "assignments: {buyers: [main], groups: []}\n")
    assert service.converge(fewer).is_complete
    assert rows(service, "/locales/assignments") == [{"LocaleID": "en", "BuyerID": "main"}]


SENDER = """kind: MessageSender
metadata: {name: s}
spec: {Name: S, MessageTypes: [OrderSubmitted], DeliveryConfigID: mails}
"""


def test_a_listener_is_added_and_never_deleted_and_the_plan_says_so(service: Shop, tmp_path: Path) -> None:
    listener = "ccListeners: [{messageType: OrderSubmitted, buyer: main, group: team}]"
    wanted = manifests(tmp_path / "m", f"{SENDER}assignments: {{{listener}, buyers: [main]}}\n")
    assert service.converge(wanted).is_complete
    assert not service.plan(wanted).has_changes
    plan = service.plan(manifests(tmp_path / "m", f"{SENDER}assignments: {{ccListeners: []}}\n"))
    assert not plan.has_changes
    (notice,) = plan.notices
    assert "messageType OrderSubmitted buyer main group team, which the API cannot delete" in notice.message


def test_a_listener_names_the_assignment_whose_messages_are_copied(service: Shop, tmp_path: Path) -> None:
    about = ["", "forBuyer: main, ", "forBuyer: main, forGroup: team, ", "forSupplier: maker, ", "forGroup: staff, "]
    listeners = ", ".join(f"{{messageType: OrderSubmitted, {one}user: boss}}" for one in about)
    text = f"{SENDER}assignments: {{buyers: [main], ccListeners: [{listeners}]}}\n"
    wanted = manifests(tmp_path / "m", text)
    assert service.converge(wanted).is_complete
    found = [row["MessageSenderAssignment"] for row in rows(service, "/messagesenders/CCListenerAssignments")]
    assert {" ".join(filter(None, row.values())) for row in found} == {
        "s",
        "s main",
        "s main team",
        "s maker",
        "s staff",
    }
    assert [one.partition(" /v1/messagesenders")[2] for one in service.writes()][1] == "/assignments"
    assert not service.plan(wanted).has_changes


def test_a_listener_is_about_one_assignment(tmp_path: Path) -> None:
    listener = "{messageType: OrderSubmitted, forBuyer: main, forSupplier: maker}"
    with pytest.raises(InputError) as caught:
        manifests(tmp_path / "m", f"{SENDER}assignments: {{ccListeners: [{listener}]}}\n")
    (fault,) = caught.value.diagnostics
    assert fault.message == "ccListeners cannot have a row of messageType, forBuyer, forSupplier"
    assert fault.hint.endswith(
        "each also with {forBuyer}, {forSupplier}, {forGroup}, {forBuyer, forGroup} or {forSupplier, forGroup}"
    )


def test_a_listener_of_a_party_that_is_not_there_is_found_before_the_first_write(service: Shop, tmp_path: Path) -> None:
    listener = "{messageType: OrderSubmitted, forBuyer: main, forGroup: nobody, user: boss}"
    plan = service.plan(manifests(tmp_path / "m", f"{SENDER}assignments: {{ccListeners: [{listener}]}}\n"))
    (finding,) = plan.guards
    assert "no buyer's user group nobody" in finding.message


ALL_LEVELS = [(kind, level) for kind in KINDS.values() if kind.assignments for level in kind.assignments.levels]


@given(st.sampled_from(ALL_LEVELS), st.data())
def test_a_row_of_any_level_is_read_as_it_was_written(one: tuple[Kind, Level], data: st.DataObject) -> None:
    kind, level = one
    shape = data.draw(st.sampled_from(level.shapes))
    ids = [data.draw(st.text("aZ9-_ %\u00e9", min_size=1)) for _ in shape]
    written: Any = dict(zip(shape, ids, strict=True))
    (text,) = level.texts(True if level.is_flag else ids if level.is_plain else [written])
    body = level.body("object", text)
    assert (level.found(body), level.object_id(body), level.takes(text)) == (text, "object", True)
    assert level.texts(level.value([text])) == (text,)
    others = [other for other in kind.assignments.levels if other.path == level.path] if kind.assignments else []
    assert [other for other in others if other.found(body) is not None] == [level]


def test_a_row_of_a_sort_of_party_that_is_not_known_is_of_no_level() -> None:
    assignments = KINDS["SecurityProfile"].assignments
    assert assignments
    found = assignments.of_objects(
        "/securityprofiles/assignments",
        [{"SecurityProfileID": "p", "BuyerGroupID": "g"}, {"SecurityProfileID": "p", "BuyerID": "main"}],
    )
    assert found == {"p": {"buyers": ("main",)}}


def test_what_is_assigned_already_is_no_failure(service: Shop, tmp_path: Path) -> None:
    wanted = manifests(tmp_path / "m", f"{SENDER}assignments: {{buyers: [main]}}\n")
    plan = service.plan(wanted)
    service.apply(plan)
    with service.writer() as writer:  # as an application does between plan and apply
        writer.post("/messagesenders/assignments", {"MessageSenderID": "s", "BuyerID": "other"})
    more = manifests(tmp_path / "m", f"{SENDER}assignments: {{buyers: [main, other]}}\n")
    again = service.plan(more)
    assert not again.has_changes
    service.fault("POST /v1/messagesenders/assignments status=409 count=all")
    third = manifests(tmp_path / "m", f"{SENDER}assignments: {{suppliers: [maker]}}\n")
    assert [one.status for one in service.converge(third).outcomes] == [Status.NOT_CONVERGED]


@pytest.mark.parametrize(
    ("level", "told"),
    [
        ("groups: [{group: team}]", "groups cannot have a row of group"),
        ("groups: [{buyer: main, supplier: maker, group: team}]", "groups cannot have a row of buyer, supplier, group"),
        ("adminGroups: [{ref: nobody}]", "AdminUserGroup/nobody"),
        ("buyers: [{ref: main}]", "this is not a reference"),
        ("buyers: [main, MAIN]", "MAIN is the same id as main"),
        ("seller: [main]", "seller"),
        ("everybody: true", "everybody"),
    ],
)
def test_what_no_level_can_be_is_an_error_with_its_place(tmp_path: Path, level: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        manifests(tmp_path / "m", f"{PROFILE}assignments: {{{level}}}\n")
    (fault,) = caught.value.diagnostics
    assert told in fault.message
    assert fault.place.line == 5


def test_who_is_not_there_is_found_before_the_first_write(service: Shop, tmp_path: Path) -> None:
    text = PROFILE + "assignments: {groups: [{buyer: main, group: nobody}], adminUsers: [ghost]}\n"
    plan = service.plan(manifests(tmp_path / "m", text))
    assert {one.message.partition(": there is ")[2] for one in plan.guards} == {
        "no buyer's user group nobody",
        "no admin user ghost",
    }


def test_a_saved_plan_keeps_every_level(service: Shop, tmp_path: Path) -> None:
    plan = service.plan(manifests(tmp_path / "m", PROFILE + EVERY_LEVEL, GROUP))
    text = planfile.dumps(plan)
    assert reading.loads(text, "plan.json").changes == plan.changes
    document = json.loads(text)
    (profile,) = (one for one in document["resource_changes"] if one["kind"] == "SecurityProfile")
    for step in profile["assignments"]:
        step["id"] = step["id"].replace("buyer main group team", "buyer main")
    with pytest.raises(ValueError, match="an assignment that is not valid for SecurityProfile"):
        plan_of(document)


def test_a_saved_plan_is_judged_by_the_assignments_as_it_was_when_it_was_made(service: Shop, tmp_path: Path) -> None:
    every_role = "FullAccess, SecurityProfileAdmin, SetSecurityProfile"
    text = PROFILE + "assignments: {seller: false, buyers: [main]}\n"
    service.converge(manifests(tmp_path / "m", text.replace("ProductReader", every_role)))
    wanted = manifests(tmp_path / "m", text)
    plan = service.plan(wanted)
    assert (plan.guards, service.objections(plan, wanted)) == ((), ())
    with service.writer() as writer:  # by now the user of the run may have the roles of the profile
        writer.post("/securityprofiles/assignments", {"SecurityProfileID": "p"})
    assert [one.rule for one in service.objections(plan, wanted)] == ["own-roles"]
    service.fault("GET /v1/securityprofiles/assignments status=403 count=all")
    assert [one.rule for one in service.objections(plan, wanted)] == ["own-roles"]


def test_an_export_names_every_level_but_that_of_users_and_plans_to_nothing(service: Shop, tmp_path: Path) -> None:
    service.converge(manifests(tmp_path / "m", PROFILE + EVERY_LEVEL, GROUP))
    with service.reader() as reader:
        live = pipeline.live(reader, NO_LIMITS, ["SecurityProfile"])
    made = export(live, (), LoadContext(), tmp_path / "e", ManifestOrigin("here"))
    made.write()
    text = (tmp_path / "e" / "p.yaml").read_text()
    assert "seller: true" in text
    assert "users" not in text.casefold()
    loaded = load([tmp_path / "e"], LoadContext()).desired
    assert loaded.resources[0].assignments["groups"] == ("buyer main group team", "supplier maker group crew")
    assert not service.plan(loaded).has_changes


def test_an_export_keeps_what_a_manifest_says_and_adds_what_is_live(service: Shop, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    service.converge(manifests(folder, PROFILE + EVERY_LEVEL, GROUP))
    less = EVERY_LEVEL.replace("{buyer: main, group: team}, ", "").replace(", staff", "").replace("true", "false")
    manifests(folder, PROFILE + less, GROUP)
    loaded = load([folder], LoadContext())
    with service.reader() as reader:
        live = pipeline.live(reader, NO_LIMITS, ["SecurityProfile", "AdminUserGroup"])
    live = replace(live, resources=tuple(one for one in live.resources if one.id in {"p", "new-group"}))
    export(live, loaded.manifests, LoadContext(), folder, ManifestOrigin("here")).write()
    text = (folder / "0.yaml").read_text()
    assert "{ref: new}, staff" in text
    assert not service.plan(load([folder], LoadContext()).desired).has_changes
