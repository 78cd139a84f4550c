"""A field's row -> its comparable form."""

from typing import Any

import pytest

from reconciler.kinds import Field, Reference
from reconciler.kinds.fields import Data, Flag, Many, Record, Role, Text, Type, Whole
from reconciler.model.json import Json

ROUTE = Record("Route", (Field("Route", Text(), "A path."), Field("Verb", Text(), "A verb.")))
LIMITS = Record("Limits", (Field("Least", Whole(0, 9), "At least."), Field("Names", Many(Text()), "Names.")))


def field(wanted: Type, **known: Any) -> Field:
    return Field("F", wanted, "A field.", **known)


@pytest.mark.parametrize(
    ("one", "left", "right"),
    [
        (field(Many(Text())), ["b", "a", "a"], ["a", "b"]),
        (field(Many(Role()), default=[]), None, []),
        (field(Flag(), default=False), None, False),
        (field(Data()), {"at": "2027-01-01T02:00:00+02:00"}, {"at": "2027-01-01T00:00:00Z"}),
        (field(Many(ROUTE)), [{"Route": "b"}, {"Route": "a", "Verb": None}], [{"Route": "a"}, {"Route": "b"}]),
        (field(LIMITS), {"Least": None, "Names": ["b", "a"]}, {"Names": ["a", "b"]}),
        (field(LIMITS), {"Least": None}, None),
        (field(Text(), refers_to=Reference("thing", "/things", "Reader")), "Abc", "aBC"),
        (field(Many(Text()), refers_to=Reference("thing", "/things", "Reader")), ["B", "a"], ["A", "b"]),
    ],
)
def test_these_mean_the_same(one: Field, left: Json, right: Json) -> None:
    assert one.equal(left, right)


@pytest.mark.parametrize(
    ("one", "left", "right"),
    [
        (field(Text()), "a", "A"),
        (field(Many(Text())), ["a"], ["A"]),
        (field(Many(ROUTE)), [{"Route": "a", "Verb": "PUT"}], [{"Route": "a"}]),
        (field(LIMITS), {"Least": 1}, {"Least": 2}),
        (field(LIMITS), {"Later": 1}, {"Later": True}),
        (field(Data()), {"a": None}, {}),
    ],
)
def test_these_do_not(one: Field, left: Json, right: Json) -> None:
    assert not one.equal(left, right)
