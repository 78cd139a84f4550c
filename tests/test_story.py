"""docs/story.md, run: its files are written, its commands given, and what it shows must be what happens."""

import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.cli.main import main
from reconciler.emulator import Emulator, Settings, running
from tests.test_docs import FENCE, ROOT

STORY = ROOT / "docs" / "story.md"
URL = "http://127.0.0.1:8080"
ELIDED = "..."
IDENTITY = {f"GIT_{who}_{what}": "t@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@dataclass(frozen=True, slots=True)
class Command:
    """One line after a prompt, and what is shown below it."""

    words: str
    code: int
    shown: tuple[str, ...]


def commands(block: str) -> Iterator[Command]:
    """Part a block into its commands."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        line, *shown = part.splitlines()
        words, _, code = line.partition("    # exit code ")
        yield Command(words, int(code or 0), tuple(shown))


class Terminal:
    """Gives commands as a person would: ours in this process, over a socket; the others in a shell."""

    def __init__(self, folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.url = url
        self.patch = monkeypatch
        monkeypatch.chdir(folder)

    def write(self, block: str) -> None:
        """Write a block as the file that its first line names."""
        first, _, text = block.partition("\n")
        path = self.folder / first.removeprefix("# ")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace(URL, self.url), encoding="utf-8")

    def give(self, command: Command) -> tuple[int, str]:
        """Give one command; its code, and what it wrote to either stream."""
        name, *words = shlex.split(command.words)
        if name == "export":
            self.patch.setenv(*words[0].split("=", 1))
        elif name == "cd":
            self.patch.chdir(words[0])
        elif name == "reconciler":
            return self._ours(words)
        else:
            text = command.words.replace("python3", shlex.quote(sys.executable))
            done = subprocess.run(text, shell=True, check=False, capture_output=True, text=True)  # noqa: S602  # of our page
            return done.returncode, done.stdout + done.stderr
        return 0, ""

    def _ours(self, words: list[str]) -> tuple[int, str]:
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(out):
            code = main(words)
        return code, out.getvalue()


def is_shown(shown: tuple[str, ...], lines: list[str]) -> bool:
    """Whether lines are what is shown, where ``...`` stands for any."""
    pattern = "".join("(?:.*\n)*" if line == ELIDED else f"{re.escape(line)}\n" for line in shown if line.strip())
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in lines if line.strip())) is not None


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    seed = next(block for _, block in FENCE.findall(STORY.read_text("utf-8")) if block.startswith("# marketplace"))
    (tmp_path / "marketplace.yaml").write_text(seed, encoding="utf-8")
    for name in [name for name in os.environ if name.startswith(("RECONCILER_", "OC_", "GITHUB_", "GIT_"))]:
        monkeypatch.delenv(name)
    for name, value in {**IDENTITY, "NO_COLOR": "1", "GIT_CONFIG_GLOBAL": os.devnull}.items():
        monkeypatch.setenv(name, value)
    with closing(Emulator(Settings(seed=tmp_path / "marketplace.yaml"))) as emulator, running(emulator) as url:
        yield Terminal(tmp_path, url, monkeypatch)


def test_the_story_happens_as_it_is_told(terminal: Terminal) -> None:
    told = 0
    for language, block in FENCE.findall(STORY.read_text(encoding="utf-8")):
        if language in {"yaml", "python"}:
            terminal.write(block)
        for command in commands(block) if language == "console" else ():
            code, text = terminal.give(command)
            assert code == command.code, f"{command.words}\n{text}"
            assert is_shown(command.shown, text.splitlines()), f"{command.words}\n{text}"
            told += 1
    assert told > 30
