"""Manifests and a service -> plan -> outcomes: the phases in order. Read this first.

load     paths, context            -> Loaded(DesiredState)  | InputError with every fault, file:line:column
read     remote, kinds, secrets    -> Sides                 | RemoteError (a failed read never looks like "absent")
diff     sides                     -> Comparison            matched, with named secrets, protected, pruned, selected
check    comparison                -> Plan                  with the findings of guards, references and dependents
apply    plan, remote              -> outcome, outcome ...  (computes nothing: what was shown is what is sent)
render   plan | result             -> str

Loading is done by `manifests.load`, rendering by `render`; this module joins what lies between.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from reconciler import live as reader
from reconciler.applying import rollback
from reconciler.applying import run as applier
from reconciler.errors import ReconcilerError
from reconciler.model.inputs import Selection, Snapshot
from reconciler.model.named_secret import LiveSecret
from reconciler.model.outcome import ApplyResult, RecordedRun
from reconciler.model.plan import Finding, Plan
from reconciler.model.reports import Adoption
from reconciler.model.resource import Address, DesiredState, LiveState, ObjectKey
from reconciler.planning.check import check, check_offline, check_rollback
from reconciler.planning.comparison import Sides, Target, diff, diff_offline, read
from reconciler.planning.diff.identity import propose, require_valid
from reconciler.planning.planfile import refusal
from reconciler.remote import ReadRemote, SecretRemote
from reconciler.secrets import Resolve, prepare
from reconciler.secrets.delivery import Deliverer
from reconciler.secrets.rotation import Provider


def plan(desired: DesiredState, remote: ReadRemote, target: Target, resolve: Resolve) -> Plan:
    """Plan the changes that bring the service in step with the manifests. Reads only.

    Raises:
        SecretMissing: a secret that the target requires cannot be read here; no request was sent.
        WrongMarketplace: the service is not the one that the configuration names; nothing else was read.
        RemoteError: a read failed.
        InputError: a manifest cannot be matched with one live object.
    """
    sides = read(desired, remote, target, resolve)
    compared = diff(sides, target)
    return check(compared, remote, target)


def plan_back(
    run: RecordedRun, only: Sequence[str], manifests: DesiredState, remote: ReadRemote, target: Target
) -> Plan:
    """Plan the rollback of a run, as an ordinary plan with the same guards. Reads only.

    Args:
        run: the run, from its journal.
        only: patterns for the addresses of the changes to roll back; none: all.
        manifests: decide what is managed and protected; nothing else of them is used.
        remote: the service.
        target: what the plan is made for.

    Raises:
        WrongMarketplace: the service is not the one that the configuration names; nothing else was read.
        PlanRefused: the run was of another environment or marketplace.
        RemoteError: a read failed.
    """
    target = replace(target, selection=Selection(only=tuple(sorted(only))))
    sides = rollback.read(run, manifests, remote, target)
    compared = rollback.diff(sides, manifests, target)
    return check_rollback(compared, remote, target)


def plan_from(snapshot: Snapshot, desired: DesiredState, base_url: str, target: Target) -> Plan:
    """Make the plan that `plan` would have made when the snapshot was taken, as far as possible. Contacts no service.

    Secrets are not compared and references are not looked up; a warning says so. Without a login, guards on the client
    of the run do not apply.

    Raises:
        ReconcilerError: the snapshot is of another environment or base URL, or lacks a kind that the manifests name.
        WrongMarketplace: it is of another marketplace than the configuration names.
        InputError: as `plan` does.
    """
    _require_usable(snapshot, desired, base_url, target)
    compared = diff_offline(Sides(desired, snapshot.live), target)
    planned = check_offline(compared, base_url, target)
    warning = (
        f"from a snapshot taken at {snapshot.taken_at}: secrets were not compared, and references were not looked up"
    )
    return replace(planned, snapshot=snapshot.taken_at, warnings=(warning, *planned.warnings))


def _require_usable(snapshot: Snapshot, desired: DesiredState, base_url: str, target: Target) -> None:
    for noun, was, is_now in (
        ("environment", snapshot.environment, target.environment),
        ("base URL", snapshot.base_url, base_url),
    ):
        if was != is_now:
            raise ReconcilerError(f"the snapshot is of {noun} {was}, not {is_now}")
    if lacking := target.in_use(desired) - snapshot.live.kinds:
        message = f"the snapshot has no objects of {', '.join(sorted(lacking))}, which the manifests name"
        hint = "create a new one: reconciler snapshot --out FILE, with these manifests or with the kinds under manage:"
        raise ReconcilerError(message, hint=hint)
    found = snapshot.live.marketplace
    reader.same_marketplace(found, target.environment, target.marketplace, "the snapshot is of", base_url)


def adopt(
    desired: DesiredState,
    remote: ReadRemote,
    target: Target,
    bound: Mapping[Address, str],
    given: Mapping[Address, str],
) -> Adoption:
    """Propose the live object of each manifest, so that its id can be bound. Reads only.

    Args:
        desired: the manifests of one environment.
        remote: the service.
        target: what the proposals are made for.
        bound: the ids in the environment, by manifest.
        given: ids that the user gave, by manifest.

    Raises:
        WrongMarketplace: the service is not the one that the configuration names; nothing else was read.
        RemoteError: a read failed.
    """
    live = reader.read(remote, target.environment, target.marketplace, target.in_use(desired)).live
    require_valid(desired, live)
    proposals = propose(desired, live, bound, given)
    return Adoption(target.environment, remote.base_url, live.marketplace, proposals)


def live(remote: ReadRemote, target: Target, kinds: Collection[str], optional: Collection[str] = ()) -> LiveState:
    """Read all objects of these kinds, with all assignments; `optional` are kinds that the service may lack.

    Raises:
        WrongMarketplace: the service is not the one that the configuration names; nothing else was read.
        RemoteError: a read failed.
    """
    everything = reader.Related(assigned=None)
    found = reader.read(
        remote, target.environment, target.marketplace, kinds, optional=optional, related=lambda _: everything
    )
    return found.live


def snapshot(remote: ReadRemote, target: Target, kinds: Collection[str], taken_at: str) -> Snapshot:
    """Take a snapshot of all objects of these kinds, with all assignments. Reads only.

    Raises:
        WrongMarketplace: the service is not the one that the configuration names; nothing else was read.
        RemoteError: a read failed.
    """
    return Snapshot(taken_at, target.environment, remote.base_url, live(remote, target, kinds))


def named_secrets(remote: ReadRemote, live: LiveState) -> Mapping[ObjectKey, tuple[LiveSecret, ...]]:
    """Read the named secrets, by object; none from a service that keeps a secret on the object.

    Raises:
        RemoteError: a read failed.
    """
    shown = {one.kind for one in live.resources if one.secrets}
    objects = [one.key for one in live.resources if one.kind not in shown]
    return reader.read_secrets(remote, objects, is_optional=True)


def apply(  # noqa: PLR0913  # plan, remote, controls, and the user's decisions
    plan: Plan,
    remote: SecretRemote,
    resolve: Resolve,
    controls: applier.Controls,
    *,
    objections: Sequence[Finding] = (),
    acknowledged: str | None = None,
    plan_key: bytes | None = None,
    deliverer: Deliverer | None = None,
) -> ApplyResult:
    """Apply exactly this plan.

    Args:
        plan: a plan that was just made or checked.
        remote: the service that it was made for.
        resolve: reads every secret that the plan sets, before the first write.
        controls: how the run is observed and stopped.
        objections: the findings of `check_saved` or `frozen`, in addition to those of the plan.
        acknowledged: see `refusal`.
        plan_key: the key of the plan's fingerprints.
        deliverer: delivers new secrets as their manifests declare; None: a plan that creates any is refused.

    Raises:
        GuardRefusal: a guard has findings, and the plan is not acknowledged; nothing was written.
        SecretMissing: a secret cannot be read here; nothing was written.
        PlanRefused: a secret has another value than when the plan was made; nothing was written.
    """
    if refused := refusal(plan, acknowledged, objections):
        raise refused
    prepared = prepare(plan, resolve, plan_key, deliverer)
    provide = Provider(remote, deliverer, controls.recorder.note)
    controls = replace(controls, conclude=prepared.conclude)
    return applier.apply(plan, remote, prepared.values, controls, provide)
