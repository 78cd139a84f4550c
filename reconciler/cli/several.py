"""The environments that are meant x what a command finds in one -> a part for each, one document and exit code of all.

They run side by side, in threads, and stand in the document in the order in which they were named or are configured. An
environment that fails does not stop the others: its error stands in place of what would be there.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

from reconciler.cli import exit as codes
from reconciler.cli.console import settings_of
from reconciler.cli.documents import digest_of, plan_file
from reconciler.cli.exit import ExitCode
from reconciler.cli.failures import tell_warnings
from reconciler.cli.options import Common
from reconciler.cli.outputs import Outputs
from reconciler.cli.runlog import Ended, requests_told
from reconciler.config import select_environment
from reconciler.errors import ReconcilerError, WouldOverwrite
from reconciler.model.diagnostic import Checked, Diagnostic
from reconciler.model.drift import Drift
from reconciler.model.once import Once
from reconciler.model.plan import Plan
from reconciler.project.environment import configuration
from reconciler.project.files import make_folder, remove_file, write_file
from reconciler.project.settings import Settings
from reconciler.render import FORMATS
from reconciler.render.joining import PARTS
from reconciler.render.several import Part, plan_of
from reconciler.render.style import Style

T = TypeVar("T")
P = TypeVar("P", bound=Plan | Drift)

AT_A_TIME: Final = 32
"""Environments, where --jobs says nothing."""


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

    `end` gives the exit code of what was found, and raises what is an error although there is a document; for `in_turn`
    see `each`.

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

    def text(name: str, style: Style) -> str:
        shown = written(parts, name, writers[name], style)
        return PARTS[name](shown, style)

    outputs.write(text)
    return worst(parts)


def code_of_writing(code: ExitCode, written: Sequence[str]) -> ExitCode:
    """The same code, unless it says that nothing was written and the files of some environments were."""
    return ExitCode.PARTLY_APPLIED if code is not ExitCode.DONE and written else code


def each(
    common: Common,
    find: Callable[[Settings], T],
    noun: str,
    end: Callable[[T], ExitCode],
    *,
    in_turn: bool = False,
) -> tuple[Part[T], ...]:
    """Find it in each; for `end` see `show`.

    `in_turn` is for what writes files: one environment after another then, each reading what the one before has left.

    Raises:
        InputError: the configuration has faults.
        UsageError: there is no environment of a name that was given; nothing was contacted.
    """
    names, settings = names_of(common), settings_of(common)
    if not in_turn:
        settings = replace(settings, loaded=configuration(settings), once=Once())
        _import_what_connects()
    jobs = 1 if in_turn else common.jobs or min(len(names), AT_A_TIME)
    verbose, quiet = common.verbose and not common.quiet, common.quiet
    with requests_told(wanted=verbose, sign_of_life=not quiet, named=True) as ended, ThreadPoolExecutor(jobs) as pool:
        parts = tuple(pool.map(lambda name: _part(name, settings, find, noun, end, ended), names))
    _tell_warnings(common, names)
    return parts


def _import_what_connects() -> None:
    """Import it in one thread: where several import what imports each other, one can find a half of it."""
    from reconciler import pipeline  # noqa: F401, PLC0415  # what contacts no service does without it
    from reconciler.remote import http  # noqa: F401, PLC0415


def _tell_warnings(common: Common, names: Sequence[str]) -> None:
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
    config = configuration(settings_of(common))
    return [select_environment(config, name).name for name in common.envs] or list(config.environments)


def _part(
    name: str,
    settings: Settings,
    find: Callable[[Settings], T],
    noun: str,
    end: Callable[[T], ExitCode],
    ended: Ended,
) -> Part[T]:
    part: Part[T] = Part(name, None, noun=noun)
    try:
        part = replace(part, found=(found := find(replace(settings, environment=name))))
        part = replace(part, code=end(found))
    except WouldOverwrite:
        raise
    except ReconcilerError as error:
        part = replace(part, error=error, code=error.exit_code)
    ended(name, "failed" if part.error else "done")
    return part


def worst(parts: Sequence[Part[object]]) -> ExitCode:
    """The worst code of all; see `exit.worst`."""
    return codes.worst([ExitCode(one.code) for one in parts])


def written(
    parts: Sequence[Part[T]], format_name: str, write: Callable[[T, Style], str], style: Style
) -> list[Part[T]]:
    """The same with their texts in one format, each as `write` writes it alone.

    Where there is room for so much only, half of it is shared out; the rest is for what they have in common.
    """
    share = replace(style, room=style.room // (2 * max(len(parts), 1)))
    return [replace(one, text=_text(one, format_name, write, share)) for one in parts]


def digested(parts: Sequence[Part[P]]) -> list[Part[P]]:
    """The same with the digests of their changes."""
    return [replace(one, digest=digest_of(plan)) if (plan := plan_of(one)) else one for one in parts]


def _text(one: Part[T], format_name: str, write: Callable[[T, Style], str], style: Style) -> str:
    if one.found is not None:
        return write(one.found, style)
    fail = FORMATS[format_name].failure
    return fail(one.noun, one.error, replace(style, environment=one.environment)) if fail and one.error else ""


def files_of_each(common: Common, folder: Path) -> Mapping[str, Path]:
    """Environment -> its file in a folder."""
    return {name: folder / f"{name}.json" for name in names_of(common)}


def save_each(parts: Sequence[Part[Plan]], files: Mapping[str, Path]) -> None:
    """Write each plan into its file, and remove the older file of an environment that has no plan now.

    Raises:
        ReconcilerError: one cannot be written.
    """
    for one in parts if files else ():
        file = files[one.environment]
        make_folder(file.parent)
        if one.found:
            write_file(file, plan_file(one.found))
        else:
            remove_file(file)
