"""What a run found -> metrics for Prometheus, and a short JSON message for Slack, Teams or another webhook.

https://prometheus.io/docs/instrumenting/exposition_formats/. Metrics that a run does not have are left out. In a
file for several environments, each has its own series.

Names are put where a chat renders no mention, link or markup: in Slack in code spans, in Teams in plain text runs.
"""

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from types import MappingProxyType
from typing import Final, TypeAlias

from reconciler.model.dataclass import dataclass
from reconciler.model.drift import Deviation, Drift, DriftKind
from reconciler.model.json import Json
from reconciler.model.outcome import ApplyResult, Status
from reconciler.model.plan import Action, Plan
from reconciler.render.escape import brief, escape
from reconciler.render.wording import SIDE_WORDS, is_wider, number

Counts: TypeAlias = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Measured:
    """One run for one environment."""

    environment: str
    command: str
    succeeded: bool
    """Whether it completed, with or without drift."""
    ended_at: float = 0
    """Seconds since 1970."""
    seconds: float = 0
    requests: int = 0
    retries: int = 0
    last_success_at: float | None = None
    """Seconds since 1970, of the last run that completed."""
    actions: Counts = field(default_factory=dict)
    drift: Counts = field(default_factory=dict)
    outcomes: Counts = field(default_factory=dict)


def measured(run: Measured, found: Plan | Drift | ApplyResult | None) -> Measured:
    """The run with the numbers of its result, including zeros: a series that vanishes raises no alarm.

    Without a result, or with a partial one, it is not successful.
    """
    match found:
        case Plan(summary=summary):
            numbers = (summary.create, summary.update, summary.delete, summary.no_op, summary.unmanaged)
            return replace(run, actions={one.value: number for one, number in zip(Action, numbers, strict=True)})
        case Drift():
            return replace(measured(run, found.plan), drift={kind.value: found.count(kind) for kind in DriftKind})
        case ApplyResult():
            is_done = run.succeeded and found.is_complete and not found.interrupted
            return replace(run, outcomes={one.value: found.count(one) for one in Status}, succeeded=is_done)
        case None:
            return replace(run, succeeded=False)


LAST_SUCCESS: Final = "reconciler_last_success_timestamp_seconds"


def metrics(runs: Sequence[Measured]) -> str:
    """The text of the file."""
    return (
        _counts("reconciler_resources", "Resources by what a plan would do.", "action", runs, lambda run: run.actions)
        + _counts("reconciler_drift_resources", "Resources by kind of drift.", "kind", runs, lambda run: run.drift)
        + _counts("reconciler_outcomes", "Changes by outcome.", "status", runs, lambda run: run.outcomes)
        + _numbers(
            "reconciler_run_success", "1 if the run completed, with or without drift.", runs, lambda run: run.succeeded
        )
        + _numbers("reconciler_run_timestamp_seconds", "When the run ended.", runs, lambda run: run.ended_at)
        + _numbers(LAST_SUCCESS, "When a run last completed.", runs, lambda run: run.last_success_at)
        + _numbers("reconciler_run_duration_seconds", "How long the run took.", runs, lambda run: run.seconds)
        + _numbers("reconciler_run_requests", "Requests, retries included.", runs, lambda run: run.requests)
        + _numbers("reconciler_run_retries", "Requests that were sent again.", runs, lambda run: run.retries)
    )


def series(name: str, **labels: str) -> str:
    """The name and labels of one series."""
    pairs = ",".join(f'{label}="{_label(value)}"' for label, value in labels.items())
    return f"{name}{{{pairs}}}"


def _label(value: str) -> str:
    """A label value; invisible characters are escaped, so that no two series look the same."""
    return escape(value).replace("\\", "\\\\").replace('"', '\\"')


def family(name: str, about: str, samples: Iterable[tuple[Mapping[str, str], str]]) -> str:
    """One metric: its header, and a line for each sample."""
    lines = [f"# HELP {name} {about}", f"# TYPE {name} gauge", *(f"{series(name, **of)} {n}" for of, n in samples)]
    return "".join(f"{line}\n" for line in lines)


def _counts(name: str, about: str, label: str, runs: Iterable[Measured], of: Callable[[Measured], Counts]) -> str:
    samples = [(_labels(run) | {label: value}, str(number)) for run in runs for value, number in of(run).items()]
    return family(name, about, samples) if samples else ""


