"""A plan -> its document, the one text of it, and the digest over that."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

from reconciler.model.diagnostic import Place
from reconciler.model.json import Absent, Json, digest_of_members
from reconciler.model.named_secret import secret_entry
from reconciler.model.plan import Change, FieldChange, Finding, Notice, Plan, SecretIntent
from reconciler.model.secret import reference_entry
from reconciler.planning import seal as sealed
from reconciler.planning.planfile.acknowledging import changes_digest

FORMAT_VERSION: Final = "2.0"
NOUN: Final = "plan"


def dumps(plan: Plan, key: bytes | None = None) -> str:
    """The JSON text of a plan, one line for each resource, ending in a newline; with a key it is signed."""
    return "".join(pieces(plan, key))


def pieces(plan: Plan, key: bytes | None = None) -> Iterator[str]:
    """The same text as it is made: that of ten thousand clients has twenty megabytes."""
    seal = plan_digest(plan)
    signed: dict[str, Json] = {"signature": sealed.signature(NOUN, seal, key)} if key else {}
    return pieces_of({**_members(plan), "digest": seal, **signed})


def pieces_of(document: Mapping[str, Json | Iterator[Json]]) -> Iterator[str]:
    """The one text of a plan's document, in pieces."""
    return sealed.pieces(dict(sorted(document.items())))


def plan_digest(plan: Plan) -> str:
    """SHA-256 in hexadecimal over the plan's document, the time of its making included: no other plan has it."""
    return digest_of_members(_members(plan))


def timestamp(moment: datetime) -> str:
    """UTC, ISO 8601, whole seconds, with a Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def precise(moment: datetime) -> str:
    """The same with microseconds, which tell apart plans that are made in the same second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def to_document(plan: Plan) -> dict[str, Json]:
    """The plan as JSON values, without ``digest`` and ``signature``."""
    return {**_about(plan), "resource_changes": [_change(change) for change in plan.changes]}


def _members(plan: Plan) -> dict[str, Json | Iterator[Json]]:
    """The same, in which the changes are made as they are read."""
    return {**_about(plan), "resource_changes": map(_change, plan.changes)}


def _about(plan: Plan) -> dict[str, Json]:
    return {
        "format_version": FORMAT_VERSION,
        "created_at": plan.created_at,
        "changes_digest": changes_digest(plan),
        "binding": asdict(plan.binding),
        "applyable": plan.has_changes and not plan.guards and plan.snapshot is None,
        "snapshot": plan.snapshot,
        "login": {"kind": plan.login.kind, "id": plan.login.id} if plan.login else None,
        "complete": plan.selection.is_everything,
        "errored": False,  # where a read fails there is no plan
        "summary": asdict(plan.summary),
        "guards": [_finding(finding) for finding in plan.guards],
        "warnings": list(plan.warnings),
        "notices": [_notice(notice) for notice in plan.notices],
        "selection": {name: part for name, part in asdict(plan.selection).items() if part or name != "write_secrets"},
    }


def _notice(notice: Notice) -> Json:
    return {
        "address": str(notice.address),
        "message": notice.message,
        "watched": notice.is_watched,
        "fields": [_field(field) for field in notice.fields],
    }


def _change(change: Change) -> Json:
    return {
        "address": str(change.address),
        "kind": change.address.kind,
        "type": change.address.kind,
        "name": change.address.name,
        "mode": "managed",
        "id": change.id,
        "change": _sides(change),
        **({"action_reason": "delete_because_no_resource_config"} if change.is_pruned else {}),
        "fields": [_field(field) for field in change.fields],
        "secrets": [_secret(intent) for intent in change.secrets],
        "assignments": [asdict(step) for step in change.assignments],
        "direction": change.direction.value,
        "protected": change.protected,
        "new_secrets": [secret_entry(secret) for secret in change.new_secrets],
        "place": _place(change.place) if change.place else None,
        "wave": change.wave,
        "depends_on": [str(address) for address in change.depends_on],
        **({"method": "PATCH"} if change.is_patch else {}),
    }


def _sides(change: Change) -> Json:
    """Terraform's members. Nothing is unknown: `after` is complete. Of what is sensitive only the names are there."""
    sensitive: Json = {field.pointer.removeprefix("/"): True for field in change.fields if field.sensitive}
    return {
        "actions": [change.action.value],
        "before": change.before,
        "after": change.after,
        "after_unknown": {},
        "before_sensitive": sensitive,
        "after_sensitive": sensitive,
    }


def _field(field: FieldChange) -> Json:
    sides: dict[str, Json | Absent] = {"before": field.before, "after": field.after}
    members: dict[str, Json] = {"added": field.added, "removed": field.removed}
    return {
        "pointer": field.pointer,
        "direction": field.direction.value,
        "sensitive": field.sensitive,
        **{name: value for name, value in sides.items() if not isinstance(value, Absent)},
        **{name: value for name, value in members.items() if value},
        **({"place": _place(field.place)} if field.place else {}),
    }


def _place(place: Place) -> Json:
    """Written out: most plans have more places than anything else, and `asdict` takes ten times as long."""
    return {"file": place.file, "line": place.line, "column": place.column}


def _secret(intent: SecretIntent) -> Json:
    return {"field": intent.field, "reference": reference_entry(intent.reference), "fingerprint": intent.fingerprint}


def _finding(finding: Finding) -> Json:
    return {
        "rule": finding.rule,
        "message": finding.message,
        "fix": finding.fix,
        "addresses": [str(address) for address in finding.addresses],
        "can_be_acknowledged": finding.can_be_acknowledged,
    }
