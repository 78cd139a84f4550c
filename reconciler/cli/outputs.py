"""Options -> the documents of a run: one on stdout, others in files, from one look at the service.

A file is written whole or not at all, before the command exits; where there is no document because of an error, it says
so in its format, so that nobody takes an older file for the answer.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar, cast

import click

from reconciler.cli.documents import style_of_stdout
from reconciler.cli.files import is_manifest, write_file
from reconciler.cli.options import Common, file_name, format_option
from reconciler.cli.streams import emit
from reconciler.errors import ReconcilerError, UsageError
from reconciler.render import FORMATS
from reconciler.render.style import PLAIN, Moment, Style

F = TypeVar("F", bound=Callable[..., Any])
TextOf: TypeAlias = Callable[[str, Style], str]
"""Gives the document in the format of this name, in this style."""

_STREAMS: Final = frozenset({"jsonl", "github"})
"""Formats that are read as they come: an error is one more event, on stdout as well."""


@dataclass(slots=True)
class Outputs:
    """The formats that were asked for."""

    noun: str
    """What the document is: ``plan``."""
    format_name: str
    """Of stdout."""
    into: Mapping[str, Path] = field(default_factory=dict)
    """Format -> file."""
    _is_written: bool = False

    @property
    def names(self) -> Iterator[str]:
        """All formats."""
        yield self.format_name
        yield from self.into

    def check(self) -> None:
        """Refuse files that could not be written, or that would overwrite one another.

        Raises:
            UsageError: they would.
        """
        paths = [path.absolute() for path in self.into.values()]
        for path in paths:
            if not path.parent.is_dir():
                raise UsageError(f"{path} cannot be written: there is no folder {path.parent}")
            if paths.count(path) > 1:
                raise UsageError(f"{path} is given twice, for two formats")

    def write(
        self,
        text_of: TextOf,
        *,
        environment: str = "",
        plan_file: str = "",
        history: Callable[[], tuple[Moment, ...]] = tuple,
    ) -> None:
        """Write all documents, files first; the rest is what a `Style` tells of. `history` is asked for by pages only.

        Raises:
            ReconcilerError: a file or stdout cannot be written.
        """
        plain = replace(
            PLAIN,
            environment=environment or _environment(),
            plan_file=plan_file,
            history=history() if "html" in self.names else (),
        )
        shown = text_of(self.format_name, replace(plain, colour=style_of_stdout().colour))
        texts = {path: text_of(name, plain) for name, path in self.into.items()}
        self._is_written = True
        for path, text in texts.items():
            write_file(path, text)
        emit(shown)

    def fail(self, error: ReconcilerError, environment: str) -> None:
        """Say in every file, and in a stream, why there is no document."""
        from reconciler.cli.apart import WouldOverwrite  # noqa: PLC0415  # only failures need them
        from reconciler.cli.failures import tell_error  # noqa: PLC0415

        style = replace(PLAIN, environment=environment)
        if self._is_written or isinstance(error, WouldOverwrite):
            return
        for name, path in self.into.items():
            if is_manifest(path):
                continue  # where the configuration is at fault, nobody knows whether it is read
            try:
                write_file(path, _failure(name, self.noun, error, style))
            except ReconcilerError as another:
                tell_error(another)
        if self.format_name in _STREAMS:
            emit(_failure(self.format_name, self.noun, error, style))


def _failure(name: str, noun: str, error: ReconcilerError, style: Style) -> str:
    write = FORMATS[name].failure
    return write(noun, error, style) if write else ""


def outputs_option(noun: str, names: Sequence[str]) -> Callable[[F], F]:
    """Give a command ``--format`` and a ``--FORMAT-into`` for each format, as one `Outputs` named `outputs`."""

    def decorate(function: F) -> F:
        @wraps(function)
        def call(*arguments: Any, format_name: str, **options: Any) -> Any:  # noqa: ANN401  # click's signature
            into = {name: path for name in names if (path := options.pop(f"{name}_into"))}
            return _guarded(Outputs(noun, format_name, into), function, arguments, options)

        command = cast("F", call)
        for name in reversed(names):
            command = _into(name)(command)
        return format_option(names)(command)

    return decorate


def _into(name: str) -> Callable[[F], F]:
    explanation = f"Besides, write the document as {name} into a file."
    return click.option(f"--{name}-into", type=file_name, metavar="FILE", help=explanation)


def _guarded(
    outputs: Outputs, function: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]
) -> Any:  # noqa: ANN401  # what the command gives
    outputs.check()
    click.get_current_context().ensure_object(Common).writes.extend(outputs.into.values())
    try:
        return function(*arguments, outputs=outputs, **options)
    except ReconcilerError as error:
        outputs.fail(error, _environment())
        raise


def _environment() -> str:
    from reconciler.cli.environment import environment_name  # noqa: PLC0415  # only failures need it

    common = click.get_current_context().ensure_object(Common)
    return common.chosen or environment_name(common) or ""
