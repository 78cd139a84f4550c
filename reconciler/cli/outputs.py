"""Options -> the documents of a run: one on stdout, others in files, from one read of the service.

A file is written atomically before the command exits. If an error prevents a document, its file contains the error in
its format. An older file is overwritten at the start, so that it is not taken for the result of a killed run.

`--metrics FILE` has the results and costs of each environment for Prometheus, also after a failure. Failing to write it
is reported and does not change the exit code. The file is world-readable, since the exporter usually runs as another
user; it has no secrets.
"""

import re
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import field, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, cast

import click

from reconciler.cli import options
from reconciler.cli.console import settings_of
from reconciler.cli.failures import report_error
from reconciler.cli.options import common_of_this_run, file_name, output_file, text, value_option
from reconciler.cli.streams import in_job, wants_colour, width, write_stdout
from reconciler.errors import ReconcilerError, UsageError, WouldOverwrite
from reconciler.model.dataclass import dataclass
from reconciler.project import environment_name
from reconciler.project.files import identity, is_manifest, read_file, write_file
from reconciler.remote.messages import Stats
from reconciler.render import FORMATS
from reconciler.render.style import PLAIN, Moment, Style, Writers

if TYPE_CHECKING:
    from reconciler.render.monitoring import Measured
    from reconciler.render.several import Document, Part

F = TypeVar("F", bound=Callable[..., Any])
Into: TypeAlias = tuple[tuple[str, Path], ...]
TextOf: TypeAlias = Callable[[str, Style], str | Iterable[str]]
"""Returns the document in the format with this name, in this style, or yields its pieces."""

_STREAMS: Final = frozenset({"jsonl", "github"})
"""Stream formats, which also report an error on stdout as an event."""


@dataclass(slots=True)
class Outputs:
    """The requested formats."""

    noun: str
    """The name of the document, e.g. ``plan``."""
    format_name: str
    """The format of stdout."""
    into: Sequence[tuple[str, Path]] = ()
    """Formats and files."""
    writers: Mapping[str, Callable[[Any, Style], str]] = field(default_factory=dict)
    """The writer of each format, for `show`."""
    _is_written: bool = False

    @property
    def names(self) -> Iterator[str]:
        """All formats."""
        yield self.format_name
        yield from (name for name, _ in self.into)

    def check(self) -> None:
        """Check that all files can be written and are different.

        Raises:
            UsageError: they are not.
        """
        paths = [path.absolute() for _, path in self.into]
        for path in paths:
            if not path.parent.is_dir():
                message = f"cannot write {path}: folder {path.parent} does not exist"
                raise UsageError(message, hint="create it or use an existing folder")
            if paths.count(path) > 1:
                raise UsageError(f"{path} is given for two documents")

    def write(
        self,
        text_of: TextOf,
        *,
        plan_file: str = "",
        is_repeatable: bool = True,
        history: Callable[[], tuple[Moment, ...]] = tuple,
    ) -> None:
        """Write all documents, files first. For the arguments see `Style`; only HTML needs `history`.

        `is_repeatable`: running this command again gives the same document and does nothing else.

        Raises:
            ReconcilerError: a file or stdout cannot be written.
        """
        plain = replace(
            PLAIN,
            environment=_environment(),
            plan_file=plan_file,
            history=history() if "html" in self.names else (),
            options=options.shared_options(),
            verb=options.apply_verb(),
            is_job=in_job(),
            source=shlex.join(_source(plan_file)) if is_repeatable else "",
            is_offered=True,
        )
        terminal = style_of_stdout()
        shown = text_of(self.format_name, replace(plain, colour=terminal.colour, width=terminal.width))
        texts = {path: text_of(name, plain) for name, path in self.into}
        self._is_written = True
        for path, content in texts.items():
            write_file(path, content)
        write_stdout(shown)

    def show(self, found: object) -> None:
        """Write all documents of a result; raises the same errors."""
        self.write(lambda name, style: self.writers[name](found, style))

    def overwrite_older(self, error: ReconcilerError) -> None:
        """Overwrite the documents of an earlier run with an error."""
        _write_failures([one for one in self.into if is_document(one[1])], self.noun, error, _environment())

    def fail(self, error: ReconcilerError, environment: str) -> None:
        """Write the error to every file and stream in place of the document."""
        if self._is_written or isinstance(error, WouldOverwrite):
            return
        # If the configuration is invalid, it is unknown whether a manifest is an input.
        _write_failures([one for one in self.into if not is_manifest(one[1])], self.noun, error, environment)
        if self.format_name in _STREAMS:
            write_stdout(_failure(self.format_name, self.noun, error, replace(PLAIN, environment=environment)))


