"""No command shows a secret: recognisable ones are planted, and everything that is printed or written is searched.

Every command of the program has its cases in `CASES`; a command without any fails a test of its own. Each case runs
with all formats and with --verbose, against both generations of the API, and once more where the transport itself
crashes with everything it knows in its message.
"""

import base64
import html
import json
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any, Final

import click
import httpx
import pytest

from reconciler.cli.exit import ExitCode
from reconciler.cli.main import cli
from reconciler.cli.options import Common
from reconciler.emulator import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET, Emulator, Settings
from tests.cli.conftest import FRONT, Project, Runner, Switchboard

OLD: Final = "old canary/+=&\"é\\'<1>"
NEW: Final = "new canary/+=&\"é\\'<2>"
FRONT_CLIENT: Final = "ApiClient/front"

Arguments = tuple[str, ...]
PAST: Final = [("secrets", "rotate", FRONT_CLIENT), ("apply", "--auto-approve")]
"""The runs that are there to be looked at, or taken back."""
LIVE: Final = (
    "--url",
    "{url}",
    "--marketplace",
    "emulator",
    "--client-id-env",
    "OC_ID",
    "--client-secret-env",
    "OC_SECRET",
)
CASES: Final[dict[Arguments, Sequence[Arguments]]] = {
    ("init",): [("fresh", *LIVE), ("from-live", "--from-live", *LIVE)],
    ("validate",): [(), ("--env", "test")],
    ("plan",): [(), ("--out", "plan.json"), ("--detailed-exitcode", "--into", "json=again.json")],
    ("apply",): [("--auto-approve",), ("--auto-approve", "--keep-going", "--receipt", "receipt.json")],
    ("show",): [("saved.json",), ("--resolved",)],
    ("drift",): [()],
    ("snapshot",): [("--out", "snapshot.json")],
    ("adopt",): [(), ("--write",)],
    ("secrets", "status"): [(), ("--metrics", "secrets.prom")],
    ("secrets", "rotate"): [(FRONT_CLIENT, "--dry-run"), (FRONT_CLIENT,)],
    ("history",): [()],
    ("rollback",): [("last",), ("last", "--auto-approve")],
    ("history", "show"): [("last",)],
    ("history", "verify"): [()],
    ("export",): [(), ("--out", "exported", "--write")],
    ("import",): [("seed.json",), ("seed.json", "--out", "imported", "--write")],
    ("environments",): [()],
    ("doctor",): [()],
    ("schema",): [("ApiClient",)],
    ("explain",): [("ApiClient.spec.ClientSecret",)],
    ("completion",): [("bash",)],
    ("version",): [()],
    ("emulator",): [("--port", "0", "--seed", "no-such-file.yaml")],
}
"""Path of a command -> the arguments of each case."""

HIDING_PLACES: Final = ("seed.json", "out/")
"""What may hold a secret: the marketplace's seed, and the folder that secrets are delivered to."""


def formats(command: click.Command) -> list[str]:
    """The formats of a command; none where it has no document."""
    option = next((each for each in command.params if "--format" in each.opts), None)
    return [str(name) for name in option.type.choices] if option and isinstance(option.type, click.Choice) else []


def every_format(command: click.Command) -> list[Arguments]:
    """Options for a document in each format: in one run, where the command writes several."""
    first, *others = formats(command) or [""]
    if any("--into" in each.opts for each in command.params):
        return [("--format", first, *(word for name in others for word in ("--into", f"{name}=document.{name}")))]
    return [("--format", name) for name in (first, *others) if name] or [()]


def commands(group: click.Command, path: Arguments = ()) -> Iterator[tuple[Arguments, click.Command]]:
    """Every command that does something. A group does where it has formats to say it in."""
    if not isinstance(group, click.Group) or len(formats(group)) > 1:
        yield path, group
    if not isinstance(group, click.Group):
        return
    with click.Context(group, obj=Common()) as context:
        for name in group.list_commands(context):
            found = group.get_command(context, name)
            assert found
            yield from commands(found, (*path, name))


ALL: Final = dict(commands(cli))


def test_every_command_has_a_case() -> None:
    assert set(CASES) == set(ALL), "add the command to CASES, with arguments that make it meet secrets"


