"""The example of the documentation: one set of manifests takes three environments from differing to in step."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Run, Runner

EXAMPLE = Path(__file__).parents[2] / "docs" / "example"
NAMES = ("sandbox", "staging", "production")


@pytest.fixture(autouse=True)
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to work in."""
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".reconciler"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))  # else each client loads all root certificates: 40 ms
    return tmp_path


def matrix(done: Run) -> dict[str, list[str]]:
    """The states of each resource, in the order of the environments."""
    return {address: list(row.values()) for address, row in json.loads(done.out)["matrix"].items()}


def test_the_example_is_valid_in_all_environments(run: Runner) -> None:
    done = run("validate")
    assert (done.code, done.out) == (0, "Valid: 3 documents in 6 files.\n")


def test_one_set_of_manifests_takes_three_environments_from_differing_to_in_step(run: Runner) -> None:
    before = run("plan", "--env-all", "--format", "json", "--detailed-exitcode")
    assert before.code == 2
    assert matrix(before) == {
        "ApiClient/back-office": ["missing", "differs", "in-step"],
        "ApiClient/kiosk": ["missing", "missing", "not-here"],
        "ApiClient/storefront": ["differs", "differs", "differs"],
    }
    assert [run("apply", "--env", name, "--auto-approve").code for name in NAMES] == [0, 0, 0]
    after = run("plan", "--env-all", "--format", "json", "--detailed-exitcode")
    assert after.code == 0
    assert {state for row in matrix(after).values() for state in row} == {"in-step", "not-here"}


def test_the_page_shows_the_table_that_the_program_prints(run: Runner) -> None:
    page = (EXAMPLE.parent / "overlays.md").read_text(encoding="utf-8")
    table = run("plan", "--env-all").out.partition("=== all environments ===\n\n")[2].partition("\n\n")[0]
    assert f"```\n{table}\n```" in page


def test_the_page_shows_lines_that_the_program_prints(run: Runner) -> None:
    page = (EXAMPLE.parent / "overlays.md").read_text(encoding="utf-8")
    shown = next(block for block in page.split("```yaml\n") if block.startswith("spec:\n  AppName: Storefront  #"))
    printed = run("show", "--resolved", "--env", "production", "manifests/storefront.yaml").out.splitlines()
    assert [line for line in shown.partition("```")[0].splitlines() if line not in printed] == []


def test_the_page_has_the_overlay_of_the_example() -> None:
    page = (EXAMPLE.parent / "overlays.md").read_text(encoding="utf-8")
    assert (EXAMPLE / "overlays/production/storefront.yaml").read_text().partition("\n")[2] in page


@pytest.mark.parametrize("name", NAMES)
def test_what_is_shown_resolved_is_valid_and_plans_the_same(name: str, run: Runner, tmp_path: Path) -> None:
    shown = run("show", "--resolved", "--env", name)
    (tmp_path / "all.yaml").write_text(shown.out, encoding="utf-8")
    plans = [json.loads(run("plan", *paths, "--env", name, "--format", "json").out) for paths in ([], ["all.yaml"])]
    assert plans[0]["binding"]["manifest_digest"] == plans[1]["binding"]["manifest_digest"]
    assert run("validate", "all.yaml", "--env", name).code == 0
