"""A recorded run x what is live -> what would take the run back, as if manifests asked for it. Pure.

Of an updated object only what the run changed is named: a field that it did not touch keeps its live value, whoever has
changed it since. A field that it did touch must still be as the run left it. An object that it created is deleted only
if all of it is as the run left it: body, assignments and secrets. Anything else is a conflict, and nothing is taken
back. What the run deleted is created again; secrets stay as they are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reconciler.applying.rollback.view import RULE, Present, View
from reconciler.kinds import KINDS
from reconciler.model.named_secret import LiveSecret
from reconciler.model.plan import Action, Change, Finding
from reconciler.model.resource import DesiredResource, DesiredState, LiveResource, LiveState, ObjectKey
from reconciler.model.run import RecordedRun

__all__ = ["RULE", "Back", "back", "created", "whole"]


@dataclass(frozen=True, slots=True)
class Back:
    """What would take a run back."""

    desired: DesiredState
    findings: tuple[Finding, ...] = ()
    """What somebody has changed since, or may have; it is not taken back."""
    warnings: tuple[str, ...] = ()
    """What it cannot take back, and what the manifests still ask for."""


def created(run: RecordedRun, live: LiveState) -> tuple[LiveResource, ...]:
    """The live objects that a run created: `back` needs their assignments and secrets."""
    present = Present.of(live)
    views = [View(run.id, change, KINDS[change.address.kind], present, {}, {}) for change in run.changes]
    found = [view.creation() for view in views if view.change.action is Action.CREATE and view.change.may_be_written]
    return tuple(one for one in found if one)


def back(
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
        secrets: the named secrets of what `created` gives, by object.
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


def whole(changes: Sequence[Change], manifests: DesiredState) -> tuple[Change, ...]:
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
