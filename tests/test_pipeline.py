"""The phases joined, against the emulator."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.applying.run import Controls
from reconciler.errors import (
    AccessDenied,
    BadAnswer,
    GuardRefusal,
    PlanRefused,
    ReconcilerError,
    RemoteError,
    WrongMarketplace,
)
from reconciler.live import identify, read_objects
from reconciler.model.inputs import Selection
from reconciler.model.named_secret import NamedSecret
from reconciler.model.plan import Limits
from reconciler.model.resource import Policy
from reconciler.model.secret import SecretReference, SecretSource, ToFile
from reconciler.planning.check import check_saved
from reconciler.planning.planfile import acknowledgement
from reconciler.remote.client import ReadClient
from tests.builders import body, desired, manifest
from tests.service import NO_LIMITS, Shop, client_id, shop

A, B = client_id(0xA), client_id(0xB)
NOW = datetime(2026, 11, 23, tzinfo=UTC)
STRICT = replace(NO_LIMITS, limits=Limits(changes=0))


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Shop]:
    """A marketplace of one client, a."""
    with shop(tmp_path, body(A, "a"), profile="legacy") as opened:
        yield opened


def test_the_wrong_marketplace_stops_everything_before_anything_else_is_read(one: Shop) -> None:
    with pytest.raises(WrongMarketplace, match="production") as error:
        one.plan(desired(manifest("a")), replace(NO_LIMITS, marketplace="production"))
    assert error.value.exit_code == 3
    assert [entry["path"] for entry in one.requests()] == ["/oauth/token", "/v1/me"]


def test_the_right_marketplace_is_known_in_any_case(one: Shop) -> None:
    assert (
        one.plan(desired(manifest("a")), replace(NO_LIMITS, marketplace="EMULATOR")).binding.marketplace == "emulator"
    )


def test_a_refused_plan_is_shown_and_not_applied(one: Shop) -> None:
    plan = one.plan(desired(manifest("a", Active=False)), STRICT)
    assert [finding.rule for finding in plan.guards] == ["limit-changes"]
    with pytest.raises(GuardRefusal) as error:
        one.apply(plan)
    assert acknowledgement(plan) in error.value.hint
    assert one.writes() == []


def test_the_digest_of_this_plan_and_of_no_other_overrides_a_guard(one: Shop) -> None:
    plan, other = (one.plan(desired(manifest("a", AccessTokenDuration=life)), STRICT) for life in (60, 61))
    with pytest.raises(GuardRefusal, match="would change") as error:
        one.apply(plan, acknowledged=acknowledgement(other))
    assert "other changes" in error.value.hint
    assert one.apply(plan, acknowledged=acknowledgement(plan)).is_complete


def test_no_digest_overrides_a_guard_that_is_final(one: Shop) -> None:
    plan = one.plan(desired(manifest("a", policy=Policy(protected=True), Active=False)))
    with pytest.raises(GuardRefusal) as error:
        one.apply(plan)
    assert "--ack" not in error.value.hint
    with pytest.raises(GuardRefusal, match="protected"):
        one.apply(plan, acknowledged=acknowledgement(plan))
    assert one.writes() == []


@pytest.mark.parametrize("fault", ["status=500", "status=403", "body=html", "body=truncated", "drop=before"])
@pytest.mark.parametrize("path", ["/v1/me", "/v1/apiclients"])
def test_a_read_that_fails_gives_no_plan(one: Shop, path: str, fault: str) -> None:
    one.fault(f"GET {path} {fault} count=all")
    with pytest.raises(RemoteError) as error:
        one.plan(desired(manifest("new", AccessTokenDuration=60)))
    assert path in error.value.message


class _Odd:
    """A service whose one client has a flag that is no flag."""

    def list_all(self, _path: str) -> list[dict[str, Any]]:
        return [body(A, "a", Active="yes")]


def test_a_client_of_a_shape_that_we_do_not_understand_is_there_with_its_fault() -> None:
    (found,) = read_objects(_Odd(), ["ApiClient"], "shop").resources  # type: ignore[arg-type]  # only list_all() is asked
    assert (found.id, "Active" in found.body, found.faults[0].partition(":")[0]) == (A, False, "/Active")


def test_a_secret_that_is_not_there_stops_an_apply_before_any_write(one: Shop) -> None:
    source = SecretReference(SecretSource.ENVIRONMENT, "NEW")
    want = desired(manifest("a", secrets={"ClientSecret": source}))
    with pytest.raises(ReconcilerError, match="NEW"):
        one.plan(want, replace(NO_LIMITS, requires_secrets=True))
    one.secrets["NEW"] = "planted"
    plan = one.plan(want)
    one.secrets.clear()
    with pytest.raises(ReconcilerError, match="NEW"):
        one.apply(plan)
    assert one.writes() == []


def test_a_secret_that_changed_since_the_plan_refuses_it(one: Shop) -> None:
    source = SecretReference(SecretSource.ENVIRONMENT, "NEW")
    one.secrets["NEW"] = "planted"
    plan = one.plan(desired(manifest("a", secrets={"ClientSecret": source})), replace(NO_LIMITS, plan_key=b"key"))
    one.secrets["NEW"] = "planted-later"
    with pytest.raises(PlanRefused, match="has changed since the plan was made"):
        one.apply(plan, plan_key=b"key")
    one.secrets["NEW"] = "planted"
    assert one.apply(plan, plan_key=b"key").is_complete


def test_a_saved_plan_is_checked_against_what_is_here_now(one: Shop) -> None:
    want = desired(manifest("a", Active=False))
    plan = one.plan(want)
    with one.reader() as reader:
        check_saved(plan, want, reader, NO_LIMITS, NOW)
        with pytest.raises(PlanRefused, match="manifests"):
            check_saved(plan, desired(manifest("a")), reader, NO_LIMITS, NOW)


def test_findings_that_were_taken_out_of_a_saved_plan_are_found_again(one: Shop) -> None:
    want = desired(manifest("a", policy=Policy(protected=True), Active=False))
    forged = replace(one.plan(want), guards=())
    with one.reader() as reader:
        objections = check_saved(forged, want, reader, NO_LIMITS, NOW)
    with pytest.raises(GuardRefusal, match="protected"):
        one.apply(forged, objections=objections, acknowledged=acknowledgement(forged, objections))
    assert one.writes() == []


def test_a_saved_plan_whose_new_secret_would_be_due_at_once_by_now_is_refused(one: Shop) -> None:
    now = datetime.now(UTC)
    secret = NamedSecret("primary", expires=now + timedelta(days=7), deliver=(ToFile("a.secret"),))
    want = desired(replace(manifest("a"), named_secrets=(secret,)))
    plan = one.plan(want, replace(NO_LIMITS, now=now - timedelta(hours=1)))
    assert [one.rule for one in (*plan.guards, *one.objections(plan, want))] == ["secret-expiry"]


def test_a_new_secret_that_would_be_due_at_once_forbids_only_the_plans_that_make_it(one: Shop) -> None:
    secret = NamedSecret("primary", expires=datetime(2020, 1, 1, tzinfo=UTC), deliver=(ToFile("a.secret"),))
    want = desired(replace(manifest("a"), named_secrets=(secret,)), manifest("b"))
    restricted = replace(NO_LIMITS, selection=Selection(only=("ApiClient/b",)))
    assert "secret-expiry" in {each.rule for each in one.plan(want).guards}
    assert "secret-expiry" not in {each.rule for each in one.plan(want, restricted).guards}


def test_a_limit_that_was_lowered_since_the_plan_was_saved_holds(one: Shop) -> None:
    want = desired(manifest("a", Active=False))
    plan = one.plan(want)
    with one.reader() as reader:
        objections = check_saved(plan, want, reader, STRICT, NOW)
    with pytest.raises(GuardRefusal, match="limit-changes") as error:
        one.apply(plan, objections=objections)
    assert acknowledgement(plan, objections) in error.value.hint
    assert one.writes() == []


def test_a_plan_of_a_part_is_not_judged_by_rules_that_need_the_whole(one: Shop) -> None:
    want = desired(manifest("a", Active=False))
    restricted = replace(NO_LIMITS, selection=Selection(only=("ApiClient/a",)))
    plan = one.plan(want, restricted)
    with one.reader() as reader:
        percent = replace(NO_LIMITS, limits=Limits(changes_percent=1, deletes=None))
        assert check_saved(plan, want, reader, percent, NOW) == ()


class _Me:
    """A service that answers `GET /v1/me` so."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def me(self) -> Any:
        return self.answer


