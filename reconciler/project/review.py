"""A plan and a file with what was reviewed -> whether the plan is that, and what is new in it."""

from dataclasses import replace
from pathlib import Path

from reconciler.applying import receipt as receiptfile
from reconciler.errors import ReconcilerError
from reconciler.model.plan import Plan, Review
from reconciler.planning import planfile
from reconciler.project.files import read_file


def review(plan: Plan, file: Path, key: bytes | None) -> Review:
    """Compare a plan with an earlier one, or with the receipt of the last apply.

    What cannot be read was not reviewed: whoever waits for approval is asked once too often, never once too rarely.

    Args:
        plan: what would be applied.
        file: the plan of a pull request, which nobody has signed, or a receipt.
        key: what a receipt must be signed with.
    """
    if not plan.has_changes:
        return Review(is_reviewed=True, reason="there is nothing to do", unseen=plan)
    try:
        text = read_file(file)
        if '"resource_changes"' in text:
            return _of_plan(plan, planfile.loads(text, str(file)))
        return _of_receipt(plan, text, file, key)
    except ReconcilerError as error:
        return Review(is_reviewed=False, reason=error.message, unseen=plan)


def _of_plan(plan: Plan, reviewed: Plan) -> Review:
    digest = planfile.changes_digest(plan)
    if digest == planfile.changes_digest(reviewed):
        return Review(is_reviewed=True, reason=f"the changes are those of the plan, {digest[:12]}", unseen=plan)
    unseen = replace(plan, changes=planfile.changes_besides(plan, reviewed))
    gone = [f"{change.action} {change.address}" for change in planfile.changes_besides(reviewed, plan)]
    return Review(is_reviewed=False, reason=_difference(plan, reviewed), unseen=unseen, gone=tuple(gone))


def _difference(plan: Plan, reviewed: Plan) -> str:
    here, there = plan.binding, reviewed.binding
    if (here.environment, here.marketplace.casefold()) != (there.environment, there.marketplace.casefold()):
        return f"the plan that was reviewed is of environment {there.environment}, marketplace {there.marketplace}"
    if planfile.changes_besides(plan, reviewed) or planfile.changes_besides(reviewed, plan):
        return "the changes are not those of the plan that was reviewed"
    return "the guards object to other things than in the plan that was reviewed"


def _of_receipt(plan: Plan, text: str, file: Path, key: bytes | None) -> Review:
    receipt = receiptfile.loads(text, str(file), key)
    receiptfile.check(receipt, plan.binding)
    if receipt.manifest_digest == plan.binding.manifest_digest:
        reason = f"the manifests are those of the apply at {receipt.created_at}; only the service has changed"
        return Review(is_reviewed=True, reason=reason, unseen=plan)
    reason = f"the manifests are not those of the last apply, at {receipt.created_at}"
    return Review(is_reviewed=False, reason=reason, unseen=plan)
