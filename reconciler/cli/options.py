"""Options that several commands share -> one `Common` per run, selections, and command lines for messages.

``reconciler --env staging plan`` and ``reconciler plan --env staging`` are the same. An option that is given twice with
different values is an error.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field
from functools import wraps
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

import click

from reconciler.model.dataclass import dataclass

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from reconciler.config.settings import Config
    from reconciler.model.diagnostic import Diagnostic
    from reconciler.remote.messages import Stats

F = TypeVar("F", bound=Callable[..., Any])
LOG_FORMATS: Final = ("text", "json")
COLOURS: Final = ("auto", "always", "never")
ACK_VARIABLE: Final = "RECONCILER_ACK"


@dataclass(slots=True)
class Common:
    """The global options of one run, filled while the command line is parsed."""

    config: Path | None = None
    envs: tuple[str, ...] = ()
    """The given environments; several only if the command supports several."""
    env_all: bool = False
    """Whether all environments of the configuration are selected."""
    loaded: "Config | None" = None
    """The configuration, once the environments are known."""
    plans: int = 0
    """The number of saved plans to apply."""
    chosen: str = ""
    """The environment of the run; empty until it is known, and for several."""
    quiet: bool = False
    verbose: bool = False
    allow_hosts: tuple[str, ...] = ()
    """Hosts that credentials may be sent to, as given."""
    reads: list[Path] = field(default_factory=list)
    """Input files of options and arguments."""
    writes: list[Path] = field(default_factory=list)
    """Output files of options; see `environment.protect_inputs`."""
    jobs: int = 0
    """How many environments run in parallel; 0: not given."""
    reports_requests: bool = False
    """Whether requests are being reported."""
    warned: "dict[str, Sequence[Diagnostic]]" = field(default_factory=dict)
    """The warnings of each environment, if there are several."""
    stats: "dict[str, Stats]" = field(default_factory=dict)
    """Requests, retries, bytes and seconds of each environment so far."""

    @property
    def env(self) -> str | None:
        """The given environment."""
        return self.envs[0] if self.envs else None

    @property
    def is_verbose(self) -> bool:
        """Whether each step and request is shown; `--quiet` overrides `--verbose`."""
        return self.verbose and not self.quiet

    @property
    def is_of_several(self) -> bool:
        """Whether more than one environment is or may be selected."""
        return self.env_all or len(self.envs) > 1 or self.plans > 1


class Log:
    """How stderr is written. Global: errors are reported after the click context has ended."""

    format: str = LOG_FORMATS[0]
    colour: str = COLOURS[0]
    """One of `COLOURS`; applies to stdout, too."""


def log_format_of(arguments: Sequence[str]) -> str:
    """The log format of a command line, even if it is invalid."""
    named = [value for option, value in pairwise([*arguments, ""]) if option == "--log-format"]
    named += [word.partition("=")[2] for word in arguments if word.startswith("--log-format=")]
    return named[0] if named and named[0] in LOG_FORMATS else LOG_FORMATS[0]


def common_of_this_run() -> Common:
    """The global options of the running command; defaults outside of a command."""
    context = click.get_current_context(silent=True)
    return context.ensure_object(Common) if context else Common()


def text(value: str) -> str:
    """Reject an empty value, or an option in its place."""
    if not value:
        raise click.BadParameter("the value is empty.")
    if value.startswith("--"):
        raise click.BadParameter(f"expected a value, got the option '{value}'.")
    return value


class _FileName(click.Path):
    """A path, which need not exist. Shells complete it from existing files.

    Inputs and outputs are collected in that list of `Common`, so that no output overwrites an input.
    """

    def __init__(self, kept: str = "") -> None:
        super().__init__()
        self._kept = kept

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:  # noqa: ANN401
        """Convert a value to a path."""
        del param, ctx
        path = Path(text(str(value)))
        if self._kept:
            getattr(_common(click.get_current_context()), self._kept).append(path)
        return path


file_name: Final = _FileName()
input_file: Final = _FileName("reads")
output_file: Final = _FileName("writes")


def value_option(
    name: str,
    metavar: str,
    reads: Callable[..., Any] = text,
    *,
    help: str,  # noqa: A002  # as click calls it
    to: str = "",
    **known: Any,  # noqa: ANN401  # click's
) -> Callable[[F], F]:
    """An option with a value.

    Args:
        name: the option.
        metavar: the value in the help.
        reads: checks and converts the value.
        help: the help text.
        to: the parameter name, if it differs.
        known: further arguments of `click.option`.
    """
    return click.option(name, *[to] * bool(to), type=reads, metavar=metavar, help=help, **known)


class Completing(Protocol):
    """The root command, which completes values of options and arguments."""

    def complete(self, what: str | Sequence[str], ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Return the values, or those with this name, that start with the incomplete word."""
        ...


