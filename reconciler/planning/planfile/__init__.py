"""Plan <-> JSON document, and whether a plan may be carried out: it is bound to what is here, or refused by a guard.

The document is deterministic: equal plans give equal bytes apart from ``created_at`` and the digest over it. Its core
is shaped like Terraform's plan representation, so that policy tools written for ``resource_changes[].change.actions``
read it. Values at secret paths are absent from it, not masked.

A file is read only where it has the very bytes that `dumps` gives: a document that two readers could take for two plans
(a key that is there twice) is not a plan. With a key, the document is signed, and an unsigned one is refused.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from reconciler.errors import GuardRefusal, PlanRefused
from reconciler.model.inputs import Checkout
from reconciler.model.plan import Binding, Finding, Plan
from reconciler.model.resource import DesiredState
from reconciler.planning.planfile.document import (
    FORMAT_VERSION,
    changes_besides,
    changes_digest,
    dumps,
    objection,
    pieces,
    pieces_of,
    plan_digest,
    precise,
    timestamp,
    to_document,
)
from reconciler.planning.planfile.reading import SCHEMA, content, loads, read

__all__ = [
    "ACKNOWLEDGEMENT_DIGITS",
    "FORMAT_VERSION",
    "SCHEMA",
    "acknowledgement",
    "changes_besides",
    "changes_digest",
    "check_binding",
    "check_deliveries",
    "content",
    "dumps",
    "given",
    "loads",
    "objection",
    "pieces",
    "pieces_of",
    "plan_digest",
    "precise",
    "read",
    "refusal",
    "timestamp",
    "to_document",
]


def check_binding(plan: Plan, now: Binding, moment: datetime, checkout: Checkout) -> None:
    """Refuse a plan that was made for something else than what is here now.

    Args:
        plan: as it was saved.
        now: what a plan made at this moment would be bound to.
        moment: the present time.
        checkout: why git cannot say more, where it cannot.

    Raises:
        PlanRefused: with a reason of its own for each mismatch, the gravest first.
    """
    for reason, message in _other_target(plan.binding, now):
        raise PlanRefused(reason, message)
    for reason, message in _other_checkout(plan.binding, now):
        if checkout.problem:
            raise PlanRefused(reason, f"{message}: {checkout.problem}", hint=checkout.fix)
        raise PlanRefused(reason, message)
    if plan.binding.expires_at and timestamp(moment) >= plan.binding.expires_at:
        raise PlanRefused("expired", f"the plan expired at {plan.binding.expires_at}")


def check_deliveries(plan: Plan, desired: DesiredState) -> None:
    """Refuse a plan that takes secrets from, or delivers them to, other places than the manifests say.

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
            message = f"{change.address}: the plan has other sources or deliveries of secrets than the manifest"
            raise PlanRefused("deliveries", message)


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
    return f"commit {binding.git_commit[:12]}" if binding.git_commit else "an unknown commit"


def _cleanness(binding: Binding) -> str:
    if binding.git_dirty is None:
        return "a checkout that cannot be compared with its commit"
    return "a checkout with uncommitted changes" if binding.git_dirty else "a clean checkout"


ACKNOWLEDGEMENT_DIGITS: Final = 12


def acknowledgement(plan: Plan, objections: Sequence[Finding] = ()) -> str:
    """What ``--ack`` must be given to accept the findings of this plan and these: it fits no other changes."""
    return changes_digest(plan, (*plan.guards, *objections))[:ACKNOWLEDGEMENT_DIGITS]


def refusal(plan: Plan, acknowledged: str | None, objections: Sequence[Finding] = ()) -> GuardRefusal | None:
    """Why the plan cannot be applied as it stands; None: it can.

    Args:
        plan: with what the guards object to.
        acknowledged: what ``--ack`` was given: digits, or several separated by commas or blanks.
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
    """What ``--ack`` was given, one by one."""
    return (acknowledged or "").replace(",", " ").split()


def _how_to_proceed(digits: str, accepted: Sequence[str], final: Sequence[Finding]) -> str:
    if final:
        return f"{', '.join(sorted({one.rule for one in final}))} cannot be acknowledged"
    other = f"--ack {' '.join(accepted)} is for other changes or findings; " if accepted else ""
    return f"{other}to accept exactly these changes and findings, add --ack {digits}"
