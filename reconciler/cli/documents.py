"""The result of a command in one or several environments -> one document, in the requested formats.

Formats come from `render`. The JSON of a plan is the plan file itself, as `planfile` writes and signs it.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

from reconciler.cli import exit as codes
from reconciler.cli.console import project_of, requests_reported, settings_of
from reconciler.cli.exit import ExitCode
from reconciler.cli.failures import report_diagnostics, report_error, report_warning
from reconciler.cli.options import Common, shared_options
from reconciler.cli.outputs import Outputs, TextOf
from reconciler.cli.streams import in_job
from reconciler.errors import GuardRefusal, ReconcilerError, UsageError
from reconciler.model.diagnostic import Checked, Diagnostic
from reconciler.model.plan import Plan
from reconciler.model.secret import PLAN_KEY_VARIABLE
from reconciler.project import plan_key
from reconciler.project.api import Project, digest_of, text_of
from reconciler.render import FORMATS, command
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


def plan_document(name: str, plan: Plan, style: Style) -> str | Iterator[str]:
    """The text of a plan in a format; JSON in pieces."""
    return plan_file(plan) if name == "json" else text_of(plan, name, style)


def show_preview(outputs: Outputs, previewed: tuple[Plan, GuardRefusal | None], ack: str | None) -> ExitCode:
    """Show the plan of a dry run.

    Raises:
        GuardRefusal: apply would refuse the plan; the plan is shown first.
    """
    plan, refused = previewed
    outputs.write(lambda name, style: plan_document(name, plan, style))
    if refused:
        raise refused
    return codes.of_plan(plan, ack, detailed=False)


def require_formats(outputs: Outputs, known: Collection[str]) -> None:
    """Check that all requested formats are available for plans.

    Raises:
        UsageError: one is not.
    """
    if missing := sorted(set(outputs.names) - set(known)):
        hint = f"use one of {', '.join(name for name in PLANS if name in known)}"
        raise UsageError(f"format {missing[0]} is not available for plans", hint=hint)


def write_result(outputs: Outputs, text_of: TextOf) -> None:
    """Write the result. A failure to write does not change the exit code, which describes the service."""
    try:
        outputs.write(text_of, is_repeatable=False)
    except ReconcilerError as error:
        report_error(error)


# ------------------------------------------------------------------------------------------------ several environments


def show(
    common: Common,
    outputs: Outputs,
    find: Callable[[Project], T],
    end: Callable[[T], ExitCode] = lambda _found: ExitCode.DONE,
    *,
    sequential: bool = False,
) -> ExitCode:
    """Show the result of `find` in the selected environment, or in each of several, in one document.

    For `end` and `sequential` see `Project.each`.

    Raises:
        ReconcilerError: what `find` or `end` raises, for one environment.
    """
    if common.is_of_several:
        return show_parts(each(common, find, outputs.noun, end, sequential=sequential), outputs)
    found = find(project_of(common))
    outputs.show(found)
    return end(found)


def show_parts(parts: "Sequence[Part[T]]", outputs: Outputs) -> ExitCode:
    """Show the results of several environments."""
    from reconciler.render.several import PARTS  # noqa: PLC0415  # only several environments need it

    outputs.write(lambda name, style: PARTS[name](parts, _text_of(name, outputs.writers[name]), style))
    return worst(parts)


def show_planned(
    parts: "Sequence[Part[D]]",
    outputs: Outputs,
    *,
    together: str = "",
    history: Callable[[], tuple[Moment, ...]] = tuple,
) -> ExitCode:
    """Show plans or drift of several environments."""
    outputs.write(joined(parts, together), history=history)
    return worst(parts)


def joined(parts: "Sequence[Part[D]]", together: str = "") -> TextOf:
    """Plans, drift or results of several environments in one document; `together` applies all plans."""
    from reconciler.render.several import SEVERAL, plan_of  # noqa: PLC0415  # as above

    digested = [replace(one, digest=digest_of(plan)) if (plan := plan_of(one)) else one for one in parts]

    def write(name: str, style: Style) -> str:
        def alone(found: "Document", style: Style) -> str:
            return text_of(found, name, style, key())

        return SEVERAL[name](digested, _text_of(name, alone), replace(style, together=together))

    return write


def _text_of(format_name: str, write: Callable[[T, Style], str]) -> "Callable[[Part[T], Style], str]":
    fail = FORMATS[format_name].failure

    def text(one: "Part[T]", style: Style) -> str:
        style = replace(style, environment=one.environment)
        if one.found is not None:
            return write(one.found, style)
        return fail(one.noun, one.error, style) if one.error else ""

    return text


def each(
    common: Common,
    find: Callable[[Project], T],
    noun: str,
    end: Callable[[T], ExitCode] = lambda _found: ExitCode.DONE,
    *,
    sequential: bool = False,
    names: Sequence[str] = (),
) -> "tuple[Part[T], ...]":
    """Run `find` in each selected environment, or in `names`; see `Project.each`."""
    names = names or names_of(common)
    with requests_reported(wanted=common.is_verbose, show_progress=not common.quiet, named=True) as ended:
        parts = project_of(common).each(names, find, noun, end, jobs=common.jobs, sequential=sequential, ended=ended)
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

    return environment.names_of(settings_of(common), common.envs)


def worst(parts: "Sequence[Part[object]]") -> ExitCode:
    """The worst exit code of all environments; see `exit.worst`."""
    return codes.worst([ExitCode(one.code) for one in parts])


def files_of_each(common: Common, folder: Path) -> Mapping[str, Path]:
    """Map each environment to its file in a folder."""
    return {name: folder / f"{name}.json" for name in names_of(common)}


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
