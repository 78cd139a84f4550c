"""Where `apply` puts new secrets, what it checks before it writes, and what it takes back when it then does not."""

import json
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from reconciler.emulator import Emulator, Settings
from reconciler.model.json import Json
from tests.cli.conftest import FRONT, Project, Runner, Switchboard

VALUE = 60
"""Letters and digits of a generated secret."""


@pytest.fixture
def legacy(project: Project, served: tuple[Switchboard, str]) -> Iterator[Project]:
    """A marketplace of the older generation, in which no client has a secret."""
    with closing(Emulator(Settings(seed=project.folder / "seed.json", profile="legacy"))) as emulator:
        served[0].emulator = emulator
        yield Project(project.folder, emulator)


def generate(project: Project, *deliveries: Json, name: str = "front") -> None:
    secret: Json = {"generate": True, "deliver": list(deliveries)}
    project.manifest(name, AccessTokenDuration=600, ClientSecret=secret)
    project.writes()


def refuse(project: Project, method: str = "PUT") -> None:
    project.ask("POST", "/_emulator/faults", {"spec": f"{method} /v1/apiclients/{FRONT} status=400 count=all"})


def secret_of(project: Project) -> Any:
    return project.ask("GET", f"/v1/apiclients/{FRONT}")["ClientSecret"]


def apply(run: Runner) -> tuple[int, str]:
    done = run("apply", "--auto-approve")
    return done.code, done.out + done.err


def storing(path: str, code: int = 0) -> Json:
    """A command that keeps what it is given, and then exits with a code."""
    return {"command": [sys.executable, "-c", f"open({path!r}, 'w').write(input()); raise SystemExit({code})"]}


# ----------------------------------------------------------------------------------------------- before the first write


@pytest.mark.sample(4)
@pytest.mark.parametrize(
    ("delivery", "said"),
    [
        ({"envFile": "../.env", "variable": "SHOP"}, "is not UTF-8 text"),
        ({"githubOutput": "shop"}, "no secret can be delivered to"),
        ({"file": "../blocked/secret"}, "no secret can be delivered to"),
        ({"file": "../folder"}, "is not a file"),
        (
            {"command": ["no-such-program-anywhere"]},
            "program no-such-program-anywhere not found",
        ),
        (
            {"command": ["./no-such-program"]},
            "program ./no-such-program not found",
        ),
    ],
)
@pytest.mark.parametrize("generation", ["legacy", "current"])
def test_a_delivery_that_cannot_be_made_stops_the_run_before_its_first_write(  # fixtures
    request: pytest.FixtureRequest,
    run: Runner,
    monkeypatch: pytest.MonkeyPatch,
    generation: str,
    delivery: Json,
    said: str,
) -> None:
    project: Project = request.getfixturevalue("legacy" if generation == "legacy" else "project")
    (project.folder / ".env").write_bytes(b"# caf\xe9\nSHOP=1\n")
    (project.folder / "blocked").touch()
    (project.folder / "folder").mkdir()
    monkeypatch.setenv("GITHUB_OUTPUT", str(project.folder / "nowhere" / "output"))
    if generation == "legacy":
        generate(project, {"file": "../good"}, delivery)
    else:
        path = project.manifest("front", AccessTokenDuration=60)
        secrets: Json = [{"name": "primary", "deliver": [{"file": "../good"}, delivery]}]
        path.write_text(json.dumps(json.loads(path.read_text()) | {"secrets": secrets}))
    code, text = apply(run)
    assert (code, said in text) == (1, True)
    assert project.writes() == []
    assert not (project.folder / "good").exists()


def test_all_deliveries_that_cannot_be_made_are_named_at_once(legacy: Project, run: Runner) -> None:
    generate(legacy, {"command": ["first-that-is-not-there"]}, {"command": ["second-that-is-not-there"]})
    _, text = apply(run)
    assert "first-that-is-not-there" in text
    assert "second-that-is-not-there" in text


