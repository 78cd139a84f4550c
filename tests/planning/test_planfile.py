import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reconciler.errors import PlanRefused
from reconciler.model.inputs import Checkout
from reconciler.model.json import digest
from reconciler.model.plan import Action, Change, Finding, Plan
from reconciler.model.resource import Address, Policy
from reconciler.model.secret import Secret, SecretReference, SecretSource
from reconciler.planning import planfile
from reconciler.planning.diff import diff
from reconciler.planning.diff.secret_changes import WriteOnly
from reconciler.planning.planfile import reading
from tests.builders import body, desired, live, manifest, plan_of
from tests.render.test_escape import is_harmless

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / reading.SCHEMA).read_text())
KEY = b"key"
SOURCE = SecretReference(SecretSource.FILE, "secret.txt")


BODIES = [body("1", "gone"), body("2", "same"), body("3", "shop", ClientSecret="planted"), body("4", "by hand")]


def rich_plan(bodies: Sequence[Any] = BODIES) -> Plan:
    """One change of every action, with every sort of field."""
    want = desired(
        manifest("new", AccessTokenDuration=60, MaximumGrantedRoles=["Shopper"]),
        manifest("gone", policy=Policy(absent=True)),
        manifest("same"),
        manifest("shop", Active=False, xp={"a": 1}, secrets={"ClientSecret": SOURCE}),
    )
    have = live(*bodies)
    secrets = {(Address("ApiClient", "shop"), "ClientSecret"): Secret("planted-new")}
    finding = Finding("limit-deletes", "1 > 0", "raise it", (Address("ApiClient", "gone"),))
    return replace(
        plan_of(*diff(want, have, secrets, WriteOnly(plan_key=b"key"))), guards=(finding,), warnings=("mind",)
    )


def altered(change: Any, *, sealed: bool = False) -> str:
    """The text of a plan after `change` did something to its document; sealed: with a digest that fits again."""
    document = json.loads(planfile.dumps(rich_plan()))
    change(document)
    if sealed:
        document["digest"] = digest({k: v for k, v in document.items() if k != "digest"})
    return "".join(planfile.pieces_of(document))


def test_a_plan_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(planfile.dumps(rich_plan()))
    assert reading.read(file) == rich_plan()


def test_what_both_sides_of_a_change_share_is_kept_once() -> None:
    there = body("A1", "a", xp={"same": ["x"] * 9}, AccessTokenDuration=1)
    plan = plan_of(*diff(desired(manifest("a", AccessTokenDuration=2)), live(there), {}))
    (change,) = reading.loads(planfile.dumps(plan), "plan.json").changes
    assert change.before is not None
    assert change.after is not None
    assert change.before["xp"] is change.after["xp"]
    assert (change.before["AccessTokenDuration"], change.after["AccessTokenDuration"]) == (1, 2)


def test_what_we_write_is_valid_by_our_own_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(planfile.dumps(rich_plan())), SCHEMA, jsonschema.Draft202012Validator)


def test_a_policy_that_was_written_for_terraform_judges_our_plans() -> None:
    document = json.loads(planfile.dumps(rich_plan()))
    deletions = [
        f"{one['type']}.{one['name']}"
        for one in document["resource_changes"]
        if one["mode"] == "managed" and "delete" in one["change"]["actions"]
    ]
    exposed = [
        one["name"]
        for one in document["resource_changes"]
        if any(one["change"]["after_sensitive"].values()) or one["change"]["after_unknown"]
    ]
    assert (deletions, exposed) == (["ApiClient.gone"], ["shop"])
    assert (document["errored"], document["complete"], document["applyable"]) == (False, True, False)


def test_a_plan_can_be_applied_as_it_is_where_it_has_changes_and_no_guard_objects() -> None:
    assert planfile.to_document(replace(rich_plan(), guards=()))["applyable"] is True
    assert planfile.to_document(plan_of())["applyable"] is False


@given(st.permutations(BODIES), st.randoms(use_true_random=False))
def test_equal_plans_give_equal_bytes_whatever_order_the_service_answered_in(bodies: Any, random: Any) -> None:
    def mixed(one: dict[str, Any]) -> dict[str, Any]:
        return dict(random.sample(list(one.items()), len(one)))

    assert planfile.dumps(rich_plan()) == planfile.dumps(rich_plan(list(map(mixed, bodies))))


@pytest.mark.sweep
@pytest.mark.parametrize(("seed", "locale"), [("1", "C"), ("2", "tr_TR.UTF-8")])
def test_equal_plans_give_equal_bytes_whatever_the_hash_seed_and_the_locale(seed: str, locale: str) -> None:
    script = "from tests.planning.test_planfile import *; print(planfile.dumps(rich_plan(), KEY), end='')"
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONHASHSEED": seed, "LC_ALL": locale},
    )
    assert done.stdout == planfile.dumps(rich_plan(), KEY)


