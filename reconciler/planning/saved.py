"""A saved plan x what is here now -> refused, unless it may still be carried out; and what guards object to by now."""

from collections.abc import Sequence
from datetime import datetime

from reconciler.live.identify import check_marketplace
from reconciler.model.freeze import Window
from reconciler.model.plan import Finding, Plan
from reconciler.model.resource import DesiredState
from reconciler.planning import dependents, guards, planfile, references
from reconciler.planning.target import Target
from reconciler.remote.protocol import ReadRemote


def check_here(saved: Plan, desired: DesiredState, base_url: str, target: Target, now: datetime) -> None:
    """Refuse a saved plan that was made for something else than what is here now, as far as nobody need be asked.

    Raises:
        PlanRefused: with a reason of its own for each mismatch.
    """
    planned = saved.binding.marketplace
    configured = target.marketplace or planned
    marketplace = planned if planned.casefold() == configured.casefold() else configured
    planfile.check_binding(saved, target.binding(desired, base_url, marketplace), now, target.checkout)
    planfile.check_deliveries(saved, desired)


def check_saved(
    saved: Plan, desired: DesiredState, remote: ReadRemote, target: Target, now: datetime
) -> tuple[Finding, ...]:
    """Refuse a saved plan that was made for something else than what is here now.

    Returns:
        What the guards object to now and the plan does not say, for `apply`: limits were lowered since, another client
        is logged in, a freeze window holds, findings were taken out, something that it refers to went away, or
        something came to refer to what it deletes. A plan of a part lacks what some guards must see; those have judged
        it when it was made.

    Raises:
        WrongMarketplace: as `plan` does.
        PlanRefused: with a reason of its own for each mismatch.
    """
    check_here(saved, desired, remote.base_url, target, now)
    marketplace = check_marketplace(remote, target.environment, target.marketplace)
    planfile.check_binding(saved, target.binding(desired, remote.base_url, marketplace), now, target.checkout)
    known = {planfile.objection(finding) for finding in saved.guards}
    partial = frozenset() if saved.selection.is_everything else guards.NEED_THE_WHOLE
    changes = target.protection.mark(saved.changes)
    found = [*guards.check(changes, target.context(desired, remote.access())), *frozen(saved, target.freeze, now)]
    found += references.check(saved.changes, desired, remote, marketplace).findings
    found += dependents.check(saved.changes, remote, marketplace).findings
    return tuple(one for one in found if planfile.objection(one) not in known and one.rule not in partial)


def frozen(plan: Plan, freeze: Sequence[Window], now: datetime) -> tuple[Finding, ...]:
    """What the freeze windows say at this moment: somebody may have thought about the plan for long."""
    return tuple(guards.freeze(plan.changes, freeze, now))
