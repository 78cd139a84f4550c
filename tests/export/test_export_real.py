"""Whole exports of marketplaces, ours and, where a folder of real ones is named by REAL_EXPORTS, those as well."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from reconciler import pipeline
from reconciler.emulator import Emulator, Profile, SeedError, Settings
from reconciler.export import ManifestOrigin, export
from reconciler.export.seeding import read_seeds
from reconciler.kinds import KINDS
from reconciler.manifests.context import LoadContext
from reconciler.manifests.load import load
from reconciler.model.outcome import Status
from reconciler.model.resource import DesiredResource, DesiredState, FieldsPolicy, Policy
from reconciler.model.secret import SecretReference, SecretSource
from reconciler.planning.restore import restored
from tests.builders import desired, manifest
from tests.service import NO_LIMITS, Shop

ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("REAL_EXPORTS", os.devnull))
EXPORTS = [ROOT / "marketplace.yaml", *sorted(REAL.glob("*B2C*.yml"))]
FILES = [ROOT / "marketplace.yaml", *sorted(REAL.rglob("*.[yj]*"))]
CONTEXT = LoadContext(marketplace="emulator", defaults=Policy(FieldsPolicy.EXCLUSIVE))
KEY = SecretReference(SecretSource.ENVIRONMENT, "KEY")


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


# ------------------------------------------------------------------------------------------------- files of all kinds


def wrong(file: Path) -> set[str]:
    """The objects and assignments that an import leaves out."""
    found = [one.what for one in read_seeds(file.read_bytes(), file.name).left_out]
    return {one for one in found if re.fullmatch(r"\w+\[\d+\]", one)}


@pytest.mark.sweep
@pytest.mark.parametrize(
    "file", [one for one in FILES if not one.read_text().startswith("[")], ids=lambda path: path.name
)
def test_what_the_stand_in_refuses_an_import_leaves_out(file: Path) -> None:
    try:
        Emulator(Settings(seed=file)).close()
    except SeedError as refused:
        rows = set(re.findall(r"\w+\[\d+\]", str(refused)))
        assert wrong(file) == rows


MARKETPLACES = [one for one in FILES if not one.read_text().startswith("[") and not wrong(one)]


def seed_of(file: Path, folder: Path) -> Path:
    """The file, and the clients that its webhooks are of where it has none."""
    data: dict[str, Any] = YAML(typ="safe").load(file.read_text())
    objects = data.get("Objects", data)
    ids = {one for hook in objects.get("Webhooks") or () for one in hook.get("ApiClientIDs") or ()}
    clients = [{"ID": one, "AppName": f"Of hooks {one}", "AccessTokenDuration": 60} for one in sorted(ids)]
    seed = folder / "seed.json"
    seed.write_text(json.dumps({"Objects": {"ApiClients": clients, **objects}, "Assignments": data.get("Assignments")}))
    return seed


def exported(service: Shop, folder: Path) -> DesiredState:
    """All that is live, as manifests."""
    with service.reader() as reader:
        live = pipeline.live(reader, NO_LIMITS, list(KINDS), list(KINDS))
    made = export(live, (), CONTEXT, folder, ManifestOrigin("here"))
    made.write()
    return load([folder], replace(CONTEXT, ids=made.ids)).desired


def with_secrets(manifests: DesiredState) -> DesiredState:
    """The same with those secrets without which an object cannot be made again."""

    def of(one: DesiredResource) -> dict[str, SecretReference]:
        rows = KINDS[one.address.kind].secret_rows.items()
        return {name: KEY for name, row in rows if row.required and "/" not in name}

    return replace(manifests, resources=tuple(replace(one, secrets=of(one)) for one in manifests.resources))


@pytest.mark.sweep
@pytest.mark.parametrize("reading", ["url-null", "removed"])
@pytest.mark.parametrize("profile", ["current", "legacy"])
@pytest.mark.parametrize("file", MARKETPLACES, ids=lambda path: path.name)
def test_what_a_real_file_holds_is_exported_and_healed_after_a_restore(
    file: Path, profile: Profile, reading: str, tmp_path: Path
) -> None:
    emulator = Emulator(Settings(seed=seed_of(file, tmp_path), profile=profile))
    service = Shop(emulator)
    service.secrets["KEY"] = "planted"
    wanted = exported(service, tmp_path / "manifests")
    assert not service.plan(wanted).has_changes
    wanted = with_secrets(wanted)
    assert service.converge(wanted).is_complete
    service.http.post("/_emulator/staging-restore", params={"events": reading}).raise_for_status()
    plan = service.plan(wanted)
    assert plan.guards == ()
    writes = {one.address for one in plan.changes if one.action.writes}
    assert restored(plan.changes) == writes or len(writes) == 1
    assert service.apply(plan).is_complete
    assert not service.plan(wanted).has_changes
    emulator.close()
