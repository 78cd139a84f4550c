"""A target x manifests x a service -> both states -> the changes between them: matched, protected, pruned and selected.

A target is an environment, its limits, and the user's selection.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from reconciler import __version__
from reconciler import live as reader
from reconciler.errors import AccessDenied, InputError, NoSuchKind, ReconcilerError
from reconciler.kinds import DEFAULT_KIND, KINDS, Kind
from reconciler.kinds.checks import RuleLevel
from reconciler.live import Related, unexpected_fields
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Diagnostic, listed
from reconciler.model.inputs import Access, Checkout, Selection, Window
from reconciler.model.named_secret import LiveSecret
from reconciler.model.plan import Action, Binding, Change, Creation, Finding, Limits, Notice, Plan
from reconciler.model.resource import (
    Address,
    DesiredResource,
    DesiredState,
    LiveResource,
    LiveState,
    ObjectKey,
    SecretKey,
    Values,
)
from reconciler.planning import deletion, guards, hidden_secrets, selection
from reconciler.planning import diff as differ
from reconciler.planning.deletion import Protection
from reconciler.planning.diff import secret_changes
from reconciler.planning.diff.identity import match
from reconciler.planning.diff.notices import hints, notices
from reconciler.planning.diff.secret_changes import WriteOnly, with_named_secrets
from reconciler.planning.restore import copied, may_be_restored, restored
from reconciler.remote import ReadRemote
from reconciler.secrets import Resolve, ResolvedSecrets, look_up

NO_LOGIN: Final = Access("", None, as_context_user=False)
"""The login of a run that contacts no service."""


@dataclass(frozen=True, slots=True)
class Target:
    """The target of a plan, from the configuration and the checkout."""

    environment: str
    marketplace: str | None
    """The required Seller.ID of the service; None: any (the embedded emulator)."""
    limits: Limits
    checkout: Checkout = field(default_factory=Checkout)
    expires_at: str | None = None
    """See `Binding.expires_at`."""
    plan_key: bytes | None = field(default=None, repr=False)
    """The key of the fingerprints of secrets in a plan; None: it has no fingerprints."""
    requires_secrets: bool = False
    """Whether an unreadable secret is an error; otherwise it is not compared, and the plan reports it."""
    rules: Mapping[str, RuleLevel] = field(default_factory=dict)
    """The levels of rules that the environment sets."""
    selection: Selection = field(default_factory=Selection)
    """What a plan is restricted to; all manifests are still loaded and matched."""
    prunes: bool = False
    """Whether unmanaged objects are deleted, which requires that all manifests are loaded."""
    protection: Protection = field(default_factory=Protection)
    """Objects that the environment never deletes or deactivates."""
    freeze: tuple[Window, ...] = ()
    """The freeze windows."""
    creation: Creation = "auto"
    """How the service creates objects, from the configuration."""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    """The moment of planning, which freeze windows are checked against."""
    manages: frozenset[str] = frozenset()
    """The kinds that are read although no manifest names them."""
    fingerprints: Mapping[SecretKey, str] = field(default_factory=dict)
    """Fingerprints of the write-only secrets that the last apply wrote, keyed with `plan_key`."""

    @property
    def unseen(self) -> WriteOnly:
        """What is known of secrets that the service never returns."""
        return WriteOnly(self.fingerprints, selection.requested_secrets(self.selection), self.plan_key)

    def in_use(self, desired: DesiredState) -> frozenset[str]:
        """The kinds that a run reads: those of manifests and those listed in the configuration."""
        return self.manages | {one.address.kind for one in desired.resources} or frozenset({DEFAULT_KIND})

    def warnings(self, changes: Sequence[Change]) -> tuple[str, ...]:
        """Warnings: git cannot determine the state of the checkout, or a freeze window would refuse an apply now."""
        frozen = (f"freeze: {one.message}" for one in guards.freeze(changes, self.freeze, self.now))
        return (*self.checkout.warnings, *frozen)

    def context(self, desired: DesiredState, access: Access, live: LiveState) -> guards.Context:
        """What guards use in addition to the changes, such as the assignments that were read."""
        known = frozenset(
            ObjectKey(resource.address.kind, one)
            for resource in desired.resources
            for one in (resource.id, resource.second_id)
            if one
        )
        held = {one.key: one.assignments for one in live.resources if one.assignments}
        return guards.Context(self.limits, access, known, held=held, scope=desired.scope)

    def binding(self, desired: DesiredState, base_url: str, marketplace: str) -> Binding:
        """What a plan of these manifests for this service is bound to."""
        return Binding(
            environment=self.environment,
            base_url=base_url,
            marketplace=marketplace,
            manifest_digest=desired.digest,
            tool_version=__version__,
            git_commit=self.checkout.commit,
            git_dirty=self.checkout.dirty,
            expires_at=self.expires_at,
        )


@dataclass(frozen=True, slots=True)
class Sides:
    """The desired and the live state."""

    desired: DesiredState
    """The manifests, with the secrets that are selected."""
    live: LiveState
    secrets: ResolvedSecrets = field(default_factory=ResolvedSecrets)
    """The values of the references in manifests."""
    named: Mapping[ObjectKey, Sequence[LiveSecret]] = field(default_factory=dict)
    """The named secrets of every live object whose manifest lists secrets."""
    hidden: Mapping[SecretKey, bool] = field(default_factory=dict)
    """Secrets that exist although the service shows null; whether each has the desired value."""
    login: str = ""
    """The id of the login client; empty: no login."""


def read(desired: DesiredState, remote: ReadRemote, target: Target, resolve: Resolve) -> Sides:
    """Read the kinds in use, and the secrets of selected resources.

    Raises:
        SecretMissing: a secret that the target requires cannot be read here; no request was sent.
        WrongMarketplace: the service is not the one that the configuration names; nothing else was read.
        RemoteError: a read failed.
        InputError: the service lacks the kind of a manifest, or a manifest cannot be matched with one live object.
    """
    considered = selection.without_other_secrets(desired, target.selection)
    kinds, named = target.in_use(desired), {one.address.kind for one in desired.resources if not one.policy.absent}
    with _located(desired, target):
        secrets = look_up(considered, resolve)
        if target.requires_secrets:
            secrets.require()
        related = partial(_related, considered, secrets.values, target.selection)
        found = reader.read(remote, target.environment, target.marketplace, kinds, expected=named, related=related)
    return Sides(considered, found.live, secrets, found.secrets, found.hidden, remote.client_id)


def _related(desired: DesiredState, values: Values, selected: Selection, live: LiveState) -> Related:
    """What is compared of objects in addition to their bodies."""
    detailed = [one for one in desired.resources if one.assignments or one.secrets or one.named_secrets is not None]
    matches = match(desired, live) if detailed else {}
    there = [(one, found) for one in detailed if not one.policy.absent and (found := matches[one.address])]
    in_doubt = {found.key: hidden_secrets.in_doubt(one, found, values) for one, found in there}
    return Related(
        assigned={found.key for one, found in there if _is_assigned(one, found, selected)},
        secret_owners=[found.key for one, found in there if one.named_secrets is not None],
        in_doubt={key: secrets for key, secrets in in_doubt.items() if secrets},
    )


def _is_assigned(manifest: DesiredResource, live: LiveResource, selected: Selection) -> bool:
    """Whether its assignments are compared: if selected, or if they may show the effect of a restore."""
    if not manifest.assignments:
        return False
    return selection.is_selected(selected, manifest.address, manifest.labels) or may_be_restored(manifest, live)


def granting_objects(saved: Plan, desired: DesiredState, remote: ReadRemote) -> LiveState:
    """The profiles and groups in a saved plan, with their compared assignments, if the plan writes any of them.

    If the login may not read them, all of them count as its own.

    Raises:
        RemoteError: a read failed otherwise than by a missing role.
    """
    kinds = {name for name in {one.address.kind for one in saved.changes} if KINDS[name].gives or KINDS[name].members}
    found = [one for one in saved.changes if one.before is not None and one.address.kind in kinds]
    seen = (LiveResource(one.address.kind, one.id or "", one.before or {}) for one in found)
    live = LiveState(tuple(seen), saved.binding.marketplace)
    named = {one.address for one in desired.resources if one.assignments and not one.policy.absent}
    compared = {one.key for one in found if one.key and one.address in named}
    if any(one.action.writes for one in found):
        with suppress(AccessDenied):
            return reader.with_assignments(remote, live, compared)
    return live


@contextmanager
def _located(desired: DesiredState, target: Target) -> Iterator[None]:
    """Report the manifests, or entries of ``manage``, of a kind that the service does not have."""
    try:
        yield
    except NoSuchKind as error:
        places = {
            one.address.kind: one.places.get("/kind", one.place)
            for one in reversed(desired.resources)
            if one.address.kind in error.kinds
        }
        if not places and target.manages.issuperset(error.kinds):
            missing = "; ".join(_no_such(KINDS[kind]) for kind in error.kinds)
            hint = f"remove {', '.join(error.kinds)} from manage: in reconciler.yaml, or check the API version"
            raise ReconcilerError(missing, hint=hint) from error
        if not places:
            raise
        hint = "remove its manifests from this environment, or check the API version of the service"
        faults = [
            Diagnostic(place, _no_such(KINDS[kind]), "no-such-kind", "/kind", hint)
            for kind, place in sorted(places.items())
        ]
        raise InputError(faults) from error


def _no_such(kind: Kind) -> str:
    return f"this service has no {kind.noun}s (GET /v1{kind.path} returned 404)"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The planned changes, and what the comparison found."""

    desired: DesiredState
    """The compared states."""
    manifests: DesiredState
    """The manifests that decide which objects are managed."""
    live: LiveState
    changes: tuple[Change, ...]
    """The planned changes."""
    whole: tuple[Change, ...]
    """The planned changes, and everything else that was read as no-ops: what the guards check."""
    unseen: frozenset[SecretKey] = frozenset()
    """Secrets that exist but that the service does not show."""
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    out_of_scope: int = 0
    """Live objects of other repositories: only in `whole`."""


