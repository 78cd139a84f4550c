"""A session, a baseline and a receipt -> drift, the manifests with live values written back, and who is notified of it.

A message goes to a URL when something new has drifted, and one when all is in step again. What was told is kept in
`.reconciler/notified.json` beside the configuration. A message that cannot be sent is tried again by the next run. A
file that git tracks counts as none.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from reconciler.applying import receipt as receiptfile
from reconciler.errors import InputError, ReconcilerError, UsageError
from reconciler.manifests.edit.live import Contents, Names, bring_back, misfits
from reconciler.manifests.files import require_inside
from reconciler.manifests.git import Disbelieved, disbelief
from reconciler.manifests.replacing import read_own, replace_file
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.drift import Deviation, Drift, DriftKind, Receipt
from reconciler.model.plan import Plan
from reconciler.model.resource import Address
from reconciler.model.secret import Secret
from reconciler.planning import drift as drifts
from reconciler.planning import seal as sealed
from reconciler.planning.seal import OtherKeyError
from reconciler.project import Settings
from reconciler.project.environment import configuration
from reconciler.project.files import OWN_FOLDER, own_folder, read_file
from reconciler.project.records import of_journal
from reconciler.project.session import Session
from reconciler.remote import ReadRemote
from reconciler.render.json import DRIFT_FORMAT_VERSION
from reconciler.render.monitoring import NOTIFICATIONS, Notice, format_for

if TYPE_CHECKING:
    from reconciler.remote.http import Webhook

_HINT: Final = "write one with: reconciler drift --format json > FILE"


@dataclass(frozen=True, slots=True)
class DriftView:
    """How drift is seen in one run."""

    baseline: frozenset[str] = frozenset()
    """Fingerprints of what is known, and is left out."""
    receipt: Receipt | None = None
    """None: that of the newest run in the journal."""
    since_receipt: bool = False
    strict: bool = False
    """Whether unowned fields that are wider than the API's default are drift."""

    @classmethod
    def of_files(
        cls, baseline: Path | None, receipt: Path | None, key: bytes | None, *, since_receipt: bool, strict: bool
    ) -> Self:
        """Read both files, where they are named; `key` is what receipts must be signed with.

        Raises:
            ReconcilerError: a file cannot be read, or is something else.
        """
        known = fingerprints(read_file(baseline), str(baseline)) if baseline else frozenset()
        past = receiptfile.loads(read_file(receipt), str(receipt), key) if receipt else None
        return cls(known, past, since_receipt, strict)

    def see(self, session: Session, plan: Plan) -> Drift:
        """See a plan of this session as drift.

        Raises:
            ReconcilerError: the receipt is one of another environment or marketplace, or one is needed and not there;
                that of the journal was altered.
        """
        if self.receipt:
            receiptfile.check(self.receipt, plan.binding)
        try:
            receipt = self.receipt or of_journal(session.journal, plan.binding, session.plan_key)
        except (OtherKeyError, Disbelieved) as error:
            if self.since_receipt:
                raise
            receipt = None
            why = "; ".join(filter(None, [f"{error.message}: who changed what is not known", error.hint]))
            plan = replace(plan, warnings=(*plan.warnings, why))
        if self.since_receipt and not receipt:
            message = f"there is no receipt of the last apply to {plan.binding.environment} in {session.journal}"
            raise ReconcilerError(message, hint="name one with --receipt FILE")
        is_whole = not session.selection.paths  # else nobody can say what is in no manifest
        return drifts.find(
            plan,
            receipt,
            baseline=self.baseline,
            since_receipt=self.since_receipt,
            strict=self.strict,
            unmanaged=is_whole and session.environment.unmanaged_is_drift,
        )


