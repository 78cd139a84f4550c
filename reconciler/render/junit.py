"""Drift, result, report or error -> JUnit XML: each resource or fault is a test case, for the reports of CI systems.

There is no standard; this is valid by the XSD of Jenkins (``junit-10.xsd`` of its xunit plugin), which GitLab and Azure
Pipelines also read: ``testsuites`` with counts, one ``testsuite``, and in it ``testcase`` with ``failure``, ``error``
or ``skipped``. Places are in the text: the XSD has no attribute for them.
"""

from collections.abc import Container, Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement, fromstring, indent, tostring

from reconciler.errors import ReconcilerError, Skipped
from reconciler.model.diagnostic import Checked, Place, Report, Severity
from reconciler.model.drift import Drift
from reconciler.model.outcome import ApplyResult, Outcome, Status
from reconciler.model.plan import Action, Change
from reconciler.model.resource import Address
from reconciler.render.escape import LONGEST_MESSAGE, brief
from reconciler.render.rows import line, outcome_rows, rows
from reconciler.render.several import Planned, TextOf, texts_of
from reconciler.render.style import Style
from reconciler.render.wording import DOUBT, DRIFT_WORDS, SENT_WORDS, faults_of, findings_of, heading, named

_ENDS: Final = ("failure", "error", "skipped")


def _case(  # one for each part
    group: str, name: str, end: str = "", message: str = "", detail: Sequence[str] = (), place: Place | None = None
) -> Element:
    """One test case; without an end it passed. The lines of `detail` must be escaped."""
    case = Element("testcase", {"classname": brief(group), "name": brief(name)})
    if end:
        ended = SubElement(case, end, {"message": brief(message, LONGEST_MESSAGE), "type": end})
        ended.text = "\n".join([*([f"at {brief(str(place))}"] if place else []), *detail]) or None
    return case


def _suites(name: str, cases: Sequence[Element]) -> str:
    """The document of one suite."""
    failures, errors, skipped = (str(sum(case.find(end) is not None for case in cases)) for end in _ENDS)
    counts = {"tests": str(len(cases)), "failures": failures, "errors": errors}
    root = Element("testsuites", {"name": "reconciler", **counts})
    SubElement(root, "testsuite", {"name": brief(name), **counts, "skipped": skipped}).extend(cases)
    return _text(root)


def _text(root: Element) -> str:
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


# ------------------------------------------------------------------------------------------------------------ documents


def drift(drift: Drift, _digest: str, _style: Style) -> str:
    """A case for each resource: failed if it drifted, skipped if it is in no manifest."""
    shown = {change.address: change for change in drift.changes}
    drifted = {one.address for one in drift.deviations if one.is_drift}
    cases = [_resource(shown.get(change.address), change, drifted) for change in drift.plan.changes]
    return _suites(f"drift {drift.plan.binding.environment}", cases)


def _resource(shown: Change | None, change: Change, drifted: Container[Address]) -> Element:
    """Known drift of the baseline passes."""
    address = change.address
    if shown is None:
        return _case(address.kind, str(address), place=change.place)
    if change.action is Action.UNMANAGED:
        end = "failure" if address in drifted else "skipped"
        return _case(address.kind, named(change), end, "live, not in any manifest")
    lines = [line(row, DRIFT_WORDS) for row in rows(shown, DRIFT_WORDS)]
    message = f"{address} {DRIFT_WORDS.verbs[shown.action]}"
    return _case(address.kind, str(address), "failure", message, lines, change.place)


_END_OF: Final = {
    Status.APPLIED: "",
    Status.SKIPPED: "skipped",
    Status.FAILED: "error",
    Status.CONFLICT: "failure",
    Status.NOT_CONVERGED: "failure",
}


def result(result: ApplyResult, style: Style) -> str:
    """A case for each planned change."""
    return _suites(f"apply {style.environment}".strip(), [_outcome(outcome) for outcome in result.outcomes])


def _outcome(outcome: Outcome) -> Element:
    change, status = outcome.change, outcome.status
    doubt = f"; {DOUBT}" if outcome.uncertain else ""
    message = f"{outcome.message or status.value}{doubt}"
    lost = [f"not stored as sent: {line(row, SENT_WORDS)}" for row in outcome_rows(outcome.fields)]
    name = f"{change.action} {heading(change)}"
    return _case(change.address.kind, name, _END_OF[status], message, lost, change.place)


def validation(report: Report, style: Style) -> str:
    """A case for each fault, of which warnings pass; one passed case if there is no fault."""
    cases = [_fault(one) for one in report.found] or [_case("manifests", f"{report.files} files are valid")]
    return _suites(f"validate {style.environment}".strip(), cases)


def _fault(one: Checked) -> Element:
    fault, is_error = one.diagnostic, one.diagnostic.severity is Severity.ERROR
    name = f"{'' if is_error else 'warning: '}{fault.place}: {fault.message}"
    detail = [brief(text, LONGEST_MESSAGE) for text in (fault.pointer, fault.hint, *one.environments) if text]
    return _case(fault.rule, name, "failure" if is_error else "", fault.message, detail, fault.place)


def failure(name: str, error: ReconcilerError, style: Style) -> str:
    """Faults as failed cases; another error as a case that ended in an error."""
    cases = [
        *map(_fault, faults_of(error)),
        *(_case("guard", one.rule, "failure", one.message, [brief(one.fix)]) for one in findings_of(error)),
    ]
    if not cases and isinstance(error, Skipped):
        cases = [_case("reconciler", name, "skipped", error.message)]
    elif not cases:
        hint = [brief(error.hint, LONGEST_MESSAGE)] if error.hint else []
        cases = [_case("reconciler", name, "error", error.message, hint)]
    return _suites(f"{name} {style.environment}".strip(), cases)


def several(planned: Sequence[Planned], text_of: TextOf, style: Style) -> str:
    """One document with a suite for each environment."""
    parts = [fromstring(text) for text in texts_of(planned, text_of, style)]  # noqa: S314  # written by this module
    counts = {name: str(sum(int(part.get(name, "0")) for part in parts)) for name in ("tests", "failures", "errors")}
    root = Element("testsuites", {"name": "reconciler", **counts})
    root.extend(suite for part in parts for suite in part)
    return _text(root)
