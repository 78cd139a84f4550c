"""What `export`, `import` and `init` write -> text or JSON: each object, each changed file, and what to run next."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from difflib import unified_diff
from types import MappingProxyType
from typing import Final

from reconciler.model.dataclass import dataclass
from reconciler.model.json import Json
from reconciler.model.reports import Exported, ExportStatus, LeftOut
from reconciler.render.escape import escape, joined, json_document
from reconciler.render.style import Style, Tone, Writers, laid_out
from reconciler.render.wording import number

_CONTEXT: Final = 1
"""Unchanged lines around a change."""
_EDIT_TONES: Final = {"+": Tone.CREATE, "-": Tone.DELETE, "@": Tone.QUIET}


def edits(file: str, before: str, after: str, style: Style) -> str:
    """The difference; line ends and other characters that do not show are escaped."""
    return joined(_lines(file, before, after, style))


def _lines(file: str, before: str, after: str, style: Style) -> Iterator[str]:
    found = unified_diff(before.splitlines(), after.splitlines(), file, file, n=_CONTEXT, lineterm="")
    for line in found:
        tone = _EDIT_TONES.get(line[:1])
        yield style.paint(tone, escape(line)) if tone else escape(line)


_TONES: Final = {ExportStatus.NEW: Tone.CREATE, ExportStatus.CHANGED: Tone.UPDATE}
_WIDTH: Final = max(map(len, _TONES))


@dataclass(frozen=True, slots=True)
class Exporting:
    """What is shown."""

    source: str
    """Where the objects come from: the first line."""
    objects: Sequence[Exported]
    edits: Sequence[tuple[str, str, str]] = ()
    """The files that were there already and change, each with its text before and after."""
    left_out: Sequence[LeftOut] = ()
    """What belongs to no object."""
    written: bool = False
    end: Sequence[str] = ()
    """What to know, and what to do next."""


def text(shown: Exporting, style: Style) -> str:
    """A line for each object that gets or changes a file, the changes as a diff, what is left out, the totals."""
    filed = [one for one in shown.objects if one.status in {ExportStatus.NEW, ExportStatus.CHANGED}]
    width = max((len(escape(str(one.address))) for one in filed), default=0)
    lines = [_object(one, width, style) for one in filed]
    diffs = [line for edit in shown.edits for line in edits(*edit, style).splitlines()]
    left = [*_left_out(shown, style)]
    blocks = [[escape(shown.source)], lines, diffs, left, [_totals(shown, style), *_end(shown)]]
    return laid_out((line for block in blocks if block for line in (*block, "")), style).removesuffix("\n")


def _object(one: Exported, width: int, style: Style) -> str:
    status = style.paint(_TONES[one.status], f"{one.status:<{_WIDTH}}")
    return f"{status}  {escape(str(one.address)):<{width}}  {escape(one.file)}"


def _left_out(shown: Exporting, style: Style) -> Iterator[str]:
    named = [(f"{_called(one)} {left.what}", left.reason) for one in shown.objects for left in one.left_out]
    named += [(left.what, left.reason) for left in shown.left_out]
    if named:
        yield style.paint(Tone.STRONG, "Left out:")
        yield from (f"    {escape(what)}: {escape(reason)}" for what, reason in named)


def _called(one: Exported) -> str:
    """The address, and the name that people know the object by where the address has only its id."""
    return f'{one.address} "{one.title}"' if one.status is ExportStatus.LEFT and one.title else str(one.address)


def _totals(shown: Exporting, style: Style) -> str:
    counts = {status: sum(one.status is status for one in shown.objects) for status in ExportStatus}
    words = {
        ExportStatus.NEW: "new",
        ExportStatus.CHANGED: "changed",
        ExportStatus.SAME: "in step already",
        ExportStatus.LEFT: "left out",
    }
    told = ", ".join(f"{count:,} {words[status]}" for status, count in counts.items() if count)
    return f"{style.paint(Tone.STRONG, 'Manifests:')} {told or 'there is nothing to make any of'}."


def _end(shown: Exporting) -> Iterator[str]:
    files = len({one.file for one in shown.objects if one.status is ExportStatus.NEW}) + len(shown.edits)
    if not files:
        yield "There is nothing to write."
    elif shown.written:
        yield f"Written: {number(files, 'file')}."
    else:
        yield f"Nothing was written. To write {'this file' if files == 1 else f'these {files:,} files'}, add --write."
    yield from map(escape, shown.end)


def document(shown: Exporting, _style: Style) -> str:
    """The JSON document."""
    return json_document(
        source=shown.source,
        written=shown.written,
        objects=[_exported(one) for one in shown.objects],
        changed_files=[file for file, _, _ in shown.edits],
        left_out=[asdict(one) for one in shown.left_out],
    )


def _exported(one: Exported) -> Json:
    return {
        "address": str(one.address),
        "title": one.title,
        "fate": one.status.value,
        "file": one.file,
        "left_out": [asdict(left) for left in one.left_out],
    }


EXPORTS: Final[Writers[Exporting]] = MappingProxyType({"text": text, "json": document})


_COMMAND_WIDTH: Final = 27


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
    edits: Sequence[tuple[str, str, str]] = ()
    """The files that got an environment or its variables, each with its text before and after."""
    exported: Exporting | None = None
    conditions: Sequence[str] = ()
    """What the commands need: a folder, variables."""
    commands: Sequence[Command] = ()
    notes: Sequence[str] = ()
    """What to know besides."""


def init_text(started: Started, style: Style) -> str:
    """A line for each file, the new lines of the configuration, the export, and the commands to run next."""
    files = joined(map(_file, started.files)) if started.files else ""
    changed = "".join(edits(*one, style) for one in started.edits)
    exported = f"\n{text(started.exported, style)}" if started.exported else ""
    return files + changed + exported + joined(_next_steps(started))


def _file(file: File) -> str:
    if file.written:
        return f"written  {escape(file.path)}"
    return f"kept     {escape(file.path)} (already exists){f'; {file.advice}' if file.advice else ''}"


def _next_steps(started: Started) -> Iterator[str]:
    if started.commands:
        yield ""
        yield f"{', '.join(['Next', *map(escape, started.conditions)])}:"
    for one in started.commands:
        comment = f" # {one.comment}" if one.comment else ""
        yield f"  {escape(one.command):<{_COMMAND_WIDTH if comment else 0}}{comment}"
    if started.notes:
        yield ""
        yield from map(escape, started.notes)


def init_document(started: Started, style: Style) -> str:
    """The JSON document."""
    return json_document(
        files=[asdict(file) for file in started.files],
        changed_files=[file for file, _, _ in started.edits],
        export=json.loads(document(started.exported, style)) if started.exported else None,
        next=[one.command for one in started.commands],
        notes=list(started.notes),
    )


STARTS: Final[Writers[Started]] = MappingProxyType({"text": init_text, "json": init_document})
