"""Several environments x what is found in one -> a part for each: what was found, or the error in its place.

They are read side by side, in threads, and stand in the order in which they were named or are configured. An
environment that fails does not stop the others.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final, Generic, TypeVar

from reconciler.config import select_environment
from reconciler.errors import Interrupted, ReconcilerError, Skipped, UsageError, WouldOverwrite
from reconciler.manifests.context import Once
from reconciler.manifests.yaml import shown
from reconciler.model.dataclass import dataclass
from reconciler.model.plan import Plan
from reconciler.project import Settings
from reconciler.project.environment import configuration
from reconciler.project.files import make_folder, remove_file, write_file
from reconciler.render.several import Part

T = TypeVar("T")

AT_A_TIME: Final = 32
"""Environments, where nobody has said how many."""


@dataclass(frozen=True, slots=True)
class Search(Generic[T]):
    """What is looked for in each environment."""

    find: Callable[[Settings], T]
    noun: str
    """What the document is called."""
    end: Callable[[T], int]
    """The exit code of what was found; raises what is an error although there is a document."""


def each(
    search: Search[T],
    settings: Settings,
    names: Sequence[str],
    *,
    jobs: int = 0,
    in_turn: bool = False,
    ended: Callable[[str, str], None] = lambda _name, _how: None,
) -> tuple[Part[T], ...]:
    """Look into each environment.

    Args:
        search: what for.
        settings: of the run.
        names: of the environments; see `names_of`.
        jobs: how many run side by side; 0: up to `AT_A_TIME`.
        in_turn: for what writes files: one environment after another, each reading what the one before has left.
        ended: called with an environment and a word on how it has ended.
    """
    if not in_turn:
        settings = replace(settings, loaded=configuration(settings), once=Once())
        _import_what_connects()
    with ThreadPoolExecutor(1 if in_turn else jobs or min(len(names), AT_A_TIME) or 1) as pool:
        return tuple(pool.map(lambda name: _part(search, replace(settings, environment=name), ended), names))


def _import_what_connects() -> None:
    """Import it in one thread: where several import what imports each other, one can find a half of it."""
    from reconciler import pipeline  # noqa: F401, PLC0415  # what contacts no service does without it
    from reconciler.remote import http  # noqa: F401, PLC0415


def _part(
    search: Search[T], settings: Settings, ended: Callable[[str, str], None] = lambda _name, _how: None
) -> Part[T]:
    name = str(settings.environment)
    part: Part[T] = Part(name, None, noun=search.noun)
    try:
        part = replace(part, found=(found := search.find(settings)))
        part = replace(part, code=search.end(found))
    except WouldOverwrite:
        raise
    except ReconcilerError as error:
        part = replace(part, error=error, code=error.exit_code)
    ended(name, "failed" if part.error else "done")
    return part


def in_order(
    search: Search[T],
    settings: Settings,
    names: Sequence[str],
    *,
    is_stopping: Callable[[], bool],
) -> tuple[Part[T], ...]:
    """Do it in one environment after another, up to the first that does not exit with 0; the others are skipped.

    `is_stopping` is asked before each: True interrupts; for the rest see `each`.
    """
    parts: list[Part[T]] = []
    for name in names:
        stop = next((one for one in parts if one.code), None)
        if stop:
            why = f"skipped: {stop.environment} did not exit with 0"
            parts.append(Part(name, None, Skipped(why), search.noun, Skipped.exit_code))
        elif is_stopping():
            parts.append(Part(name, None, Interrupted(), search.noun, Interrupted.exit_code))
        else:
            parts.append(_part(search, replace(settings, environment=name)))
    return tuple(parts)


def promoted(settings: Settings, named: Collection[str]) -> list[str]:
    """The environments that are to be applied together, in the order of the configuration; none named: all of it.

    Raises:
        InputError: the configuration has faults.
        UsageError: it gives no order, or one without an environment that was named; nothing was contacted.
    """
    config = configuration(settings)
    order, names = config.promote, [select_environment(config, name).name for name in named]
    if not order:
        message = f"apply takes several environments where {shown(config.path)} says in which order"
        hint = f"give one --env, or add promote: [{', '.join(config.environments)}], in your order"
        raise UsageError(message, hint=hint)
    for name in names:
        if name not in order:
            message = f"promote: in {shown(config.path)} does not name {name}"
            raise UsageError(message, hint=f"add it, or apply it alone: --env {name}")
    return [name for name in order if name in named or not named]


def names_of(settings: Settings, named: Iterable[str]) -> list[str]:
    """The environments that are meant; none named: all.

    Raises:
        InputError: the configuration has faults.
        UsageError: there is no environment of a name that was given; nothing was contacted.
    """
    config = configuration(settings)
    return [select_environment(config, name).name for name in named] or list(config.environments)


def save_each(parts: Sequence[Part[Plan]], files: Mapping[str, Path], pieces: Callable[[Plan], Iterator[str]]) -> None:
    """Write each plan into the file of its environment, and remove the older file of one that has no plan now.

    Raises:
        ReconcilerError: one cannot be written.
    """
    for one in parts if files else ():
        file = files[one.environment]
        make_folder(file.parent)
        if one.found:
            write_file(file, pieces(one.found))
        else:
            remove_file(file)
