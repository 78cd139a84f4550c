"""The documents of several environments -> one. For people, environments with the same document are shown as one.

Each comes as the text that it has in the format of the whole, so that it reads the same alone and among others.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from reconciler.model.json import Json, digest
from reconciler.model.plan import Action, Change, Plan
from reconciler.render import comment, late
from reconciler.render import github as annotations
from reconciler.render.command import all_together
from reconciler.render.comment import (
    NOT_WHOLE,
    Entry,
    code,
    details,
    fenced,
    fitting,
    left_out,
    marker,
    source_of,
)
from reconciler.render.escape import escape, json_text
from reconciler.render.failure import failure
from reconciler.render.groups import End, Found_co, Group, Part, Planned, TextOf, groups, plan_of, title
from reconciler.render.json import error_of
from reconciler.render.style import Style, Tone, laid_out
from reconciler.render.wording import Noun, number

FORMAT_VERSION: Final = "1.0"


class State(StrEnum):
    """How one resource is in one environment, before anything is applied."""

    IN_STEP = "in-step"
    DIFFERS = "differs"
    MISSING = "missing"
    WOULD_BE_DELETED = "would-be-deleted"
    NOT_HERE = "not-here"
    """No manifest asks for it in this environment, or one asks for it to be absent, and it is."""
    UNKNOWN = "unknown"
    """There is no plan for this environment."""


Matrix: TypeAlias = Mapping[str, Mapping[str, State]]
"""Address -> environment -> state; sorted by address, environments in their order."""


_STATES: Final = {
    Action.CREATE: State.MISSING,
    Action.UPDATE: State.DIFFERS,
    Action.DELETE: State.WOULD_BE_DELETED,
    Action.NO_OP: State.IN_STEP,
}


def matrix(planned: Sequence[Planned]) -> Matrix:
    """How each resource that a manifest speaks of is in each environment. Unmanaged resources are left out."""
    known = {one.environment: _states(plan) for one in planned if (plan := plan_of(one))}
    addresses = sorted({address for states in known.values() for address in states})
    return {
        address: {one.environment: _state_in(known.get(one.environment), address) for one in planned}
        for address in addresses
    }


def _state_in(states: Mapping[str, State] | None, address: str) -> State:
    return State.UNKNOWN if states is None else states.get(address, State.NOT_HERE)


def _states(plan: Plan) -> dict[str, State]:
    return {str(change.address): _state(change) for change in plan.changes if change.action in _STATES}


def _state(change: Change) -> State:
    is_absent = change.action is Action.NO_OP and change.after is None
    return State.NOT_HERE if is_absent else _STATES[change.action]


# ---------------------------------------------------------------------------------------------------------------- text


def text(planned: Sequence[Planned], text_of: TextOf, style: Style) -> str:
    """Every document, or error in its place, under a heading; then the totals."""
    found = groups(planned)
    sections = "".join(_section(one, text_of, style) for one in found)
    return sections + _heading("all environments", style) + laid_out([f"{title(found)}.", *_together(style)], style)


def _together(style: Style) -> Iterator[str]:
    """How all of them are applied, where one command does that."""
    if how := all_together(style):
        yield from (how.words, f"    {how.copied}")


def _section(group: Group, text_of: TextOf, style: Style) -> str:
    names = [*map(escape, group.names)]
    heading = _heading(names[0] if len(names) == 1 else number(len(names), "environment"), style)
    note = group.note(names[0])
    lines = [", ".join(names), "", *([note, ""] if note else [])] if len(names) > 1 else []
    others = [f"    {copied}" for copied in group.others(style)]
    end = laid_out(["In the others:", *others], style) if others else ""
    return f"{heading}{laid_out(lines, style)}{_document_of(group.first, text_of, style)}{end}\n"


def parts_text(parts: Sequence[Part[object]], text_of: TextOf, style: Style) -> str:
    """Every document under a heading, its error below it; then how many environments are as they should be."""
    others = [escape(one.environment) for one in parts if one.code]
    counts = [f"{len(parts) - len(others)} ok", *([f"{len(others)} not: {', '.join(others)}"] if others else [])]
    sections = "".join(
        f"{_heading(escape(one.environment), style)}{_document_of(one, text_of, style)}\n" for one in parts
    )
    end = f"{number(len(parts), 'environment')}: {', '.join(counts)}."
    return sections + _heading("all environments", style) + laid_out([end], style)


def _heading(title: str, style: Style) -> str:
    return laid_out([style.paint(Tone.STRONG, f"=== {title} ==="), ""], style)


def _document_of(one: Part[Found_co], text_of: TextOf, style: Style) -> str:
    return ("" if one.found is None else text_of(one, style)) + (failure(one.error, style) if one.error else "")


# ---------------------------------------------------------------------------------------------------------------- JSON


def document(planned: Sequence[Planned], text_of: TextOf, style: Style) -> str:
    """The JSON document; each plan in it is the one that its environment gives alone. Results have no matrix."""
    cells: dict[str, Json] = {address: dict(row) for address, row in matrix(planned).items()}
    is_planned = all(one.noun in {"plan", "drift"} for one in planned)
    return json_text(_document(planned, text_of, style) | ({"matrix": cells} if is_planned else {}))


def parts_document(parts: Sequence[Part[object]], text_of: TextOf, style: Style) -> str:
    """The same without a matrix."""
    return json_text(_document(parts, text_of, style))


def _document(parts: Sequence[Part[Found_co]], text_of: TextOf, style: Style) -> dict[str, Json]:
    return {"format_version": FORMAT_VERSION, "environments": [_environment(one, text_of, style) for one in parts]}


def _environment(one: Part[Found_co], text_of: TextOf, style: Style) -> Json:
    found: dict[str, Json] = {} if one.found is None else {one.noun: json.loads(text_of(one, style))}
    return {"environment": one.environment, **found, **({"error": error_of(one.error)} if one.error else {})}


def one_after_the_other(planned: Sequence[Planned], text_of: TextOf, style: Style) -> str:
    """Formats made of lines that stand for themselves."""
    return "".join(_texts(planned, text_of, style))


def _texts(planned: Sequence[Planned], text_of: TextOf, style: Style) -> Iterator[str]:
    """The document of each, and its error where there are both."""
    for one in planned:
        yield text_of(one, style)
        if one.found and one.error:
            yield text_of(replace(one, found=None), style)


def github(planned: Sequence[Planned], text_of: TextOf, style: Style) -> str:
    """All annotations; GitHub counts those of a step, whatever environment they are of."""
    texts = _texts(planned, text_of, style)
    lines = (f"{line}\n" for text in texts for line in text.splitlines() if not line.startswith(annotations.NOT_ALL))
    return annotations.document(lines, "", style)


def sarif(planned: Sequence[Planned], text_of: TextOf, style: Style) -> str:
    """One log with a run for each environment, with ``automationDetails`` (3.17)."""
    logs = [json.loads(text_of(one, style)) for one in planned]
    runs = [
        run | {"automationDetails": {"id": f"{one.environment}/"}}
        for one, log in zip(planned, logs, strict=True)
        for run in log["runs"]
    ]
    first = logs[0] if logs else {"version": "2.1.0"}
    return json_text(first | {"runs": runs})


def junit(planned: Sequence[Planned], text_of: TextOf, style: Style) -> str:
    """One document with a suite for each environment."""
    from xml.etree.ElementTree import Element, fromstring, indent, tostring  # noqa: PLC0415  # seldom needed

    parts = [fromstring(text) for text in _texts(planned, text_of, style)]  # noqa: S314  # we have just written it
    counts = {name: str(sum(int(part.get(name, "0")) for part in parts)) for name in ("tests", "failures", "errors")}
    root = Element("testsuites", {"name": "reconciler", **counts})
    root.extend(suite for part in parts for suite in part)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def markdown(planned: Sequence[Planned], text_of: TextOf, style: Style) -> str:
    """A section for each group, as far as there is room for it, else a line."""
    found = sorted(groups(planned), key=lambda group: _FIRST.index(group.end))
    share = replace(style, room=max(style.room // (2 * max(len(found), 1)), _LEAST))
    texts = ["".join(_texts([one.first], text_of, share)) for one in found]
    cut = [
        one.first.environment for one, text in zip(found, texts, strict=True) if NOT_WHOLE in text.partition("##")[0]
    ]
    noun = planned[0].noun
    head = [
        marker(noun, _known_as([one.environment for one in planned])),
        *([f"{NOT_WHOLE}{', '.join(map(code, cut[:_FEW]))}**: see there.{source_of(style)}", ""] if cut else []),
        f"## {noun.capitalize()} of {title(found)}",
        "",
    ]
    entries = [_entry(one, text, style) for one, text in zip(found, texts, strict=True)]
    how = all_together(style)
    tail = ["", how.words, "", *fenced([how.copied], "sh")] if how else []
    return comment.document(head, entries, tail, _GROUPS, style).rstrip("\n") + "\n"


_FIRST: Final = (End.FAILED, End.CHANGED, End.SKIPPED, End.IN_STEP)

_LEAST: Final = 2_000
"""Characters that a group may have, however many there are."""
_FEW: Final = 10
_LONG: Final = 500
_GROUPS: Final = (Noun("group of environments", "groups of environments"),) * 2


def _known_as(names: Sequence[str]) -> str:
    """The environments in the marker of a comment."""
    text = ",".join(names)
    return text if len(text) <= _LONG else f"{len(names)}-environments-{digest(text)[:16]}"


def _entry(group: Group, text: str, style: Style) -> Entry:
    """A group in full, and in a line."""
    names = [code(name) for name in group.names]
    count = fitting([[name] for name in names], style.room // _FEW)
    shown = ", ".join([*names[:count], *([f"and {len(names) - count:,} more"] if count < len(names) else [])])
    many = number(len(names), "environment")
    others = [*group.others(style)]
    block = [
        f"### {shown if len(names) == 1 else f'{many}: {group.size}'}",
        "",
        *(details(many, [shown]) if len(names) > _FEW else [shown, ""] if len(names) > 1 else []),
        *([note, ""] if (note := group.note(names[0])) else []),
        *_demoted(text),
        *(_in_others(others, style) if others else []),
        "",
    ]
    line = f"- {shown if len(names) <= _FEW else many}: {group.size}"
    return Entry(tuple(block), line, group.end is not End.IN_STEP)


def _in_others(copied: Sequence[str], style: Style) -> list[str]:
    """What to type or to copy for the environments that are not shown."""
    count = fitting([[line] for line in copied], style.room // _FEW)
    return ["", "In the others:", "", *fenced(copied[:count], ""), *left_out(len(copied) - count, Noun("line"))]


def _demoted(text: str) -> Iterator[str]:
    """The lines of a document as a section of another: without its marker, its headings two levels lower."""
    for line in text.rstrip("\n").splitlines():
        if not line.startswith("<!-- reconciler:"):
            yield f"##{line}" if line.startswith("##") else line


SeveralWriter: TypeAlias = Callable[[Sequence[Planned], TextOf, Style], str]
PartsWriter: TypeAlias = Callable[[Sequence[Part[object]], TextOf, Style], str]

SEVERAL: Final[Mapping[str, SeveralWriter]] = MappingProxyType(
    {
        "text": text,
        "json": document,
        "jsonl": one_after_the_other,
        "markdown": markdown,
        "html": late("html", "of_several"),
        "junit": junit,
        "sarif": sarif,
        "github": github,
    }
)
"""Name of a format -> what writes the plans, the drift or the results of several environments in it."""
PARTS: Final[Mapping[str, PartsWriter]] = MappingProxyType({"text": parts_text, "json": parts_document})
"""The same for any other document."""