def encodings(value: str) -> set[str]:
    """All forms in which a value could be met."""
    raw = value.encode()
    escaped = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
    encoded = {urllib.parse.quote(value, safe=""), urllib.parse.quote(value), urllib.parse.quote_plus(value)}
    armoured = {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode(), raw.hex()}
    return {value, html.escape(value), html.escape(value, quote=False), *escaped, *encoded, *armoured}


class Searched:
    """A project whose secrets are known, and everything that came out of it."""

    def __init__(self, project: Project, run: Runner) -> None:
        self.project, self._run = project, run
        self.values = {OLD, NEW, ADMIN_CLIENT_SECRET}
        self.texts: dict[str, str] = {}

    def run(self, *arguments: str) -> None:
        config = json.loads((self.project.folder / "reconciler.yaml").read_text())
        url = config["environments"]["test"]["url"]
        arguments = tuple(argument.replace("{url}", url) for argument in arguments)
        self._keep_values()
        ended = self._run(*arguments)
        assert ended.code != ExitCode.USAGE, f"this meets nothing: {arguments}: {ended.err}"
        self._keep_values()
        self.texts[" ".join(arguments)] = ended.out + ended.err

    def _keep_values(self) -> None:
        """Values that the service made can be read where they were delivered."""
        out = self.project.folder / "out" / "front"
        self.values |= {out.read_text()} if out.exists() else set()

    def files(self) -> Iterator[tuple[str, str]]:
        for path in sorted(self.project.folder.rglob("*")):
            name = path.relative_to(self.project.folder).as_posix()
            if path.is_file() and not name.startswith(HIDING_PLACES):
                yield name, path.read_text(encoding="utf-8", errors="replace")

    def leaks(self) -> list[str]:
        """Where a secret, or a token, was found."""
        wanted = {form for value in self.values for form in encodings(value)} | {"eyJ", "Bearer"}
        places = [*self.texts.items(), *self.files()]
        return [f"{name}: {form[:40]}" for name, text in places for form in wanted if form in text]


@pytest.fixture(params=["legacy", pytest.param("current", marks=pytest.mark.sweep)])
def searched(
    project: Project,
    run: Runner,
    served: tuple[Switchboard, str],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Searched]:
    """The client `front` with a secret that differs from what its manifest asks for, and a saved plan."""
    monkeypatch.setenv("FRONT_SECRET", NEW)
    monkeypatch.setenv("OC_ID", ADMIN_CLIENT_ID)
    monkeypatch.setenv("RECONCILER_PLAN_KEY", "a key for plans")
    with legacy(project, served) if request.param == "legacy" else current(project, run) as meant:
        found = Searched(meant, run)
        found.run("plan", "--out", "saved.json")
        yield found


OPEN: Final[dict[str, Any]] = {"AllowSeller": True, "DefaultContextUserName": "emulator-admin"}
LISTED: Final = {"name": "primary", "maxAge": "90d", "overlap": "0", "deliver": [{"file": "../out/front"}]}


def manifest(project: Project, **spec: Any) -> None:
    path = project.manifest("front", AccessTokenDuration=60, **OPEN, **spec)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"secrets": [LISTED]}))


@contextmanager
def legacy(project: Project, served: tuple[Switchboard, str]) -> Iterator[Project]:
    """A marketplace of the older generation, which has both kinds of secrets."""
    client = {"ID": FRONT, "AppName": "front", "Active": True, "AccessTokenDuration": 600, "ClientSecret": OLD, **OPEN}
    seed = project.folder / "seed.json"
    seed.write_text(json.dumps({"Objects": {"ApiClients": [client]}}), encoding="utf-8")
    config = json.loads((project.folder / "reconciler.yaml").read_text())["environments"]["test"]
    project.configure(test=config | {"secrets": {"allow": ["FRONT_SECRET"]}})
    manifest(project, ClientSecret={"fromEnv": "FRONT_SECRET"})
    with closing(Emulator(Settings(seed=seed, profile="legacy"))) as emulator:
        served[0].emulator = emulator
        yield replace(project, emulator=emulator)


