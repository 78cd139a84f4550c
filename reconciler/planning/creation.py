"""Clients that a plan creates x the rules -> what is unwise in them, which their manifests alone do not show. Pure.

Of a client that exists, a field that its manifest leaves out may be anything. A client that is created has the API's
default there, no secret and no assignments, so that rules have something to say which the loader could not.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from reconciler.kinds import KINDS, Kind
from reconciler.manifests.rules import Level, ManifestView, Objection, Rule, objections_if_new
from reconciler.model.diagnostic import Diagnostic, Severity
from reconciler.model.plan import Action, Change, Creation, Finding
from reconciler.model.resource import Address, DesiredResource, DesiredState, FieldsPolicy


def identified(changes: Sequence[Change], way: Creation) -> tuple[Change, ...]:
    """The same changes; what is created by POST has no id before the service makes one."""
    return tuple(replace(one, id=None) if way == "post" and _is_made_by_post(one) else one for one in changes)


def _is_made_by_post(change: Change) -> bool:
    return change.action is Action.CREATE and not KINDS[change.address.kind].has_chosen_ids


def check(
    changes: Sequence[Change], desired: DesiredState, levels: Mapping[str, Level]
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Ask the rules about what is created. What the loader has found and what is waived is not repeated.

    Args:
        changes: those that are planned.
        desired: the manifests that they are from.
        levels: how strictly rules are taken, as far as the environment says.

    Returns:
        What forbids a creation, which is missing all the same, and what is worth a warning.
    """
    resources = {resource.address: resource for resource in desired.resources}
    found = [
        diagnostic
        for change in changes
        if change.action is Action.CREATE and change.address in resources
        for diagnostic in _found(resources[change.address], KINDS[change.address.kind], levels)
    ]
    errors = [(address, one) for address, one in found if one.severity is Severity.ERROR]
    return (
        tuple(
            Finding(one.rule, f"{one.place}: {one.message}", one.hint, (address,), can_be_acknowledged=False)
            for address, one in errors
        ),
        tuple(
            f"{one.place}: {one.message}; {one.hint} [{one.rule}]"
            for _, one in found
            if one.severity is not Severity.ERROR
        ),
    )


def _found(resource: DesiredResource, kind: Kind, levels: Mapping[str, Level]) -> Iterator[tuple[Address, Diagnostic]]:
    exclusive = resource.policy.fields is FieldsPolicy.EXCLUSIVE
    named = bool(resource.named_secrets)
    view = ManifestView(
        resource.spec, kind.defaults, resource.secrets, resource.assignments, exclusive, has_named_secrets=named
    )
    for rule, objection in objections_if_new(kind, view):
        level = levels.get(rule.name, rule.level)
        if level is not Level.OFF and rule.name not in resource.waived:
            yield resource.address, _diagnostic(resource, rule, objection, Severity(level))


def _diagnostic(resource: DesiredResource, rule: Rule, objection: Objection, severity: Severity) -> Diagnostic:
    return Diagnostic(
        resource.places.get(objection.pointer, resource.place),
        f"{resource.address} does not exist yet, and would be created so: {objection.message}: {rule.reason}",
        rule=rule.name,
        severity=severity,
        pointer=objection.pointer,
        hint=objection.hint,
    )