def test_a_pipe_in_place_of_the_output_file_is_refused_and_not_waited_for(
    legacy: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(legacy.folder / "pipe")
    monkeypatch.setenv("GITHUB_OUTPUT", str(legacy.folder / "pipe"))
    generate(legacy, {"githubOutput": "shop"})
    assert "is not a regular file" in apply(run)[1]


# ------------------------------------------------------------------------------------------------------- taking it back


def test_what_was_delivered_for_a_change_that_is_refused_is_taken_back(
    legacy: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    env, output, old = (legacy.folder / name for name in (".env", "output", "old"))
    env.write_bytes(b"A=1\r\n\r\n  SHOP=old # mine\r\nB=2")
    output.write_bytes(b"version=1.2.3")
    old.write_bytes(b"before\xff")
    monkeypatch.setenv("GITHUB_OUTPUT", str(output))
    places: list[Json] = [{"file": "../new"}, {"file": "../old"}, {"githubOutput": "shop"}]
    places += [{"envFile": "../.env", "variable": "SHOP"}, {"envFile": "../.env", "variable": "ADDED"}]
    places += [{"kubernetesSecret": {"file": "../build/k.yaml", "name": "shop", "key": "secret"}}]
    generate(legacy, *places)
    refuse(legacy)
    code, text = apply(run)
    assert (code, "the delivery of its new secret was undone" in text) == (1, True), text
    assert env.read_bytes() == b"A=1\r\n\r\n  SHOP=old # mine\r\nB=2"
    assert (output.read_bytes(), old.read_bytes()) == (b"version=1.2.3", b"before\xff")
    assert not (legacy.folder / "new").exists()
    assert not (legacy.folder / "build" / "k.yaml").exists()
    assert secret_of(legacy) in {None, ""}


def test_a_second_delivery_that_fails_takes_the_first_one_back(legacy: Project, run: Runner) -> None:
    generate(legacy, storing("kept", 3), {"file": "../first"})
    code, text = apply(run)
    assert (code, "exited with 3" in text, legacy.writes()) == (1, True, [])
    assert "nothing was written to the service, and earlier deliveries were undone" in text
    assert not (legacy.folder / "first").exists()


def test_what_a_command_was_given_cannot_be_taken_back_and_is_not_called_nothing(legacy: Project, run: Runner) -> None:
    generate(legacy, storing("kept"), {"file": "../first"})
    refuse(legacy)
    code, text = apply(run)
    assert code == 5
    assert "has a secret that does not work; apply again to deliver another one" in text
    assert not (legacy.folder / "first").exists()
    assert len((legacy.folder / "kept").read_text()) == VALUE


def test_a_command_that_fails_after_another_one_is_partly_applied(legacy: Project, run: Runner) -> None:
    generate(legacy, storing("kept"), storing("too", 3))
    code, text = apply(run)
    assert (code, legacy.writes()) == (5, [])
    assert "nothing was written to the service, but command" in text


def test_what_somebody_has_changed_meanwhile_is_left_and_named(legacy: Project, run: Runner) -> None:
    generate(legacy, {"command": [sys.executable, "-c", "open('first', 'w').write('mine')"]}, {"file": "../first"})
    refuse(legacy)
    code, text = apply(run)
    assert (code, (legacy.folder / "first").read_text()) == (5, "mine")
    assert "has changed since and was not restored" in text


def test_a_secret_that_is_set_stays_where_it_was_delivered(legacy: Project, run: Runner) -> None:
    generate(legacy, {"file": "../first"})
    assert apply(run)[0] == 0
    assert secret_of(legacy) == (legacy.folder / "first").read_text()


@pytest.mark.sweep
def test_a_secret_whose_write_nobody_can_judge_stays_where_it_was_delivered(legacy: Project, run: Runner) -> None:
    generate(legacy, {"file": "../first"})
    fault = f"PUT /v1/apiclients/{FRONT} drop=after"
    legacy.ask("POST", "/_emulator/faults", {"spec": fault})
    legacy.ask("POST", "/_emulator/faults", {"spec": f"GET /v1/apiclients/{FRONT} status=500 after=1 count=all"})
    apply(run)
    assert len((legacy.folder / "first").read_text()) == VALUE


def test_what_was_delivered_for_a_change_that_never_began_is_taken_back(legacy: Project, run: Runner) -> None:
    document = json.loads((legacy.folder / "reconciler.yaml").read_text())["environments"]["test"]
    legacy.configure(test=document | {"concurrency": 1})
    generate(legacy, {"envFile": "../.env", "variable": "BACK"}, name="back")
    generate(legacy, {"envFile": "../.env", "variable": "FRONT"})
    legacy.ask("POST", "/_emulator/faults", {"spec": "PUT /v1/apiclients/* status=400 count=all"})
    code, text = apply(run)
    assert code == 1
    assert "an earlier change did not succeed; the delivery of its new secret was undone" in text
    assert not (legacy.folder / ".env").exists()


# -------------------------------------------------------------------------------------------- files that others read


def test_an_output_begins_on_a_line_of_its_own(legacy: Project, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    output = legacy.folder / "output"
    output.write_text("version=1.2.3")
    monkeypatch.setenv("GITHUB_OUTPUT", str(output))
    generate(legacy, {"githubOutput": "store-secret"})
    assert apply(run)[0] == 0
    first, head, value, end = output.read_text().splitlines()
    assert (first, head, len(value)) == ("version=1.2.3", f"store-secret<<{end}", VALUE)


def test_a_dotenv_file_keeps_its_owner_mode_and_line_ends(legacy: Project, run: Runner) -> None:
    env = legacy.folder / ".env"
    env.write_bytes(b"A=1\r\n\r\nSHOP=old\r\nB=2\r\n")
    env.chmod(0o640)
    owner = 1234 if os.geteuid() == 0 else os.geteuid()
    os.chown(env, owner, -1)
    generate(legacy, {"envFile": "../.env", "variable": "SHOP"})
    assert apply(run)[0] == 0
    status = env.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o640, owner)
    assert env.read_bytes() == f"A=1\r\n\r\nSHOP='{secret_of(legacy)}'\r\nB=2\r\n".encode()


# ------------------------------------------------------------------------------------------------------- secret values


@pytest.mark.sample(5)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"first line\nsecond line\n", "has several lines"),
        (b"abc\xff", "is not UTF-8 text"),
        (b"a\tb", "has a control character"),
        (b"ab\xef\xbb\xbfc", "has a control character or another invisible one"),
        (b"a\x00b", "has a control character"),
        ("a\u2028b".encode(), "has a control character or another invisible one"),
        (b"\xff\xfea\x00b\x00", "is not UTF-8 text"),
        (b"x" * 70_000, "has more than 65,536 bytes"),
    ],
)
@pytest.mark.parametrize("command", ["plan", "apply"])
def test_what_is_no_single_line_of_text_is_never_sent_as_a_secret(
    legacy: Project, run: Runner, command: str, content: bytes, said: str
) -> None:
    (legacy.folder / "manifests" / "s.txt").write_bytes(content)
    legacy.manifest("front", AccessTokenDuration=600, ClientSecret={"fromFile": "s.txt"})
    legacy.writes()
    done = run(command, *(["--auto-approve"] if command == "apply" else []))
    assert (done.code, legacy.writes()) == (1, [])
    assert f"the secret file manifests/s.txt {said}" in done.err


