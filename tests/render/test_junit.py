"""Every JUnit document has only the elements and attributes that the XSD of Jenkins has."""

from typing import Final
from xml.etree import ElementTree as ET

import pytest

from tests.render.test_golden import PLAIN_DOCUMENTS

DOCUMENTS: Final = {name: document for name, document in PLAIN_DOCUMENTS.items() if name.endswith(".junit")}
END: Final[tuple[set[str], set[str]]] = (set(), {"message", "type"})
ALLOWED: Final[dict[str, tuple[set[str], set[str]]]] = {
    "testsuites": ({"testsuite"}, {"name", "time", "tests", "failures", "errors"}),
    "testsuite": (
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
        {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname", "id", "package", "file"},
    ),
    "testcase": ({"skipped", "error", "failure", "system-out", "system-err"}, {"name", "time", "classname", "group"}),
    "failure": END,
    "error": END,
    "skipped": END,
}
"""Element -> its children and its attributes, by junit-10.xsd of the xunit plugin."""


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_has_nothing_that_the_xsd_of_jenkins_does_not_have(name: str) -> None:
    for element in ET.fromstring(DOCUMENTS[name]).iter():  # noqa: S314  # our own
        children, attributes = ALLOWED[element.tag]
        assert {child.tag for child in element} <= children
        assert set(element.keys()) <= attributes


def test_a_failure_says_where_its_manifest_is() -> None:
    failures = ET.fromstring(DOCUMENTS["everything.drift.junit"]).iter("failure")  # noqa: S314  # our own
    assert all(str(one.text).startswith("at manifests/clients.yaml:7:1\n") for one in failures)
