"""A shop with a staging and a production marketplace, on a stand-in for GitHub."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from reconciler.emulator import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET, Emulator, Settings, running
from reconciler.model.json import Json
from tests.ci.azure import Azure
from tests.ci.forge import Forge, programs
from tests.ci.github_api import serving
from tests.ci.gitlab import GitLab
from tests.ci.hub import Hub
from tests.cli.conftest import FRONT, Project, Switchboard, bare_environment

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

__all__ = ["bare_environment"]

ROOT = Path(__file__).parents[2]
Moved = TypeVar("Moved", bound=Forge)
NAMES = ("staging", "production")


@pytest.fixture(scope="session")
def servers() -> Iterator[Mapping[str, tuple[Switchboard, str]]]:
    """A server for each marketplace."""
    with ExitStack() as stack:
        boards = {name: Switchboard() for name in NAMES}
        yield {name: (board, stack.enter_context(running(board))) for name, board in boards.items()}  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def tools(prefork: Mapping[str, str]) -> Iterator[Path]:
    """A folder with the programs that jobs find."""
    with tempfile.TemporaryDirectory() as folder:
        gh = str(Path(folder) / "gh")
        with serving(gh):
            yield from programs(Path(folder) / "bin", prefork, gh)


@dataclass
class Shop:
    """A repository of manifests, and the two marketplaces."""

    hub: Hub
    markets: Mapping[str, Project]
    folder: str = "."

    @property
    def place(self) -> Path:
        """Where reconciler.yaml is, in the clone of whoever works."""
        return self.hub.clone / self.folder

    def manifest(self, name: str = "front", **spec: Json) -> None:
        document = {"apiVersion": "reconciler/v1", "kind": "ApiClient", "metadata": {"name": name}}
        path = self.place / "manifests" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document | {"spec": {"AppName": name} | spec}) + "\n", encoding="utf-8")

    def live(self, environment: str, id_: str = FRONT) -> dict[str, Any]:
        return self.markets[environment].ask("GET", f"/v1/apiclients/{id_}")

    def minutes(self) -> list[int]:
        """The duration of tokens of `front` in staging and in production."""
        return [self.live(name)["AccessTokenDuration"] for name in NAMES]

    def portal(self, environment: str, id_: str = FRONT, **fields: Json) -> None:
        """Somebody clicks in the portal."""
        self.markets[environment].ask("PATCH", f"/v1/apiclients/{id_}", fields)


@pytest.fixture
def shop(tmp_path: Path, servers: Mapping[str, tuple[Switchboard, str]], tools: Path) -> Iterator[Shop]:
    """`front` lives 600 minutes everywhere; its manifest is on main, and the night has kept snapshots."""
    secrets = {"OC_CLIENT_ID": ADMIN_CLIENT_ID, "OC_CLIENT_SECRET": ADMIN_CLIENT_SECRET, "RECONCILER_PLAN_KEY": "k"}
    clients = [{"ID": FRONT, "AppName": "front", "Active": True, "AccessTokenDuration": 600}]
    (tmp_path / "seed.json").write_text(json.dumps({"Objects": {"ApiClients": clients}}), encoding="utf-8")
    with ExitStack() as stack:
        markets = {}
        for name, (board, _) in servers.items():
            board.emulator = stack.enter_context(closing(Emulator(Settings(seed=tmp_path / "seed.json"))))
            markets[name] = Project(tmp_path, board.emulator)
        shop = Shop(Hub(tmp_path, tools, dict.fromkeys(NAMES, secrets)), markets)
        auth = {"clientId": {"fromEnv": "OC_CLIENT_ID"}, "clientSecret": {"fromEnv": "OC_CLIENT_SECRET"}}
        environments = {
            name: {"url": url, "marketplace": "emulator", "auth": auth} for name, (_, url) in servers.items()
        }
        config = {"apiVersion": "reconciler/v1", "kind": "Config", "manifests": ["manifests/"]}
        (shop.place / "reconciler.yaml").write_text(
            json.dumps(config | {"environments": environments}), encoding="utf-8"
        )
        shop.manifest(AccessTokenDuration=600)
        shop.hub.commit("first")
        yield shop


@pytest.fixture
def watched(shop: Shop, snapshots: Path) -> Shop:
    """The same, after a night: there are snapshots of both marketplaces, and somebody who approves."""
    shop.hub.require_reviewers(*NAMES)
    state = shop.hub.state
    run = {"event": "schedule", "head_sha": "", "head_branch": "main", "head_repository_id": 1, "workflow": ""}
    shop.hub.keep(state | {"runs": [{"id": 1, **run}]})
    for name in NAMES:
        folder = shop.hub.folder / "artifacts" / "1" / f"api-clients-snapshot-{name}"
        shutil.copytree(snapshots / name, folder)
    return shop


@pytest.fixture(scope="session")
def kept_snapshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the snapshots are kept that every test begins with."""
    return tmp_path_factory.mktemp("snapshots")


@pytest.fixture
def snapshots(shop: Shop, kept_snapshots: Path) -> Path:
    """A folder for each environment with its snapshot, which is the same for all tests."""
    if not any(kept_snapshots.iterdir()):
        assert shop.hub.nightly().results["drift production"] == "success"
        for name in NAMES:
            shutil.copytree(shop.hub.kept(f"api-clients-snapshot-{name}"), kept_snapshots / name)
        shutil.rmtree(shop.hub.folder / "artifacts")
    return kept_snapshots


@pytest.fixture
def gitlab(shop: Shop, tmp_path: Path, tools: Path) -> GitLab:
    """The same repository on GitLab."""
    return moved(shop, GitLab(tmp_path / "gitlab", tools, shop.hub.secrets))


@pytest.fixture
def azure(shop: Shop, tmp_path: Path, tools: Path) -> Azure:
    """The same repository on Azure."""
    return moved(shop, Azure(tmp_path / "azure", tools, shop.hub.secrets))


def moved(shop: Shop, forge: Moved) -> Moved:
    """Give another system the repository."""
    shutil.copytree(shop.hub.clone, forge.clone, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".git"))
    forge.commit("first")
    return forge


@pytest.fixture
def chat(shop: Shop) -> Iterator[list[str]]:
    """What production's drift has posted to a chat."""
    posted: list[str] = []

    def receive(environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
        posted.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode())
        start_response("200 OK", [("Content-Length", "0")])
        return []

    with running(receive) as url:  # type: ignore[arg-type]  # it serves any WSGI application
        secrets = {name: {**one, "RECONCILER_NOTIFY_URL": f"{url}/hook"} for name, one in shop.hub.secrets.items()}
        shop.hub.secrets = secrets
        yield posted
