"""A receipt as a file, and the seal that it shares with snapshots."""

import json
from dataclasses import replace
from typing import Any

import pytest

from reconciler.applying import receipt as receiptfile
from reconciler.errors import ReconcilerError
from reconciler.model.drift import Applied, Receipt
from reconciler.model.resource import Address
from tests.builders import BINDING

KEY = b"key"
RECEIPT = Receipt(
    "2026-11-01T02:00:00Z",
    BINDING.environment,
    BINDING.base_url,
    BINDING.marketplace,
    BINDING.manifest_digest,
    None,
    is_complete=True,
    resources=(
        Applied(Address("ApiClient", "a"), "ID", {"Active": "0" * 16, "xp": {"a/b": "1" * 16}}),
        Applied(Address("ApiClient", "gone"), None, None),
    ),
    unmanaged=("ApiClient/x",),
)


def refusal(text: str, key: bytes | None = None) -> str:
    with pytest.raises(ReconcilerError) as caught:
        receiptfile.loads(text, "r.json", key)
    return str(caught.value)


def altered(**members: Any) -> str:
    return json.dumps(json.loads(receiptfile.dumps(RECEIPT, KEY)) | members)


@pytest.mark.parametrize("key", [None, KEY])
def test_a_receipt_is_read_as_it_was_written(key: bytes | None) -> None:
    assert receiptfile.loads(receiptfile.dumps(RECEIPT, key), "r.json", key) == RECEIPT


def test_a_signed_receipt_is_read_without_the_key_too() -> None:
    assert receiptfile.loads(receiptfile.dumps(RECEIPT, KEY), "r.json") == RECEIPT


def test_a_character_that_is_escaped_in_two_halves_is_whole() -> None:
    one = replace(RECEIPT, environment="\U0001f600")
    assert receiptfile.loads(json.dumps(json.loads(receiptfile.dumps(one, KEY))), "r.json", KEY) == one


def test_each_resource_has_a_line() -> None:
    assert (
        len(receiptfile.dumps(RECEIPT, None).splitlines()) == len(json.loads(receiptfile.dumps(RECEIPT, None))) + 2 + 5
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "r.json is not a receipt: Expecting value"),
        ("[" * 100_000, "r.json is not a receipt: "),
        ("{}", "r.json is not a receipt: format_version is missing"),
        (altered(format_version="3.0"), "r.json has receipt format 3.0, but this version reads format 2.0"),
        (altered(complete=False), "r.json was altered since it was written"),
        (altered(more=1), "r.json was altered since it was written"),
        (altered(environment="\ud800"), "r.json was altered since it was written: it contains an unpaired surrogate"),
    ],
)
def test_what_is_no_receipt_or_was_altered_is_refused(text: str, words: str) -> None:
    assert words in refusal(text)


def test_with_a_key_only_its_own_signature_is_taken() -> None:
    assert "is not signed, but RECONCILER_PLAN_KEY is set" in refusal(receiptfile.dumps(RECEIPT, None), KEY)
    assert "is signed with another key" in refusal(receiptfile.dumps(RECEIPT, b"other"), KEY)


@pytest.mark.parametrize("member", ["environment", "base_url", "marketplace"])
def test_a_receipt_of_something_else_is_refused(member: str) -> None:
    receiptfile.check(RECEIPT, BINDING)
    other: dict[str, Any] = {member: "other"}
    with pytest.raises(ReconcilerError, match=r"the receipt is for .*, not "):
        receiptfile.check(RECEIPT, replace(BINDING, **other))
