"""Where tests are: those of a module are found by its path, and a file of tests is named after what it tests."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from reconciler.kinds import TABLES
from tools.mutants import DECIDING

TESTS: Final = Path(__file__).parent
PACKAGE: Final = TESTS.parent / "reconciler"
MODULES: Final = [path.relative_to(PACKAGE) for path in sorted(PACKAGE.rglob("*.py"))]
TABLES_OF_KINDS: Final = {place.partition(":")[0].rpartition(".")[2] for place in TABLES.values()}
"""Modules of `kinds/` that are data: the tests of `kinds/test_kinds_*.py` take every table."""
ELSEWHERE: Final = {
    "__init__.py": "project/test_api.py",  # it is the names of project/api.py
    "__main__.py": "test_signals.py",  # it is a process of its own
    "export/init/__init__.py": "cli/test_init.py",  # it is what that command writes
    "export/overlaying.py": "cli/test_export_overlays.py",  # the differences are between whole marketplaces
    "kinds/common.py": "kinds/test_kinds_api.py",  # it is rows of tables
    "project/session.py": "project/test_api.py",  # every call opens one
}
"""Module -> what tests it, for a reason, in a file of another name."""
OF_THE_WHOLE: Final = (".", "ci", "cli", "judges")
"""Folders of tests of the whole program: some of their files are about no module."""


def starts(module: Path) -> Iterator[Path]:
    """How the files begin that may test a module."""
    *above, name = module.with_suffix("").parts
    is_package = name == "__init__"
    yield Path(*above, f"test_{above[-1]}" if is_package and above else f"test_{name}")
    if len(above) > 1:  # one file may test a small package
        yield Path(*above[:-1], f"test_{above[-1]}")
    if above in (["cli", "commands"], ["project"]):  # what a command does is tried as a user would
        yield Path("cli", f"test_{name}")


def named_after(module: Path) -> set[Path]:
    """The files of tests that are named after a module."""
    return {
        path.relative_to(TESTS)
        for start in starts(module)
        for path in (TESTS / start.parent).glob(f"{start.name}*.py")
        if path.stem == start.name or path.stem.startswith(f"{start.name}_")
    }


def has_code(module: Path) -> bool:
    return len(ast.parse((PACKAGE / module).read_text(encoding="utf-8")).body) > 1  # more than its docstring


def is_table(module: Path) -> bool:
    package, name, *below = module.with_suffix("").parts if len(module.parts) > 1 else ("", "")
    return package == "kinds" and name in TABLES_OF_KINDS and below in ([], ["__init__"])


def test_the_tests_of_a_module_are_at_its_path() -> None:
    tested = {module for module in MODULES if named_after(module) or is_table(module)}
    without = {module.as_posix() for module in MODULES if has_code(module) and module not in tested}
    assert without == ELSEWHERE.keys()
    assert [file for file in ELSEWHERE.values() if not (TESTS / file).exists()] == []


def test_a_file_of_tests_is_named_after_a_module() -> None:
    named = {file for module in MODULES for file in named_after(module)}
    files = {path.relative_to(TESTS) for path in TESTS.rglob("test_*.py")}
    others = {file for file in files - named if str(file.parent) not in OF_THE_WHOLE}
    assert sorted(others) == []


def test_the_tests_that_other_files_name_are_there() -> None:
    root = TESTS.parent
    texts = [root / "Makefile", root / "CONTRIBUTING.md", *(root / "docs").rglob("*.md"), *(root / "tools").glob("*")]
    named = {
        (text.name, path.rstrip("."))
        for text in texts
        if text.is_file()
        for path in re.findall(r"(?<![\w/.])tests/[\w./-]+", text.read_text(encoding="utf-8"))
    }
    named |= {("mutants.py", f"tests/{path}") for paths in DECIDING.values() for path in paths}
    assert len(named) > 50
    assert sorted(one for one in named if not (root / one[1]).exists()) == []


@pytest.mark.parametrize(
    ("module", "file"),
    [
        ("planning/deletion.py", "planning/test_deletion.py"),
        ("applying/task.py", "applying/test_task_creation.py"),
        ("planning/guards/login.py", "planning/test_guards_login.py"),
        ("planning/diff/__init__.py", "planning/diff/test_diff_order.py"),
        ("cli/commands/apply.py", "cli/test_apply_freeze.py"),
        ("project/apply.py", "cli/test_apply.py"),
    ],
)
def test_this_is_how_tests_are_found(module: str, file: str) -> None:
    assert Path(file) in named_after(Path(module))


def test_the_tree_and_its_functions_stay_easy_to_enter() -> None:
    entries = {path.parts[0] for path in MODULES}
    assert len(entries) <= 18
    assert {name for name in entries if name.endswith(".py")} == {
        "__init__.py",
        "__main__.py",
        "errors.py",
        "pipeline.py",
    }
    assert len(MODULES) <= 215
    trees = (ast.parse((PACKAGE / module).read_text(encoding="utf-8")) for module in MODULES)
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert not [node.name for node in functions if (node.end_lineno or 0) - node.lineno >= 41]


def test_a_name_of_a_class_means_one_thing() -> None:
    modules = [module for module in MODULES if module.parts[0] != "emulator"]  # which shares no code with the rest
    trees = [ast.parse((PACKAGE / module).read_text(encoding="utf-8")) for module in modules]
    names = [node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
    assert {name for name in names if names.count(name) > 1 and not name.startswith("_")} == set()
