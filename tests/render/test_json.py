"""What a JSON document has in it."""

import json
import re

import pytest

from reconciler.render.json import to_json
from tests.render.test_render_formats import PAGE
from tests.render.test_render_golden import DRIFTS, PLAIN_DOCUMENTS, RESULTS


def test_the_page_names_the_members_of_the_document_of_drift() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("The document of drift:")[2].partition("## jsonl")[0]
    rows = [re.findall(r"`(\w+)`", row) for row in section.splitlines() if row.startswith("| `")]
    document = to_json(DRIFTS["with-receipt"])
    assert rows[0] + [name for row in rows[1:-1] for name in row[:1]] + rows[-1] == list(document)
    told = {name for row in rows for name in row}
    inner = [document["summary"], *document["deviations"]]  # type: ignore[misc]  # see to_json
    assert {name for part in inner for name in part} <= told


@pytest.mark.parametrize("name", RESULTS)
def test_the_numbers_of_a_result_add_up_in_text_and_in_json(name: str) -> None:
    numbers = json.loads(PLAIN_DOCUMENTS[f"{name}.result.json"])["summary"]
    assert sum(numbers.values()) == 2 * numbers["planned"]
    totals = re.search(r"Apply: (\d+) .*", PLAIN_DOCUMENTS[f"{name}.result.text"])
    assert totals is None or sum(map(int, re.findall(r"\d+", totals[0]))) == 2 * int(totals[1])
