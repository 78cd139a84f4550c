"""A recorded run, manifests and a service -> the comparison whose changes take the run back, as if they asked for it.

Of an updated object only what the run changed is named: a field that it did not touch keeps its live value, whoever has
changed it since. A field that it did touch must still be as the run left it. An object that it created is deleted only
if all of it is as the run left it: body, assignments and secrets. Anything else is a conflict, and nothing is taken
back. What the run deleted is created again; secrets stay as they are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from reconciler import live as reader
from reconciler.applying.rollback.view import RULE, Present, View
from reconciler.errors import PlanRefused, UsageError
from reconciler.kinds import KINDS
from reconciler.model.dataclass import dataclass
from reconciler.model.named_secret import LiveSecret
from reconciler.model.outcome import RecordedRun
from reconciler.model.plan import Action, Binding, Change, Finding
from reconciler.model.resource import DesiredResource, DesiredState, LiveResource, LiveState, ObjectKey
from reconciler.planning import diff as differ
from reconciler.planning import selection
from reconciler.planning.comparison import Comparison, identified
from reconciler.planning.diff import secret_changes
from reconciler.planning.target import Target
from reconciler.remote import ReadRemote

__all__ = ["RULE"]


@dataclass(frozen=True, slots=True)
class Back:
    """What would take a run back."""

    desired: DesiredState
    findings: tuple[Finding, ...] = ()
    """What somebody has changed since, or may have; it is not taken back."""
    warnings: tuple[str, ...] = ()
    """What it cannot take back, and what the manifests still ask for."""


def _created(run: RecordedRun, live: LiveState) -> tuple[LiveResource, ...]:
    """The live objects that a run created: `_back` needs their assignments and secrets."""
    present = Present.of(live)
    views = [View(run.id, change, KINDS[change.address.kind], present, {}, {}) for change in run.changes]
    found = [view.creation() for view in views if view.change.action is Action.CREATE and view.change.may_be_written]
    return tuple(one for one in found if one)


def _back(
    run: RecordedRun,
    live: LiveState,
    secrets: Mapping[ObjectKey, Sequence[LiveSecret]],
    manifests: DesiredState,
    plan_key: bytes | None = None,
) -> Back:
    """Work out what would take the changes of a run back.

    Args:
        run: with the changes that are to be taken back; what was certainly not written is passed over.
        live: all that the service has, with assignments.
        secrets: the named secrets of what `_created` gives, by object.
        manifests: what says what is protected, and where each resource stands.
        plan_key: what fingerprints of secret values are keyed with.
    """
    known = {resource.address: resource for resource in manifests.resources}
    present = Present.of(live)
    views = [
        View(run.id, change, KINDS[change.address.kind], present, secrets, known, plan_key)
        for change in run.changes
        if change.may_be_written
    ]
    made = [view.wanted() for view in views]
    pairs = list(zip(views, made, strict=True))
    return Back(
        DesiredState(tuple(one for one in made if isinstance(one, DesiredResource)), manifests.digest),
        (*(one for one in made if isinstance(one, Finding)), *(one for view in views for one in view.doubts)),
        (*(warning for view, one in pairs for warning in view.warnings(one)), *_still_asked_for(pairs)),
    )


def _still_asked_for(pairs: Sequence[tuple[View, DesiredResource | Finding | None]]) -> Iterator[str]:
    asked = [view for view, one in pairs if isinstance(one, DesiredResource) and view.is_asked]
    if asked:
        names = ", ".join(sorted(str(view.change.address) for view in asked))
        yield (
            f"the manifests still ask for what this takes back: {names}; revert them too, "
            "or the next apply makes these changes again"
        )


def _whole(changes: Sequence[Change], manifests: DesiredState) -> tuple[Change, ...]:
    """The changes as guards are to see them: an object that a manifest claims is managed, and stays as it is."""
    claimed = {ObjectKey(resource.address.kind, resource.id) for resource in manifests.resources if resource.id}
    names = {
        (resource.address.kind, resource.spec.get(KINDS[resource.address.kind].name_field))
        for resource in manifests.resources
        if not KINDS[resource.address.kind].has_chosen_ids
    }

    def seen(change: Change) -> Change:
        name = (change.before or {}).get(KINDS[change.address.kind].name_field)
        is_managed = change.key in claimed or (change.address.kind, name) in names
        if change.action is Action.UNMANAGED and is_managed:
            return replace(change, action=Action.NO_OP, after=change.before)
        return change

    return tuple(map(seen, changes))


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
    marketplace = reader.check_marketplace(remote, target.environment, target.marketplace, kinds)
    _require_same(run, target.binding(manifests, remote.base_url, marketplace))
    live = reader.read_objects(remote, kinds, marketplace)
    created = [one.key for one in _created(taken, live)]
    assigned = {ObjectKey(one.address.kind, one.id) for one in taken.changes if one.assignments and one.id}
    found = reader.details(remote, live, assigned.union(created), created, is_optional=True)
    return Sides(taken, found.live, found.secrets)


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
    back = _back(sides.run, sides.live, sides.secrets, manifests, target.plan_key)
    compared = identified(differ.diff(back.desired, sides.live, {}), target.creation)
    changes = target.protection.mark(compared)
    planned = tuple(change for change in changes if change.action is not Action.UNMANAGED)
    return Comparison(
        back.desired,
        manifests,
        sides.live,
        planned,
        _whole(changes, manifests),
        findings=back.findings,
        warnings=(*target.warnings(planned), *secret_changes.patched(planned), *back.warnings),
    )
