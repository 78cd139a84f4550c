"""How secrets stand -> text, JSON or Prometheus metrics; a rotation -> text or JSON. No value comes here."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, TypeAlias

from reconciler.errors import ReconcilerError
from reconciler.model.json import Json
from reconciler.model.named_secret import LiveSecret, Standing, moment_text
from reconciler.model.rotation import Step, StepKind
from reconciler.model.secret_report import SecretReport, SecretRow
from reconciler.render.escape import escape, joined
from reconciler.render.style import Style, Tone

FORMAT_VERSION: Final = "1.0"
_DAY: Final = timedelta(days=1)
_TITLES: Final = ("CLIENT", "SECRET", "STANDING", "GENERATION", "AGE", "EXPIRES", "LEFT", "POLICY")


# -------------------------------------------------------------------------------------------------------------- status


def status_text(report: SecretReport, style: Style) -> str:
    """A table, one line for each secret, then what is to be done."""
    cells = [_TITLES, *(_cells(row, report.now) for row in report.rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_TITLES))]
    head = f"Environment {escape(report.environment)}: marketplace {escape(report.marketplace)}"
    table = _table(cells, widths, report, style) if report.rows else ["No client has a secret, and none is wanted."]
    return joined([head, "", *table, "", *_verdict(report, style)])


def _table(cells: Sequence[Sequence[str]], widths: Sequence[int], report: SecretReport, style: Style) -> Iterator[str]:
    alarming = [False, *(row.state.standing.needs_attention for row in report.rows)]
    for line, is_alarming in zip(cells, alarming, strict=True):
        text = "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        yield style.paint(Tone.ALARM, text) if is_alarming else text


def _cells(row: SecretRow, now: datetime) -> tuple[str, ...]:
    live, state = row.state.live, row.state
    note = f" ({state.note})" if state.note else ""
    return (
        escape(str(row.address)),
        escape(live.name if live else state.name),
        state.standing.value,
        row.generation.value,
        _days(_age(live, now)),
        moment_text(live.expires) if live and live.expires else "-",
        _days(_left(live, now)),
        escape((row.policy or "-") + note),
    )


def _age(live: LiveSecret | None, now: datetime) -> timedelta | None:
    return now - live.made_at if live and live.made_at else None


def _left(live: LiveSecret | None, now: datetime) -> timedelta | None:
    return live.expires - now if live and live.expires else None


def _days(duration: timedelta | None) -> str:
    return "-" if duration is None else f"{duration // _DAY} d"


def _verdict(report: SecretReport, style: Style) -> Iterator[str]:
    count = len(report.needing_attention)
    if report.left_out:
        yield f"{report.left_out} live without a manifest; their secrets were not looked at."
    if not count:
        yield f"{style.paint(Tone.CREATE, 'In step:')} no secret needs attention."
        return
    what = "secret needs" if count == 1 else "secrets need"
    yield style.paint(Tone.ALARM, f"{count} {what} attention:")
    for row in report.needing_attention:
        yield f"  {escape(str(row.address))} {escape(row.state.name)}: {_way_out(row)}"


_ROTATE: Final = "run reconciler secrets rotate {address} --secret '{name}'"
_WAYS_OUT: Final[Mapping[Standing, str]] = {
    Standing.EXPIRING: _ROTATE,
    Standing.EXPIRED: _ROTATE,
    Standing.OFF_POLICY: _ROTATE,
    Standing.UNPROVEN: f"a rotation did not end: {_ROTATE}",
    Standing.SUPERSEDED: f"a rotation did not end: {_ROTATE}",
    Standing.OVER: f"an old one can be deleted: {_ROTATE}",
    Standing.DIFFERS: "run reconciler plan, then apply",
    Standing.UNKNOWN: "list it in the manifest, or delete it in the portal if nobody uses it",
}


def _way_out(row: SecretRow) -> str:
    state = row.state
    words = _WAYS_OUT.get(state.standing, "run reconciler plan, then apply")
    if state.standing is Standing.MISSING and state.wanted and not state.wanted.deliver:
        words = "give it a delivery in the manifest, then run reconciler apply"
    return words.format(address=escape(str(row.address)), name=escape(state.name))


def status_document(report: SecretReport, _style: Style) -> str:
    """The JSON document: ASCII, its texts escaped as they are for people."""
    content: Json = {
        "format_version": FORMAT_VERSION,
        "environment": escape(report.environment),
        "marketplace": escape(report.marketplace),
        "at": moment_text(report.now),
        "attention": len(report.needing_attention),
        "secrets": [_row(row, report.now) for row in report.rows],
    }
    return _dumped(content)


def _row(row: SecretRow, now: datetime) -> Json:
    live, state = row.state.live, row.state
    age, left = _age(live, now), _left(live, now)
    return {
        "address": escape(str(row.address)),
        "client_id": escape(row.client_id) if row.client_id else None,
        "name": escape(live.name if live else state.name),
        "id": escape(live.id) if live else None,
        "generation": row.generation.value,
        "standing": state.standing.value,
        "in_step": not state.standing.needs_attention,
        "age_days": None if age is None else age // _DAY,
        "expires": moment_text(live.expires) if live and live.expires else None,
        "days_left": None if left is None else left // _DAY,
        "policy": escape(row.policy) or None,
        "note": escape(state.note) or None,
    }


def _dumped(content: Json) -> str:
    return json.dumps(content, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


StatusWriter: TypeAlias = Callable[[SecretReport, Style], str]
STATUSES: Final[Mapping[str, StatusWriter]] = MappingProxyType({"text": status_text, "json": status_document})
"""Name of a format -> what writes the report in it; the first is the default."""


def metrics(report: SecretReport) -> str:
    """The report in the text format of Prometheus, for a collector of text files.

    Source: Prometheus documentation, "Exposition formats": labels escape backslash, quotation mark and line feed.
    """
    expiring = [row for row in report.rows if row.state.live and row.state.live.expires]
    families: list[tuple[str, str, list[tuple[str, float]]]] = [
        (
            "reconciler_secret_needs_attention",
            "1 where somebody has something to do about a secret, else 0.",
            [(_labels(row, report, standing=row.state.standing), _attention(row)) for row in report.rows],
        ),
        (
            "reconciler_secret_expiry_timestamp_seconds",
            "When a secret expires, in seconds since the epoch.",
            [(_labels(row, report), _expiry(row)) for row in expiring],
        ),
        (
            "reconciler_secrets_checked_timestamp_seconds",
            "When secrets were looked at, in seconds since the epoch.",
            [(f'environment="{_label(report.environment)}"', report.now.timestamp())],
        ),
    ]
    lines = []
    for name, explanation, samples in families:
        lines += [f"# HELP {name} {explanation}", f"# TYPE {name} gauge"]
        lines += [f"{name}{{{labels}}} {value:.0f}" for labels, value in samples]
    return "".join(f"{line}\n" for line in lines)


def _attention(row: SecretRow) -> float:
    return float(row.state.standing.needs_attention)


def _expiry(row: SecretRow) -> float:
    return row.state.live.expires.timestamp() if row.state.live and row.state.live.expires else 0.0


def _labels(row: SecretRow, report: SecretReport, **others: str) -> str:
    labels = {
        "environment": report.environment,
        "address": str(row.address),
        "secret": row.state.live.name if row.state.live else row.state.name,
        "id": row.state.live.id if row.state.live else "",
        "generation": row.generation,
        **others,
    }
    return ",".join(f'{name}="{_label(value)}"' for name, value in labels.items())


def _label(value: str) -> str:
    return escape(value).replace("\\", "\\\\").replace('"', '\\"')


# ------------------------------------------------------------------------------------------------------------ rotation


@dataclass(frozen=True, slots=True)
class Turned:
    """What a rotation came to."""

    about: str
    """The secret and whose it is."""
    due: Sequence[Step]
    """All steps that were due when it began."""
    done: Sequence[Step] = ()
    is_dry_run: bool = False
    interrupted: bool = False
    error: ReconcilerError | None = None

    @property
    def left(self) -> Sequence[Step]:
        """The steps that were not taken."""
        return self.due[len(self.done) :]

    @property
    def waiting(self) -> Step | None:
        """What only time can bring to its end: an old secret that is valid for a while yet."""
        ends = (StepKind.WAIT, StepKind.EXPIRE)
        return next((step for step in reversed(self.due) if step.kind in ends and step.until), None)


def turned_text(turned: Turned, style: Style) -> str:
    """One line for each step, then what is left."""
    lines = [f"{escape(turned.about)}:"]
    lines += [f"  {style.paint(Tone.CREATE, _word(step))}  {escape(step.text)}" for step in turned.done]
    word = "would" if turned.is_dry_run else "left "
    lines += [f"  {style.paint(Tone.UPDATE, word)}  {escape(step.text)}" for step in turned.left]
    return joined([*lines, "", *_turned_verdict(turned, style)])


def _word(step: Step) -> str:
    return "wait " if step.kind is StepKind.WAIT else "done "


def _turned_verdict(turned: Turned, style: Style) -> Iterator[str]:
    waiting = turned.waiting
    if turned.is_dry_run:
        yield "A dry run: nothing was written."
    elif turned.error or turned.interrupted:
        word = "Interrupted" if turned.interrupted else "Stopped"
        yield style.paint(Tone.ALARM, f"{word}: {_of_all(turned)}. Run it again: it goes on where it was left.")
    elif waiting and waiting.until:
        until = moment_text(waiting.until)
        yield f"{style.paint(Tone.CREATE, 'In overlap:')} run it again after {until} to delete the old secret."
    else:
        yield f"{style.paint(Tone.CREATE, 'Complete:')} nothing is left over. To run it again begins a new rotation."


def _of_all(turned: Turned) -> str:
    return f"{len(turned.done)} of {len(turned.due)} steps were taken"


def turned_document(turned: Turned, _style: Style) -> str:
    """The JSON document: ASCII, its texts escaped as they are for people."""
    waiting = turned.waiting
    content: Json = {
        "format_version": FORMAT_VERSION,
        "about": escape(turned.about),
        "dry_run": turned.is_dry_run,
        "interrupted": turned.interrupted,
        "error": escape(turned.error.message) if turned.error else None,
        "steps": [_step(step, index < len(turned.done)) for index, step in enumerate(turned.due)],
        "again_after": moment_text(waiting.until) if waiting and waiting.until else None,
    }
    return _dumped(content)


def _step(step: Step, done: bool) -> Json:  # noqa: FBT001  # read off the list just above
    return {
        "kind": step.kind.value,
        "text": escape(step.text),
        "secret_id": escape(step.secret.id) if step.secret else None,
        "done": done,
    }


TurnedWriter: TypeAlias = Callable[[Turned, Style], str]
ROTATIONS: Final[Mapping[str, TurnedWriter]] = MappingProxyType({"text": turned_text, "json": turned_document})
"""Name of a format -> what writes a rotation in it; the first is the default."""
