"""Manifests and a service -> plan -> outcomes: the phases in order. Read this first.

load     paths, context            -> Loaded(DesiredState)  | InputError with every fault, file:line:column
read     remote, kinds             -> LiveState, secrets    | RemoteError (a failed read never looks like "absent")
diff     desired, live             -> changes, warnings     matched, with named secrets, protected, pruned, selected
check    changes                   -> findings, warnings    of `_CHECKS`: guards, references, what depends on deletions
apply    plan, remote              -> outcome, outcome ...  (computes nothing: what was shown is what is sent)

Loading is done by `manifests.load`, rendering by `render`; this module joins what lies between.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from reconciler import __version__
from reconciler.applying import rollback
from reconciler.applying import run as applier
from reconciler.errors import (
    GuardRefusal,
    InputError,
    NoSuchKind,
    PlanRefused,
    ReconcilerError,
    UsageError,
    WrongMarketplace,
)
from reconciler.kinds import DEFAULT_KIND, KINDS, Kind, login_key, make_ready
from reconciler.live import read as reader
from reconciler.manifests.rules import Level
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.freeze import Window
from reconciler.model.inputs import Access, Checkout, Selection, Snapshot
from reconciler.model.named_secret import LiveSecret
from reconciler.model.outcome import ApplyResult
from reconciler.model.plan import Action, Binding, Change, Creation, Finding, Limits, Plan
from reconciler.model.reports import Adoption
from reconciler.model.resource import Address, DesiredState, LiveResource, LiveState, ObjectKey
from reconciler.model.run import RecordedChange, RecordedRun
from reconciler.planning import creation, deletion, dependents, planfile, references, selection, waves
from reconciler.planning import diff as differ
from reconciler.planning import guards as guard
from reconciler.planning.deletion import Protection
from reconciler.planning.diff import write_only
from reconciler.remote.protocol import ReadRemote, SecretRemote
from reconciler.secrets import hidden as hiding
from reconciler.secrets import values as provisioning
from reconciler.secrets.delivery import Courier
from reconciler.secrets.values import Resolve

ACKNOWLEDGEMENT_DIGITS: Final = 12
_OF_A_SNAPSHOT: Final = "from a snapshot taken at {}: secrets were not compared, and references were not looked up"


@dataclass(frozen=True, slots=True)
class Target:
    """What a plan is made for, as far as the configuration and the checkout know it."""

    environment: str
    marketplace: str | None
    """The Seller.ID that the service must answer; None takes any (the embedded emulator)."""
    limits: Limits
    checkout: Checkout = field(default_factory=Checkout)
    expires_at: str | None = None
    """See `Binding.expires_at`."""
    plan_key: bytes | None = None
    """Keys the fingerprints of secrets that a plan keeps; None: it keeps none."""
    demands_secrets: bool = False
    """Whether a secret that cannot be read here is an error; else it is not compared, and the plan says so."""
    rules: Mapping[str, Level] = field(default_factory=dict)
    """How strictly rules are taken, as far as the environment says."""
    selection: Selection = field(default_factory=Selection)
    """What a plan is restricted to; all manifests are loaded and matched all the same."""
    prunes: bool = False
    """Whether what no manifest claims is to be deleted; the manifests must then be all there are."""
    protection: Protection = field(default_factory=Protection)
    """What the environment never deletes nor deactivates."""
    freeze: tuple[Window, ...] = ()
    """When nothing is applied."""
    creation: Creation = "auto"
    """How the service creates objects, as far as the configuration knows it."""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    """The moment at which a plan is made, and by which freeze windows are judged."""
    manages: frozenset[str] = frozenset()
    """The kinds that are read although no manifest names them."""
    fingerprints: Mapping[tuple[Address, str], str] = field(default_factory=dict)
    """Of the write-only secrets that the last apply wrote, by resource and field, keyed with `plan_key`."""

    @property
    def unseen(self) -> differ.WriteOnly:
        """What is known of secrets that no answer has."""
        return differ.WriteOnly(self.fingerprints, selection.demanded(self.selection))

    def in_use(self, desired: DesiredState) -> frozenset[str]:
        """The kinds that a run reads: those of the manifests, and those that the configuration lists."""
        return self.manages | {one.address.kind for one in desired.resources} or frozenset({DEFAULT_KIND})


def plan(desired: DesiredState, remote: ReadRemote, target: Target, resolve: Resolve) -> Plan:
    """Work out what would bring the service in step with the manifests. Reads only.

    Raises:
        WrongMarketplace: the service is not the one that the configuration names; nothing else was read.
        RemoteError: a read failed.
        InputError: a manifest cannot be matched with one live object.
        SecretMissing: a secret cannot be read here, and the target demands it.
    """
    seen = _read(desired, remote, target, resolve)
    compared = _diff(seen, desired, remote, target)
    return _check(compared, desired, remote, target)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Both sides of a comparison."""

    considered: DesiredState
    """The manifests, with the secrets that are selected."""
    secrets: provisioning.Known
    live: LiveState


