import json
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest

from reconciler.cli.main import COMMANDS, cli
from tests.cli.conftest import Runner

DANGEROUS = {"--ack", "--allow-host", "--allow-unknown-roles", "--auto-approve", "--keep-going", "--prune", "--write"}
ALL_NAMES = (*COMMANDS, "")
VALUES = {"--format": "text", "--port": "0", "--latency": "0", "--max-page-size": "1", "--profile": "current"}


def commands() -> dict[str, click.Command]:
    context = click.Context(cli, **cli.context_settings)
    return {name: command for name in COMMANDS if (command := cli.get_command(context, name))} | {"": cli}


def options(command: click.Command) -> dict[str, bool]:
    """Every option of a command -> whether it takes a value."""
    context = click.Context(command, **cli.context_settings)
    found = [one for one in command.get_params(context) if isinstance(one, click.Option)]
    return {name: not one.is_flag for one in found for name in one.opts}


def slips(word: str) -> set[str]:
    """What one slip of the keyboard, or impatience, makes of a word."""
    places = range(len(word))
    dropped = {word[:at] + word[at + 1 :] for at in places}
    doubled = {word[:at] + letter + word[at:] for at in (*places, len(word)) for letter in ("x", "-", "=")}
    mistaken = {word[:at] + letter + word[at + 1 :] for at in places for letter in ("x", "-")}
    swapped = {word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in places[:-1]}
    return dropped | doubled | mistaken | swapped | {word[:at] for at in places if at} | {word.upper()}


