"""Find drift, write live values back to manifests, and send notifications.

A notification is sent when there is new drift, and when all drift is gone. What was notified is stored in
`.reconciler/notified.json` next to the configuration; a file that git tracks is not used. After a failed
notification, the next run sends it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from reconciler.applying import receipt as receiptfile
from reconciler.errors import InputError, ReconcilerError, UsageError
from reconciler.manifests.edit import write_contents
from reconciler.manifests.edit.live import Contents, Names, invalid_deviations, with_deviations
from reconciler.manifests.files import require_inside
from reconciler.manifests.git import Untrusted, untrusted
from reconciler.manifests.replacing import read_own, replace_file
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.drift import Deviation, Drift, DriftKind, Receipt
from reconciler.model.inputs import Selection
from reconciler.model.plan import Plan
from reconciler.model.resource import Address
from reconciler.model.secret import Secret
from reconciler.planning import drift as drifts
from reconciler.planning import seal as sealed
from reconciler.planning.seal import OtherKeyError
from reconciler.project import NOTIFY_VARIABLE, Settings
from reconciler.project.environment import configuration
from reconciler.project.files import OWN_FOLDER, os_errors_as, own_folder, read_file
from reconciler.project.records import newest_receipt
from reconciler.project.session import Session
from reconciler.remote import ReadRemote
from reconciler.render.json import DRIFT_FORMAT_VERSION
from reconciler.render.monitoring import NOTIFICATIONS, DriftNotice, format_for

if TYPE_CHECKING:
    from reconciler.remote.http import Webhook

_HINT: Final = "write one with: reconciler drift --format json > FILE"


@dataclass(frozen=True, slots=True)
class DriftView:
    """The options by which one run finds drift."""

    baseline: frozenset[str] = frozenset()
    """Fingerprints of known drift, which is not reported."""
    receipt: Receipt | None = None
    """The receipt to compare with; None: that of the newest run in the journal."""
    since_receipt: bool = False
    strict: bool = False
    """Whether a field that no manifest names is drift if it grants more access than the API's default."""

    @classmethod
    def of_files(
        cls, baseline: Path | None, receipt: Path | None, key: bytes | None, *, since_receipt: bool, strict: bool
    ) -> Self:
        """Read the given files. With a `key`, receipts must be signed with it.

        Raises:
            ReconcilerError: a file cannot be read, or has another format.
        """
        known = fingerprints(read_file(baseline), str(baseline)) if baseline else frozenset()
        given_receipt = receiptfile.loads(read_file(receipt), str(receipt), key) if receipt else None
        return cls(known, given_receipt, since_receipt, strict)

    def find_drift(self, session: Session, plan: Plan) -> Drift:
        """Derive drift from a plan of this session.

        Raises:
            ReconcilerError: the receipt is of another environment or marketplace, was altered, or is needed and
                does not exist.
        """
        if self.receipt:
            receiptfile.check(self.receipt, plan.binding)
        try:
            receipt = self.receipt or newest_receipt(session.config.journal, plan.binding, session.plan_key)
        except (OtherKeyError, Untrusted) as error:
            if self.since_receipt:
                raise
            receipt = None
            why = "; ".join(filter(None, [f"{error.message}: the source of drift is unknown", error.hint]))
            plan = replace(plan, warnings=(*plan.warnings, why))
        if self.since_receipt and not receipt:
            message = f"there is no receipt of the last apply to {plan.binding.environment} in {session.config.journal}"
            raise ReconcilerError(message, hint="name one with --receipt FILE")
        is_whole = not session.selection.paths  # otherwise, unmanaged objects are unknown
        return drifts.find(
            plan,
            receipt,
            baseline=self.baseline,
            since_receipt=self.since_receipt,
            strict=self.strict,
            unmanaged=is_whole and session.environment.unmanaged_is_drift,
        )