def style_of_stdout() -> Style:
    """The style of the document."""
    return Style(colour=wants_colour(sys.stdout), width=width(sys.stdout))


def _source(plan_file: str) -> list[str]:
    """The command that shows the document."""
    if not plan_file:
        return options.this_command()
    return [
        "reconciler",
        "show",
        Path(plan_file).name if in_job() else plan_file,
    ]  # CI jobs keep the file without its folder


def protect_inputs_of_run() -> None:
    """Check that no output of the command line is an input of it.

    Raises:
        WouldOverwrite: one is.
    """
    common = common_of_this_run()
    if not common.writes:
        return
    from reconciler.project.environment import protect_inputs  # noqa: PLC0415  # only outputs need it

    snapshots = click.get_current_context().params.get("from_snapshot")
    protect_inputs(settings_of(common), snapshots.iterdir() if snapshots and snapshots.is_dir() else ())


_DOCUMENT_MARKS: Final = re.compile(
    rb'"format_version"|<!-- reconciler:|"ordercloud-reconciler"|name="reconciler"|Content-Security-Policy'
    rb"|^::(error|warning|notice) |^(Environment|Apply:|Valid:|Not valid:|Nothing to do|There is no) ?",
    re.MULTILINE,
)
_RECORD: Final = re.compile(r"[0-9]{8}T[0-9]{6}[.][0-9]{6}Z-[0-9a-f]+[.](jsonl|receipt[.]json)")
"""The names of journals and their receipts."""
_SEARCHED_BYTES: Final = 1_000_000
"""The number of bytes that are searched for marks of a document."""


def is_document(path: Path) -> bool:
    """Whether the file is a document of an earlier run, not a manifest, journal or receipt."""
    if is_manifest(path) or _RECORD.fullmatch(path.name) or not path.is_file():
        return False
    with path.open("rb") as file:
        return bool(_DOCUMENT_MARKS.search(file.read(_SEARCHED_BYTES)))


def _write_failures(into: Iterable[tuple[str, Path]], noun: str, error: ReconcilerError, environment: str) -> None:
    for name, path in into:
        try:
            write_file(path, _failure(name, noun, error, replace(PLAIN, environment=environment)))
        except ReconcilerError as another:
            report_error(another)


def _failure(name: str, noun: str, error: ReconcilerError, style: Style) -> str:
    return FORMATS[name].failure(noun, error, style) if name in FORMATS else ""


def outputs_option(noun: str, formats: Sequence[str] | Writers[Any]) -> Callable[[F], F]:
    """Add ``--format`` and ``--into``, passed as one `Outputs` named `outputs`; the first format is the default."""
    names, writers = list(formats), formats if isinstance(formats, Mapping) else {}

    def decorate(function: F) -> F:
        @wraps(function)
        def call(*arguments: Any, format_name: str, into: Into, **given: Any) -> Any:  # noqa: ANN401  # click's signature
            older = tuple((name, path) for name in _FORMER_INTO if (path := given.pop(f"{name}_into", None)))
            outputs = Outputs(noun, format_name, (*into, *older), writers)
            with _errors_in_files(outputs):
                return function(*arguments, outputs=outputs, **given)

        command = cast("F", call)
        for name in filter(_FORMER_INTO.__contains__, names):
            command = click.option(f"--{name}-into", type=file_name, hidden=True)(command)
        return options.format_option(names)(_into(names)(command))

    return decorate


_FORMER_INTO: Final = tuple(FORMATS)
"""The formats with a former option ``--FORMAT-into FILE``, replaced by ``--into``."""


def _into(names: Sequence[str]) -> Callable[[F], F]:
    def read(value: str) -> tuple[str, Path]:
        name, equals, file = value.partition("=")
        if not equals or name not in names:
            raise click.BadParameter(f"'{value}' is not FORMAT=FILE; formats: {', '.join(names)}.")
        return name, Path(text(file))

    explanation = "Also write this format to a file; repeatable."
    offered = options.completed_from([f"{name}=" for name in names])
    return value_option("--into", "FORMAT=FILE", read, help=explanation, multiple=True, shell_complete=offered)


@contextmanager
def _errors_in_files(outputs: Outputs) -> Iterator[None]:
    """Overwrite older files while the command runs, and write the error to all files if it fails."""
    common_of_this_run().writes.extend(path for _, path in outputs.into)
    try:
        outputs.check()
    except UsageError as error:
        with suppress(WouldOverwrite):
            protect_inputs_of_run()
            outputs.overwrite_older(error)
        raise
    protect_inputs_of_run()
    outputs.overwrite_older(ReconcilerError("the run has not finished"))
    try:
        yield
    except ReconcilerError as error:
        outputs.fail(error, _environment())
        raise