@pytest.mark.parametrize("party", ["Buyer", "Supplier"])
def test_a_user_who_is_no_seller_is_told_so(party: str) -> None:
    with pytest.raises(AccessDenied, match=f"{party.lower()}'s user") as error:
        identify(_Me({"Seller": {"ID": "shop"}, party: {"ID": "x"}}))  # type: ignore[arg-type]  # only me() is asked
    assert "seller user" in error.value.hint


@pytest.mark.parametrize("seller", [None, {}, {"ID": ""}, {"ID": 7}, "shop"])
def test_an_answer_that_names_no_marketplace_is_a_bad_one(seller: Any) -> None:
    with pytest.raises(BadAnswer, match=r"Seller\.ID"):
        identify(_Me({"Seller": seller}))  # type: ignore[arg-type]  # only me() is asked


def test_a_reader_has_no_verb_that_writes() -> None:
    assert not {"put", "post", "patch", "delete", "request", "send"} & set(dir(ReadClient))


def test_outcomes_are_reported_one_at_a_time_as_they_end(one: Shop) -> None:
    seen: list[str] = []
    one.apply(
        one.plan(desired(manifest("a", Active=False))),
        Controls(on_outcome=lambda outcome: seen.append(str(outcome.change.address))),
    )
    assert seen == ["ApiClient/a"]
