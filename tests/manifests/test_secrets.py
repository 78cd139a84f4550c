"""Secret fields of manifests: references, and nothing that stood there in a message."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.config import load_config
from reconciler.errors import InputError
from reconciler.export.seeding import read_seeds
from reconciler.manifests.load import LoadContext, inspect, load
from tests.manifests.test_load import manifest


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
    assert any("RECONCILER_PLAN_KEY is reserved for the reconciler" in one.message for one in found.diagnostics)
