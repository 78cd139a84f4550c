"""Both sides -> the changes between them: matched, with named secrets, protected, pruned and selected."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from reconciler.live.read import odd
from reconciler.model.plan import Change, Finding, Notice
from reconciler.model.resource import Address, DesiredState, LiveState
from reconciler.planning import creation, deletion, hidden_secrets, selection
from reconciler.planning import diff as differ
from reconciler.planning.diff import write_only
from reconciler.planning.restore import copied, restored
from reconciler.planning.sides import Sides
from reconciler.planning.target import Target
from reconciler.remote.protocol import ReadRemote


@dataclass(frozen=True, slots=True)
class Comparison:
    """The changes that are planned, and what comparing has shown."""

    desired: DesiredState
    """What the changes are from."""
    manifests: DesiredState
    """What says which objects are managed."""
    live: LiveState
    changes: tuple[Change, ...]
    """Those that are planned."""
    whole: tuple[Change, ...]
    """Those, and all else that was read as it is: what the guards judge."""
    unseen: frozenset[tuple[Address, str]] = frozenset()
    """Secrets that are there and that the service does not show."""
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    out_of_scope: int = 0
    """Live objects that belong to other repositories: in `whole` alone."""


def diff(sides: Sides, remote: ReadRemote, target: Target) -> Comparison:
    """Compare; the service is only asked whether secrets that it does not show are there.

    Raises:
        RemoteError: a login failed otherwise than by a wrong secret.
        InputError: a manifest cannot be matched with one live object.
    """
    desired, values = sides.desired, sides.secrets.values
    changes = differ.diff(desired, sides.live, values, target.plan_key, target.unseen)
    if restored(changes):  # then secrets that no answer has are production's, and those that can be are written
        unseen = replace(
            target.unseen, requested_secrets=target.unseen.requested_secrets | write_only.named(desired.resources)
        )
        again = differ.diff(desired, sides.live, values, target.plan_key, unseen)
        changes = tuple(one if other.is_patch else other for one, other in zip(changes, again, strict=True))
    secretive = hidden_secrets.compare(changes, sides.live, values, remote)
    named = differ.with_named_secrets(secretive.changes, desired, sides.named, target.now)

    def about_secrets(planned: Sequence[Change], seen: LiveState) -> Iterable[str]:
        yield from sides.secrets.warnings(planned)
        yield from write_only.unknown(desired.resources, planned, values, target.unseen, target.plan_key)
        yield from write_only.patched(planned)
        yield from hidden_secrets.placeholders(seen)
        yield from (*secretive.warnings, *named.warnings)

    compared = _compared(sides, named.changes, target, about_secrets)
    return replace(compared, unseen=secretive.hidden)


def diff_offline(sides: Sides, target: Target) -> Comparison:
    """Compare without a service to ask, and nothing that is secret.

    Raises:
        InputError: as `diff` does.
    """
    bare = replace(sides, desired=selection.without_secrets(sides.desired))
    changes = differ.diff(bare.desired, bare.live, {})
    return _compared(sides, changes, target, lambda _planned, _seen: ())


def _compared(
    sides: Sides,
    changes: Sequence[Change],
    target: Target,
    about_secrets: Callable[[Sequence[Change], LiveState], Iterable[str]],
) -> Comparison:
    desired, live = sides.desired, sides.live
    own, foreign = selection.parted(changes, desired.scope)
    settled = deletion.settle(
        creation.identified(own, target.creation),
        target.protection,
        prunes=target.prunes,
        own_client_id=sides.login,
        odd={Address(one.kind, one.id) for one in live.resources if one.faults},
    )
    selected = selection.restrict(settled.changes, desired, target.selection)
    seen = selection.without(live, foreign)
    warnings = (
        *target.warnings(selected.changes),
        *selected.warnings,
        *about_secrets(selected.changes, seen),
        *odd(seen),
        *settled.warnings,
        *selection.left_scope(selected.changes, desired.scope),
        *differ.hints(selected.whole, desired),
        *copied(selected.changes),
    )
    notices = differ.notices(selected.changes, desired, live, selected.whole)
    whole = (*selected.whole, *foreign)
    return Comparison(
        desired, desired, live, selected.changes, whole, warnings=warnings, notices=notices, out_of_scope=len(foreign)
    )
