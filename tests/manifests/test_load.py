"""Whole manifests through `load`: what is loaded, what is refused, in which words and where."""

import errno
import gc
import json
import os
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.config import load_config
from reconciler.errors import InputError
from reconciler.export.seeding import read_seeds
from reconciler.manifests.load import LoadContext, Loaded, inspect, load, require_all
from reconciler.model.json import Json
from reconciler.model.resource import spec_digest
from tests.builders import by_address

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
    assert outcome(folder) == (folder / "expected.txt").read_text()


# -- which files are read --


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


def test_directories_are_read_with_all_below_them_except_what_starts_with_a_dot(tmp_path: Path) -> None:
    write(tmp_path, "b.yaml", "a/c.yml", "a/deep/d.yaml", ".hidden.yaml", ".git/e.yaml", "f.json", "g.yaml.bak")
    assert names(tmp_path) == ["a-c-yml", "a-deep-d-yaml", "b-yaml"]


@pytest.mark.parametrize("name", ["a.YAML", "a.Yml", "a.yMl", "deep/A.YAML"])
def test_extensions_are_read_in_any_case(tmp_path: Path, name: str) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / name).write_text(manifest("a"))
    assert names(tmp_path) == ["a"]


MANIFEST = {"kind": "ApiClient", "metadata": {"name": "f"}, "spec": {"AppName": "F"}, "apiVersion": "reconciler/v1"}


@pytest.mark.parametrize(
    ("content", "read"),
    [
        (json.dumps(MANIFEST), True),
        ("\ufeff" + json.dumps(MANIFEST, indent=1), True),
        (json.dumps(MANIFEST | {"kind": "Config"}), False),
        (json.dumps(MANIFEST | {"apiVersion": "v1"}), False),
        (json.dumps([MANIFEST]), False),
        (json.dumps({"format_version": "1.0", "resource_changes": [MANIFEST]}), False),
        ("{", False),
        ("[" * 100_000, False),
    ],
)
def test_a_json_file_below_a_directory_is_read_where_its_top_level_is_a_manifest(
    tmp_path: Path, content: str, read: bool
) -> None:
    write(tmp_path, "b.yaml")
    (tmp_path / "f.JSON").write_text(content, encoding="utf-8")
    assert names(tmp_path) == ["b-yaml", *(["f"] if read else [])]
    assert not load([tmp_path], LoadContext()).warnings


@pytest.mark.parametrize("name", ["a.yaml.bak", "a.txt", "a", "a.yam", "a.json"])
@pytest.mark.parametrize("before", ["", "\ufeff# words\n\n---\n", "{"])
def test_a_file_that_reads_like_a_manifest_and_is_not_read_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, before: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "b.yaml")
    (tmp_path / name).write_text(before + manifest("a"), encoding="utf-8")
    (tmp_path / "README.md").write_text("Like this:\n```yaml\n" + manifest("a") + "```\n", encoding="utf-8")
    loaded = load([Path()], LoadContext())
    assert [(one.place.file, one.rule) for one in loaded.warnings] == [(name, "unread-manifest")]
    with pytest.raises(InputError) as caught:
        require_all(loaded)
    assert "what its manifests claim would be deleted" in str(caught.value.diagnostics[0])


def test_a_file_that_is_named_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    (tmp_path / ".hidden").write_text(manifest("hidden"))
    body = {"apiVersion": "reconciler/v1", "kind": "ApiClient", "metadata": {"name": "f"}, "spec": {"AppName": "F"}}
    (tmp_path / "f.json").write_text(json.dumps(body, indent="\t"))
    assert names(tmp_path / "f.json", tmp_path / ".hidden") == ["f", "hidden"]


def test_each_real_file_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "sub/b.yaml")
    (tmp_path / "link.yaml").symlink_to(tmp_path / "a.yaml")
    (tmp_path / "hard.yaml").hardlink_to(tmp_path / "a.yaml")
    (tmp_path / "again").symlink_to(tmp_path / "sub")
    loaded = load([tmp_path, tmp_path / "sub", tmp_path / "a.yaml"], LoadContext())
    assert (len(loaded.files), loaded.documents) == (2, 2)


def test_links_that_go_round_in_circles_are_followed_once(tmp_path: Path) -> None:
    write(tmp_path, "a/b.yaml")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    assert names(tmp_path) == ["a-b-yaml"]


