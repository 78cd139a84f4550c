"""What users would pick instead, in the same run: each peer against our command on work that is as near as it gets.

Peers are installed from the package indexes into ``.bench/`` of the checkout, once. One that cannot be installed is
named in the results, with the reason, and the rest goes on.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import data
from auth0_stand_in import client as auth0_client
from cases import Findings, Place, Row, Sizes, counts
from measure import HERE, Work, interleaved, process, script, serving

_HOME: Final = HERE.parent / ".bench"
_PYTHON_PEERS: Final = ("ansible-core==2.19.14", "octodns==1.22.0")
_NODE_PEERS: Final = ("auth0-deploy-cli@8.44.0",)


class Missing(Exception):
    """A peer cannot be installed here; the message says why."""


def _installed(marker: str, *commands: list[str]) -> None:
    """Run the commands that install a peer, unless that was done before.

    Raises:
        Missing: one of them failed.
    """
    done = _HOME / marker
    if done.exists():
        return
    _HOME.mkdir(exist_ok=True)
    for words in commands:
        if shutil.which(words[0]) is None:
            raise Missing(f"{words[0]} is not there")
        ended = subprocess.run(words, capture_output=True, text=True, check=False)
        if ended.returncode:
            last = (ended.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise Missing(f"{Path(words[0]).name} says: {last[:200]}")
    done.touch()


def _python_peers() -> Path:
    home = _HOME / "python"
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", *_PYTHON_PEERS]
    _installed(f"{'+'.join(_PYTHON_PEERS)}.done", [sys.executable, "-m", "venv", str(home)], pip)
    return home / "bin"


# ------------------------------------------------------------------------------------------------------ the library


def library(root: Path, sizes: Sizes, findings: Findings) -> Iterator[Row]:
    """`ordercloud-python`, listing all clients and saving those that changed; it looks at nothing before it writes."""
    latency, changes = sizes.slow_ms, sizes.changes
    for at_a_time, count in ((1, changes // 10), (16, changes)):
        with (
            serving("--clients", count, "--latency-ms", latency) as ours,
            serving("--clients", count, "--latency-ms", latency) as theirs,
        ):
            lifetimes = _alternating(120, 60)
            ways = [
                Place.of(root / f"{at_a_time}-{way}", ours, count, changed=way, at_a_time=at_a_time)
                for way in (count, 0)
            ]
            mine = _alternating(*(way.runs("apply", "--auto-approve", "--quiet") for way in ways))
            works: dict[str, Work] = {
                "apply": lambda mine=mine: next(mine)(),  # type: ignore[misc]  # bound now
                "library": lambda theirs=theirs, at_a_time=at_a_time, lifetimes=lifetimes: script(  # type: ignore[misc]
                    "peer_ordercloud.py", theirs, f"{next(lifetimes)}", f"{at_a_time}"
                )(),
            }
            figures = interleaved(works, sizes.runs, warm_up=False)
        found = figures["library"].seconds
        findings.throughput.setdefault("ordercloud-python, list and save", {})[at_a_time] = count / found
        note = "ours also reads each client before its PUT, and all of them after; the library only lists and saves"
        work = f"apply {count} changes, {at_a_time} at a time, {latency} ms"
        yield Row("peers", work, figures["apply"], found, "ordercloud-python list and save", note=note)


def _alternating(*values: Any) -> Iterator[Any]:  # noqa: ANN401  # whatever is alternated
    while True:
        yield from values


# ---------------------------------------------------------------------------------------------------------- ansible

_PLAYBOOK: Final = """\
- hosts: localhost
  gather_facts: false
  tasks:
    - uri: {url: "%(url)s/oauth/token", method: POST, body_format: form-urlencoded, body: {client_id: x}}
      register: login
    - uri:
        url: "%(url)s/v1/apiclients/{{ item.id }}"
        method: PUT
        body_format: json
        body: "{{ item.body }}"
        headers: {Authorization: "Bearer {{ login.json.access_token }}"}
      loop: "{{ lookup('file', 'clients.json') | from_json }}"
      loop_control: {label: "{{ item.id }}"}
