"""The environments that are meant x what a command finds in one -> one document and exit code of all."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

from reconciler.cli import exit as codes
from reconciler.cli.console import requests_told, settings_of
from reconciler.cli.documents import digest_of
from reconciler.cli.exit import ExitCode
from reconciler.cli.failures import tell_warnings
from reconciler.cli.options import Common
from reconciler.cli.outputs import Outputs
from reconciler.cli.selecting import shared_options
from reconciler.cli.streams import in_job
from reconciler.model.diagnostic import Checked, Diagnostic
from reconciler.model.drift import Drift
from reconciler.model.plan import Plan
from reconciler.project import Settings, several
from reconciler.project.environment import configuration
from reconciler.render import FORMATS
from reconciler.render.command import may_be_applied, together
from reconciler.render.several import PARTS, SEVERAL, Document, Part, plan_of
from reconciler.render.style import Style

T = TypeVar("T")
P = TypeVar("P", bound=Plan | Drift)
D = TypeVar("D", bound=Document)


def show(
    common: Common,
    outputs: Outputs,
    find: Callable[[Settings], T],
    writers: Mapping[str, Callable[[T, Style], str]],
    end: Callable[[T], ExitCode],
    *,
    in_turn: bool = False,
) -> ExitCode:
    """Show what is found in the environment that is meant, or in each of several, in one document.

    For `end` and `in_turn` see `several.each`.

    Raises:
        ReconcilerError: what `find` or `end` raises, where one environment is meant.
    """
    if not common.is_of_several:
        found = find(settings_of(common))
        outputs.write(lambda name, style: writers[name](found, style))
        return end(found)
    return show_parts(each(common, find, outputs.noun, end, in_turn=in_turn), outputs, writers)


def show_parts(
    parts: Sequence[Part[T]], outputs: Outputs, writers: Mapping[str, Callable[[T, Style], str]]
) -> ExitCode:
    """Show what was found in several environments."""
    outputs.write(lambda name, style: PARTS[name](parts, _text_of(name, writers[name]), style))
    return worst(parts)


def joined(parts: Sequence[Part[D]], name: str, write: Callable[[D, Style], str], style: Style) -> str:
    """The plans, drift or results of several environments in one document; `write` gives that of one alone."""
    return SEVERAL[name](parts, _text_of(name, write), style)


def _text_of(format_name: str, write: Callable[[T, Style], str]) -> Callable[[Part[T], Style], str]:
    fail = FORMATS[format_name].failure

    def text(one: Part[T], style: Style) -> str:
        style = replace(style, environment=one.environment)
        if one.found is not None:
            return write(one.found, style)
        return fail(one.noun, one.error, style) if fail and one.error else ""

    return text


def each(
    common: Common,
    find: Callable[[Settings], T],
    noun: str,
    end: Callable[[T], ExitCode],
    *,
    names: Sequence[str] = (),
    in_turn: bool = False,
) -> tuple[Part[T], ...]:
    """Find it in each, or in those that are named; see `several.each`."""
    names, settings = names or names_of(common), settings_of(common)
    verbose, quiet = common.verbose and not common.quiet, common.quiet
    with requests_told(wanted=verbose, sign_of_life=not quiet, named=True) as ended:
        search = several.Search(find, noun, end)
        parts = several.each(search, settings, names, jobs=common.jobs, in_turn=in_turn, ended=ended)
    tell_all_warnings(common, names)
    return parts


def tell_all_warnings(common: Common, names: Sequence[str]) -> None:
    """Tell each warning once, with the environments that it holds in where these are not all."""
    found = defaultdict[Diagnostic, list[str]](list)
    for name in names:
        for warning in common.warned.get(name, ()):
            found[warning].append(name)
    if found and not common.quiet:
        tell_warnings(
            Checked(warning, () if len(of) == len(names) else tuple(of)) for warning, of in sorted(found.items())
        )


def names_of(common: Common) -> list[str]:
    """The environments that are meant."""
    return several.names_of(settings_of(common), common.envs)


def worst(parts: Sequence[Part[object]]) -> ExitCode:
    """The worst code of all; see `exit.worst`."""
    return codes.worst([ExitCode(one.code) for one in parts])


def digested(parts: Sequence[Part[P]]) -> list[Part[P]]:
    """The same with the digests of their changes."""
    return [replace(one, digest=digest_of(plan)) if (plan := plan_of(one)) else one for one in parts]


def files_of_each(common: Common, folder: Path) -> Mapping[str, Path]:
    """Environment -> its file in a folder."""
    return {name: folder / f"{name}.json" for name in names_of(common)}


def applied_together(common: Common, parts: Sequence[Part[Plan]], files: Mapping[str, Path]) -> str:
    """The command that applies all plans, where the configuration has an order and no guard objects; else empty."""
    found = {one.environment: one.found for one in parts}
    plans = {name: plan for name in configuration(settings_of(common)).promote if (plan := found.get(name))}
    changed = [plan for plan in plans.values() if may_be_applied(plan)]
    is_clear = len(plans) == len(parts) and not any(plan.guards or plan.snapshot for plan in plans.values())
    if len(changed) < _SEVERAL or not is_clear or (files and in_job()):
        return ""
    return together(plans, {name: str(path) for name, path in files.items()}, shared_options())


_SEVERAL: Final = 2
