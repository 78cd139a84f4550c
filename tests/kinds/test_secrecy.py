"""Secrets in what a service sends: out of the body at once."""

import pytest

from reconciler.errors import RequestFacts
from reconciler.kinds import KINDS, Field
from reconciler.kinds.fields import Secrecy, Text
from reconciler.model.json import Json
from tests.kinds.test_base import kind

KIND = KINDS["ApiClient"]
FACTS = RequestFacts("GET", "/v1/apiclients")


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


KIND = KINDS["ApiClient"]
FACTS = RequestFacts("GET", "/v1/things")


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
