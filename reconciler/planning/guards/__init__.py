"""Changes x limits -> findings: the rules that refuse a dangerous plan before its first write. Pure.

Each guard is one function in `GUARDS` or `GUARDS_OF_KINDS`; it reports the numbers, the rule and how to fix it. A
finding that `can_be_acknowledged` is overridden by ``--ack`` with the digest of these changes and findings, and by
nothing else. `freeze` depends on the time, so it is separate: a plan only warns of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from reconciler.kinds import own_checks
from reconciler.kinds.checks import Context, Guard
from reconciler.model.plan import Change, Finding
from reconciler.planning.guards.every_kind import (
    freeze,
    immutable,
    incomplete_create,
    limit_changes,
    limit_changes_percent,
    limit_deletes,
    limit_widens,
    not_unique,
    out_of_scope,
    protected,
)
from reconciler.planning.guards.login import own_event, own_roles
from reconciler.planning.restore import restored

__all__ = ["GUARDS", "NEED_THE_WHOLE", "TIMED", "Context", "check", "freeze"]

LIMITS: Final[tuple[Guard, ...]] = (limit_changes, limit_changes_percent, limit_deletes, limit_widens)
"""The guards on the number of changes."""

GUARDS: Final[tuple[Guard, ...]] = (
    incomplete_create,
    immutable,
    not_unique,
    *LIMITS,
    protected,
    out_of_scope,
    own_roles,
    own_event,
)
"""The guards for changes of every kind."""

GUARDS_OF_KINDS: Final[Mapping[str, tuple[Guard, ...]]] = {kind: module.GUARDS for kind, module in own_checks("guards")}
"""Kind -> the guards for changes of this kind only."""

NEED_THE_WHOLE: Final = frozenset({"limit-changes-percent"}).union(
    *(module.NEED_THE_WHOLE for _, module in own_checks("guards"))
)
"""Rules that require a plan of the whole marketplace."""


TIMED: Final = frozenset({"freeze"})
"""Rules that depend on the time: earlier findings are no longer valid."""


def check(changes: Sequence[Change], context: Context) -> tuple[Finding, ...]:
    """All findings on these changes, in the order of the rules."""
    context = replace(context, exempt=restored(changes) if context.limits.restore else frozenset())
    findings = [finding for guard in GUARDS for finding in guard(changes, context)]
    for kind, limits in context.limits.kinds.items():
        of_kind = [change for change in changes if change.address.kind == kind]
        findings += [finding for guard in LIMITS for finding in guard(of_kind, replace(context, limits=limits))]
    for kind, guards in GUARDS_OF_KINDS.items():
        of_kind = [change for change in changes if change.address.kind == kind]
        findings += [finding for guard in guards for finding in guard(of_kind, context)]
    return tuple(findings)