def fingerprints(text: str, name: str) -> frozenset[str]:
    """Read a baseline: the JSON of drift, of one environment or of several; whoever keeps it may take entries out.

    Raises:
        ReconcilerError: it is neither.
    """
    try:
        found: Any = json.loads(text)
        parts = (
            [one["drift"] for one in found["environments"] if "drift" in one] if "environments" in found else [found]
        )
        versions = {str(part["format_version"]) for part in parts if sealed.other_format(part, DRIFT_FORMAT_VERSION)}
        known = frozenset(_texts(one["fingerprint"] for part in parts for one in part["deviations"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ReconcilerError(f"{name} is not a baseline", hint=_HINT) from error
    if versions:
        other = ", ".join(sorted(versions))
        message = f"{name} has drift format {other}, and this version reads format {DRIFT_FORMAT_VERSION}"
        raise ReconcilerError(message, hint=_HINT)
    return known


def _texts(values: Iterable[object]) -> Iterable[str]:
    for value in values:
        if not isinstance(value, str):
            raise TypeError
        yield value


@dataclass(frozen=True, slots=True)
class WriteBack:
    """What is to be written, and what comes of it."""

    drift: Drift
    """As it is."""
    left: Drift
    """Once the files are written."""
    contents: Contents = field(default_factory=dict)
    """File -> what it is to hold; empty: nothing is to be written."""
    refused: tuple[Diagnostic, ...] = ()
    """What cannot be brought in, and is left as drift."""


def write_back(session: Session, view: DriftView) -> WriteBack:
    """Bring what drifted into the manifests. Writes nothing, and only reads the service.

    The changed files are tried: they must be manifests, and leave no drift but what no manifest has and what is
    refused.

    Raises:
        InputError: with everything that cannot be brought in, where nothing can be.
        ReconcilerError: there would still be drift.
    """
    with session.reader() as remote:
        drift = view.see(session, session.plan_with(remote))
        fitting = _fitting(session, drift)
        faults = tuple(sorted(fitting.refused.values()))
        if not fitting.contents and faults:
            raise InputError(faults)
        left = _tried(fitting, view, remote) if fitting.contents else drift
    require_inside(map(Path, fitting.contents), session.root)
    return WriteBack(drift, left, fitting.contents, faults)


@dataclass(frozen=True, slots=True)
class _Fitting:
    """Contents that are manifests, and the session that has them."""

    session: Session
    contents: Contents
    refused: Mapping[tuple[Address, str], Diagnostic]
    """Address and JSON pointer below its spec -> why it is not brought in."""

    def leaves(self, deviation: Deviation) -> bool:
        """Whether it is refused, or is a secret that is sent along with what is."""
        if deviation.field and deviation.field.sensitive:
            return any(address == deviation.address for address, _ in self.refused)
        return (deviation.address, deviation.pointer) in self.refused


def _fitting(session: Session, drift: Drift) -> _Fitting:
    """Bring in all but what the files would be no manifests with."""
    names = Names({one.key: one.address for one in drift.plan.changes if one.key and one.after})
    manifests, environment = session.loaded.manifests, session.environment.name
    odd: dict[tuple[Address, str], Diagnostic] = {}
    while True:
        taken = [one for one in drift.deviations if (one.address, one.pointer) not in odd]
        contents, refused = bring_back(taken, manifests, environment, names)
        try:
            changed = session.with_contents(contents) if contents else session
        except InputError as error:
            faults = [replace(one, message=f"with what is live: {one.message}") for one in error.diagnostics]
            found = {(one.address, one.pointer): fault for one, fault in misfits(contents, faults, taken, manifests)}
            if not found:
                raise InputError(faults) from error
            odd |= found
            continue
        told = {(one.address, one.at.removeprefix("/spec")): one.diagnostic for one in refused}
        return _Fitting(changed, contents, {**told, **odd})


def _tried(fitting: _Fitting, view: DriftView, remote: ReadRemote) -> Drift:
    left = view.see(fitting.session, fitting.session.plan_with(remote))
    still = [one for one in left.deviations if one.kind is not DriftKind.UNMANAGED and not fitting.leaves(one)]
    if still:
        named = ", ".join(f"{one.address}{one.pointer}" for one in still)
        hint = "somebody may have changed the service meanwhile: try again"
        raise ReconcilerError(f"the manifests would still differ in {named}; nothing was written", hint=hint)
    return left


# -------------------------------------------------------------------------------------------------------- notification

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
        from reconciler.remote.http import Webhook  # noqa: PLC0415  # what notifies nobody does without its library

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
