"""Every error that this program raises on purpose, one class per reaction.

ReconcilerError                 1   the base; nothing was written
├── UsageError                 64   correct the command line
│   └── WouldOverwrite         64   an output is an input: name another file; nothing at all is written
├── InputError                  1   correct the files: carries every diagnostic of the run
├── SecretMissing               1   a reference has no value here: set it, or continue without comparing it
├── RemoteError                 1   a request failed: method, path, status, code, log id
│   ├── Unreachable                 try again later, or fix the network: no answer, or 5xx and 429 to the end
│   │   ├── AnswerLost              the request was sent and no answer came: the write may have happened
│   │   └── NotExecuted             the write was not carried out and may be tried again now: look first
│   ├── AccessDenied                correct the credentials or the roles: 401, 403, and logins refused
│   ├── NotFound                    the object is not there: 404, and nothing else, means absent
│   │   └── NoSuchKind              this version of the service does not know the list of a kind
│   ├── Rejected                    the service refuses the content: other 4xx
│   └── BadAnswer                   the service answered, but not as the API does (HTML, half a list, wrong types)
├── GuardRefusal                3   a guard refused the plan: change the plan, or acknowledge it
│   └── WrongMarketplace        3   the credentials open another marketplace than the configuration names
├── PartlyDelivered             5   a delivery failed, but a value may have been delivered: apply again
├── Skipped                     1   an environment before it did not exit with 0: correct that one, and run again
├── Interrupted               130   the user wants to stop, and nothing was written: no reaction
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
    """A condition that is reported to the user in one message; `hint` says what to do."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(ReconcilerError):
    """The command line asks for something that does not exist or does not fit together."""

    exit_code = 64


class WouldOverwrite(UsageError):
    """An output is an input. Nothing is written then: no document that says why there is none, either."""


class InputError(ReconcilerError):
    """Manifests or configuration have faults; all of them are here."""

    def __init__(self, diagnostics: "Sequence[Diagnostic]") -> None:
        self.diagnostics = tuple(sorted(diagnostics))
        errors = sum(one.severity == "error" for one in self.diagnostics)
        warnings = len(self.diagnostics) - errors
        counts = ((errors, "error"), (warnings, "warning"))
        parts = [f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts if count]
        super().__init__(f"{' and '.join(parts) or 'no error'} found")

    def __str__(self) -> str:
        """All of it, as a traceback shows it."""
        return "; ".join([self.message, *(f"{one.place}: {one.message}" for one in self.diagnostics)])


class SecretMissing(ReconcilerError):
    """A reference to a secret gives nothing on this machine. A plan goes on without it, and says so."""


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What may be shown of a request and its answer: never a header, a body or a token."""

    method: str
    path: str
    status: int | None = None
    error_code: str = ""
    log_id: str = ""
    """The service's X-oc-logid: to be quoted in a support case."""

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
    """A request did not give what was asked for."""

    def __init__(self, message: str, request: RequestFacts, *, hint: str = "") -> None:
        super().__init__(f"{request}: {message}", hint=hint)
        self.request = request


class Unreachable(RemoteError):
    """No answer, or only refusals to answer (429, 5xx), until the retries were used up."""


class AnswerLost(Unreachable):
    """A write was sent, and its answer never came or cannot be used: look before trying again."""


class NotExecuted(Unreachable):
    """A write was certainly not carried out, and may be sent again now. Time has passed: look before that."""


class AccessDenied(RemoteError):
    """The credentials or their roles are not sufficient."""

    texts: tuple[str, ...] = ()
    """All codes and messages of the refusal, OAuth's ``error`` and ``error_description`` included. Not to be shown."""


class NotFound(RemoteError):
    """The one error that means 'absent'."""


class NoSuchKind(NotFound):
    """This version of the service has no objects of some kinds: it does not know their lists."""

    def __init__(self, message: str, request: RequestFacts, *, kinds: tuple[str, ...]) -> None:
        super().__init__(message, request)
        self.kinds = kinds


class Rejected(RemoteError):
    """The service understood the request and refuses its content."""


class BadAnswer(RemoteError):
    """The service answered something that the API does not promise; nothing may be concluded from it."""


class GuardRefusal(ReconcilerError):
    """The plan is dangerous; nothing was written."""

    exit_code = 3

    def __init__(self, findings: "Sequence[Finding]", *, hint: str = "") -> None:
        self.findings = tuple(findings)
        super().__init__("; ".join(f"{finding.rule}: {finding.message}" for finding in findings), hint=hint)


class WrongMarketplace(GuardRefusal):
    """The service says that it is another marketplace than the configuration names."""


class PartlyDelivered(ReconcilerError):
    """A delivery failed after a command had been, or may have been, given a secret."""

    exit_code = 5


class Skipped(ReconcilerError):
    """An environment was not begun, because of another one."""


class Interrupted(ReconcilerError):
    """The user has interrupted the run before anything was written."""

    exit_code = 130

    def __init__(self) -> None:
        super().__init__("interrupted; nothing was written")


class PlanRefused(ReconcilerError):
    """A saved plan may not be carried out; `reason` is a stable word for it."""

    exit_code = 4

    def __init__(self, reason: str, message: str, *, hint: str = "run plan again and review the new plan") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


_BEGUN: Final = "the run had begun to write; the next one finds out how far it came (reconciler history show last)"


@contextmanager
def cutting_off(has_begun: "Callable[[], bool]") -> "Iterator[None]":
    """Note on an unexpected exception that the run may have written something, if so: see `cut_off`."""
    try:
        yield
    except Exception as error:
        if has_begun():
            error.add_note(_BEGUN)
        raise


def cut_off(error: BaseException) -> str:
    """What is to be said of an error that ended a run after it had begun to write; empty: it has not."""
    return _BEGUN if _BEGUN in getattr(error, "__notes__", ()) else ""


def is_no_thread(error: RuntimeError) -> bool:
    """Whether an error says that the machine starts no more threads. Python has no class for it."""
    return "start new thread" in str(error)