@dataclass(frozen=True, slots=True)
class _Compared:
    """The changes that are selected, and what comparing has shown."""

    live: LiveState
    selected: selection.Selected
    unseen: frozenset[tuple[Address, str]]
    """Secrets that the service does not show."""
    warnings: tuple[str, ...]


def _read(desired: DesiredState, remote: ReadRemote, target: Target, resolve: Resolve) -> _Seen:
    kinds = target.in_use(desired)
    marketplace = check_marketplace(remote, target, kinds)
    considered = selection.without_other_secrets(desired, target.selection)
    secrets = provisioning.look_up(considered, resolve)
    if target.demands_secrets:
        secrets.demand()
    assigned = {resource.address.kind for resource in desired.resources if resource.assignments}
    live = _live_of(desired, partial(reader.read, remote, kinds, marketplace, assigned))
    return _Seen(considered, secrets, live)


def _live_of(desired: DesiredState, read: Callable[[], LiveState]) -> LiveState:
    """Read, and name the manifests of a kind that the service does not have."""
    try:
        return read()
    except NoSuchKind as error:
        places = {
            one.address.kind: one.places.get("/kind", one.place)
            for one in reversed(desired.resources)
            if one.address.kind in error.kinds
        }
        if not places:
            raise
        hint = "leave its manifests out of this environment, or check the API version of the service"
        faults = [
            Diagnostic(place, _no_such(KINDS[kind]), "no-such-kind", "/kind", hint)
            for kind, place in sorted(places.items())
        ]
        raise InputError(faults) from error


def _diff(seen: _Seen, desired: DesiredState, remote: ReadRemote, target: Target) -> _Compared:
    compared = differ.diff(seen.considered, seen.live, seen.secrets.values, target.plan_key, target.unseen)
    secretive = hiding.compare(compared, seen.live, seen.secrets.values, remote)
    changes = creation.identified(secretive.changes, target.creation)
    there = provisioning.live_secrets(seen.considered, changes, remote)
    named = differ.with_named_secrets(changes, seen.considered, there, target.now)
    settled = _settled(named.changes, target, remote.client_id, seen.live)
    selected = selection.restrict(settled.changes, desired, target.selection)
    warnings = (
        *_surroundings(selected.changes, target),
        *selected.warnings,
        *seen.secrets.warnings,
        *write_only.unknown(
            seen.considered.resources, selected.changes, seen.secrets.values, target.unseen, target.plan_key
        ),
        *write_only.patched(selected.changes),
        *hiding.placeholders(seen.live),
        *secretive.warnings,
        *odd(seen.live),
        *named.warnings,
        *settled.warnings,
        *differ.hints(selected.whole, desired),
    )
    return _Compared(seen.live, selected, secretive.hidden, warnings)


def _check(compared: _Compared, desired: DesiredState, remote: ReadRemote, target: Target) -> Plan:
    selected = compared.selected
    referred = references.check(selected.changes, desired, remote, selected.whole)
    facts = _Facts(desired, remote, target, compared.live, selected.changes, selected.whole, referred, compared.unseen)
    checked = [check(facts) for check in _CHECKS]
    return Plan(
        changes=waves.in_waves(referred.changes),
        binding=_binding(desired, remote.base_url, target, compared.live.marketplace),
        guards=tuple(finding for one in checked for finding in one.findings),
        warnings=(*compared.warnings, *(warning for one in checked for warning in one.warnings)),
        selection=target.selection,
        notices=differ.notices(selected.changes, desired, compared.live),
        login=login_key(remote.client_id),
        created_at=planfile.precise(target.now),
    )


