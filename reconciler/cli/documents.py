"""What a command finds in one environment, or in each of several -> one document, in the formats that were asked for.

Formats come from `render`. The JSON of a plan is the plan file itself, which `planfile` writes and the plan key signs.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

from reconciler.cli import exit as codes
from reconciler.cli.console import project_of, requests_told, settings_of
from reconciler.cli.exit import ExitCode
from reconciler.cli.failures import tell_error, tell_problem, tell_warnings
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
"""The formats of plans, and so on."""
DRIFTS: Final = tuple(name for name, known in FORMATS.items() if known.drift)
RESULTS: Final = tuple(name for name, known in FORMATS.items() if known.result)
VALIDATIONS: Final = {name: known.validation for name, known in FORMATS.items() if known.validation}


def key() -> bytes | None:
    """The key; see `project.plan_key`."""
    return plan_key(os.environ)


def warn_if_blank(noun: str) -> None:
    """Warn, once in a run, that a document is not signed although the variable is set.

    CI systems set an empty variable for a secret that is missing, as in a pull request from a fork, so it is no
    error.
    """
    known = click.get_current_context().meta
    if key() is None and PLAN_KEY_VARIABLE in os.environ and not known.get(__name__):
        known[__name__] = True
        message = f"{PLAN_KEY_VARIABLE} is set but empty: the {noun} is not signed"
        tell_problem(ReconcilerError(message, hint="set it to the key, or unset it"))


def plan_file(plan: Plan) -> Iterator[str]:
    """The text of a plan's file in pieces, as they are made."""
    from reconciler.planning.planfile import pieces  # noqa: PLC0415  # what makes no plan does without it

    warn_if_blank("plan")
    return pieces(plan, key())


def plan_document(name: str, plan: Plan, style: Style) -> str | Iterator[str]:
    """The text of a plan; its file in pieces."""
    return plan_file(plan) if name == "json" else text_of(plan, name, style)


def show_preview(outputs: Outputs, previewed: tuple[Plan, GuardRefusal | None], ack: str | None) -> ExitCode:
    """Show what would be carried out, over a connection that cannot write.

    Raises:
        GuardRefusal: there is a finding that the plan does not have; the plan is shown.
    """
    plan, refused = previewed
    outputs.write(lambda name, style: plan_document(name, plan, style))
    if refused:
        raise refused
    return codes.of_plan(plan, ack, detailed=False)


def require_formats(outputs: Outputs, known: Collection[str]) -> None:
    """Refuse formats that a plan does not have.

    Raises:
        UsageError: there is one among them.
    """
    if missing := sorted(set(outputs.names) - set(known)):
        hint = f"use one of {', '.join(name for name in PLANS if name in known)}"
        raise UsageError(f"format {missing[0]} is not available for plans", hint=hint)


def write_result(outputs: Outputs, text_of: TextOf) -> None:
    """Write the result. A failure to write does not change the exit code, which is about the service."""
    try:
        outputs.write(text_of, is_repeatable=False)
    except ReconcilerError as error:
        tell_error(error)


# ------------------------------------------------------------------------------------------------ several environments


def show(
    common: Common,
    outputs: Outputs,
    find: Callable[[Project], T],
    end: Callable[[T], ExitCode] = lambda _found: ExitCode.DONE,
    *,
    sequential: bool = False,
) -> ExitCode:
    """Show what is found in the chosen environment, or in each of several, in one document.

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
    """Show what was found in several environments."""
    from reconciler.render.several import PARTS  # noqa: PLC0415  # one environment does without it

    outputs.write(lambda name, style: PARTS[name](parts, _text_of(name, outputs.writers[name]), style))
    return worst(parts)


def show_planned(
    parts: "Sequence[Part[D]]",
    outputs: Outputs,
    *,
    together: str = "",
    history: Callable[[], tuple[Moment, ...]] = tuple,
) -> ExitCode:
    """Show the plans or the drift of several environments."""
    outputs.write(joined(parts, together), history=history)
    return worst(parts)


def joined(parts: "Sequence[Part[D]]", together: str = "") -> TextOf:
    """The plans, the drift or the results of several environments in one document; `together` applies all plans."""
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
    """Find it in each, or in those that are named; see `Project.each`."""
    names = names or names_of(common)
    with requests_told(wanted=common.is_verbose, sign_of_life=not common.quiet, named=True) as ended:
        parts = project_of(common).each(names, find, noun, end, jobs=common.jobs, sequential=sequential, ended=ended)
    tell_all_warnings(common, names)
    return parts


def tell_all_warnings(common: Common, names: Sequence[str]) -> None:
    """Show each warning once, with its environments unless it holds in all."""
    found = defaultdict[Diagnostic, list[str]](list)
    for name in names:
        for warning in common.warned.get(name, ()):
            found[warning].append(name)
    if found and not common.quiet:
        tell_warnings(
            Checked(warning, () if len(of) == len(names) else tuple(of)) for warning, of in sorted(found.items())
        )


def names_of(common: Common) -> list[str]:
    """The chosen environments."""
    from reconciler.project import environment  # noqa: PLC0415  # --help needs nothing of it

    return environment.names_of(settings_of(common), common.envs)


def worst(parts: "Sequence[Part[object]]") -> ExitCode:
    """The worst code of all; see `exit.worst`."""
    return codes.worst([ExitCode(one.code) for one in parts])


def files_of_each(common: Common, folder: Path) -> Mapping[str, Path]:
    """Environment -> its file in a folder."""
    return {name: folder / f"{name}.json" for name in names_of(common)}


def applied_together(common: Common, parts: "Sequence[Part[Plan]]", files: Mapping[str, Path]) -> str:
    """The command that applies all plans, if the configuration has an order and no guard refuses; else empty."""
    found = {one.environment: one.found for one in parts}
    plans = {name: plan for name in project_of(common).promotion if (plan := found.get(name))}
    changed = [plan for plan in plans.values() if command.may_be_applied(plan)]
    is_clear = len(plans) == len(parts) and not any(plan.guards or plan.snapshot for plan in plans.values())
    if len(changed) < _SEVERAL or not is_clear or (files and in_job()):
        return ""
    return command.together(plans, {name: str(path) for name, path in files.items()}, shared_options())


_SEVERAL: Final = 2
