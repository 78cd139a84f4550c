import re
from pathlib import Path

import pytest

from reconciler import errors
from reconciler.cli.exit import ExitCode, of_plan, of_result, worst
from reconciler.model.outcome import ApplyResult, Outcome, Status
from reconciler.model.plan import Action, Change, Plan
from reconciler.model.resource import Address
from tests.builders import BINDING

PAGE = Path(__file__).parents[2] / "docs" / "exit-codes.md"
MEANINGS = {
    ExitCode.DONE: 'done; for `plan` also "there are changes" unless `--detailed-exitcode`',
    ExitCode.ERROR: "error; nothing was written",
    ExitCode.CHANGES: "changes or drift exist (`plan --detailed-exitcode`, `drift`), a plan is not what was reviewed "
    "(`show --reviewed`), or a rotation is due (`secrets status`)",
    ExitCode.REFUSED: "a guard refuses; nothing was written. `plan` shows and saves the plan all the same",
    ExitCode.PLAN_REFUSED: "the saved plan is stale, altered, expired, unsigned, no plan at all, or made for another "
    "target; nothing was written",
    ExitCode.PARTLY_APPLIED: "partly applied: some changes failed, the journal lists them; or some environments were "
    "written, and the next one was not",
    ExitCode.NOT_CONVERGED: "written, but the service does not have what was sent",
    ExitCode.USAGE: "wrong usage; nothing was contacted",
    ExitCode.INTERRUPTED: "interrupted; in-flight writes were finished and recorded",
}
CHANGE = Change(Address("ApiClient", "a"), Action.UPDATE, "ID", {}, {})


def result(*statuses: Status, interrupted: bool = False) -> ApplyResult:
    return ApplyResult(tuple(Outcome(CHANGE, status) for status in statuses), 0, interrupted)


def test_the_page_on_exit_codes_has_the_table_of_the_code() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [(str(code.value), meaning) for code, meaning in MEANINGS.items()]


def test_every_code_has_a_meaning() -> None:
    assert list(MEANINGS) == list(ExitCode)


def test_every_error_ends_with_a_code_of_the_table() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert {kind.exit_code for kind in kinds if issubclass(kind, errors.ReconcilerError)} <= set(ExitCode)


@pytest.mark.parametrize(
    ("action", "detailed", "code"),
    [(Action.UPDATE, True, 2), (Action.UPDATE, False, 0), (Action.NO_OP, True, 0), (Action.UNMANAGED, True, 0)],
)
def test_a_plan_exits_with_2_only_where_it_is_asked_to_and_would_write(
    action: Action, detailed: bool, code: int
) -> None:
    plan = Plan((Change(Address("ApiClient", "a"), action, "ID", {}, {}),), BINDING)
    assert of_plan(plan, None, detailed=detailed) == code


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ((), ExitCode.DONE),
        ((Status.APPLIED, Status.APPLIED), ExitCode.DONE),
        ((Status.APPLIED, Status.NOT_CONVERGED), ExitCode.NOT_CONVERGED),
        ((Status.APPLIED, Status.FAILED), ExitCode.PARTLY_APPLIED),
        ((Status.APPLIED, Status.CONFLICT), ExitCode.PARTLY_APPLIED),
        ((Status.NOT_CONVERGED, Status.FAILED), ExitCode.PARTLY_APPLIED),
        ((Status.NOT_CONVERGED, Status.SKIPPED), ExitCode.PARTLY_APPLIED),
        ((Status.CONFLICT, Status.SKIPPED), ExitCode.ERROR),
        ((Status.CONFLICT,), ExitCode.ERROR),
    ],
)
def test_a_result_exits_with_the_code_of_its_worst_outcome(statuses: tuple[Status, ...], code: ExitCode) -> None:
    assert of_result(result(*statuses)) is code


def test_an_interruption_outweighs_what_else_went_wrong() -> None:
    assert of_result(result(Status.APPLIED, Status.FAILED, interrupted=True)) is ExitCode.INTERRUPTED


@pytest.mark.parametrize(
    ("codes", "code"),
    [((), 0), ((0, 0), 0), ((0, 2), 2), ((2, 4), 4), ((4, 3), 3), ((3, 1), 1), ((64, 64), 64), ((64, 0), 1)],
)
def test_several_environments_exit_with_the_worst_code(codes: tuple[int, ...], code: int) -> None:
    assert worst([ExitCode(one) for one in codes]) == code
