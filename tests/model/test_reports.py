"""What reports count, and what is good in them."""

import pytest

from reconciler.model.diagnostic import Diagnostic, Place
from reconciler.model.reports import Adoption, BindingState, Check, Diagnosis, Proposal, Verdict
from reconciler.model.resource import Address


@pytest.mark.parametrize(
    ("verdicts", "is_healthy"),
    [
        ((), True),
        ((Verdict.OK, Verdict.WARNING, Verdict.INFO, Verdict.SKIPPED), True),
        ((Verdict.OK, Verdict.FAILED), False),
    ],
)
def test_only_a_failed_check_makes_an_environment_ill(verdicts: tuple[Verdict, ...], is_healthy: bool) -> None:
    found = Diagnosis("test", tuple(Check(f"c{number}", verdict, "") for number, verdict in enumerate(verdicts)))
    assert found.is_healthy is is_healthy
    assert {verdict: found.count(verdict) for verdict in Verdict} == {one: verdicts.count(one) for one in Verdict}


def test_only_what_is_to_be_bound_gives_an_id_and_only_faults_need_somebody() -> None:
    fault = Diagnostic(Place("a.yaml"), "two are called so", "ambiguous")
    states = {
        BindingState.BIND: "1",
        BindingState.BOUND: "2",
        BindingState.STALE: "3",
        BindingState.NOT_LIVE: None,
        BindingState.TAKEN: "4",
    }
    plain = tuple(Proposal(Address("ApiClient", state), state, known) for state, known in states.items())
    unclear = Proposal(Address("ApiClient", "x"), BindingState.AMBIGUOUS, fault=fault)
    found = Adoption("test", "https://a.example", "shop", (*plain, unclear))
    assert found.ids == {Address("ApiClient", "bind"): "1"}
    assert found.faults == (fault,)
    assert [found.count(state) for state in BindingState] == [1] * len(BindingState)
