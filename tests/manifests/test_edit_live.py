"""What is live, brought into ugly manifests: only the lines that must change do, and then there is no drift."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from reconciler.manifests.edit.live import Contents, Refused, with_deviations
from reconciler.manifests.load import LoadContext, Loaded, load
from reconciler.model.drift import Drift
from reconciler.model.plan import Plan
from reconciler.model.resource import LiveResource, LiveState
from reconciler.planning import diff as differ
from reconciler.planning import drift as drifts
from tests.builders import BINDING, by_address, live
from tests.golden import golden
from tests.manifests.test_edit_values import layouts
from tests.service import client_id

SCENARIOS = Path(__file__).parents[1] / "scenarios" / "drift-write-back"
VALUES = {"domain": "example.com", "role": "MeAdmin"}


def client(number: int, spec: Mapping[str, Any]) -> LiveResource:
    """One live client; its AppName may be another than its manifest has, since ids bind the two."""
    body = {name: value for name, value in spec.items() if name != "assignments"}
    (found,) = live({"ID": client_id(number), **body}).resources
    parties = {"buyers": (), "suppliers": (), **spec.get("assignments", {})}
    return LiveResource(
        found.kind, found.id, found.body, found.secrets, {name: tuple(ids) for name, ids in parties.items()}
    )


class Case:
    """Manifests in a folder, and the objects that are live."""

    def __init__(self, folder: Path, *clients: LiveResource) -> None:
        self.folder = folder
        self.live = LiveState(clients, "shop")

    def loaded(self, contents: Contents) -> Loaded:
        overlay = self.folder / "overlay.yaml"
        context = LoadContext(
            environment="test",
            values=VALUES,
            ids=by_address({"front": client_id(1), "other": client_id(2)}),
            overlays=(overlay,) if overlay.exists() else (),
            allow_unknown_roles=True,
            contents=contents,
        )
        return load([self.folder / "before.yaml"], context)

    def drift(self, loaded: Loaded) -> Drift:
        return drifts.find(Plan(differ.diff(loaded.desired, self.live, {}), BINDING))

    def brought_back(self) -> tuple[Contents, tuple[Refused, ...]]:
        loaded = self.loaded({})
        return with_deviations(self.drift(loaded).deviations, loaded.manifests, "test")


def case_of(folder: Path) -> Case:
    files = [path for name in ("live.json", "other.json") if (path := folder / name).exists()]
    return Case(folder, *(client(number, json.loads(path.read_text())) for number, path in enumerate(files, 1)))


@pytest.mark.parametrize("folder", sorted(SCENARIOS.iterdir()), ids=lambda folder: folder.name)
def test_what_is_live_is_brought_into_the_files_that_own_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    case = case_of(folder)
    contents, refused = case.brought_back()
    shown = {f"{Path(file).stem.replace('before', 'after')}": text.decode() for file, text in contents.items()}
    faults = sorted(one.diagnostic for one in refused)
    shown |= {"refused": "".join(f"{one.place}: {one.message}; {one.hint}\n" for one in faults)} if refused else {}
    files = {name: folder / f"{name}{'.txt' if name == 'refused' else '.golden'}" for name in shown}
    assert {name: golden(path, shown[name]) for name, path in files.items()} == shown
    left = {(one.address, f"/spec{one.pointer}") for one in case.drift(case.loaded(contents)).deviations}
    assert left == {(one.address, one.at) for one in refused}


KEYS = st.sampled_from(["a", "b", "c/d", "yes", "${x}"])
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(0, 9)
    | st.sampled_from(["", "null", "a: b", "${values.domain}", "$${", "ü"])
)
JSONS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2), max_leaves=4
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "Active": st.booleans(),
    "RefreshTokenDuration": st.integers(0, 99),
    "DefaultContextUserName": st.none() | st.sampled_from(["bob", "no", "12"]),
    "MaximumGrantedRoles": st.lists(st.sampled_from(["Shopper", "MeAdmin", "OrderAdmin"]), unique=True),
    "xp": st.dictionaries(KEYS, JSONS, max_size=3),
}
SPECS = st.fixed_dictionaries({"AppName": st.just("front"), "AccessTokenDuration": st.just(60)}, optional=FIELDS)
LIVE = st.fixed_dictionaries(
    {"AppName": st.sampled_from(["front", "yes"]), "AccessTokenDuration": st.integers(10, 60), **FIELDS}
)
OVERLAYS = st.dictionaries(st.sampled_from(["Active", "xp"]), st.none(), max_size=1) | SPECS


def manifest(spec: Mapping[str, Any], **blocks: Any) -> dict[str, Any]:
    head = {"apiVersion": "reconciler/v1", "kind": "ApiClient", "metadata": {"name": "front"}}
    return {**head, "spec": _written(spec), **blocks}


def _written(value: Any) -> Any:
    """As a manifest says a text that is not a reference."""
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, dict):
        return {key: _written(child) for key, child in value.items()}
    return [_written(member) for member in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all examples."""
    return tmp_path_factory.mktemp("case")


@given(st.data(), SPECS, LIVE, OVERLAYS)
def test_after_whatever_was_brought_back_there_is_no_drift(
    folder: Path,
    data: st.DataObject,
    spec: dict[str, Any],
    now: dict[str, Any],
    overlay: dict[str, Any],
) -> None:
    (folder / "overlay.yaml").unlink(missing_ok=True)
    exclusive = {"policy": {"fields": "exclusive"}} if data.draw(st.booleans()) else {}
    (folder / "before.yaml").write_text(data.draw(layouts(manifest(spec, **exclusive))), encoding="utf-8")
    if data.draw(st.booleans()):
        (folder / "overlay.yaml").write_text(data.draw(layouts(manifest(overlay))), encoding="utf-8")
    case = Case(folder, client(1, now))
    loaded = case.loaded({})
    contents, refused = with_deviations(case.drift(loaded).deviations, loaded.manifests, "test")
    for one in refused:
        event(one.message)
    left = {(one.address, f"/spec{one.pointer}") for one in case.drift(case.loaded(contents)).deviations}
    assert left == {(one.address, one.at) for one in refused}
