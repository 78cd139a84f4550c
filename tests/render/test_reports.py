import json
import re
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given

from reconciler.model.reports import Adoption, BindingState, Check, Diagnosis, ObjectSummary, Proposal, Verdict
from reconciler.model.resource import Address
from reconciler.render.reports import ADOPTIONS, DIAGNOSES, Adopted
from reconciler.render.style import PLAIN, Style
from tests.golden import golden
from tests.render.test_escape import TEXTS, is_harmless

FRONT = Address("ApiClient", "front")


def adopted(*proposals: Proposal, written: bool = False) -> Adopted:
    return Adopted(Adoption("test", "https://shop.example", "shop", proposals), "reconciler.yaml", written)


def test_a_state_has_its_colour_where_colour_is_wanted() -> None:
    document = ADOPTIONS["text"](adopted(Proposal(FRONT, BindingState.BIND, "A1", "by AppName")), Style(colour=True))
    assert "\x1b[32mbind     \x1b[0m  ApiClient/front  A1  by AppName\n" in document


def test_every_state_is_counted_in_both_formats() -> None:
    shown = adopted(*(Proposal(FRONT, state, "A1") for state in BindingState))
    assert ADOPTIONS["text"](shown, PLAIN).count("1 ") >= len(BindingState)
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
    candidates = (ObjectSummary(one, active=True, labels={one: other}), ObjectSummary(other, active=False))
    proposals = tuple(Proposal(Address(one, other), state, other, one, candidates) for state in BindingState)
    for written in (False, True):
        shown = Adopted(Adoption(one, other, one, proposals), other, written)
        assert is_harmless(ADOPTIONS["text"](shown, PLAIN))
        assert ADOPTIONS["json"](shown, PLAIN).isascii()


GOLDEN: Final = Path(__file__).parent / "doctor"
SOUND: Final = Diagnosis(
    "staging",
    (
        Check("configuration", Verdict.OK, "reconciler.yaml, environment staging: https://staging.example.com"),
        Check(
            "plan-key",
            Verdict.INFO,
            "RECONCILER_PLAN_KEY is not set: plans are not signed and have no fingerprints of secrets",
        ),
    ),
)
SICK: Final = Diagnosis(
    "staging",
    (
        *SOUND.checks,
        Check("login", Verdict.FAILED, "POST /oauth/token, answered 401: no", "check clientId and clientSecret"),
        Check("user", Verdict.SKIPPED, "it needs login, which failed"),
        Check("rate", Verdict.WARNING, "7 requests, 2 answered 429", "lower `concurrency` of this environment"),
    ),
)
HOSTILE: Final = Diagnosis(
    "::set-output name=x::\x1b[2J",
    (
        Check("own-client", Verdict.OK, "##vso[task.setvariable]\u202e\x07 (\n::error::)"),
        Check("user", Verdict.WARNING, "\x9b\u200b", "::warning::\ud800\u2028"),
    ),
)
CASES: Final = {"sound": SOUND, "sick": SICK, "hostile": HOSTILE}
SUFFIXES: Final = {"text": "txt", "json": "json"}


def documents(style: Style) -> dict[str, str]:
    return {
        f"{case}.{SUFFIXES[name]}": write(diagnosis, style)
        for name, write in DIAGNOSES.items()
        for case, diagnosis in CASES.items()
    }


DOCUMENTS: Final = documents(PLAIN)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_diagnosis_reads_as_its_golden_file(name: str) -> None:
    assert DOCUMENTS[name] == golden(GOLDEN / name, DOCUMENTS[name])


def test_no_golden_file_is_left_over() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(DOCUMENTS)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_nothing_of_the_service_reaches_a_terminal_or_a_runner(name: str) -> None:
    lines = DOCUMENTS[name].split("\n")
    assert all(line.isascii() and line.isprintable() for line in lines)
    assert not [line for line in lines if line.lstrip().startswith("::") or "##vso[" in line]


def test_colour_changes_nothing_but_colour() -> None:
    coloured = documents(Style(colour=True))
    assert coloured["sick.txt"] != DOCUMENTS["sick.txt"]
    assert {name: re.sub(r"\x1b\[[0-9;]*m", "", text) for name, text in coloured.items()} == DOCUMENTS


@pytest.mark.parametrize(("case", "healthy"), [("sound", True), ("sick", False), ("hostile", True)])
def test_programs_are_told_whether_all_is_well(case: str, healthy: bool) -> None:
    document = json.loads(DOCUMENTS[f"{case}.json"])
    assert list(document) == ["format_version", "ok", "environment", "checks"]
    assert document["ok"] is healthy
    assert all(list(check) == ["name", "status", "found", "fix"] for check in document["checks"])