def test_the_digest_covers_the_time_of_making_and_the_digest_of_the_changes_does_not() -> None:
    early, late = (json.loads(planfile.dumps(replace(rich_plan(), created_at=f"at {hour}"))) for hour in (1, 2))
    assert {name for name in early if early[name] != late[name]} == {"created_at", "digest"}
    assert early["changes_digest"] == planfile.changes_digest(rich_plan())


@given(st.integers(0, 10**6), st.integers(0, 255))
def test_a_plan_of_which_one_byte_was_changed_is_refused(place: int, byte: int) -> None:
    written = planfile.dumps(rich_plan(), KEY).encode()
    place %= len(written)
    altered = written[:place] + bytes([byte]) + written[place + 1 :]
    assume(altered != written)
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(altered)
        with pytest.raises(PlanRefused) as error:
            reading.read(Path(file.name), KEY)
    assert error.value.reason in {
        "altered",
        "no-plan",
        "no-digest",
        "no-signature",
        "signature",
        "format",
        "unreadable",
    }


@pytest.mark.parametrize("text", ["##vso[task.complete]", "x ##[group]", "###[error]", "##TeamCity[x]"])
def test_a_plan_that_is_printed_is_no_command_to_a_ci_runner(text: str) -> None:
    plan = replace(rich_plan([*BODIES, body("5", text, xp={text: text})]), warnings=(text,))
    written = planfile.dumps(plan)
    assert is_harmless(written)
    assert reading.loads(written, "plan.json") == plan


PARTS = 8


@pytest.mark.sweep
@pytest.mark.parametrize("part", range(PARTS))
def test_every_byte_of_a_plan_counts(part: int, tmp_path: Path) -> None:
    """Each is left out, changed and written twice."""
    written, file = planfile.dumps(rich_plan(), KEY).encode(), tmp_path / "plan.json"
    for at in range(part, len(written), PARTS):
        before, byte, after = written[:at], written[at], written[at + 1 :]
        for other in (b"", bytes([byte ^ 1]), bytes([byte, byte])):
            file.write_bytes(before + other + after)
            with pytest.raises(PlanRefused):
                reading.read(file, KEY)


def texts(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from texts(child, (*at, key))
    elif isinstance(value, str):
        yield at


def test_half_a_character_anywhere_makes_a_plan_an_altered_one() -> None:
    document = json.loads(planfile.dumps(rich_plan()))
    for *way, last in [at for at in texts(document) if at != ("format_version",)]:
        part = reduce(getitem, way, document)
        kept, part[last] = part[last], "\ud800"
        with pytest.raises(PlanRefused) as error:
            reading.loads("".join(planfile.pieces_of(document)), "plan.json")
        assert error.value.reason == "altered"
        part[last] = kept


@pytest.mark.parametrize(
    "rewritten",
    [
        lambda text: json.dumps(json.loads(text)),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace('"guards": [', '"guards": [],\n"guards": [', 1),
        lambda text: text.rstrip(),
        lambda text: f"{text}\n",
        lambda text: "\n".join((lines := text.split("\n"))[:1] + lines[2:0:-1] + lines[3:]),  # as long as before
    ],
)
def test_a_plan_that_says_the_same_in_other_bytes_is_refused(rewritten: Any, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_bytes(rewritten(planfile.dumps(rich_plan())).encode())
    with pytest.raises(PlanRefused, match="its content was reformatted") as error:
        reading.read(file)
    assert error.value.reason == "altered"


def test_a_number_beyond_all_numbers_is_no_plan_of_ours() -> None:
    text = planfile.dumps(rich_plan()).replace('"AccessTokenDuration": 60', '"AccessTokenDuration": 1e400', 1)
    with pytest.raises(PlanRefused) as error:
        reading.loads(text, "plan.json")
    assert error.value.reason == "altered"


def saved(folder: Path, key: bytes | None) -> Path:
    file = folder / "plan.json"
    file.write_text(planfile.dumps(rich_plan(), key), encoding="utf-8")
    return file


def test_a_plan_is_written_in_pieces_of_one_change_at_most() -> None:
    plan = rich_plan()
    pieces = [*planfile.pieces(plan, KEY)]
    assert "".join(pieces) == planfile.dumps(plan, KEY)
    assert max(piece.count('"mode": "managed"') for piece in pieces) == 1


def test_the_digest_of_a_plan_is_that_of_its_document() -> None:
    assert planfile.plan_digest(rich_plan()) == digest(planfile.to_document(rich_plan()))


def test_no_secret_value_is_in_the_file() -> None:
    assert "planted" not in planfile.dumps(rich_plan())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d["resource_changes"][1].update(id="other"), "altered"),
        (lambda d: d["resource_changes"].pop(), "altered"),
        (lambda d: d["guards"].clear(), "altered"),
        (lambda d: d["binding"].update(environment="production"), "altered"),
        (lambda d: d.pop("digest"), "no-digest"),
        (lambda d: d.update(summary={}, digest=None), "altered"),
        (lambda d: d.update(digest="0" * 64), "altered"),
        (lambda d: d.update(format_version="3.0"), "format"),
        (lambda d: d.update(created_at="2026-11-24T12:00:00.000000Z"), "altered"),
        (lambda d: d.pop("format_version"), "no-plan"),
        (lambda d: d.pop("resource_changes"), "no-plan"),
    ],
)
def test_a_plan_that_was_touched_is_refused_with_its_reason(change: Any, reason: str) -> None:
    with pytest.raises(PlanRefused) as error:
        reading.loads(altered(change), "plan.json")
    assert (error.value.reason, error.value.exit_code) == (reason, 4)
    assert "plan.json" in error.value.message


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["resource_changes"][0].pop("change"),
        lambda d: d["resource_changes"][0]["change"].update(actions=["explode"]),
        lambda d: d["resource_changes"][0]["change"].update(before=[1]),
        lambda d: d.update(binding=None),
        lambda d: d["guards"][0].update(addresses=["no-slash"]),
        lambda d: d.update(resource_changes="none"),
        lambda d: d.update(changes_digest="0" * 64),
        lambda d: d["resource_changes"][0].update(new_secrets=[{"name": "a", "deliver": [{"envFile": "x"}]}]),
        lambda d: d["resource_changes"][0].update(new_secrets=[{"name": "a", "expires": "2026-02-30"}]),
        lambda d: d["resource_changes"][0].update(kind="Nope", address="Nope/a"),
        lambda d: d["resource_changes"][0].update(address="ApiClient/another"),
        lambda d: d["resource_changes"][0].update(depends_on=["no-slash"]),
        lambda d: d["binding"].update(expires_at="never"),
    ],
)
def test_a_plan_of_another_shape_is_refused_even_where_its_digest_fits(change: Any) -> None:
    with pytest.raises(PlanRefused) as error:
        reading.loads(altered(change, sealed=True), "plan.json")
    assert error.value.reason == "altered"


