"""Changes and findings -> the digest that acknowledges them, whoever plans them and when.

It covers what would be written to which environment, and what the guards object to, in canonical form. Commit, time,
lines of manifests, fingerprints and everything that stays as it is are left out, so that an acknowledgement given on a
pull request still holds for the plan that is made after the merge, if that is the same.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from reconciler.kinds import KINDS, Field
from reconciler.model.json import Absent, Json, digest, pointer
from reconciler.model.named_secret import secret_entry
from reconciler.model.plan import Action, Change, FieldChange, Finding, Plan
from reconciler.model.secret import reference_entry

_ASSIGNMENTS: Final = "/assignments/"


def changes_digest(plan: Plan, findings: Sequence[Finding] | None = None) -> str:
    """SHA-256 in hexadecimal over the changes and these findings; None: those of the plan."""
    objections = plan.guards if findings is None else findings
    return digest(
        {
            "environment": plan.binding.environment,
            "marketplace": plan.binding.marketplace.casefold(),
            "changes": [_change(change) for change in plan.changes if change.action.writes],
            "findings": [_finding(finding) for finding in sorted(objections, key=objection)],
        }
    )


def changes_besides(plan: Plan, other: Plan) -> tuple[Change, ...]:
    """The changes that would be written and that the other plan does not have, or has otherwise."""
    known = {digest(_change(change)) for change in other.changes if change.action.writes}
    return tuple(change for change in plan.changes if change.action.writes and digest(_change(change)) not in known)


def objection(finding: Finding) -> tuple[str, str]:
    """What a finding is recognised by: the line of the manifest that it names may have moved."""
    place, address, said = finding.message.partition(f"{next(iter(finding.addresses), '')}: ")
    return finding.rule, address + said if place.endswith(": ") else finding.message


def _finding(finding: Finding) -> Json:
    return [*objection(finding), sorted(map(str, finding.addresses)), finding.can_be_acknowledged]


def _change(change: Change) -> Json:
    kind = KINDS.get(change.address.kind)
    fields: Mapping[str, Field] = kind.fields if kind else {}
    body = change.before if change.action is Action.DELETE and change.before else {}
    return {
        "address": str(change.address),
        "action": change.action.value,
        "id": (change.id or "").casefold(),
        "fields": [_field(one, fields) for one in change.fields if not one.pointer.startswith(_ASSIGNMENTS)],
        "deleted": {name: fields[name].canonical_value(body[name]) for name in fields if name in body},
        "secrets": [[one.field, reference_entry(one.reference)] for one in change.secrets],
        "assignments": sorted((one.party, one.id.casefold(), one.assign) for one in change.assignments),
        "new_secrets": [secret_entry(secret) for secret in change.new_secrets],
        **({"method": "PATCH"} if change.is_patch else {}),
    }


def _field(change: FieldChange, fields: Mapping[str, Field]) -> Json:
    """Both sides as the kind compares them: the service may answer in another case or order."""
    known = {pointer(name): field for name, field in fields.items()}.get(change.pointer)
    sides = [_side(side, known) for side in (change.before, change.after)]
    return [change.pointer, *sides, change.sensitive]


def _side(value: Json | Absent, field: Field | None) -> Json:
    if isinstance(value, Absent):
        return []
    return [field.canonical_value(value) if field else value]
