"""Plan <-> JSON document, and the questions whether a saved plan may still be carried out.

The document is deterministic: equal plans give equal bytes apart from ``created_at``. Its core is shaped like
Terraform's plan representation, so that policy tools written for ``resource_changes[].change.actions`` read it.
Values at secret paths are absent from it, not masked.

A file is read only where it has the very bytes that `dumps` gives: a document that two readers could take for two plans
(a key that is there twice) is no plan. With a key, the document is signed, and an unsigned one is refused.
"""

import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from reconciler import sealed
from reconciler.errors import PlanRefused
from reconciler.model.delivery import delivery_entry, delivery_of
from reconciler.model.diagnostic import Place
from reconciler.model.json import ABSENT, Absent, Json, digest_of_members
from reconciler.model.named_secret import secret_entry, secret_of
from reconciler.model.plan import (
    Action,
    AssignmentChange,
    Binding,
    Change,
    Direction,
    FieldChange,
    Finding,
    Notice,
    Plan,
    SecretIntent,
)
from reconciler.model.resource import Address
from reconciler.model.secret import SecretReference, SecretSource
from reconciler.model.selection import Selection
from reconciler.validator import validator

FORMAT_VERSION: Final = "1.0"
SCHEMA: Final = "plan.v1.schema.json"
_NO_PLAN_HINT: Final = "name a file that plan --out wrote"
_NOT_DIGESTED: Final = frozenset({"created_at", "digest", "signature"})
_NOUN: Final = "plan"


def dumps(plan: Plan, created_at: datetime, key: bytes | None = None) -> str:
    """The JSON text of a plan, one line for each resource, ending in a newline; with a key it is signed."""
    return "".join(pieces(plan, created_at, key))


def pieces(plan: Plan, created_at: datetime, key: bytes | None = None) -> Iterator[str]:
    """The same text as it is made: that of ten thousand clients has twenty megabytes."""
    seal = plan_digest(plan)
    signed: dict[str, Json] = {"signature": sealed.signature(_NOUN, seal, key)} if key else {}
    return pieces_of({**_members(plan), "digest": seal, "created_at": timestamp(created_at), **signed})


def pieces_of(document: Mapping[str, Json | Iterator[Json]]) -> Iterator[str]:
    """The one text of a plan's document, in pieces."""
    return sealed.pieces(dict(sorted(document.items())))


def plan_digest(plan: Plan) -> str:
    """SHA-256 in hexadecimal over all of the plan's document; its first 12 digits acknowledge the plan."""
    return digest_of_members(_members(plan))


