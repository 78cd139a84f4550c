"""The table of formats in the documentation is the one in the program."""

import re
from dataclasses import fields, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.cli.documents import DRIFTS, PLANS, RESULTS, VALIDATIONS
from reconciler.errors import ReconcilerError
from reconciler.model.plan import Action, FieldChange
from reconciler.planning import planfile
from reconciler.planning.planfile import reading
from reconciler.render import FORMATS, Format
from reconciler.render.style import PLAIN
from tests.render import test_render_golden as golden
from tests.render.test_render_golden import change, field

if TYPE_CHECKING:
    from reconciler.model.json import Json

PAGE: Final = Path(__file__).parents[2] / "docs" / "formats.md"
COLUMNS: Final = (PLANS, DRIFTS, RESULTS, VALIDATIONS)


def test_the_table_says_which_format_shows_what() -> None:
    rows = re.findall(r"^\| `(\w+)` \|((?: (?:yes|no) \|){4})", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    documented = {name: re.findall(r"yes|no", cells) for name, cells in rows}
    assert documented == {name: ["yes" if name in column else "no" for column in COLUMNS] for name in FORMATS}


def test_a_saved_plan_is_shown_as_it_was_when_it_was_made() -> None:
    unsorted: Json = {"b": 1, "a": {"d": 2, "c": 3}}
    changed = (
        field("/xp", {"y": 1, "x": 1}, {"y": 2, "x": 2, "a": unsorted}),
        FieldChange("/set", [], [], added=(unsorted,)),
    )
    changes = (
        change("old", Action.DELETE, before={"xp": unsorted, "AppName": "old"}),
        change("new", Action.UPDATE, *changed),
    )
    plan = replace(
        golden.PLANS["noticed"],
        changes=changes,
        warnings=("b", "a"),
        created_at="2026-11-24T12:00:00.000000Z",
    )
    saved = reading.loads(planfile.dumps(plan, None), "plan.json", None)
    for name, known in FORMATS.items():
        if known.plan and name != "jsonl":  # programs know no order of members
            assert known.plan(saved, "", PLAIN) == known.plan(plan, "", PLAIN), name


def test_every_format_can_say_that_there_is_no_document() -> None:
    error = ReconcilerError("the service cannot be reached")
    for name, known in FORMATS.items():
        assert error.message in known.failure("plan", error, PLAIN), name


def test_every_document_that_a_format_announces_is_written_by_its_module() -> None:
    documents = [one.name for one in fields(Format) if one.name != "name"]
    for name, known in FORMATS.items():
        module = import_module(f"reconciler.render.{name}")
        announced = {document for document in documents if getattr(known, document)}
        there = {document for document in documents if callable(getattr(module, document, None))}
        assert announced == there, name
