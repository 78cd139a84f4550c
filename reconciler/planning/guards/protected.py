"""Changes -> findings: what a manifest or the configuration protects."""

from collections.abc import Iterator, Sequence

from reconciler.kinds import KINDS
from reconciler.model.plan import Action, Change, Finding
from reconciler.planning.guards.context import Context


def protected(changes: Sequence[Change], _context: Context) -> Iterator[Finding]:
    """A protected resource would be deleted or deactivated."""
    for change in changes:
        if change.protected and (
            change.action is Action.DELETE or _switches_off(change, KINDS[change.address.kind].active_field)
        ):
            yield Finding(
                "protected",
                f"{change.address} is protected, and would be {'deleted' if not change.after else 'deactivated'}",
                "first remove policy.protected from its manifest, and its line under protected: of this environment, "
                "in a change of its own",
                (change.address,),
                can_be_acknowledged=False,
            )


def _switches_off(change: Change, name: str) -> bool:
    return bool(change.before and change.before.get(name) and change.after and not change.after.get(name))
