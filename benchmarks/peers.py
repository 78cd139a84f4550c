"""What users would pick instead, in the same run: each peer against our command on work that is as near as it gets.

Peers are installed from the package indexes into ``.bench/`` of the checkout, once. One that cannot be installed is
named in the results, with the reason, and the rest goes on.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import data
from auth0_stand_in import client as auth0_client
from cases import Findings, Place, Row, Sizes
from measure import HERE, Figures, Work, in_turn, interleaved, process, script, serving

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
    latency = sizes.slow_ms
    for at_a_time, count in ((1, sizes.changes // 10), (16, sizes.changes)):
        with ExitStack() as servers:
            figures, parts = _parted(
                lambda number: _against_library(root, latency, number, at_a_time, servers),  # noqa: B023  # called now
                (count // 2, count),
                sizes.few,
            )
        found = figures["library"].seconds
        findings.throughput.setdefault("ordercloud-python, list and save", {})[at_a_time] = count / found
        note = "ours also reads each client before its PUT, and all of them after; the library only lists and saves"
        work = f"apply {count} changes, {at_a_time} at a time, {latency} ms"
        name = "ordercloud-python list and save"
        yield Row("peers", work, figures["ours"], found, name, note=f"{note}; {parts}")


def _against_library(root: Path, latency: int, count: int, at_a_time: int, servers: ExitStack) -> dict[str, Work]:
    ours, theirs = (
        servers.enter_context(serving("--clients", count, "--latency-ms", latency)) for _ in ("ours", "theirs")
    )
    ways = [
        Place.of(root / f"{at_a_time}-{count}-{way}", ours, count, changed=way, at_a_time=at_a_time)
        for way in (count, 0)
    ]
    return {
        "ours": in_turn(*(way.runs("apply", "--auto-approve", "--quiet") for way in ways)),
        "library": in_turn(*(script("peer_ordercloud.py", theirs, one, f"{at_a_time}") for one in ("120", "60"))),
    }


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


def _parted(
    works: Callable[[int], dict[str, Work]], counts: tuple[int, int], runs: int
) -> tuple[dict[str, Figures], str]:
    """The figures for the larger number of clients, and what of each is there whatever their number."""
    small, large = (interleaved(works(count), runs, warm_up=False) for count in counts)
    parts = []
    for name, found in large.items():
        each = (found.seconds - small[name].seconds) / (counts[1] - counts[0])
        fixed = max(0.0, small[name].seconds - each * counts[0])
        grows = f"{1000 * each:.2f} ms for each" if each > 0 else "nothing that can be seen for each"
        parts.append(f"{name} takes {fixed:.2f} s whatever their number, and {grows}")
    return large, "; ".join(parts)


def ansible(root: Path, sizes: Sizes, _findings: Findings) -> Iterator[Row]:
    """The `uri` module in a loop: a PUT for each client, changed or not."""
    with ExitStack() as servers:
        figures, parts = _parted(lambda count: _against_ansible(root / f"{count}", count, servers), (5, 10), sizes.few)
    note = f"a PUT for each client by ansible, which starts a process for it, none by ours; {parts}"
    yield Row("peers", "apply 10 unchanged", figures["ours"], figures["ansible"].seconds, "ansible uri", note=note)


def _against_ansible(root: Path, count: int, servers: ExitStack) -> dict[str, Work]:
    binaries = _python_peers()
    root.mkdir(parents=True)
    (root / "clients.json").write_text(json.dumps([{"id": one.pop("ID"), "body": one} for one in data.bodies(count)]))
    url = servers.enter_context(serving("--clients", count))
    (root / "play.yaml").write_text(_PLAYBOOK % {"url": url})
    words: list[str | Path] = [binaries / "ansible-playbook", "-i", "localhost,", "-c", "local", "play.yaml"]
    ours = Place.of(root / "ours", url, count).runs("apply", "--auto-approve")
    return {"ours": ours, "ansible": lambda: process(words, root, {"PATH": f"{binaries}:/usr/bin:/bin"})}


# ------------------------------------------------------------------------------------------------- auth0-deploy-cli


def auth0(root: Path, sizes: Sizes, _findings: Findings) -> Iterator[Row]:
    """`a0deploy import` of clients that its service has already, against a stand-in for that service."""
    with ExitStack() as servers:
        figures, parts = _parted(lambda count: _against_auth0(root / f"{count}", count, servers), (20, 100), sizes.few)
    note = f"a0deploy sends a PATCH for each unchanged client, ours sends no write; {parts}"
    yield Row("peers", "apply 100 unchanged", figures["ours"], figures["a0deploy"].seconds, "a0deploy", note=note)


def _against_auth0(root: Path, count: int, servers: ExitStack) -> dict[str, Work]:
    packages = _HOME / "node"
    _installed(f"{'+'.join(_NODE_PEERS)}.done", ["npm", "install", "--silent", "--prefix", str(packages), *_NODE_PEERS])
    root.mkdir(parents=True)
    text = json.dumps({"clients": [auth0_client(number) for number in range(count)]})
    (root / "tenant.yaml").write_text(text)
    domain = servers.enter_context(_auth0_stand_in(count, root / "ca.pem"))
    url = servers.enter_context(serving("--clients", count))
    settings = {"AUTH0_DOMAIN": domain, "AUTH0_ACCESS_TOKEN": "token", "AUTH0_INCLUDED_ONLY": ["clients"]}
    (root / "config.json").write_text(json.dumps(settings))
    binary = packages / "node_modules" / ".bin" / "a0deploy"
    words: list[str | Path] = [binary, "import", "--config_file", "config.json", "--input_file", "tenant.yaml"]
    ours = Place.of(root / "ours", url, count).runs("apply", "--auto-approve")
    return {"ours": ours, "a0deploy": lambda: process(words, root, {"NODE_EXTRA_CA_CERTS": str(root / "ca.pem")})}


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
    """`octodns-sync` without `--doit`, as many records from YAML to YAML: it parses as much, and works offline."""
    count = sizes.clients
    with ExitStack() as servers:
        figures, parts = _parted(
            lambda number: _against_octodns(root / f"{number}", number, servers), (count // 2, count), sizes.few
        )
    note = (
        "octoDNS reads one YAML file of records of one value each; ours reads as many files of 25 keys, and a service; "
    )
    yield Row(
        "peers",
        f"plan {count} unchanged",
        figures["ours"],
        figures["octoDNS"].seconds,
        "octoDNS",
        note=note + parts,
    )


def _against_octodns(root: Path, count: int, servers: ExitStack) -> dict[str, Work]:
    binaries = _python_peers()
    records = {f"r{number}": {"type": "TXT", "value": f"record {number}"} for number in range(count)}
    for side in ("source", "target"):
        (root / side).mkdir(parents=True)
        (root / side / "example.com.yaml").write_text(json.dumps(records))
    (root / "config.yaml").write_text(_OCTODNS)
    words: list[str | Path] = [binaries / "octodns-sync", "--config-file", "config.yaml", "--quiet"]
    url = servers.enter_context(serving("--clients", count))
    return {"ours": Place.of(root / "ours", url, count).runs("plan"), "octoDNS": lambda: process(words, root)}


PEERS: Final[tuple[Callable[[Path, Sizes, Findings], Iterator[Row]], ...]] = (library, ansible, octodns, auth0)
