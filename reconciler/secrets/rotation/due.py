"""Determine the due steps of a rotation from a named secret and the live ones. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime

from reconciler.errors import ReconcilerError
from reconciler.kinds import Kind, NamedSecrets
from reconciler.model import named_secret
from reconciler.model.dataclass import dataclass
from reconciler.model.named_secret import (
    Begin,
    Family,
    LiveSecret,
    RotationStep,
    Standing,
    StepKind,
    later,
    moment_text,
)
from reconciler.model.resource import Address
from reconciler.model.secret import Delivery, InFile, Secret


@dataclass(frozen=True, slots=True)
class RotationSubject:
    """A secret and everything that determines its due steps."""

    address: Address
    client_id: str
    wanted: named_secret.NamedSecret
    live: tuple[LiveSecret, ...]
    """All secrets of the object."""
    kind: Kind
    is_active: bool = True
    """Whether users can log in through the object."""
    at_hand: Mapping[str, Secret] = field(default_factory=dict)
    """Id of an unproven or untried secret -> its value, if it could be read back."""
    lost_deliveries: tuple[Delivery, ...] = ()
    """The deliveries that have lost the value of the current secret."""

    @property
    def named(self) -> NamedSecrets:
        """How the kind stores named secrets."""
        assert self.kind.named_secrets  # noqa: S101  # the schemas of other kinds have no such block
        return self.kind.named_secrets


def due(subject: RotationSubject, now: datetime, begin: Begin = Begin.ANYWAY) -> tuple[RotationStep, ...]:
    """The steps that complete a rotation, or those of a new one if it is due or requested.

    The rotation continues with an unproven secret whose value is known. Otherwise another one is created, and the
    unproven one is deleted once the new one has replaced it everywhere.

    Raises:
        ReconcilerError: the rotation is not possible.
    """
    related = named_secret.family(subject.wanted.name, subject.live)
    current = related.current
    if begin is Begin.IF_MISSING and current is not None:
        return ()
    cleanup = list(_cleanup(related, now))
    resumable = _resumable(subject, related, now)
    if resumable:
        continuation = _continuation(subject, related, resumable, cleanup)
        return (*cleanup, *continuation, *_retirement(subject, related, resumable, cleanup, now))
    if current and not subject.is_active and _starts_new(subject, related, now, begin):
        text = f"{subject.address} is not active, so no secret can be verified: run this again once it is active"
        return (*cleanup, RotationStep(StepKind.WAIT, text))
    if not _starts_new(subject, related, now, begin):
        advice = _advice(subject, related) if begin is Begin.ANYWAY else ()
        return (*cleanup, *_retirement(subject, related, current, cleanup, now), *advice)
    cleanup += _make_room(subject, related, cleanup)
    _require_possible(subject, related, cleanup, now)
    creation = _creation(subject, related, cleanup, now)
    return (*cleanup, *creation, *_retirement(subject, related, None, cleanup, now))


def _resumable(subject: RotationSubject, related: Family, now: datetime) -> LiveSecret | None:
    """The secret with which the rotation can continue, since its value could be read back."""
    untried = [related.current] if _is_untried(related.current) else []
    unproven = filter(None, (*untried, *related.pending))
    return next((one for one in unproven if one.id in subject.at_hand and not one.is_over(now)), None)


def _is_untried(one: LiveSecret | None) -> bool:
    return one is not None and one.ending == named_secret.UNTRIED


def _starts_new(subject: RotationSubject, related: Family, now: datetime, begin: Begin) -> bool:
    """Whether to create a new secret. An unfinished rotation is completed before a new one starts."""
    standing = named_secret.standing_of(subject.wanted, related.current, now)
    if related.is_unfinished or standing in {Standing.EXPIRED, Standing.UNTRIED}:
        return True
    if standing is Standing.MISSING:
        return begin is not Begin.IF_DUE
    if standing in {Standing.EXPIRING, Standing.OFF_POLICY}:
        return True
    is_complete = not (related.superseded or related.retired)
    return begin is Begin.ANYWAY and (is_complete or bool(subject.lost_deliveries and not related.superseded))


def _cleanup(related: Family, now: datetime) -> Iterator[RotationStep]:
    """First, delete expired and undelivered secrets, to free slots."""
    yield from (_delete(one, "has expired") for one in (*related.retired, *related.pending) if one.is_over(now))
    yield from (_delete(one, "was not delivered") for one in related.undelivered)


def _make_room(subject: RotationSubject, related: Family, cleanup: Sequence[RotationStep]) -> list[RotationStep]:
    """Delete the oldest unproven secret if the service has no room for a new one."""
    unproven = [one for one in related.pending if one.id not in _ids(cleanup)]
    if not unproven or not _is_full(subject, cleanup):
        return []
    limit = f"{subject.address} has {subject.named.limit} secrets, the maximum of the service"
    return [_delete(unproven[-1], f"may be in use: {limit}, and a delivery of this one began in a run that failed")]


def _deliveries(
    subject: RotationSubject, related: Family, kept: LiveSecret | None, deleted: Sequence[RotationStep]
) -> Iterator[RotationStep]:
    """Deliver in order; delete each unproven secret as soon as it is replaced everywhere."""
    wanted, gone, done = subject.wanted, _ids(deleted), set[Delivery]()
    pending = [one for one in related.pending if one.id not in gone]
    left = {one: set(wanted.holders(one)) for one in pending if one != kept}
    for delivery in wanted.round_after(next(iter(pending), None)):
        text = f"deliver {f'secret {kept.id}' if kept else 'it'} to {delivery}"
        yield RotationStep(StepKind.DELIVER, text, kept, delivery=delivery)
        done.add(delivery)
        for one in [each for each, holders in left.items() if holders <= done]:
            del left[one]
            yield _delete(one, "was delivered only in part, and is replaced by a new secret")


def _ids(steps: Sequence[RotationStep]) -> set[str]:
    return {step.secret.id for step in steps if step.secret}


def _is_full(subject: RotationSubject, cleanup: Sequence[RotationStep]) -> bool:
    return len(subject.live) - len(cleanup) >= subject.named.limit


def _delete(one: LiveSecret, why: str) -> RotationStep:
    return RotationStep(StepKind.DELETE, f"delete secret {one.id}, which {why}", one)


def _advice(subject: RotationSubject, related: Family) -> Iterator[RotationStep]:
    """Advice for a value that is lost during an overlap, which cannot be detected."""
    current, is_readable = related.current, all(isinstance(one, InFile) for one in subject.wanted.deliver)
    if current and related.retired and not is_readable:
        text = f"if the value of secret {current.id} is lost, delete that secret in the portal and run apply"
        yield RotationStep(StepKind.WAIT, text, current)


def _continuation(
    subject: RotationSubject, related: Family, resumable: LiveSecret, deleted: Sequence[RotationStep]
) -> Iterator[RotationStep]:
    """Continue with a secret whose value is known. Deliver it again if there are unproven ones."""
    yield RotationStep(
        StepKind.PROVE, f"verify secret {resumable.id} with a login through {subject.address}", resumable
    )
    if related.pending:
        yield from _deliveries(subject, related, resumable, deleted)
    yield RotationStep(StepKind.CONFIRM, f"confirm it as {subject.wanted.name}", resumable)


def _creation(
    subject: RotationSubject, related: Family, deleted: Sequence[RotationStep], now: datetime
) -> Iterator[RotationStep]:
    current = related.current
    if _is_untried(current):
        yield RotationStep(StepKind.TRY, f"check whether a secret of {subject.address} can be verified")
    expiry = subject.wanted.expiry(now)
    until = f", valid until {moment_text(expiry)}" if expiry else ", without an expiry"
    lost = " and ".join(map(str, subject.lost_deliveries)) if current else ""
    why = f", because it is missing from {lost}" if lost else ""
    yield RotationStep(StepKind.CREATE, f"create a new secret {subject.wanted.name}{until}{why}", until=expiry)
    yield RotationStep(StepKind.PROVE, f"verify it with a login through {subject.address}")
    yield from _deliveries(subject, related, None, deleted)
    yield RotationStep(StepKind.CONFIRM, f"confirm it as {subject.wanted.name}")


def _retirement(
    subject: RotationSubject, related: Family, kept: LiveSecret | None, deleted: Sequence[RotationStep], now: datetime
) -> Iterator[RotationStep]:
    """Retire each old secret: after the overlap, or when it expires if that is earlier."""
    wanted, last = subject.wanted, later(now, subject.wanted.overlap)
    gone = _ids(deleted)
    for one in filter(None, (related.current, *related.superseded, *related.retired)):
        if one == kept or one.id in gone:
            continue
        if not wanted.overlap or one.is_over(now):
            yield _delete(one, "is replaced")
        elif one.expires is None or one.expires > last:
            overlap = named_secret.duration_text(wanted.overlap)
            text = f"let the old secret {one.id} expire at {moment_text(last)}, after {overlap}"
            yield RotationStep(StepKind.EXPIRE, text, one, last)
        elif one.ending != named_secret.RETIRED:
            text = f"let the old secret {one.id} expire at {moment_text(one.expires)} (unchanged)"
            yield RotationStep(StepKind.EXPIRE, text, one, one.expires)
        else:
            text = f"the old secret {one.id} is valid until {moment_text(one.expires)}"
            yield RotationStep(StepKind.WAIT, text, one, one.expires)


def _require_possible(
    subject: RotationSubject, related: Family, cleanup: Sequence[RotationStep], now: datetime
) -> None:
    """Refuse to create a secret whose value would be lost, or that would be due immediately.

    Raises:
        ReconcilerError: the secret cannot be created.
    """
    wanted = subject.wanted
    about = f"secret {wanted.name} of {subject.address}"
    if not wanted.deliver:
        hint = "declare a delivery in the manifest: deliver: [{file: PATH}]"
        raise ReconcilerError(f"{about} has no delivery, so a new value would be lost", hint=hint)
    if why := wanted.due_at_once(now):
        raise ReconcilerError(f"{about} {why}", hint="set a later expires in the manifest")
    if _is_full(subject, cleanup):
        limit = subject.named.limit
        candidates = ", ".join(_candidates(subject, related, now))
        message = f"{subject.address} has {limit} secrets, the maximum of the service"
        raise ReconcilerError(message, hint=f"delete an unused one in the portal; candidates: {candidates}")


def _candidates(subject: RotationSubject, related: Family, now: datetime) -> Iterator[str]:
    """The secrets that the user could delete, the least useful first."""
    own = {one.id for one in related.members}
    others = [one for one in subject.live if one.id not in own]
    yield from (f"{one.name} (id {one.id}, expired)" for one in others if one.is_over(now))
    yield from (f"{one.name} (id {one.id}, if it is not in use)" for one in others if not one.is_over(now))
