"""Drift, result or validation -> a JSON document with a ``format_version``; that of drift is also a baseline.

The JSON of a plan is the plan file itself, which is not written here. Within a major version, fields are only added.
The text is ASCII, so that it contains no terminal control characters.
"""

from dataclasses import asdict
from typing import Final

from reconciler.errors import PlanRefused, ReconcilerError
from reconciler.model.diagnostic import Checked, Report, Waiver
from reconciler.model.drift import Deviation, Drift, DriftKind
from reconciler.model.json import Absent, Json
from reconciler.model.outcome import ApplyResult, Outcome, Status
from reconciler.model.plan import FieldChange, Finding, Notice
from reconciler.render.escape import json_document, json_text, present
from reconciler.render.style import Style
from reconciler.render.wording import faults_of, findings_of


def drift(drift: Drift, _digest: str, _style: Style) -> str:
    """The drift of one environment."""
    return json_text(to_json(drift))


def result(result: ApplyResult, _style: Style) -> str:
    """The result of a plan; the other numbers of `summary` add up to `planned`."""
    counts: dict[str, Json] = {status.value.replace("-", "_"): result.count(status) for status in Status}
    return json_document(
        complete=result.is_complete,
        interrupted=result.interrupted,
        run=result.run,
        summary={"planned": result.planned, **counts, "unchanged": result.unchanged},
        outcomes=[_outcome(outcome) for outcome in result.outcomes],
    )


def _outcome(outcome: Outcome) -> Json:
    """The outcome of a change; `uncertain`: failed but possibly written; `restored`: written and reverted."""
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
    values = {} if field.sensitive else present(sent=field.before, held=field.after)
    return {"pointer": field.pointer, "sensitive": field.sensitive, **values}


def validation(report: Report, _style: Style) -> str:
    """Every fault with its place; `environments` is empty if a fault is in all that were checked."""
    return json_document(
        valid=report.valid,
        error_count=report.error_count,
        warning_count=report.warning_count,
        files=report.files,
        documents=report.documents,
        diagnostics=[diagnostic(one) for one in report.found],
        waived=[_waived(one, waiver) for one, waiver in report.waived],
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
    """The error in place of a document; `exit_code` is that of the command."""
    return json_document(document=name, environment=style.environment, error=error_of(error))


def error_of(error: ReconcilerError) -> dict[str, Json]:
    """An error with all its faults and findings."""
    return {
        "exit_code": error.exit_code,
        "message": error.message,
        "hint": error.hint,
        "reason": error.reason if isinstance(error, PlanRefused) else "",
        "diagnostics": [*map(diagnostic, faults_of(error))],
        "guards": [*map(_finding, findings_of(error))],
    }


def _finding(finding: Finding) -> dict[str, Json]:
    return asdict(finding) | {"addresses": [*map(str, finding.addresses)]}


def _waived(one: Checked, waiver: Waiver) -> Json:
    """A diagnostic with the waiver that suppresses it."""
    why: Json = {"reason": waiver.reason, "owner": waiver.owner, "expires": waiver.expires.isoformat()}
    return {**diagnostic(one), "waiver": why}


DRIFT_FORMAT_VERSION: Final = "2.0"


def to_json(drift: Drift) -> dict[str, Json]:
    """The notice as data."""
    binding = drift.plan.binding
    return {
        "format_version": DRIFT_FORMAT_VERSION,
        "environment": binding.environment,
        "base_url": binding.base_url,
        "marketplace": binding.marketplace,
        "manifest_digest": binding.manifest_digest,
        "git_commit": binding.git_commit,
        "git_dirty": binding.git_dirty,
        "has_drift": drift.has_drift,
        "summary": {
            **{kind.value: drift.count(kind) for kind in DriftKind},
            "in_step": drift.in_step,
            "in_baseline": drift.accepted,
            "unmoved": drift.unmoved,
            **({"out_of_scope": count} if (count := drift.plan.out_of_scope) else {}),
        },
        "receipt": asdict(drift.receipt) if drift.receipt else None,
        "deviations": [_deviation(one) for one in drift.deviations],
        "guards": [*map(_finding, drift.plan.guards)],
        "warnings": list(drift.plan.warnings),
        "notices": [_notice(one) for one in drift.plan.notices],
    }


def _notice(one: Notice) -> Json:
    fields: Json = [
        {"pointer": field.pointer, "live": _side(field.before), "default": _side(field.after)} for field in one.fields
    ]
    return {"address": str(one.address), "message": one.message, "fields": fields}


def _side(value: Json | Absent) -> Json:
    return None if isinstance(value, Absent) else value


def _deviation(one: Deviation) -> Json:
    change, field = one.change, one.field
    live, wanted = one.sides
    return {
        "fingerprint": one.fingerprint,
        "kind": one.kind.value,
        "side": one.side.value,
        "left_by_apply": one.is_left,
        "address": str(one.address),
        "id": change.id,
        "pointer": one.pointer,
        "sensitive": bool(field and field.sensitive),
        "direction": (field or change).direction.value,
        "place": asdict(change.place) if change.place else None,
        **present(live=live, wanted=wanted),
    }
