"""Generate pages and files from the program. `make docs` writes them; a test compares them.

docs/cli.md                 every command, from the command line's own definitions
docs/manifest-reference.md  every key of a manifest, from the JSON Schema
docs/configuration-reference.md  the same for reconciler.yaml
schemas/*.schema.json       the schemas of manifests, from the tables of the kinds
docs/plan.svg               a plan of this repository's own manifests, as a terminal shows it
ci/github/*.yml             the workflows that `reconciler init` writes, for an environment called staging
"""

import contextlib
import os
import re
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

import click

from reconciler.cli.main import COMMANDS, cli
from reconciler.export import init as scaffold
from reconciler.kinds import DEFAULT_KIND, KINDS
from reconciler.kinds.fields import API_ROLES
from reconciler.manifests.explain import Key, everything, explain, manual
from reconciler.manifests.rules import RULES
from reconciler.planning.planfile import changes_digest
from reconciler.project import Settings
from reconciler.project.session import Session
from reconciler.render import FORMATS
from reconciler.render.style import Style
from tools.schemas import schemas

ROOT: Final = Path(__file__).parents[1]
_MADE: Final = "<!-- Made by `make docs`; changes here are lost. -->\n\n"
_SHARED: Final = ("--config", "--env", "--quiet", "--verbose", "--help")
_ABOUT_COMMANDS: Final = """\
What `reconciler COMMAND --help` says, on one page. Every option is long and exact; an option or a command that does not
exist ends the run with exit code 64, and nothing is contacted. The codes of all commands are in
[Exit codes](exit-codes.md).

"""
_ABOUT_MANIFESTS: Final = """\
Every key of a manifest: first what all kinds have in common, then what each has of its own. How the parts work together
is in [Manifests](manifest.md). `reconciler explain ApiClient.spec.Active` says the same on a terminal, with examples.
"""

_ABOUT_CONFIGURATION: Final = """\
Every key of `reconciler.yaml`. How the parts work together is in [Configuration](configuration.md).
`reconciler explain config.environments.NAME.limits` says the same on a terminal, with examples.
"""

_ABOUT_RULES: Final = """\
What `rules` can name. [Rules](rules.md) explains what they look at.
"""

# -- commands --

_VARIABLES: Final = (
    ("RECONCILER_ENV", "The environment, where `--env` names none."),
    ("RECONCILER_ACK", "What `--ack` accepts, where the option is not given."),
    ("RECONCILER_PLAN_KEY", "Signs saved plans and keys the fingerprints in them; see [Plan files](plan-file.md)."),
    (
        "RECONCILER_ALLOWED_HOSTS",
        "Hosts that credentials may be sent to, separated by commas; see [Hosts](configuration.md#hosts).",
    ),
    (
        "RECONCILER_COMMITS",
        "A file with the commits of the manifests, where there is no git; see [Plan files](plan-file.md).",
    ),
    ("RECONCILER_DEBUG", "As `--verbose`, for internal errors."),
    ("NO_COLOR, CI, TERM=dumb", "No colour."),
)


def commands_page() -> str:
    """Every command with its synopsis, options, examples and exit codes."""
    parts = [
        _MADE,
        "# Commands\n\n",
        _ABOUT_COMMANDS,
        *(f"- [{name}](#reconciler-{name.replace(' ', '-')}): {_first_lower(text)}\n" for name, text in _overview()),
        "\n## For every command\n\n",
        *_options(cli, hidden=()),
        "\n| Variable | |\n|---|---|\n",
        *(f"| `{name}` | {text} |\n" for name, text in _VARIABLES),
    ]
    parts += [part for name, command in _commands() for part in _command(name, command)]
    return "".join(parts)


def _first_lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _overview() -> Iterator[tuple[str, str]]:
    for name, command in _commands():
        yield name, COMMANDS.get(name) or command.get_short_help_str(limit=200)


def _commands() -> Iterator[tuple[str, click.Command]]:
    """All commands, those below others included, by their full names."""
    with click.Context(cli, info_name="reconciler", **cli.context_settings) as context:
        for name in COMMANDS:
            command = cli.get_command(context, name)
            if command:
                yield from _with_those_below(name, command)


