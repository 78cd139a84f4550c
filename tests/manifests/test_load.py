"""Whole manifests through `load`: what is loaded, what is refused, in which words and where."""

import gc
import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import InputError
from reconciler.manifests.load import LoadContext, Loaded, load
from reconciler.model.json import Json
from reconciler.model.resource import spec_digest
from tests.golden import golden

SCENARIOS = Path(__file__).parents[1] / "scenarios" / "loader"


def context(folder: Path) -> LoadContext:
    """The context that a scenario brings along in context.json."""
    file = folder / "context.json"
    given = json.loads(file.read_text()) if file.exists() else {}
    given["allowed_secrets"] = frozenset(given.get("allowed_secrets", ()))
    return LoadContext(**given)


def outcome(folder: Path) -> str:
    try:
        loaded = load([Path()], context(folder))
    except InputError as error:
        return "".join(f"{diagnostic}\n" for diagnostic in error.diagnostics)
    return "".join(f"{line}\n" for line in (*loaded.warnings, *contents(loaded)))


def contents(loaded: Loaded) -> list[str]:
    described = spec_digest(loaded.desired.resources)
    assert isinstance(described, list)
    return [json.dumps(resource) for resource in described]


@pytest.mark.parametrize("folder", sorted(SCENARIOS.iterdir()), ids=lambda folder: folder.name)
def test_a_folder_of_manifests_comes_to_what_it_is_expected_to(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    found = outcome(folder)
    assert found == golden(folder / "expected.txt", found)


def write(folder: Path, *names: str) -> None:
    """Write a manifest of its own into each of the files."""
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(manifest(re.sub(r"[^a-z0-9]", "-", name)))


def manifest(name: str, spec: str = "") -> str:
    head = f"apiVersion: reconciler/v1\nkind: ApiClient\nmetadata: {{name: {name}}}\n"
    return f"{head}spec:\n  AppName: The client {name}\n{spec}"


def names(*paths: Path) -> list[str]:
    return [resource.address.name for resource in load(paths, LoadContext()).desired.resources]


def faults(*paths: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        load(paths, LoadContext())
    return [f"{fault.place}: {fault.message}" for fault in caught.value.diagnostics]


def test_resources_are_sorted_and_the_digest_does_not_care_which_file_they_are_in(tmp_path: Path) -> None:
    write(tmp_path / "many", "b.yaml", "a.yaml")
    (tmp_path / "one.yaml").write_text(manifest("b-yaml") + "---\n" + manifest("a-yaml"))
    many, one = (load([tmp_path / name], LoadContext()) for name in ("many", "one.yaml"))
    assert [str(resource.address) for resource in many.desired.resources] == ["ApiClient/a-yaml", "ApiClient/b-yaml"]
    assert many.desired.digest == one.desired.digest
    assert (len(many.files), len(one.files), one.documents) == (2, 1, 2)


def test_the_digest_changes_with_the_content(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    digests = set()
    for spec in (
        "",
        "  Active: true\n",
        "  Active: false\n",
        "  ClientSecret: null\n",
        "  xp: {a: 1}\n",
        "  xp: {a: true}\n",
    ):
        file.write_text(manifest("a", spec))
        digests.add(load([file], LoadContext()).desired.digest)
    assert len(digests) == 6


def test_loading_nothing_gives_nothing() -> None:
    loaded = load([], LoadContext())
    assert (loaded.desired.resources, len(loaded.files), loaded.documents) == ((), 0, 0)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_left_as_it_was(enabled: bool, tmp_path: Path) -> None:
    (gc.enable if enabled else gc.disable)()
    try:
        faults(tmp_path)
        assert gc.isenabled() is enabled
    finally:
        gc.enable()


REAL = sorted(Path(os.environ.get("REAL_EXPORTS", os.devnull)).glob("*.*"))


@pytest.mark.parametrize("file", [file for file in REAL if file.suffix == ".yml"], ids=lambda file: file.name)
def test_a_real_export_is_recognised(file: Path) -> None:
    assert [fault.split(": ", 1)[1] for fault in faults(file)] == [
        "this is a seeding file of OrderCloud's own tools, not a manifest"
    ]


@pytest.mark.parametrize("file", [file for file in REAL if file.suffix == ".json"], ids=lambda file: file.name)
def test_the_fault_of_the_real_tutorial_is_found_in_each_of_its_bodies(file: Path) -> None:
    assert [fault.split(": ", 1)[1] for fault in faults(file)].count("unknown field AllowAnySeller") == 2


# -- properties --


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSON)
def test_json_is_never_twice_as_long_as_what_python_prints(value: Json) -> None:
    """By this, hardly any extended properties are written as JSON only to be measured."""
    assert len(json.dumps(value, ensure_ascii=False, separators=(",", ":"))) <= 2 * len(repr(value))
