"""Manifests as they are in an environment: that the YAML asks for the same again, and where each value came from."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.manifests.effective import Bound, as_json, as_yaml, resolve
from reconciler.manifests.load import LoadContext, Loaded, load
from reconciler.model.diagnostic import Place
from reconciler.model.json import Json
from tests.builders import by_address

HEAD = "apiVersion: reconciler/v1\nkind: ApiClient\nmetadata: {name: a}\n"


def load_text(folder: Path, text: str, **context: Any) -> Loaded:
    (folder / "a.yaml").write_text(text, encoding="utf-8")
    return load([folder / "a.yaml"], LoadContext("test", root=folder, **context))


def yaml_of(loaded: Loaded, ids: Mapping[str, str] | None = None, places: Mapping[str, Place] | None = None) -> str:
    bound = Bound("test", "reconciler.yaml", by_address(ids or {}), (places or {}).get)
    manifests = [resolve(manifest, bound) for manifest in loaded.manifests]
    return "".join(f"{line}\n" for lines in as_yaml(manifests, "test") for line in lines)


# -- loaded again, it asks for the same --

ODD = (
    "yes|Null|~|0x1|1e3|.inf|- a|a: b|a #b| a|a ||---|...|<<"
    "|2026-01-01|::set-output|##vso[x]|\n|\x85|\u2028|\ufeff|é|\U0001f600"
)
DOLLARS = "${|$${|${a}|${values.xp}|$$${x|${a${b}|${}${"
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(f"{ODD}|{DOLLARS}".split("|"))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: not number.is_integer())
    | TEXTS
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
@example({"k" * 2000: {"k" * 600: [[], {}, [[1], {"a": "b"}]]}})
@example({"nested": [[{"k" * 2000: 1}]]})
@example({"long": ["a" * 50, "b" * 80]})
@example({"dollars": "${${"})
def test_the_yaml_asks_for_the_same_again_whatever_the_values_are(xp: dict[str, Json]) -> None:
    manifest = HEAD + "spec: {AppName: 'A$${b}', xp: '${values.xp}'}\n"
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_text(Path(folder), manifest, values={"xp": xp})
        written = yaml_of(loaded)
        again = load_text(Path(folder), written)
    assert written.replace("\n", "").isprintable()
    assert again.desired.digest == loaded.desired.digest
    assert again.desired.resources[0].spec == {"AppName": "A${b}", "xp": xp}


WHOLE = """\
spec:
  AppName: A
  ClientSecret: {fromFile: "keys/${a}"}
  MaximumGrantedRoles: [Shopper]
