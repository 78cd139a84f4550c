"""What a kind knows follows from its table."""

from typing import TYPE_CHECKING

from reconciler.kinds import KINDS, Field, Kind
from reconciler.kinds.fields import Many, Role, Secrecy, Text, Whole
from tests.kinds.test_fields import field

if TYPE_CHECKING:
    from reconciler.model.json import Json


def kind(*fields: Field) -> Kind:
    return Kind("MadeUpThing", "thing", "A thing.", "/things", fields, ("Admin",), ("Reader",), "Name")


def test_what_a_kind_asks_of_its_fields_follows_from_its_table() -> None:
    known = kind(
        field(Many(Role()), required=True),
        Field("Key", Text(50), "A key.", secret=Secrecy.READABLE, required=True),
        Field("Count", Whole(), "A count.", read_only=True),
    )
    assert known.schema == "made-up-thing.v1.schema.json"
    assert list(known.fields) == ["F"]
    assert known.secret_fields == {"Key"}
    assert known.read_only == {"Count", "ID"}
    assert known.required == known.role_fields == {"F"}


def test_moved_names_the_fields_that_count() -> None:
    before: dict[str, Json] = {"Active": True, "xp": None, "AssignedBuyerCount": 1, "Future": 1}
    after: dict[str, Json] = {"Active": False, "xp": {}, "AssignedBuyerCount": 2, "Future": True}
    assert KINDS["ApiClient"].moved(before, after) == ("Active", "Future")
    assert KINDS["ApiClient"].moved(before, before | {"RefreshTokenDuration": 0}) == ()
