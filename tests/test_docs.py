"""What the documentation shows is what the program does."""

import ast
import inspect
import re
import shlex
import subprocess
import symtable
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Final

import click
import jq  # type: ignore[import-not-found]  # compiled, without types
import pytest

from reconciler.cli.main import COMMANDS, cli
from reconciler.cli.options import Common
from reconciler.config import load_config
from reconciler.manifests.load import LoadContext, load
from reconciler.planning.planfile import to_document
from tests.render.test_render_golden import PLANS
from tools import generate

ROOT = Path(__file__).parents[1]
AT_TOP = ("README.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES = sorted([*(ROOT / name for name in AT_TOP), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INVOCATION = re.compile(r"(?:^|run: |\$ |&& )reconciler ([^\n|>]*)", re.MULTILINE)


def fences(page: Path) -> Iterator[tuple[str, str]]:
    for found in FENCE.finditer(page.read_text(encoding="utf-8")):
        yield found[1], found[2]


def invocations() -> Iterator[tuple[str, str]]:
    """Every command line that a page shows in a code block."""
    for page in PAGES:
        for _, block in fences(page):
            for found in INVOCATION.finditer(block):
                yield str(page.relative_to(ROOT)), found[1].split(" && ")[0]


@pytest.mark.parametrize(("page", "line"), sorted(set(invocations())))
def test_every_command_line_that_is_shown_exists_with_all_its_options(page: str, line: str) -> None:
    words = [word for word in shlex.split(line, comments=True) if not word.startswith("2")]
    at = next(index for index, word in enumerate(words) if word in COMMANDS)
    with cli.make_context("reconciler", words[: at + 1], obj=Common()) as context:
        command = cli.get_command(context, words[at])
        assert isinstance(command, click.Command)
        if "--help" not in words:
            command.make_context(words[at], words[at + 1 :], parent=context)


def test_the_manifest_and_the_configuration_of_the_readme_are_valid(tmp_path: Path) -> None:
    manifest, config = (block for language, block in fences(ROOT / "README.md") if language == "yaml")
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "storefront.yaml").write_text(manifest)
    (tmp_path / "reconciler.yaml").write_text(config)
    assert set(load_config(tmp_path / "reconciler.yaml").environments) == {"staging"}
    assert load([tmp_path / "manifests"], LoadContext()).documents == 1


@pytest.fixture(scope="module")
def demo() -> str:
    """What `make demo` prints."""
    command = [sys.executable, str(ROOT / "demo" / "run.py")]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return run.stdout


def test_the_demo_ends_in_step(demo: str) -> None:
    assert demo.count("(exit code 2)") == 1
    assert demo.rstrip().splitlines()[-3].startswith("No drift. 3 resources are in step")


def test_the_readme_fits_on_two_pages() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 100


BY_HAND = [page for page in PAGES if page.relative_to(ROOT).as_posix() not in generate.PAGES]


@pytest.mark.parametrize(("folder", "most"), [("docs", 20_000), ("docs/decisions", 3_500)])
def test_what_people_have_to_read_stays_short(folder: str, most: int) -> None:
    decisions = ROOT / "docs" / "decisions"
    pages = [page for page in BY_HAND if (page.parent == decisions) == (folder == "docs/decisions")]
    words = sum(len(page.read_text(encoding="utf-8").split()) for page in pages)
    assert words <= most, "say it in fewer words, or on one page only"


