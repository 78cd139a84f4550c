"""Several environments x what is found in one -> a part for each: what was found, or the error in its place.

They are read side by side, in threads, and stand in the order in which they were named or are configured. An
environment that fails does not stop the others.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from reconciler.config import select_environment
from reconciler.errors import ReconcilerError, UsageError, WouldOverwrite
from reconciler.manifests.context import Once
from reconciler.manifests.yaml import shown
from reconciler.project import Settings
from reconciler.project.environment import configuration
from reconciler.render.several import Part

T = TypeVar("T")

AT_A_TIME: Final = 32
"""Environments, where nobody has said how many."""


def each(  # noqa: PLR0913  # one for each choice
    settings: Settings,
    names: Sequence[str],
    find: Callable[[Settings], T],
    noun: str,
    end: Callable[[T], int],
    *,
    jobs: int = 0,
    in_turn: bool = False,
    ended: Callable[[str, str], None] = lambda _name, _how: None,
) -> tuple[Part[T], ...]:
    """Look into each environment.

    Args:
        settings: of the run.
        names: of the environments; see `names_of`.
        find: what is looked for in each.
        noun: what the document is called.
        end: gives the exit code of what was found; raises what is an error although there is a document.
        jobs: how many run side by side; 0: up to `AT_A_TIME`.
        in_turn: for what writes files: one environment after another, each reading what the one before has left.
        ended: called with an environment and a word on how it has ended.
    """
    if not in_turn:
        settings = replace(settings, loaded=configuration(settings), once=Once())
        _import_what_connects()

    def part(name: str) -> Part[T]:
        found = part_of(name, partial(find, replace(settings, environment=name)), noun, end)
        ended(name, "failed" if found.error else "done")
        return found

    with ThreadPoolExecutor(1 if in_turn else jobs or min(len(names), AT_A_TIME) or 1) as pool:
        return tuple(pool.map(part, names))


def _import_what_connects() -> None:
    """Import it in one thread: where several import what imports each other, one can find a half of it."""
    from reconciler import pipeline  # noqa: F401, PLC0415  # what contacts no service does without it
    from reconciler.remote import http  # noqa: F401, PLC0415


def part_of(environment: str, find: Callable[[], T], noun: str, end: Callable[[T], int]) -> Part[T]:
    """What is found in one environment, or the error in its place."""
    part: Part[T] = Part(environment, None, noun=noun)
    try:
        part = replace(part, found=(found := find()))
        return replace(part, code=end(found))
    except WouldOverwrite:
        raise
    except ReconcilerError as error:
        return replace(part, error=error, code=error.exit_code)


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
