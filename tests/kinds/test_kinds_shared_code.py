"""Shared code names no kind, no path and no field of one: the tables do. Help, docstrings and error codes may."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from reconciler.kinds import KINDS

PACKAGE: Final = Path(__file__).parents[2] / "reconciler"
APART: Final = ("kinds/", "emulator/", "export/seeding.py")
"""What is about kinds: their tables with what is peculiar to one, the emulator, and the importer of seeding files."""
GENERAL: Final = {"ID", "Name", "Active", "xp", "URL", "User", "Address"}
"""What objects of the API have, whatever their kind; and words of English."""
WORDS: Final = {*KINDS, *(field for kind in KINDS.values() for field in kind.fields)} - GENERAL
PATHS: Final = tuple(kind.path for kind in KINDS.values())
ERROR_CODE: Final = re.compile(r"[A-Z]\w+\.[A-Z]\w+")


def texts(tree: ast.AST) -> Iterator[ast.Constant]:
    """The texts of a module that are neither docstrings, help, types, nor error codes and what these mean."""
    passed = {id(one) for node in ast.walk(tree) for one in _passed(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in passed:
            yield node


def _passed(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        yield node.value
    elif isinstance(node, ast.keyword) and node.arg in {"help", "epilog"}:
        yield from ast.walk(node.value)
    elif isinstance(node, ast.FunctionDef) and node.returns:
        yield from ast.walk(node.returns)
    elif isinstance(node, ast.arg | ast.AnnAssign) and node.annotation:
        yield from ast.walk(node.annotation)
    elif isinstance(node, ast.Constant) and ERROR_CODE.fullmatch(str(node.value)):
        yield node
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and ERROR_CODE.fullmatch(str(key.value)):
                yield from ast.walk(value)


def names_a_kind(text: str) -> bool:
    """Whether it is a name, or holds one of several words: `User` in a sentence is a word of English."""
    joined = [word for word in re.findall(r"\w+", text) if re.search(r"[a-z][A-Z]", word)]
    return bool(WORDS.intersection([text, *joined])) or any(path in text for path in PATHS)


def test_shared_code_names_no_kind() -> None:
    modules = [path for path in PACKAGE.rglob("*.py") if not path.relative_to(PACKAGE).as_posix().startswith(APART)]
    named = [
        f"{module.relative_to(PACKAGE)}:{text.lineno}: {text.value!r}"
        for module in modules
        for text in texts(ast.parse(module.read_text(encoding="utf-8")))
        if names_a_kind(str(text.value))
    ]
    assert named == []


@pytest.mark.parametrize("source", ["x = 'Webhook'", "f('/apiclients')", "y = body['AppName']", "z = f'{a} AppName'"])
def test_a_name_in_code_is_found(source: str) -> None:
    assert any(names_a_kind(str(one.value)) for one in texts(ast.parse(source)))
