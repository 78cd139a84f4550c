"""A plan -> approval on the terminal or an error; and signals that stop a run."""

import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import chain
from types import FrameType
from typing import TYPE_CHECKING, Final

import click

from reconciler.cli import signals
from reconciler.cli.console import progress
from reconciler.cli.failures import report_warning, style_of_stderr
from reconciler.cli.options import Common, apply_verb, common_of_this_run, shared_options
from reconciler.cli.outputs import style_of_stdout
from reconciler.cli.streams import in_job, is_terminal, write_stderr, write_stdout
from reconciler.errors import Interrupted, ReconcilerError, UsageError
from reconciler.model.json import Json
from reconciler.model.outcome import Outcome
from reconciler.model.plan import Finding, Plan
from reconciler.model.secret import InFile
from reconciler.project.api import text_of
from reconciler.render.escape import escape, joined
from reconciler.render.jsonl import plan_events
from reconciler.render.style import Style

if TYPE_CHECKING:
    from reconciler.project.apply import ApplyOptions

_YES: Final = "yes"
_STOPPING: Final = "reconciler.stopping"


def can_ask() -> bool:
    """Whether stdin and stderr are terminals, so that questions can be asked and answered."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def ask(question: str, default: str = "", check: Callable[[str], None] = lambda _answer: None) -> str:
    """Ask until the answer is valid.

    Args:
        question: the text to show.
        default: the value of an empty answer; without a default, an empty answer repeats the question.
        check: raises `UsageError` for an invalid answer; its message is shown.

    Raises:
        KeyboardInterrupt: end of input.
    """
    while True:
        write_stderr(f"{question}{f' [{default}]' if default else ''}: ")
        line = sys.stdin.readline()
        if not line:
            raise KeyboardInterrupt
        answer = line.strip() or default
        if not answer:
            continue
        try:
            check(answer)
        except UsageError as error:
            write_stderr(f"{escape(error.message)}\n")
        else:
            return answer


def target(environment: str, marketplace: str, base_url: str) -> str:
    """Describe the target of a write, for questions."""
    return f"environment {escape(environment)} (marketplace {escape(marketplace)} at {escape(base_url)})"


def require_yes(question: str, shown: Callable[[Style], str], events: Iterable[Mapping[str, Json]] = ()) -> None:
    """Show the changes and ask; only `yes` is accepted. Without a terminal, write them to stdout and fail.

    Raises:
        ReconcilerError: the answer was no, or there is no terminal.
    """
    if not can_ask():
        if click.get_current_context().params["format_name"] == "text" and not common_of_this_run().is_of_several:
            write_stdout(shown(style_of_stdout()))
        else:  # stdout is reserved for another document
            write_stderr(shown(style_of_stderr()), events)
        message = "cannot ask for approval: not a terminal; nothing was written"
        raise ReconcilerError(message, hint="add --auto-approve")
    write_stderr(shown(style_of_stderr()), events)
    write_stderr(f"\n{question} Only '{_YES}' is accepted: ")
    if _answer().strip() != _YES:
        raise ReconcilerError("not approved; nothing was written")


def _answer() -> str:
    """Read a line. Signals raise an exception only here, so that earlier results are still shown.

    Raises:
        Interrupted: the user wants to stop.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise Interrupted

    with signals.handled(interrupt):
        return sys.stdin.readline()


def with_terminal(options: "ApplyOptions", common: Common, *, ask: bool) -> "ApplyOptions":
    """Return the options with approval, progress and interruption on the terminal.

    Args:
        options: the options of apply.
        common: the global options.
        ask: whether approval is required.
    """

    def approve(plan: Plan, objections: Sequence[Finding]) -> bool:
        _require_approval(common, plan, options.ack, objections, ask=ask)
        return ask

    watched = partial(_watch, common=common, is_saved=bool(options.saved))
    return replace(options, approve=approve, watch=watched, should_stop=_stopping())


def _require_approval(common: Common, plan: Plan, ack: str | None, objections: Sequence[Finding], *, ask: bool) -> None:
    """Show the plan, and ask for approval unless it is approved already or refused by a guard.

    Raises:
        ReconcilerError: the answer was no, or there is no terminal.
        Interrupted: the user interrupted the run in a previous environment.
    """
    from reconciler.planning.planfile import refusal  # noqa: PLC0415  # not needed for --help

    if _stopping()():
        raise Interrupted

    def shown(style: Style) -> str:
        return text_of(plan, "text", replace(style, options=shared_options(), verb=apply_verb()))

    if ask and plan.has_changes and not refusal(plan, ack, objections):
        require_yes(f"Apply these changes to {_target(plan)}?", shown, plan_events(plan))
    elif not common.quiet and _needs_review(plan):
        write_stderr(shown(style_of_stderr()), plan_events(plan))


def _needs_review(plan: Plan) -> bool:
    """Whether there is something to review; if there is nothing to do, the result says so."""
    return bool(plan.has_changes or plan.guards or plan.warnings)


def _target(plan: Plan) -> str:
    binding = plan.binding
    return target(binding.environment, binding.marketplace, binding.base_url)


@contextmanager
def _watch(plan: Plan, common: Common, *, is_saved: bool) -> Iterator[Callable[[Outcome], None]]:
    """Show the target of a saved plan, then show progress on stderr and handle signals."""
    if is_saved and not common.quiet:
        write_stderr(joined([f"Applying the saved plan to {_target(plan)}"]))
    for problem in _file_delivery_warnings(plan):
        report_warning(problem)
    context = click.get_current_context()
    if _STOPPING not in context.meta:
        # Until the command ends: a signal after the last write must not prevent recording and showing it.
        context.meta[_STOPPING] = context.with_resource(stoppable())
    with progress(plan.summary.writes, quiet=common.quiet) as on_outcome:
        yield on_outcome


def _stopping() -> Callable[[], bool]:
    """Return a thread-safe function: whether a signal was received since the first write of this command."""
    known = click.get_current_context().meta
    return lambda: bool(known.get(_STOPPING, bool)())


def _file_delivery_warnings(plan: Plan) -> Iterator[ReconcilerError]:
    """Warn in a CI job about new secrets that are delivered to files: most runners are discarded after the job."""
    for change in plan.changes if in_job() else ():
        generated = [intent.reference.deliver for intent in change.secrets if intent.reference]
        for delivery in chain(*generated, *(secret.deliver for secret in change.new_secrets)):
            if isinstance(delivery, InFile):
                message = f"{change.address}: a new secret is delivered to {delivery} on the machine of this CI job"
                hint = "the secret is lost if the machine is discarded after the job: deliver it to a secret store"
                yield ReconcilerError(message, hint=hint)


_NOTICE: Final = "stopping: finishing changes in flight, starting no more; interrupt again to exit at once\n"


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Yield a function that returns True after the first signal. The second signal ends the process."""
    stop_requested = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stop_requested.set()
        signals.handle(signals.end)
        with suppress(Exception):  # e.g. RuntimeError: the signal interrupted another write
            write_stderr(_NOTICE)

    with signals.handled(stop):
        yield stop_requested.is_set