def timestamp(moment: datetime) -> str:
    """UTC, ISO 8601, whole seconds, with a Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# ----------------------------------------------------------------------------------------------------- plan to document


def to_document(plan: Plan) -> dict[str, Json]:
    """The plan as JSON values, without ``digest`` and ``created_at``."""
    return {**_about(plan), "resource_changes": [_change(change) for change in plan.changes]}


def _members(plan: Plan) -> dict[str, Json | Iterator[Json]]:
    """The same, in which the changes are made as they are read."""
    return {**_about(plan), "resource_changes": map(_change, plan.changes)}


def _about(plan: Plan) -> dict[str, Json]:
    return {
        "format_version": FORMAT_VERSION,
        "binding": asdict(plan.binding),
        "applyable": plan.has_changes and not plan.guards and plan.snapshot is None,
        "snapshot": plan.snapshot,
        "complete": plan.selection.is_everything,
        "errored": False,  # where a read fails there is no plan
        "summary": asdict(plan.summary),
        "guards": [_finding(finding) for finding in plan.guards],
        "warnings": list(plan.warnings),
        "notices": [_notice(notice) for notice in plan.notices],
        "selection": asdict(plan.selection),
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
    return {"field": intent.field, "reference": _reference(intent.reference), "fingerprint": intent.fingerprint}


def _reference(reference: SecretReference | None) -> Json:
    if reference is None or not reference.is_generated:
        return {reference.source.value: reference.name} if reference else None
    return {reference.source.value: True, "deliver": [delivery_entry(delivery) for delivery in reference.deliver]}


def _finding(finding: Finding) -> Json:
    return {
        "rule": finding.rule,
        "message": finding.message,
        "way_out": finding.way_out,
        "addresses": [str(address) for address in finding.addresses],
        "can_be_acknowledged": finding.can_be_acknowledged,
    }


# ----------------------------------------------------------------------------------------------------- document to plan


def read(path: Path, key: bytes | None = None) -> Plan:
    """Read a saved plan, to carry it out.

    Args:
        path: the file.
        key: what it must be signed with; None: it must not be signed, since nobody could check that.

    Raises:
        PlanRefused: as `content` and `loads` do, it is signed and there is no key, or it was made from a snapshot.
    """
    text = content(path)
    plan = loads(text, str(path), key)
    if plan.snapshot is not None:
        message = f"{path} was made from a snapshot taken at {plan.snapshot}, without a look at the service"
        raise PlanRefused("snapshot", message, hint="plan again with credentials, and apply that plan")
    if key is None and "signature" in json.loads(text):
        message = f"{path} is signed, and there is no key to check its signature with"
        raise PlanRefused("no-key", message, hint="set RECONCILER_PLAN_KEY to the key that plan had")
    return plan


def content(path: Path) -> str:
    """The text of a file, as it is.

    Raises:
        PlanRefused: it cannot be read.
    """
    try:
        return path.read_bytes().decode()  # not read_text: it would take other line ends for ours
    except (OSError, UnicodeDecodeError) as error:
        raise PlanRefused("unreadable", f"{path} cannot be read: {error}", hint=_NO_PLAN_HINT) from error


def loads(text: str, name: str, key: bytes | None = None) -> Plan:
    """Read the text of a saved plan; `name` is what messages call it.

    Raises:
        PlanRefused: it is no plan, is of a newer format, was altered since it was written, or there is a key and it is
            not signed with it.
    """
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise PlanRefused("no-plan", f"{name} is no plan: {error}", hint=_NO_PLAN_HINT) from error
    _check_format(document, name)
    _check_seal(document, text, name)
    if key:
        _check_signature(document, name, key)
    return Plan(
        changes=tuple(_read_change(change) for change in document["resource_changes"]),
        binding=Binding(**{name: document["binding"][name] for name in Binding.__slots__}),
        guards=tuple(_read_finding(finding) for finding in document["guards"]),
        warnings=tuple(document["warnings"]),
        selection=Selection(tuple(document["selection"]["only"]), document["selection"]["selector"]),
        notices=tuple(_read_notice(notice) for notice in document.get("notices", ())),
        snapshot=document.get("snapshot"),
    )


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _check_format(document: Any, name: str) -> None:  # noqa: ANN401  # whatever JSON the file holds
    version = document.get("format_version") if isinstance(document, Mapping) else None
    if not isinstance(version, str) or "resource_changes" not in document:
        raise PlanRefused("no-plan", f"{name} is no plan", hint=_NO_PLAN_HINT)
    if version.partition(".")[0] != FORMAT_VERSION.partition(".")[0]:
        raise PlanRefused(
            "format",
            f"{name} is of plan format {version}; this version reads {FORMAT_VERSION}",
            hint="plan and apply with the same version of reconciler",
        )
    if "digest" not in document:
        raise PlanRefused("no-digest", f"{name} has no digest, so nobody can say whether it was altered")
    faults = validator(SCHEMA).faults(document)
    if faults:
        raise _altered(name, f"{faults[0].message} (at {faults[0].pointer or '/'})")


def _check_seal(document: Mapping[str, Any], text: str, name: str) -> None:
    """Compare the digest with the content, and the bytes with the one text that a document has."""
    try:
        seal = digest_of_members({name: value for name, value in document.items() if name not in _NOT_DIGESTED})
        is_as_written = _is_text_of(document, text)
    except ValueError as error:  # a number beyond all that JSON can tell apart
        raise _altered(name, str(error)) from error
    if not hmac.compare_digest(document["digest"], seal):
        raise _altered(name, "its digest does not fit its content")
    if not is_as_written:
        raise _altered(name, "it says the same in other bytes, as an editor or a formatter writes them")


def _is_text_of(document: Mapping[str, Any], text: str) -> bool:
    at = 0
    for piece in pieces_of(document):
        if not text.startswith(piece, at):
            return False
        at += len(piece)
    return at == len(text)


def _altered(name: str, how: str) -> PlanRefused:
    return PlanRefused("altered", f"{name} was altered since it was written: {how}")


def _check_signature(document: Mapping[str, Any], name: str, key: bytes) -> None:
    if "signature" not in document:
        message = f"{name} is not signed, and RECONCILER_PLAN_KEY is set, which every plan must then be signed with"
        raise PlanRefused("no-signature", message)
    if not hmac.compare_digest(document["signature"], sealed.signature(_NOUN, document["digest"], key)):
        raise PlanRefused("signature", f"{name} is signed with another key than RECONCILER_PLAN_KEY")


def _read_change(document: Mapping[str, Any]) -> Change:
    change, place = document["change"], document["place"]
    return Change(
        Address(document["kind"], document["name"]),
        Action(change["actions"][0]),
        document["id"],
        change["before"],
        change["after"],
        fields=tuple(_read_field(field) for field in document["fields"]),
        secrets=tuple(_read_secret(intent) for intent in document["secrets"]),
        assignments=tuple(AssignmentChange(**step) for step in document["assignments"]),
        place=Place(**place) if place else None,
        protected=document["protected"],
        new_secrets=tuple(secret_of(entry) for entry in document.get("new_secrets", ())),
    )


def _read_notice(document: Mapping[str, Any]) -> Notice:
    fields = tuple(_read_field(field) for field in document["fields"])
    return Notice(Address(*document["address"].split("/", 1)), fields, document["message"], document["watched"])


def _read_field(document: Mapping[str, Any]) -> FieldChange:
    return FieldChange(
        document["pointer"],
        document.get("before", ABSENT),
        document.get("after", ABSENT),
        Direction(document["direction"]),
        document["sensitive"],
        tuple(document.get("added", ())),
        tuple(document.get("removed", ())),
        Place(**document["place"]) if "place" in document else None,
    )


def _read_secret(document: Mapping[str, Any]) -> SecretIntent:
    return SecretIntent(document["field"], _read_reference(document["reference"]), document["fingerprint"])


def _read_reference(document: Mapping[str, Any] | None) -> SecretReference | None:
    entries: Sequence[Mapping[str, Any]] = document.get("deliver", ()) if document else ()
    match document:
        case {"generate": True}:
            return SecretReference(SecretSource.GENERATED, deliver=tuple(map(delivery_of, entries)))
        case {"fromEnv": name}:
            return SecretReference(SecretSource.ENVIRONMENT, name)
        case {"fromFile": name}:
            return SecretReference(SecretSource.FILE, name)
        case _:
            return None


def _read_finding(document: Mapping[str, Any]) -> Finding:
    addresses = tuple(Address(*text.split("/", 1)) for text in document["addresses"])
    return Finding(
        document["rule"], document["message"], document["way_out"], addresses, document["can_be_acknowledged"]
    )


# ------------------------------------------------------------------------------------------------------------- binding


def check_binding(plan: Plan, now: Binding, moment: datetime) -> None:
    """Refuse a plan that was made for something else than what is here now.

    Args:
        plan: as it was saved.
        now: what a plan made at this moment would be bound to.
        moment: the present time.

    Raises:
        PlanRefused: with a reason of its own for each mismatch, the gravest first.
    """
    for reason, message in (*_other_target(plan.binding, now), *_other_checkout(plan.binding, now)):
        raise PlanRefused(reason, message)
    if plan.binding.expires_at and timestamp(moment) >= plan.binding.expires_at:
        raise PlanRefused("expired", f"the plan expired at {plan.binding.expires_at}")


def _other_target(saved: Binding, now: Binding) -> Iterator[tuple[str, str]]:
    """Reason and message of every mismatch in what the plan was made for, and with what."""
    for reason, noun, was, is_now in (
        ("environment", "environment", saved.environment, now.environment),
        ("base-url", "base URL", saved.base_url, now.base_url),
        ("marketplace", "marketplace", saved.marketplace, now.marketplace),
        ("tool-version", "version of reconciler", saved.tool_version, now.tool_version),
        ("manifests", "set of manifests", saved.manifest_digest[:12], now.manifest_digest[:12]),
    ):
        if was != is_now:
            yield reason, f"the plan was made for another {noun}: {was}, and this is {is_now}"


def _other_checkout(saved: Binding, now: Binding) -> Iterator[tuple[str, str]]:
    """The same of the commit. A plan of uncommitted files is good for the same manifests, uncommitted."""
    if saved.git_commit != now.git_commit:
        yield "commit", f"the plan was made at {_commit(saved)}, and this is {_commit(now)}"
    if saved.git_dirty != now.git_dirty:
        yield "dirty", f"the plan was made from {_cleanness(saved)}, and this is {_cleanness(now)}"


def _commit(binding: Binding) -> str:
    return f"commit {binding.git_commit[:12]}" if binding.git_commit else "no commit that git can tell"


def _cleanness(binding: Binding) -> str:
    return "a checkout with uncommitted changes" if binding.git_dirty else "a clean checkout"
