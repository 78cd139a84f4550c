"""Drift, report or error -> SARIF 2.1.0: findings with places and fingerprints, for code scanning and editors.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html; section numbers below are of that page.
"""

import json
from collections.abc import Sequence
from dataclasses import field, replace
from pathlib import PurePath
from typing import Final
from urllib.parse import quote

from reconciler import __version__
from reconciler.errors import ReconcilerError
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Checked, Diagnostic, Place, Report, Waiver
from reconciler.model.drift import Deviation, Drift
from reconciler.model.json import Json, digest
from reconciler.render.escape import LONGEST_MESSAGE, brief, escape, json_text
from reconciler.render.rows import line, rows
from reconciler.render.several import Planned, TextOf
from reconciler.render.style import Style
from reconciler.render.wording import DRIFT_WORDS, faults_of, findings_of, is_wider

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


_HOME: Final = "https://github.com/your-org/ordercloud-reconciler"
_DRIFT_HELP: Final = "Revert the change with reconciler apply, or keep it with reconciler drift --write-back --write."
_FAULT_HELP: Final = "Correct the file at the reported location; reconciler explain describes each field."
_FAILED_HELP: Final = "See the message for the cause and the fix; --verbose shows the requests."


@dataclass(frozen=True, slots=True)
class SarifResult:
    """One finding."""

    rule: str
    level: str
    """``error``, ``warning`` or ``note``."""
    message: str
    fingerprint: str
    """Equal in every run with the same finding."""
    place: Place | None = None
    address: str = ""
    """The resource, if there is no file."""
    waiver: Waiver | None = None
    properties: dict[str, Json] = field(default_factory=dict)


def document(name: str, environment: str, results: Sequence[SarifResult], *, successful: bool) -> str:
    """The log of one run of a command for an environment (or for all of them: empty)."""
    rules = sorted({result.rule for result in results})
    driver: Json = {
        "name": "reconciler",
        "fullName": f"ordercloud-reconciler {__version__}",
        "version": __version__,
        "semanticVersion": __version__,
        "informationUri": _HOME,
        "rules": [_rule(rule) for rule in rules],
    }
    run: Json = {
        "tool": {"driver": driver},
        "automationDetails": {"id": "/".join(["reconciler", name, *[brief(environment)] * bool(environment), ""])},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": successful}],
        "results": [_result(result, rules.index(result.rule)) for result in results],
    }
    log: Json = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json_text(log)


def _rule(rule: str) -> Json:
    """What viewers show of a rule next to its findings."""
    words = rule.replace("-", " ").replace(".", " ")
    if rule.startswith("drift-"):
        kind = words.removeprefix("drift ")
        what, about, page = f"Live differs from the manifests: {kind}.", _DRIFT_HELP, "drift.md"
    elif rule.endswith("-failed"):
        what, about, page = f"The command ended in an error: {words}.", _FAILED_HELP, "exit-codes.md"
    else:
        what, about, page = f"A finding in manifests, configuration or plan: {words}.", _FAULT_HELP, "rules.md"
    named, uri = _pascal(rule), f"{_HOME}/blob/main/docs/{page}"
    return {
        "id": rule,
        **({} if named.lower() == rule else {"name": named}),
        "shortDescription": {"text": what},
        "fullDescription": {"text": f"{what} {about}"},
        "help": {"text": about, "markdown": f"{about} See [{page}]({uri})."},
        "helpUri": uri,
    }


def _pascal(rule: str) -> str:
    """The name of a rule in Pascal case (3.49.7)."""
    return "".join(part.capitalize() for part in rule.replace(".", "-").split("-")) or "Rule"


def _result(result: SarifResult, index: int) -> Json:
    suppressions: list[Json] = [_suppression(result.waiver)] if result.waiver else []
    return {
        "ruleId": result.rule,
        "ruleIndex": index,
        "level": result.level,
        "message": {"text": text(result.message)},
        "locations": [_location(result)] if result.place or result.address else [],
        "partialFingerprints": {"reconciler/v1": result.fingerprint},
        **({"suppressions": suppressions} if suppressions else {}),
        **({"properties": result.properties} if result.properties else {}),
    }


