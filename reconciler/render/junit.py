"""Drift, result, report or error -> JUnit XML: each resource or fault is a test case, for the reports of CI systems.

There is no standard; this is valid by the XSD of Jenkins (``junit-10.xsd`` of its xunit plugin), which GitLab and Azure
Pipelines read, too: ``testsuites`` with counts, one ``testsuite``, and in it ``testcase`` with ``failure``, ``error``
or ``skipped``. A place stands in the text: the XSD has no attribute for it.
"""

from collections.abc import Container, Iterable, Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement, fromstring, indent, tostring

from reconciler.errors import ReconcilerError, Skipped
from reconciler.model.dataclass import dataclass
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


@dataclass(frozen=True, slots=True)
class Case:
    """One test case."""

    group: str
    name: str
    end: str = ""
    """``failure``, ``error``, ``skipped``, or empty: it passed."""
    message: str = ""
    detail: Sequence[str] = ()
    """Lines that are escaped already."""
    place: Place | None = None


def suites(name: str, cases: Sequence[Case]) -> str:
    """The document of one suite."""
    counts = {
        "tests": len(cases),
        **{f"{end}s" if end != "skipped" else end: _ended(cases, end) for end in ("failure", "error", "skipped")},
    }
    numbers = {key: str(count) for key, count in counts.items()}
    root = Element("testsuites", {"name": "reconciler", **{key: numbers[key] for key in numbers if key != "skipped"}})
    suite = SubElement(root, "testsuite", {"name": brief(name), **numbers})
    for case in cases:
        _add(suite, case)
    return _text(root)


def _text(root: Element) -> str:
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _ended(cases: Iterable[Case], end: str) -> int:
    return sum(case.end == end for case in cases)


def _add(suite: Element, case: Case) -> None:
    element = SubElement(suite, "testcase", {"classname": brief(case.group), "name": brief(case.name)})
    if case.end:
        end = SubElement(element, case.end, {"message": brief(case.message, LONGEST_MESSAGE), "type": case.end})
        place = [f"at {brief(str(case.place))}"] if case.place else []
        end.text = "\n".join([*place, *case.detail]) or None


# ------------------------------------------------------------------------------------------------------------ documents


def drift(drift: Drift, _digest: str, _style: Style) -> str:
    """A case for each resource: it fails where it drifted, and is skipped where no manifest knows it."""
    shown = {change.address: change for change in drift.changes}
    drifted = {one.address for one in drift.deviations if one.is_drift}
    cases = [_resource(shown.get(change.address), change, drifted) for change in drift.plan.changes]
    return suites(f"drift {drift.plan.binding.environment}", cases)


def _resource(shown: Change | None, change: Change, drifted: Container[Address]) -> Case:
    """What the baseline knows passes."""
    address = change.address
    if shown is None:
        return Case(address.kind, str(address), place=change.place)
    if change.action is Action.UNMANAGED:
        end = "failure" if address in drifted else "skipped"
        return Case(address.kind, named(change), end, "live, in no manifest")
    lines = [line(row, DRIFT_WORDS) for row in rows(shown, DRIFT_WORDS)]
    message = f"{address} {DRIFT_WORDS.verbs[shown.action]}"
    return Case(address.kind, str(address), "failure", message, lines, change.place)


_ENDS: Final = {
    Status.APPLIED: "",
    Status.SKIPPED: "skipped",
    Status.FAILED: "error",
    Status.CONFLICT: "failure",
    Status.NOT_CONVERGED: "failure",
}


def result(result: ApplyResult, style: Style) -> str:
    """A case for each planned change."""
    return suites(f"apply {style.environment}".strip(), [_outcome(outcome) for outcome in result.outcomes])


def _outcome(outcome: Outcome) -> Case:
    change, status = outcome.change, outcome.status
    doubt = f"; {DOUBT}" if outcome.uncertain else ""
    message = f"{outcome.message or status.value}{doubt}"
    lost = [f"not kept: {line(row, SENT_WORDS)}" for row in outcome_rows(outcome.fields)]
    return Case(change.address.kind, f"{change.action} {heading(change)}", _ENDS[status], message, lost, change.place)


def validation(report: Report, style: Style) -> str:
    """A case for each fault, of which warnings pass; one case that passes where there is no fault."""
    cases = [_fault(one) for one in report.found] or [Case("manifests", f"{report.files} files are valid")]
    return suites(f"validate {style.environment}".strip(), cases)


def _fault(one: Checked) -> Case:
    fault, is_error = one.diagnostic, one.diagnostic.severity is Severity.ERROR
    name = f"{'' if is_error else 'warning: '}{fault.place}: {fault.message}"
    detail = [brief(text, LONGEST_MESSAGE) for text in (fault.pointer, fault.hint, *one.environments) if text]
    return Case(fault.rule, name, "failure" if is_error else "", fault.message, detail, fault.place)


def failure(name: str, error: ReconcilerError, style: Style) -> str:
    """Faults as cases that fail; what kept the run from its document as one that ended in an error."""
    cases = [
        *map(_fault, faults_of(error)),
        *(Case("guard", one.rule, "failure", one.message, [brief(one.fix)]) for one in findings_of(error)),
    ]
    if not cases and isinstance(error, Skipped):
        cases = [Case("reconciler", name, "skipped", error.message)]
    elif not cases:
        hint = [brief(error.hint, LONGEST_MESSAGE)] if error.hint else []
        cases = [Case("reconciler", name, "error", error.message, hint)]
    return suites(f"{name} {style.environment}".strip(), cases)


def several(planned: Sequence[Planned], text_of: TextOf, style: Style) -> str:
    """One document with a suite for each environment."""
    parts = [fromstring(text) for text in texts_of(planned, text_of, style)]  # noqa: S314  # we have just written it
    counts = {name: str(sum(int(part.get(name, "0")) for part in parts)) for name in ("tests", "failures", "errors")}
    root = Element("testsuites", {"name": "reconciler", **counts})
    root.extend(suite for part in parts for suite in part)
    return _text(root)
