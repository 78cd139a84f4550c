"""Errors: what each says, and the tree that their module shows."""

import re

import pytest

from reconciler import errors
from reconciler.errors import InputError, ReconcilerError, RequestFacts, Unreachable, cut_off, cutting_off
from reconciler.model.diagnostic import Diagnostic, Place, Severity

BRANCH = re.compile(r"^((?:│   |├── |└── |    )*)([A-Z]\w+) +(\d*) ", re.MULTILINE)


def parents() -> dict[type[ReconcilerError], type | None]:
    found = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, ReconcilerError)]
    return {one: one.__base__ for one in found if one is not ReconcilerError}


def test_the_tree_of_the_module_has_every_error_below_its_parent_with_its_exit_code() -> None:
    path: list[type[ReconcilerError]] = []
    shown: dict[type[ReconcilerError], type[ReconcilerError]] = {}
    for branch, name, code in BRANCH.findall(errors.__doc__ or ""):
        one: type[ReconcilerError] = getattr(errors, name)
        assert one.exit_code == int(code or path[0].exit_code), name
        path[len(branch) // 4 :] = [one]
        if branch:
            shown[one] = path[-2]
    assert shown == parents()


def test_faults_are_counted_by_severity_and_told_in_the_order_of_the_files() -> None:
    faults = [Diagnostic(Place("b.yaml", 2, 1), "two", "r"), Diagnostic(Place("a.yaml", 9, 1), "one", "r")]
    error = InputError([*faults, Diagnostic(Place("c.yaml", 1, 1), "odd", "r", severity=Severity.WARNING)])
    assert error.message == "2 errors and 1 warning found"
    assert str(error) == f"{error.message}; a.yaml:9:1: one; b.yaml:2:1: two; c.yaml:1:1: odd"
    assert InputError(faults[:1]).message == "1 error found"


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (RequestFacts("GET", "/v1/me"), "GET /v1/me: no answer"),
        (RequestFacts("GET", "/v1/me", 503), "GET /v1/me, answered 503: no answer"),
        (RequestFacts("PUT", "/v1/x", 400, "Bad", "log-1"), "PUT /v1/x, answered 400, Bad, log id log-1: no answer"),
    ],
)
def test_a_failed_request_is_named_before_what_is_wrong_with_it(facts: RequestFacts, said: str) -> None:
    assert str(Unreachable("no answer", facts)) == said


@pytest.mark.parametrize("has_begun", [True, False])
def test_only_a_run_that_had_begun_to_write_says_so(has_begun: bool) -> None:
    with pytest.raises(KeyError) as caught, cutting_off(lambda: has_begun):
        raise KeyError
    assert bool(cut_off(caught.value)) is has_begun
