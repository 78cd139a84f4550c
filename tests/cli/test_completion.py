"""What a shell is offered for the word that is being typed."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from reconciler.cli.main import COMMANDS, cli
from tests.cli.conftest import Completer, Project, Runner, question


@pytest.mark.parametrize(
    ("shell", "word"), [("bash", "complete -o nosort -F"), ("zsh", "#compdef"), ("fish", "complete ")]
)
def test_completion_is_a_script_of_the_shell(run: Runner, shell: str, word: str) -> None:
    done = run("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert word in done.out


def test_another_shell_is_wrong_usage(run: Runner) -> None:
    assert run("completion", "csh").code == 64


def test_what_the_script_asks_for_is_answered_with_commands(tmp_path: Path) -> None:
    program = "from reconciler.cli.main import run; import sys; sys.argv[0] = 'reconciler'; run()"
    environment = os.environ | question("reconciler", "pl")
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("plain,plan\n", "")


def test_an_option_is_completed(completed: Completer) -> None:
    assert "plain,--detailed-exitcode" in completed("reconciler", "plan", "--de")


def test_environments_addresses_and_keys_are_completed_and_files_by_the_shell(
    project: Project, completed: Completer
) -> None:
    project.manifest("frozen", AccessTokenDuration=5)  # a fault, which keeps no other from being offered
    assert completed("reconciler", "plan", "--env", "t") == "plain,test\n"
    assert completed("reconciler", "plan", "--only", "ApiClient/fr") == "plain,ApiClient/front\n"
    assert completed("reconciler", "explain", "config.environments.NAME.lim").startswith("plain,config.environments")
    assert completed("reconciler", "plan", "--into", "ma") == "plain,markdown=\n"
    assert completed("reconciler", "apply", "pl") == "file,pl\n"
    assert completed("reconciler", "--config", "rec") == "file,rec\n"


def test_of_thousands_of_runs_the_newest_that_start_so_are_offered(project: Project, completed: Completer) -> None:
    folder = project.folder / ".reconciler" / "runs"
    folder.mkdir(parents=True, exist_ok=True)
    for day in range(10, 20):
        for number in range(10):
            (folder / f"202601{day}T030000.00000{number}Z-aaaa.jsonl").write_text(
                "unreadable, so it may have written\n"
            )
    assert completed("reconciler", "rollback", "2026").count("plain,202601") == 40
    assert completed("reconciler", "rollback", "20260110").count("plain,20260110") == 10


def test_where_there_is_no_configuration_nothing_is_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, completed: Completer
) -> None:
    monkeypatch.chdir(tmp_path)
    assert completed("reconciler", "plan", "--env", "").strip() == ""
    assert completed("reconciler", "rollback", "la").strip() == ""


def test_completion_knows_the_commands() -> None:
    context = click.Context(cli, **cli.context_settings)
    assert cli.list_commands(context) == list(COMMANDS)
    assert cli.get_command(context, "frobnicate") is None