def write_misuse(arguments: Sequence[str], noun: str, error: ReconcilerError) -> None:
    """Write the error of an invalid command line to every older document that it names."""
    _write_failures(list(_files_of(arguments)), noun, error, "")


def _files_of(arguments: Sequence[str]) -> Iterator[tuple[str, Path]]:
    documents: list[tuple[str, Path]] = []
    inputs: list[Path] = []
    snapshots: list[Path] = []
    words = iter(arguments)
    for word in words:
        option, equals, value = word.partition("=")
        format_name = option.removeprefix("--").removesuffix("-into")
        if option == "--into":
            format_name, _, file = (value if equals else next(words, "")).partition("=")
            documents.append((format_name, Path(file)))
        elif option == f"--{format_name}-into":
            documents.append((format_name, Path(value if equals else next(words, ""))))
        elif option == "--from-snapshot":
            snapshots.append(Path(value if equals else next(words, "")))
        else:
            inputs.append(Path(value if equals else word))
    reads = {identity(path) for path in (*inputs, *snapshots)}
    for name, path in documents:
        is_read = identity(path) in reads or path.parent in snapshots
        if name in FORMATS and not is_read and is_document(path):
            yield name, path


def _environment() -> str:
    common = common_of_this_run()
    return common.chosen or environment_name(settings_of(common)) or ""


# ------------------------------------------------------------------------------------------------------------ --metrics


@dataclass(slots=True)
class Metrics:
    """The results of a run so far, by environment."""

    command: str
    began: float
    found: "dict[str, Measured]" = field(default_factory=dict)

    def count(self, environment: str, found: "Document | None") -> None:
        """Record the result of an environment; None: it failed."""
        from reconciler.render.monitoring import Measured, measured  # noqa: PLC0415  # only with --metrics

        before = self.found.get(environment) or Measured(environment, self.command, succeeded=True)
        self.found[environment] = measured(before, found)

    def count_all(self, parts: "Sequence[Part[Document]]") -> None:
        """Record several environments."""
        for one in parts:
            self.count(one.environment, one.found)

    def measured(self, costs: Mapping[str, Stats], old: str) -> "list[Measured]":
        """All runs with their costs, by environment; `old` is the text of the existing file."""
        now, seconds = time.time(), time.monotonic() - self.began
        finished = []
        for one in self.found.values():
            cost = costs.get(one.environment, Stats())
            success = now if one.succeeded else _last_success(old, one)
            run = replace(one, ended_at=now, seconds=seconds, requests=cost.requests, retries=cost.retries)
            finished.append(replace(run, last_success_at=success))
        return finished


def _last_success(old: str, run: "Measured") -> float | None:
    from reconciler.render.monitoring import LAST_SUCCESS, series  # noqa: PLC0415  # as above

    name = re.escape(series(LAST_SUCCESS, environment=run.environment, command=run.command))
    found = re.search(rf"^{name} ([0-9.]+)$", old, re.MULTILINE)
    return float(found[1]) if found else None


_WORLD_READABLE: Final = 0o644


def metrics_option(function: F) -> F:
    """Add ``--metrics FILE``; the command gets a `Metrics` named `metrics`."""

    @wraps(function)
    def call(*arguments: Any, metrics_file: Path | None, **given: Any) -> Any:  # noqa: ANN401  # click's signature
        command, file = str(click.get_current_context().command.name), metrics_file
        metrics = Metrics(command, time.monotonic())
        try:
            return function(*arguments, metrics=metrics, **given)
        except BaseException as error:
            metrics.count(_environment(), None)
            file = None if isinstance(error, WouldOverwrite) else file
            raise
        finally:
            if file and not is_manifest(file):
                _write_metrics(file, metrics)

    option = value_option(
        "--metrics", "FILE", output_file, help="Write metrics in the Prometheus text format.", to="metrics_file"
    )
    return option(cast("F", call))


def _write_metrics(path: Path, metrics: Metrics) -> None:
    from reconciler.render.monitoring import metrics as text_of  # noqa: PLC0415  # as above

    try:
        old = read_file(path) if path.is_file() else ""
        write_file(path, text_of(metrics.measured(common_of_this_run().stats, old)), _WORLD_READABLE)
    except ReconcilerError as error:
        report_error(error)
