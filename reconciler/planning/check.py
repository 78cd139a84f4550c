"""A comparison -> a plan with all findings, in waves. The checks only read.

Without a service, a plan is checked against what is known. A saved plan is checked again before it is applied. A field
that a manifest does not name can have any value on an existing client, but has the API's default on a new one, so
that rules can check creations (`created`) which the loader cannot.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

from reconciler.kinds import KINDS, login_key
from reconciler.kinds.checks import ManifestView, Objection, Rule, RuleLevel
from reconciler.kinds.references import references as references_in
from reconciler.kinds.references import wave
from reconciler.live import check_marketplace, has_hidden_secret
from reconciler.manifests.rules import objections_if_new
from reconciler.model.dataclass import dataclass
from reconciler.model.inputs import Window
from reconciler.model.json import Body
from reconciler.model.plan import Action, Change, Finding, Plan, known_after
from reconciler.model.resource import Address, DesiredResource, DesiredState, FieldsPolicy, ObjectKey
from reconciler.planning import deletion, guards, hidden_secrets, planfile, references
from reconciler.planning.comparison import NO_LOGIN, Comparison, Target, granting_objects
from reconciler.planning.deletion import Findings
from reconciler.planning.diff.notices import likely_renames
from reconciler.planning.diff.secret_changes import due_at_once
from reconciler.remote import ReadRemote


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What every check uses."""

    compared: Comparison
    target: Target
    guarded: guards.Context


@dataclass(frozen=True, slots=True)
class LiveContext(CheckContext):
    """What a check uses that also reads the service."""

    remote: ReadRemote
    referred: references.Referred


def check(compared: Comparison, remote: ReadRemote, target: Target) -> Plan:
    """Run all checks, and make the plan.

    Raises:
        RemoteError: a read failed otherwise than by a missing role.
    """
    return _terse(_checked(compared, remote, target, CHECKS))


def check_rollback(compared: Comparison, remote: ReadRemote, target: Target) -> Plan:
    """Run the checks of a rollback, and make the plan; raises as `check`.

    Warnings are not merged: what cannot be rolled back is named for each object.
    """
    return _checked(compared, remote, target, ROLLBACK_CHECKS)


def _checked(
    compared: Comparison, remote: ReadRemote, target: Target, checks: Sequence[Callable[[LiveContext], Findings]]
) -> Plan:
    access, live = remote.access(), compared.live
    referred = references.check(compared.changes, compared.desired, remote, live.marketplace, compared.whole)
    guarded = target.context(compared.manifests, access, live)
    context = LiveContext(compared, target, guarded, remote, referred)
    found = [one(context) for one in checks]
    plan = _plan(replace(compared, changes=referred.changes), remote.base_url, target, found)
    return replace(plan, login=login_key(access.client_id))


def check_offline(compared: Comparison, base_url: str, target: Target) -> Plan:
    """Run the checks that need neither a service nor a login, and make the plan."""
    guarded = replace(target.context(compared.manifests, NO_LOGIN, compared.live), has_secrets=False)
    context = CheckContext(compared, target, guarded)
    return _terse(_plan(compared, base_url, target, [one(context) for one in OFFLINE_CHECKS]))


def _guards(context: CheckContext) -> Findings:
    return Findings(guards.check(context.compared.whole, context.guarded))


def _created(context: CheckContext) -> Findings:
    return created(context.compared.changes, context.compared.desired, context.target.rules)


def _renamed(context: CheckContext) -> Findings:
    return Findings(tuple(deletion.renamed(likely_renames(context.compared.changes))))


def _hidden_secrets(context: LiveContext) -> Findings:
    compared, has_secret = context.compared, partial(has_hidden_secret, context.remote)
    named = {(one.address, name) for one in compared.desired.resources for name, ref in one.secrets.items() if ref}
    return Findings(hidden_secrets.hidden(compared.changes, compared.live, has_secret, named, compared.unseen))


def _references(context: LiveContext) -> Findings:
    return Findings(context.referred.findings, context.referred.warnings)


def _dependents(context: LiveContext) -> Findings:
    compared = context.compared
    return deletion.check(compared.changes, context.remote, compared.live.marketplace, compared.whole, compared.desired)


def _dependents_everywhere(context: LiveContext) -> Findings:
    """Search all kinds for dependents, since a rollback may delete objects of kinds that are no longer in use."""
    compared = context.compared
    return deletion.check(compared.changes, context.remote, compared.live.marketplace, compared.whole, everywhere=True)


