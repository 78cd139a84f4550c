"""What is new about drift -> a short JSON message for Slack, Teams, or whatever takes a webhook.

Names stand where a chat sees no mention, no link and no markup: in Slack in code spans, in Teams in runs of plain text.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from reconciler.model.drift import Deviation
from reconciler.model.json import Json
from reconciler.render.titles import SIDE_WORDS, is_wider, number
from reconciler.render.values import brief

_LONGEST_LINE: Final = 300
FEW: Final = 10
"""How many deviations a message names."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something worth telling: drift that was not there before, or that there is none any more."""

    environment: str
    new: tuple[Deviation, ...]
    """Empty: all is in step again."""
    standing: int = 0
    """How many deviations there are besides, which were told of before."""

    @property
    def title(self) -> str:
        """One line."""
        environment = brief(self.environment)
        if not self.new:
            return f"{environment} is in step again"
        found = f"{environment} has {number(len(self.new), 'new deviation')}"
        return f"{found}, and {number(self.standing, 'known one')}" if self.standing else found

    @property
    def lines(self) -> list[str]:
        """The first of what is new, what is wider than wanted first."""
        ordered = sorted(self.new, key=lambda one: not is_wider(one))
        return [_line(one) for one in ordered[:FEW]]

    @property
    def more(self) -> str:
        """How many there are besides, and what shows them."""
        if len(self.new) <= FEW:
            return ""
        command = brief(shlex.join(["reconciler", "drift", "--env", self.environment]))
        return f"and {len(self.new) - FEW:,} more: {command} shows all"


def _line(one: Deviation) -> str:
    side = SIDE_WORDS.get(one.side)
    marks = [*(["wider than wanted"] if is_wider(one) else []), *([side] if side else [])]
    at = f" {one.pointer}" if one.pointer else ""
    said = f" ({', '.join(marks)})" if marks else ""
    return brief(f"{one.address}{at}: {one.kind}{said}", _LONGEST_LINE)


def plain(notice: Notice) -> Json:
    """For programs; `text` for those that show one."""
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
    """No values: a chat is read by more people than the marketplace."""
    return {
        "fingerprint": one.fingerprint,
        "kind": one.kind.value,
        "side": one.side.value,
        "address": str(one.address),
        "pointer": one.pointer,
        "wider_than_wanted": is_wider(one),
    }


def slack(notice: Notice) -> Json:
    """An incoming webhook of Slack, or of Mattermost."""
    lines = [f"*{_in_slack(notice.title)}*", *(f"• `{_in_slack(line)}`" for line in notice.lines)]
    return {"text": "\n".join([*lines, *([_in_slack(notice.more)] if notice.more else [])]), "unfurl_links": False}


def _in_slack(text: str) -> str:
    """The three characters that Slack wants encoded, and no way out of a code span or of bold."""
    for character, instead in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("`", "'"), ("*", "\\u002a")):
        text = text.replace(character, instead)
    return text.replace("@", "\\u0040")


def teams(notice: Notice) -> Json:
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


Notification: TypeAlias = Callable[[Notice], Json]
NOTIFICATIONS: Final[Mapping[str, Notification]] = MappingProxyType({"plain": plain, "slack": slack, "teams": teams})

_HOSTS: Final = {
    "hooks.slack.com": "slack",
    "webhook.office.com": "teams",
    "logic.azure.com": "teams",
    "api.powerplatform.com": "teams",
}


def format_for(host: str) -> str:
    """What a host takes; a host that nobody knows takes plain JSON."""
    found = (name for known, name in _HOSTS.items() if host == known or host.endswith(f".{known}"))
    return next(found, "plain")
