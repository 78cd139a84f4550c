"""Pages that tell a story, run: their files are written, their commands given, and what they show must happen.

A marketplace of a page is a line `reconciler emulator --port PORT --seed FILE`, perhaps with `--marketplace ID`.
"""

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.cli.main import main
from reconciler.emulator import Emulator, Settings, running
from tests.test_docs import FENCE, ROOT

STORIES = {
    ROOT / "docs" / "story.md": 30,
    ROOT / "docs" / "several-repositories.md": 6,
    ROOT / "docs" / "three-environments.md": 25,
}
"""Page -> how many commands it tells of, at least."""
MARKETPLACE = re.compile(r"^reconciler emulator --port (\d+) --seed (\S+)(?: --marketplace (\S+))?$", re.MULTILINE)
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

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.urls: dict[str, str] = {}
        """As the page has them -> as they are."""
        self.patch = monkeypatch
        monkeypatch.chdir(folder)

    def write(self, block: str) -> None:
        """Write a block as the file that its first line names."""
        first, _, text = block.partition("\n")
        path = self.folder / first.removeprefix("# ")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._here(text), encoding="utf-8")

    def _here(self, text: str) -> str:
        for told, url in self.urls.items():
            text = text.replace(told, url)
        return text

    def _told(self, text: str) -> str:
        for told, url in self.urls.items():
            text = text.replace(url, told)
        return text

    def give(self, command: Command) -> tuple[int, str]:
        """Give one command; its code, and what it wrote to either stream."""
        name, *words = shlex.split(self._here(command.words))
        if name == "export":
            self.patch.setenv(*words[0].split("=", 1))
        elif name == "cd":
            self.patch.chdir(words[0])
        elif name == "reconciler":
            return self._ours(words)
        else:
            text = self._here(command.words).replace("python3", shlex.quote(sys.executable))
            done = subprocess.run(text, shell=True, check=False, capture_output=True, text=True)  # noqa: S602  # of our page
            return done.returncode, done.stdout + done.stderr
        return 0, ""

    def _ours(self, words: list[str]) -> tuple[int, str]:
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(out):
            code = main(words)
        return code, self._told(out.getvalue())


def is_shown(shown: tuple[str, ...], lines: list[str]) -> bool:
    """Whether lines are what is shown, where ``...`` stands for any."""
    pattern = "".join("(?:.*\n)*" if line == ELIDED else f"{re.escape(line)}\n" for line in shown if line.strip())
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in lines if line.strip())) is not None


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name in [name for name in os.environ if name.startswith(("RECONCILER_", "OC_", "GITHUB_", "GIT_"))]:
        monkeypatch.delenv(name)
    for name, value in {**IDENTITY, "NO_COLOR": "1", "GIT_CONFIG_GLOBAL": os.devnull}.items():
        monkeypatch.setenv(name, value)
    shutil.copy(ROOT / "demo" / "portal.py", tmp_path)
    return Terminal(tmp_path, monkeypatch)


def serve(block: str, terminal: Terminal, opened: ExitStack) -> None:
    """Start the marketplaces of a block."""
    for port, seed, marketplace in MARKETPLACE.findall(block):
        settings = Settings(seed=terminal.folder / seed, marketplace=marketplace or "emulator")
        emulator = opened.enter_context(closing(Emulator(settings)))
        terminal.urls[f"http://127.0.0.1:{port}"] = opened.enter_context(running(emulator))


@pytest.mark.sample(1)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.stem)
def test_the_story_happens_as_it_is_told(story: Path, terminal: Terminal) -> None:
    told, blocks = 0, FENCE.findall(story.read_text(encoding="utf-8"))
    seeds = {seed for _, block in blocks for _, seed, _ in MARKETPLACE.findall(block)}
    with ExitStack() as opened:
        for _, block in blocks:
            if block.partition("\n")[0].removeprefix("# ") in seeds:
                terminal.write(block)
        for _, block in blocks:
            serve(block, terminal, opened)
        for language, block in blocks:
            if language in {"yaml", "python"}:
                terminal.write(block)
            for command in commands(block) if language == "console" else ():
                code, text = terminal.give(command)
                assert code == command.code, f"{command.words}\n{text}"
                assert is_shown(command.shown, text.splitlines()), f"{command.words}\n{text}"
                told += 1
    assert told > STORIES[story]
