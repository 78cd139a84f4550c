"""A comparison x the checks -> a plan with all findings. A check is a function in a list; it only reads.

`OFFLINE` judges by what is known; `CHECKS` also asks the service.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from reconciler.kinds import login_key
from reconciler.model.plan import Plan
from reconciler.planning import creation, deletion, dependents, guards, hidden_secrets, planfile, references, waves
from reconciler.planning import diff as differ
from reconciler.planning.comparison import Comparison
from reconciler.planning.dependents import Checked
from reconciler.planning.target import NOBODY, Target
from reconciler.remote.protocol import ReadRemote


@dataclass(frozen=True, slots=True)
class Facts:
    """What checks judge by."""

    compared: Comparison
    target: Target
    context: guards.Context


@dataclass(frozen=True, slots=True)
class Online(Facts):
    """The same, with a service to ask."""

    remote: ReadRemote
    referred: references.Checked


def _guarded(facts: Facts) -> Checked:
    return Checked(guards.check(facts.compared.whole, facts.context))


def _created(facts: Facts) -> Checked:
    return Checked(*creation.check(facts.compared.changes, facts.compared.desired, facts.target.rules))


def _renamed(facts: Facts) -> Checked:
    return Checked(tuple(deletion.renamed(differ.likely_renames(facts.compared.changes))))


def _hidden(facts: Online) -> Checked:
    compared = facts.compared
    secrets = {(one.address, name): ref for one in compared.desired.resources for name, ref in one.secrets.items()}
    named = {key for key, reference in secrets.items() if reference}
    return Checked(hidden_secrets.hidden(compared.changes, compared.live, facts.remote, named, compared.unseen))


def _referred(facts: Online) -> Checked:
    return Checked(facts.referred.findings, facts.referred.warnings)


def _dependent(facts: Online) -> Checked:
    compared = facts.compared
    return dependents.check(compared.changes, facts.remote, compared.live.marketplace, compared.whole, compared.desired)


def _dependent_everywhere(facts: Online) -> Checked:
    compared = facts.compared
    return dependents.check(compared.changes, facts.remote, compared.live.marketplace, compared.whole, everywhere=True)


OFFLINE: Final[tuple[Callable[[Facts], Checked], ...]] = (_guarded, _created, _renamed)

CHECKS: Final[tuple[Callable[[Online], Checked], ...]] = (*OFFLINE, _hidden, _referred, _dependent)
"""In the order in which a plan lists what they find."""

OF_ROLLBACK: Final[tuple[Callable[[Online], Checked], ...]] = (_guarded, _hidden, _referred, _dependent_everywhere)
"""What a run has deleted and made is no rename; and it may have made objects of kinds that are no longer in use."""


def check(
    compared: Comparison,
    remote: ReadRemote,
    target: Target,
    checks: Iterable[Callable[[Online], Checked]] = CHECKS,
) -> Plan:
    """Judge, and make the plan.

    Raises:
        RemoteError: a read failed otherwise than by a missing role.
    """
    access, base_url, marketplace = remote.access(), remote.base_url, compared.live.marketplace
    referred = references.check(compared.changes, compared.desired, remote, marketplace, compared.whole)
    facts = Online(compared, target, target.context(compared.manifests, access), remote, referred)
    checked = [one(facts) for one in checks]
    spelled = replace(compared, changes=referred.changes)
    return replace(_plan(spelled, base_url, target, checked), login=login_key(access.client_id))


def check_offline(compared: Comparison, base_url: str, target: Target) -> Plan:
    """Judge by what is known without a service and a login, and make the plan."""
    context = replace(target.context(compared.manifests, NOBODY), has_secrets=False)
    facts = Facts(compared, target, context)
    return _plan(compared, base_url, target, [one(facts) for one in OFFLINE])


def _plan(compared: Comparison, base_url: str, target: Target, checked: Sequence[Checked]) -> Plan:
    return Plan(
        changes=waves.in_waves(compared.changes, compared.live.marketplace),
        binding=target.binding(compared.manifests, base_url, compared.live.marketplace),
        guards=(*compared.findings, *(finding for one in checked for finding in one.findings)),
        warnings=(*compared.warnings, *(warning for one in checked for warning in one.warnings)),
        selection=target.selection,
        notices=compared.notices,
        out_of_scope=compared.out_of_scope,
        created_at=planfile.precise(target.now),
    )
