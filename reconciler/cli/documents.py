"""The results of a command in the selected environments -> one document, in the requested formats.

Formats come from `render`. The JSON of a plan is the plan file itself, as `planfile` writes and signs it.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

import click

from reconciler.cli import exit as codes
from reconciler.cli.console import project_of, requests_reported, settings_of
from reconciler.cli.exit import ExitCode
from reconciler.cli.failures import report_diagnostics, report_error, report_warning
from reconciler.cli.options import Common, common_of_this_run, shared_options
from reconciler.cli.outputs import Outputs, TextOf, is_document, protect_inputs_of_run
from reconciler.cli.streams import in_job, write_stderr
from reconciler.errors import ReconcilerError, UsageError
from reconciler.model.diagnostic import Checked, Diagnostic
from reconciler.model.plan import Plan
from reconciler.model.secret import PLAN_KEY_VARIABLE
from reconciler.project import plan_key
from reconciler.project.api import Project, digest_of, text_of
from reconciler.project.api import each as run_each
from reconciler.project.files import make_folder, remove_file, write_file
from reconciler.render import FORMATS, command
from reconciler.render.escape import escape
from reconciler.render.style import Moment, Style

if TYPE_CHECKING:
    from reconciler.render.several import Document, Part

T = TypeVar("T")
D = TypeVar("D", bound="Document")

PLANS: Final = (*(name for name, known in FORMATS.items() if known.plan), "json")
"""The formats of plans; below, of drift, results and validation."""
DRIFTS: Final = tuple(name for name, known in FORMATS.items() if known.drift)
RESULTS: Final = tuple(name for name, known in FORMATS.items() if known.result)
VALIDATIONS: Final = {name: known.validation for name, known in FORMATS.items() if known.validation}


def key() -> bytes | None:
    """The plan key; see `project.plan_key`."""
    return plan_key(os.environ)


def warn_if_blank(noun: str) -> None:
    """Warn once per run that a document is not signed because the variable of the key is empty.

    It is not an error: CI systems set an empty variable for a missing secret, e.g. in a pull request from a fork.
    """
    known = click.get_current_context().meta
    if key() is None and PLAN_KEY_VARIABLE in os.environ and not known.get(__name__):
        known[__name__] = True
        message = f"{PLAN_KEY_VARIABLE} is set but empty: the {noun} is not signed"
        report_warning(ReconcilerError(message, hint="set it to the key, or unset it"))


def plan_file(plan: Plan) -> Iterator[str]:
    """Yield the text of a plan file in pieces."""
    from reconciler.planning.planfile import pieces  # noqa: PLC0415  # only plans need it

    warn_if_blank("plan")
    return pieces(plan, key())


def pieces_of(name: str, document: "Document", style: Style) -> Iterable[str]:
    """The text of a plan, drift or result in a format, in pieces."""
    if name == "json" and isinstance(document, Plan):
        return plan_file(document)
    return [text_of(document, name, style)]


def require_formats(outputs: Outputs, known: Collection[str]) -> None:
    """Check that all requested formats are available with --dry-run.

    Raises:
        UsageError: one is not.
    """
    if missing := sorted(set(outputs.names) - set(known)):
        hint = f"use one of {', '.join(name for name in PLANS if name in known)}"
        raise UsageError(f"format {missing[0]} is not available with --dry-run", hint=hint)


def write_result(outputs: Outputs, text_of: TextOf) -> None:
    """Write the result. A failure to write does not change the exit code, which describes the service."""
    try:
        outputs.write(text_of, is_repeatable=False)
    except ReconcilerError as error:
        report_error(error)


# -------------------------------------------------------------------------------------------------------- environments


def show_parts(parts: "Sequence[Part[T]]", outputs: Outputs) -> ExitCode:
    """Show the result of each environment in one document; see `ended`."""
    from reconciler.render.several import PARTS  # noqa: PLC0415  # not needed for --help

    def alone(name: str, found: T, style: Style) -> list[str]:
        return [outputs.writers[name](found, style)]

    outputs.write(_whole(parts, alone, PARTS))
    return ended(parts)


def show_planned(
    parts: "Sequence[Part[D]]",
    outputs: Outputs,
    *,
    together: str = "",
    files: Mapping[str, Path] = MappingProxyType({}),
    history: Callable[[], tuple[Moment, ...]] = tuple,
) -> ExitCode:
    """Show the plan or drift of each environment in one document, and report the files of saved plans; see `ended`."""
    one = _only(parts)
    plan_file = str(files.get(one.environment, "")) if one else ""
    outputs.write(joined(parts, together), plan_file=plan_file, history=history)
    for saved in [files[one.environment] for one in parts if files and one.found]:
        if not common_of_this_run().quiet:
            write_stderr(f"Saved the plan to {escape(str(saved))}.\n")
    return ended(parts)


def joined(parts: "Sequence[Part[D]]", together: str = "") -> TextOf:
    """The plans, drift or results of all environments in one document; `together` applies all plans."""
    from reconciler.render.several import SEVERAL, plan_of  # noqa: PLC0415  # as above

    if _only(parts) is None:
        parts = [replace(one, digest=digest_of(plan)) if (plan := plan_of(one)) else one for one in parts]
    write = _whole(parts, pieces_of, SEVERAL)
    return lambda name, style: write(name, replace(style, together=together))


def _whole(
    parts: "Sequence[Part[T]]",
    alone: Callable[[str, T, Style], Iterable[str]],
    several: "Mapping[str, Callable[[Sequence[Part[T]], Callable[[Part[T], Style], str], Style], str]]",
) -> TextOf:
    """The document of the only environment, or the documents of several in one.

    Raises:
        ReconcilerError: the only environment has no document.
    """
    require_found(parts)
    if (one := _only(parts)) and (found := one.found) is not None:
        return lambda name, style: alone(name, found, style)

    def text(name: str, one: "Part[T]", style: Style) -> str:
        style = replace(style, environment=one.environment)
        if one.found is not None:
            return "".join(alone(name, one.found, style))
        return FORMATS[name].failure(one.noun, one.error, style) if one.error else ""

    return lambda name, style: several[name](parts, partial(text, name), style)


def _only(parts: "Sequence[Part[T]]") -> "Part[T] | None":
    """The selected environment. None: several were selected, of which the configuration may have only one."""
    return None if common_of_this_run().is_of_several else parts[0]


def require_found(parts: "Sequence[Part[T]]") -> None:
    """Check that the only environment has a result.

    Raises:
        ReconcilerError: its error.
    """
    one = _only(parts)
    if one and one.found is None and one.error:
        raise one.error


def ended(parts: "Sequence[Part[T]]", code_of: "Callable[[Sequence[Part[T]]], ExitCode]" = codes.of_parts) -> ExitCode:
    """The exit code of environments whose results were shown.

    Raises:
        ReconcilerError: the only environment has an error in addition to its result.
    """
    one = _only(parts)
    if one and one.error:
        raise one.error
    return ExitCode(one.code) if one else code_of(parts)


def each(
    common: Common,
    find: Callable[[Project], T],
    noun: str,
    end: Callable[[T], ExitCode] = lambda _found: ExitCode.DONE,
    *,
    sequential: bool = False,
    names: Sequence[str] = (),
) -> "tuple[Part[T], ...]":
    """Run `find` in each selected environment, or in `names`; see `project.api.each`."""
    names = names or names_of(common)
    with requests_reported(common, show_progress=not common.quiet) as report_end:
        settings = settings_of(common)
        parts = run_each(settings, names, find, noun, end, jobs=common.jobs, sequential=sequential, ended=report_end)
    report_shared_warnings(common, names)
    return parts


def report_shared_warnings(common: Common, names: Sequence[str]) -> None:
    """Show each warning once, with its environments unless all have it."""
    found = defaultdict[Diagnostic, list[str]](list)
    for name in names:
        for warning in common.warned.get(name, ()):
            found[warning].append(name)
    if found and not common.quiet:
        report_diagnostics(
            Checked(warning, () if len(of) == len(names) else tuple(of)) for warning, of in sorted(found.items())
        )


def names_of(common: Common) -> list[str]:
    """The names of the selected environments."""
    from reconciler.project import environment  # noqa: PLC0415  # not needed for --help

    common.loaded = environment.configuration(settings_of(common))
    return environment.names_of(settings_of(common), common.envs, every=common.env_all)


def select_overlay_environments(common: Common, names: Sequence[str]) -> None:
    """Select the environments of --into-overlay.

    Raises:
        UsageError: --env selects others, or --env-all is given.
    """
    if names and (common.env_all or set(common.envs) - set(names)):
        others = "--env-all selects all" if common.env_all else f"--env selects {', '.join(common.envs)}"
        hint = f"remove {'--env-all' if common.env_all else '--env'}"
        raise UsageError(f"--into-overlay selects {', '.join(names)}, but {others}", hint=hint)
    common.envs = tuple(dict.fromkeys(names)) or common.envs


def files_of_each(common: Common, out: Path) -> Mapping[str, Path]:
    """Map each environment to its file: NAME.json in `out`, or `out` itself if it is one environment and no folder.

    Raises:
        WouldOverwrite: a file is an input.
    """
    from reconciler.project.environment import protect_manifests  # noqa: PLC0415  # not needed for --help

    if not (common.is_of_several or out.is_dir()):
        return dict.fromkeys(names_of(common), out)
    files = {name: out / f"{name}.json" for name in names_of(common)}
    common.writes += files.values()
    if common.loaded:
        protect_manifests(settings_of(common), common.loaded.manifests, common.loaded)
    protect_inputs_of_run()
    make_folder(out)
    return files


def save_plans(plans: "Sequence[Part[Plan]]", files: Mapping[str, Path]) -> None:
    """Write each plan to the file of its environment; remove the old file of an environment without a plan.

    Raises:
        ReconcilerError: a file cannot be written.
    """
    for one in plans if files else ():
        if one.found:
            write_file(files[one.environment], plan_file(one.found))
        elif is_document(files[one.environment]):
            remove_file(files[one.environment])


def applied_together(common: Common, parts: "Sequence[Part[Plan]]", files: Mapping[str, Path]) -> str:
    """The command that applies all plans, or empty: the configuration has no order, or a guard refuses."""
    found = {one.environment: one.found for one in parts}
    plans = {name: plan for name in project_of(common).promotion if (plan := found.get(name))}
    changed = [plan for plan in plans.values() if command.may_be_applied(plan)]
    is_clear = len(plans) == len(parts) and not any(plan.guards or plan.snapshot for plan in plans.values())
    if len(changed) < _SEVERAL or not is_clear or (files and in_job()):
        return ""
    return command.together(plans, {name: str(path) for name, path in files.items()}, shared_options())


_SEVERAL: Final = 2
