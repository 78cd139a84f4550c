"""Every block of commands in the documentation is run, all of a page in one folder, one after the other.

A block that cannot run says so, with the reason, in a comment before it: ``<!-- not run: it needs a network -->``. What
must have happened before stands in ``<!-- before: reconciler plan --out plan.json -->``. A page whose blocks are for an
empty folder and a marketplace of one's own has ``<!-- blocks: your marketplace -->``, one whose blocks are a test of
their own ``<!-- blocks: tests/test_story.py -->``; those of all others run in a copy of ``docs/example``.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.emulator import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET, Emulator, Settings, running

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"(?:<!-- not run: ([^>]+?) -->\n)?```(?:sh|bash|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BEFORE = re.compile(r"<!-- before: ([^>]+?) -->")
ELSEWHERE = re.compile(r"<!-- blocks: (tests/\S+) -->")
OWN = "<!-- blocks: your marketplace -->"
PRELUDE = """
reconciler() {
  if [ "$1" = emulator ]; then command reconciler "$@"; return; fi
  local code=0
  "$PYTHON" -I -S "$PREFORK" "$SOCKET" "$@" || code=$?
  echo "$code reconciler $*" >> "$CODES"
  return $code
}
"""


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[tuple[str, str]]:
    """The reason why a block is not run, or nothing, and the block."""
    return [(found[1] or "", found[2]) for found in BLOCK.finditer(page.read_text(encoding="utf-8"))]


def runnable(page: Path) -> str:
    elsewhere = ELSEWHERE.search(page.read_text(encoding="utf-8"))
    if elsewhere:
        assert page.name in (ROOT / elsewhere[1]).read_text(encoding="utf-8")
        return ""
    return "".join(block for reason, block in blocks(page) if not reason)


@dataclass(frozen=True, slots=True)
class Playground:
    """A folder, and words of the page that stand for something else here."""

    folder: Path
    words: dict[str, str]


@pytest.fixture
def example(tmp_path: Path) -> Playground:
    """A copy of the example, as if it were where the page says."""
    shutil.copytree(
        ROOT / "docs" / "example", tmp_path / "docs" / "example", ignore=shutil.ignore_patterns(".reconciler")
    )
    shutil.copy(ROOT / "marketplace.yaml", tmp_path / "docs" / "example")
    return Playground(tmp_path / "docs" / "example", {"cd docs/example\n": ""})


@pytest.fixture
def marketplace(tmp_path: Path) -> Iterator[Playground]:
    """An empty folder, and the sample marketplace, which the pages tell new_objects to use, at an address."""
    with running(emulator := Emulator(Settings(seed=ROOT / "reconciler" / "emulator" / "sample.yaml"))) as url:
        words = {"https://useast-sandbox.ordercloud.io": url, "my-marketplace": "emulator"}
        yield Playground(tmp_path, words)
    emulator.close()


@pytest.mark.sample(1)
@pytest.mark.parametrize("page", [page for page in PAGES if runnable(page)], ids=name)
def test_the_commands_of_a_page_run(
    page: Path, tmp_path: Path, prefork: dict[str, str], request: pytest.FixtureRequest
) -> None:
    place = "marketplace" if OWN in page.read_text(encoding="utf-8") else "example"
    playground: Playground = request.getfixturevalue(place)
    script = "\n".join([*BEFORE.findall(page.read_text(encoding="utf-8")), runnable(page)])
    for word, other in playground.words.items():
        script = script.replace(word, other)
    codes = tmp_path / "codes.txt"
    own = {
        **prefork,
        "PYTHON": sys.executable,
        "CODES": str(codes),
        "RECONCILER_ENV": "staging" if place == "example" else "",
        "RECONCILER_PLAN_KEY": "a key for the documentation, long enough for any use",
        "OC_CLIENT_ID": ADMIN_CLIENT_ID,
        "OC_CLIENT_SECRET": ADMIN_CLIENT_SECRET,
        "PYTHONPATH": str(ROOT),
        "SSL_CERT_DIR": str(tmp_path),  # else each command loads all root certificates: 40 ms
    }
    done = subprocess.run(
        [shutil.which("bash") or "bash", "-c", PRELUDE + script],
        cwd=playground.folder,
        env=os.environ | own,
        capture_output=True,
        text=True,
        check=False,
    )
    bad = [line for line in codes.read_text().splitlines() if line.split()[0] not in {"0", "2"}]
    assert (bad, done.returncode in {0, 2}) == ([], True), done.stdout + done.stderr


def test_few_blocks_are_not_run_and_each_says_why() -> None:
    reasons = {f"{name(page)}: {reason}" for page in PAGES for reason, _ in blocks(page) if reason}
    assert all(len(reason) > len("README.md: ") for reason in reasons)
