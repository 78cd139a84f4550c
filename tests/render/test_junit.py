"""What a JUnit document says; `tests/judges` hold it to the XSD of Jenkins."""

from xml.etree import ElementTree as ET

from tests.render.test_render_golden import PLAIN_DOCUMENTS


def test_a_failure_says_where_its_manifest_is() -> None:
    failures = ET.fromstring(PLAIN_DOCUMENTS["everything.drift.junit"]).iter("failure")  # noqa: S314  # our own
    assert all(str(one.text).startswith("at manifests/clients.yaml:7:1\n") for one in failures)
