"""Plan, drift, result, report or error -> events, one JSON object per line, for programs.

The `type` of an event, and the members that Terraform also has, are those of Terraform's machine-readable UI
(https://developer.hashicorp.com/terraform/internals/machine-readable-ui), so that the same programs can read both. A
document has no timestamps: equal input has equal bytes. `--log-format json` writes the same events to stderr as they
happen, with timestamps.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from reconciler import __version__
from reconciler.errors import ReconcilerError
from reconciler.model.diagnostic import Diagnostic, Place, Report
from reconciler.model.drift import Deviation, Drift
from reconciler.model.json import Json
from reconciler.model.outcome import ApplyResult, Outcome, Status
from reconciler.model.plan import Change, FieldChange, Finding, Plan
from reconciler.render.escape import in_json, present
from reconciler.render.style import Style
from reconciler.render.wording import PLAN_WORDS, faults_of, findings_of, verdict, view

FORMAT_VERSION: Final = "1.0"
Event: TypeAlias = Mapping[str, Json]


def lines(events: Iterable[Event]) -> str:
    """The text of events: ASCII, without commands to CI runners."""
    return "".join(in_json(json.dumps(event, ensure_ascii=True, allow_nan=False)) + "\n" for event in events)


def event(type_: str, message: str, level: str = "info", **members: Json) -> Event:
    """One event."""
    return {"@level": level, "@message": message, "@module": "reconciler", "type": type_, **members}


def version() -> Event:
    """The first event of a document."""
    return event("version", f"reconciler {__version__}", reconciler=__version__, format_version=FORMAT_VERSION)


# ------------------------------------------------------------------------------------------------------- plan and drift


def plan(plan: Plan, _digest: str, _style: Style) -> str:
    """A ``planned_change`` for each change, a ``diagnostic`` for each finding and warning, and a ``change_summary``."""
    return lines([version(), *plan_events(plan)])


def plan_events(plan: Plan) -> list[Event]:
    """The events of a plan, without the version."""
    return [*map(planned_change, view(plan).written), *map(_finding, plan.guards), *_end(plan, "plan")]


def drift(drift: Drift, _digest: str, _style: Style) -> str:
    """A ``resource_drift`` for each deviation, with its fingerprint, and a ``change_summary``."""
    return lines([version(), *map(_deviation, drift.deviations), *_end(drift, "drift")])


def _end(found: Plan | Drift, operation: str) -> Iterator[Event]:
    seen = view(found)
    yield from (diagnostic("warning", text) for text in seen.plan.warnings)
    yield from (diagnostic("notice", text) for text in seen.notices)
    count = seen.plan.summary
    numbers: dict[str, Json] = {
        "add": count.create,
        "change": count.update,
        "remove": count.delete,
        "import": 0,
        "no_op": count.no_op,
        "unmanaged": count.unmanaged,
        **({"out_of_scope": count.out_of_scope} if count.out_of_scope else {}),
        "operation": operation,
    }
    yield event("change_summary", f"{seen.environment}: {verdict(found)}", changes=numbers)


def _deviation(one: Deviation) -> Event:
    change, (live, wanted) = one.change, one.sides
    members: dict[str, Json] = {
        "resource": resource(change),
        "action": change.action.value,
        "kind": one.kind.value,
        "side": one.side.value,
        "left_by_apply": one.is_left,
        "fingerprint": one.fingerprint,
        "field": field(one.field) if one.field else None,
        **({} if one.field else present(before=live, after=wanted)),
    }
    return event("resource_drift", f"{one.address}: {one.kind.value}", change=members)


def planned_change(change: Change) -> Event:
    """One change, with its differences."""
    verb = PLAN_WORDS.verbs[change.action]
    members: dict[str, Json] = {
        "resource": resource(change),
        "action": change.action.value,
        "direction": change.direction.value,
        "fields": [field(one) for one in change.fields],
    }
    return event("planned_change", f"{change.address}: {verb}", change=members)


def resource(change: Change) -> dict[str, Json]:
    """The resource of a change."""
    address = change.address
    return {
        "addr": str(address),
        "resource_type": address.kind,
        "resource_name": address.name,
        "id": change.id,
        "range": _range(change.place),
    }


def field(one: FieldChange) -> dict[str, Json]:
    """One field, without the values of a secret."""
    values = {} if one.sensitive else present(before=one.before, after=one.after)
    return {"pointer": one.pointer, "direction": one.direction.value, "sensitive": one.sensitive, **values}


def _range(place: Place | None) -> Json:
    if place is None:
        return None
    return {"filename": place.file, "start": {"line": place.line, "column": place.column}}


# ---------------------------------------------------------------------------------------------------------- diagnostics


def diagnostic(severity: str, summary: str, detail: str = "", **members: Json) -> Event:
    """An error or a warning."""
    level = {"error": "error", "notice": "info"}.get(severity, "warn")
    diagnostic: dict[str, Json] = {"severity": severity, "summary": summary, "detail": detail, **members}
    return event("diagnostic", summary, level, diagnostic=diagnostic)


def _finding(finding: Finding) -> Event:
    addresses: Json = [*map(str, finding.addresses)]
    about: dict[str, Json] = {"addresses": addresses, "can_be_acknowledged": finding.can_be_acknowledged}
    return diagnostic("error", finding.message, finding.fix, rule=finding.rule, **about)


def fault(one: Diagnostic, environments: Iterable[str] = ()) -> Event:
    """A fault of a file."""
    where: dict[str, Json] = {"pointer": one.pointer, "range": _range(one.place), "environments": list(environments)}
    return diagnostic(one.severity.value, one.message, one.hint, rule=one.rule, **where)


def error_events(error: ReconcilerError) -> list[Event]:
    """The events of an error."""
    found = [*(fault(one.diagnostic) for one in faults_of(error)), *map(_finding, findings_of(error))]
    return found or [diagnostic("error", error.message, error.hint, exit_code=error.exit_code)]


def failure(_name: str, error: ReconcilerError, _style: Style) -> str:
    """The events in place of a document."""
    return lines([version(), *error_events(error)])


# ------------------------------------------------------------------------------------------------ result and validation


def result(result: ApplyResult, style: Style) -> str:
    """An ``apply_complete`` or ``apply_errored`` for each outcome, and a ``change_summary``."""
    done = [outcome.change.action.value for outcome in result.outcomes if outcome.status is Status.APPLIED]
    numbers: dict[str, Json] = {
        "add": done.count("create"),
        "change": done.count("update"),
        "remove": done.count("delete"),
        "import": 0,
        **{status.value.replace("-", "_"): result.count(status) for status in Status},
        "no_op": result.unchanged,
        "operation": "apply",
    }
    message = f"{style.environment}: {verdict(result)}"
    summary = event("change_summary", message, changes=numbers, interrupted=result.interrupted)
    return lines([version(), *map(outcome_event, result.outcomes), summary])


def outcome_event(outcome: Outcome) -> Event:
    """The outcome of a change."""
    change, done = outcome.change, outcome.status is Status.APPLIED
    hook: dict[str, Json] = {
        "resource": resource(change),
        "action": change.action.value,
        "status": outcome.status.value,
        "uncertain": outcome.uncertain,
        "message": outcome.message,
        "id_key": "ID",
        "id_value": outcome.id or change.id,
        "not_kept": [one.pointer for one in outcome.fields],
    }
    type_, level = ("apply_complete", "info") if done else ("apply_errored", "error")
    return event(type_, f"{change.address}: {outcome.status.value}", level, hook=hook)


def validation(report: Report, _style: Style) -> str:
    """A ``diagnostic`` for each fault, and a ``validate_summary``, which Terraform does not have."""
    numbers: dict[str, Json] = {
        "valid": report.valid,
        "error_count": report.error_count,
        "warning_count": report.warning_count,
        "waived": len(report.waived),
        "files": report.files,
        "documents": report.documents,
    }
    faults = (fault(one.diagnostic, one.environments) for one in report.found)
    return lines([version(), *faults, event("validate_summary", verdict(report), validation=numbers)])
