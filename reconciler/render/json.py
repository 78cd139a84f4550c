"""Result or validation -> a JSON document with a ``format_version``, for programs.

The JSON of a plan is the plan file itself, and is not made here. Within one major version fields are only added. The
text is ASCII, so that it holds nothing that a terminal could take for more than text.
"""

from dataclasses import asdict
from typing import Final

from reconciler.errors import GuardRefusal, InputError, PlanRefused, ReconcilerError
from reconciler.model.diagnostic import Checked, Report, Waiver
from reconciler.model.drift import Drift
from reconciler.model.json import Absent, Json
from reconciler.model.outcome import ApplyResult, Outcome, Status
from reconciler.model.plan import FieldChange
from reconciler.render.drift import to_json
from reconciler.render.escape import json_text
from reconciler.render.style import Style

FORMAT_VERSION: Final = "1.0"


def drift(drift: Drift, _digest: str, _style: Style) -> str:
    """The drift of one environment."""
    return json_text(to_json(drift))


def result(result: ApplyResult, _style: Style) -> str:
    """What became of a plan; the numbers of `summary` other than `planned` add up to `planned`."""
    counts: dict[str, Json] = {status.value.replace("-", "_"): result.count(status) for status in Status}
    return json_text(
        {
            "format_version": FORMAT_VERSION,
            "complete": result.is_complete,
            "interrupted": result.interrupted,
            "run": result.run,
            "summary": {"planned": result.planned, **counts, "unchanged": result.unchanged},
            "outcomes": [_outcome(outcome) for outcome in result.outcomes],
        }
    )


def _outcome(outcome: Outcome) -> Json:
    """One change's end; `uncertain` may have been written though it failed, `restored` was written and put back."""
    change = outcome.change
    return {
        "address": str(change.address),
        "kind": change.address.kind,
        "name": change.address.name,
        "id": outcome.id or change.id,
        "action": change.action.value,
        "status": outcome.status.value,
        "uncertain": outcome.uncertain,
        "restored": outcome.restored,
        "message": outcome.message,
        "fields": [_field(field) for field in outcome.fields],
    }


def _field(field: FieldChange) -> Json:
    """A side that is not there is left out, which is not the same as null."""
    sides = {"sent": field.before, "held": field.after}
    values = {name: value for name, value in sides.items() if not isinstance(value, Absent)}
    return {"pointer": field.pointer, "sensitive": field.sensitive, **({} if field.sensitive else values)}


def validation(report: Report, _style: Style) -> str:
    """Every fault with its place; `environments` is empty where a fault is the same in all that were checked."""
    return json_text(
        {
            "format_version": FORMAT_VERSION,
            "valid": report.valid,
            "error_count": report.error_count,
            "warning_count": report.warning_count,
            "files": report.files,
            "documents": report.documents,
            "diagnostics": [diagnostic(one) for one in report.found],
            "waived": [_waived(one, waiver) for one, waiver in report.waived],
        }
    )


def diagnostic(one: Checked) -> dict[str, Json]:
    """One fault with its place."""
    fault = one.diagnostic
    return {
        "severity": fault.severity.value,
        "rule": fault.rule,
        "message": fault.message,
        "hint": fault.hint,
        "pointer": fault.pointer,
        "place": asdict(fault.place),
        "environments": list(one.environments),
    }


def failure(name: str, error: ReconcilerError, style: Style) -> str:
    """Why there is no document; `exit_code` is that of the command."""
    return json_text(
        {"format_version": FORMAT_VERSION, "document": name, "environment": style.environment, "error": error_of(error)}
    )


def error_of(error: ReconcilerError) -> dict[str, Json]:
    """An error with all its faults and findings."""
    faults = error.diagnostics if isinstance(error, InputError) else ()
    findings = error.findings if isinstance(error, GuardRefusal) else ()
    return {
        "exit_code": error.exit_code,
        "message": error.message,
        "hint": error.hint,
        "reason": error.reason if isinstance(error, PlanRefused) else "",
        "diagnostics": [diagnostic(Checked(fault)) for fault in faults],
        "guards": [asdict(finding) | {"addresses": [*map(str, finding.addresses)]} for finding in findings],
    }


def _waived(one: Checked, waiver: Waiver) -> Json:
    """A diagnostic like the others, with what lets it pass."""
    why: Json = {"reason": waiver.reason, "owner": waiver.owner, "expires": waiver.expires.isoformat()}
    return {**diagnostic(one), "waiver": why}
