"""A field's row -> its comparable form and the check of what the service sends."""

from typing import Any

import pytest

from reconciler.errors import BadAnswer, RequestFacts
from reconciler.kinds import Field, Kind, Reference
from reconciler.kinds.fields import Choice, Data, Flag, Many, Record, Role, Secrecy, Text, Type, Whole
from reconciler.model.json import Json

FACTS = RequestFacts("GET", "/v1/things")
ROUTE = Record("Route", (Field("Route", Text(), "A path."), Field("Verb", Text(), "A verb.")))
LIMITS = Record("Limits", (Field("Least", Whole(0, 9), "At least."), Field("Names", Many(Text()), "Names.")))


def field(wanted: Type, **known: Any) -> Field:
    return Field("F", wanted, "A field.", **known)


def kind(*fields: Field) -> Kind:
    return Kind("MadeUpThing", "thing", "A thing.", "/things", fields, ("Admin",), ("Reader",), "Name")


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


@pytest.mark.parametrize(
    ("wanted", "good", "bad"),
    [
        (Text(3), "longer than a manifest may say", 1),
        (Flag(), True, "true"),
        (Whole(1, 2), 3, 1.5),
        (Choice(("A",)), "Added later", 1),
        (Many(Choice(("A",))), ["Added later"], [1]),
        (Data(), {"a": 1}, [1]),
        (Many(ROUTE), [{"Route": "a", "Verb": None, "Added": 1}], [{"Route": 1}]),
        (LIMITS, {"Least": 10}, {"Names": "a"}),
    ],
)
def test_a_service_may_send_what_later_versions_allow_but_no_other_type(wanted: Type, good: Json, bad: Json) -> None:
    known = kind(field(wanted))
    assert known.live({"ID": "A", "F": good}, FACTS).body["F"] == good
    assert known.live({"ID": "A", "F": None}, FACTS).faults == ()
    with pytest.raises(BadAnswer, match="/F"):
        known.live({"ID": "A", "F": bad}, FACTS)


def test_a_write_only_secret_is_there_where_what_goes_with_it_is() -> None:
    known = kind(
        Field("Name", Text(), "A name.", together="Key"),
        Field("Key", Text(), "A key.", secret=Secrecy.WRITE_ONLY, together="Name"),
    )
    hidden = known.live({"ID": "A", "Name": "x-key"}, FACTS).secrets["Key"]
    assert hidden is not None
    assert hidden.is_mask
    assert known.live({"ID": "A", "Name": None}, FACTS).secrets == {"Key": None}
    assert known.live({"ID": "A"}, FACTS).secrets == {}
    assert known.write_only_fields == {"Key"}