def diff(sides: Sides, target: Target) -> Comparison:
    """Compare.

    Raises:
        InputError: a manifest cannot be matched with one live object.
    """
    desired, values = sides.desired, sides.secrets.values
    changes = differ.diff(desired, sides.live, values, target.unseen)
    if restored(changes):  # then write-only secrets are production's, and are written where possible
        requested = target.unseen.requested_secrets | secret_changes.named(desired.resources)
        unseen = replace(target.unseen, requested_secrets=requested)
        again = differ.diff(desired, sides.live, values, unseen)
        changes = tuple(one if other.is_patch else other for one, other in zip(changes, again, strict=True))
    changes = hidden_secrets.without_known(changes, sides.hidden, values)
    changes, due, about_named = with_named_secrets(changes, desired, sides.named, target.now)

    def about_secrets(planned: Sequence[Change], seen: LiveState) -> Iterable[str]:
        yield from sides.secrets.warnings(planned)
        yield from secret_changes.unknown(desired.resources, planned, values, target.unseen)
        yield from secret_changes.patched(planned)
        yield from hidden_secrets.placeholders(seen)
        yield from (*hidden_secrets.not_compared(sides.hidden), *about_named)

    return _compared(sides, changes, target, about_secrets, due)


def diff_offline(sides: Sides, target: Target) -> Comparison:
    """Compare without a service, and without secrets.

    Raises:
        InputError: as `diff` does.
    """
    bare = replace(sides, desired=selection.without_secrets(sides.desired))
    changes = differ.diff(bare.desired, bare.live, {})
    return _compared(sides, changes, target, lambda _planned, _seen: ())