def completed_from(
    what: str | Sequence[str],
) -> "Callable[[click.Context, click.Parameter, str], list[CompletionItem]]":
    """Complete these values, or those with this name in the command `completion`."""

    def offered(ctx: click.Context, _param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        return cast("Completing", ctx.find_root().command).complete(what, ctx, incomplete)

    return offered


def _common(ctx: click.Context) -> Common:
    return ctx.find_root().ensure_object(Common)


def _store(ctx: click.Context, param: click.Parameter, value: Any) -> None:  # noqa: ANN401  # what the option takes
    """Store a global option: a flag, a number, or all values without duplicates."""
    common, name = _common(ctx), str(param.name)
    known = getattr(common, name)
    setattr(common, name, tuple(dict.fromkeys((*known, *value))) if isinstance(known, tuple) else value or known)
    if common.env_all and common.envs:
        raise click.BadParameter(f"--env-all cannot be combined with --env {common.env}.", ctx, param)


def _store_env(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> None:
    """Store the environment; a second one is an error. Options before the command are checked with those after it."""
    _store(ctx, param, values)
    common = _common(ctx)
    if ctx.parent and common.env_all:
        raise click.BadParameter(f"{ctx.info_name} takes one environment, not --env-all.", ctx, param)
    if ctx.parent and len(common.envs) > 1:
        raise _given_twice(common.envs, ctx, param)


def _store_config(ctx: click.Context, param: click.Parameter, values: Sequence[Path]) -> None:
    """Store the configuration; a second one is an error."""
    common = _common(ctx)
    given = {*values, *filter(None, [common.config])}
    if len(given) > 1:
        raise _given_twice(map(str, given), ctx, param)
    common.config = next(iter(given), None)


def _given_twice(values: Iterable[str], ctx: click.Context, param: click.Parameter) -> click.BadParameter:
    return click.BadParameter(f"given twice, as {' and '.join(sorted(values))}.", ctx, param)


def _store_log(_ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value:
        setattr(Log, str(param.name), value)


def _global(*names: str, callback: Callable[..., None] = _store, **known: Any) -> Callable[[F], F]:  # noqa: ANN401  # click's
    """An option that is stored in `Common` and not passed to the command."""
    return click.option(*names, callback=callback, expose_value=False, **known)


def _env_option(explanation: str, callback: Callable[..., None]) -> Callable[[F], F]:
    return _global(
        "--env",
        "envs",
        callback=callback,
        multiple=True,
        type=text,
        metavar="NAME",
        help=explanation,
        shell_complete=completed_from("environments"),
    )


def output_options(function: F) -> F:
    """Add the global options of every command."""
    for decorate in (
        _global(
            "--color",
            "colour",
            callback=_store_log,
            type=click.Choice(COLOURS),
            help="When to use colours; auto: on a terminal unless NO_COLOR is set, or if FORCE_COLOR is set.",
        ),
        _global(
            "--log-format",
            "format",
            callback=_store_log,
            type=click.Choice(LOG_FORMATS),
            help="Format of stderr; json: one event per line.",
        ),
        _global("--verbose", is_flag=True, help="Log each step and each request to stderr."),
        _global("--quiet", is_flag=True, help="Write only errors and questions to stderr."),
    ):
        function = decorate(function)
    return function


_config_option: Final = _global(
    "--config",
    callback=_store_config,
    multiple=True,
    type=file_name,
    metavar="FILE",
    help="Configuration; default: the nearest reconciler.yaml in this folder or above.",
)
_allow_host_option: Final = _global(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    type=text,
    metavar="HOST[:PORT]",
    help="Allow sending credentials to this host; repeatable. See RECONCILER_ALLOWED_HOSTS.",
)


environment_option: Final = _env_option("Name of the environment; default: its stage.", _store_env)


def common_options(function: F) -> F:
    """Add all global options: those above, and those that select an environment."""
    env = _env_option("Environment; default: RECONCILER_ENV, else the only one configured.", _store_env)
    return _config_option(env(_allow_host_option(output_options(function))))


def environments_options(function: F) -> F:
    """Add the same options, with a repeatable ``--env`` and ``--env-all``."""
    env_all = _global("--env-all", is_flag=True, help="Select all environments of the configuration.")
    env = _env_option("Environment; repeatable. Default: RECONCILER_ENV, else the only one configured.", _store)
    return _config_option(env(env_all(_allow_host_option(output_options(function)))))


def reading_options(function: F) -> F:
    """Add the options of commands that read services: the same, and ``--jobs``."""
    jobs = _global(
        "--jobs",
        type=click.IntRange(min=1),
        metavar="N",
        help="Environments to process in parallel; default: all, at most 32.",
    )
    return environments_options(jobs(function))


paths_argument: Final = click.argument("paths", nargs=-1, type=input_file, metavar="[PATH]...")

unknown_roles_option: Final = click.option(
    "--allow-unknown-roles", is_flag=True, help="Warn about unknown role names instead of refusing them."
)

ack_option: Final = value_option(
    "--ack",
    "DIGITS",
    help=f"Acknowledge guard findings, by the digits that the refusal prints. Default: {ACK_VARIABLE}.",
    envvar=ACK_VARIABLE,
)


def format_option(names: Sequence[str]) -> Callable[[F], F]:
    """Add ``--format``; the first format is the default."""
    known = click.Choice(names)
    return click.option(
        "--format", "format_name", type=known, default=names[0], show_default=True, help="Output format."
    )


def selection_options(function: F) -> F:
    """Add ``--only`` and ``--selector``; the command gets them and ``--write-secret`` as `selection`."""

    @wraps(function)
    def call(*arguments: Any, only: Any, selector: Any, write_secrets: Any = (), **options: Any) -> Any:  # noqa: ANN401
        from reconciler.model.inputs import Selection  # noqa: PLC0415  # not needed for --help

        made = Selection(tuple(sorted(set(only))), selector, write_secrets=tuple(sorted(set(write_secrets))))
        return function(*arguments, selection=made, **options)

    explanation = "Only manifests with this label; repeatable, all labels must match."
    of_label = value_option("--selector", "LABEL=VALUE", help=explanation, multiple=True, callback=_labels)
    of_address = value_option(
        "--only",
        "ADDRESS-GLOB",
        help="Only addresses that match, e.g. 'ApiClient/store*'; repeatable.",
        multiple=True,
        shell_complete=completed_from("addresses"),
    )
    return of_address(of_label(cast("F", call)))


def planning_options(function: F) -> F:
    """Add the options of a new plan: the selection, ``--prune`` and ``--write-secret``."""
    prune = click.option(
        "--prune",
        is_flag=True,
        help="Also delete objects in no manifest. Requires all manifests and limits.deletes.",
    )
    explanation = "Write this write-only secret even if no change is detected; repeatable."
    secrets = value_option("--write-secret", "ADDRESS#FIELD", help=explanation, to="write_secrets", multiple=True)
    return selection_options(prune(secrets(function)))


def _labels(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    """Read ``a=b,c=d``. Commas separate labels, so a value cannot contain one."""
    labels: dict[str, str] = {}
    for pair in ",".join(values).split(",") if values else ():
        label, equals, value = (part.strip() for part in pair.partition("="))
        if not label or not equals:
            raise click.BadParameter(f"'{pair}' is not LABEL=VALUE, such as team=web.", ctx, param)
        if labels.setdefault(label, value) != value:
            message = f"'{label}' is given twice, as {labels[label]} and {value}; a label has one value."
            raise click.BadParameter(message, ctx, param)
    return dict(sorted(labels.items()))


# ------------------------------------------------------------------- options that another command also needs

_APPLY_OPTIONS: Final = ("prune", "allow_unknown_roles")
"""Options that `apply` also takes and that are not stored in a plan."""
_CONTENT_OPTIONS: Final = (
    "only",
    "selector",
    "write_secrets",
    "from_snapshot",
    "baseline",
    "receipt",
    "since_receipt",
    "strict",
    "dry_run",
    *_APPLY_OPTIONS,
)
"""Options that affect the content of a document, not how it is shown."""


def shared_options() -> tuple[str, ...]:
    """``--config`` and the other options that `apply` also needs."""
    return (*_of_common(common_of_this_run()), *_options(_APPLY_OPTIONS))


def apply_verb() -> tuple[str, ...]:
    """The command that applies what this one shows, with its arguments."""
    context = click.get_current_context()
    return ("rollback", context.params["run"]) if context.command.name == "rollback" else ("apply",)


def like_this_command(*words: str) -> list[str]:
    """This command line, with other words in place of its environments."""
    options = (
        *_of_common(common_of_this_run()),
        *_options((*_CONTENT_OPTIONS, "out", "kinds", "own_client", "named_secrets")),
    )
    return [*click.get_current_context().command_path.split(), *words, *options]


def this_command() -> list[str]:
    """The command line as given, word by word, without options for formats and output files."""
    context = click.get_current_context()
    common, given = common_of_this_run(), context.params
    arguments = map(str, given.get("paths") or filter(None, [given.get("run")]))
    environments = ["--env-all"] if common.env_all else [word for name in common.envs for word in ("--env", name)]
    return [*context.command_path.split(), *arguments, *environments, *_of_common(common), *_options(_CONTENT_OPTIONS)]


def _of_common(common: Common) -> Iterator[str]:
    if common.config:
        yield from ("--config", str(common.config))
    for host in common.allow_hosts:
        yield from ("--allow-host", host)


def _options(names: tuple[str, ...]) -> Iterator[str]:
    """Yield those of the options that this command has and that were given."""
    context = click.get_current_context()
    known = {one.name: one.opts[0] for one in context.command.params}
    for name in names:
        option, value = known.get(name, ""), context.params.get(name)
        if value is True:
            yield option
        elif isinstance(value, dict):
            yield from (word for label, one in value.items() for word in (option, f"{label}={one}"))
        elif isinstance(value, frozenset):
            yield from (option, ",".join(sorted(value)) or "all")
        elif value:
            yield from (
                word for one in (value if isinstance(value, tuple) else (value,)) for word in (option, str(one))
            )
