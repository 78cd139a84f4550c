"""A recorded run, manifests and a service -> the comparison whose changes roll the run back.

Of an updated object only the fields that the run changed are rolled back; all others keep their live values.
A changed field must still have the value that the run left. An object that the run created is deleted only if its body,
assignments and secrets are unchanged since the run. Anything else is a conflict, and nothing is rolled back. What the
run deleted is created again; secrets are not rolled back.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from reconciler import live as reader
from reconciler.applying.rollback.view import ChangeView, views_of
from reconciler.errors import PlanRefused, UsageError
from reconciler.kinds import KINDS
from reconciler.model.dataclass import dataclass
from reconciler.model.named_secret import LiveSecret
from reconciler.model.outcome import RecordedRun
from reconciler.model.plan import Action, Binding, Change, Finding
from reconciler.model.resource import DesiredResource, DesiredState, LiveState, ObjectKey
from reconciler.planning import diff as differ
from reconciler.planning import selection
from reconciler.planning.comparison import Comparison, Target, identified
from reconciler.planning.diff import secret_changes
from reconciler.remote import ReadRemote


@dataclass(frozen=True, slots=True)
class RunAndLive:
    """The run to roll back, and the live state."""

    run: RecordedRun
    """With the selected changes only."""
    live: LiveState
    secrets: Mapping[ObjectKey, Sequence[LiveSecret]]
    """The named secrets of what the run created."""


def read(run: RecordedRun, manifests: DesiredState, remote: ReadRemote, target: Target) -> RunAndLive:
    """Read the kinds in use and those of the run.

    Raises:
        UsageError: no change of the run is selected.
        WrongMarketplace: the service is not the one that the configuration names; nothing else was read.
        PlanRefused: the run was for another environment, base URL or marketplace.
        RemoteError: a read failed.
    """
    taken = _taken(run, target)
    kinds = target.in_use(manifests) | {one.address.kind for one in taken.changes}
    reader.make_ready(kinds)
    marketplace = reader.check_marketplace(remote, target.environment, target.marketplace)
    _require_same(run, target.binding(manifests, remote.base_url, marketplace))
    live = reader.read_objects(remote, kinds, marketplace)
    created = _created(taken, live)
    assigned = {ObjectKey(one.address.kind, one.id) for one in taken.changes if one.assignments and one.id}
    found = reader.read_related(remote, live, reader.Related(assigned.union(created), created, is_optional=True))
    return RunAndLive(taken, found.live, found.secrets)


def _taken(run: RecordedRun, target: Target) -> RecordedRun:
    chosen = target.selection
    taken = tuple(change for change in run.changes if selection.is_selected(chosen, change.address, {}))
    if chosen.only and not taken:
        message = f"no change of run {run.id} matches --only {', '.join(chosen.only)}"
        raise UsageError(message, hint=f"list its changes: reconciler history show {run.id}")
    return replace(run, changes=taken)


def _require_same(run: RecordedRun, binding: Binding) -> None:
    for reason, noun, was, is_now in (
        ("environment", "environment", run.environment, binding.environment),
        ("base-url", "base URL", run.base_url, binding.base_url),
        ("marketplace", "marketplace", run.marketplace, binding.marketplace),
    ):
        if was != is_now:
            raise PlanRefused(
                reason, f"run {run.id} was for {noun} {was}, not {is_now}", hint="select its environment with --env"
            )


def diff(sides: RunAndLive, manifests: DesiredState, target: Target) -> Comparison:
    """Compare the state after the run with the live state; unmanaged objects are not reported."""
    views = views_of(sides.run, sides.live, sides.secrets, manifests.resources, target.plan_key)
    back = [(view, view.wanted()) for view in views]
    wanted = tuple(one for _, one in back if isinstance(one, DesiredResource))
    moved = tuple(one for _, one in back if isinstance(one, Finding))
    notes = tuple(warning for view, one in back for warning in view.warnings(one))
    declared = [view for view, one in back if isinstance(one, DesiredResource) and view.is_declared]
    desired = DesiredState(wanted, manifests.digest)
    compared = identified(differ.diff(desired, sides.live, {}), target.creation)
    changes = target.protection.mark(compared)
    planned = tuple(change for change in changes if change.action is not Action.UNMANAGED)
    return Comparison(
        desired,
        manifests,
        sides.live,
        planned,
        _whole(changes, manifests),
        findings=(*moved, *(one for view in views for one in view.doubts)),
        warnings=(*target.warnings(planned), *secret_changes.patched(planned), *notes, *_still_declared(declared)),
    )


def _created(run: RecordedRun, live: LiveState) -> list[ObjectKey]:
    """The live objects that a run created; their assignments and secrets are compared too."""
    views = views_of(run, live, {}, (), None)
    found = [view.creation() for view in views if view.change.action is Action.CREATE]
    return [one.key for one in found if one]


def _still_declared(views: Sequence[ChangeView]) -> Iterator[str]:
    if views:
        names = ", ".join(sorted(str(view.change.address) for view in views))
        yield (
            f"manifests still declare the values that this rolls back: {names}; revert them too, "
            "or the next apply makes these changes again"
        )


def _whole(changes: Sequence[Change], manifests: DesiredState) -> tuple[Change, ...]:
    """The changes for the guards: an object that a manifest claims is managed and unchanged."""
    claimed = {ObjectKey(resource.address.kind, resource.id) for resource in manifests.resources if resource.id}
    named = [one for one in manifests.resources if not KINDS[one.address.kind].has_chosen_ids]
    names = {(one.address.kind, one.spec.get(KINDS[one.address.kind].name_field)) for one in named}

    def seen(change: Change) -> Change:
        name = (change.before or {}).get(KINDS[change.address.kind].name_field)
        is_managed = change.key in claimed or (change.address.kind, name) in names
        if change.action is Action.UNMANAGED and is_managed:
            return replace(change, action=Action.NO_OP, after=change.before)
        return change

    return tuple(map(seen, changes))