def test_members_that_a_later_minor_format_adds_are_passed_over() -> None:
    text = altered(lambda d: (d["binding"].update(new=1), d.update(format_version="2.9")), sealed=True)
    assert reading.loads(text, "plan.json") == rich_plan()


@pytest.mark.parametrize("text", ["", "[]", "7", "{", '{"a": NaN}', "[" * 100_000, "apiVersion: reconciler/v1"])
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(PlanRefused) as error:
        reading.loads(text, "plan.json")
    assert error.value.reason == "no-plan"


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "plan.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(PlanRefused, match="cannot be read"):
        reading.read(file)


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        ({"environment": "production"}, "environment"),
        ({"base_url": "https://elsewhere.example"}, "base-url"),
        ({"marketplace": "other"}, "marketplace"),
        ({"tool_version": "9.9.9"}, "tool-version"),
        ({"manifest_digest": "1" * 64}, "manifests"),
        ({"git_commit": "b" * 40}, "commit"),
        ({"git_commit": None}, "commit"),
        ({"git_dirty": True}, "dirty"),
        ({"git_dirty": None}, "dirty"),
    ],
)
def test_a_plan_for_another_target_is_refused_with_its_reason(now: dict[str, Any], reason: str) -> None:
    plan = rich_plan()
    saved = replace(plan, binding=replace(plan.binding, git_commit="a" * 40))
    with pytest.raises(PlanRefused) as error:
        planfile.check_binding(saved, replace(saved.binding, **now), NOW, Checkout())
    assert error.value.reason == reason


def test_a_checkout_that_git_does_not_read_is_named_with_its_fix() -> None:
    plan = rich_plan()
    saved = replace(plan, binding=replace(plan.binding, git_commit="a" * 40))
    refused = Checkout(problem="git refuses this", fix="allow it")
    with pytest.raises(PlanRefused, match="git refuses this") as error:
        planfile.check_binding(saved, replace(plan.binding, git_commit=None), NOW, refused)
    assert (error.value.reason, error.value.hint) == ("commit", "allow it")


def test_a_plan_is_good_until_the_second_it_expires() -> None:
    plan = rich_plan()
    saved = replace(plan, binding=replace(plan.binding, expires_at="2026-11-23T12:00:00Z"))
    planfile.check_binding(saved, saved.binding, NOW.replace(hour=11, minute=59, second=59), Checkout())
    with pytest.raises(PlanRefused, match="expired at 2026-11-23T12:00:00Z"):
        planfile.check_binding(saved, saved.binding, NOW, Checkout())


def test_a_role_that_many_changes_of_a_plan_name_is_kept_once() -> None:
    roles = ["a role that is no constant"]
    changes = [
        Change(Address("ApiClient", name), Action.CREATE, None, None, {"MaximumGrantedCustomRoles": [*roles]})
        for name in ("a", "b")
    ]
    first, second = (one.after or {} for one in reading.loads(planfile.dumps(plan_of(*changes)), "plan.json").changes)
    assert first["MaximumGrantedCustomRoles"][0] is second["MaximumGrantedCustomRoles"][0]  # type: ignore[index]
