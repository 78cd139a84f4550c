"""Changes x named secrets -> the changes with the secrets that apply makes, and warnings of all else. Pure.

A missing secret is made where a delivery is declared. All else (an expiry that comes near, a secret that no manifest
lists) is reported: rotating is a command of its own, and what nobody has listed is never deleted.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeAlias

from reconciler.kinds import KINDS
from reconciler.model.json import ABSENT, pointer
from reconciler.model.named_secret import (
    UNDELIVERED,
    UNPROVEN,
    LiveSecret,
    NamedSecret,
    duration_text,
    moment_text,
)
from reconciler.model.plan import Action, Change, Direction, FieldChange
from reconciler.model.resource import Address, DesiredState
from reconciler.model.rotation import SecretState, Standing, states

LiveSecrets: TypeAlias = Mapping[Address, Sequence[LiveSecret]]
"""Address of a manifest -> the secrets of its live object."""

_ROTATE: Final = "run reconciler secrets rotate --due"


@dataclass(frozen=True, slots=True)
class WithSecrets:
    """The changes, and what else there is to say of secrets."""

    changes: tuple[Change, ...]
    warnings: tuple[str, ...]


def with_named_secrets(
    changes: Sequence[Change], desired: DesiredState, live: LiveSecrets, now: datetime
) -> WithSecrets:
    """Add to each change the secrets that its object lacks.

    Args:
        changes: of these manifests and this service.
        desired: the manifests.
        live: the secrets of every object that is there and whose manifest lists secrets.
        now: the present time.
    """
    wanted = {one.address: one.named_secrets for one in desired.resources if one.named_secrets is not None}
    found, warnings = [], []
    for change in changes:
        secrets = wanted.get(change.address)
        if secrets is None or change.after is None:
            found.append(change)
            continue
        there = live.get(change.address, ())
        is_active = bool(change.after.get(KINDS[change.address.kind].active_field))
        judged = states(secrets, there, now, is_active=is_active)
        missing = [one.wanted for one in judged if one.standing is Standing.MISSING and one.wanted]
        new = [secret for secret in missing if secret.deliver]
        found.append(_with(change, new, is_first=not there) if new else change)
        warnings += [f"{change.address}: {text}" for one in judged for text in _told(one)]
        warnings += list(_crowd(change, judged, new))
    return WithSecrets(tuple(found), tuple(warnings))


def _with(change: Change, new: Sequence[NamedSecret], *, is_first: bool) -> Change:
    """Where there was no secret at all, nobody needed one: from now on every login does."""
    direction = Direction.NARROWS if is_first else Direction.NEUTRAL
    fields = tuple(FieldChange(pointer("secrets", one.name), ABSENT, ABSENT, direction, sensitive=True) for one in new)
    action = Action.UPDATE if change.action is Action.NO_OP else change.action
    return replace(change, action=action, fields=change.fields + fields, new_secrets=tuple(new))


def _told(state: SecretState) -> Iterator[str]:
    """What is worth a warning. A moment is named, not the days that are left: equal states, equal plans."""
    secret, live, wanted = f"secret {state.name}", state.live, state.wanted
    expiry = moment_text(live.expires) if live and live.expires else "never"
    match state.standing:
        case Standing.MISSING if wanted and not wanted.deliver:
            yield f"{secret} is missing, and is not made: its manifest declares no delivery, so its value would be lost"
        case Standing.EXPIRING if wanted:
            overlap = duration_text(wanted.overlap)
            yield f"{secret} expires at {expiry}, which is within its overlap of {overlap}: {_ROTATE}"
        case Standing.EXPIRED:
            yield f"{secret} has expired at {expiry}: {_ROTATE}"
        case Standing.OFF_POLICY if wanted:
            yield f"{secret} expires {expiry}, and its manifest wants: {wanted.policy}: {_ROTATE}"
        case Standing.UNPROVEN:
            unfinished = "was made and not delivered everywhere, by a rotation that did not end"
            yield f"{secret} {unfinished}; it is deleted once another one is delivered wherever it may be: {_ROTATE}"
        case Standing.UNTRIED:
            once = "" if state.is_active else "once the client is active, "
            yield f"{secret} was delivered, and was never tried by a login: {once}{_ROTATE}"
        case Standing.SUPERSEDED:
            yield f"{secret} is there twice, by a rotation that did not end: {_ROTATE}"
        case Standing.OVER:
            yield f"{secret}: a retired one has expired at {expiry} and can be deleted: {_ROTATE}"
        case Standing.UNKNOWN if live:
            yield f"secret {live.name} (id {live.id}) is in no manifest"
        case _:
            return


def _crowd(change: Change, judged: Sequence[SecretState], new: Sequence[NamedSecret]) -> Iterator[str]:
    """Say what there is no room for, or what is given up for it: see `secrets.rotation.due`."""
    named, names = KINDS[change.address.kind].named_secrets, {secret.name for secret in new}
    there = [one.live for one in judged if one.live]
    count = len(there) + len(new)
    if not named or count <= named.limit:
        return
    unproven = [one for one in there if one.ending == UNPROVEN and one.base in names]
    if unproven:
        oldest = unproven[-1].id
        yield f"{change.address}: to make room, secret {oldest} is deleted, which a failed run may have delivered"
    elif not any(one.ending == UNDELIVERED and one.base in names for one in there):
        yield f"{change.address}: there would be {count} secrets, and the service keeps {named.limit} at most"
