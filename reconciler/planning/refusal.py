"""A plan and what the guards object to x an acknowledgement -> why the plan cannot be applied, or nothing."""

from collections.abc import Sequence
from typing import Final

from reconciler.errors import GuardRefusal
from reconciler.model.plan import Finding, Plan
from reconciler.planning.planfile import changes_digest

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
