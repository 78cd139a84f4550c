"""Every error that this program raises deliberately, one class per reaction.

ReconcilerError                 1   the base; nothing was written
├── UsageError                 64   correct the command line
│   └── WouldOverwrite         64   an output is an input: choose another file; nothing is written
├── InputError                  1   correct the files: has every diagnostic of the run
├── SecretMissing               1   a reference has no value here: set it, or continue without comparing it
├── RemoteError                 1   a request failed: method, path, status, code, log id
│   ├── Unreachable                 try again later, or fix the network: no response, or 5xx or 429 on every retry
│   │   ├── AnswerLost              the request was sent without a response: it may have been executed
│   │   └── NotExecuted             the write was not executed: read the object, then retry
│   ├── AccessDenied                correct the credentials or the roles: 401, 403, refused logins
│   ├── NotFound                    the object does not exist: only a 404 means that
│   │   └── NoSuchKind              this version of the service has no such list
│   ├── Rejected                    the service refuses the content: other 4xx
│   └── BadAnswer                   the response is outside the API (HTML, half a list, wrong types)
├── GuardRefusal                3   a guard refused the plan: change the plan, or acknowledge it
│   └── WrongMarketplace        3   the credentials are for another marketplace than configured
├── PartlyDelivered             5   a delivery failed, but a value may have been delivered: apply again
├── Skipped                     1   an earlier environment did not exit with 0: correct that one, and run again
├── Interrupted               130   the user interrupted, and nothing was written: no reaction
└── PlanRefused                 4   the saved plan is stale, altered, expired or for another target: plan again
"""

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from reconciler.model.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reconciler.model.diagnostic import Diagnostic
    from reconciler.model.plan import Finding


class ReconcilerError(Exception):
    """A condition that is reported to the user in one message; `hint` is the fix."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(ReconcilerError):
    """The command line names something unknown, or options that conflict."""

    exit_code = 64


class WouldOverwrite(UsageError):
    """An output would overwrite an input. Nothing is written, not even an error document."""


class InputError(ReconcilerError):
    """Manifests or configuration are invalid, with all errors."""

    def __init__(self, diagnostics: "Sequence[Diagnostic]") -> None:
        self.diagnostics = tuple(sorted(diagnostics))
        errors = sum(one.severity == "error" for one in self.diagnostics)
        warnings = len(self.diagnostics) - errors
        counts = ((errors, "error"), (warnings, "warning"))
        parts = [f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts if count]
        super().__init__(f"{' and '.join(parts) or 'no error'} found")

    def __str__(self) -> str:
        """Full text for tracebacks."""
        return "; ".join([self.message, *(f"{one.place}: {one.message}" for one in self.diagnostics)])


class SecretMissing(ReconcilerError):
    """A secret cannot be resolved here. A plan continues without it and reports it."""


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What may be shown of a request and its response: never a header, a body or a token."""

    method: str
    path: str
    status: int | None = None
    error_code: str = ""
    log_id: str = ""
    """The service's X-oc-logid, for support cases."""

    def __str__(self) -> str:
        parts = [f"{self.method} {self.path}"]
        if self.status is not None:
            parts.append(f"answered {self.status}")
        if self.error_code:
            parts.append(self.error_code)
        if self.log_id:
            parts.append(f"log id {self.log_id}")
        return ", ".join(parts)


class RemoteError(ReconcilerError):
    """A request failed."""

    def __init__(self, message: str, request: RequestFacts, *, hint: str = "") -> None:
        super().__init__(f"{request}: {message}", hint=hint)
        self.request = request


class Unreachable(RemoteError):
    """No response, or only 429 and 5xx, until retries were exhausted."""


class AnswerLost(Unreachable):
    """A write was sent, and its response is lost or unusable: read before retrying."""


class NotExecuted(Unreachable):
    """A write was certainly not executed. It may be retried after reading the object: time has passed."""


class AccessDenied(RemoteError):
    """The credentials or their roles are not sufficient."""

    texts: tuple[str, ...] = ()
    """All codes and messages of the refusal, with OAuth's ``error`` and ``error_description``. Must not be shown."""


class NotFound(RemoteError):
    """The object does not exist: no other error means that."""


class NoSuchKind(NotFound):
    """This version of the service does not support some kinds: it has no such lists."""

    def __init__(self, message: str, request: RequestFacts, *, kinds: tuple[str, ...]) -> None:
        super().__init__(message, request)
        self.kinds = kinds


class Rejected(RemoteError):
    """The service refuses the content of a request."""


class BadAnswer(RemoteError):
    """The service returned a response outside the API; it proves nothing."""


class GuardRefusal(ReconcilerError):
    """The plan is dangerous; nothing was written."""

    exit_code = 3

    def __init__(self, findings: "Sequence[Finding]", *, hint: str = "") -> None:
        self.findings = tuple(findings)
        super().__init__("; ".join(f"{finding.rule}: {finding.message}" for finding in findings), hint=hint)


class WrongMarketplace(GuardRefusal):
    """The service reports another marketplace than the configuration."""


class PartlyDelivered(ReconcilerError):
    """A delivery failed after a command received, or may have received, a secret."""

    exit_code = 5


class Skipped(ReconcilerError):
    """An environment was not started, because of another one."""


class Interrupted(ReconcilerError):
    """The user interrupted the run before anything was written."""

    exit_code = 130

    def __init__(self) -> None:
        super().__init__("interrupted; nothing was written")


class PlanRefused(ReconcilerError):
    """A saved plan cannot be applied; `reason` is a stable identifier."""

    exit_code = 4

    def __init__(self, reason: str, message: str, *, hint: str = "run plan again and review the new plan") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


_BEGUN: Final = (
    "the run stopped after its first write; the next apply determines what was written "
    "(see reconciler history show last)"
)


@contextmanager
def cutting_off(has_begun: "Callable[[], bool]") -> "Iterator[None]":
    """Mark an unexpected exception of a run that may have written: see `cut_off`."""
    try:
        yield
    except Exception as error:
        if has_begun():
            error.add_note(_BEGUN)
        raise


def cut_off(error: BaseException) -> str:
    """Message for an exception of a run that may have written; otherwise empty."""
    return _BEGUN if _BEGUN in getattr(error, "__notes__", ()) else ""


def is_no_thread(error: RuntimeError) -> bool:
    """Whether a thread could not be started. Python has no class for it."""
    return "start new thread" in str(error)
