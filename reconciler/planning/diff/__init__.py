"""DesiredState x LiveState -> changes. Pure: no clock, no files, no network; equal states have equal changes.

1. Each manifest is matched with a live object (`identity`).
2. `after` is the live body overlaid by the fields of the manifest; all others are kept.
3. Both bodies are compared in the kind's canonical form, where ``xp: null`` equals ``{}`` and roles are sets.
4. The differing fields are computed only for an object that differs (`fields`).
5. Write-only secrets are handled separately (`secret_changes`).
"""

from reconciler.errors import InputError
from reconciler.kinds import KINDS, Kind
from reconciler.model.dataclass import dataclass
from reconciler.model.json import ABSENT, Body
from reconciler.model.plan import Action, Change, Direction, FieldChange, SecretIntent
from reconciler.model.resource import (
    Address,
    DesiredResource,
    DesiredState,
    FieldsPolicy,
    LiveResource,
    LiveState,
    Values,
)
from reconciler.model.secret import Secret, SecretReference
from reconciler.planning.diff import secret_changes
from reconciler.planning.diff.fields import changed_fields, created_fields, faults_of
from reconciler.planning.diff.identity import match, new_id, resolved
from reconciler.planning.diff.notices import assignment_changes, placed
from reconciler.planning.diff.secret_changes import NOTHING_KNOWN, WriteOnly


def diff(
    desired: DesiredState,
    live: LiveState,
    secrets: Values,
    unseen: WriteOnly = NOTHING_KNOWN,
) -> tuple[Change, ...]:
    """Return one change per manifest and one per live object that no manifest claims, sorted by address.

    Args:
        desired: the manifests of one environment.
        live: the complete live state.
        secrets: the value of every secret reference in `desired` that can be read here.
        unseen: what is known of write-only secrets, and the key of all fingerprints.

    Raises:
        InputError: a manifest matches several live objects, two match the same one, or one names a field that this
            service does not have.
    """
    matches = match(desired, live)
    resources = resolved(desired, matches, live.marketplace)
    if faults := faults_of(resources, live):
        raise InputError(faults)
    run = _Diff(live.marketplace, secrets, unseen)
    changes = [_change(run, resource, matches[resource.address]) for resource in resources]
    claimed = {found.key for found in matches.values() if found}
    changes += [
        Change(Address(one.kind, one.id), Action.UNMANAGED, one.id, before=one.body, after=None)
        for one in live.resources
        if one.key not in claimed and _is_there(one)
    ]
    return tuple(sorted(changes, key=lambda change: change.address))


def _is_there(found: LiveResource) -> bool:
    """Whether there is something to manage: a set always exists, and may be empty."""
    kind = KINDS[found.kind]
    return not kind.row_fields or any(found.body.get(name) for name in kind.fields)


@dataclass(frozen=True, slots=True)
class _Diff:
    """The inputs that all changes of one run share."""

    marketplace: str
    secrets: Values
    unseen: WriteOnly


def _change(run: _Diff, resource: DesiredResource, found: LiveResource | None) -> Change:
    """Compare one manifest with its live object, keeping the service's spelling of the id."""
    kind = KINDS[resource.address.kind]
    if resource.policy.absent:
        return _delete(resource, found)
    assignments, assignment_fields = assignment_changes(kind, resource, found)
    after, body_fields = _after(kind, resource, found)
    is_patch = found is not None and secret_changes.is_patch(kind, resource, found, after)
    intents, secret_fields = _secret_changes(run, resource, found, body_fields, is_put=bool(found) and not is_patch)
    fields = body_fields + secret_fields + assignment_fields
    return Change(
        resource.address,
        Action.CREATE if found is None else Action.UPDATE if fields else Action.NO_OP,
        found.id if found else new_id(resource, run.marketplace),
        before=found.body if found else None,
        after=found.body if found and not fields else after,
        fields=placed(_widening_first(fields) if found else fields, resource, kind),
        secrets=intents,
        assignments=assignments,
        place=resource.place,
        protected=resource.policy.protected,
        is_patch=is_patch and bool(body_fields or secret_fields),
    )


def _after(kind: Kind, resource: DesiredResource, found: LiveResource | None) -> tuple[Body, tuple[FieldChange, ...]]:
    """The resulting body, and its changed fields."""
    if found is None:
        after = _created(kind, resource)
        return after, created_fields(kind, after)
    replaced = _replaced(kind, resource, found.body)
    after = kind.overlaid(found.body, replaced, resource.policy.ignore)
    return after, changed_fields(kind, found.body, after) if replaced else ()


