"""Hidden secrets x a plan -> the secrets that need no write, and the writes that must be refused.

A service may show a mask, the placeholder of exports, or null in place of a secret. A mask is recognised. For null, a
login reveals whether a secret exists: a wrong secret is refused. `live` does these requests. Pure.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

from reconciler.kinds import KINDS
from reconciler.kinds.fields import Secrecy
from reconciler.kinds.secrecy import field_of
from reconciler.model.json import ABSENT
from reconciler.model.plan import Action, Change, FieldChange, Finding, SecretIntent
from reconciler.model.resource import DesiredResource, LiveResource, LiveState, ObjectKey, SecretKey, Values
from reconciler.model.secret import Secret
from reconciler.planning.diff.secret_changes import is_sent_elsewhere

_Fields: TypeAlias = Collection[SecretKey]
_IsThere: TypeAlias = Callable[[ObjectKey, bool], bool]


def in_doubt(resource: DesiredResource, found: LiveResource, values: Values) -> dict[SecretKey, Secret | None]:
    """The secrets that a manifest sets and that the service shows as null, although they may exist.

    With the desired value; None if it is unknown, or generated and therefore kept.
    """
    null = [name for name, secret in found.secrets.items() if secret is None]
    return {
        (resource.address, name): None if reference.is_generated else values.get((resource.address, name))
        for name, reference in resource.secrets.items()
        if reference and name in null
    }


def without_known(changes: Iterable[Change], hidden: Mapping[SecretKey, bool], values: Values) -> tuple[Change, ...]:
    """The changes without hidden secrets that already have the desired value, as verified by a login.

    Args:
        changes: the changes to plan.
        hidden: the existing secrets that are not shown, and whether each is verified to have the desired value.
        values: the values of references in manifests.
    """
    found = []
    for change in changes:
        there = [intent for intent in change.secrets if (change.address, intent.field) in hidden]
        found.append(_without(change, [one for one in there if not _is_to_be_sent(change, one, hidden, values)]))
    return tuple(found)


def _is_to_be_sent(change: Change, intent: SecretIntent, hidden: Mapping[SecretKey, bool], values: Values) -> bool:
    """Whether a hidden secret differs, or is sent with the body; a generated one is kept."""
    key = (change.address, intent.field)
    if intent.reference and intent.reference.is_generated:
        return False
    return _is_put(replace(change, fields=_others(change, [intent]))) or (key in values and not hidden[key])


def _others(change: Change, intents: Collection[SecretIntent]) -> tuple[FieldChange, ...]:
    pointers = {f"/{intent.field}" for intent in intents}
    return tuple(field for field in change.fields if field.pointer not in pointers)


def _without(change: Change, intents: Collection[SecretIntent]) -> Change:
    """The change without these secrets; a no-op if nothing else changes."""
    if not intents:
        return change
    fields = _others(change, intents)
    action, after = (change.action, change.after) if fields else (Action.NO_OP, change.before)
    left = tuple(intent for intent in change.secrets if intent not in intents)
    return replace(change, action=action, after=after, fields=fields, secrets=left)


def placeholders(live: LiveState) -> tuple[str, ...]:
    """Warn of objects whose secret is shown as a placeholder."""
    return tuple(
        f"{one.kind} {one.id}: {_PLACEHOLDER[secret.is_redaction].format(name=name)}"
        for one in live.resources
        for name, secret in one.secrets.items()
        if secret and secret.is_placeholder and name not in KINDS[one.kind].write_only_fields
    )


def not_compared(hidden: _Fields) -> tuple[str, ...]:
    """Warn of existing secrets that are not shown."""
    return tuple(f"{address}: {_PLACEHOLDER[False].format(name=name)}" for address, name in sorted(hidden))


_PLACEHOLDER: Final = {
    True: "its {name} is the public placeholder of exports, not a secret: set a real value",
    False: "its {name} is hidden by the service and was not compared",
}


def hidden(
    changes: Iterable[Change],
    live: LiveState,
    is_there: _IsThere,
    named: _Fields,
    unseen: _Fields = frozenset(),
) -> list[Finding]:
    """Refuse updates that would overwrite a hidden secret, or send it to another host.

    Args:
        changes: the planned changes.
        live: the live state.
        is_there: returns whether an object without a shown secret has one, given whether others are shown.
        named: the secrets that manifests set.
        unseen: existing secrets that the service shows as null.
    """
    shown = {one.key: one for one in live.resources}
    in_clear = {(one.kind, name) for one in live.resources for name, secret in one.secrets.items() if _is_clear(secret)}
    found = []
    for change in changes:
        one = shown.get(change.key) if change.key else None
        if not (one and _is_put(change)):
            continue
        left = _left(change, one)
        there = [name for name in left if one.secrets[name] and (change.address, name) not in named]
        found += [_misdirected(change, name) for name in there if _is_misdirected(change, name)]
        if change.is_patch:
            found += [_unpatchable(change, name) for name in left if _is_needed(change, one, name)]
        else:
            found += [
                _hidden(change, name)
                for name in left
                if (change.address, name) in unseen
                or _is_hidden(one, name, is_there, is_shown=(one.kind, name) in in_clear)
            ]
    return found


def _left(change: Change, one: LiveResource) -> list[str]:
    """The secrets that an object keeps, because a change does not set them."""
    given, kind = {intent.field for intent in change.secrets}, KINDS[one.kind]
    return [name for name in one.secrets if name not in given and kind.has_place_for(name, change.after or {})]


def _is_clear(secret: Secret | None) -> bool:
    return secret is not None and not secret.is_placeholder


def _is_unseen(one: LiveResource, name: str) -> bool:
    """Whether there is a secret that the service never shows."""
    return KINDS[one.kind].secret_rows[name].secret is Secrecy.WRITE_ONLY and bool(one.secrets[name])


def _is_misdirected(change: Change, name: str) -> bool:
    """Whether the change would send a kept secret to another host, immediately or with the next URL."""
    kind = KINDS[change.address.kind]
    return kind.may_have(name, change.after or {}) and is_sent_elsewhere(kind.secret_rows[name], change.fields)


def _misdirected(change: Change, name: str) -> Finding:
    url = KINDS[change.address.kind].secret_rows[name].sent_to
    return Finding(
        "hidden-secret",
        f"{change.address} has a {name} that its manifest does not name: changing {url}, or clearing it and "
        "setting another one later, would send it to another host",
        _set_in_manifest(name),
        (change.address,),
        can_be_acknowledged=False,
    )


def _is_needed(change: Change, one: LiveResource, name: str) -> bool:
    """Whether a PATCH without this write-only secret would fail, or not have the planned result."""
    if not _is_unseen(one, name):
        return False
    field = KINDS[one.kind].secret_rows[name]
    # How deep a PATCH merges is not documented, so a record with a secret in it is written as a whole or not at all.
    companion = field.together if field_of(name) == name else field_of(name)
    parts = [(each.path, each.after) for each in change.fields]
    return any(at[0] == companion or (len(at) > 1 and after is ABSENT) for at, after in parts)


def _unpatchable(change: Change, name: str) -> Finding:
    row = KINDS[change.address.kind].secret_rows[name]
    removal = f"; or remove it: {name.rpartition('/')[2]}: null" if row.together and not row.required else ""
    return Finding(
        "hidden-secret",
        f"{change.address}: this update requires {name}, which the service never returns: it is written "
        "together with a changed field, or a member is removed by a PUT",
        _set_in_manifest(name) + removal,
        (change.address,),
        can_be_acknowledged=False,
    )


def _set_in_manifest(path: str) -> str:
    record, _, name = path.rpartition("/")
    return f"write {name}: {{fromEnv: NAME}} in {f'{record} of ' if record else ''}its manifest"


def _is_put(change: Change) -> bool:
    """Whether its body is written: assignments and named secrets have separate requests."""
    return change.action is Action.UPDATE and any(one.name not in {"assignments", "secrets"} for one in change.fields)


def _is_hidden(one: LiveResource, name: str, is_there: _IsThere, *, is_shown: bool) -> bool:
    """Whether there is a hidden secret, although others may be shown (`is_shown`)."""
    secret = one.secrets[name]
    return secret.is_placeholder if secret else is_there(one.key, is_shown)


def _hidden(change: Change, name: str) -> Finding:
    return Finding(
        "hidden-secret",
        f"{change.address} has a {name} that the service does not return, and a PUT would overwrite it",
        f"{_set_in_manifest(name)}, so that its value is sent; or use the portal",
        (change.address,),
        can_be_acknowledged=False,
    )