"""


def ansible(root: Path, sizes: Sizes, _findings: Findings) -> Iterator[Row]:
    """The `uri` module in a loop: a PUT for each client, changed or not."""
    binaries, count = _python_peers(), 20
    root.mkdir()
    (root / "clients.json").write_text(json.dumps([{"id": one.pop("ID"), "body": one} for one in data.bodies(count)]))
    with serving("--clients", count) as url:
        (root / "play.yaml").write_text(_PLAYBOOK % {"url": url})
        ours = Place.of(root / "ours", url, count)
        words: list[str | Path] = [binaries / "ansible-playbook", "-i", "localhost,", "-c", "local", "play.yaml"]
        theirs: Work = lambda: process(words, root, {"PATH": f"{binaries}:/usr/bin:/bin"})  # noqa: E731
        before = counts(url).writes
        figures = interleaved({"plan": ours.runs("apply", "--auto-approve"), "uri": theirs}, sizes.runs)
        writes = (counts(url).writes - before) // (sizes.runs + 1)
    note = f"{writes} PUTs by ansible, none by ours; 20 clients, since ansible starts a process for each"
    yield Row("peers", f"apply {count} unchanged", figures["plan"], figures["uri"].seconds, "ansible uri", note=note)


# ------------------------------------------------------------------------------------------------- auth0-deploy-cli


def auth0(root: Path, sizes: Sizes, _findings: Findings) -> Iterator[Row]:
    """`a0deploy import` of clients that its service has already, against a stand-in for that service."""
    packages = _HOME / "node"
    _installed(f"{'+'.join(_NODE_PEERS)}.done", ["npm", "install", "--silent", "--prefix", str(packages), *_NODE_PEERS])
    count = 20
    root.mkdir()
    text = json.dumps({"clients": [auth0_client(number) for number in range(count)]})
    (root / "tenant.yaml").write_text(text)
    with _auth0_stand_in(count, root / "ca.pem") as domain, serving("--clients", count) as url:
        settings = {"AUTH0_DOMAIN": domain, "AUTH0_ACCESS_TOKEN": "token", "AUTH0_INCLUDED_ONLY": ["clients"]}
        (root / "config.json").write_text(json.dumps(settings))
        binary = packages / "node_modules" / ".bin" / "a0deploy"
        words: list[str | Path] = [binary, "import", "--config_file", "config.json", "--input_file", "tenant.yaml"]
        theirs: Work = lambda: process(words, root, {"NODE_EXTRA_CA_CERTS": str(root / "ca.pem")})  # noqa: E731
        ours = Place.of(root / "ours", url, count).runs("apply", "--auto-approve")
        figures = interleaved({"ours": ours, "theirs": theirs}, sizes.runs, warm_up=False)
    note = f"a0deploy sends a PATCH for each of its {count} unchanged clients, ours sends no write"
    yield Row("peers", f"apply {count} unchanged", figures["ours"], figures["theirs"].seconds, "a0deploy", note=note)


@contextmanager
def _auth0_stand_in(count: int, certificate: Path) -> Iterator[str]:
    words = [sys.executable, str(HERE / "auth0_stand_in.py"), str(count), str(certificate)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout  # noqa: S101  # it is piped
        try:
            yield server.stdout.readline().strip().removeprefix("listening on https://")
        finally:
            server.terminate()


# ---------------------------------------------------------------------------------------------------------- octoDNS

_OCTODNS: Final = """\
providers:
  source: {class: octodns.provider.yaml.YamlProvider, directory: ./source, default_ttl: 3600, enforce_order: false}
  target: {class: octodns.provider.yaml.YamlProvider, directory: ./target, default_ttl: 3600, enforce_order: false}
zones:
  example.com.: {sources: [source], targets: [target]}
"""


def octodns(root: Path, sizes: Sizes, _findings: Findings) -> Iterator[Row]:
    """`octodns-sync` without `--doit`, as many records from YAML to YAML: it parses as much, and contacts nobody."""
    binaries, count = _python_peers(), sizes.clients
    records = {f"r{number}": {"type": "TXT", "value": f"record {number}"} for number in range(count)}
    for side in ("source", "target"):
        (root / side).mkdir(parents=True)
        (root / side / "example.com.yaml").write_text(json.dumps(records))
    (root / "config.yaml").write_text(_OCTODNS)
    words: list[str | Path] = [binaries / "octodns-sync", "--config-file", "config.yaml", "--quiet"]
    with serving("--clients", count) as url:
        ours = Place.of(root / "ours", url, count).runs("plan")
        figures = interleaved({"ours": ours, "theirs": lambda: process(words, root)}, sizes.runs)
    note = (
        "octoDNS reads one YAML file of records of one value each; ours reads as many files of 25 keys, and a service"
    )
    yield Row("peers", f"plan {count} unchanged", figures["ours"], figures["theirs"].seconds, "octoDNS", note=note)


PEERS: Final[tuple[Callable[[Path, Sizes, Findings], Iterator[Row]], ...]] = (library, ansible, octodns, auth0)