def _widening_first(fields: tuple[FieldChange, ...]) -> tuple[FieldChange, ...]:
    """Fields that widen access first, so that a reviewer does not miss them; the rest in the kind's order."""
    return tuple(sorted(fields, key=lambda field: field.direction is not Direction.WIDENS))


def _delete(resource: DesiredResource, found: LiveResource | None) -> Change:
    return Change(
        resource.address,
        Action.DELETE if found else Action.NO_OP,
        found.id if found else resource.id,
        before=found.body if found else None,
        after=None,
        place=resource.place,
        protected=resource.policy.protected,
    )


def _created(kind: Kind, resource: DesiredResource) -> Body:
    """The body of a new object: the fields of the manifest. The service has its own defaults for the rest."""
    return {
        name: field.default if resource.spec[name] is None else resource.spec[name]
        for name, field in {**kind.fields, **kind.initial_fields}.items()
        if name in resource.spec
    }


def _replaced(kind: Kind, resource: DesiredResource, live: Body) -> Body:
    """The fields whose live value differs from the manifest, with the manifest's value.

    A field that equals canonically keeps the live spelling, so that a PUT changes nothing that the plan does not show.
    """
    exclusive = resource.policy.fields is FieldsPolicy.EXCLUSIVE
    replaced = {}
    for name, field in kind.fields.items():
        # A required field has no default, so it is kept; so is an unnamed part of a set.
        stays = not exclusive or field.required or field.is_owner or kind.row_fields
        if name not in resource.spec and stays:
            continue
        wanted = resource.spec.get(name)
        if not field.equal(wanted, live.get(name)):
            replaced[name] = field.default if wanted is None else wanted
    return replaced


def _secret_changes(
    run: _Diff,
    resource: DesiredResource,
    found: LiveResource | None,
    fields: tuple[FieldChange, ...],
    *,
    is_put: bool,
) -> tuple[tuple[SecretIntent, ...], tuple[FieldChange, ...]]:
    """The secret fields of the manifest that are written; no value leaves this function.

    A secret that the service hides cannot be compared; it is written with a PUT, which would otherwise overwrite it.
    """
    written = [name for name in resource.secrets if _is_written(run, resource, found, name, fields)]
    if is_put and (fields or written):
        written = [one for one in resource.secrets if one in written or _is_overwritten(resource, found, one)]
    intents, changes = [], []
    for name in written:
        reference, old = resource.secrets[name], found.secrets.get(name) if found else None
        key = (resource.address, name)
        new = run.secrets.get(key) if reference else None
        intents.append(SecretIntent(name, reference, run.unseen.fingerprint(key, new)))
        changes.append(FieldChange(f"/{name}", ABSENT, ABSENT, _secret_direction(old, reference), sensitive=True))
    return tuple(intents), tuple(changes)


def _is_overwritten(resource: DesiredResource, found: LiveResource | None, name: str) -> bool:
    """Whether a PUT without this secret, which the service hides, would lose it."""
    old, reference = found.secrets.get(name) if found else None, resource.secrets[name]
    return bool(old and old.is_mask and reference and not reference.is_generated)


def _is_written(
    run: _Diff, resource: DesiredResource, found: LiveResource | None, name: str, fields: tuple[FieldChange, ...]
) -> bool:
    """Whether a secret itself requires a write."""
    kind, key = KINDS[resource.address.kind], (resource.address, name)
    old, reference = found.secrets.get(name) if found else None, resource.secrets[name]
    new = run.secrets.get(key) if reference else None
    if not (old and old.is_mask and reference):
        # Sending a secret to another host requires its value: if it was not read here, apply reads it.
        is_required = bool(old and reference and new is None) and secret_changes.is_sent_elsewhere(
            kind.secret_rows[name], fields
        )
        return is_required or _differs(old, new, reference)
    if name not in kind.write_only_fields:
        return False
    is_another = run.unseen.is_another(key, new)
    return bool(is_another) or key in run.unseen.requested_secrets or secret_changes.goes_with(kind, name, fields)


def _differs(old: Secret | None, new: Secret | None, reference: SecretReference | None) -> bool:
    """Whether the live secret is known to differ. A generated or unreadable one is only checked for existence."""
    if old is None:
        return reference is not None
    if reference is None:
        return True
    return new is not None and not old.equals(new)


def _secret_direction(old: Secret | None, reference: SecretReference | None) -> Direction:
    """Whether access widens or narrows: anyone who knows the id can log in through a client without a secret."""
    if reference is None:
        return Direction.WIDENS
    return Direction.NARROWS if old is None else Direction.NEUTRAL