def test_what_cannot_be_read_in_a_directory_is_named_with_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.yaml").symlink_to("nowhere")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "bad.yaml").write_text("a: [")
    assert faults(tmp_path) == [
        "bad.yaml:2:1: the document ends here, and a '[' or '{' above is not closed",
        "broken.yaml: the symbolic link leads nowhere",
        "loop: the symbolic link leads nowhere, and may have led to manifests",
        "loop.yaml: the symbolic link leads back to itself",
        "pipe.yaml: this is not a regular file",
    ]


def test_paths_that_give_nothing_are_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty" / "deep").mkdir(parents=True)
    assert faults(Path("empty"), Path("nothing.yaml")) == [
        "empty: there is no *.yaml or *.yml file in this directory",
        "nothing.yaml: there is no such file or directory",
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_directory_without_permission_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0)
    assert "it may not be read" in faults(tmp_path)[0]


def test_a_directory_that_vanishes_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locked").mkdir()

    def refuse(path: str) -> None:
        raise PermissionError(errno.EACCES, "denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert "it may not be read" in faults(tmp_path)[0]


# -- what comes out --


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


def test_the_id_of_the_environment_wins_over_the_manifests(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(manifest("a").replace("{name: a}", "{name: a, id: FROM-MANIFEST, labels: {team: web}}"))
    (own,) = load([file], LoadContext()).desired.resources
    (bound,) = load([file], LoadContext(ids=by_address({"a": "FROM-ENVIRONMENT"}))).desired.resources
    assert (own.id, bound.id, own.labels) == ("FROM-MANIFEST", "FROM-ENVIRONMENT", {"team": "web"})


def test_two_manifests_with_one_id_of_the_environment_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "b.yaml")
    with pytest.raises(InputError, match="1 error"):
        load([tmp_path], LoadContext(ids=by_address({"a-yaml": "SAME", "b-yaml": "same"})))


def test_two_manifests_of_one_app_name_are_fine_when_both_have_an_id(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(manifest(name).replace(f"The client {name}", "Twin"))
    assert len(load([tmp_path], LoadContext(ids=by_address({"a": "A-1", "b": "B-1"}))).desired.resources) == 2
    assert len(faults(tmp_path)) == 1


def test_a_resource_knows_its_place_and_those_of_its_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text("# first line\n" + manifest("a", "  Active: true\n"))
    (resource,) = load([Path("a.yaml")], LoadContext()).desired.resources
    assert str(resource.place) == "a.yaml:2:1"
    assert str(resource.places["/spec/Active"]) == "a.yaml:7:11"


def test_a_value_that_is_a_list_stands_where_its_reference_does(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(manifest("a", "  MaximumGrantedRoles: ${values.roles}\n"))
    with pytest.raises(InputError) as caught:
        load([file], LoadContext(values={"roles": ["Shopper", "Shoper"]}))
    (fault,) = caught.value.diagnostics
    assert (fault.pointer, fault.place.line, fault.place.column) == ("/spec/MaximumGrantedRoles/1", 6, 24)


def test_a_fault_in_a_value_of_the_environment_says_which_value_it_is(tmp_path: Path) -> None:
    spec = "{AppName: a, Active: '${values.domain}', MaximumGrantedRoles: '${values.roles}'}"
    (tmp_path / "a.yaml").write_text(
        f"apiVersion: reconciler/v1\nkind: ApiClient\nmetadata: {{name: a}}\nspec: {spec}\n"
    )
    values: dict[str, Json] = {"domain": "example.com", "roles": ["Shopper", "Shoper"]}
    told = [fault.message for fault in inspect([tmp_path], LoadContext("test", values)).diagnostics]
    assert told == [
        "Active must be true, false or null, got a text (from values.domain)",
        'unknown role "Shoper" (from values.roles)',
    ]


def test_a_value_is_never_parsed_as_yaml(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(manifest("a", "  xp: {text: 'x ${values.text}'}\n"))
    context = LoadContext(values={"text": "y\nActive: true # ${values.text} $${"})
    (resource,) = load([file], context).desired.resources
    assert resource.spec["xp"] == {"text": "x y\nActive: true # ${values.text} $${"}


@pytest.mark.parametrize("nothing", ["0", "0d", "0h", "'0'"])
def test_an_overlap_of_nothing_may_have_a_unit(tmp_path: Path, nothing: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(
        manifest("a") + f"secrets: [{{name: primary, overlap: {nothing}, deliver: [{{file: a.secret}}]}}]\n"
    )
    (resource,) = load([file], LoadContext(root=tmp_path)).desired.resources
    assert [secret.overlap for secret in resource.named_secrets or ()] == [timedelta()]


def test_references_to_files_are_kept_relative_to_the_root(tmp_path: Path) -> None:
    (tmp_path / "manifests" / "web").mkdir(parents=True)
    file = tmp_path / "manifests" / "web" / "a.yaml"
    file.write_text(manifest("a", "  ClientSecret: {fromFile: ../../secrets/a}\n"))
    (resource,) = load([file], LoadContext(root=tmp_path)).desired.resources
    assert str(resource.secrets["ClientSecret"]) == "{fromFile: secrets/a}"
    with pytest.raises(InputError, match="1 error"):
        load([file], LoadContext(root=tmp_path / "manifests"))


def test_a_link_does_not_lead_a_secret_out_of_the_root(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "way-out").symlink_to(tmp_path)
    (root / "a.yaml").write_text(manifest("a", "  ClientSecret: {fromFile: way-out/key}\n"))
    with pytest.raises(InputError, match="1 error"):
        load([root / "a.yaml"], LoadContext(root=root))


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

SECRETS = st.text(st.characters(codec="utf-8"), max_size=20).map(lambda text: f"hunter2{text}hunter2")
FORMS = st.sampled_from(
    [
        " {}",
        "{}",
        " '{}'",
        ' "{}"',
        " *{}",
        " !{}",
        " &{}",
        " [{}]",
        " {{{}: 1}}",
        " {{fromEnv: {}}}",
        " {{fromFile: x, {}: 1}}",
        " {{a: {}, a: {}}}",
        " {{{}: 1, {}: 2}}",
        " {{a: {{{}: !x 1}}}}",
        " |\n    {}",
    ]
)


def messages(file: Path) -> str:
    try:
        load([file], LoadContext(environment="staging", values={"a": 1}))
    except InputError as error:
        return "\n".join(map(str, error.diagnostics))
    return ""


@settings(max_examples=6 * settings().max_examples)
@given(SECRETS, FORMS)
@example("hunter2}\nhunter2", " {{{}: 1}}")
@example("hunter2}\nhunter2", " {{{}: 1, {}: 2}}")
@example("hunter2}\n  hunter2: 1\n  hunter2", " {{a: {}, a: {}}}")
@example("hunter2}\n  hunter2: {a: 1, a: 2}\n  hunter2", " {{{}: 1}}")
@example("hunter2\n  hunter2: hunter2", " {}")
def test_nothing_that_stands_at_a_secret_field_gets_into_a_message(
    tmp_path_factory: pytest.TempPathFactory, secret: str, form: str
) -> None:
    file = tmp_path_factory.mktemp("secret") / "a.yaml"
    file.write_text(manifest("a", f"  ClientSecret:{form.format(secret, secret)}\n"), encoding="utf-8")
    assert "hunter2" not in messages(file)


TAILS = st.text(st.sampled_from("hunter2,:{}[] \n'\"#&*!"), max_size=20).map(
    lambda text: f"{text[:2]}hunter2{text}hunter2"
)
HEAD = "apiVersion: reconciler/v1\nkind: ApiClient\nmetadata: {name: a}\nspec: {AppName: A, "
FLOWS = {
    "manifest": (f"{HEAD}ClientSecret: ", ", ClientSecrets: 1}"),
    "misspelled": (f"{HEAD}ClientSecrt: ", "}"),
    "miswritten": (f"{HEAD}ClientSecret=", "}"),
    "configuration": (
        (
            "apiVersion: reconciler/v1\nkind: Config\nmanifests: [m]\nenvironments:\n"
            "  a: {marketplace: m, auth: {clientId: A, clientSecret: "
        ),
        "}}",
    ),
    "seeds": ("Objects: {ApiClients: [{AppName: A, x: 1, x: !y 1, ClientSecret: ", ", ClientSecret: 1}]}"),
}
READERS: Mapping[str, Callable[[Path], object]] = {
    **dict.fromkeys(("manifest", "misspelled", "miswritten"), lambda file: load([file], LoadContext())),
    "configuration": load_config,
    "seeds": lambda file: read_seeds(file.read_bytes(), file.name),
}


@pytest.mark.parametrize("what", FLOWS)
@given(TAILS)
@example("hunter2,hunter2")
@example("hunter2, hunter2: 1, hunter2")
def test_the_rest_of_a_secret_that_ends_its_value_is_not_quoted_as_a_key(
    tmp_path_factory: pytest.TempPathFactory, what: str, secret: str
) -> None:
    before, after = FLOWS[what]
    file = tmp_path_factory.mktemp("secret") / "a.yaml"
    file.write_text(f"{before}{secret}{after}\n", encoding="utf-8")
    said = ""
    try:
        READERS[what](file)
    except InputError as error:
        said = "\n".join(map(str, error.diagnostics))
    assert "hunter2" not in said


def test_a_null_after_a_secret_in_an_overlay_is_not_quoted(tmp_path: Path) -> None:
    below, above = tmp_path / "a.yaml", tmp_path / "overlay.yaml"
    below.write_text(manifest("a"), encoding="utf-8")
    above.write_text(f"{FLOWS['manifest'][0]}hunter2,hunter2}}\n", encoding="utf-8")
    found = inspect([below], LoadContext(overlays=(above,))).diagnostics
    assert [fault.rule for fault in found] == ["secret", "nothing-to-remove"]
    assert "hunter2" not in "\n".join(map(str, found))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSON)
def test_json_is_never_twice_as_long_as_what_python_prints(value: Json) -> None:
    """By this, hardly any extended properties are written as JSON only to be measured."""
    assert len(json.dumps(value, ensure_ascii=False, separators=(",", ":"))) <= 2 * len(repr(value))


def test_the_marketplace_can_stand_in_a_text_where_the_environment_names_one(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(manifest("a", "  xp: {text: 'in ${marketplace}'}\n"))
    (resource,) = load([file], LoadContext("test", marketplace="my-shop")).desired.resources
    assert resource.spec["xp"] == {"text": "in my-shop"}
    with pytest.raises(InputError) as caught:
        load([file], LoadContext("test"))
    (fault,) = caught.value.diagnostics
    assert fault.message == "marketplace is not defined in environment test"
    assert fault.hint == "define it in reconciler.yaml, as environments.test.marketplace"


@pytest.mark.parametrize("value", ["x" * 1000, {"k": "x" * 1000}])
def test_what_values_make_of_a_document_is_bounded(tmp_path: Path, value: Json) -> None:
    file = tmp_path / "a.yaml"
    spec = "".join(f"    k{number}: ${{values.big}}\n" for number in range(3000))
    file.write_text(manifest("a", f"  xp:\n{spec}"))
    with pytest.raises(InputError) as caught:
        load((file,), LoadContext(environment="test", values={"big": value}))
    too_large = [fault.message for fault in caught.value.diagnostics if "values of the document" in fault.message]
    assert too_large == ["with ${values.big} the values of the document exceed 1048576 characters"]


@pytest.mark.parametrize("overlaid", [False, True])
def test_no_manifest_or_overlay_names_a_variable_of_the_tool_itself(tmp_path: Path, overlaid: bool) -> None:
    secret = "spec: {AppName: A, ClientSecret: {fromEnv: RECONCILER_PLAN_KEY}}\n"
    head = "apiVersion: reconciler/v1\nkind: ApiClient\nmetadata: {name: a}\n"
    (tmp_path / "overlay").mkdir()
    (tmp_path / "a.yaml").write_text(head + ("spec: {AppName: A}\n" if overlaid else secret))
    (tmp_path / "overlay" / "a.yaml").write_text(head + secret)
    overlays = (tmp_path / "overlay",) if overlaid else ()
    context = LoadContext(allowed_secrets=frozenset({"RECONCILER_PLAN_KEY"}), overlays=overlays)
    found = inspect([tmp_path / "a.yaml"], context)
    assert not found.is_valid
    assert any("RECONCILER_PLAN_KEY is a variable of the reconciler itself" in one.message for one in found.diagnostics)