OFFLINE_CHECKS: Final[tuple[Callable[[CheckContext], Findings], ...]] = (_guards, _created, _renamed)
CHECKS: Final[tuple[Callable[[LiveContext], Findings], ...]] = (
    *OFFLINE_CHECKS,
    _hidden_secrets,
    _references,
    _dependents,
)
ROLLBACK_CHECKS: Final[tuple[Callable[[LiveContext], Findings], ...]] = (
    _guards,
    _hidden_secrets,
    _references,
    _dependents_everywhere,
)
"""Without `_created` and `_renamed`: a rollback recreates earlier objects, and has no manifests for them."""


def _plan(compared: Comparison, base_url: str, target: Target, checked: Sequence[Findings]) -> Plan:
    return Plan(
        changes=in_waves(compared.changes, compared.live.marketplace),
        binding=target.binding(compared.manifests, base_url, compared.live.marketplace),
        guards=(*compared.findings, *(finding for one in checked for finding in one.findings)),
        warnings=(*compared.warnings, *(warning for one in checked for warning in one.warnings)),
        selection=target.selection,
        notices=compared.notices,
        out_of_scope=compared.out_of_scope,
        scope=compared.manifests.scope,
        created_at=planfile.timestamp(target.now),
    )


def in_waves(changes: Sequence[Change], marketplace: str) -> tuple[Change, ...]:
    """Order changes: a write follows what it refers to, a deletion follows the changes that end references to it."""
    waves = {kind: wave(kind) for kind in {change.address.kind for change in changes}}
    written = {name: one.address for one in changes if one.after and one.action.writes for name in _names(one)}
    users = _users(changes, marketplace)
    return tuple(
        replace(
            change,
            wave=waves[change.address.kind],
            depends_on=tuple(sorted(set(_dependencies(change, written, users, marketplace)) - {change.address})),
        )
        for change in changes
    )


def _names(change: Change) -> Iterator[ObjectKey]:
    """The keys by which other changes refer to the object."""
    kind = change.address.kind
    yield ObjectKey(kind, known_after(change.address))
    if change.key:
        yield change.key


def _users(changes: Sequence[Change], marketplace: str) -> Mapping[ObjectKey, list[Address]]:
    """Object -> the changes of objects that refer to it now."""
    users: dict[ObjectKey, list[Address]] = defaultdict(list)
    for change in changes:
        if change.action.writes and change.before:
            for key in (
                *referred_keys(change.address.kind, change.before, marketplace),
                *_assigned(change, assign=False),
            ):
                users[key].append(change.address)
    return users


def _dependencies(
    change: Change, written: Mapping[ObjectKey, Address], users: Mapping[ObjectKey, list[Address]], marketplace: str
) -> Iterator[Address]:
    if change.action is Action.DELETE and change.key:
        yield from users.get(change.key, ())
    elif change.action.writes and change.after:
        keys = (*referred_keys(change.address.kind, change.after, marketplace), *_assigned(change, assign=True))
        yield from (written[key] for key in keys if key in written)


def _assigned(change: Change, *, assign: bool) -> Iterator[ObjectKey]:
    table = KINDS[change.address.kind].assignments
    for step in change.assignments:
        if table and step.assign is assign and (key := table.key(step.party, step.id)):
            yield key


def referred_keys(kind: str, body: Body, marketplace: str = "") -> Iterator[ObjectKey]:
    """The objects of managed kinds that a body refers to."""
    for _, to, value in references_in(KINDS[kind], body, marketplace):
        if to.kind and isinstance(value, str):
            yield ObjectKey(to.kind, value)


def check_here(saved: Plan, desired: DesiredState, base_url: str, target: Target, now: datetime) -> None:
    """Refuse a saved plan that does not match the present target, as far as this is known without the service.

    Raises:
        PlanRefused: with a separate reason for each mismatch.
    """
    planned = saved.binding.marketplace
    configured = target.marketplace or planned
    marketplace = planned if planned.casefold() == configured.casefold() else configured
    planfile.check_binding(saved, target.binding(desired, base_url, marketplace), now, target.checkout)
    planfile.check_deliveries(saved, desired)


