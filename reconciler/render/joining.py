"""The documents of several environments in one format -> one document in it."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeAlias

from reconciler.render import github as annotations
from reconciler.render import late, several
from reconciler.render.comment import NOT_WHOLE, cell, code, document, marker, source_of
from reconciler.render.escape import json_text
from reconciler.render.several import Part, Planned, State, matrix, verdict
from reconciler.render.style import Style
from reconciler.render.titles import Noun, number


def one_after_the_other(planned: Sequence[Planned], _style: Style) -> str:
    """Formats made of lines that stand for themselves."""
    return "".join(one.text for one in planned)


def github(planned: Sequence[Planned], style: Style) -> str:
    """All annotations; GitHub counts those of a step, whatever environment they are of."""
    lines = (
        f"{line}\n" for one in planned for line in one.text.splitlines() if not line.startswith(annotations.NOT_ALL)
    )
    return annotations.document(lines, "", style)


def sarif(planned: Sequence[Planned], _style: Style) -> str:
    """One log with a run for each environment, with ``automationDetails`` (3.17)."""
    logs = [json.loads(one.text) for one in planned]
    runs = [
        run | {"automationDetails": {"id": f"{one.environment}/"}}
        for one, log in zip(planned, logs, strict=True)
        for run in log["runs"]
    ]
    first = logs[0] if logs else {"version": "2.1.0"}
    return json_text(first | {"runs": runs})


def junit(planned: Sequence[Planned], _style: Style) -> str:
    """One document with a suite for each environment."""
    from xml.etree.ElementTree import Element, fromstring, indent, tostring  # noqa: PLC0415  # seldom needed

    parts = [fromstring(one.text) for one in planned]  # noqa: S314  # we have just written it
    counts = {
        name: str(sum(int(part.get(name, "0")) for part in parts))
        for name in ("tests", "failures", "errors", "skipped")
    }
    root = Element("testsuites", {"name": "reconciler", **counts})
    root.extend(suite for part in parts for suite in part)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def markdown(planned: Sequence[Planned], style: Style) -> str:
    """A matrix, as far as there is room for it, and each document."""
    noun = planned[0].noun if planned else "plan"
    names = [one.environment for one in planned]
    cut = [one.environment for one in planned if NOT_WHOLE in one.text.partition("##")[0]]
    head = [
        marker(noun, ",".join(names)),
        *([f"{NOT_WHOLE}{', '.join(map(code, cut))}**: see there.{source_of(style)}", ""] if cut else []),
        f"## {noun.capitalize()} of {number(len(planned), 'environment')}: {verdict(planned)}",
        "",
        f"| | {' | '.join(map(cell, names))} |",
        f"|---|{'---|' * len(names)}",
    ]
    rows = [
        f"| {cell(address)} | {' | '.join(map(_word, states.values()))} |"
        for address, states in matrix(planned).items()
    ]
    sections = [line for one in planned for line in ("", f"### {code(one.environment)}", "", *_demoted(one.text))]
    room = max(style.room - sum(len(line) + 1 for line in [*head, *sections]) - 200, 0)
    return document(head + list(_fitting(rows, room)), (), sections, (Noun(""), Noun("")), style)


def _fitting(rows: Sequence[str], room: int) -> Iterator[str]:
    """As many rows as there is room for, and how many there are besides."""
    for count, row in enumerate(rows):
        room -= len(row) + 1
        if room < 0:
            yield f"| **and {len(rows) - count:,} more, for which there is no room here** |"
            return
        yield row


def _word(state: State) -> str:
    words = state.value.replace("-", " ")
    return words if state in {State.IN_STEP, State.NOT_HERE} else f"**{words}**"


def _demoted(text: str) -> Iterator[str]:
    """The lines of a document as a section of another: without its marker, its headings two levels lower."""
    for line in text.splitlines():
        if not line.startswith("<!-- reconciler:"):
            yield f"##{line}" if line.startswith("##") else line


SeveralWriter: TypeAlias = Callable[[Sequence[Planned], Style], str]
PartsWriter: TypeAlias = Callable[[Sequence[Part[object]], Style], str]

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
"""Name of a format -> what writes the plans or the drift of several environments in it."""
PARTS: Final[Mapping[str, PartsWriter]] = MappingProxyType({"text": several.parts_text, "json": several.parts_document})
"""The same for any other document."""