@contextmanager
def current(project: Project, run: Runner) -> Iterator[Project]:
    """A marketplace with a named secret that was made and delivered."""
    manifest(project)
    assert run("apply", "--auto-approve").code == 0
    path = project.folder / "manifests" / "front.yaml"
    path.write_text(path.read_text().replace('"AccessTokenDuration": 60', '"AccessTokenDuration": 120'))
    yield project


@pytest.mark.sample(8)
@pytest.mark.parametrize("path", sorted(CASES), ids=" ".join)
def test_a_command_shows_no_secret(searched: Searched, path: Arguments) -> None:
    _live_through(searched, path)
    first, *others = CASES[path]
    for options in every_format(ALL[path]):
        searched.run(*path, *first, *options)
    for arguments in others:
        searched.run(*path, *arguments, "--verbose")
    assert searched.leaks() == []


def _live_through(searched: Searched, path: Arguments) -> None:
    for arguments in PAST if path[0] in {"history", "rollback"} else ():
        searched.run(*arguments)


def indiscreet(self: httpx.Client, request: httpx.Request, **_options: Any) -> httpx.Response:
    """Crash with everything in the message, as no library should."""
    del self
    raise RuntimeError(f"{request.headers} {request.content!r} {ADMIN_CLIENT_SECRET} {NEW} {OLD}")


OFFLINE: Final = {
    "validate",
    "environments",
    "schema",
    "emulator",
    "explain",
    "completion",
    "import",
    "history",
    "version",
}
ONLINE: Final = [path for path in sorted(CASES) if path[0] not in OFFLINE]


@pytest.mark.sample(4)
@pytest.mark.parametrize("path", ONLINE, ids=" ".join)
def test_a_command_that_crashes_shows_no_secret(
    searched: Searched, path: Arguments, monkeypatch: pytest.MonkeyPatch
) -> None:
    _live_through(searched, path)
    monkeypatch.setattr(httpx.Client, "send", indiscreet)
    for arguments in CASES[path]:
        searched.run(*path, *arguments, "--verbose")
    assert searched.leaks() == []


_QUOTED: Final = json.dumps(f"bad: {NEW}")
_OWN: Final = json.dumps(f"not {ADMIN_CLIENT_SECRET}")
ECHOES: Final = {
    "a refusal that quotes the request": (
        f"PUT /v1/apiclients/* status=400 code=Bad message={_QUOTED}",
        "bad: (secret)",
    ),
    "a lost answer": ("PUT /v1/apiclients/* drop=after count=all", "1 applied"),
    "an answer that is not JSON": ("* /v1/apiclients/* body=truncated count=all", "truncated JSON"),
    "a login that quotes": (f"POST /oauth/token status=400 message={_OWN}", "not (secret)"),
}


@pytest.mark.sample(2)
@pytest.mark.parametrize("searched", ["legacy"], indirect=True)
@pytest.mark.parametrize(("spec", "met"), ECHOES.values(), ids=list(ECHOES))
def test_a_service_that_says_too_much_is_not_repeated(searched: Searched, spec: str, met: str) -> None:
    for arguments in (("apply", "--auto-approve"), ("secrets", "rotate", FRONT_CLIENT), ("drift",)):
        with httpx.Client(transport=httpx.WSGITransport(app=searched.project.emulator), base_url="http://x") as http:
            http.delete("/_emulator/faults")
            http.post("/_emulator/faults", json={"spec": spec}).raise_for_status()
        searched.run(*arguments, "--verbose")
    assert searched.leaks() == []
    assert met in "".join(searched.texts.values())


def test_a_canary_that_does_sing_is_heard(searched: Searched) -> None:
    for form in encodings(NEW):
        searched.texts = {"printed": f"before {form} after"}
        assert searched.leaks()
    searched.texts = {}
    (searched.project.folder / "written").write_text(base64.b64encode(OLD.encode()).decode())
    assert searched.leaks()


def test_plans_journals_and_receipts_are_among_what_is_searched(searched: Searched) -> None:
    searched.run("apply", "--auto-approve", "--receipt", "receipt.json")
    searched.run("secrets", "rotate", FRONT_CLIENT)
    names = {name for name, _ in searched.files()}
    assert {"saved.json", "receipt.json"} <= names
    assert any(name.startswith(".reconciler/runs/") for name in names)
