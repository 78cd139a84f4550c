"""A recorded run, manifests and a service -> the comparison whose changes take the run back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from reconciler.applying import rollback
from reconciler.errors import PlanRefused, UsageError
from reconciler.live import read as reader
from reconciler.live.read import check_marketplace
from reconciler.model.named_secret import LiveSecret
from reconciler.model.plan import Action, Binding
from reconciler.model.resource import DesiredState, LiveState, ObjectKey
from reconciler.model.run import RecordedRun
from reconciler.planning import diff as differ
from reconciler.planning import selection
from reconciler.planning.comparison import Comparison, identified
from reconciler.planning.diff import unseen_secrets
from reconciler.planning.target import Target
from reconciler.remote.protocol import ReadRemote


@dataclass(frozen=True, slots=True)
class Sides:
    """What is taken back, and what is there."""

    run: RecordedRun
    """With the changes that are selected."""
    live: LiveState
    secrets: Mapping[ObjectKey, Sequence[LiveSecret]]
    """The named secrets of what the run created."""


def read(run: RecordedRun, manifests: DesiredState, remote: ReadRemote, target: Target) -> Sides:
    """Read the kinds in use and those of the run.

    Raises:
        UsageError: no change of the run is selected.
        WrongMarketplace: the service is not the one that the configuration names; nothing else was read.
        PlanRefused: the run was of another environment or marketplace.
        RemoteError: a read failed.
    """
    taken = _taken(run, target)
    kinds = target.in_use(manifests) | {one.address.kind for one in taken.changes}
    marketplace = check_marketplace(remote, target.environment, target.marketplace, kinds)
    _require_same(run, target.binding(manifests, remote.base_url, marketplace))
    live = reader.read(remote, kinds, marketplace)
    created = [one.key for one in rollback.created(taken, live)]
    assigned = {ObjectKey(one.address.kind, one.id) for one in taken.changes if one.assignments and one.id}
    live = reader.with_assignments(remote, live, assigned.union(created))
    return Sides(taken, live, reader.read_secrets(remote, created, is_optional=True))


def _taken(run: RecordedRun, target: Target) -> RecordedRun:
    chosen = target.selection
    taken = tuple(change for change in run.changes if selection.is_selected(chosen, change.address, {}))
    if chosen.only and not taken:
        message = f"no change of that run is one of {', '.join(chosen.only)}"
        raise UsageError(message, hint=f"see history show {run.id}")
    return replace(run, changes=taken)


def _require_same(run: RecordedRun, binding: Binding) -> None:
    for reason, was, is_now in (
        ("environment", run.environment, binding.environment),
        ("base-url", run.base_url, binding.base_url),
        ("marketplace", run.marketplace, binding.marketplace),
    ):
        if was != is_now:
            raise PlanRefused(reason, f"that run was of {was}, and this is {is_now}", hint="choose its --env")


def diff(sides: Sides, manifests: DesiredState, target: Target) -> Comparison:
    """Compare what the run left with what is there; what is in no manifest is not reported."""
    back = rollback.back(sides.run, sides.live, sides.secrets, manifests, target.plan_key)
    compared = identified(differ.diff(back.desired, sides.live, {}), target.creation)
    changes = target.protection.mark(compared)
    planned = tuple(change for change in changes if change.action is not Action.UNMANAGED)
    return Comparison(
        back.desired,
        manifests,
        sides.live,
        planned,
        rollback.whole(changes, manifests),
        findings=back.findings,
        warnings=(*target.warnings(planned), *unseen_secrets.patched(planned), *back.warnings),
    )
