"""What `init` has done -> text or JSON: each file, the environment that was added, the export, and what to run next."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from reconciler.render import export
from reconciler.render.edits import edits
from reconciler.render.escape import escape, joined, json_text
from reconciler.render.export import Exporting
from reconciler.render.style import Style

if TYPE_CHECKING:
    from reconciler.model.json import Json

FORMAT_VERSION: Final = "1.0"
_WIDTH: Final = 27


@dataclass(frozen=True, slots=True)
class File:
    """One file, written or kept as it was."""

    path: str
    written: bool
    advice: str = ""
    """What to do about a file that was kept."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command to run next."""

    command: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """What is shown."""

    files: Sequence[File] = ()
    edit: tuple[str, str, str] | None = None
    """The configuration that got an environment, and its text before and after."""
    exported: Exporting | None = None
    conditions: Sequence[str] = ()
    """What the commands need: a folder, variables."""
    commands: Sequence[Command] = ()


def text(started: Started, style: Style) -> str:
    """A line for each file, the new lines of the configuration, the export, and the commands to run next."""
    files = joined(map(_file, started.files)) if started.files else ""
    edit = edits(*started.edit, style) if started.edit else ""
    exported = f"\n{export.text(started.exported, style)}" if started.exported else ""
    return files + edit + exported + joined(_next(started))


def _file(file: File) -> str:
    if file.written:
        return f"written  {escape(file.path)}"
    return f"kept     {escape(file.path)} (already exists){f'; {file.advice}' if file.advice else ''}"


def _next(started: Started) -> Iterator[str]:
    if started.commands:
        yield ""
        yield f"{', '.join(['Next', *map(escape, started.conditions)])}:"
    for one in started.commands:
        comment = f" # {one.comment}" if one.comment else ""
        yield f"  {escape(one.command):<{_WIDTH if comment else 0}}{comment}"


def document(started: Started, style: Style) -> str:
    """The JSON document."""
    content: dict[str, Json] = {
        "format_version": FORMAT_VERSION,
        "files": [asdict(file) for file in started.files],
        "changed_files": [started.edit[0]] if started.edit else [],
        "export": json.loads(export.document(started.exported, style)) if started.exported else None,
        "next": [one.command for one in started.commands],
    }
    return json_text(content)


StartedWriter: TypeAlias = Callable[[Started, Style], str]
STARTS: Final[Mapping[str, StartedWriter]] = MappingProxyType({"text": text, "json": document})
"""Name of a format -> what writes it; the first is the default."""