assignments: {buyers: ["shop${values.suffix}"], suppliers: []}
policy: {fields: exclusive, ignore: [/xp/a], protected: false, state: present}
"""


def test_everything_that_a_manifest_may_have_is_kept(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, HEAD + WHOLE, values={"suffix": "pers"})
    again = load_text(tmp_path, yaml_of(loaded))
    assert again.desired.digest == loaded.desired.digest
    assert str(again.desired.resources[0].secrets["ClientSecret"]) == "{fromFile: keys/${a}}"
    assert "protected: false" in yaml_of(again)


@pytest.mark.parametrize("secret", ["null", "{fromEnv: A_SECRET}"])
def test_secrets_stay_references(tmp_path: Path, secret: str) -> None:
    allowed = frozenset({"A_SECRET"})
    loaded = load_text(tmp_path, HEAD + f"spec: {{AppName: A, ClientSecret: {secret}}}\n", allowed_secrets=allowed)
    again = load_text(tmp_path, yaml_of(loaded), allowed_secrets=allowed)
    assert again.desired.digest == loaded.desired.digest


# -- where it came from --


def test_what_an_environment_has_of_its_own_says_so(tmp_path: Path) -> None:
    text = HEAD + "spec:\n  AppName: A\n  xp:\n    url: https://${values.host}/${values.path}\n    all: ${values.all}\n"
    loaded = load_text(
        tmp_path, text, ids=by_address({"a": "NEW"}), values={"host": "h", "path": "p", "all": [1, {"a": 2}]}
    )
    assert yaml_of(loaded, {"a": "NEW"}).replace(f"{tmp_path}/", "").splitlines()[4:] == [
        "metadata:",
        "  name: a  # a.yaml:3",
        "  id: NEW  # ids.a of test (reconciler.yaml)",
        "spec:",
        "  AppName: A  # a.yaml:5",
        "  xp:",
        '    url: "https://h/p"  # values.host, values.path of test (a.yaml:7)',
        "    all:  # values.all of test (a.yaml:8)",
        "      - 1  # values.all of test (a.yaml:8)",
        "      - a: 2  # values.all of test (a.yaml:8)",
    ]


PLACES = {
    "/environments/test/ids/a.b": Place("reconciler.yaml", 9, 12),
    "/environments/test/values/host": Place("reconciler.yaml", 5, 13),
    "/environments/test/values/deep/path": Place("reconciler.yaml", 7, 13),
}


def test_what_the_configuration_gives_says_in_which_line_it_stands(tmp_path: Path) -> None:
    text = (
        HEAD.replace("name: a", "name: a.b")
        + "spec:\n  AppName: A\n  xp: {url: 'https://${values.host}/${values.deep.path}'}\n"
    )
    loaded = load_text(tmp_path, text, ids=by_address({"a.b": "NEW"}), values={"host": "h", "deep": {"path": "p"}})
    lines = yaml_of(loaded, {"a.b": "NEW"}, PLACES).replace(f"{tmp_path}/", "").splitlines()
    assert "  id: NEW  # ids.a.b of test (reconciler.yaml:9)" in lines
    assert lines[-1] == (
        '    url: "https://h/p"  '
        "# values.host (reconciler.yaml:5), values.deep.path (reconciler.yaml:7) of test (a.yaml:6)"
    )


def test_as_json_the_values_have_their_places(tmp_path: Path) -> None:
    loaded = load_text(
        tmp_path, HEAD + "spec: {AppName: '${values.host}'}\n", ids=by_address({"a": "NEW"}), values={"host": "h"}
    )
    bound = Bound("test", "reconciler.yaml", by_address({"a": "NEW"}), PLACES.get)
    (one,) = json.loads("".join(as_json([resolve(loaded.manifests[0], bound)], "test")))["manifests"]
    defined = {"name": "values.host", "file": "reconciler.yaml", "line": 5, "column": 13}
    assert one["places"]["/spec/AppName"]["values"] == [defined]
    assert one["places"]["/metadata/id"] == {"file": "reconciler.yaml", "line": 0, "column": 0, "value": "ids.a"}


def test_the_places_of_overlays_are_shown(tmp_path: Path) -> None:
    overlay = tmp_path / "b.yaml"
    overlay.write_text(HEAD + "spec: {MaximumGrantedRoles: [Shopper]}\n")
    loaded = load_text(tmp_path, HEAD + "spec: {AppName: A}\n", overlays=(overlay,))
    assert f"  MaximumGrantedRoles: [Shopper]  # {overlay}:4" in yaml_of(loaded)


def test_as_json_each_value_has_its_place(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, HEAD + "spec: {AppName: '${values.name}', xp: {a/b: ['$${']}}\n", values={"name": "A"})
    document = json.loads("".join(as_json([resolve(loaded.manifests[0], Bound("test", "r.yaml", {}))], "test")))
    (one,) = document["manifests"]
    assert (document["format_version"], document["environment"]) == ("1.0", "test")
    assert one["manifest"]["spec"] == {"AppName": "A", "xp": {"a/b": ["${"]}}
    assert one["places"]["/spec/AppName"]["value"] == "values.name"
    assert one["places"]["/spec/xp/a~1b/0"] == {"file": str(tmp_path / "a.yaml"), "line": 4, "column": 46}


def test_a_value_without_a_place_of_its_own_is_found_at_what_holds_it(tmp_path: Path) -> None:
    (manifest,) = load_text(tmp_path, HEAD + "spec: {AppName: A}\n").manifests
    nowhere = replace(manifest, resource=replace(manifest.resource, places={}))
    assert resolve(nowhere, Bound("test", "r.yaml", {})).origins["/spec/AppName"].place == manifest.resource.place


def test_each_manifest_is_written_before_the_next_one_is_resolved(tmp_path: Path) -> None:
    (manifest,) = load_text(tmp_path, HEAD + "spec: {AppName: A}\n").manifests
    for write in (as_json, as_yaml):
        asked = count()
        pieces = iter(
            write((resolve(manifest, Bound("test", "r.yaml", {})) for _ in zip(asked, "abc", strict=False)), "test")
        )
        next(pieces)
        next(pieces)
        assert next(asked) == 1
    assert "".join(as_json([], "test")).endswith('"manifests": []\n}\n')
