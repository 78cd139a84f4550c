"""The path of a key -> its description, from the schema, offline."""

from collections.abc import Iterator
from textwrap import TextWrapper
from typing import Final

import click

from reconciler.cli.exit import ExitCode
from reconciler.cli.options import completed_from, output_options, text
from reconciler.cli.outputs import Outputs, outputs_option
from reconciler.manifests.explain import Key, contents, explain
from reconciler.model.json import Json
from reconciler.render.escape import joined, json_document

_WIDTH: Final = 100
"""The width if neither the terminal nor COLUMNS gives one."""


@click.command(
    "explain",
    epilog="""
\b
Examples:
  reconciler explain                                      # the kinds
  reconciler explain ApiClient                            # the keys of a manifest
  reconciler explain ApiClient.spec.AccessTokenDuration
  reconciler explain config.environments.NAME.limits
  reconciler explain ApiClient --format json | jq '.keys[].path'

Exit codes: 0 done; 64 unknown key: the closest one is suggested.
""",
)
@click.argument("path", type=text, metavar="[PATH]", required=False, shell_complete=completed_from("keys"))
@outputs_option("explain", ["text", "json"])
@output_options
def command(path: str | None, *, outputs: Outputs) -> ExitCode:
    """Explain a key of manifests or of the configuration: type, range, unit, default, meaning and source.

    Without PATH, list the kinds.
    """
    entry = explain(path) if path else contents()
    document = json_document(**_document(entry))
    outputs.write(lambda name, style: document if name == "json" else joined(_lines(entry, style.width or _WIDTH)))
    return ExitCode.DONE


def _document(entry: Key) -> dict[str, Json]:
    """A key with all keys below it."""
    return {
        "path": entry.path,
        "meaning": entry.meaning,
        "type": entry.type or None,
        "range": entry.limits or None,
        "values": list(entry.values),
        "required": entry.is_required,
        "default": entry.default or None,
        "examples": list(entry.examples),
        "source": entry.source or None,
        "takes_values": entry.takes_values,
        "keys": [_document(child) for child in entry.children],
    }


def _lines(entry: Key, columns: int) -> Iterator[str]:
    if entry.path:
        yield from (entry.path, "")
    yield from _wrapped(entry.meaning, columns)
    facts = [] if not entry.path else [(name, value) for name, value in _facts(entry) if value]
    if facts:
        yield ""
    for name, value in facts:
        yield from _wrapped(value, columns, f"  {name:<9}")
    if entry.children:
        longest = max(len(child.name) for child in entry.children)
        yield ""
        for child in entry.children:
            yield from _wrapped(child.summary, columns, f"  {child.name:<{longest}}  ")


def _wrapped(value: str, columns: int, start: str = "") -> list[str]:
    """Lines of whole words, indented by the length of `start`."""
    indent = " " * len(start)
    wrapper = TextWrapper(columns, start, indent, break_long_words=False, break_on_hyphens=False)
    return wrapper.wrap(value)


def _facts(entry: Key) -> Iterator[tuple[str, str]]:
    yield "Type", f"{entry.type}, or ${{values.KEY}}" if entry.takes_values else entry.type or "cannot be set"
    yield "Range", entry.limits
    yield "One of", ", ".join(entry.values)
    yield "Required", "yes" if entry.is_required else ""
    yield "Default", entry.default
    yield "Example", "  ".join(entry.examples)
    yield "Source", f"OrderCloud: {entry.source}" if entry.source else ""