@dataclass(frozen=True, slots=True)
class _Facts:
    """What checks judge by."""

    desired: DesiredState
    remote: ReadRemote
    target: Target
    live: LiveState
    changes: Sequence[Change]
    """Those that are planned."""
    whole: Sequence[Change]
    """Those, and all else that was read."""
    referred: references.Checked
    unseen: frozenset[tuple[Address, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class _Checked:
    """What one check gives."""

    findings: Sequence[Finding] = ()
    warnings: Sequence[str] = ()


def _guarded(facts: _Facts) -> _Checked:
    return _Checked(guard.check(facts.whole, _context(facts.desired, facts.remote.access(), facts.target)))


def _created(facts: _Facts) -> _Checked:
    return _Checked(*creation.check(facts.changes, facts.desired, facts.target.rules))


def _renamed(facts: _Facts) -> _Checked:
    return _Checked(tuple(deletion.renamed(differ.likely_renames(facts.whole))))


def _hidden(facts: _Facts) -> _Checked:
    return _Checked(hiding.hidden(facts.changes, facts.live, facts.remote, facts.unseen))


def _referred(facts: _Facts) -> _Checked:
    return _Checked(facts.referred.findings, facts.referred.warnings)


def _dependent(facts: _Facts) -> _Checked:
    found = dependents.check(facts.changes, facts.remote, facts.whole)
    return _Checked(found.findings, found.warnings)


_CHECKS: Final[tuple[Callable[[_Facts], _Checked], ...]] = (
    _guarded,
    _created,
    _renamed,
    _hidden,
    _referred,
    _dependent,
)
"""In the order in which a plan lists what they find."""


def plan_back(
    run: RecordedRun, only: Sequence[str], manifests: DesiredState, remote: ReadRemote, target: Target
) -> Plan:
    """Work out what would take a run back; an ordinary plan, judged by the same guards. Reads only.

    Args:
        run: as its journal tells it.
        only: patterns for the addresses of the changes that are taken back; none: all.
        manifests: what says what is managed, and what is protected; nothing else of them counts.
        remote: the service.
        target: what it must be.

    Raises:
        WrongMarketplace: the service is not the one that the configuration names; nothing else was read.
        PlanRefused: the run was of another environment or marketplace.
        RemoteError: a read failed.
    """
    taken = _taken(run, only)
    kinds = target.in_use(manifests) | {one.address.kind for one in taken}
    marketplace = check_marketplace(remote, target, kinds)
    chosen = Selection(only=tuple(sorted(only)))
    binding = _binding(manifests, remote.base_url, target, marketplace)
    _demand_same(run, binding)
    assigned = {one.address.kind for one in taken if one.assignments or one.action is Action.CREATE}
    live = reader.read(remote, kinds, marketplace, assigned)
    run = replace(run, changes=tuple(taken))
    secrets = _secrets_of(rollback.created(run, live), remote)
    back = rollback.back(run, live, secrets, manifests, target.plan_key)
    compared = creation.identified(differ.diff(back.desired, live, {}), target.creation)
    changes = target.protection.mark(compared)
    planned = tuple(change for change in changes if change.action is not Action.UNMANAGED)
    checked = references.check(planned, back.desired, remote, changes)
    dependent = dependents.check(planned, remote, changes, everywhere=True)
    return Plan(
        changes=waves.in_waves(checked.changes),
        binding=binding,
        guards=(
            *back.findings,
            *hiding.hidden(planned, live, remote),
            *guard.check(rollback.whole(changes, manifests), _context(manifests, remote.access(), target)),
            *checked.findings,
            *dependent.findings,
        ),
        warnings=(
            *_surroundings(planned, target),
            *write_only.patched(planned),
            *back.warnings,
            *checked.warnings,
            *dependent.warnings,
        ),
        selection=chosen,
        created_at=planfile.precise(target.now),
    )


def _demand_same(run: RecordedRun, binding: Binding) -> None:
    """Refuse a run of another target.

    Raises:
        PlanRefused: it is one.
    """
    for reason, was, is_now in (
        ("environment", run.environment, binding.environment),
        ("base-url", run.base_url, binding.base_url),
        ("marketplace", run.marketplace, binding.marketplace),
    ):
        if was != is_now:
            raise PlanRefused(reason, f"that run was of {was}, and this is {is_now}", hint="choose its --env")


def _taken(run: RecordedRun, only: Sequence[str]) -> list[RecordedChange]:
    """The changes that are taken back.

    Raises:
        UsageError: there are none.
    """
    chosen = Selection(only=tuple(only))
    taken = [change for change in run.changes if selection.is_selected(chosen, change.address, {})]
    if only and not taken:
        raise UsageError(f"no change of that run is one of {', '.join(only)}", hint=f"see history show {run.id}")
    return taken


def snapshot(remote: ReadRemote, target: Target, kinds: Collection[str], taken_at: str) -> Snapshot:
    """Keep what the service has of these kinds, with all assignments. Reads only.

    Raises:
        WrongMarketplace: the service is not the one that the configuration names; nothing else was read.
        RemoteError: a read failed.
    """
    return Snapshot(taken_at, target.environment, remote.base_url, live(remote, target, kinds))


def plan_from(snapshot: Snapshot, desired: DesiredState, base_url: str, target: Target) -> Plan:
    """Work out what `plan` would have when the snapshot was taken, as far as that can be known. Contacts nobody.

    Secrets are not compared and references are not looked up; a warning says so. Nobody is logged in, so that no guard
    can speak of the client of this run.

    Raises:
        ReconcilerError: the snapshot is of another environment or base URL, or lacks a kind that the manifests name.
        WrongMarketplace: it is of another marketplace than the configuration names.
        InputError: as `plan` does.
    """
    for noun, was, is_now in (
        ("environment", snapshot.environment, target.environment),
        ("base URL", snapshot.base_url, base_url),
    ):
        if was != is_now:
            raise ReconcilerError(f"the snapshot is of another {noun}: {was}, and this is {is_now}")
    if lacking := target.in_use(desired) - snapshot.live.kinds:
        message = f"the snapshot has no objects of {', '.join(sorted(lacking))}, which the manifests name"
        raise ReconcilerError(message, hint="take a new one: reconciler snapshot --out FILE")
    marketplace = _same_marketplace(snapshot.live.marketplace, target, "the snapshot is of", base_url)
    compared = differ.diff(selection.without_secrets(desired), snapshot.live, {}, None)
    changes = creation.identified(compared, target.creation)
    settled = _settled(changes, target, "", snapshot.live)
    selected = selection.restrict(settled.changes, desired, target.selection)
    nobody = Access("", None, as_context_user=False)
    forbidden, unwise = creation.check(selected.changes, desired, target.rules)
    return Plan(
        changes=waves.in_waves(selected.changes),
        binding=_binding(desired, base_url, target, marketplace),
        guards=(
            *guard.check(selected.whole, replace(_context(desired, nobody, target), has_secrets=False)),
            *forbidden,
            *deletion.renamed(differ.likely_renames(selected.whole)),
        ),
        warnings=(
            _OF_A_SNAPSHOT.format(snapshot.taken_at),
            *odd(snapshot.live),
            *_surroundings(selected.changes, target),
            *selected.warnings,
            *settled.warnings,
            *differ.hints(selected.whole, desired),
            *unwise,
        ),
        selection=target.selection,
        snapshot=snapshot.taken_at,
        notices=differ.notices(selected.changes, desired, snapshot.live),
        created_at=planfile.precise(target.now),
    )


def adopt(
    desired: DesiredState,
    remote: ReadRemote,
    target: Target,
    bound: Mapping[Address, str],
    given: Mapping[Address, str],
) -> Adoption:
    """Work out which live object each manifest is, so that its id can be kept. Reads only.

    Args:
        desired: the manifests of one environment.
        remote: the service.
        target: what it must be.
        bound: the ids that the environment keeps, by manifest.
        given: the ids of objects that somebody says some manifests are.

    Raises:
        WrongMarketplace: the service is not the one that the configuration names; nothing else was read.
        RemoteError: a read failed.
    """
    kinds = target.in_use(desired)
    marketplace = check_marketplace(remote, target, kinds)
    live = reader.read(remote, kinds, marketplace)
    differ.demand_sound(desired, live)
    proposals = differ.propose(desired, live, bound, given)
    return Adoption(target.environment, remote.base_url, marketplace, proposals)


def live(remote: ReadRemote, target: Target, kinds: Collection[str], optional: Collection[str] = ()) -> LiveState:
    """Read all that there is of these kinds, with all assignments; `optional` are those that the service may lack.

    Raises:
        WrongMarketplace: the service is not the one that the configuration names; nothing else was read.
        RemoteError: a read failed.
    """
    marketplace = check_marketplace(remote, target, kinds)
    return reader.read(remote, kinds, marketplace, kinds, optional)


def secrets_beside(remote: ReadRemote, live: LiveState) -> Mapping[ObjectKey, tuple[LiveSecret, ...]]:
    """Read what named secrets there are, by object; none of a service that keeps a secret on the object.

    Raises:
        RemoteError: a read failed.
    """
    shown = {one.kind for one in live.resources if one.secrets}
    return _secrets_of([one for one in live.resources if one.kind not in shown], remote)


def _secrets_of(objects: Sequence[LiveResource], remote: ReadRemote) -> Mapping[ObjectKey, tuple[LiveSecret, ...]]:
    return reader.read_secrets(remote, [one.key for one in objects], is_optional=True)


def _no_such(kind: Kind) -> str:
    return f"this service has no {kind.noun}s (GET /v1{kind.path} answered 404)"


def check_marketplace(remote: ReadRemote, target: Target, kinds: Collection[str] = ()) -> str:
    """Ask the service who it is, before anything else is read or written; `kinds` are those that are read next.

    Raises:
        WrongMarketplace: it is another marketplace than the configuration names.
    """
    make_ready(kinds)
    return _same_marketplace(reader.identify(remote), target, "the credentials open", remote.base_url)


def _same_marketplace(marketplace: str, target: Target, whose: str, base_url: str) -> str:
    if target.marketplace is not None and marketplace.casefold() != target.marketplace.casefold():
        message = (
            f"environment {target.environment} is configured for marketplace {target.marketplace}, "
            f"but {whose} {marketplace} at {base_url}"
        )
        fix = "correct `marketplace:` or `auth:` of this environment"
        raise WrongMarketplace([Finding("marketplace", message, fix, can_be_acknowledged=False)])
    return marketplace


def check_here(saved: Plan, desired: DesiredState, base_url: str, target: Target, now: datetime) -> None:
    """Refuse a saved plan that was made for something else than what is here now, as far as nobody need be asked.

    Raises:
        PlanRefused: with a reason of its own for each mismatch.
    """
    planned = saved.binding.marketplace
    configured = target.marketplace or planned
    marketplace = planned if planned.casefold() == configured.casefold() else configured
    planfile.check_binding(saved, _binding(desired, base_url, target, marketplace), now, target.checkout)
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
    marketplace = check_marketplace(remote, target)
    planfile.check_binding(saved, _binding(desired, remote.base_url, target, marketplace), now, target.checkout)
    known = {planfile.objection(finding) for finding in saved.guards}
    partial = frozenset() if saved.selection.is_everything else guard.NEED_THE_WHOLE
    changes = target.protection.mark(saved.changes)
    found = [*guard.check(changes, _context(desired, remote.access(), target)), *frozen(saved, target.freeze, now)]
    found += references.check(saved.changes, desired, remote).findings
    found += dependents.check(saved.changes, remote).findings
    return tuple(one for one in found if planfile.objection(one) not in known and one.rule not in partial)


def apply(  # noqa: PLR0913  # both ends, how it is watched, and what the user said
    plan: Plan,
    remote: SecretRemote,
    resolve: Resolve,
    controls: applier.Controls,
    *,
    objections: Sequence[Finding] = (),
    acknowledged: str | None = None,
    plan_key: bytes | None = None,
    courier: Courier | None = None,
) -> ApplyResult:
    """Carry out exactly this plan.

    Args:
        plan: made or checked a moment ago.
        remote: what it was made for.
        resolve: asked for every secret that the plan sets, before the first write.
        controls: how the run is watched and stopped.
        objections: what `check_saved` or `frozen` gave. The findings of the plan hold besides.
        acknowledged: see `refusal`.
        plan_key: what the plan's fingerprints were keyed with.
        courier: puts new secrets where their manifests want them; None: a plan that makes any is refused.

    Raises:
        GuardRefusal: a guard objects, and the plan is not acknowledged; nothing was written.
        SecretMissing: a secret cannot be read here; nothing was written.
        PlanRefused: a secret has another value than when the plan was made; nothing was written.
    """
    if refused := refusal(plan, acknowledged, objections):
        raise refused
    prepared = provisioning.prepare(plan, resolve, plan_key, courier)
    provide = provisioning.Provider(remote, courier, controls.recorder.note)
    controls = replace(controls, conclude=prepared.conclude)
    return applier.apply(plan, remote, prepared.values, controls, provide)


def acknowledgement(plan: Plan, objections: Sequence[Finding] = ()) -> str:
    """What ``--ack`` must be given to accept the findings of this plan and these: it fits no other changes."""
    return planfile.changes_digest(plan, (*plan.guards, *objections))[:ACKNOWLEDGEMENT_DIGITS]


def refusal(plan: Plan, acknowledged: str | None, objections: Sequence[Finding] = ()) -> GuardRefusal | None:
    """Why the plan cannot be applied as it stands; None: it can.

    Args:
        plan: with what the guards object to.
        acknowledged: what ``--ack`` was given: digits, or several separated by commas or blanks.
        objections: as in `apply`.
    """
    findings = (*plan.guards, *objections)
    final = [finding for finding in findings if not finding.can_be_acknowledged]
    digits = acknowledgement(plan, objections)
    accepted = given(acknowledged)
    if not findings or (digits in accepted and not final):
        return None
    if digits in accepted:
        return GuardRefusal(final, hint="these cannot be acknowledged")
    return GuardRefusal(findings, hint=_how_to_proceed(digits, accepted, final))


def given(acknowledged: str | None) -> list[str]:
    """What ``--ack`` was given, one by one."""
    return (acknowledged or "").replace(",", " ").split()


def _how_to_proceed(digits: str, accepted: Sequence[str], final: Sequence[Finding]) -> str:
    if final:
        return "not all of these can be acknowledged"
    other = f"--ack {' '.join(accepted)} is for other changes or findings; " if accepted else ""
    return f"{other}to accept exactly these changes and findings, add --ack {digits}"


def frozen(plan: Plan, freeze: Sequence[Window], now: datetime) -> tuple[Finding, ...]:
    """What the freeze windows say at this moment: somebody may have thought about the plan for long."""
    return tuple(guard.freeze(plan.changes, freeze, now))


def _surroundings(changes: Sequence[Change], target: Target) -> tuple[str, ...]:
    """Warnings of what is around the plan: a checkout of which git cannot tell, an hour at which apply would refuse."""
    frozen = (f"freeze: {one.message}" for one in guard.freeze(changes, target.freeze, target.now))
    return (*target.checkout.warnings, *frozen)


def odd(live: LiveState) -> tuple[str, ...]:
    """A warning for each object with fields of unexpected types; one that a manifest claims is refused elsewhere."""
    return tuple(f"{KINDS[one.kind].odd(one)}; it is left as it is" for one in live.resources if one.faults)


def _settled(changes: Sequence[Change], target: Target, own_client_id: str, live: LiveState) -> deletion.Pruned:
    return deletion.settle(
        changes,
        target.protection,
        prunes=target.prunes,
        own_client_id=own_client_id,
        odd={Address(one.kind, one.id) for one in live.resources if one.faults},
    )


def _context(desired: DesiredState, access: Access, target: Target) -> guard.Context:
    """What the guards know besides the changes."""
    known = frozenset(
        ObjectKey(resource.address.kind, one)
        for resource in desired.resources
        for one in (resource.id, resource.second_id)
        if one
    )
    return guard.Context(target.limits, access, known)


def _binding(desired: DesiredState, base_url: str, target: Target, marketplace: str) -> Binding:
    return Binding(
        environment=target.environment,
        base_url=base_url,
        marketplace=marketplace,
        manifest_digest=desired.digest,
        tool_version=__version__,
        git_commit=target.checkout.commit,
        git_dirty=target.checkout.dirty,
        expires_at=target.expires_at,
    )
