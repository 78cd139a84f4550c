"""Several environments -> a plan or an error for each, one after the other; one document and exit code of them all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from reconciler.cli import exit as codes
from reconciler.cli.documents import DRIFTS, drift_text, plan_text
from reconciler.cli.environment import configuration
from reconciler.cli.exit import ExitCode
from reconciler.cli.options import Common
from reconciler.cli.session import Session
from reconciler.config import select_environment
from reconciler.errors import ReconcilerError, UsageError
from reconciler.model.drift import Drift
from reconciler.model.plan import Plan
from reconciler.render.format import PlanWriter
from reconciler.render.several import SEVERAL, Planned
from reconciler.render.style import Style


def check_format(name: str) -> None:
    """Refuse a format that shows one environment only.

    Raises:
        UsageError: it does.
    """
    if name not in SEVERAL:
        hint = f"for several there are: {', '.join(SEVERAL)}"
        raise UsageError(f"--format {name} shows one environment", hint=hint)


def plan_each(common: Common, open_session: Callable[[Common], Session]) -> tuple[Planned, ...]:
    """Plan for each, in the order in which they were named or are configured. A failure does not stop the others.

    Raises:
        InputError: the configuration has faults.
        UsageError: there is no environment of a name that was given; nothing was contacted.
    """
    config = configuration(common)
    names = [select_environment(config, name).name for name in common.envs] or list(config.environments)
    return tuple(_planned(name, replace(common, envs=(name,), env_all=True), open_session) for name in names)


def _planned(name: str, common: Common, open_session: Callable[[Common], Session]) -> Planned:
    try:
        return Planned(name, open_session(common).plan())
    except ReconcilerError as error:
        return Planned(name, None, error)


def several_text(planned: Sequence[Planned], format_name: str, writers: Mapping[str, PlanWriter], style: Style) -> str:
    """All of them in one format, each as `writers` write it alone."""
    write = writers[format_name]
    shown = [replace(one, text=plan_text(write, one.plan, style)) if one.plan else one for one in planned]
    return SEVERAL[format_name](shown, style)


def several_drift(
    planned: Sequence[Planned], see: Callable[[Plan], Drift], format_name: str, style: Style
) -> tuple[str, ExitCode]:
    """The drift of all of them in one format, and the worst of the codes."""
    drifts = {one.environment: see(one.plan) for one in planned if one.plan}
    shown = [
        replace(one, text=drift_text(DRIFTS[format_name], drifts[one.environment], style), noun="drift")
        if one.plan
        else one
        for one in planned
    ]
    found = [*map(codes.of_drift, drifts.values()), *(ExitCode(one.error.exit_code) for one in planned if one.error)]
    return SEVERAL[format_name](shown, style), codes.worst(found)


def several_code(planned: Sequence[Planned], *, detailed: bool) -> ExitCode:
    """The worst of all; see `exit.worst`."""
    plans = [codes.of_plan(one.plan, detailed=detailed) for one in planned if one.plan]
    return codes.worst([*plans, *(ExitCode(one.error.exit_code) for one in planned if one.error)])