@pytest.mark.parametrize("page", BY_HAND, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_page_starts_with_what_it_is_for(page: Path) -> None:
    title, *blocks = page.read_text(encoding="utf-8").split("\n\n")
    first = next(block for block in blocks if not block.startswith("<!--"))
    assert title.startswith("# ")
    assert re.match(r"(\*\*)?[A-Z][a-z]+", first), "a sentence comes before the first heading, table or block"


def test_the_readme_leads_to_every_page() -> None:
    links = re.findall(r"\]\((docs/[^)#]+\.md)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert sorted(set(links)) == sorted(page.relative_to(ROOT).as_posix() for page in (ROOT / "docs").glob("*.md"))


def headings(page: Path) -> set[str]:
    """The anchors of a page."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_heading_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text(encoding="utf-8"))
    targets = [(page.parent / path if path else page, anchor) for path, anchor in links]
    assert [(path.name, anchor) for path, anchor in targets if anchor not in headings(path)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_site_groups_the_pages_as_the_readme_does() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    groups = {
        name: re.findall(r"\(docs/([\w-]+\.md)\)", links) for name, links in re.findall(GROUP, readme, re.MULTILINE)
    }
    nav = re.findall(
        r"^  - ([\w ]+):\n((?:      - [\w-]+\.md\n)+)", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert {name: re.findall(r"- (\S+)", pages) for name, pages in nav} == groups


GROUP: Final = r"^- ([A-Z][\w ]+): (.*\(docs/.*)$"
"""A line of links at the end of the README."""


def test_every_page_has_its_place_on_the_site() -> None:
    pages = re.findall(r"^ +- (?:Home: )?(\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    written = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    assert sorted(pages) == sorted({"index.md", *written})


def _texts_of_the_program() -> str:
    """All texts that the code and the schemas hold, the fixed parts of those that are put together included."""
    found = []
    for path in sorted((ROOT / "reconciler").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
    return "\n".join([*found, inspect.getsource(click.exceptions)])


def test_the_messages_of_the_troubleshooting_page_are_those_of_the_program() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    messages = re.findall(r"^### `(.+)`$", page, re.MULTILINE)
    texts = _texts_of_the_program()
    parts = [part.strip(" ,;:") for message in messages for part in message.split("…")]
    assert len(messages) == len(re.findall(r"^### ", page, re.MULTILINE)) == 19
    assert [part for part in parts if part not in texts] == []


def _written_for_this_click() -> bool:
    """Other versions of click write the help otherwise; the pages are of the one in constraints.txt."""
    return f"click=={version('click')}\n" in (ROOT / "constraints.txt").read_text(encoding="utf-8")


@pytest.mark.skipif(not _written_for_this_click(), reason="the pages are made with the click of constraints.txt")
@pytest.mark.parametrize("name", generate.PAGES)
def test_what_is_made_of_the_program_is_up_to_date(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECONCILER_ENV", raising=False)
    made = generate.PAGES[name]()
    assert (ROOT / name).read_text(encoding="utf-8") == made, "run: make docs"


def test_the_picture_of_a_plan_is_small_and_asks_nobody_for_anything() -> None:
    picture = (ROOT / "docs" / "plan.svg").read_text(encoding="utf-8")
    assert len(picture) < 100_000
    assert picture.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert set(re.findall(r"https?://[^\"<\s]+", picture)) <= {"http://www.w3.org/2000/svg", "http://localhost"}


def test_every_path_that_contributors_are_sent_to_exists() -> None:
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("CONTRIBUTING.md", "docs/new-kind.md"))
    named = {one for one in re.findall(r"`([\w./-]+(?:/|\.py))`", text) if "NAME" not in one}
    package = ROOT / "reconciler"
    below = [ROOT, package, *(folder for folder in package.iterdir() if folder.is_dir())]
    assert len(named) > 30
    assert [one for one in sorted(named) if not any((folder / one).exists() for folder in below)] == []


NAMED = re.compile(r"`((?:[a-z_]+\.)+(?!ya?ml`)\w+)`")
LIBRARIES = {"click", "dataclasses", "httpx", "str", "urllib"}
KEYS = {"ids", "limits", "metadata", "policy", "safe", "values"}
"""How the keys of files begin that docstrings name, in the same way as modules."""


@pytest.mark.sweep
def test_what_a_docstring_names_by_its_module_exists() -> None:
    known, named = set(), set()
    for path in (ROOT / "reconciler").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        names = symtable.symtable(text, path.name, "exec").get_identifiers()
        known |= {f".{module}", *(f".{module}.{name}" for name in names)}
        named |= {name for words in _docstrings(ast.parse(text)) for name in NAMED.findall(words)}
    ours = {name for name in named if name.partition(".")[0] not in LIBRARIES | KEYS}
    assert len(ours) > 10
    assert [name for name in sorted(ours) if not any(one.endswith(f".{name}") for one in known)] == []


def _docstrings(tree: ast.Module) -> Iterator[str]:
    """All texts that stand alone: those of modules, classes, functions and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value


def test_the_table_of_the_page_on_a_new_kind_is_that_of_the_program() -> None:
    _, block = next(fences(ROOT / "docs" / "new-kind.md"))
    assert block.strip() == (ROOT / "reconciler" / "kinds" / "product_facet.py").read_text(encoding="utf-8").strip()


FILTERS = [
    (page.name, found)
    for page in sorted((ROOT / "docs").glob("*.md"))
    for found in re.findall(
        r"\bjq (?:-r )?'?(.+?)'?(?: plan\.json| > job\.json)?$", page.read_text(encoding="utf-8"), re.MULTILINE
    )
]


@pytest.mark.parametrize(("page", "program"), FILTERS)
def test_a_filter_for_jq_is_one(page: str, program: str) -> None:
    jq.compile(program)
    assert page


def test_the_filter_for_plans_lists_what_widens_access() -> None:
    (program,) = [program for page, program in FILTERS if page == "plan-file.md" and "widens" in program]
    assert jq.all(program, to_document(PLANS["everything"])) == ["ApiClient/kiosk", "ApiClient/storefront"]
