"""Where manifests own all fields, as export writes them, whatever somebody changes is drift, whatever the kind."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from reconciler import pipeline
from reconciler.errors import ReconcilerError
from reconciler.export import ManifestOrigin, export
from reconciler.kinds import KINDS, Field, IdChoice
from reconciler.kinds.fields import Choice, Data, Flag, Many, Record, Text, Whole
from reconciler.live import body_of
from reconciler.manifests.context import LoadContext
from reconciler.manifests.load import load
from reconciler.model.drift import DriftKind
from reconciler.model.json import Json
from reconciler.model.resource import AssignmentsPolicy, DesiredState, FieldsPolicy, Policy
from reconciler.planning import drift
from tests.kinds.test_kinds_round import CHANGED, CHOSEN, CONTEXT, OBJECTS, SPECS, wanted
from tests.service import NO_LIMITS, Shop, client_id, shop

WATCHING: Final = LoadContext(
    allowed_secrets=CONTEXT.allowed_secrets,
    marketplace=CONTEXT.marketplace,
    defaults=Policy(fields=FieldsPolicy.EXCLUSIVE, assignments=AssignmentsPolicy.WATCH),
)
ELSEWHERE: Final[dict[str, Json]] = {
    "ApiClientIDs": [client_id(2)],
    "OrderCloudApiClientID": client_id(2),
    "ClientID": client_id(2),
    "ApiClientID": client_id(2),
    "DeliveryConfigID": "other",
    "IntegrationEventID": "login",
    "SecurityProfileID": "other",
    "ApprovingGroupID": "other",
    "BuyerID": "other",
    "GroupID": "g",
    "UserID": "u",
    "ImpersonationBuyerID": "other",
    "ImpersonationGroupID": "team",
    "ImpersonationUserID": "boss",
    "Language": "en-GB",
    "Currency": "EUR",
}
"""Another value of a field that refers to something, or whose text is not free."""
MORE: Final[dict[str, Any]] = {
    "Suppliers": [{"ID": "mill", "Name": "Mill", "Active": True}],
    "Buyers": [{"ID": "other", "Name": "Other", "Active": True}],
    "UserGroups": [{"ID": "g", "Name": "G", "BuyerID": "main"}],
    "Users": [{"ID": "u", "Username": "u", "BuyerID": "main", "FirstName": "U", "LastName": "U", "Active": True}],
    "DeliveryConfigs": [
        {
            "ID": "other",
            "Name": "Other",
            "DeliveryTargets": {"Http": {"Endpoint": "https://b.example.com", "Secret": "s"}},
        }
    ],
    "AdminUsers": [{"ID": "boss", "Username": "boss", "FirstName": "B", "LastName": "O", "Active": True}],
    "IntegrationEvents": [
        {"ID": "login", "Name": "Login", "EventType": "OpenIDConnect", "ElevatedRoles": []}
        | {"CustomImplementationUrl": "https://c.example.com", "HashKey": "k"}
    ],
    "SecurityProfiles": [{"ID": "other", "Name": "Other", "Roles": ["MeAdmin"]}],
    "AdminUserGroups": [{"ID": "other", "Name": "Other"}],
}
MOOT: Final[dict[str, dict[str, str]]] = {
    "MessageSender": {"URL": "gone since API 1.0.454"},
    "SellerApprovalRule": {"ApprovalType": "only OrderReturn is supported", "OwnerID": "always that of the seller"},
}
"""Fields of which the service accepts no other value, and why."""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Shop]:
    clients = [
        {"ID": client_id(n), "AppName": f"A{n}", "AccessTokenDuration": 60, "Active": True, "AllowAnyBuyer": True}
        | {"DefaultContextUserName": "u"}
        for n in (1, 2)
    ]
    objects = {name: [*OBJECTS.get(name, []), *MORE.get(name, [])] for name in {**OBJECTS, **MORE}}
    with shop(tmp_path, *clients, objects=objects) as opened:
        opened.secrets["KEY"] = "planted"
        yield opened


def exported(kind: str, service: Shop, folder: Path) -> DesiredState:
    """The manifests of an object of the kind, which plan to nothing."""
    service.converge(wanted(folder, kind, SPECS[kind]))
    with service.reader() as reader:
        live = pipeline.live(reader, NO_LIMITS, [kind])
    export(live, (), WATCHING, folder / "manifests", ManifestOrigin("here")).write()
    desired = load([folder / "manifests"], WATCHING).desired
    assert not service.plan(desired).has_changes
    return desired


def others(field: Field, now: Any) -> Iterator[tuple[str, Json]]:
    """The field, or each member of a record, with a value that it does not have."""
    if isinstance(field.type, Record):
        record = _whole(field.type, now or {})
        for member in (one for one in field.type.fields if not one.secret):
            for name, value in others(member, record.get(member.name)):
                yield f"{field.name}/{name}", _whole(field.type, {**record, member.name: value})
    else:
        yield field.name, ELSEWHERE.get(field.name, _another(field, now))


def _whole(record: Record, now: Any) -> dict[str, Json]:
    """What is there of a record, with the secrets that no answer has, and with what is required."""
    found = {name: value for name, value in now.items() if value is not None}
    for member in record.fields:
        if isinstance(member.type, Record) and member.name in found:
            found[member.name] = _whole(member.type, found[member.name])
        if member.required and member.name not in found:
            found[member.name] = next(value for _, value in others(member, None))
        if member.secret and (not member.together or member.together in found):
            found[member.name] = "planted"
    return found


def _another(field: Field, now: Any) -> Json:
    match field.type:
        case Flag():
            return not now
        case Whole(minimum, _):
            return (now or minimum or 0) + 1
        case Choice(values):
            return next((one for one in values if one != now), None)
        case Many(of):
            return now[1:] if now else [of.values[0] if isinstance(of, Choice) else "Shopper"]
        case Data():
            return {**(now or {}), "seen": True}
        case of:
            text = "https://elsewhere.example.com" if str(now).startswith("http") else f"x{now or ''}"
            return text[: of.max_length] if isinstance(of, Text) else text


@pytest.mark.sample(5)
@pytest.mark.parametrize("kind", [kind for kind in CHOSEN if not KINDS[kind].row_fields])
def test_whatever_field_somebody_sets_is_drift(kind: str, service: Shop, tmp_path: Path) -> None:
    desired = exported(kind, service, tmp_path)
    known, refused = str(wanted(tmp_path, kind, SPECS[kind]).resources[0].id), {}
    path, below = KINDS[kind].place(known)
    with service.writer() as writer:
        before = body_of(writer, KINDS[kind], known)
        for field in (one for one in KINDS[kind].fields.values() if not one.immutable):
            now = before.get(field.name)
            back = _whole(field.type, now) if isinstance(field.type, Record) and now else now
            for name, value in others(field, now):
                beside: dict[str, Json] = {field.together: "key"} if field.together else {}
                try:
                    writer.patch(path, below, {field.name: value, **beside})
                except ReconcilerError as error:
                    refused[name] = str(error)
                    continue
                if field.name not in body_of(writer, KINDS[kind], known):
                    refused[name] = "not a field of this version"
                    continue
                (change,) = (
                    one for one in service.plan(desired).changes if one.id == known and one.address.kind == kind
                )
                assert {one.pointer.split("/")[1] for one in change.fields} == {field.name}, name
                if isinstance(field.type, Data):
                    writer.patch(path, below, {field.name: None})
                writer.patch(path, below, {field.name: back, **(beside if back else dict.fromkeys(beside))})
    assert refused.keys() == MOOT.get(kind, {}).keys(), refused
    assert not service.plan(desired).has_changes


@pytest.mark.parametrize("rows", ["[kept, added]", "[]"])
def test_an_index_that_somebody_adds_to_a_type_that_is_named_or_removes_is_drift(
    rows: str, service: Shop, tmp_path: Path
) -> None:
    names = KINDS["XpIndex"].fields
    desired, changed = (
        wanted(tmp_path, "XpIndex", f"{{{', '.join(f'{name}: {each}' for name in names)}}}")
        for each in ("[kept]", rows)
    )
    assert service.converge(desired).is_complete
    assert service.converge(changed).is_complete
    found = drift.find(service.plan(desired)).deviations
    assert sorted(one.pointer for one in found if one.is_drift) == sorted(f"/{name}" for name in names)


@pytest.mark.sample(3)
@pytest.mark.parametrize("kind", [kind for kind in CHOSEN if KINDS[kind].id_choice is IdChoice.CHOSEN])
def test_an_object_that_somebody_creates_or_deletes_is_drift(kind: str, service: Shop, tmp_path: Path) -> None:
    desired = exported(kind, service, tmp_path)
    spec = SPECS[kind].replace(*CHANGED.get(kind, ("Name: A", "Name: B")))
    spec = spec.replace(client_id(1), client_id(2)).replace("colour", "size")  # where there can be one of each only
    assert service.converge(wanted(tmp_path, kind, spec, name="second")).is_complete
    created = drift.find(service.plan(desired), unmanaged=True)
    assert [one.kind for one in created.deviations if one.is_drift] == [DriftKind.UNMANAGED]
    with service.writer() as writer:
        writer.delete(KINDS[kind].path, "round")
    deleted = drift.find(service.plan(desired))
    assert [one.kind for one in deleted.deviations if one.is_drift] == [DriftKind.MISSING]


ROWS: Final[dict[str, str]] = {
    "seller": "true",
    "buyers": "[main]",
    "suppliers": "[mill]",
    "adminGroups": "[team]",
    "adminUsers": "[boss]",
    "groups": "[{buyer: main, group: g}]",
    "users": "[{buyer: main, user: u}]",
    "ccListeners": "[{messageType: OrderSubmitted, forBuyer: main, forGroup: g, buyer: main, user: u}]",
}
"""A row of each level."""
LEVELS: Final = [
    (name, level.name)
    for name in CHOSEN
    if (assignments := KINDS[name].assignments)
    for level in assignments.levels
    if "sers" not in level.name
]
"""All but those of single users, which export leaves out."""


@pytest.mark.sample(4)
@pytest.mark.parametrize(("kind", "level"), LEVELS)
def test_an_assignment_that_somebody_adds_is_drift_and_stays(
    kind: str, level: str, service: Shop, tmp_path: Path
) -> None:
    desired = exported(kind, service, tmp_path)
    service.converge(wanted(tmp_path, kind, SPECS[kind], assignments=f"{{{level}: {ROWS[level]}}}"))
    service.forget()
    found = drift.find(service.plan(desired))
    assert [one.pointer for one in found.deviations if one.is_drift] == [f"/assignments/{level}"]
    assert service.converge(desired).is_complete
    assert service.writes() == []
