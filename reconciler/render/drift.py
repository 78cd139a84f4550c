"""Drift -> its JSON document, which is also what a baseline is: the fingerprints of what is known."""

from dataclasses import asdict
from typing import Final

from reconciler.model.drift import Deviation, Drift, DriftKind
from reconciler.model.json import Absent, Json
from reconciler.model.plan import Notice

FORMAT_VERSION: Final = "2.0"


def to_json(drift: Drift) -> dict[str, Json]:
    """The same as data. A side that is not there is left out, which is not the same as null."""
    binding = drift.plan.binding
    receipt: Json = asdict(drift.receipt) if drift.receipt else None
    return {
        "format_version": FORMAT_VERSION,
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
        },
        "receipt": receipt,
        "deviations": [_deviation(one) for one in drift.deviations],
        "guards": [asdict(finding) | {"addresses": [*map(str, finding.addresses)]} for finding in drift.plan.guards],
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
    sides = {"live": field.before, "wanted": field.after} if field else _whole(one)
    return {
        "fingerprint": one.fingerprint,
        "kind": one.kind.value,
        "side": one.side.value,
        "address": str(one.address),
        "id": change.id,
        "pointer": one.pointer,
        "sensitive": bool(field and field.sensitive),
        "direction": (field or change).direction.value,
        "place": asdict(change.place) if change.place else None,
        **{name: value for name, value in sides.items() if not isinstance(value, Absent)},
    }


def _whole(one: Deviation) -> dict[str, Json | Absent]:
    """What is missing with the body that apply would send, what is still there with the body that it has."""
    match one.kind:
        case DriftKind.MISSING | DriftKind.RESTORED:
            return {"wanted": one.change.after}
        case DriftKind.SURPLUS:
            return {"live": one.change.before}
        case _:
            return {}
