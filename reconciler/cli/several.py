"""Several environments -> a plan or an error for each, one after the other; one document and exit code of them all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from reconciler.cli import exit as codes
from reconciler.cli.apart import WouldOverwrite
from reconciler.cli.documents import DRIFTS, drift_text, plan_text
from reconciler.cli.environment import configuration
from reconciler.cli.exit import ExitCode
from reconciler.cli.options import Common
from reconciler.cli.session import Session
from reconciler.config import select_environment
from reconciler.errors import ReconcilerError
from reconciler.model.drift import Drift
from reconciler.model.plan import Plan
from reconciler.render import FORMATS
from reconciler.render.format import PlanWriter
from reconciler.render.joining import SEVERAL
from reconciler.render.several import Planned
from reconciler.render.style import Style


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
    except WouldOverwrite:
        raise
    except ReconcilerError as error:
        return Planned(name, None, error)


def several_text(planned: Sequence[Planned], format_name: str, writers: Mapping[str, PlanWriter], style: Style) -> str:
    """All of them in one format, each as `writers` write it alone."""
    write, share = writers[format_name], _share(style, planned)
    shown = [
        replace(one, text=plan_text(write, one.plan, share) if one.plan else _failure(one, format_name, share))
        for one in planned
    ]
    return SEVERAL[format_name](shown, style)


def _share(style: Style, planned: Sequence[Planned]) -> Style:
    """What room each of them has, where there is room for so much only; half of it is for what they have in common."""
    return replace(style, room=style.room // (2 * max(len(planned), 1)))


def _failure(one: Planned, format_name: str, style: Style) -> str:
    write = FORMATS[format_name].failure
    return write(one.noun, one.error, replace(style, environment=one.environment)) if write and one.error else ""


def seen(planned: Sequence[Planned], see: Callable[[Plan], Drift]) -> list[Planned]:
    """The drift that each plan comes to."""
    return [replace(one, drift=see(one.plan) if one.plan else None, noun="drift") for one in planned]


def several_drift(planned: Sequence[Planned], format_name: str, style: Style) -> str:
    """The drift of all of them in one format."""
    write, share = DRIFTS[format_name], _share(style, planned)
    shown = [
        replace(one, text=drift_text(write, one.drift, share) if one.drift else _failure(one, format_name, share))
        for one in planned
    ]
    return SEVERAL[format_name](shown, style)


def several_drift_code(planned: Sequence[Planned]) -> ExitCode:
    """The worst of all; see `exit.worst`."""
    found = [codes.of_drift(one.drift) for one in planned if one.drift]
    return codes.worst([*found, *(ExitCode(one.error.exit_code) for one in planned if one.error)])


def several_code(planned: Sequence[Planned], code_of: Callable[[Plan], ExitCode]) -> ExitCode:
    """The worst of all; see `exit.worst`."""
    plans = [code_of(one.plan) for one in planned if one.plan]
    return codes.worst([*plans, *(ExitCode(one.error.exit_code) for one in planned if one.error)])
