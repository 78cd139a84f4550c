import io
import json
import re
import sys
from contextlib import closing
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from reconciler.config import load_config
from reconciler.config.settings import Auth
from reconciler.emulator import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET, Emulator, Settings
from reconciler.model.secret import SecretReference, SecretSource
from tests.cli.conftest import Project, Runner, Switchboard, git

REGION = ("--region", "us-west", "--stage", "sandbox", "--marketplace", "my-shop")
WRITTEN = {
    "reconciler.yaml",
    ".github/workflows/api-clients.yml",
    ".github/workflows/api-clients-environment.yml",
    ".gitignore",
    ".vscode/settings.json",
    "schemas/manifest.v1.schema.json",
    "schemas/config.v1.schema.json",
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


WORKFLOWS = ("api-clients.yml", "api-clients-environment.yml")
ROOT = Path(__file__).parents[2]


def answered(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """Somebody sits at the terminal and types these lines."""
    monkeypatch.setattr(sys, "stdin", Terminal("".join(f"{line}\n" for line in lines)))
    monkeypatch.setattr("reconciler.cli.approving.is_terminal", lambda _stream: True)


def variable(name: str) -> SecretReference:
    return SecretReference(SecretSource.ENVIRONMENT, name)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_new_folder_needs_nothing_but_manifests(here: Path, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run("init", "shop", *REGION)
    assert (done.code, done.err, files(here / "shop")) == (0, "", WRITTEN)
    assert done.out.count("written  shop/") == len(WRITTEN)
    assert [line.split("  #")[0].strip() for line in done.out.splitlines()[-3:]] == [
        "reconciler doctor",
        "reconciler export --write",
        "reconciler plan",
    ]
    monkeypatch.chdir(here / "shop")
    empty = run("validate")
    assert (empty.code, "run reconciler export --write" in empty.out) == (1, True)


def test_the_configuration_says_what_was_answered(here: Path, run: Runner) -> None:
    run("init", *REGION, "--env", "play")
    environment = load_config(here / "reconciler.yaml").environments["play"]
    assert (environment.base_url, environment.marketplace) == ("https://sandboxapi.ordercloud.io", "my-shop")
    assert environment.auth == Auth(variable("OC_CLIENT_ID"), variable("OC_CLIENT_SECRET"))


def test_credentials_may_have_other_names_and_be_a_users(here: Path, run: Runner) -> None:
    names = ("--client-id-env", "ID", "--username-env", "WHO", "--password-env", "WORD")
    run("init", "--url", "https://shop.example", "--marketplace", "my-shop", *names)
    auth = load_config(here / "reconciler.yaml").environments["default"].auth
    assert auth == Auth(variable("ID"), None, variable("WHO"), variable("WORD"))
    assert "WHO: ${{ secrets.WHO }}" in (here / ".github/workflows/api-clients.yml").read_text()


def test_what_is_not_given_is_asked_for(here: Path, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, "us-west", "", "staging", "my-shop", "")
    done = run("init")
    assert (done.code, list(load_config(here / "reconciler.yaml").environments)) == (0, ["staging"])
    assert done.err.count("Stage (production, staging, sandbox): ") == 2  # an empty answer is none
    assert "Name of the environment [staging]: " in done.err


def test_each_answer_is_checked_as_it_is_given(here: Path, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, "us-wst", "ftp://x", "us-west", "stagin", "staging", "my-shop", "a b", "play")
    done = run("init")
    assert (done.code, list(load_config(here / "reconciler.yaml").environments)) == (0, ["play"])
    for question, times in (("Region", 3), ("Stage", 2), ("Marketplace", 1), ("Name of the environment", 2)):
        assert done.err.count(question) == times
    assert "did you mean us-west?" in done.err
    assert "did you mean staging?" in done.err


def test_the_region_may_be_answered_with_an_address(here: Path, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, "https://shop.example", "my-shop", "test")
    run("init")
    assert load_config(here / "reconciler.yaml").environments["test"].base_url == "https://shop.example"


def test_an_input_that_ends_before_the_answers_writes_nothing(
    here: Path, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered(monkeypatch, "us-west")
    assert (run("init").code, files(here)) == (130, set())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "init requires --region, --stage and --marketplace; cannot ask: not a terminal"),
        (("--url", "https://shop.example"), "init requires --marketplace"),
        (("--region", "us-west", "--marketplace", "x"), "init requires --stage"),
        (("--region", "us-wst", "--stage", "sandbox", "--marketplace", "x"), "did you mean us-west?"),
        (("--url", "http://shop.example", "--marketplace", "x"), "would send credentials unencrypted"),
        ((*REGION, "--url", "https://shop.example"), "--url cannot be combined with --region or --stage"),
        ((*REGION, "--client-id-env", "a-b"), "reconciler init --help"),
        ((*REGION, "--config", "x.yaml"), "No such option"),
    ],
)
def test_answers_that_cannot_be_used_write_nothing(here: Path, run: Runner, given: tuple[str, ...], said: str) -> None:
    done = run("init", *given)
    assert (done.code, done.out, files(here)) == (64, "", set())
    assert said in done.err


def test_a_configuration_ahead_of_the_command_is_refused(here: Path, run: Runner) -> None:
    done = run("--config", "x.yaml", "init", *REGION)
    assert (done.code, files(here)) == (64, set())


def test_no_file_is_ever_overwritten(here: Path, run: Runner) -> None:
    run("init", *REGION)
    for name in WRITTEN - {"reconciler.yaml"}:
        (here / name).write_text("mine")
    done = run("init", "--region", "us-east")
    assert done.out.count("(already exists)") == len(WRITTEN)
    assert "reconciler.yaml (already exists); to add an environment to it: reconciler init --add-env NAME" in done.out
    assert ".gitignore (already exists); add .reconciler/ and *plan.json and /plans/ and /secrets/ to it" in done.out
    assert {(here / name).read_text() for name in WRITTEN - {"reconciler.yaml"}} == {"mine"}


def test_a_folder_that_cannot_be_written_is_named(here: Path, run: Runner) -> None:
    (here / "taken").write_text("")
    done = run("init", "taken", *REGION)
    assert done.code == 1
    assert "cannot write taken/reconciler.yaml" in done.err


@pytest.mark.parametrize(
    ("stage", "schedules"), [("staging", ["0 2 * * *", "30 3 * * 0"]), ("production", ["0 2 * * *"])]
)
def test_the_workflows_are_those_of_the_recipe(here: Path, run: Runner, stage: str, schedules: list[str]) -> None:
    run("init", "--region", "us-west", "--stage", stage, "--marketplace", "my-shop", "--env", "play")
    main, environment = ((here / ".github/workflows" / name).read_text() for name in WORKFLOWS)
    workflow = YAML(typ="safe").load(main)
    assert [one["cron"] for one in workflow["on"]["schedule"]] == schedules
    assert ("&& 'play' ||" in main) is (stage == "staging")
    recipe = (ROOT / "ci/github/api-clients-environment.yml").read_text()
    assert environment == recipe


def test_editors_are_told_of_schemas_that_are_there(here: Path, run: Runner) -> None:
    run("init", *REGION)
    settings = json.loads((here / ".vscode/settings.json").read_text())
    assert all((here / name).is_file() for name in settings["yaml.schemas"])
    for manifest in (here / "reconciler.yaml",):
        schema = manifest.read_text().splitlines()[0].partition("$schema=")[2]
        assert (manifest.parent / schema).is_file()
    assert (here / "schemas/manifest.v1.schema.json").read_text() == run("schema", "manifest").out


def steps_of_the_action(workflow: Path) -> list[dict[str, str]]:
    jobs = YAML(typ="safe").load(workflow.read_text(encoding="utf-8"))["jobs"].values()
    return [step["with"] for job in jobs for step in job.get("steps", ()) if "reconciler@" in step.get("uses", "")]


def test_in_a_repository_ci_and_editor_files_are_written_where_they_are_read(
    here: Path, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(here, "init")
    done = run("init", "teams/Our Shop", *REGION)
    assert (done.code, done.err) == (0, "")
    assert files(here / "teams" / "Our Shop") == {name for name in WRITTEN if not name.startswith((".github", ".vsc"))}
    main, each = (
        here / ".github/workflows" / f"api-clients-teams-our-shop{end}" for end in (".yml", "-environment.yml")
    )
    assert {step["working-directory"] for step in steps_of_the_action(main)} == {"teams/Our Shop"}
    assert {step["working-directory"] for step in steps_of_the_action(each)} == {"teams/Our Shop"}
    assert f"uses: ./.github/workflows/{each.name}" in main.read_text(encoding="utf-8")
    settings = json.loads((here / ".vscode/settings.json").read_text())["yaml.schemas"]
    assert all((here / name).is_file() for name in settings)
    assert all("teams/Our Shop/" in str(patterns) for patterns in settings.values())
    monkeypatch.chdir(here / "teams")
    other = run("init", "second", *REGION)
    assert "written  ../.github/workflows/api-clients-teams-second.yml" in other.out
    assert "kept     ../.vscode/settings.json (already exists); for completion in manifests, add" in other.out


def test_at_the_top_of_a_repository_the_files_are_those_of_any_folder(here: Path, run: Runner) -> None:
    git(here, "init")
    (here / ".git").rename(here / "elsewhere.git")
    (here / ".git").write_text("gitdir: elsewhere.git")  # as in a worktree
    assert run("init", *REGION).code == 0
    assert {name for name in files(here) if not name.startswith("elsewhere")} - {".git"} == WRITTEN


def test_no_file_is_written_through_a_link_out_of_the_repository(here: Path, run: Runner) -> None:
    (here / "outside").mkdir()
    (here / "inside" / "shop").mkdir(parents=True)
    git(here / "inside", "init")
    (here / "inside" / ".github").symlink_to(here / "outside")
    done = run("init", "inside/shop", *REGION)
    assert (done.code, files(here / "outside"), files(here / "inside" / "shop")) == (1, set(), set())
    assert "is outside the repository" in done.err


def test_a_link_that_leads_nowhere_is_no_folder_to_start_in(here: Path, run: Runner) -> None:
    (here / "round").symlink_to("round")
    done = run("init", "round", *REGION)
    assert (done.code, "round is not a folder: a symbolic link is broken" in done.err) == (64, True)


def test_from_live_goes_on_with_an_export_and_ends_in_step(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = json.loads((project.folder / "reconciler.yaml").read_text())["environments"]["test"]["url"]
    monkeypatch.setenv("OC_CLIENT_ID", ADMIN_CLIENT_ID)
    monkeypatch.setenv("OC_CLIENT_SECRET", ADMIN_CLIENT_SECRET)
    done = run("init", "new", "--url", url, "--marketplace", "emulator", "--from-live")
    assert (done.code, done.err) == (0, "")
    assert "Written: 3 files." in done.out
    monkeypatch.chdir(project.folder / "new")
    assert run("plan", "--detailed-exitcode").code == 0
    assert "Adopt: 2 already bound." in run("adopt", "--write").out
    assert project.writes() == []


def test_from_live_without_anything_but_the_login_says_how_to_go_on(
    here: Path, run: Runner, served: tuple[Switchboard, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OC_CLIENT_ID", ADMIN_CLIENT_ID)
    monkeypatch.setenv("OC_CLIENT_SECRET", ADMIN_CLIENT_SECRET)
    with closing(Emulator(Settings())) as served[0].emulator:
        done = run("init", ".", "--url", served[1], "--marketplace", "emulator", "--from-live")
        assert (done.code, "reconciler plan" in done.out) == (0, False)
        commands = re.findall(r"^  reconciler ([^#]*)", done.out.partition("Next")[2], re.MULTILINE)
        assert [run(*command.split()).code for command in commands] == [0, 0]
        assert run("plan", "--detailed-exitcode").code == 0


PRODUCTION = ("--region", "us-west", "--stage", "production", "--marketplace", "my-shop-production")


def test_an_environment_is_added_and_nothing_else_changes(here: Path, run: Runner) -> None:
    run("init", *REGION)
    config = here / "reconciler.yaml"
    before = config.read_text(encoding="utf-8") + "# my last words\n"
    config.write_text(before, encoding="utf-8")
    done = run("init", "--add-env", "production", *PRODUCTION, "--client-id-env", "PRODUCTION_ID")
    assert (done.code, done.err) == (0, "")
    assert "+    marketplace: my-shop-production\n" in done.out
    assert "  reconciler export --into-overlay production --write\n" in done.out
    loaded = load_config(config)
    assert list(loaded.environments) == ["sandbox", "production"]
    added = loaded.environments["production"]
    assert (added.base_url, added.marketplace) == ("https://api.ordercloud.io", "my-shop-production")
    assert added.auth == Auth(variable("PRODUCTION_ID"), variable("OC_CLIENT_SECRET"))
    assert added.limits == loaded.environments["sandbox"].limits
    after = config.read_text(encoding="utf-8")
    assert set(before.splitlines()) <= set(after.splitlines())
    block = before.partition("  sandbox:\n")[2].removesuffix("# my last words\n")
    for old, new in (("sandbox", "production"), ("my-shop", "my-shop-production"), ("OC_CLIENT_ID", "PRODUCTION_ID")):
        block = block.replace(old, new)
    assert after.endswith(f"  production:\n{block}# my last words\n")


@pytest.mark.parametrize("order", ["promote: [sandbox]  # in turn\n", "promote:\n  - sandbox  # first\n"])
def test_an_environment_that_is_added_is_the_last_of_those_that_are_applied_together(
    here: Path, run: Runner, order: str
) -> None:
    run("init", *REGION)
    config = here / "reconciler.yaml"
    config.write_text(config.read_text(encoding="utf-8") + order, encoding="utf-8")
    done = run("init", "--add-env", "production", *PRODUCTION)
    assert (done.code, "production was added at the end of promote: move it to its position." in done.out) == (0, True)
    assert load_config(config).promote == ("sandbox", "production")
    assert "# " in config.read_text(encoding="utf-8").partition("promote:")[2]


def test_workflows_pass_on_the_variables_of_every_environment(here: Path, run: Runner) -> None:
    names = ("--client-id-env", "PRODUCTION_ID", "--client-secret-env", "PRODUCTION_SECRET")
    run("init", *REGION)
    before = {name: (here / ".github/workflows" / name).read_text(encoding="utf-8") for name in WORKFLOWS}
    done = run("init", "--add-env", "production", *PRODUCTION, *names)
    assert (done.code, "Another environment" in done.out) == (0, False)
    added = {name: (here / ".github/workflows" / name).read_text(encoding="utf-8") for name in WORKFLOWS}
    for name, text in before.items():
        (here / ".github/workflows" / name).unlink()
        assert set(text.splitlines()) < set(added[name].splitlines())
    run("init")  # writes what is missing, for the configuration that is there
    for name in WORKFLOWS:
        again = (here / ".github/workflows" / name).read_text(encoding="utf-8")
        assert sorted(again.splitlines()) == sorted(added[name].splitlines())
        assert again.count("PRODUCTION_SECRET: ") == again.count("OC_CLIENT_SECRET: ") == again.count("_PLAN_KEY: ")


def test_an_environment_with_the_variables_of_another_is_added_with_a_note(here: Path, run: Runner) -> None:
    run("init", *REGION)
    done = run("init", "--add-env", "production", *PRODUCTION)
    assert "set to the credentials of production:" in done.out
    assert "Another environment also reads OC_CLIENT_ID and OC_CLIENT_SECRET." in done.out
    assert ".github" not in done.out


def test_an_environment_is_added_with_the_margin_and_line_ends_that_are_there(here: Path, run: Runner) -> None:
    lines = ["environments:", "    a:", "        emulator: {}", "manifests: [m/]", "apiVersion: reconciler/v1"]
    (here / "reconciler.yaml").write_bytes("\r\n".join([*lines, "kind: Config", ""]).encode())
    done = run("init", "--add-env", "production", *PRODUCTION)
    assert (done.code, done.err) == (0, "")
    assert list(load_config(here / "reconciler.yaml").environments) == ["a", "production"]
    written = (here / "reconciler.yaml").read_bytes()
    assert b"\r\n    production:\r\n      region: us-west\r\n" in written
    assert b"      # values:" in written
    assert written.count(b"\r\n") == written.count(b"\n")


@pytest.mark.parametrize("indentation", [None, 0, 2], ids=str)
def test_an_environment_is_added_to_a_configuration_written_as_json(
    here: Path, run: Runner, indentation: int | None
) -> None:
    before = {
        "apiVersion": "reconciler/v1",
        "kind": "Config",
        "manifests": ["m/"],
        "environments": {"a": {"emulator": {}}},
    }
    (here / "reconciler.yaml").write_text(json.dumps(before, indent=indentation), encoding="utf-8")
    done = run("init", "--add-env", "production", *PRODUCTION)
    assert (done.code, done.err) == (0, "")
    assert list(load_config(here / "reconciler.yaml").environments) == ["a", "production"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--marketplace", "my market"), "letters, digits, '-' and '_'"),
        (("--region", "mars"), "mars"),
        (("--url", "ftp://shop"), "https://"),
        (("--env", "two words"), "two words"),
        (("--env", "not-\udcff"), "an answer is not UTF-8 text"),
    ],
)
def test_an_unusable_option_is_refused_before_anything_is_asked(
    here: Path, run: Runner, monkeypatch: pytest.MonkeyPatch, options: tuple[str, str], said: str
) -> None:
    answered(monkeypatch)
    done = run("init", *options)
    assert (done.code, files(here)) == (64, set())
    assert said in done.err


def test_a_marketplace_that_is_typed_wrong_is_asked_for_again(
    here: Path, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered(monkeypatch, "my market", "my-market", "")
    done = run("init", "--region", "us-west", "--stage", "sandbox")
    assert (done.code, load_config(here / "reconciler.yaml").environments["sandbox"].marketplace) == (0, "my-market")
    assert "letters, digits, '-' and '_'" in done.err


def test_the_workflows_speak_of_nothing_that_is_not_there(here: Path, run: Runner) -> None:
    run("init", *REGION)
    for name in WORKFLOWS:
        text = (here / ".github/workflows" / name).read_text(encoding="utf-8")
        assert re.search(r"this folder|docs/", text) is None


def test_an_environment_that_is_there_or_has_nowhere_to_go_is_refused(here: Path, run: Runner) -> None:
    missing = run("init", "--add-env", "production", *PRODUCTION)
    assert (missing.code, files(here)) == (64, set())
    assert "there is no reconciler.yaml to add an environment to" in missing.err
    run("init", *REGION)
    before = (here / "reconciler.yaml").read_bytes()
    for arguments, said in (
        (("sandbox",), "environment sandbox already exists"),
        (("two words",), "letters, digits"),
        (("production", "--from-live"), "--add-env cannot be combined with"),
    ):
        done = run("init", "--add-env", *arguments, *PRODUCTION)
        assert (done.code, said in done.err) == (64, True), done.err
    assert (here / "reconciler.yaml").read_bytes() == before


def test_as_json_it_says_which_files_were_written_and_what_to_run_next(
    tmp_path: Path, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".gitignore").write_text("mine\n")
    answers = ("--region", "us-west", "--stage", "sandbox", "--marketplace", "shop", "--format", "json")
    document = json.loads(run("init", *answers).out)
    files = {one["path"]: one for one in document["files"]}
    assert (document["format_version"], document["export"], document["changed_files"]) == ("1.0", None, [])
    assert (files["reconciler.yaml"]["written"], files[".gitignore"]["written"]) == (True, False)
    assert files[".gitignore"]["advice"].startswith("add ")
    assert document["next"][0] == "reconciler doctor"
    added = json.loads(run("init", "--add-env", "other", *answers).out)
    assert (added["files"], added["changed_files"]) == ([], ["reconciler.yaml"])
    assert added["next"] == ["reconciler doctor --env other", "reconciler export --into-overlay other --write"]


def test_what_was_written_is_shown_where_the_service_cannot_be_read(
    tmp_path: Path, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("init", "--url", "http://127.0.0.1:1", "--marketplace", "shop", "--from-live", "--format", "json")
    document = json.loads(done.out)
    assert (done.code, document["export"], document["next"]) == (1, None, [])
    assert "reconciler.yaml" in [one["path"] for one in document["files"]]