def fingerprints(text: str, name: str) -> frozenset[str]:
    """Read a baseline: the JSON of drift in one or several environments, in which entries may have been removed.

    Raises:
        ReconcilerError: the text is not a baseline.
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
        message = f"{name} has drift format {other}, but this version reads format {DRIFT_FORMAT_VERSION}"
        raise ReconcilerError(message, hint=_HINT)
    return known


def _texts(values: Iterable[object]) -> Iterable[str]:
    for value in values:
        if not isinstance(value, str):
            raise TypeError
        yield value


@dataclass(frozen=True, slots=True)
class WriteBack:
    """The files to write, and the drift before and after writing them."""

    drift: Drift
    """Before the files are written."""
    left: Drift
    """After the files are written."""
    contents: Contents = field(default_factory=dict)
    """File -> its new content; empty if there is nothing to write."""
    refused: tuple[Diagnostic, ...] = ()
    """Why some drift cannot be written back."""

    def edits(self) -> Iterator[tuple[str, str, str]]:
        """Each file to write, with its present and its new text."""
        for file, content in self.contents.items():
            yield file, Path(file).read_bytes().decode(), content.decode()

    def write(self) -> Drift:
        """Write the files and return the remaining drift."""
        write_contents(self.contents)
        return self.left


def written_back(
    settings: Settings, paths: Sequence[Path], selection: Selection, view: DriftView, *, allow_unknown_roles: bool
) -> WriteBack:
    """Compute manifests with the live values. Writes no file, and only reads the service.

    The result is verified: the files must be valid manifests, and no drift may remain except unmanaged objects and what
    cannot be written back.

    Raises:
        InputError: nothing can be written back; lists the reasons.
        ReconcilerError: other drift would remain.
    """
    session = Session.open(settings, paths, selection=selection, allow_unknown_roles=allow_unknown_roles)
    with session.reader() as remote:
        drift = view.find_drift(session, session.plan_with(remote))
        valid = _valid_contents(session, drift)
        faults = tuple(sorted(valid.refused.values()))
        if not valid.contents and faults:
            raise InputError(faults)
        left = _verified(valid, view, remote) if valid.contents else drift
    require_inside(map(Path, valid.contents), session.root)
    return WriteBack(drift, left, valid.contents, faults)


@dataclass(frozen=True, slots=True)
class _ValidContents:
    """Contents that are valid manifests, and a session with them loaded."""

    session: Session
    contents: Contents
    refused: Mapping[tuple[Address, str], Diagnostic]
    """Address and JSON pointer below its spec -> why the field is not written back."""

    def leaves(self, deviation: Deviation) -> bool:
        """Whether this drift remains: it is refused, or a secret of a resource with a refused field."""
        if deviation.field and deviation.field.sensitive:
            return any(address == deviation.address for address, _ in self.refused)
        return (deviation.address, deviation.pointer) in self.refused


def _valid_contents(session: Session, drift: Drift) -> _ValidContents:
    """Write back everything with which the files are valid manifests."""
    names = Names({one.key: one.address for one in drift.plan.changes if one.key and one.after})
    manifests, environment = session.loaded.manifests, session.environment.name
    misfitting: dict[tuple[Address, str], Diagnostic] = {}
    while True:
        accepted = [one for one in drift.deviations if (one.address, one.pointer) not in misfitting]
        contents, refused = with_deviations(accepted, manifests, environment, names)
        try:
            changed = session.with_contents(contents) if contents else session
        except InputError as error:
            faults = [replace(one, message=f"with the live values: {one.message}") for one in error.diagnostics]
            found = {
                (one.address, one.pointer): fault
                for one, fault in invalid_deviations(contents, faults, accepted, manifests)
            }
            if not found:
                raise InputError(faults) from error
            misfitting |= found
            continue
        not_writable = {(one.address, one.at.removeprefix("/spec")): one.diagnostic for one in refused}
        return _ValidContents(changed, contents, {**not_writable, **misfitting})


def _verified(valid: _ValidContents, view: DriftView, remote: ReadRemote) -> Drift:
    left = view.find_drift(valid.session, valid.session.plan_with(remote))
    remaining = [one for one in left.deviations if one.kind is not DriftKind.UNMANAGED and not valid.leaves(one)]
    if remaining:
        named = ", ".join(f"{one.address}{one.pointer}" for one in remaining)
        hint = "the service may have changed in the meantime: try again"
        raise ReconcilerError(f"the manifests would still differ in {named}; nothing was written", hint=hint)
    return left


# -------------------------------------------------------------------------------------------------------- notification

_STATE: Final = Path(OWN_FOLDER) / "notified.json"


@dataclass(frozen=True, slots=True)
class Notifier:
    """Sends notifications to a webhook, if there is one. Without a format, the host of the URL decides."""

    webhook: "Webhook | None"
    format_name: str | None

    @classmethod
    def of(cls, url: Secret | None, format_name: str | None) -> Self:
        """Check the options before any request.

        Raises:
            UsageError: the URL is invalid, or there is a format but no URL.
        """
        if url is None:
            if format_name:
                hint = f"add --notify, or set {NOTIFY_VARIABLE}"
                raise UsageError("--notify-format needs a URL to notify", hint=hint)
            return cls(None, None)
        from reconciler.remote.http import Webhook  # noqa: PLC0415  # only notifications need its library

        try:
            return cls(Webhook(url), format_name)
        except ReconcilerError as error:
            raise UsageError(error.message, hint=error.hint) from None

    def notify(self, drifts: Iterable[Drift], settings: Settings) -> Iterator[ReconcilerError]:
        """Send a notification for each environment that has one; yield the failures."""
        if self.webhook is None:
            return
        path = configuration(settings).path.parent / _STATE
        problem = untrusted([path]).get(path)
        if problem:
            yield problem
        state = _State(path, {} if problem else _read(path))
        write = NOTIFICATIONS[self.format_name or format_for(self.webhook.host)]
        for drift in drifts:
            try:
                if notice := state.notice(drift):
                    self.webhook.post(write(notice))
                state.record(drift)
            except ReconcilerError as error:
                yield error


@dataclass(frozen=True, slots=True)
class _State:
    """The fingerprints that were notified, by environment. A damaged file counts as empty: drift is notified again."""

    path: Path
    known: dict[str, list[str]]

    def notice(self, drift: Drift) -> DriftNotice | None:
        """The notification to send: new drift, or that all is gone; None if there is neither."""
        known, found = self.known.get(_subject(drift), []), [one for one in drift.deviations if one.is_drift]
        new = tuple(one for one in found if one.fingerprint not in known)
        if new or (known and not found):
            return DriftNotice(drift.plan.binding.environment, new, len(found) - len(new))
        return None

    def record(self, drift: Drift) -> None:
        """Record this drift as notified.

        Raises:
            ReconcilerError: the file cannot be written.
        """
        subject = _subject(drift)
        found = sorted({one.fingerprint for one in drift.deviations if one.is_drift})
        if self.known.get(subject, []) != found:
            self.known[subject] = found
            own_folder(self.path)
            with os_errors_as(f"cannot write {self.path}"):
                replace_file(self.path, json.dumps(self.known, indent=2, sort_keys=True) + "\n")


def _subject(drift: Drift) -> str:
    """The key of the state: the environment and the selection."""
    return f"{drift.plan.binding.environment} {drift.plan.selection}".strip()


def _read(path: Path) -> dict[str, list[str]]:
    try:
        found = json.loads(read_own(path))
    except (OSError, ValueError, RecursionError):
        return {}
    return {name: ones for name, ones in found.items() if isinstance(ones, list)} if isinstance(found, dict) else {}
