"""The deciding packages -> the mutations of their functions that their tests do not detect: `make mutants`.

A mutation changes one condition, constant or returned value, or removes one statement. For each, the affected tests run
in a fork of this process in which the function has the changed code. Time is limited: mutations are tried in a shuffled
order that is always the same, until it is over.

No maintained tool fits: mutmut copies the sources away from adjacent files, such as the schemas, and cosmic-ray
starts Python for each mutation; neither accepts a time budget.
"""

import argparse
import ast
import contextlib
import copy
import io
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Final

import pytest

from reconciler.emulator import Emulator, Settings

ROOT: Final = Path(__file__).parents[1]
_OF_APPLYING: Final = [
    "applying/test_run.py",
    "applying/test_verify.py",
    "applying/test_run_own_client.py",
    "applying/test_task_creation.py",
    "applying/test_write_assignments.py",
    "applying/journal/test_events.py",
    "kinds/test_singletons.py",
    "planning/diff/test_secret_changes.py",
]
DECIDING: Final[Mapping[str, Sequence[str]]] = {
    "planning/diff": [
        "planning/diff",
        "secrets/test_secrets_values.py",
        "applying/test_write_assignments.py",
        "live/test_live_odd_objects.py",
        "planning/test_hidden_secrets.py",
        "cli/test_drift_watching.py",
        "kinds/test_delivery_config.py",
        "kinds/test_references.py",
        "kinds/test_singletons.py",
    ],
    "planning/guards": [
        "planning/test_guards.py",
        "cli/test_apply_guards.py",
        "cli/test_apply_own_client.py",
        "planning/test_guards_login.py",
        "kinds/test_delivery_config.py",
        "planning/test_restore.py",
        "cli/test_apply_scope.py",
    ],
    "kinds/api_client/guards": [
        "kinds/test_api_client_guards.py",
        "cli/test_apply_guards.py",
        "cli/test_apply_own_client.py",
    ],
    "planning/hidden_secrets": [
        "planning/test_hidden_secrets.py",
        "kinds/test_delivery_config.py",
        "planning/diff/test_secret_changes.py",
    ],
    **{f"applying/{name}": _OF_APPLYING for name in ("run", "task", "write", "verify")},
    "planning/planfile": [
        "planning/test_planfile.py",
        "planning/test_seal.py",
        "secrets/test_secrets_values.py",
        "cli/test_apply_saved_plans.py",
        "test_pipeline.py",
    ],
    "planning/seal": [
        "planning/test_seal.py",
        "planning/test_planfile.py",
        "applying/test_receipt.py",
        "planning/test_snapshot.py",
    ],
    "planning/selection": [
        "planning/test_selection.py",
        "cli/test_plan_selection.py",
        "cli/test_apply_scope.py",
        "cli/test_apply_write_only.py",
    ],
    "planning/references": [
        "planning/test_references.py",
        "planning/test_references_members.py",
        "kinds/test_references.py",
    ],
    "planning/deletion": ["planning/test_deletion.py", "cli/test_apply_prune.py"],
    "secrets/delivery": [
        "secrets/test_delivery.py",
        "secrets/test_rotation.py",
        "applying/test_task_creation.py",
        "cli/test_apply_deliveries.py",
        "cli/test_validate_deliveries.py",
    ],
    "secrets/__init__": [
        "secrets/test_secrets_values.py",
        "secrets/test_secrets_resolve.py",
        "planning/test_hidden_secrets.py",
    ],
    "applying/rollback": ["applying/test_rollback.py", "applying/test_rollback_kinds.py", "cli/test_rollback.py"],
}
"""Package or module -> affected tests, which take a few seconds."""
PATIENCE: Final = 120
"""Seconds for the tests of one mutation; a timeout counts as detected."""

_OTHER: Final[Mapping[type[ast.AST], type[ast.AST]]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
}
_NAMES: Final = {"any": "all", "all": "any", "min": "max", "max": "min"}


@dataclass(frozen=True, slots=True)
class Mutation:
    """A function with one mutation."""

    module: str
    function: str
    """Its qualified name."""
    line: int
    was: str
    becomes: str
    code: Callable[[], CodeType]

    def __str__(self) -> str:
        return f"{self.module}:{self.line} {self.function}: `{self.was}` -> `{self.becomes}`"


# ------------------------------------------------------------------------------------------------------------ mutating


def mutations(module: str, source: str) -> Iterator[Mutation]:
    """All mutations of the functions of a module."""
    tree = ast.parse(source)
    for qualified, function in _functions(tree, ""):
        for node in ast.walk(function):
            if node is function or isinstance(node, ast.FunctionDef):
                continue
            for change in _changes(node):
                yield _mutation(module, source, tree, qualified, node, change)


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Functions and methods; nested functions belong to the outer one."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef):
            yield f"{prefix}{child.name}", child
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")


Change = Callable[[ast.AST], ast.AST]
"""Builds the replacement node from a copy of the node."""


