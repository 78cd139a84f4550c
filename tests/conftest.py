"""Hypothesis profiles: CI draws the same examples every time, so that a red run can be repeated. And no network."""

import gc
import os
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from math import ceil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import tests.network  # noqa: F401  # from here on nothing leaves this machine

_EXAMPLES = 50  # `make test` draws fewer; HYPOTHESIS_EXAMPLES=1000 looks longer
_OBJECTS_BETWEEN_COLLECTIONS = 200_000
_ALL_SWEEP = "\npytestmark = pytest.mark.sweep\n"
_COMMON = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", _EXAMPLES)),
)
settings.register_profile("ci", _COMMON, derandomize=True)
settings.register_profile("dev", _COMMON)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


os.environ.pop("COLUMNS", None)  # the workers of pytest-xdist have it, and texts would be as narrow as this terminal

for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:  # so it is in a job in the background, and beneath nohup
        signal.signal(number, usual)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import the modules of which `make test` runs nothing."""
    is_left_out = config.option.markexpr == "not sweep" and collection_path.name.startswith("test_")
    return True if is_left_out and _ALL_SWEEP in collection_path.read_text(encoding="utf-8") else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave to `make sweep` all cases of a test but the sample that its mark asks for, evenly spaced."""
    cases: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("sample"):
            cases[item.nodeid.partition("[")[0]].append(item)
    for some in cases.values():
        (count,) = next(some[0].iter_markers("sample")).args
        step = ceil(len(some) / count)
        for place, item in enumerate(some):
            if place % step:
                item.add_marker("sweep")


gc.disable()  # until all tests are collected


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what collecting has made: some hundred thousand objects that stay."""
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)


@pytest.fixture(scope="session")
def prefork() -> Iterator[dict[str, str]]:
    """Where shell scripts have commands run, see `tests/prefork.py`; as variables for them."""
    root = Path(__file__).parents[1]
    script = str(root / "tests" / "prefork.py")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "socket")
        command = [sys.executable, script, "--serve", path]
        environment = os.environ | {"PYTHONPATH": str(root)}
        with subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE) as server:
            assert server.stdout
            assert server.stdout.readline() == b"ready\n"
            yield {"PREFORK": script, "SOCKET": path}
            server.kill()
