"""`--notify URL`: what is posted, when, and what happens where nobody takes it."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import FRONT, Project, Runner, git

PATH = "/services/T0/B0/very-secret-token"


@dataclass(slots=True)
class Chat:
    """A server that takes messages, or does not."""

    url: str = ""
    status: int = 200
    messages: list[dict[str, Any]] = field(default_factory=list)

    def taken(self) -> list[str]:
        """The texts since the last call."""
        texts = [message["text"] for message in self.messages]
        self.messages.clear()
        return texts


@pytest.fixture
def chat() -> Iterator[Chat]:
    chat = Chat()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            chat.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(chat.status)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        chat.url = f"http://127.0.0.1:{server.server_port}{PATH}"
        yield chat
        server.shutdown()
        thread.join()


def test_new_drift_is_told_once_and_so_is_its_end(project: Project, run: Runner, chat: Chat) -> None:
    assert run("drift", "--notify", chat.url).code == 0
    assert chat.taken() == []
    project.ask("PATCH", f"/v1/apiclients/{FRONT}", {"AccessTokenDuration": 300})
    assert [run("drift", "--notify", chat.url).code for _ in range(3)] == [2, 2, 2]
    assert chat.taken() == ["test has 1 new deviation\nApiClient/front /AccessTokenDuration: changed"]
    project.ask("PATCH", f"/v1/apiclients/{FRONT}", {"AccessTokenDuration": 600})
    assert [run("drift", "--notify", chat.url).code for _ in range(2)] == [0, 0]
    assert chat.taken() == ["test has no drift any more"]


def test_only_what_is_new_is_named_and_another_value_is_new(project: Project, run: Runner, chat: Chat) -> None:
    project.manifest("missing", AccessTokenDuration=600)
    run("drift", "--notify", chat.url)
    project.ask("PATCH", f"/v1/apiclients/{FRONT}", {"AccessTokenDuration": 300})
    run("drift", "--notify", chat.url)
    project.ask("PATCH", f"/v1/apiclients/{FRONT}", {"AccessTokenDuration": 200})
    run("drift", "--notify", chat.url)
    known = "test has 1 new deviation, and 1 known deviation\nApiClient/front /AccessTokenDuration: changed"
    assert chat.taken() == ["test has 1 new deviation\nApiClient/missing: missing", known, known]


def test_a_part_that_is_in_step_says_nothing_of_the_whole(project: Project, run: Runner, chat: Chat) -> None:
    project.manifest("missing", AccessTokenDuration=600)
    run("drift", "--notify", chat.url)
    chat.taken()
    assert run("drift", "--notify", chat.url, "--only", "ApiClient/front").code == 0
    assert chat.taken() == []


def test_a_message_that_is_not_taken_changes_nothing_and_is_sent_by_the_next_run(
    project: Project, run: Runner, chat: Chat
) -> None:
    project.manifest("missing", AccessTokenDuration=600)
    chat.status = 500
    done = run("drift", "--notify", chat.url)
    assert done.code == 2
    assert done.err == "warning: 127.0.0.1 did not accept the notification: status 500\n"
    assert done.out == run("drift").out
    chat.taken()
    chat.status = 204
    run("drift", "--notify", chat.url)
    assert len(chat.taken()) == 1


def test_a_host_that_is_not_there_is_a_warning_without_the_url(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.manifest("missing", AccessTokenDuration=600)
    monkeypatch.setenv("RECONCILER_NOTIFY_URL", f"http://127.0.0.1:9{PATH}")
    done = run("drift", "--verbose")
    assert done.code == 2
    assert "warning: 127.0.0.1 could not be notified: no connection" in done.err
    assert "very-secret" not in done.err + done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--notify", "no url at all"], "the URL to notify is not valid"),
        (["--notify", f"ftp://host{PATH}"], "the URL to notify is not valid"),
        (["--notify", f"https://chat.example{PATH}\udcff"], "the URL to notify is not valid"),
        (["--notify", f"https://chat..example{PATH}"], "the URL to notify is not valid"),
        (["--notify", f"https://{'a' * 64}.example{PATH}"], "the URL to notify is not valid"),
        (["--notify", f"http://chat.example{PATH}"], "plain http to chat.example would expose the URL"),
        (["--notify-format", "slack"], "--notify-format needs a URL to notify"),
    ],
)
def test_a_url_that_can_never_be_notified_is_wrong_usage(
    project: Project, run: Runner, arguments: list[str], said: str
) -> None:
    done = run("drift", *arguments)
    assert (done.code, done.out) == (64, "")
    assert said in done.err
    assert "very-secret" not in done.err


def test_the_format_can_be_chosen(project: Project, run: Runner, chat: Chat) -> None:
    project.manifest("missing", AccessTokenDuration=600)
    run("drift", "--notify", chat.url, "--notify-format", "slack")
    assert chat.taken() == ["*test has 1 new deviation*\n• `ApiClient/missing: missing`"]


def test_a_damaged_state_counts_as_none(project: Project, run: Runner, chat: Chat) -> None:
    project.manifest("missing", AccessTokenDuration=600)
    for content in ("{", "[]", '{"test": 7}', "[" * 100_000, "\x00"):
        (project.folder / ".reconciler").mkdir(exist_ok=True)
        (project.folder / ".reconciler" / "notified.json").write_text(content)
        run("drift", "--notify", chat.url)
        assert len(chat.taken()) == 1


def test_several_environments_are_told_of_one_by_one(project: Project, run: Runner, chat: Chat) -> None:
    target = json.loads((project.folder / "reconciler.yaml").read_text())["environments"]["test"]
    project.configure(a=target, b=target)
    project.manifest("missing", AccessTokenDuration=600)
    run("drift", "--env-all", "--notify", chat.url)
    assert [text.splitlines()[0] for text in chat.taken()] == ["a has 1 new deviation", "b has 1 new deviation"]


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_a_memory_that_is_a_pipe_or_a_link_is_replaced_and_not_waited_for(
    project: Project, run: Runner, chat: Chat, make: Callable[[Path], None]
) -> None:
    memory = project.folder / ".reconciler" / "notified.json"
    memory.parent.mkdir(exist_ok=True)
    make(memory)
    project.ask("PATCH", f"/v1/apiclients/{FRONT}", {"AccessTokenDuration": 300})
    assert [run("drift", "--notify", chat.url).code for _ in range(2)] == [2, 2]
    assert len(chat.taken()) == 1
    assert memory.is_file()
    assert not memory.is_symlink()


def test_a_memory_that_git_tracks_silences_nothing(project: Project, run: Runner, chat: Chat) -> None:
    git(project.folder, "init", "--quiet")
    project.manifest("missing", AccessTokenDuration=600)
    for warnings in (0, 0, 1, 1):
        if warnings:
            git(project.folder, "add", "--force", ".reconciler/notified.json")
        done = run("drift", "--notify", chat.url)
        assert done.err.count("notified.json is not used: git tracks it; run git rm --cached") == warnings
    assert len(chat.taken()) == 3


def test_a_memory_of_which_git_says_nothing_silences_nothing(project: Project, run: Runner, chat: Chat) -> None:
    project.manifest("missing", AccessTokenDuration=600)
    run("drift", "--notify", chat.url)
    (project.folder / ".git").write_text("gitdir: nowhere", encoding="utf-8")
    assert "notified.json is not used, because git may track it: " in run("drift", "--notify", chat.url).err
    assert len(chat.taken()) == 2
