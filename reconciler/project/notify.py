"""Drift -> one message to a URL when something new has drifted, and one when all is in step again.

What was told is kept in `.reconciler/notified.json` beside the configuration. A message that cannot be sent is tried
again by the next run. A file that git tracks counts as none.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.errors import ReconcilerError, UsageError
from reconciler.manifests.git import disbelief
from reconciler.manifests.replacing import read_own, replace_file
from reconciler.model.dataclass import dataclass
from reconciler.model.drift import Drift
from reconciler.model.secret import Secret
from reconciler.project import Settings
from reconciler.project.environment import configuration
from reconciler.project.files import OWN_FOLDER, own_folder
from reconciler.render.monitoring import NOTIFICATIONS, Notice, format_for

if TYPE_CHECKING:
    from reconciler.remote.wire import Webhook

NOTIFY_VARIABLE: Final = "RECONCILER_NOTIFY_URL"
_STATE: Final = Path(OWN_FOLDER) / "notified.json"


@dataclass(frozen=True, slots=True)
class Notifier:
    """Whom to tell, and in which words; nobody where there is no URL."""

    url: Secret | None
    format_name: str | None

    def check(self) -> None:
        """Refuse what can never be sent, before anything is contacted.

        Raises:
            UsageError: the URL is none, or there is a format and no URL.
        """
        if self.url is None and self.format_name:
            raise UsageError(
                "--notify-format is for a URL that is notified", hint=f"add --notify, or set {NOTIFY_VARIABLE}"
            )
        if self.url is not None:
            self._webhook()

    def _webhook(self) -> "Webhook":
        from reconciler.remote.wire import Webhook  # noqa: PLC0415  # what notifies nobody does without its library

        try:
            return Webhook(self.url or Secret(""))
        except ReconcilerError as error:
            raise UsageError(error.message, hint=error.hint) from None

    def tell(self, drifts: Iterable[Drift], settings: Settings) -> Iterator[ReconcilerError]:
        """Tell of each environment that has something new; give what has kept it from being told."""
        if self.url is None:
            return
        path = configuration(settings).path.parent / _STATE
        problem = disbelief([path]).get(path)
        if problem:
            yield problem
        state = _State(path, {} if problem else _read(path))
        for drift in drifts:
            try:
                self._tell(drift, state)
            except ReconcilerError as error:
                yield error

    def _tell(self, drift: Drift, state: "_State") -> None:
        webhook = self._webhook()
        notice = state.news(drift)
        if notice:
            write = NOTIFICATIONS[self.format_name or format_for(webhook.host)]
            webhook.post(write(notice))
        state.keep(drift)


class _State:
    """What was notified of each environment. A damaged file counts as none: then it is notified again."""

    def __init__(self, path: Path, known: dict[str, list[str]]) -> None:
        self._path = path
        self._known = known

    def news(self, drift: Drift) -> Notice | None:
        """What was not notified yet."""
        known, found = self._known.get(_subject(drift), []), [one for one in drift.deviations if one.is_drift]
        new = tuple(one for one in found if one.fingerprint not in known)
        if new or (known and not found):
            return Notice(drift.plan.binding.environment, new, len(found) - len(new))
        return None

    def keep(self, drift: Drift) -> None:
        """Note that all of this is known now.

        Raises:
            ReconcilerError: it cannot be written.
        """
        subject = _subject(drift)
        found = sorted({one.fingerprint for one in drift.deviations if one.is_drift})
        if self._known.get(subject, []) != found:
            self._known[subject] = found
            own_folder(self._path)
            try:
                replace_file(self._path, json.dumps(self._known, indent=2, sort_keys=True) + "\n")
            except OSError as error:
                raise ReconcilerError(f"cannot write {self._path}: {error.strerror}") from error


def _subject(drift: Drift) -> str:
    """What was looked at: an environment, or a selection of what is in it, which is in step on its own."""
    return f"{drift.plan.binding.environment} {drift.plan.selection}".strip()


def _read(path: Path) -> dict[str, list[str]]:
    try:
        found = json.loads(read_own(path))
    except (OSError, ValueError, RecursionError):
        return {}
    return {name: ones for name, ones in found.items() if isinstance(ones, list)} if isinstance(found, dict) else {}
