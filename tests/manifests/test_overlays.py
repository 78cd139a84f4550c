"""Overlays: what a manifest is in each environment, in which file each value stands, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.config import load_config
from reconciler.config.settings import Config
from reconciler.errors import InputError
from reconciler.manifests.load import LoadContext, Loaded, load
from reconciler.manifests.yaml import parse
from reconciler.manifests.yaml.tree import Layered, merge_patch, overlaid_by, removals
from reconciler.model.json import Json, get_at, pointer_parts
from tests.golden import golden
from tests.manifests.test_load import contents

SCENARIOS = Path(__file__).parents[1] / "scenarios" / "overlays"


def context(config: Config, name: str) -> LoadContext:
    one = config.environments[name]
    secrets = one.allowed_secrets
    return LoadContext(name, one.values, one.ids, secrets, overlays=one.overlays, apart=config.apart)


def outcome() -> str:
    """What the folder comes to in each environment, and where the values stand that are not the manifest's own."""
    try:
        config = load_config(Path("reconciler.yaml"))
    except InputError as error:
        return "".join(f"{diagnostic}\n" for diagnostic in error.diagnostics)
    return "".join(f"# {name}\n{in_environment(config, name)}" for name in config.environments)


def in_environment(config: Config, name: str) -> str:
    try:
        loaded = load(config.manifests, context(config, name))
    except InputError as error:
        return "".join(f"{diagnostic}\n" for diagnostic in error.diagnostics)
    return "".join(f"{line}\n" for line in (*loaded.warnings, *contents(loaded), *places(loaded)))


def places(loaded: Loaded) -> list[str]:
    found = [(at, place) for one in loaded.desired.resources for at, place in one.places.items()]
    return [f"  {at} {place}" for at, place in found if not str(place).startswith("manifests/a.yaml")]


@pytest.mark.parametrize("folder", sorted(SCENARIOS.iterdir()), ids=lambda folder: folder.name)
def test_a_folder_with_overlays_comes_to_what_it_is_expected_to(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    found = outcome()
    assert found == golden(folder / "expected.txt", found)


# -- parts of the manifests --


def write(file: Path, name: str, spec: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    head = f"apiVersion: reconciler/v1\nkind: ApiClient\nmetadata: {{name: {name}}}\n"
    file.write_text(f"{head}spec: {{{spec}}}\n")
    return file


def faults(paths: list[Path], overlays: Path, **more: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        load(paths, LoadContext(overlays=(overlays,), apart=(overlays,), **more))
    return [fault.message for fault in caught.value.diagnostics]


def test_where_only_some_manifests_are_loaded_overlays_of_others_are_no_fault(tmp_path: Path) -> None:
    one = write(tmp_path / "manifests" / "a.yaml", "a", "AppName: A")
    overlay = write(tmp_path / "overlays" / "b.yaml", "b", "Active: true")
    whole = LoadContext(overlays=(overlay,), apart=(overlay,), partial=True)
    assert len(load([one], whole).desired.resources) == 1
    assert faults([one], overlay) == ["there is no manifest ApiClient/b for this overlay"]


def test_an_overlay_that_is_named_like_a_manifest_is_refused(tmp_path: Path) -> None:
    overlay = write(tmp_path / "overlays" / "a.yaml", "a", "Active: true")
    assert faults([overlay], overlay.parent) == ["this is an overlay or a file of ids, not a manifest"]
    assert faults([overlay.parent], overlay.parent) == ["this is an overlay or a file of ids, not a manifest"]
    assert "there is no *.yaml or *.yml file of manifests in this directory" in faults([tmp_path], overlay.parent)[0]


def test_an_overlay_that_is_reached_twice_is_read_once(tmp_path: Path) -> None:
    one = write(tmp_path / "a.yaml", "a", "AppName: A")
    overlay = write(tmp_path / "overlays" / "a.yaml", "a", "Active: true")
    loaded = load([tmp_path], LoadContext(overlays=(overlay, overlay.parent), apart=(overlay.parent,)))
    assert (len(loaded.files), loaded.documents) == (2, 1)
    assert load([one], LoadContext()).desired.digest != loaded.desired.digest


def test_what_a_manifest_is_does_not_depend_on_how_it_is_cut_in_two(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.yaml", "a", "AppName: A, Active: true, xp: {a: 1, b: 2}")
    base = write(tmp_path / "base.yaml", "a", "AppName: A, xp: {a: 1, c: 3}")
    overlay = write(tmp_path / "overlay.yaml", "a", "Active: true, xp: {b: 2, c: null}")
    cut = load([base], LoadContext(overlays=(overlay,)))
    assert cut.desired.digest == load([whole], LoadContext()).desired.digest


# -- the laws of merge patches (RFC 7386) --

SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "x", "y"])
KEYS = st.sampled_from(["a", "b", "c/d", "~"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
MAPPINGS = st.dictionaries(KEYS, VALUES, max_size=4)


@pytest.mark.parametrize(
    ("target", "patch", "merged"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "foo"}, None, None),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_the_examples_of_the_standard_hold(target: Json, patch: Json, merged: Json) -> None:
    assert merge_patch(target, patch) == merged


@given(VALUES, VALUES)
def test_merging_twice_is_merging_once(target: Json, patch: Json) -> None:
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once


@given(VALUES)
def test_an_empty_patch_changes_nothing_of_a_mapping_and_nothing_else_is_left_of_the_rest(target: Json) -> None:
    assert merge_patch(target, {}) == (target if isinstance(target, dict) else {})


@given(VALUES, VALUES)
def test_neither_side_is_changed_by_merging(target: Json, patch: Json) -> None:
    before = repr((target, patch))
    merge_patch(target, patch)
    assert repr((target, patch)) == before


@given(MAPPINGS, MAPPINGS)
def test_what_the_patch_does_not_name_stays(target: dict[str, Json], patch: dict[str, Json]) -> None:
    merged = merge_patch(target, patch)
    assert all(get_at(merged, [key]) == value for key, value in target.items() if key not in patch)


@given(MAPPINGS, MAPPINGS)
def test_every_null_of_a_patch_is_a_removal_and_leaves_nothing(target: Json, patch: Json) -> None:
    merged = merge_patch(target, patch)
    for path, _ in removals(target, patch):
        parent = get_at(merged, path[:-1])
        assert isinstance(parent, dict)
        assert path[-1] not in parent


def layered(target: Json, patch: Json) -> Layered:
    """Lay one over the other, each from a file of its own."""
    pairs = ((target, "below"), (patch, "above"))
    below, above = (parse(json.dumps(data).encode(), name).documents[0] for data, name in pairs)
    return overlaid_by(below, above, below.data, above.data)


@given(MAPPINGS, MAPPINGS)
def test_every_value_stands_in_the_file_that_says_it(target: Json, patch: Json) -> None:
    laid = layered(target, patch)
    for at, place in laid.places.items():
        value = get_at(laid.data, pointer_parts(at))
        source = laid.below if place.file == "below" else laid.above
        assert isinstance(value, dict) or get_at(source.data, pointer_parts(at)) == value
        assert laid.key_place(at).file == place.file
