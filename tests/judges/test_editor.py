"""The YAML language server, as editors run it: what it completes, explains and reports by our schemas.

`make contract` installs it, and names the folder in JUDGES; without it these tests are skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.kinds.test_kinds_api import TABLES
from tools.schemas import whole

if TYPE_CHECKING:
    from collections.abc import Iterator

SERVER = Path(os.environ.get("JUDGES", "")) / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
pytestmark = pytest.mark.skipif(not SERVER.is_file(), reason="the YAML language server is not in the folder JUDGES")

PROFILE = "apiVersion: reconciler/v1\nkind: SecurityProfile\nmetadata: {name: a}\nspec:\n  Name: A\n"


class Editor:
    """As much of an editor as speaks with the language server."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self.process, self.folder, self.count = process, folder, 0
        self.reports: dict[str, list[str]] = {}
        self.ask("initialize", {"processId": None, "rootUri": folder.as_uri(), "capabilities": {}})
        self.send({"method": "initialized", "params": {}})

    def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        assert self.process.stdout
        length = 0
        while line := self.process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name == b"Content-Length" else length
        message: dict[str, Any] = json.loads(self.process.stdout.read(length))
        if message.get("method") == "textDocument/publishDiagnostics":
            told = [one["message"] for one in message["params"]["diagnostics"]]
            self.reports[message["params"]["uri"]] = told
        elif "method" in message and "id" in message:
            self.send({"id": message["id"], "result": [None] * len(message.get("params", {}).get("items", []))})
        return message

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        self.count += 1
        self.send({"id": self.count, "method": method, "params": params})
        while (answer := self.receive()).get("id") != self.count or "method" in answer:
            pass
        return answer["result"]

    def open(self, text: str) -> str:
        self.count += 1
        uri = (self.folder / f"{self.count}.yaml").as_uri()
        text = f"# yaml-language-server: $schema={(self.folder / 'manifest.json').as_uri()}\n{text}"
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        return uri

    def reported(self, text: str) -> list[str]:
        """What it reports of a document."""
        uri = self.open(text)
        while uri not in self.reports:
            self.receive()
        return self.reports[uri]

    def completed(self, text: str) -> set[str]:
        """What it proposes at the end of a document."""
        at = {"textDocument": {"uri": self.open(text)}, "position": _end(text)}
        return {one["label"] for one in self.ask("textDocument/completion", at)["items"]}

    def hovered(self, text: str, word: str) -> str:
        """What it says of a word."""
        before = text[: text.index(word) + 1]
        at = {"textDocument": {"uri": self.open(text)}, "position": _end(before)}
        return json.dumps(self.ask("textDocument/hover", at))


def _end(text: str) -> dict[str, int]:
    """The position after a text that stands below the line that names the schema."""
    lines = text.split("\n")
    return {"line": len(lines), "character": len(lines[-1])}


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    folder = tmp_path_factory.mktemp("editor")
    (folder / "manifest.json").write_text(json.dumps(whole(list(TABLES.values()))))
    with subprocess.Popen([SERVER, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Editor(process, folder)
        process.terminate()


def test_an_editor_completes_kinds(editor: Editor) -> None:
    assert editor.completed("apiVersion: reconciler/v1\nkind: ") == TABLES.keys()


def test_an_editor_completes_the_fields_of_the_kind_and_of_no_other(editor: Editor) -> None:
    proposed = editor.completed(f"{PROFILE}  ")
    assert {"Roles", "CustomRoles", "PasswordConfig"} <= proposed
    assert not proposed & {"AppName", "Url", "EventType"}


@pytest.mark.parametrize(
    ("kind", "field", "other"),
    [
        ("ApiClient", "AppName", "HashKey"),
        ("IntegrationEvent", "HashKey", "ApiClientIDs"),
        ("Webhook", "ApiClientIDs", "AppName"),
        ("DeliveryConfig", "DeliveryTargets", "HashKey"),
    ],
)
def test_an_editor_knows_the_fields_of_each_kind_by_one_schema(
    editor: Editor, kind: str, field: str, other: str
) -> None:
    manifest = f"apiVersion: reconciler/v1\nkind: {kind}\nmetadata: {{name: a}}\nspec:\n  "
    proposed = editor.completed(manifest)
    assert (field in proposed, other in proposed) == (True, False)
    meaning = TABLES[kind].fields[field].description if field in TABLES[kind].fields else "fromEnv"
    assert meaning.split(".")[0] in editor.hovered(f"{manifest}{field}: null\n", field)


def test_an_editor_completes_roles(editor: Editor) -> None:
    assert {"FullAccess", "OrderAdmin"} <= editor.completed(f"{PROFILE}  Roles:\n    - ")


def test_an_editor_explains_a_field(editor: Editor) -> None:
    assert "The roles that it grants." in editor.hovered(f"{PROFILE}  Roles: []\n", "Roles")


def test_an_editor_reports_what_the_kind_does_not_have(editor: Editor) -> None:
    assert editor.reported(PROFILE) == []
    assert editor.reported(f"{PROFILE}  Url: https://a.example.com\n") == ["Property Url is not allowed."]
    assert editor.reported(f"{PROFILE}  Roles: ${{values.roles}}\n") == []


def test_an_editor_calls_no_role_an_error_and_proposes_no_field_that_is_read_only(editor: Editor) -> None:
    assert editor.reported(f"{PROFILE}  Roles: [OrderAdmin, RoleOfTomorrow]\n") == []
    assert not editor.completed(f"{PROFILE}  ") & {"ID", "AssignmentCount"}


def test_an_editor_proposes_a_value_of_the_environment(editor: Editor) -> None:
    text = "apiVersion: reconciler/v1\nkind: ApiClient\nmetadata: {name: a}\nspec:\n  AccessTokenDuration: "
    assert "${values.tokenMinutes}" in editor.completed(text)