@pytest.fixture
def silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A configuration whose service nobody may call: whoever does is heard."""
    monkeypatch.chdir(tmp_path)
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        listening.setblocking(False)
        auth = {"clientId": "id", "clientSecret": {"fromEnv": "HOME"}}
        target = {"url": f"http://127.0.0.1:{listening.getsockname()[1]}", "marketplace": "shop", "auth": auth}
        document = {"apiVersion": "reconciler/v1", "kind": "Config", "manifests": ["."]}
        (tmp_path / "reconciler.yaml").write_text(json.dumps(document | {"environments": {"test": target}}))
        yield listening
        with pytest.raises(BlockingIOError):
            listening.accept()


@pytest.mark.sweep
@pytest.mark.parametrize("name", ALL_NAMES)
def test_a_slip_in_any_option_is_fatal_and_nothing_is_contacted(run: Runner, silence: socket.socket, name: str) -> None:
    known = {option: value for option, value in options(commands()[name]).items() if option != "-h"}
    shared = options(cli).keys() if name not in {"", "apply"} else set()  # one command stands for all of them
    for option in known.keys() - shared:
        takes_value = known[option]
        for slip in {f"--{word}" for word in slips(option.removeprefix("--"))} - known.keys() - {"--"}:
            value = [VALUES.get(option, "x")] if takes_value and "=" not in slip else []
            command_line = [*filter(None, [name]), slip, *value, *([] if name else ["plan"])]
            done = run(*command_line)
            assert (done.code, done.out) == (64, ""), command_line
            assert not DANGEROUS & set(re.findall(r"--[a-z-]+", done.err.partition("hint: did you mean")[2])), done.err


@pytest.mark.parametrize("command_line", ["apply --dryrun", "apply --dry", "plan --dry-run", "rollback --dryrun"])
def test_somebody_who_asks_for_a_dry_run_is_not_offered_what_writes(
    run: Runner, silence: socket.socket, command_line: str
) -> None:
    done = run(*command_line.split(), "--auto-approve")
    assert done.code == 64
    assert not re.search(r"did you mean (?!--dry-run)|--prune", done.err)


@pytest.mark.parametrize(
    ("command_line", "hint"),
    [
        ("plan -o plan.json", "did you mean --out?"),
        ("apply --target ApiClient/a", "did you mean --only?"),
        ("plan -t ApiClient/a", "did you mean --only?"),
        ("plan --exit-code", "did you mean --detailed-exitcode?"),
        ("export --dry-run", "remove it: without --write nothing is written"),
        ("plan --dry-run", "remove it: this command does not write to the service"),
    ],
)
def test_the_options_of_other_tools_lead_to_ours(
    run: Runner, silence: socket.socket, command_line: str, hint: str
) -> None:
    done = run(*command_line.split())
    assert done.code == 64
    assert hint in done.err


def test_a_slip_in_any_command_is_fatal_and_nothing_is_contacted(run: Runner, silence: socket.socket) -> None:
    for name in COMMANDS:
        for slip in slips(name) - COMMANDS.keys() - {""}:
            done = run(slip)
            assert (done.code, done.out) == (64, ""), slip


@pytest.mark.parametrize(
    ("command_line", "said"),
    [
        (["plan", "--evn", "x"], "did you mean --env?"),
        (["aply"], "did you mean apply?"),
        (["frobnicate"], "No such command: frobnicate"),
        ([], "Missing command: one of init, validate, plan"),
        (["plan", "--env", ""], "the value is empty"),
        (["plan", "--env="], "the value is empty"),
        (["plan", ""], "the value is empty"),
        (["apply", "--ack", "--auto-approve"], "got the option '--auto-approve'"),
        (["plan", "--out"], "requires an argument"),
        (["plan", "--quiet=yes"], "does not take a value"),
        (["plan", "--format", "xml"], "is not one of"),
        (["--env", "a", "rollback", "RUN", "--env", "b"], "given twice, as a and b"),
        (["rollback", "RUN", "--env", "b", "--env", "a"], "given twice, as a and b"),
        (["apply", "--env", "test", "--env", "tset"], "there is no environment 'tset'"),
        (["--env", "a", "--env", "b", "validate"], "given twice, as a and b"),
        (["show", "--resolved", "--env", "b", "--env", "a"], "given twice, as a and b"),
        (["plan", "--env", "test", "--env", "tset"], "there is no environment 'tset'"),
        (["plan", "--env", "test", "--env-all"], "--env-all cannot be combined with --env test"),
        (["plan", "--env-all", "--env", "test"], "--env-all cannot be combined with --env test"),
        (["--env", "test", "drift", "--env-all"], "--env-all cannot be combined with --env test"),
        (["secrets", "--env-all", "rotate", "--due"], "rotate takes one environment, not --env-all"),
        (["history", "--env-all", "show", "last"], "show takes one environment, not --env-all"),
        (["apply", "--env-all"], "to apply several environments, reconciler.yaml must list their order"),
        (["plan", "--env", "tset"], "there is no environment 'tset'"),
        (["show"], "write show PLANFILE, or show --resolved [PATH]..."),
        (["show", "a.json", "b.json"], "show takes one PLANFILE"),
        (["schema", "ApiClent"], "did you mean ApiClient?"),
        (["schema", "zzz"], "one of ApiClient, "),
        (["emulator", "--port", "70000"], "is not in the range"),
        (["emulator", "--fault", "PUT nowhere"], "the path must start with /"),
        (["emulator", "--host", "::1"], "No such option"),
        (["emulator", "--sample", "--seed", "seed.yaml"], "--sample and --seed cannot be combined"),
    ],
)
def test_wrong_usage_is_explained(run: Runner, silence: socket.socket, command_line: list[str], said: str) -> None:
    done = run(*command_line)
    assert (done.code, done.out) == (64, "")
    assert said in done.err


def test_what_a_user_typed_is_escaped_when_it_is_quoted(run: Runner) -> None:
    done = run("plan", "--\x1b[2J\u202e")
    assert done.code == 64
    assert "\x1b" not in done.err
    assert "\u202e" not in done.err


def test_every_option_is_long_and_only_help_has_a_short_name_besides() -> None:
    short = {name for command in commands().values() for name in options(command) if not name.startswith("--")}
    assert short == {"-h"}


def test_help_has_a_short_name_everywhere(run: Runner) -> None:
    assert run("-h").out == run("--help").out
    assert run("secrets", "rotate", "-h").out == run("secrets", "rotate", "--help").out


@pytest.mark.parametrize("command_line", [["--env", "test", "validate"], ["validate", "--env", "test"]])
def test_global_options_may_stand_before_the_command_or_after_it(
    run: Runner, silence: socket.socket, command_line: list[str]
) -> None:
    done = run(*command_line, "--quiet")
    assert done.code == 1
    assert "reconciler.yaml" in done.out


@pytest.mark.parametrize("variable", ["test", ""])
def test_the_environment_may_be_chosen_by_a_variable(
    run: Runner, silence: socket.socket, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv("RECONCILER_ENV", variable)
    assert "there is no environment" not in run("plan").err
    monkeypatch.setenv("RECONCILER_ENV", "other")
    for command in ("plan", "validate", "doctor"):
        assert "there is no environment 'other' in reconciler.yaml, which RECONCILER_ENV names" in run(command).err
