"""Several plans in one document: the table, its marks, and what is escaped."""

import json
from dataclasses import replace
from typing import Final

from reconciler.errors import InputError, ReconcilerError
from reconciler.model.diagnostic import Diagnostic, Place
from reconciler.model.plan import Action, Plan
from reconciler.render.several import Part, Planned, State, document, matrix, text
from reconciler.render.style import PLAIN, Style
from tests.render.test_golden import BINDING, HOSTILE, change

GONE: Final = change("b", Action.NO_OP, before=None, after=None)
ALL: Final = Plan(
    (change("a", Action.CREATE), GONE, change("c", Action.DELETE), change("d", Action.UNMANAGED)), BINDING
)
SAME: Final = Plan((change("a", Action.NO_OP),), BINDING)
BOTH: Final = (Part("one", ALL, text="the plan of one\n"), Part("two", SAME, text="the plan of two\n"))


def test_each_resource_has_a_state_in_each_environment() -> None:
    assert matrix(BOTH) == {
        "ApiClient/a": {"one": State.MISSING, "two": State.IN_STEP},
        "ApiClient/b": {"one": State.NOT_HERE, "two": State.NOT_HERE},
        "ApiClient/c": {"one": State.WOULD_BE_DELETED, "two": State.NOT_HERE},
    }


def test_the_table_has_a_column_for_each_environment() -> None:
    failed: Planned = Part("three", None, ReconcilerError("no answer", hint="try again"))
    assert text([*BOTH, failed], PLAIN).partition("=== three ===")[2].splitlines() == [
        "",
        "",
        "error: no answer",
        "  hint: try again",
        "",
        "=== all environments ===",
        "",
        "             one               two      three",
        "ApiClient/a  missing           in step  ?",
        "ApiClient/b  -                 -        ?",
        "ApiClient/c  would be deleted  -        ?",
        "",
        "3 environments: 1 in step, 1 with changes, 1 failed.",
    ]


def test_colour_does_not_move_a_column() -> None:
    coloured = text(BOTH, Style(colour=True))
    assert "\x1b[31mwould be deleted\x1b[0m  -" in coloured
    assert "\x1b[32mmissing\x1b[0m           in step" in coloured


def test_where_every_environment_failed_there_is_no_table() -> None:
    assert text([Part("one", None, ReconcilerError("no"))], PLAIN).endswith(
        "=== all environments ===\n\n1 environment: 0 in step, 0 with changes, 1 failed.\n"
    )


def test_names_of_resources_are_escaped() -> None:
    written = text([Part("one", replace(ALL, changes=(HOSTILE,)))], PLAIN)
    assert "ApiClient/::set-output name=x::\\u001b[2J  differs" in written


def test_as_json_an_error_has_its_faults() -> None:
    fault = Diagnostic(Place("a.yaml", 1, 2), "wrong", "rule")
    written = json.loads(document([Part("one", None, InputError([fault]))], PLAIN))
    (found,) = written["environments"]
    assert (found["error"]["exit_code"], found["error"]["diagnostics"][0]["place"]["line"]) == (1, 1)
    assert (found["environment"], "plan" in found, written["matrix"]) == ("one", False, {})
