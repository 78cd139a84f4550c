import json

import pytest

from reconciler.kinds import KINDS
from reconciler.kinds.fields import API_ROLES
from reconciler.manifests.explain import explain
from tests.cli.conftest import Runner


def test_a_field_is_explained_with_type_range_unit_meaning_and_source(run: Runner) -> None:
    done = run("explain", "ApiClient.spec.AnonymousTokenDuration")
    assert (done.code, done.err) == (0, "")
    for line in (
        "  Type     whole number or null, or ${values.KEY}",
        "  Range    10080 to 86400 minutes",
        "  Default  10080",
        "  Source   OrderCloud: API 1.0.393;",
    ):
        assert line in done.out


def test_as_json_a_key_has_all_that_is_below_it(run: Runner) -> None:
    document = json.loads(run("explain", "ApiClient.spec", "--format", "json").out)
    keys = {key["path"]: key for key in document["keys"]}
    assert (document["format_version"], document["path"]) == ("1.0", "ApiClient.spec")
    assert set(keys) == {child.path for child in explain("ApiClient.spec").children}
    duration = keys["ApiClient.spec.AnonymousTokenDuration"]
    assert (duration["range"], duration["default"], duration["required"]) == ("10080 to 86400 minutes", "10080", False)
    assert run("explain", "ApiClient.spec", "--format", "yaml").code == 64


def test_without_a_path_the_kinds_are_listed_a_line_each(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "130")
    done = run("explain")
    assert (done.code, done.err) == (0, "")
    title, _, *lines = done.out.splitlines()
    shown = [line.split()[0] for line in lines]
    assert title == "What can be explained:"
    assert shown == [*KINDS, "config"]
    assert [one["path"] for one in json.loads(run("explain", "--format", "json").out)["keys"]] == shown


def test_a_block_lists_its_keys(run: Runner) -> None:
    assert "\n  assignments  The parties" in run("explain", "ApiClient").out
    assert "\n  reason   The reason for the waiver" in run("explain", "ApiClient.policy.waivers").out


def test_an_explanation_is_as_wide_as_the_terminal_and_breaks_no_word(
    run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run("explain", "config.environments.limits").out.split()
    monkeypatch.setenv("COLUMNS", "50")
    narrow = run("explain", "config.environments.limits").out
    assert max(map(len, narrow.splitlines())) <= 50
    assert narrow.split() == whole


def test_the_roles_are_all_named(run: Runner) -> None:
    said = run("explain", "ApiClient.spec.MaximumGrantedRoles").out.replace(",", " ").split()
    assert set(said) >= API_ROLES


def test_the_name_of_an_environment_may_stand_in_a_path(run: Runner) -> None:
    assert run("explain", "config.environments.staging.limits.deletes").out.startswith(
        "config.environments.NAME.limits.deletes\n"
    )


def test_the_name_of_an_environment_may_be_left_out_of_a_path(run: Runner) -> None:
    assert run("explain", "config.environments.limits").out == run("explain", "config.environments.NAME.limits").out
    assert run("explain", "config.environments.limits.deletes").code == 0


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("AccessTokenDuraton", "did you mean ApiClient.spec.AccessTokenDuration?"),
        ("ApiClient.spec.Actve", "did you mean ApiClient.spec.Active?"),
        ("config.envronments", "did you mean config.environments?"),
        ("zzz", "start with one of: ApiClient, "),
        ("ApiClient.spec.Active.more", "there is no ApiClient.spec.Active.more"),
    ],
)
def test_a_key_that_does_not_exist_is_wrong_usage_with_the_nearest_one(run: Runner, path: str, said: str) -> None:
    done = run("explain", path)
    assert (done.code, done.out) == (64, "")
    assert said in done.err