def test_a_byte_order_mark_is_no_part_of_a_secret(legacy: Project, run: Runner) -> None:
    (legacy.folder / "manifests" / "s.txt").write_bytes(b"\xef\xbb\xbfabcdefghijkl\r\n")
    legacy.manifest("front", AccessTokenDuration=600, ClientSecret={"fromFile": "s.txt"})
    assert (apply(run)[0], secret_of(legacy)) == (0, "abcdefghijkl")


def test_all_secrets_that_cannot_be_sent_are_named_at_once(legacy: Project, run: Runner) -> None:
    for name in ("front", "back"):
        (legacy.folder / "manifests" / f"{name}.txt").write_bytes(b"a\nb")
        legacy.manifest(name, AccessTokenDuration=600, ClientSecret={"fromFile": f"{name}.txt"})
    text = run("plan").err
    assert "manifests/front.txt has several lines" in text
    assert "manifests/back.txt has several lines" in text


@pytest.mark.parametrize("place", ["pipe", "folder"])
def test_a_pipe_or_a_folder_in_place_of_a_secret_is_refused_and_not_waited_for(
    legacy: Project, run: Runner, place: str
) -> None:
    os.mkfifo(legacy.folder / "manifests" / "pipe")
    (legacy.folder / "manifests" / "folder").mkdir()
    legacy.manifest("front", AccessTokenDuration=600, ClientSecret={"fromFile": place})
    done = run("plan")
    assert (done.code, f"manifests/{place} is not a regular file" in done.err) == (1, True)


@pytest.mark.parametrize("key", ["clientId", "clientSecret"])
def test_our_own_credentials_must_be_text_and_are_named(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("OC_ODD", os.fsdecode(b"abc\xff"))
    document = json.loads((project.folder / "reconciler.yaml").read_text())
    document["environments"]["test"]["auth"][key] = {"fromEnv": "OC_ODD"}
    (project.folder / "reconciler.yaml").write_text(json.dumps(document))
    for command in ("plan", "doctor"):
        done = run(command)
        assert done.code == 1
        assert "the environment variable OC_ODD is not UTF-8 text" in done.out + done.err


def test_half_a_character_in_a_live_secret_stops_no_plan(
    project: Project, served: tuple[Switchboard, str], run: Runner
) -> None:
    seed, secret = project.folder / "odd.json", project.folder / "manifests" / "s.txt"
    client = {"ID": FRONT, "AppName": "front", "AccessTokenDuration": 600, "ClientSecret": "half \ud800 of it"}
    seed.write_text(json.dumps({"Objects": {"ApiClients": [client]}}))
    secret.write_text("whole")
    project.manifest("front", AccessTokenDuration=600, ClientSecret={"fromFile": "s.txt"})
    with closing(Emulator(Settings(seed=seed, profile="legacy"))) as emulator:
        served[0].emulator = emulator
        assert "(secret, differs)" in run("plan").out
        assert (apply(run)[0], secret_of(Project(project.folder, emulator))) == (0, "whole")


# ------------------------------------------------------------------------------------------------------------- the plan


def test_a_plan_shows_where_a_generated_secret_goes(legacy: Project, run: Runner) -> None:
    generate(legacy, {"file": "../first"}, {"command": ["vault", "kv", "put", "secret/shop", "value=-"]})
    for name in ("text", "markdown"):
        shown = run("plan", "--format", name).out
        assert "delivered to file first, command vault kv put secret/shop value=-" in shown
