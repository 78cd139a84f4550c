"""Several documents in one: what is grouped, what is said of all, and what is escaped."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from reconciler.errors import InputError, ReconcilerError, Skipped
from reconciler.model.diagnostic import Diagnostic, Place
from reconciler.model.drift import Drift
from reconciler.model.outcome import ApplyResult, Outcome, Status
from reconciler.model.plan import Action, FieldChange, Finding, Plan
from reconciler.planning import drift as drifting
from reconciler.render import FORMATS
from reconciler.render.several import (
    SEVERAL,
    CellState,
    Document,
    Part,
    Planned,
    document,
    groups,
    matrix,
    text,
    verdict,
)
from reconciler.render.style import PLAIN, Style
from tests.render.test_render_golden import BINDING, HOSTILE, change

GONE: Final = change("b", Action.NO_OP, before=None, after=None)
ALL: Final = Plan(
    (change("a", Action.CREATE), GONE, change("c", Action.DELETE), change("d", Action.UNMANAGED)), BINDING
)
SAME: Final = Plan((change("a", Action.NO_OP),), BINDING)
BOTH: Final = (Part("one", ALL), Part("two", SAME))
DIFFERING: Final = "ids, lines of files, and what is in step, unmanaged or out of scope"
NO_ANSWER: Final = ReconcilerError("no answer", hint="try again")


def text_of(one: Planned, style: Style) -> str:
    """The document of one environment, as the command line gives it for text."""
    match one.found:
        case Plan():
            return str(FORMATS["text"].plan(one.found, one.digest, style))  # type: ignore[misc]
        case Drift():
            return str(FORMATS["text"].drift(one.found, one.digest, style))  # type: ignore[misc]
        case ApplyResult():
            return str(FORMATS["text"].result(one.found, style))  # type: ignore[misc]
        case None:
            return ""


def planned(number: int, value: int = 600, **changed: Any) -> Plan:
    """The plan of one of many environments: other ids, another target, the same change."""
    binding = replace(BINDING, environment=f"shop-{number}", base_url=f"https://{number}.example.com")
    field = FieldChange("/AccessTokenDuration", 60, value)
    updated = replace(change("front", Action.UPDATE, field), id=f"ID-{number}", place=Place("a.yaml", number + 1))
    unmanaged = [replace(change(f"x{number}", Action.UNMANAGED), id=f"x{number}")]
    plan = Plan((updated, change("same", Action.NO_OP), *unmanaged * (number % 2)), binding, out_of_scope=number)
    return replace(plan, **changed)


def several(found: Sequence[Document | ReconcilerError], noun: str = "plan") -> list[Planned]:
    parts: list[Planned] = []
    for one in found:
        name = f"shop-{len(parts)}"
        if isinstance(one, ReconcilerError):
            parts.append(Part(name, None, one, noun, one.exit_code))
        else:
            parts.append(Part(name, one, noun=noun))
    return parts


# -- what is the same --


def test_environments_that_differ_in_ids_lines_and_what_is_unmanaged_are_shown_once() -> None:
    written = text(several([planned(number) for number in range(3)]), text_of, PLAIN)
    first, last = written.split("\n=== all environments ===\n\n")
    assert first.splitlines()[:5] == [
        "=== 3 environments ===",
        "",
        "shop-0, shop-1, shop-2",
        "",
        f"Shown for shop-0. The others differ at most in {DIFFERING}.",
    ]
    assert (written.count("AccessTokenDuration  60 -> 600"), last) == (
        1,
        "3 environments: 3 share the same change.\n",
    )


def test_whatever_else_differs_keeps_environments_apart() -> None:
    finding = Finding("limits", "too many", "fewer")
    others = [
        planned(1, 601),
        planned(2, guards=(finding,)),
        planned(3, warnings=("odd",)),
        replace(planned(4), changes=(replace(planned(4).changes[0], protected=True),)),
        replace(planned(5), changes=(*planned(5).changes, change("more", Action.CREATE))),
    ]
    assert [one.names for one in groups(several([planned(0), *others]))] == [[f"shop-{each}"] for each in range(6)]


def test_an_id_of_the_same_plan_is_the_same_reference_and_any_other_value_is_not() -> None:
    def hooked(number: int, target: str) -> Plan:
        client = replace(change("front", Action.NO_OP), id=f"ID-{number}")
        field = FieldChange("/ApiClientIDs", [], [target], added=(target,))
        hook = replace(change("hook", Action.UPDATE, field), address=replace(HOSTILE.address, kind="Webhook", name="h"))
        return replace(planned(number), changes=(client, hook))

    same = [hooked(1, "ID-1"), hooked(2, "id-2")]
    assert len(groups(several(same))) == 1
    assert len(groups(several([*same, hooked(3, "ID-1")]))) == 2


def test_the_verdict_counts_what_environments_have_in_common() -> None:
    same, other = [planned(number) for number in range(12)], planned(12, 90)
    in_step = [replace(planned(number), changes=(change("same", Action.NO_OP),)) for number in range(187)]
    found = groups(several([*in_step, *same, other, NO_ANSWER, Skipped("skipped: shop-2 did not exit with 0")]))
    assert verdict(found) == "187 in step, 12 share the same change, 1 with other changes, 1 failed, 1 skipped"


def test_drift_and_results_are_grouped_as_plans_are() -> None:
    drifts = [drifting.find(planned(number)) for number in range(3)]
    assert verdict(groups(several(drifts, "drift"))) == "3 share the same drifted resource"
    results = [
        ApplyResult((Outcome(planned(number).changes[0], Status.APPLIED, id=f"ID-{number}"),), number, run=f"r{number}")
        for number in range(3)
    ]
    nothing = ApplyResult((), 4)
    found = several([*results, nothing], "apply")
    assert verdict(groups(found)) == "1 in step, 3 share the same applied change"
    failed = replace(results[0], outcomes=(replace(results[0].outcomes[0], status=Status.FAILED),))
    assert verdict(groups([*found, Part("last", failed, noun="apply", code=5)])).endswith(", 1 failed")


def test_every_environment_of_a_group_has_its_own_command() -> None:
    style = replace(PLAIN, is_offered=True)
    parts = [Part(f"shop-{number}", planned(number), digest="d" * 64) for number in range(3)]
    written = text(parts, text_of, style)
    assert [line.split("--env ")[1] for line in written.splitlines() if "--env " in line] == [
        f"shop-{n}" for n in range(3)
    ]


def test_plans_from_snapshots_of_other_moments_are_one_group_and_the_age_of_the_oldest_is_told() -> None:
    moments = [f"2026-01-0{number}T00:00:00Z" for number in (3, 1, 2)]
    snapshots = [
        planned(number, snapshot=moment, warnings=(f"from a snapshot taken at {moment}: secrets were not compared",))
        for number, moment in enumerate(moments)
    ]
    assert len(groups(several(snapshots))) == 1
    written = SEVERAL["html"](several(snapshots), text_of, PLAIN)
    assert "The oldest snapshot is of 2026-01-01T00:00:00Z." in written


# -- many of them --


def test_a_comment_of_200_environments_has_room_for_all_names_and_each_change_once() -> None:
    parts = several([planned(number, 600 if number % 100 else 90) for number in range(200)])
    written = SEVERAL["markdown"](parts, markdown, PLAIN)
    assert len(written) < PLAIN.room
    assert all(f"`shop-{number}`" in written for number in range(200))
    assert (written.count("+     600"), written.count("+     90")) == (1, 1)
    assert "\n### 198 environments: 1 change\n" in written


def test_a_comment_of_200_different_environments_says_what_is_not_shown_and_names_each() -> None:
    parts = several([planned(number, number) for number in range(200)])
    written = SEVERAL["markdown"](parts, markdown, replace(PLAIN, source="reconciler plan --env-all"))
    assert len(written) < PLAIN.room
    assert written.splitlines()[1].endswith("of 200**: not enough room. Full output: `reconciler plan --env-all`.")
    assert all(f"`shop-{number}`" in written for number in range(200))


def test_a_comment_of_a_thousand_environments_with_long_names_stays_below_its_limit() -> None:
    parts = [replace(one, environment=f"{one.environment:x<63}") for one in several([planned(n) for n in range(1000)])]
    written = SEVERAL["markdown"](parts, markdown, PLAIN)
    assert len(written) < PLAIN.room
    assert " more" in written


def test_a_page_of_200_environments_has_each_change_once_and_is_filtered_by_any_name() -> None:
    parts = several([planned(number) for number in range(200)])
    written = SEVERAL["html"](parts, text_of, PLAIN)
    assert (written.count('data-name="ApiClient/front"'), written.count('<option value="shop-199">shop-199<')) == (1, 1)
    assert " shop-199" in written.partition("data-environment=")[2].partition('">')[0]


def markdown(one: Planned, style: Style) -> str:
    assert isinstance(one.found, Plan)
    return str(FORMATS["markdown"].plan(one.found, one.digest, style))  # type: ignore[misc]


# -- the rest --


def test_each_resource_has_a_state_in_each_environment() -> None:
    assert matrix(BOTH) == {
        "ApiClient/a": {"one": CellState.MISSING, "two": CellState.IN_STEP},
        "ApiClient/b": {"one": CellState.NOT_HERE, "two": CellState.NOT_HERE},
        "ApiClient/c": {"one": CellState.WOULD_BE_DELETED, "two": CellState.NOT_HERE},
    }


def test_an_error_stands_in_the_place_of_its_environment() -> None:
    failed: Planned = Part("three", None, NO_ANSWER)
    assert text([*BOTH, failed], text_of, PLAIN).partition("=== three ===")[2].splitlines() == [
        "",
        "",
        "error: no answer",
        "  hint: try again",
        "",
        "=== all environments ===",
        "",
        "3 environments: 1 in step, 1 with changes, 1 failed.",
    ]


def test_the_same_error_is_told_once_with_its_environments() -> None:
    written = text([Part("one", None, NO_ANSWER), Part("two", None, NO_ANSWER)], text_of, PLAIN)
    assert written.startswith("=== 2 environments ===\n\none, two\n\nerror: no answer\n  hint: try again\n\n")


def test_names_of_resources_are_escaped() -> None:
    written = text([Part("one", replace(ALL, changes=(HOSTILE,)))], text_of, PLAIN)
    assert "ApiClient/::set-output name=x::\\u001b[2J" in written


def test_as_json_an_error_has_its_faults() -> None:
    fault = Diagnostic(Place("a.yaml", 1, 2), "wrong", "rule")
    written = json.loads(document([Part("one", None, InputError([fault]))], text_of, PLAIN))
    (found,) = written["environments"]
    assert (found["error"]["exit_code"], found["error"]["diagnostics"][0]["place"]["line"]) == (1, 1)
    assert (found["environment"], "plan" in found, written["matrix"]) == ("one", False, {})
