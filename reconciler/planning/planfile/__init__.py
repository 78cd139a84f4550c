"""Plan <-> JSON document; and the checks of its binding and of acknowledgements before it is applied.

The document is deterministic: equal plans have equal bytes apart from ``created_at`` and the digest over it. Its core
is shaped like Terraform's plan representation, so that policy tools written for ``resource_changes[].change.actions``
read it. Values at secret paths are absent from it, not masked.

A file is read only if it has exactly the bytes that `dumps` writes: a document that two readers could read differently
(with a duplicate key) is not a plan. With a key, the document is signed, and an unsigned one is refused.

`changes_digest` acknowledges changes and findings, independent of who plans them and when. It covers the environment,
the writes and the findings of guards. Commit, time, lines of manifests, fingerprints and unchanged values are excluded,
so that an acknowledgement on a pull request is still valid for an equal plan after the merge.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

from reconciler.errors import GuardRefusal, PlanRefused
from reconciler.kinds import KINDS, Field
from reconciler.model.diagnostic import Place
from reconciler.model.inputs import Checkout
from reconciler.model.json import Absent, Json, digest, digest_of_members, pointer
from reconciler.model.named_secret import moment_text, secret_entry
from reconciler.model.plan import Action, Binding, Change, FieldChange, Finding, Notice, Plan, SecretIntent
from reconciler.model.resource import DesiredState
from reconciler.model.secret import reference_entry
from reconciler.planning import seal as sealed

_ASSIGNMENTS: Final = "/assignments/"


def changes_digest(plan: Plan, findings: Sequence[Finding] | None = None) -> str:
    """SHA-256 in hexadecimal over the changes and these findings; None: those of the plan."""
    objections = plan.guards if findings is None else findings
    return digest(
        {
            "environment": plan.binding.environment,
            "marketplace": plan.binding.marketplace.casefold(),
            "changes": [_key_change(change) for change in plan.changes if change.action.writes],
            "findings": [_key_finding(finding) for finding in sorted(objections, key=objection)],
        }
    )


def changes_not_in(plan: Plan, other: Plan) -> tuple[Change, ...]:
    """The writes of a plan that are missing or different in the other plan."""
    known = {digest(_key_change(change)) for change in other.changes if change.action.writes}
    return tuple(change for change in plan.changes if change.action.writes and digest(_key_change(change)) not in known)


def objection(finding: Finding) -> tuple[str, str]:
    """The identity of a finding, without the line of the manifest, which may have moved."""
    place, address, rest = finding.message.partition(f"{next(iter(finding.addresses), '')}: ")
    return finding.rule, address + rest if place.endswith(": ") else finding.message


def _key_finding(finding: Finding) -> Json:
    return [*objection(finding), sorted(map(str, finding.addresses)), finding.can_be_acknowledged]


def _key_change(change: Change) -> Json:
    kind = KINDS.get(change.address.kind)
    fields: Mapping[str, Field] = kind.fields if kind else {}
    body = change.before if change.action is Action.DELETE and change.before else {}
    return {
        "address": str(change.address),
        "action": change.action.value,
        "id": (change.id or "").casefold(),
        "fields": [_key_field(one, fields) for one in change.fields if not one.pointer.startswith(_ASSIGNMENTS)],
        "deleted": {name: fields[name].canonical_value(body[name]) for name in fields if name in body},
        "secrets": [[one.field, reference_entry(one.reference)] for one in change.secrets],
        "assignments": sorted((one.party, one.id.casefold(), one.assign) for one in change.assignments),
        "new_secrets": [secret_entry(secret) for secret in change.new_secrets],
        **({"method": "PATCH"} if change.is_patch else {}),
    }


def _key_field(change: FieldChange, fields: Mapping[str, Field]) -> Json:
    """Both sides in canonical form: the service may return another case or order."""
    known = {pointer(name): field for name, field in fields.items()}.get(change.pointer)
    sides = [_side(side, known) for side in (change.before, change.after)]
    return [change.pointer, *sides, change.sensitive]


def _side(value: Json | Absent, field: Field | None) -> Json:
    if isinstance(value, Absent):
        return []
    return [field.canonical_value(value) if field else value]


FORMAT_VERSION: Final = "2.0"
NOUN: Final = "plan"


def dumps(plan: Plan, key: bytes | None = None) -> str:
    """The JSON text of a plan, one line for each resource, ending in a newline; with a key it is signed."""
    return "".join(pieces(plan, key))


def pieces(plan: Plan, key: bytes | None = None) -> Iterator[str]:
    """The same text in pieces: for ten thousand clients it has twenty megabytes."""
    seal = plan_digest(plan)
    signed: dict[str, Json] = {"signature": sealed.signature(NOUN, seal, key)} if key else {}
    return pieces_of({**_members(plan), "digest": seal, **signed})


def pieces_of(document: Mapping[str, Json | Iterator[Json]]) -> Iterator[str]:
    """The canonical text of a plan's document, in pieces."""
    return sealed.pieces(dict(sorted(document.items())))


def plan_digest(plan: Plan) -> str:
    """SHA-256 in hexadecimal over the plan's document, including its creation time: unique for each plan."""
    return digest_of_members(_members(plan))


