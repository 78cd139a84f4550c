import json

from hypothesis import given

from reconciler.model.reports import Adoption, Candidate, Proposal, State
from reconciler.model.resource import Address
from reconciler.render.adoption import ADOPTIONS, Adopted
from reconciler.render.style import PLAIN, Style
from tests.render.test_escape import TEXTS, is_harmless

FRONT = Address("ApiClient", "front")


def adopted(*proposals: Proposal, written: bool = False) -> Adopted:
    return Adopted(Adoption("test", "https://shop.example", "shop", proposals), "reconciler.yaml", written)


def test_a_state_has_its_colour_where_colour_is_wanted() -> None:
    document = ADOPTIONS["text"](adopted(Proposal(FRONT, State.BIND, "A1", "by AppName")), Style(colour=True))
    assert "\x1b[32mbind     \x1b[0m  ApiClient/front  A1  by AppName\n" in document


def test_every_state_is_counted_in_both_formats() -> None:
    shown = adopted(*(Proposal(FRONT, state, "A1") for state in State))
    assert ADOPTIONS["text"](shown, PLAIN).count("1 ") >= len(State)
    assert json.loads(ADOPTIONS["json"](shown, PLAIN))["summary"] == {
        "bind": 1,
        "bound": 1,
        "not_live": 1,
        "stale": 1,
        "ambiguous": 1,
        "taken": 1,
    }


@given(TEXTS, TEXTS)
def test_no_text_of_an_adoption_gets_through_unescaped(one: str, other: str) -> None:
    candidates = (Candidate(one, active=True, labels={one: other}), Candidate(other, active=False))
    proposals = tuple(Proposal(Address(one, other), state, other, one, candidates) for state in State)
    for written in (False, True):
        shown = Adopted(Adoption(one, other, one, proposals), other, written)
        assert is_harmless(ADOPTIONS["text"](shown, PLAIN))
        assert ADOPTIONS["json"](shown, PLAIN).isascii()
