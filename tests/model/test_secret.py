import copy
import json
import pickle

import pytest

from reconciler.model.secret import Secret

CANARY = "planted-canary"


def test_no_way_of_printing_shows_the_value() -> None:
    secret = Secret(CANARY)
    for text in (str(secret), repr(secret), f"{secret}", f"{secret!r:>40}", "%s" % secret, repr({"a": [secret]})):  # noqa: UP031  # the old way, too
        assert CANARY not in text


@pytest.mark.parametrize("spill", [json.dumps, pickle.dumps, copy.deepcopy, hash, vars])
def test_no_way_of_serialising_gives_the_value(spill: object) -> None:
    with pytest.raises(TypeError):
        spill(Secret(CANARY))  # type: ignore[operator]  # a table of callables of many shapes


def test_equality_is_asked_for_by_name() -> None:
    assert Secret("a").equals(Secret("a"))
    assert not Secret("a").equals(Secret("b"))
    with pytest.raises(TypeError, match="constant time"):
        assert Secret("a") == Secret("a")


def test_a_fingerprint_depends_on_value_and_key() -> None:
    prints = {Secret(value).fingerprint(key, "a/b c") for value in ("a", "b") for key in (b"1", b"2")}
    assert len(prints) == 4
    assert Secret("a").fingerprint(b"1", "a/b c") in prints
