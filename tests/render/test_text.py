from reconciler.errors import GuardRefusal, InputError, PlanRefused, RequestFacts, Unreachable
from reconciler.model.diagnostic import Diagnostic, Place
from reconciler.model.plan import Finding
from reconciler.model.resource import Address
from reconciler.render.style import PLAIN, Style
from reconciler.render.text import error_text, internal_error, warning


def test_an_error_is_its_message_and_what_to_do_about_it() -> None:
    error = PlanRefused("expired", "the plan expired at noon", hint="plan again")
    assert error_text(error, PLAIN) == "error: the plan expired at noon [expired]\n  hint: plan again\n"


def test_an_error_without_a_hint_has_one_line() -> None:
    error = Unreachable("no answer", RequestFacts("GET", "/v1/me", 503))
    assert error_text(error, PLAIN) == "error: GET /v1/me, answered 503: no answer\n"


def test_faults_of_the_input_come_in_the_order_of_the_files_and_are_counted() -> None:
    error = InputError([Diagnostic(Place("b.yaml", 1, 2), "two", "r"), Diagnostic(Place("a.yaml", 9, 1), "one", "r")])
    assert error_text(error, PLAIN) == (
        "a.yaml:9:1: error: one [r]\nb.yaml:1:2: error: two [r]\nerror: 2 errors found\n"
    )


def test_a_refusal_shows_rule_numbers_and_both_ways_out() -> None:
    finding = Finding("limit-changes", "25 would change; allowed are 20", "split it", (Address("ApiClient", "a"),))
    assert error_text(GuardRefusal([finding], hint="or add --ack 0123456789ab"), PLAIN) == (
        "error: refused by a guard; nothing was written\n"
        "  limit-changes: 25 would change; allowed are 20\n"
        "      resources: ApiClient/a\n"
        "      fix: split it\n"
        "  hint: or add --ack 0123456789ab\n"
    )


def test_an_internal_error_says_where_but_not_what() -> None:
    text = internal_error(ValueError("a secret value"), "reconciler/differ.py:1", PLAIN)
    assert "ValueError at reconciler/differ.py:1" in text
    assert "a secret value" not in text


def test_only_the_word_in_front_is_coloured() -> None:
    assert warning("mind the gap", Style(colour=True)) == "\x1b[33mwarning:\x1b[0m mind the gap\n"
