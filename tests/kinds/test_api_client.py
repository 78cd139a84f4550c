import pytest

from reconciler.errors import BadAnswer, RequestFacts
from reconciler.kinds import KINDS
from reconciler.model.json import Json

KIND = KINDS["ApiClient"]
FACTS = RequestFacts("GET", "/v1/apiclients")


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
        KIND.live({"ID": "A", field: value}, FACTS)
    assert repr(value) not in error.value.message.partition("types")[2]


def test_a_secret_value_leaves_the_body_as_soon_as_it_is_read() -> None:
    live = KIND.live({"ID": "A", "ClientSecret": "planted"}, FACTS)
    assert "ClientSecret" not in live.body
    assert "planted" not in repr(live)
    secret = live.secrets["ClientSecret"]
    assert secret is not None
    assert secret.reveal() == "planted"


@pytest.mark.parametrize("value", [None, ""])
def test_an_empty_secret_is_none(value: Json) -> None:
    assert KIND.live({"ID": "A", "ClientSecret": value}, FACTS).secrets == {"ClientSecret": None}


def test_a_service_that_shows_no_secret_field_gives_none() -> None:
    assert KIND.live({"ID": "A"}, FACTS).secrets == {}


def test_moved_names_the_fields_that_count() -> None:
    before: dict[str, Json] = {"Active": True, "xp": None, "AssignedBuyerCount": 1, "Future": 1}
    after: dict[str, Json] = {"Active": False, "xp": {}, "AssignedBuyerCount": 2, "Future": True}
    assert KIND.moved(before, after) == ("Active", "Future")
    assert KIND.moved(before, before | {"RefreshTokenDuration": 0}) == ()
