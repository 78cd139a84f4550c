"""The status of secrets, or a rotation of them -> text, JSON or Prometheus metrics. Never has values."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import compress
from types import MappingProxyType
from typing import Final

from reconciler.errors import ReconcilerError
from reconciler.model.dataclass import dataclass
from reconciler.model.json import Json
from reconciler.model.named_secret import Ended, LiveSecret, RotationStep, Standing, StepKind, moment_text
from reconciler.model.plan import Finding
from reconciler.model.reports import SecretReport, SecretRow
from reconciler.render.escape import escape, json_document
from reconciler.render.monitoring import family
from reconciler.render.style import Style, Tone, Writers, columns, laid_out
from reconciler.render.wording import number, summed

_DAY: Final = timedelta(days=1)
_NOTHING: Final = "-"
_TITLES: Final = ("RESOURCE", "SECRET", "TYPE", "STATUS", "AGE", "EXPIRES", "LEFT", "MANIFEST")


# -------------------------------------------------------------------------------------------------------------- status


def status_text(report: SecretReport, style: Style) -> str:
    """A table with a line for each secret, then what needs attention."""
    cells = _less_empty([_TITLES, *(_cells(row, report.now) for row in report.rows)])
    head = f"Environment {escape(report.environment)}: marketplace {escape(report.marketplace)}"
    table = _table(cells, report, style) if report.rows else ["No resource has or needs a secret."]
    return laid_out([head, "", *table, "", *_verdict(report, style)], style)


def _less_empty(cells: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    """The rows without empty columns, e.g. those of named secrets."""
    used = [any(cell != _NOTHING for cell in column) for _, *column in zip(*cells, strict=True)]
    return [tuple(compress(line, used)) for line in cells]


def _table(cells: Sequence[Sequence[str]], report: SecretReport, style: Style) -> Iterator[str]:
    alarming = [False, *(row.state.standing.needs_attention for row in report.rows)]
    for line, is_alarming in zip(columns(cells), alarming, strict=True):
        yield style.paint(Tone.ALARM, line) if is_alarming else line


def _cells(row: SecretRow, now: datetime) -> tuple[str, ...]:
    live, state = row.state.live, row.state
    note = f" ({state.note})" if state.note else ""
    return (
        escape(str(row.address)),
        escape(live.name if live else state.name),
        row.sort.value,
        state.standing.value,
        _days(_age(live, now)),
        moment_text(live.expires) if live and live.expires else _NOTHING,
        _days(_left(live, now)),
        escape((row.policy or _NOTHING) + note),
    )


def _age(live: LiveSecret | None, now: datetime) -> int | None:
    """The age in days, at least 0: the clock of the service may be ahead."""
    return max(now - live.made_at, timedelta()) // _DAY if live and live.made_at else None


def _left(live: LiveSecret | None, now: datetime) -> int | None:
    return (live.expires - now) // _DAY if live and live.expires else None


def _days(days: int | None) -> str:
    return _NOTHING if days is None else f"{days} d"


def _verdict(report: SecretReport, style: Style) -> Iterator[str]:
    if report.left_out:
        yield f"{number(report.left_out, 'live object')} without a manifest: secrets not read."
    others = [row for row in report.needing_attention if not row.state.is_due]
    if not report.needing_attention:
        yield f"{style.paint(Tone.CREATE, 'In step:')} no secret needs attention."
    due = number(len(report.due), "secret is", "secrets are")
    yield from _attention(report.due, f"{due} due for rotation (reconciler secrets rotate --due)", style)
    yield from _attention(others, f"{number(len(others), 'secret needs', 'secrets need')} attention", style)


def _attention(rows: Sequence[SecretRow], title: str, style: Style) -> Iterator[str]:
    if rows:
        yield style.paint(Tone.ALARM, f"{title}:")
        yield from (f"  {escape(str(row.address))} {escape(row.state.name)}: {_fix(row)}" for row in rows)


_ROTATE: Final = "run reconciler secrets rotate {address} --secret '{name}'"
_FIXES: Final[Mapping[Standing, str]] = {
    Standing.EXPIRING: _ROTATE,
    Standing.EXPIRED: _ROTATE,
    Standing.OFF_POLICY: _ROTATE,
    Standing.UNPROVEN: f"a rotation did not finish: {_ROTATE}",
    Standing.UNTRIED: f"it was delivered but never verified by a login: {_ROTATE}",
    Standing.SUPERSEDED: f"a rotation did not finish: {_ROTATE}",
    Standing.OVER: f"an old secret can be deleted: {_ROTATE}",
    Standing.UNKNOWN: "list it in the manifest, or delete it in the portal if it is unused",
}


def _fix(row: SecretRow) -> str:
    state = row.state
    words = _FIXES.get(state.standing, "run reconciler plan, then apply")
    if state.standing is Standing.MISSING and state.wanted and not state.wanted.deliver:
        words = "add a delivery in the manifest, then run reconciler apply"
    if state.standing.is_for_rotation and not state.is_due:
        words = "activate the client, then run reconciler secrets rotate --due"
    return words.format(address=escape(str(row.address)), name=escape(state.name))


def status_document(report: SecretReport, _style: Style) -> str:
    """The JSON document, in ASCII, with texts escaped as in the text format."""
    return json_document(
        "2.0",
        environment=escape(report.environment),
        marketplace=escape(report.marketplace),
        at=moment_text(report.now),
        attention=len(report.needing_attention),
        due=len(report.due),
        secrets=[_row(row, report.now) for row in report.rows],
    )


def _row(row: SecretRow, now: datetime) -> Json:
    live, state = row.state.live, row.state
    return {
        "address": escape(str(row.address)),
        "resource_id": escape(row.id) if row.id else None,
        "name": escape(live.name if live else state.name),
        "id": escape(live.id) if live else None,
        "sort": row.sort.value,
        "standing": state.standing.value,
        "in_step": not state.standing.needs_attention,
        "due": state.is_due,
        "age_days": _age(live, now),
        "expires": moment_text(live.expires) if live and live.expires else None,
        "days_left": _left(live, now),
        "policy": escape(row.policy) or None,
        "note": escape(state.note) or None,
    }


STATUSES: Final[Writers[SecretReport]] = MappingProxyType({"text": status_text, "json": status_document})


def metrics(reports: Sequence[SecretReport]) -> str:
    """The reports of all environments in the Prometheus text format, for a textfile collector.

    Source: Prometheus documentation, "Exposition formats": labels escape backslash, quotation mark and line feed.
    """
    rows = [(row.state, _labels(row, report)) for report in reports for row in report.rows]
    attention = [(labels | {"standing": one.standing}, float(one.standing.needs_attention)) for one, labels in rows]
    due = [(labels, float(one.is_due)) for one, labels in rows]
    expires = [(labels, one.live.expires.timestamp()) for one, labels in rows if one.live and one.live.expires]
    checked = [({"environment": report.environment}, report.now.timestamp()) for report in reports]
    gauges = (
        ("secret_needs_attention", "1 if the secret needs attention, else 0.", attention),
        ("secret_rotation_due", "1 if secrets rotate --due would act on it, else 0.", due),
        ("secret_expiry_timestamp_seconds", "When a secret expires, in seconds since the epoch.", expires),
        ("secrets_checked_timestamp_seconds", "When secrets were read, in seconds since the epoch.", checked),
    )
    return "".join(
        family(f"reconciler_{name}", about, [(labels, f"{value:.0f}") for labels, value in samples])
        for name, about, samples in gauges
    )


def _labels(row: SecretRow, report: SecretReport) -> dict[str, str]:
    return {
        "environment": report.environment,
        "address": str(row.address),
        "secret": row.state.live.name if row.state.live else row.state.name,
        "id": row.state.live.id if row.state.live else "",
        "sort": row.sort,
    }


@dataclass(frozen=True, slots=True)
class Turned:
    """The result of the rotation of one secret."""

    address: str
    client_id: str
    secret: str
    due: Sequence[RotationStep]
    """All steps that were due at the start."""
    done: Sequence[RotationStep] = ()
    ended: Ended | None = None
    """None: only planned."""
    error: ReconcilerError | None = None
    postponed: str = ""
    """Why the new secret could not be verified."""

    @property
    def left(self) -> Sequence[RotationStep]:
        """The steps that are left."""
        return self.due[len(self.done) :]

    @property
    def waiting(self) -> RotationStep | None:
        """The step that waits until the old secret has expired."""
        ends = (StepKind.WAIT, StepKind.EXPIRE)
        return next((step for step in reversed(self.due) if step.kind in ends and step.until), None)


@dataclass(frozen=True, slots=True)
class Rotated:
    """The result or the plan of a rotation of secrets."""

    environment: str
    marketplace: str
    base_url: str
    turns: Sequence[Turned]
    is_dry_run: bool = False
    findings: Sequence[Finding] = ()
    """The findings of the guards."""
    acknowledgement: str = ""
    run: str = ""
    """The id of the run in the journal; empty: it wrote nothing."""


def rotated_text(rotated: Rotated, style: Style) -> str:
    """For each secret, a line for each step, then what is left."""
    where = f"marketplace {escape(rotated.marketplace)} at {escape(rotated.base_url)}"
    lines = [f"Environment {escape(rotated.environment)}: {where}", ""]
    for turned in rotated.turns:
        lines += [*_turn(turned, style), ""]
    return laid_out([*lines, *_findings(rotated, style), *_rotation_verdict(rotated, style)], style)


def _turn(turned: Turned, style: Style) -> Iterator[str]:
    client = f" (client {escape(turned.client_id)})"
    yield f"{escape(turned.address)}, secret {escape(turned.secret)}{client}:"
    for step in turned.done:
        is_unverified = turned.postponed and step.kind is StepKind.PROVE
        yield f"  {style.paint(Tone.CREATE, _word(step, 'tried' if is_unverified else 'done '))}  {escape(step.text)}"
    word = "would" if turned.ended is None else "left "
    yield from (f"  {style.paint(Tone.UPDATE, _word(step, word))}  {escape(step.text)}" for step in turned.left)
    yield from (f"  {line}" for line in _result_lines(turned, style))


def _word(step: RotationStep, otherwise: str) -> str:
    return "wait " if step.kind is StepKind.WAIT else otherwise


def _result_lines(turned: Turned, style: Style) -> Iterator[str]:
    waiting = turned.waiting
    if turned.error:
        yield f"{style.paint(Tone.ALARM, 'Failed:')} {escape(turned.error.message)}"
        if turned.error.hint:
            yield f"fix: {escape(turned.error.hint)}"
    elif turned.postponed:
        word, reason = style.paint(Tone.UPDATE, "Postponed:"), escape(turned.postponed)
        yield f"{word} the secret cannot be verified yet, so old secrets are kept: {reason}"
        yield "fix: run it again when a login through the client is possible"
    elif turned.ended is Ended.INTERRUPTED:
        taken = f"{len(turned.done)} of {len(turned.due)} steps were completed"
        yield f"{style.paint(Tone.ALARM, 'Interrupted:')} {taken}; run it again to continue"
    elif waiting and waiting.until and all(step.kind is StepKind.WAIT for step in turned.left):
        until = moment_text(waiting.until)
        yield f"{style.paint(Tone.CREATE, 'In overlap:')} run it again after {until} to delete the old secret."


def _findings(rotated: Rotated, style: Style) -> Iterator[str]:
    for one in rotated.findings:
        yield f"{style.paint(Tone.ALARM, 'Refused:')} {one.rule}: {escape(one.message)}"
        yield f"  fix: {escape(one.fix)}"
    if any(one.can_be_acknowledged for one in rotated.findings):
        yield f"  to accept this rotation: --ack {rotated.acknowledgement}"


def _rotation_verdict(rotated: Rotated, style: Style) -> Iterator[str]:
    if rotated.is_dry_run and rotated.turns:
        yield "Dry run: nothing was written."
    elif not rotated.turns:
        yield f"{style.paint(Tone.CREATE, 'In step:')} no secret is due for rotation."
    elif any(turned.ended for turned in rotated.turns):
        counts = {ended.value: sum(turned.ended is ended for turned in rotated.turns) for ended in Ended}
        yield f"Rotation: {summed(counts)}."
    elif all(step.kind is StepKind.WAIT for turned in rotated.turns for step in turned.due):
        yield "Nothing to do now; nothing was written."


def rotated_document(rotated: Rotated, _style: Style) -> str:
    """The JSON document, in ASCII, with texts escaped as in the text format."""
    return json_document(
        environment=escape(rotated.environment),
        marketplace=escape(rotated.marketplace),
        dry_run=rotated.is_dry_run,
        run=rotated.run or None,
        rotations=[_turned(turned) for turned in rotated.turns],
        guards=[{"rule": one.rule, "message": escape(one.message)} for one in rotated.findings],
        acknowledgement=rotated.acknowledgement or None,
    )


def _turned(turned: Turned) -> Json:
    waiting = turned.waiting
    return {
        "address": escape(turned.address),
        "client_id": escape(turned.client_id),
        "secret": escape(turned.secret),
        "status": turned.ended.value if turned.ended else None,
        "error": escape(turned.error.message) if turned.error else None,
        "postponed": escape(turned.postponed) or None,
        "steps": [_step(step, index < len(turned.done)) for index, step in enumerate(turned.due)],
        "again_after": moment_text(waiting.until) if waiting and waiting.until else None,
    }


def _step(step: RotationStep, done: bool) -> Json:  # noqa: FBT001  # read off the list just above
    return {
        "kind": step.kind.value,
        "text": escape(step.text),
        "secret_id": escape(step.secret.id) if step.secret else None,
        "done": done,
    }


ROTATIONS: Final[Writers[Rotated]] = MappingProxyType({"text": rotated_text, "json": rotated_document})
