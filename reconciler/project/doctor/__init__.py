"""What the configuration says, and ways to ask the world -> a diagnosis: every check, what it found, and the fix.

The checks stand in one table, in the order in which they build on one another. Each is given what is known so far and
may add to it; a check whose premise failed is skipped. None can write: the connection that they are given only reads.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from reconciler.errors import GuardRefusal, ReconcilerError
from reconciler.model.reports import Check, Diagnosis, Verdict
from reconciler.project.doctor import access, connectivity
from reconciler.project.doctor.known import AGAIN, Known, Result, Subject, Tools

__all__ = ["STEPS", "Subject", "Tools", "examine"]


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the table of checks."""

    name: str
    run: Callable[[Known], Result]
    needs: tuple[str, ...] = ()
    """The checks without which this one means nothing; what those need is implied."""


STEPS: Final = (
    Step("configuration", connectivity.configuration),
    Step("credentials", connectivity.credentials),
    Step("plan-key", connectivity.plan_key),
    Step("watching", connectivity.watching),
    Step("recreation", connectivity.recreation),
    Step("host", connectivity.host),
    Step("network", connectivity.network, needs=("host",)),
    Step("login", connectivity.login, needs=("credentials", "network")),
    Step("clock", connectivity.clock, needs=("login",)),
    Step("user", access.user, needs=("login",)),
    Step("marketplace", access.marketplace, needs=("user",)),
    Step("roles-for-plan", access.roles_for_plan, needs=("marketplace",)),
    Step("roles-for-apply", access.roles_for_apply, needs=("marketplace",)),
    Step("roles-for-references", access.roles_for_references, needs=("marketplace",)),
    Step("own-client", access.own_client, needs=("roles-for-plan",)),
    Step("generation", access.generation, needs=("roles-for-plan",)),
    Step("put-creates", access.put_creates),
    Step("rate", access.rate),
)
"""All checks, in order. Their names are part of the JSON document."""

_PAST: Final = {Verdict.FAILED: "failed", Verdict.SKIPPED: "was skipped"}


def examine(subject: Subject, tools: Tools) -> Diagnosis:
    """Make all checks. Whatever goes wrong in one is that check's result; nothing is raised."""
    done: dict[str, Check] = {}
    with ExitStack() as resources:
        known = Known(subject, tools, resources)
        for step in STEPS:
            result = _skipped(step, done) or _attempt(step, known)
            known = result.known or known
            done[step.name] = Check(step.name, result.verdict, result.found, result.fix)
    return Diagnosis(subject.environment, tuple(done.values()))


def _skipped(step: Step, done: Mapping[str, Check]) -> Result | None:
    for name in step.needs:
        if done[name].verdict in {Verdict.FAILED, Verdict.SKIPPED}:
            return Result(Verdict.SKIPPED, f"it needs {name}, which {_PAST[done[name].verdict]}")
    return None


def _attempt(step: Step, known: Known) -> Result:
    try:
        return step.run(known)
    except GuardRefusal as refusal:
        finding = refusal.findings[0]
        return Result(Verdict.FAILED, finding.message, finding.fix)
    except ReconcilerError as error:
        return Result(Verdict.FAILED, error.message, error.hint or AGAIN)
    except Exception as error:  # noqa: BLE001  # a bug in one check must not hide what the others find
        # The type only: the text could quote a value.
        return Result(Verdict.FAILED, f"internal error: {type(error).__name__}", "please report it")
