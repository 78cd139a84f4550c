"""The digest and the signature of a file: what proves it, and what does not."""

import hmac
import json
import re
from pathlib import Path

import pytest

from reconciler.errors import PlanRefused
from reconciler.model.json import digest
from reconciler.planning import planfile
from reconciler.planning.planfile import reading
from tests.planning.test_planfile import KEY, rich_plan, saved


def test_a_signed_plan_is_read_with_its_key(tmp_path: Path) -> None:
    assert reading.read(saved(tmp_path, KEY), KEY) == rich_plan()


def test_a_signature_is_no_part_of_what_the_digest_covers() -> None:
    signed, plain = (json.loads(planfile.dumps(rich_plan(), key)) for key in (KEY, None))
    assert re.fullmatch("[0-9a-f]{64}", signed.pop("signature"))
    assert signed == plain


@pytest.mark.parametrize(
    ("written_with", "read_with", "reason"),
    [(None, KEY, "no-signature"), (b"another", KEY, "signature"), (KEY, None, "no-key")],
)
def test_a_plan_whose_signature_is_not_proven_is_refused(
    tmp_path: Path, written_with: bytes | None, read_with: bytes | None, reason: str
) -> None:
    with pytest.raises(PlanRefused) as error:
        reading.read(saved(tmp_path, written_with), read_with)
    assert (error.value.reason, error.value.exit_code) == (reason, 4)


def test_a_forged_plan_needs_the_key_besides_a_digest_that_fits(tmp_path: Path) -> None:
    document = json.loads(planfile.dumps(rich_plan(), KEY))
    document["guards"] = []
    document["digest"] = digest({k: v for k, v in document.items() if k not in {"digest", "signature"}})
    with pytest.raises(PlanRefused) as error:
        reading.loads("".join(planfile.pieces_of(document)), "plan.json", KEY)
    assert error.value.reason == "signature"


def test_no_secret_can_be_chosen_so_that_its_fingerprint_is_a_signature() -> None:
    signature = json.loads(planfile.dumps(rich_plan(), KEY))["signature"]
    message = b"\xffplan\n" + planfile.plan_digest(rich_plan()).encode()
    assert hmac.new(KEY, message, "sha256").hexdigest() == signature
    with pytest.raises(UnicodeDecodeError):
        message.decode()
