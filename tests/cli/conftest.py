"""A command line in one call, in this process: `run("plan", "--env", "local")` -> code, stdout, stderr."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from reconciler.cli.main import main
from reconciler.cli.options import Log
from reconciler.emulator import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET, Emulator, Settings, running
from reconciler.model.json import Json
from tests.service import client_id

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

FRONT: Final = client_id(0xF)
BACK: Final = client_id(0xB)


@dataclass(frozen=True, slots=True)
class Run:
    """What a command line came to."""

    code: int
    out: str
    err: str


Runner = Callable[..., Run]
Completer = Callable[..., str]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine that runs the tests reaches them."""
    for name in (
        "CI",
        "TF_BUILD",
        "NO_COLOR",
        "FORCE_COLOR",
        "COLUMNS",
        "TERM",
        "RECONCILER_ENV",
        "RECONCILER_ACK",
        "RECONCILER_DEBUG",
        "RECONCILER_PLAN_KEY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Log, "format", "text")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Runner:
    """Run one command line."""

    def run(*arguments: str) -> Run:
        code = main(list(arguments))
        out, err = capsys.readouterr()
        return Run(code, out, err)

    return run


def question(*words: str) -> dict[str, str]:
    """What a shell sets to ask for the last word."""
    return {
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
        "_RECONCILER_COMPLETE": "bash_complete",
    }


@pytest.fixture
def completed(run: Runner, monkeypatch: pytest.MonkeyPatch) -> Completer:
    """What the shell is offered for the last word."""

    def completed(*words: str) -> str:
        with monkeypatch.context() as shell:
            for name, value in question(*words).items():
                shell.setenv(name, value)
            done = run()
        assert done.err == ""
        return done.out

    return completed


def git(folder: Path, *arguments: str) -> str:
    """Run git as somebody; gives what it says."""
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    command = [shutil.which("git") or "git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with a configuration, manifests and a marketplace to try them on."""

    folder: Path
    emulator: Emulator

    def manifest(self, name: str, **spec: Json) -> Path:
        """Write a manifest, over another of that name."""
        path = self.folder / "manifests" / f"{name}.yaml"
        document = {"apiVersion": "reconciler/v1", "kind": "ApiClient", "metadata": {"name": name}}
        path.write_text(json.dumps(document | {"spec": {"AppName": name} | spec}), encoding="utf-8")
        return path

    def configure(self, **environments: Json) -> None:
        """Write the configuration."""
        document = {"apiVersion": "reconciler/v1", "kind": "Config", "manifests": ["manifests/"]}
        text = json.dumps(document | {"environments": environments})
        (self.folder / "reconciler.yaml").write_text(text, encoding="utf-8")

    def ask(self, method: str, path: str, document: Json = None) -> dict[str, Any]:
        """Speak to the marketplace directly, past the reconciler."""
        with httpx.Client(transport=httpx.WSGITransport(app=self.emulator), base_url="http://127.0.0.1") as http:
            if not path.startswith("/_emulator/"):
                login = {"client_id": ADMIN_CLIENT_ID, "client_secret": ADMIN_CLIENT_SECRET}
                granted = http.post("/oauth/token", data={"grant_type": "client_credentials"} | login).json()
                http.headers["Authorization"] = f"Bearer {granted['access_token']}"
            answer = http.request(method, path, json=document)
            return dict(answer.json()) if answer.content else {}

    def writes(self) -> list[str]:
        """Methods of all requests since the last call that may have changed a client."""
        found = self.ask("GET", "/_emulator/requests")["requests"]
        self.ask("DELETE", "/_emulator/requests")
        return [one["method"] for one in found if one["method"] != "GET" and one["path"] != "/oauth/token"]


class Switchboard:
    """A WSGI application that is another emulator in each test: starting a server takes longer than most of them."""

    emulator: Emulator

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> "Iterable[bytes]":
        """Hand the request on."""
        return self.emulator(environ, start_response)


@pytest.fixture(scope="session")
def served() -> Iterator[tuple[Switchboard, str]]:
    """One server for all tests, and its base URL."""
    switchboard = Switchboard()
    with running(switchboard) as url:  # type: ignore[arg-type]  # it serves any WSGI application
        yield switchboard, url


@pytest.fixture
def project(tmp_path: Path, served: tuple[Switchboard, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A marketplace with two clients, `front` and `back`, and one manifest, of `front`, which is in step."""
    clients = [
        {"ID": FRONT, "AppName": "front", "Active": True, "AccessTokenDuration": 600},
        {"ID": BACK, "AppName": "back", "Active": True, "AccessTokenDuration": 600, "AllowSeller": True},
    ]
    (tmp_path / "seed.json").write_text(json.dumps({"Objects": {"ApiClients": clients}}), encoding="utf-8")
    (tmp_path / "manifests").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OC_SECRET", ADMIN_CLIENT_SECRET)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))  # else each client loads all root certificates: 40 ms
    server, url = served
    with closing(Emulator(Settings(seed=tmp_path / "seed.json"))) as emulator:
        server.emulator = emulator
        project = Project(tmp_path, emulator)
        auth: Json = {"clientId": ADMIN_CLIENT_ID, "clientSecret": {"fromEnv": "OC_SECRET"}}
        project.configure(test={"url": url, "marketplace": "emulator", "auth": auth, "limits": {"changes": 2}})
        project.manifest("front", AccessTokenDuration=600)
        yield project
