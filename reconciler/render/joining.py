"""The documents of several environments in one format -> one document in it."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final, TypeAlias

from reconciler.model.json import digest
from reconciler.render import github as annotations
from reconciler.render import late, several
from reconciler.render.comment import (
    NOT_WHOLE,
    Entry,
    code,
    details,
    document,
    fenced,
    fitting,
    left_out,
    marker,
    source_of,
)
from reconciler.render.escape import json_text
from reconciler.render.groups import End, Group, Part, Planned, TextOf, groups, title
from reconciler.render.style import Style
from reconciler.render.titles import Noun, number


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
    return document(head, entries, (), _GROUPS, style).rstrip("\n") + "\n"


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
        "text": several.text,
        "json": several.document,
        "jsonl": one_after_the_other,
        "markdown": markdown,
        "html": late("html.several", "page"),
        "junit": junit,
        "sarif": sarif,
        "github": github,
    }
)
"""Name of a format -> what writes the plans, the drift or the results of several environments in it."""
PARTS: Final[Mapping[str, PartsWriter]] = MappingProxyType({"text": several.parts_text, "json": several.parts_document})
"""The same for any other document."""