def check_saved(
    saved: Plan, desired: DesiredState, remote: ReadRemote, target: Target, now: datetime
) -> tuple[Finding, ...]:
    """Refuse a saved plan that does not match the present target.

    Returns:
        The present findings that the plan does not have, for `apply`: limits were lowered, another client is logged
        in, a freeze window holds, findings were removed, a referenced object was deleted, or a new reference to a
        deleted object exists. Guards that need the whole marketplace ran when a partial plan was made.

    Raises:
        WrongMarketplace: as `plan` does.
        PlanRefused: with a separate reason for each mismatch.
    """
    check_here(saved, desired, remote.base_url, target, now)
    marketplace = check_marketplace(remote, target.environment, target.marketplace)
    planfile.check_binding(saved, target.binding(desired, remote.base_url, marketplace), now, target.checkout)
    known = {planfile.objection(finding) for finding in saved.guards}
    partial = frozenset() if saved.selection.is_everything else guards.NEED_THE_WHOLE
    changes = target.protection.mark(saved.changes)
    context = target.context(desired, remote.access(), granting_objects(saved, desired, remote))
    found = [*guards.check(changes, context), *frozen(saved, target.freeze, now)]
    found += references.check(saved.changes, desired, remote, marketplace).findings
    found += [*deletion.check(saved.changes, remote, marketplace).findings, *due_at_once(saved.changes, now)]
    return tuple(one for one in found if planfile.objection(one) not in known and one.rule not in partial)


def frozen(plan: Plan, freeze: Sequence[Window], now: datetime) -> tuple[Finding, ...]:
    """The findings of freeze windows at this moment, which may be long after planning."""
    return tuple(guards.freeze(plan.changes, freeze, now))


def created(changes: Sequence[Change], desired: DesiredState, levels: Mapping[str, RuleLevel]) -> Findings:
    """Check created objects against the rules. What the loader found and what is waived is not repeated.

    Args:
        changes: those that are planned.
        desired: their manifests.
        levels: the levels of rules that the environment sets.

    Returns:
        Findings that forbid a creation, although it stays in the plan, and warnings.
    """
    resources = {resource.address: resource for resource in desired.resources}
    findings, warnings = [], []
    for change in changes:
        resource = resources.get(change.address)
        if change.action is not Action.CREATE or resource is None:
            continue
        for rule, objection in _objections(resource, levels):
            message = (
                f"{resource.places.get(objection.pointer, resource.place)}: {change.address} does not exist yet, and "
                f"would be created like this: {objection.message}: {rule.reason}"
            )
            if levels.get(rule.name, rule.level) is RuleLevel.ERROR:
                about = (change.address,)
                findings.append(Finding(rule.name, message, objection.hint, about, can_be_acknowledged=False))
            else:
                warnings.append(f"{message}; {objection.hint} [{rule.name}]")
    return Findings(tuple(findings), tuple(warnings))


def _objections(resource: DesiredResource, levels: Mapping[str, RuleLevel]) -> Iterator[tuple[Rule, Objection]]:
    kind = KINDS[resource.address.kind]
    exclusive = resource.policy.fields is FieldsPolicy.EXCLUSIVE
    named = bool(resource.named_secrets)
    view = ManifestView(
        resource.spec, kind.defaults, resource.secrets, resource.assignments, exclusive, has_named_secrets=named
    )
    for rule, objection in objections_if_new(kind, view):
        if levels.get(rule.name, rule.level) is not RuleLevel.OFF and rule.name not in resource.waived:
            yield rule, objection


_ABOUT: Final = re.compile(r"^(?:\S+:\d+:\d+: )?([A-Z][A-Za-z]+/[^\s:,;]+)")
"""The address in a warning, after its place if there is one."""
_MAX_LISTED: Final = 3
"""The number of equal warnings up to which each is shown separately."""


def _terse(plan: Plan) -> Plan:
    """Warnings, with many equal ones of several resources merged into one at the place of the first."""
    same: dict[str, list[str]] = defaultdict(list)
    for one in plan.warnings:
        same[_ABOUT.sub("", one)].append(one)
    warnings = (one for ones in same.values() for one in (ones if len(ones) <= _MAX_LISTED else [_of_many(ones)]))
    return replace(plan, warnings=tuple(warnings))


def _of_many(warnings: Sequence[str]) -> str:
    """One warning that names all resources: nothing else may identify them."""
    first, *others = warnings
    names = [found[1] for one in others if (found := _ABOUT.search(one))]
    return f"{first}; the same for {len(names):,} others: {', '.join(names)}" if names else first
