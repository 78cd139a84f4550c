"""What an export or an import comes to -> text for people: each object, each changed line, and what is left out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from reconciler.model.export import Exported, Fate, LeftOut
from reconciler.render.escape import escape, joined
from reconciler.render.style import Style, Tone

_TONES: Final = {Fate.NEW: Tone.CREATE, Fate.CHANGED: Tone.UPDATE, Fate.SAME: Tone.QUIET, Fate.LEFT: Tone.ALARM}
_WIDTH: Final = max(map(len, Fate))


@dataclass(frozen=True, slots=True)
class Exporting:
    """What is shown."""

    source: str
    """Where the objects come from: the first line."""
    objects: Sequence[Exported]
    edits: Sequence[str] = ()
    """The changes of files that were there already, see `render.edits`: one for each file."""
    left_out: Sequence[LeftOut] = ()
    """What belongs to no object."""
    written: bool = False
    end: Sequence[str] = ()
    """What to know, and what to do next."""


def text(shown: Exporting, style: Style) -> str:
    """A line for each object that gets or changes a file, the changes as a diff, what is left out, the totals."""
    width = max((len(escape(str(one.address))) for one in shown.objects), default=0)
    lines = [_object(one, width, style) for one in shown.objects if one.fate is not Fate.SAME]
    diffs = [line for edit in shown.edits for line in edit.splitlines()]
    left = [*_left_out(shown, style)]
    blocks = [[escape(shown.source)], lines, diffs, left, [_totals(shown, style), *_end(shown)]]
    return joined(line for block in blocks if block for line in (*block, "")).removesuffix("\n")


def _object(one: Exported, width: int, style: Style) -> str:
    fate = style.paint(_TONES[one.fate], f"{one.fate:<{_WIDTH}}")
    where = escape(one.file) if one.file else f"{escape(one.title)}".strip()
    return f"{fate}  {escape(str(one.address)):<{width}}  {where}".rstrip()


def _left_out(shown: Exporting, style: Style) -> Iterator[str]:
    named = [(f"{one.address} {left.what}", left.reason) for one in shown.objects for left in one.left_out]
    named += [(left.what, left.reason) for left in shown.left_out]
    if named:
        yield style.paint(Tone.STRONG, "Left out:")
        yield from (f"    {escape(what)}: {escape(reason)}" for what, reason in named)


def _totals(shown: Exporting, style: Style) -> str:
    counts = {fate: sum(one.fate is fate for one in shown.objects) for fate in Fate}
    words = {Fate.NEW: "new", Fate.CHANGED: "changed", Fate.SAME: "in step already", Fate.LEFT: "left out"}
    told = ", ".join(f"{count} {words[fate]}" for fate, count in counts.items() if count)
    return f"{style.paint(Tone.STRONG, 'Manifests:')} {told or 'there is nothing to make any of'}."


def _end(shown: Exporting) -> Iterator[str]:
    files = len({one.file for one in shown.objects if one.fate is Fate.NEW}) + len(shown.edits)
    if not files:
        yield "There is nothing to write."
    elif shown.written:
        yield f"Written: {files} {'file' if files == 1 else 'files'}."
    else:
        yield f"Nothing was written. To write {'this file' if files == 1 else f'these {files} files'}, add --write."
    yield from map(escape, shown.end)
