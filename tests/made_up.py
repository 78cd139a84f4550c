"""A kind that OrderCloud does not have: its table, and its row in the emulator. Only the fixture makes it known."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from reconciler import kinds
from reconciler.emulator import rows, web
from reconciler.emulator.fields import Field as Column
from reconciler.emulator.fields import Reference
from reconciler.emulator.resources import Resource, Table
from reconciler.emulator.rows.parties import BUYER_REF, GROUP_REF, XP
from reconciler.kinds.assignments import Assignments, levels
from reconciler.kinds.base import Kind
from reconciler.kinds.common import TO_API_CLIENT, chosen_id, flag, hash_key, number, reference, title, xp
from reconciler.kinds.fields import Whole
from reconciler.manifests import explain
from reconciler.manifests import schema as schemas
from reconciler.model.json import Json
from reconciler.model.plan import Direction
from tools.schemas import schema


def _opens(_before: Json, after: Json) -> Direction:
    return Direction.WIDENS if after else Direction.NARROWS


MADE_UP_THING: Final = Kind(
    name="MadeUpThing",
    noun="made-up thing",
    description="One thing that nobody has.",
    path="/madeupthings",
    source="A dream",
    table=(
        title("Gadget", 100, required=True),
        number("Size", Whole(1, 9), "How large it is.", 3, default=1),
        flag("AllowStrangers", "Whether anybody may use it.", direction_of=_opens),
        reference("ClientID", TO_API_CLIENT, "The API client that uses it.", "E5A05785-CAFF-4F7D-9CC3-758F13865FC3"),
        hash_key(),
        xp(),
        chosen_id(),
    ),
    name_field="Name",
    unique=("Size",),
    readers=("MadeUpThingReader",),
    writers=("MadeUpThingAdmin",),
    assignments=Assignments(
        levels(
            "/madeupthings/assignments",
            "MadeUpThingID",
            "/madeupthings/{MadeUpThingID}/assignments",
            "buyers",
            "groups",
        ),
        "Who has this thing, level by level.",
        grants=False,
    ),
)
_ROW: Final = Resource(
    kind="MadeUpThing",
    path="/v1/madeupthings",
    fields=(
        Column("Name", required=True, maximum=100),
        Column("Size", "integer", default=1),
        Column("AllowStrangers", "boolean", default=False),
        Column("ClientID", reference=Reference("ApiClient")),
        Column("HashKey", maximum=50),
        XP,
    ),
)
_ASSIGNMENTS: Final = Table(
    kind="MadeUpThingAssignment",
    path="/v1/madeupthings/assignments",
    columns=(
        Column("MadeUpThingID", required=True, reference=Reference("MadeUpThing")),
        Column("BuyerID", required=True, reference=BUYER_REF),
        Column("UserGroupID", reference=GROUP_REF),
    ),
    role="MadeUpThing",
    deletions=("/v1/madeupthings/{MadeUpThingID}/assignments",),
    narrowing=("level",),
)
_CACHES: Final = (
    kinds.secret_fields,
    schemas.validator,
    schemas.part_validator,
    rows.rows_of,
    rows.kinds_of,
    rows.tables_of,
    web.application,
)
"""What is worked out once from the list of all kinds."""


@contextmanager
def made_up(folder: Path) -> Iterator[None]:
    """Add the kind as somebody would: its table, its line, its schema as `make docs` writes it, the emulator's row."""
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(kinds.TABLES, MADE_UP_THING.name, f"{__name__}:MADE_UP_THING")
            patch.setitem(explain.SCHEMAS, MADE_UP_THING.name, MADE_UP_THING.schema)
            patch.setattr(schemas, "_PACKAGE", _with_schema(folder))
            patch.setattr(rows, "ROWS", (*rows.ROWS, _ROW))
            patch.setattr(rows, "TABLES", (*rows.TABLES, _ASSIGNMENTS))
            _forget()
            yield
    finally:
        _forget()


@pytest.fixture
def made_up_kind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The kind for the length of a test."""
    with made_up(tmp_path_factory.mktemp("package")):
        yield


def _with_schema(package: Path) -> Path:
    shutil.copytree(schemas.schema_path(MADE_UP_THING.schema).parent, package / "schemas")
    (package / "schemas" / MADE_UP_THING.schema).write_text(json.dumps(schema(MADE_UP_THING)), encoding="utf-8")
    return package


def _forget() -> None:
    for cached in _CACHES:
        cached.cache_clear()