def _with_those_below(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        with click.Context(command, info_name=name, **cli.context_settings) as context:
            for below in command.list_commands(context):
                found = command.get_command(context, below)
                if found:
                    yield from _with_those_below(f"{name} {below}", found)


def _command(name: str, command: click.Command) -> Iterator[str]:
    with click.Context(command, info_name=f"reconciler {name}", **cli.context_settings) as context:
        usage = " ".join(command.collect_usage_pieces(context))
    yield f"\n## reconciler {name}\n\n"
    yield f"    reconciler {name} {usage}\n\n"
    yield f"{_prose(command.help or '')}\n"
    options = list(_options(command, hidden=_SHARED))
    if options:
        yield "\n"
        yield from options
    epilog = _epilog(command.epilog or "")
    if epilog:
        yield f"\n{epilog}\n"


def _prose(text: str) -> str:
    """Paragraphs of help as Markdown, in lines of a readable length."""
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    return "\n\n".join(
        textwrap.fill(_quoted(part), 120, break_on_hyphens=False, break_long_words=False) for part in paragraphs if part
    )


def _quoted(text: str) -> str:
    """Options and file names in code quotes; what Markdown would take for a tag, escaped."""
    text = re.sub(r"(?<![\w`-])(--[a-z][a-z-]*)", r"`\1`", text)
    return text.replace("<", "&lt;").replace("*", r"\*").replace("[", r"\[")


def _options(command: click.Command, hidden: tuple[str, ...]) -> Iterator[str]:
    context = click.Context(command, **cli.context_settings)
    rows = [
        (one, record)
        for one in command.get_params(context)
        if isinstance(one, click.Option) and (record := one.get_help_record(context)) and one.opts[0] not in hidden
    ]
    if rows:
        yield "| Option | |\n|---|---|\n"
    for _, (usage, text) in rows:
        yield f"| `{_in_cell(usage)}` | {_in_cell(_quoted(text))} |\n"


def _in_cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")


def _epilog(text: str) -> str:
    """Examples as blocks, the rest as prose. A block starts with a line of its own that holds a backspace."""
    parts = []
    for paragraph in textwrap.dedent(text).strip("\n").split("\n\n"):
        lines = paragraph.splitlines()
        if lines and lines[0] == "\b":
            title, *block = lines[1:]
            indented = "".join(f"    {line.strip()}\n" for line in block)
            parts.append(f"{title}\n\n{indented}".rstrip("\n") if block else _prose(title))
        elif lines:
            parts.append(_prose(paragraph))
    return "\n\n".join(parts)


# -- manifests --

_COMMON: Final = ("metadata", "secrets", "policy")
"""Blocks that are the same for every kind that has them."""


def manifest_page() -> str:
    """Every key of a manifest: what all kinds have in common, then the fields of each."""
    parts = [_MADE, "# Manifest reference\n\n", _ABOUT_MANIFESTS]
    for block in manual(DEFAULT_KIND).children:
        if block.name in _COMMON:
            parts.append(f"\n## {block.name}\n\n{_filled(block.meaning)}\n")
            for entry in everything(block):
                if entry is not block:
                    parts += _key(entry)
    for name in KINDS:
        parts += _kind(manual(name))
    parts.append(f"\n## Roles\n\nThe roles of OrderCloud, as of API 1.0.470: {', '.join(sorted(API_ROLES))}.\n")
    return "".join(parts)


def _filled(text: str) -> str:
    escaped = text.replace("<", "&lt;").replace("*", r"\*")
    return textwrap.fill(escaped, 120, break_on_hyphens=False, break_long_words=False)


def _key(entry: Key) -> Iterator[str]:
    yield f"\n### {entry.path.partition('.')[2]}\n\n{_filled(entry.meaning)}\n\n"
    for name, value in (
        ("Type", _type(entry)),
        ("Range", entry.limits),
        ("Required", "yes" if entry.is_required else "no"),
        ("Default", f"`{entry.default}`" if entry.default else ""),
        ("One of", _choices(entry)),
        ("Example", ", ".join(f"`{example}`" for example in entry.examples)),
    ):
        if value:
            yield f"- {name}: {value}\n"


def _kind(whole: Key) -> Iterator[str]:
    """A table of what a kind has of its own."""
    yield f"\n## {whole.name}\n\n{_filled(whole.meaning)}\n"
    for block in whole.children:
        rows = [entry for entry in _shown(block) if entry is not block]
        if block.name in {"spec", "assignments"} and rows:
            yield from _table(block.name, rows)


def configuration_page() -> str:
    """Every key of the configuration: those of the file, then those of an environment."""
    whole = explain("config")
    (environment,) = next(entry for entry in whole.children if entry.name == "environments").children
    rows = [row for entry in whole.children for row in _shown(entry)]
    inside = [*_shown(environment)]
    parts = [_MADE, "# Configuration reference\n\n", _ABOUT_CONFIGURATION, "\n## The file\n"]
    parts += _table("Key", [row for row in rows if row not in inside])
    parts += [f"\n## An environment\n\n{_filled(environment.meaning)}\n", *_table("Key", inside[1:])]
    parts.append(f"\n## Rules\n\n{_ABOUT_RULES}\n| Rule | Default | Why | Source |\n|---|---|---|---|\n")
    for rule in RULES.values():
        parts.append(f"| `{rule.name}` | {rule.level} | {_sentence(rule.reason)}. | {_sentence(rule.source)} |\n")
    return "".join(parts)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _table(title: str, rows: Iterable[Key]) -> Iterator[str]:
    yield f"\n| {title} | Type | Default | |\n|---|---|---|---|\n"
    yield from map(_row, rows)


def _shown(entry: Key) -> Iterator[Key]:
    """The key and all below it, but for those of references to secrets and those of rules, which are all the same."""
    yield entry
    for child in entry.children:
        if child.name not in {"fromEnv", "fromFile", "generate", "deliver"} and entry.name != "rules":
            yield from _shown(child)


_BESIDES: Final = re.compile(r"config\.(?:environments\.NAME\.)?|[^.]+\.[^.]+\.")
"""What a path begins with and a table does not repeat."""


def _row(entry: Key) -> str:
    name = _BESIDES.sub("", entry.path, count=1)
    kind = "; ".join(filter(None, [_type(entry), entry.limits, f"one of {_choices(entry)}" if entry.values else ""]))
    default = f"`{entry.default}`" if entry.default else ""
    cells = (f"`{name}`", kind, default, _in_cell(entry.meaning.replace("<", "&lt;").replace("*", r"\*")))
    return f"| {' | '.join(cells)} |\n"


def _type(entry: Key) -> str:
    kind = entry.type or "read-only"
    return f"{kind}, or `${{values.KEY}}`" if entry.takes_values else kind


def _choices(entry: Key) -> str:
    is_any_role = set(entry.values) == API_ROLES
    return "the [roles](#roles)" if is_any_role else ", ".join(f"`{value}`" for value in entry.values)


# -- the picture --

_COLOURS: Final = {"32": "#3fb950", "33": "#d29922", "31": "#f85149", "1;31": "#ff7b72", "1": "#ffffff", "2": "#8b949e"}
_SIZE, _LINE, _LETTER, _MARGIN = 14, 20, 8.43, 20


def picture() -> str:
    """Plan this repository's manifests for the emulator's marketplace, and draw the text that a terminal shows."""
    return _svg(f"$ reconciler plan\n{_plan_text()}".rstrip("\n").splitlines())


def _plan_text() -> str:
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name in ("reconciler.yaml", "marketplace.yaml"):
            shutil.copy(ROOT / name, name)
        shutil.copytree(ROOT / "manifests", "manifests")
        plan = Session.open(Settings(), (), allow_unknown_roles=False).plan()
        write = FORMATS["text"].plan
        if write is None:
            raise AssertionError("plans have a text")
        return write(plan, changes_digest(plan), Style(colour=True))


def _svg(lines: list[str]) -> str:
    width = max(len(re.sub("\x1b\\[[0-9;]*m", "", line)) for line in lines) * _LETTER + 2 * _MARGIN
    height = len(lines) * _LINE + 2 * _MARGIN
    rows = "".join(
        f'<text x="{_MARGIN}" y="{_MARGIN + number * _LINE + _SIZE}">{_spans(line)}</text>\n'
        for number, line in enumerate(lines)
        if line
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
        f'viewBox="0 0 {width:.0f} {height}" role="img" aria-label="A plan, as reconciler plan shows it">\n'
        f'<rect width="100%" height="100%" rx="8" fill="#0d1117"/>\n'
        f'<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="{_SIZE}" '
        f'fill="#c9d1d9">\n{rows}</g>\n</svg>\n'
    )


def _spans(line: str) -> str:
    """Text with the colours that a terminal would give it."""
    shown, colour = [], ""
    for number, part in enumerate(re.split("\x1b\\[([0-9;]*)m", line)):
        if number % 2:
            colour = _COLOURS.get(part, "")
        elif part:
            text = part.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace(" ", "\u00a0")
            shown.append(f'<tspan fill="{colour}">{text}</tspan>' if colour else text)
    return "".join(shown)


# -- workflows --

_ANSWERS: Final = scaffold.Answers("staging", "my-marketplace-staging", stage="staging")
_WORKFLOWS: Final = {
    f"ci/github/{Path(path).name}": content
    for path, content in scaffold.files_at_top(_ANSWERS, PurePosixPath()).items()
    if path.endswith(".yml")
}


_SCHEMAS: Final = schemas()


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    **{f"schemas/{name}": partial(_SCHEMAS.__getitem__, name) for name in _SCHEMAS},
    "docs/cli.md": commands_page,
    "docs/manifest-reference.md": manifest_page,
    "docs/configuration-reference.md": configuration_page,
    "docs/plan.svg": picture,
    **{path: partial(_WORKFLOWS.__getitem__, path) for path in _WORKFLOWS},
}
"""Path below the root -> its generator."""


def main() -> None:
    """Write all of them."""
    os.environ.pop("RECONCILER_ENV", None)
    for name, make in PAGES.items():
        (ROOT / name).write_text(make(), encoding="utf-8")
        sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    main()