def text(message: str) -> str:
    """Plain text without links (3.11.6) or hidden characters."""
    return escape(message).replace("](", "\\u005d(")


def _location(result: SarifResult) -> Json:
    location: dict[str, Json] = {}
    if result.place:
        location["physicalLocation"] = _physical(result.place)
    if result.address:
        location["logicalLocations"] = [{"fullyQualifiedName": brief(result.address), "kind": "resource"}]
    return location


def _physical(place: Place) -> Json:
    """The place; a whole file is its first line, since viewers ignore a file without a region."""
    region: Json = {"startLine": place.line, "startColumn": max(place.column, 1)} if place.line else {"startLine": 1}
    return {"artifactLocation": {"uri": file_uri(place.file)}, "region": region}


def file_uri(file: str) -> str:
    """A relative path stays relative to the checkout; an absolute one becomes a file URI."""
    path = PurePath(file).as_posix()
    quoted = quote(path, errors="replace")
    return f"file://{quoted}" if path.startswith("/") else quoted


def _suppression(waiver: Waiver) -> Json:
    why = f"{waiver.reason} ({waiver.owner}, until {waiver.expires.isoformat()})"
    return {"kind": "external", "status": "accepted", "justification": brief(why, LONGEST_MESSAGE)}


# ------------------------------------------------------------------------------------------------------------ documents


def drift(drift: Drift, _digest: str, _style: Style) -> str:
    """Every deviation at its manifest; wider access is an error, an unmanaged object a note."""
    results = [_deviation(one) for one in drift.deviations]
    return document("drift", drift.plan.binding.environment, results, successful=True)


def _deviation(one: Deviation) -> SarifResult:
    change = replace(one.change, fields=(one.field,)) if one.field else one.change
    shown = [line(row, DRIFT_WORDS) for row in rows(change, DRIFT_WORDS)] if one.is_drift else []
    level = "error" if is_wider(one) else "warning" if one.is_drift else "note"
    message = f"{one.address} {'; '.join([one.kind.value, *shown])}"
    sides: dict[str, Json] = {"side": one.side.value, "left_by_apply": one.is_left}
    return SarifResult(
        f"drift-{one.kind.value}", level, message, one.fingerprint, change.place, str(one.address), properties=sides
    )


def validation(report: Report, style: Style) -> str:
    """Every fault; waived ones are suppressed."""
    waived = [_fault(one, waiver) for one, waiver in report.waived]
    return document("validate", style.environment, [*map(_fault, report.found), *waived], successful=True)


def _fault(one: Checked, waiver: Waiver | None = None) -> SarifResult:
    fault = one.diagnostic
    where = f" {{{', '.join(one.environments)}}}" if one.environments else ""
    hint = f"; {fault.hint}" if fault.hint else ""
    message = f"{fault.message}{hint}{where}"
    environments: dict[str, Json] = {"environments": list(one.environments)} if one.environments else {}
    level = fault.severity.value
    return SarifResult(
        fault.rule, level, message, _fingerprint(fault), fault.place, waiver=waiver, properties=environments
    )


def _fingerprint(fault: Diagnostic) -> str:
    """A fingerprint without the line: a fault that moves is the same fault."""
    return digest([fault.place.file, fault.rule, fault.pointer, fault.message])


def failure(name: str, error: ReconcilerError, style: Style) -> str:
    """Faults as results; an error without a place as a result without one."""
    guards = [
        SarifResult(one.rule, "error", one.message, digest([one.rule, one.message])) for one in findings_of(error)
    ]
    hint = f"; {error.hint}" if error.hint else ""
    failed = SarifResult(f"{name}-failed", "error", f"{error.message}{hint}", digest([name, error.message]))
    results = [*map(_fault, faults_of(error)), *guards] or [failed]
    return document(name, style.environment, results, successful=False)


def several(planned: Sequence[Planned], text_of: TextOf, style: Style) -> str:
    """One log with a run for each environment, with ``automationDetails`` (3.17)."""
    logs = [json.loads(text_of(one, style)) for one in planned]
    runs = [
        run | {"automationDetails": {"id": f"{one.environment}/"}}
        for one, log in zip(planned, logs, strict=True)
        for run in log["runs"]
    ]
    return json_text(logs[0] | {"runs": runs})
