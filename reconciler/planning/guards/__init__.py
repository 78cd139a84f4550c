"""Changes x limits -> findings: the rules that refuse a dangerous plan before its first write. Pure.

Each guard is one function in `GUARDS`; it says the numbers, the rule's name and the way out. A finding that
`can_be_acknowledged` is overridden by ``--ack`` with the digest of these changes and findings, and by nothing else.
`freeze` judges the hour, so it stands apart: a plan only warns of it.
"""

from collections.abc import Sequence
from typing import Final

from reconciler.model.plan import Change, Finding
from reconciler.planning.guards.context import Context, Guard
from reconciler.planning.guards.freeze import freeze
from reconciler.planning.guards.keeping import last_full_access, last_seller_client, protected
from reconciler.planning.guards.limits import limit_changes, limit_changes_percent, limit_deletes, limit_widens
from reconciler.planning.guards.own_client import own_client

__all__ = ["GUARDS", "NEED_THE_WHOLE", "TIMED", "Context", "check", "freeze"]

GUARDS: Final[tuple[Guard, ...]] = (
    limit_changes,
    limit_changes_percent,
    limit_deletes,
    limit_widens,
    protected,
    last_seller_client,
    last_full_access,
    own_client,
)

NEED_THE_WHOLE: Final = frozenset({"limit-changes-percent", "last-seller-client", "last-full-access"})
"""Rules that can only judge a plan of the whole marketplace."""


TIMED: Final = frozenset({"freeze"})
"""Rules that judge the hour: what they said earlier means nothing now."""


def check(changes: Sequence[Change], context: Context) -> tuple[Finding, ...]:
    """All objections to these changes, in the order of the rules."""
    return tuple(finding for guard in GUARDS for finding in guard(changes, context))
