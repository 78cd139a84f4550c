"""Whole exports of marketplaces, ours and, where a folder of real ones is named by REAL_EXPORTS, those as well."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconciler.emulator import Emulator, Settings
from reconciler.model.outcome import Status
from tests.builders import desired, manifest
from tests.service import Shop

ROOT = Path(__file__).parents[2]
EXPORTS = [ROOT / "marketplace.yaml", *sorted(Path(os.environ.get("REAL_EXPORTS", os.devnull)).glob("*B2C*.yml"))]


@contextmanager
def opened(export: Path) -> Iterator[Shop]:
    emulator = Emulator(Settings(seed=export))
    try:
        yield Shop(emulator)
    finally:
        emulator.close()


@pytest.mark.parametrize("export", EXPORTS, ids=lambda path: path.stem)
def test_manifests_that_name_clients_by_app_name_only_change_exactly_what_they_say(export: Path) -> None:
    with opened(export) as service:
        names = sorted(service.bodies())
        want = desired(*(manifest(name, RefreshTokenDuration=4321 + number) for number, name in enumerate(names)))
        plan = service.plan(want)
        changed = {
            change.address.name: [field.pointer for field in change.fields] for change in plan.changes if change.fields
        }
        assert changed == {name: ["/RefreshTokenDuration"] for name in names}
        result = service.apply(plan)
        assert [outcome.status for outcome in result.outcomes] == [Status.APPLIED] * len(names)
        assert [write.split()[0] for write in service.writes()] == ["PUT"] * len(names)
        assert not service.plan(want).has_changes


@pytest.mark.parametrize("export", EXPORTS, ids=lambda path: path.stem)
def test_a_put_that_changes_one_field_leaves_all_others_as_they_were(export: Path) -> None:
    with opened(export) as service:
        before = service.bodies()
        name = min(before)
        service.converge(desired(manifest(name, xp={"changed": True})))
        after = service.bodies()
    differing = {field for field in before[name] if before[name][field] != after[name].get(field)}
    assert differing == {"xp"}
    assert {other: after[other] for other in after if other != name} == {o: before[o] for o in before if o != name}
