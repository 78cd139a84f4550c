"""No command does more than twice the work for twice the manifests, objects, environments or freeze windows.

All calls are counted, those of functions in C and of other threads included: the same work makes as many, however slow
the machine is. Of three sizes that are equally far apart, the second step may cost hardly more than the first.
"""

import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import FrameType

import pytest

from reconciler.cli.main import main
from reconciler.model.json import Json
from tests.service import client_id

SIZES = (1, 5, 9)
ENVIRONMENTS = (1, 3, 5)
STEP = 1.05
STEP_OF_ENVIRONMENTS = 1.2
"""How much more the second step may cost: sorting does, and each environment knows what the others deliver."""

COMMANDS = (
    "validate",
    "plan --out plan.json",
    "show plan.json",
    "show plan.json --format json",
    "apply plan.json --auto-approve",
    "history",
    "history show last",
    "history verify",
    "secrets status",
    "rollback last --only ApiClient/c* --auto-approve",
    "show --resolved",
    "show --resolved --format json",
    "drift --format html",
    "snapshot --out snapshot.json",
    "plan --from-snapshot snapshot.json --format markdown",
    "doctor",
    "adopt --write",
    "export --out exported",
    "import seed.json",
    "drift --write-back",
    "export --write --into-overlay test",
)
OF_SEVERAL = ("validate", "plan --env-all", "drift --env-all", "doctor --env-all", "environments")

MANIFESTS = """apiVersion: reconciler/v1
kind: ApiClient
metadata: {{name: c{n}}}
spec:
  AppName: c{n}
  AccessTokenDuration: ${{values.m{n}}}
  OrderCheckoutIntegrationEventID: {{ref: e{n}}}
assignments: {{buyers: [b{n}]}}
---
apiVersion: reconciler/v1
kind: ApiClient
metadata: {{name: new{n}}}
spec: {{AppName: {word} new, AccessTokenDuration: 60}}
secrets: [{{name: primary, deliver: [{{file: "../secrets/${{marketplace}}/new{n}"}}]}}]
---
apiVersion: reconciler/v1
kind: IntegrationEvent
metadata: {{name: e{n}}}
spec:
  Name: E{n}
  EventType: OrderCheckout
  CustomImplementationUrl: https://middleware.example
  HashKey: {{fromEnv: HASH_KEY}}
---
apiVersion: reconciler/v1
kind: SecurityProfile
metadata: {{name: s{n}}}
spec: {{Name: S{n}, Roles: [Shopper]}}
assignments: {{buyers: [b{n}]}}
"""
OVERLAY = "apiVersion: reconciler/v1\nkind: ApiClient\nmetadata: {{name: c{n}}}\nspec: {{xp: {{more: {n}}}}}\n"


def word(number: int) -> str:
    """A name like no other."""
    return f"{number * 2654435761 % 2**32:08x}"


def write(folder: Path, size: int, environments: int = 1) -> None:
    """So many manifests of each sort, all out of step, and as many live clients that no manifest names."""
    bound: list[Json] = [{"ID": client_id(n), "AppName": f"c{n}", "AccessTokenDuration": 60} for n in range(size)]
    others: list[Json] = [
        {"ID": client_id(n + 0x1000), "AppName": f"{word(n)} old", "AccessTokenDuration": 60} for n in range(size)
    ]
    seed: Json = {
        "ApiClients": [*bound, *others],
        "Buyers": [{"ID": f"b{n}", "Name": f"b{n}", "Active": True} for n in range(size)],
        "SecurityProfiles": [{"ID": f"s{n}", "Name": f"s{n}", "Roles": ["Shopper"]} for n in range(size)],
    }
    for name in ("manifests", "overlays"):
        (folder / name).mkdir(parents=True)
    (folder / "seed.json").write_text(json.dumps({"Objects": seed}))
    for n in range(size):
        (folder / "manifests" / f"c{n}.yaml").write_text(MANIFESTS.format(n=n, word=word(n)))
    configured: dict[str, Json] = {}
    for number in range(environments):
        name = f"test{number or ''}"
        (folder / f"{name}.yaml").write_text("".join(f"c{n}: {client_id(n)}\n" for n in range(size)))
        (folder / "overlays" / f"{name}.yaml").write_text("---\n".join(OVERLAY.format(n=n) for n in range(size)))
        configured[name] = environment(name, size)
    configuration = {"apiVersion": "reconciler/v1", "kind": "Config", "manifests": ["manifests/"]}
    (folder / "reconciler.yaml").write_text(json.dumps({**configuration, "environments": configured}))


def environment(name: str, size: int) -> Json:
    return {
        "emulator": {"seed": "seed.json", "state": f"{name}.db"},
        "marketplace": name,
        "ids": {"file": f"{name}.yaml"},
        "overlays": [f"overlays/{name}.yaml"],
        "values": {f"m{n}": 61 for n in range(size)},
        "secrets": {"allow": ["HASH_KEY"]},
        "limits": {"deletes": None},
        "protected": [f"none{n}" for n in range(size)],
        "freeze": [{"from": f"{2000 + n}-01-01", "to": f"{2000 + n}-01-03"} for n in range(size)],
    }


@contextmanager
def counting() -> Iterator[Callable[[], int]]:
    """Count all calls of this thread and of those that it starts."""
    calls = count()

    def note(_frame: FrameType, event: str, _: object) -> None:
        if event in {"call", "c_call"}:
            next(calls)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield calls.__next__
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def walk(commands: tuple[str, ...]) -> Mapping[str, int]:
    """The calls that each of these commands makes, one after another."""
    found = {}
    for command in commands:
        with counting() as calls:
            code = main(command.split())
        assert code in {0, 2}, command
        found[command] = calls()
    return found


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[int, ...]]:
    """The calls of each command for each size; the first walk, for what is made once, does not count."""
    folder = tmp_path_factory.mktemp("growth")
    of_sizes, of_environments = [], []
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CI", "RECONCILER_ENV", "RECONCILER_PLAN_KEY", "RECONCILER_ACK"):
            patch.delenv(name, raising=False)
        patch.setenv("HASH_KEY", "k" * 20)
        for number, size in enumerate((1, *SIZES)):
            write(folder / f"sizes{number}", size)
            patch.chdir(folder / f"sizes{number}")
            of_sizes.append(walk(COMMANDS))
        for number, environments in enumerate((2, *ENVIRONMENTS)):
            write(folder / f"environments{number}", 1, environments)
            patch.chdir(folder / f"environments{number}")
            of_environments.append(walk(OF_SEVERAL))
    found = {command: tuple(one[command] for one in of_sizes[1:]) for command in COMMANDS}
    several = {f"{command}, environments": tuple(one[command] for one in of_environments[1:]) for command in OF_SEVERAL}
    return {**found, **several}


@pytest.mark.sweep
@pytest.mark.parametrize("command", [*COMMANDS, *(f"{command}, environments" for command in OF_SEVERAL)])
def test_the_work_of_a_command_grows_no_faster_than_what_it_works_on(
    measured: Mapping[str, tuple[int, ...]], command: str
) -> None:
    small, medium, large = measured[command]
    step = STEP_OF_ENVIRONMENTS if command.endswith("environments") else STEP
    assert large - medium <= step * (medium - small)