def _changes(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare(ops=[operator]) | ast.BoolOp(op=operator) | ast.BinOp(op=operator) if type(operator) in _OTHER:
            yield _with_operator
        case ast.UnaryOp(op=ast.Not()):
            yield lambda one: one.operand  # type: ignore[attr-defined]  # a UnaryOp
        case ast.If() | ast.IfExp() | ast.While():
            yield _negated
        case ast.Constant(value=bool() | int()):
            yield _with_constant
        case ast.Call(func=ast.Name(id=name)) if name in _NAMES:
            yield _with_name
        case ast.Return(value=ast.expr()):
            yield lambda one: ast.Return(ast.Constant(None)) if not _is_none(one) else one
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield lambda _one: ast.Pass()
        case ast.Continue():
            yield lambda _one: ast.Break()
        case _:
            return


def _with_operator(node: ast.AST) -> ast.AST:
    if isinstance(node, ast.Compare):
        node.ops = [_OTHER[type(node.ops[0])]()]  # type: ignore[list-item]  # the table has pairs of one sort
    elif isinstance(node, ast.BoolOp | ast.BinOp):
        node.op = _OTHER[type(node.op)]()  # type: ignore[assignment]  # likewise
    return node


def _negated(node: ast.AST) -> ast.AST:
    node.test = ast.UnaryOp(ast.Not(), node.test)  # type: ignore[attr-defined]  # an If, IfExp or While
    return node


def _with_constant(node: ast.AST) -> ast.AST:
    value = node.value  # type: ignore[attr-defined]  # a Constant
    return ast.Constant(not value if isinstance(value, bool) else value + 1)


def _with_name(node: ast.AST) -> ast.AST:
    node.func = ast.Name(_NAMES[node.func.id], ast.Load())  # type: ignore[attr-defined]  # a Call of a Name
    return node


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Return) and isinstance(node.value, ast.Constant) and node.value.value is None


class _Replacing(ast.NodeTransformer):
    """Replaces the marked node."""

    def __init__(self, change: Change) -> None:
        self.change = change

    def visit(self, node: ast.AST) -> ast.AST:
        if hasattr(node, "is_marked"):
            return ast.copy_location(self.change(node), node)
        return super().visit(node)  # type: ignore[no-any-return]  # typeshed has no type for it


def _mutation(module: str, source: str, tree: ast.Module, qualified: str, node: ast.AST, change: Change) -> Mutation:
    was = (ast.get_source_segment(source, node) or "").split("\n")[0]
    becomes = ast.unparse(change(copy.deepcopy(node))).split("\n")[0]
    return Mutation(
        module, qualified, getattr(node, "lineno", 0), was, becomes, partial(_code, tree, qualified, node, change)
    )


def _code(tree: ast.Module, qualified: str, node: ast.AST, change: Change) -> CodeType:
    node.is_marked = True  # type: ignore[attr-defined]  # for `_Replacing`
    mutated = ast.fix_missing_locations(_Replacing(change).visit(copy.deepcopy(tree)))
    del node.is_marked  # type: ignore[attr-defined]  # see above
    assert isinstance(mutated, ast.Module)  # noqa: S101  # the module itself is never marked
    return next(code for code in _codes(compile(mutated, "<mutated>", "exec")) if code.co_qualname == qualified)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def function_of(module: ModuleType, qualified: str) -> FunctionType | None:
    """The function of this name, without its decorators; None if it is not accessible."""
    found: object = module
    for part in qualified.split("."):
        found = vars(found).get(part) if hasattr(found, "__dict__") else None
    if isinstance(found, property):
        found = found.fget
    elif isinstance(found, cached_property):
        found = found.func
    found = getattr(found, "__func__", found)
    while hasattr(found, "__wrapped__"):
        found = found.__wrapped__
    return found if isinstance(found, FunctionType) else None


# ------------------------------------------------------------------------------------------------------------- testing


def is_detected(mutation: Mutation, tests: Sequence[str]) -> bool:
    """Whether a test fails with the mutation."""
    function = function_of(import_module(mutation.module), mutation.function)
    return function is None or fails(tests, lambda: setattr(function, "__code__", mutation.code()))


def fails(tests: Sequence[str], prepare: Callable[[], None] = lambda: None) -> bool:
    """Whether a test fails, or all take too long, in a fork of this process after `prepare`."""
    child = os.fork()
    if child == 0:
        signal.alarm(PATIENCE)
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        prepare()
        os._exit(run_tests(tests))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0


def run_tests(tests: Sequence[str]) -> int:
    """Run them, and stop at the first failure."""
    return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov", *tests]))


def warm_up(tests: Sequence[str]) -> None:
    """Do the slow steps once for all forks: import the tests, and generate the signing key of the emulator."""
    with contextlib.redirect_stdout(io.StringIO()):
        run_tests(["--collect-only", *tests])
    Emulator(Settings()).close()


def modules(name: str) -> Iterator[tuple[str, Path]]:
    """The modules of a package."""
    base = ROOT / "reconciler" / name
    for path in [base.with_suffix(".py")] if base.with_suffix(".py").is_file() else sorted(base.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def main() -> int:
    """Try mutations until the time is over, and list those that no test detects."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("packages", nargs="*", choices=[[], *DECIDING], default=[])
    given = parser.parse_args()
    os.chdir(ROOT)
    os.environ["HYPOTHESIS_EXAMPLES"] = "5"
    found = [
        (mutation, [f"tests/{test}" for test in DECIDING[package]])
        for package in given.packages or DECIDING
        for name, path in modules(package)
        for mutation in mutations(name, path.read_text(encoding="utf-8"))
    ]
    random.Random(0).shuffle(found)  # noqa: S311  # the same order each time
    return report(found, time.monotonic() + given.minutes * 60)


def report(found: Sequence[tuple[Mutation, Sequence[str]]], until: float) -> int:
    """Try them, and print the survivors."""
    warm_up(sorted({test for _, tests in found for test in tests}))
    if any(fails(tests) for tests in {tuple(tests) for _, tests in found}):
        print("the tests fail or time out without a mutation", file=sys.stderr)
        return 1
    tried = survived = 0
    for mutation, tests in found:
        if time.monotonic() > until:
            break
        tried += 1
        if not is_detected(mutation, tests):
            survived += 1
            print(mutation, flush=True)
    print(f"{tried} of {len(found)} mutations tried, {survived} not detected")
    return 0


if __name__ == "__main__":
    sys.exit(main())
