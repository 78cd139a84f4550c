"""What a service sends -> what is wrong with its types."""

import pytest

from reconciler.errors import BadAnswer, RequestFacts
from reconciler.kinds import KINDS
from reconciler.kinds.fields import Choice, Data, Flag, Many, Text, Type, Whole
from reconciler.model.json import Json
from tests.kinds.test_base import kind
from tests.kinds.test_fields import LIMITS, ROUTE, field

FACTS = RequestFacts("GET", "/v1/things")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ID", 7),
        ("Active", "yes"),
        ("AccessTokenDuration", "600"),
        ("AccessTokenDuration", True),
        ("MaximumGrantedRoles", "Shopper"),
        ("MaximumGrantedRoles", [1]),
        ("xp", [1]),
        ("ClientSecret", 5),
    ],
)
def test_a_body_with_a_field_of_another_type_is_a_bad_answer_that_quotes_no_value(field: str, value: Json) -> None:
    with pytest.raises(BadAnswer, match=f"/{field}") as error:
        KINDS["ApiClient"].live({"ID": "A", field: value}, FACTS)
    assert repr(value) not in error.value.message.partition("types")[2]


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
