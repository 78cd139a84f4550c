"""All kinds at once, with a row at each of their levels: snapshots, receipts and rollbacks leave out nothing."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from reconciler import pipeline
from reconciler.applying import receipt as receiptfile
from reconciler.kinds import KINDS
from reconciler.manifests.load import load
from reconciler.model.inputs import Snapshot
from reconciler.model.plan import Plan
from reconciler.model.resource import DesiredState, Policy
from reconciler.planning import drift as drifts
from reconciler.planning import snapshot as snapshotfile
from reconciler.planning.planfile import acknowledgement
from tests.applying.test_rollback import plan_back, run_of
from tests.kinds.test_kinds_round import CHANGED, CHOSEN, CONTEXT, SPECS
from tests.kinds.test_kinds_watched import ROWS
from tests.kinds.test_kinds_watched import service as service  # noqa: PLC0414  # the same marketplace, as a fixture
from tests.service import BASE_URL, NO_LIMITS, Shop, client_id

LEVELS: Final = {
    name: tuple(level.name for level in kind.assignments.levels) for name, kind in KINDS.items() if kind.assignments
}


def manifests(folder: Path, *, changed: bool = False) -> DesiredState:
    """One object of each kind: as it is at first, or with another value and no rows."""
    return load([_written(folder, kind, changed) for kind in KINDS], CONTEXT).desired


def _written(folder: Path, kind: str, changed: bool) -> Path:
    name = "buyers-users" if KINDS[kind].entities else "round"
    name = f"round, id: {client_id(9)}" if kind not in CHOSEN else name
    spec = SPECS.get(kind, "{AppName: A, AccessTokenDuration: 60, Active: false}")
    spec = spec.replace(*CHANGED.get(kind, ("Name: A", "Name: B"))) if changed else spec
    none = {"seller": "false"}
    rows = ", ".join(f"{level}: {none.get(level, '[]') if changed else ROWS[level]}" for level in LEVELS.get(kind, ()))
    file = folder / f"{kind}.yaml"
    file.write_text(
        f"apiVersion: reconciler/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"
        + (f"assignments: {{{rows}}}\n" if rows else "")
    )
    return file


def snapshot(service: Shop) -> Snapshot:
    """Take one, as it is read again from its file."""
    with service.reader() as reader:
        taken = pipeline.snapshot(reader, NO_LIMITS, KINDS, "2026-11-01T02:00:00Z")
    return snapshotfile.loads(snapshotfile.dumps(taken, None), "s.json")


def compared(plan: Plan) -> set[tuple[str, str]]:
    """The kinds and places of what differs, without secrets, which are only sent."""
    return {
        (change.address.kind, field.pointer)
        for change in plan.changes
        for field in change.fields
        if not field.sensitive
    }


LOST: Final = {
    "MessageSender": "SharedKey, assignments",
    "ApiClient": "secrets, assignments; logins require no secret until it has one",
}
DELETABLE: Final = {(kind, f"/assignments/{level}") for kind, levels in LEVELS.items() for level in levels} - {
    ("MessageSender", "/assignments/ccListeners")
}


def test_a_snapshot_has_all_and_shows_each_change(service: Shop, tmp_path: Path) -> None:
    desired = manifests(tmp_path)
    assert service.converge(desired).is_complete
    taken = snapshot(service)
    assert not pipeline.plan_from(taken, desired, BASE_URL, NO_LIMITS).has_changes
    changed = manifests(tmp_path, changed=True)
    seen = compared(pipeline.plan_from(taken, changed, BASE_URL, NO_LIMITS))
    assert seen == compared(service.plan(changed))
    assert {one for one in seen if one[1].startswith("/assignments/")} == DELETABLE
    assert {kind for kind, _ in seen} == {*KINDS}


def test_a_receipt_has_each_field_and_level(service: Shop, tmp_path: Path) -> None:
    desired = manifests(tmp_path)
    plan = service.plan(desired)
    receipt = drifts.receipt_of(plan, service.apply(plan), desired, "2026-11-01T02:00:00Z")
    kept: dict[str, Any] = {
        one.address.kind: one.hashes for one in receiptfile.loads(receiptfile.dumps(receipt, None), "r").resources
    }
    for one in desired.resources:
        kind = one.address.kind
        assert kept[kind].keys() >= KINDS[kind].fields.keys() & one.spec.keys()
        assert kept[kind].get("assignments", {}).keys() == {*LEVELS.get(kind, ())}


def test_a_run_is_taken_back(service: Shop, tmp_path: Path) -> None:
    desired = manifests(tmp_path)
    assert service.converge(desired).is_complete
    before = snapshot(service)
    run = run_of(service, tmp_path, *manifests(tmp_path, changed=True).resources)
    back = plan_back(service, run, manifests=desired)
    assert compared(back) == compared(service.plan(desired))
    assert service.apply(back).is_complete
    assert snapshot(service) == before
    assert not plan_back(service, run).has_changes


def test_what_a_run_created_is_deleted(service: Shop, tmp_path: Path) -> None:
    before = snapshot(service)
    created = run_of(service, tmp_path, *manifests(tmp_path).resources)
    back = plan_back(service, created)
    assert not [text for text in back.warnings if "delivered" in text]
    assert service.apply(back, acknowledged=acknowledgement(back)).is_complete
    assert snapshot(service) == before


def test_what_a_run_deleted_is_created_and_what_it_lost_is_said_before(service: Shop, tmp_path: Path) -> None:
    desired = manifests(tmp_path)
    assert service.converge(desired).is_complete
    before = snapshot(service)
    gone = [
        replace(one, policy=Policy(absent=True)) for one in desired.resources if not KINDS[one.address.kind].row_fields
    ]
    back = plan_back(service, run_of(service, tmp_path, *gone), manifests=desired)
    assert service.apply(back).is_complete
    for one in gone:
        kind = KINDS[one.address.kind]
        note = next(text for text in back.warnings if text.startswith(f"{one.address} was deleted by that run"))
        _, _, lost = note.partition("not restored: ")
        assert lost == LOST.get(kind.name, "assignments" if kind.assignments else ""), note
    assert {one.key: one.body for one in snapshot(service).live.resources} == {
        one.key: one.body for one in before.live.resources
    }