def timestamp(moment: datetime) -> str:
    """UTC, ISO 8601 with microseconds, which distinguish plans made in the same second, and a Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def to_document(plan: Plan) -> dict[str, Json]:
    """The plan as JSON values, without ``digest`` and ``signature``."""
    return {**_about(plan), "resource_changes": [_change(change) for change in plan.changes]}


def _members(plan: Plan) -> dict[str, Json | Iterator[Json]]:
    """The same, with changes converted as they are iterated."""
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
        "errored": False,  # if a read fails, there is no plan
        "summary": {name: count for name, count in asdict(plan.summary).items() if count or name != "out_of_scope"},
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
    """Terraform's members. Nothing is unknown: `after` is complete. Sensitive fields have only their names."""
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
    """A place as JSON, without `asdict`, which takes ten times as long: most plans consist mainly of places."""
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


def check_binding(plan: Plan, now: Binding, moment: datetime, checkout: Checkout) -> None:
    """Refuse a plan that does not match the current target.

    Args:
        plan: the saved plan.
        now: the binding of a plan made now.
        moment: the current time.
        checkout: has the reason, if git cannot determine its state.

    Raises:
        PlanRefused: with a separate reason for each mismatch, the most severe first.
    """
    for reason, message in _other_target(plan.binding, now):
        raise PlanRefused(reason, message)
    for reason, message in _other_checkout(plan.binding, now):
        if checkout.problem:
            raise PlanRefused(reason, f"{message}: {checkout.problem}", hint=checkout.fix)
        raise PlanRefused(reason, message)
    if plan.binding.expires_at and moment_text(moment) >= plan.binding.expires_at:
        raise PlanRefused("expired", f"the plan expired at {plan.binding.expires_at}")


def check_deliveries(plan: Plan, desired: DesiredState) -> None:
    """Refuse a plan whose secrets have other sources or deliveries than in the manifests.

    Raises:
        PlanRefused: it does.
    """
    manifests = {resource.address: resource for resource in desired.resources}
    for change in plan.changes:
        resource = manifests.get(change.address)
        fields = {*resource.secrets.items()} if resource else set()
        named = (resource.named_secrets if resource else None) or ()
        planned = {(intent.field, intent.reference) for intent in change.secrets}
        if planned - fields or {*change.new_secrets} - {*named}:
            message = f"{change.address}: sources or deliveries of secrets differ between the plan and the manifest"
            raise PlanRefused("deliveries", message)


def _other_target(saved: Binding, now: Binding) -> Iterator[tuple[str, str]]:
    """Reason and message of every mismatch of the target and the inputs."""
    for reason, noun, was, is_now in (
        ("environment", "environment", saved.environment, now.environment),
        ("base-url", "base URL", saved.base_url, now.base_url),
        ("marketplace", "marketplace", saved.marketplace, now.marketplace),
        ("manifests", "manifests", saved.manifest_digest[:12], now.manifest_digest[:12]),
    ):
        if was != is_now:
            yield reason, f"the plan was made for {noun} {was}, not {is_now}"
    if saved.tool_version != now.tool_version:
        yield "tool-version", f"the plan was made by reconciler {saved.tool_version}, but this is {now.tool_version}"


def _other_checkout(saved: Binding, now: Binding) -> Iterator[tuple[str, str]]:
    """The same for the commit. A plan from uncommitted files is valid for the same manifests, uncommitted."""
    if saved.git_commit != now.git_commit:
        yield "commit", f"the plan was made at {_commit(saved)}, but this is {_commit(now)}"
    if saved.git_dirty != now.git_dirty:
        yield "dirty", f"the plan was made from {_cleanness(saved)}, but this is {_cleanness(now)}"


def _commit(binding: Binding) -> str:
    return f"commit {binding.git_commit[:12]}" if binding.git_commit else "an unknown commit"


def _cleanness(binding: Binding) -> str:
    if binding.git_dirty is None:
        return "a checkout that cannot be compared with its commit"
    return "a checkout with uncommitted changes" if binding.git_dirty else "a clean checkout"


ACKNOWLEDGEMENT_DIGITS: Final = 12


def acknowledgement(plan: Plan, objections: Sequence[Finding] = ()) -> str:
    """The value for ``--ack`` that accepts these findings in addition to the plan's, and no other changes."""
    return changes_digest(plan, (*plan.guards, *objections))[:ACKNOWLEDGEMENT_DIGITS]


def refusal(plan: Plan, acknowledged: str | None, objections: Sequence[Finding] = ()) -> GuardRefusal | None:
    """Why the plan cannot be applied; None: it can.

    Args:
        plan: with the findings of the guards.
        acknowledged: the value of ``--ack``: digits, or several separated by commas or blanks.
        objections: see `pipeline.apply`.
    """
    findings = (*plan.guards, *objections)
    final = [finding for finding in findings if not finding.can_be_acknowledged]
    digits = acknowledgement(plan, objections)
    accepted = given(acknowledged)
    if not findings or (digits in accepted and not final):
        return None
    if digits in accepted or len(final) == len(findings):
        return GuardRefusal(final, hint="these cannot be acknowledged")
    return GuardRefusal(findings, hint=_how_to_proceed(digits, accepted, final))


def given(acknowledged: str | None) -> list[str]:
    """The single values of ``--ack``."""
    return (acknowledged or "").replace(",", " ").split()


def _how_to_proceed(digits: str, accepted: Sequence[str], final: Sequence[Finding]) -> str:
    if final:
        return f"{', '.join(sorted({one.rule for one in final}))} cannot be acknowledged"
    other = f"--ack {' '.join(accepted)} is for other changes or findings; " if accepted else ""
    return f"{other}to accept exactly these changes and findings, add --ack {digits}"