def _numbers(name: str, about: str, runs: Iterable[Measured], of: Callable[[Measured], float | None]) -> str:
    samples = [(_labels(run), f"{float(value):.3f}") for run in runs if (value := of(run)) is not None]
    return family(name, about, samples) if samples else ""


def _labels(run: Measured) -> dict[str, str]:
    return {"environment": run.environment, "command": run.command}


_LONGEST_LINE: Final = 300
FEW: Final = 10
"""The maximum number of deviations in a message."""


@dataclass(frozen=True, slots=True)
class DriftNotice:
    """A notification: new drift, or the end of drift."""

    environment: str
    new: tuple[Deviation, ...]
    """Empty: everything is in step again."""
    standing: int = 0
    """The number of deviations that were reported before."""

    @property
    def title(self) -> str:
        """One line."""
        environment = brief(self.environment)
        if not self.new:
            return f"{environment} has no drift any more"
        found = f"{environment} has {number(len(self.new), 'new deviation')}"
        return f"{found}, and {number(self.standing, 'known deviation')}" if self.standing else found

    @property
    def lines(self) -> list[str]:
        """The first new deviations, those with wider access first."""
        ordered = sorted(self.new, key=lambda one: not is_wider(one))
        return [_line(one) for one in ordered[:FEW]]

    @property
    def more(self) -> str:
        """The number of further deviations, and the command that shows them."""
        if len(self.new) <= FEW:
            return ""
        command = brief(shlex.join(["reconciler", "drift", "--env", self.environment]))
        return f"and {len(self.new) - FEW:,} more: {command} shows all"


def _line(one: Deviation) -> str:
    side = SIDE_WORDS.get(one.side, "")
    marks = [*["wider than desired"] * is_wider(one), *[side] * bool(side), *["not changed by apply"] * one.is_left]
    at = f" {one.pointer}" if one.pointer else ""
    note = f" ({', '.join(marks)})" if marks else ""
    return brief(f"{one.address}{at}: {one.kind}{note}", _LONGEST_LINE)


def plain(notice: DriftNotice) -> Json:
    """A JSON message for programs; `text` is a summary to show."""
    return {
        "format_version": "1.0",
        "text": "\n".join([notice.title, *notice.lines, *([notice.more] if notice.more else [])]),
        "environment": notice.environment,
        "state": "drifted" if notice.new else "in-step",
        "standing": notice.standing,
        "new": [_deviation(one) for one in notice.new[:FEW]],
        "new_count": len(notice.new),
    }


def _deviation(one: Deviation) -> Json:
    """A deviation without values: a chat has more readers than the marketplace."""
    return {
        "fingerprint": one.fingerprint,
        "kind": one.kind.value,
        "side": one.side.value,
        "address": str(one.address),
        "pointer": one.pointer,
        "wider_than_wanted": is_wider(one),
    }


def slack(notice: DriftNotice) -> Json:
    """An incoming webhook of Slack, or of Mattermost."""
    lines = [f"*{_in_slack(notice.title)}*", *(f"• `{_in_slack(line)}`" for line in notice.lines)]
    return {"text": "\n".join([*lines, *([_in_slack(notice.more)] if notice.more else [])]), "unfurl_links": False}


def _in_slack(text: str) -> str:
    """Encode the three characters that Slack requires, and remove those that end a code span or bold."""
    for character, instead in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("`", "'"), ("*", "\\u002a")):
        text = text.replace(character, instead)
    return text.replace("@", "\\u0040")


def teams(notice: DriftNotice) -> Json:
    """An adaptive card for a workflow of Teams."""
    texts: Sequence[str] = [*notice.lines, *([notice.more] if notice.more else [])]
    body = [_run(notice.title, weight="Bolder"), *(_run(text, fontType="Monospace") for text in texts)]
    card: Json = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    return {
        "type": "message",
        "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}],
    }


def _run(text: str, **style: str) -> Json:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **style}]}


Notification: TypeAlias = Callable[[DriftNotice], Json]
NOTIFICATIONS: Final[Mapping[str, Notification]] = MappingProxyType({"plain": plain, "slack": slack, "teams": teams})

_HOSTS: Final = {
    "hooks.slack.com": "slack",
    "webhook.office.com": "teams",
    "logic.azure.com": "teams",
    "api.powerplatform.com": "teams",
}


def format_for(host: str) -> str:
    """The format for a host; plain JSON for an unknown host."""
    found = (name for known, name in _HOSTS.items() if host == known or host.endswith(f".{known}"))
    return next(found, "plain")