def _limits_of_pruning(live: LiveState, target: Target) -> Iterator[str]:
    """Warn that pruning does not see objects of a kind that has lost its last manifest."""
    unread = KINDS.keys() - live.kinds
    if target.prunes and unread:
        is_short = len(live.kinds) < len(unread)
        covers = f"covers only {listed(sorted(live.kinds))}" if is_short else f"does not cover {listed(sorted(unread))}"
        yield f"--prune {covers}; add others that this service has to manage: in reconciler.yaml"


def _compared(
    sides: Sides,
    changes: Sequence[Change],
    target: Target,
    about_secrets: Callable[[Sequence[Change], LiveState], Iterable[str]],
    findings: tuple[Finding, ...] = (),
) -> Comparison:
    desired, live = sides.desired, sides.live
    own, foreign = selection.parted(changes, desired.scope)
    kept_or_deleted, about_kept = deletion.protect_and_prune(
        identified(own, target.creation),
        target.protection,
        prunes=target.prunes,
        own_client_id=sides.login,
        unexpected_fields={Address(one.kind, one.id) for one in live.resources if one.faults},
    )
    selected = selection.restrict(kept_or_deleted, desired, target.selection)
    seen = selection.without(live, foreign)
    warnings = (
        *target.warnings(selected.changes),
        *selected.warnings,
        *about_secrets(selected.changes, seen),
        *unexpected_fields(seen),
        *about_kept,
        *_limits_of_pruning(live, target),
        *selection.left_scope(selected.changes, desired.scope),
        *hints(selected.whole, desired),
        *copied(selected.changes),
    )
    noticed = notices(selected.changes, desired, live, selected.whole)
    hidden, whole = frozenset(sides.hidden), (*selected.whole, *foreign)
    return Comparison(
        desired, desired, live, selected.changes, whole, hidden, findings, warnings, noticed, len(foreign)
    )


def identified(changes: Sequence[Change], creation: Creation) -> tuple[Change, ...]:
    """The same changes, without ids for objects created by POST, which the service chooses."""

    def is_posted(change: Change) -> bool:
        return creation == "post" and change.action is Action.CREATE and not KINDS[change.address.kind].has_chosen_ids

    return tuple(replace(one, id=None) if is_posted(one) else one for one in changes)
