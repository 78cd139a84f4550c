"""Several environments -> a plan or an error for each, one after the other; one document and exit code of them all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from reconciler.cli import exit as codes
from reconciler.cli.apart import WouldOverwrite
from reconciler.cli.documents import DRIFTS, drift_text, plan_file, plan_text
from reconciler.cli.environment import configuration
from reconciler.cli.exit import ExitCode
from reconciler.cli.failures import tell_warnings
from reconciler.cli.files import write_file
from reconciler.cli.options import Common
from reconciler.config import select_environment
from reconciler.errors import ReconcilerError
from reconciler.model.drift import Drift
from reconciler.model.plan import Plan
from reconciler.render import FORMATS
from reconciler.render.format import PlanWriter
from reconciler.render.joining import SEVERAL
from reconciler.render.report import Checked
from reconciler.render.several import Planned
from reconciler.render.style import Style


def plan_each(common: Common, plan_of: Callable[[Common], Plan]) -> tuple[Planned, ...]:
    """Plan for each, in the order in which they were named or are configured. A failure does not stop the others.

    Raises:
        InputError: the configuration has faults.
        UsageError: there is no environment of a name that was given; nothing was contacted.
    """
    names = _names(common)
    planned = tuple(_planned(name, replace(common, envs=(name,), env_all=True), plan_of) for name in names)
    if common.warned and not common.quiet:
        warned = sorted(common.warned.items())
        tell_warnings(Checked(warning, () if len(of) == len(names) else tuple(of)) for warning, of in warned)
    return planned


def _names(common: Common) -> list[str]:
    """The environments that are meant."""
    config = configuration(common)
    return [select_environment(config, name).name for name in common.envs] or list(config.environments)


def _planned(name: str, common: Common, plan_of: Callable[[Common], Plan]) -> Planned:
    try:
        return Planned(name, plan_of(common))
    except WouldOverwrite:
        raise
    except ReconcilerError as error:
        return Planned(name, None, error)


def files_of_each(common: Common, folder: Path) -> Mapping[str, Path]:
    """Environment -> the file of its plan in a folder."""
    return {name: folder / f"{name}.json" for name in _names(common)}


def save_each(planned: Sequence[Planned], files: Mapping[str, Path]) -> None:
    """Write each plan into its file, and remove the older file of an environment that has no plan now.

    Raises:
        ReconcilerError: one cannot be written.
    """
    for one in planned if files else ():
        file = files[one.environment]
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            if not one.plan:
                file.unlink(missing_ok=True)
        except OSError as error:
            raise ReconcilerError(f"cannot write {file}: {error.strerror}") from error
        if one.plan:
            write_file(file, plan_file(one.plan))


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
