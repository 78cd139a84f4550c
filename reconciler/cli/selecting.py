"""`--only`, `--selector` and PATHs -> a `Selection`, and the words that give another command the same one."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import Any, Final, TypeVar, cast

import click

from reconciler.cli import completing
from reconciler.cli.options import Common, common_of_this_run, text
from reconciler.model.inputs import Selection

_SHARED: Final = ("prune", "allow_unknown_roles")
"""Options of this command that `apply` takes, too, and that no plan keeps."""
_MEANT: Final = (
    "only",
    "selector",
    "out",
    "own_client",
    "from_snapshot",
    "baseline",
    "since_receipt",
    "strict",
    *_SHARED,
)
"""Options that say what a command is about, not how it shows that."""


def shared_options() -> tuple[str, ...]:
    """``--config`` and the other options that `apply` must be given as well."""
    return (*_of_common(common_of_this_run()), *_options(_SHARED))


def carried_out_by() -> tuple[str, ...]:
    """The command that carries out what this one shows, and what it is given first."""
    context = click.get_current_context()
    return ("rollback", context.params["run"]) if context.command.name == "rollback" else ("apply",)


def shows_text() -> bool:
    """Whether the document on stdout is the text."""
    context = click.get_current_context(silent=True)
    return context is not None and context.params.get("format_name") == "text"


def like_this_command(*words: str) -> str:
    """This command about the same, with other words in place of its environments."""
    options = (*_of_common(common_of_this_run()), *_options((*_MEANT, "out")))
    return shlex.join([*click.get_current_context().command_path.split(), *words, *options])


def this_command() -> str:
    """The command line as it was given, with text on stdout and without what it writes besides."""
    context = click.get_current_context()
    common, arguments = common_of_this_run(), map(str, context.params.get("paths") or ())
    environments = ["--env-all"] if common.env_all else [word for name in common.envs for word in ("--env", name)]
    return shlex.join(
        [*context.command_path.split(), *arguments, *environments, *_of_common(common), *_options(_MEANT)]
    )


def _of_common(common: Common) -> Iterator[str]:
    if common.config:
        yield from ("--config", str(common.config))
    for host in common.allow_hosts:
        yield from ("--allow-host", host)


def _options(names: tuple[str, ...]) -> Iterator[str]:
    """Those of them that this command has and that were given."""
    params = click.get_current_context().params
    for name in names:
        option, value = f"--{name.replace('_', '-')}", params.get(name)
        if value is True:
            yield option
        elif isinstance(value, dict):
            yield from (word for label, one in value.items() for word in (option, f"{label}={one}"))
        elif value:
            yield from (
                word for one in (value if isinstance(value, tuple) else (value,)) for word in (option, str(one))
            )


F = TypeVar("F", bound=Callable[..., Any])


def selection_options(function: F) -> F:
    """Give a command both options, and what they and `--write-secret` select, whatever their order, as `selection`."""

    @wraps(function)
    def call(*arguments: Any, only: Any, selector: Any, write_secrets: Any = (), **options: Any) -> Any:  # noqa: ANN401
        made = Selection(tuple(sorted(set(only))), selector, write_secrets=tuple(sorted(set(write_secrets))))
        return function(*arguments, selection=made, **options)

    of_label = click.option(
        "--selector",
        multiple=True,
        type=text,
        metavar="LABEL=VALUE",
        callback=_labels,
        help="Only manifests with this label; of several labels, with all of them.",
    )
    of_address = click.option(
        "--only",
        multiple=True,
        type=text,
        metavar="ADDRESS-GLOB",
        shell_complete=completing.addresses,
        help="Only these addresses, e.g. 'ApiClient/store*'; repeatable.",
    )
    return of_address(of_label(cast("F", call)))


prune_option: Final = click.option(
    "--prune", is_flag=True, help="Also delete what no manifest claims. Needs all manifests, and limits.deletes."
)


write_secret_option: Final = click.option(
    "--write-secret",
    "write_secrets",
    multiple=True,
    type=text,
    metavar="ADDRESS#FIELD",
    help="Write this write-only secret again, though nothing says that it differs; may be given several times.",
)


def _labels(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    """Read ``a=b,c=d``; a comma stands between labels, so that no value can have one."""
    labels: dict[str, str] = {}
    for pair in ",".join(values).split(",") if values else ():
        label, equals, value = (part.strip() for part in pair.partition("="))
        if not label or not equals:
            raise click.BadParameter(f"'{pair}' is not LABEL=VALUE, such as team=web.", ctx, param)
        if labels.setdefault(label, value) != value:
            message = f"'{label}' is given twice, as {labels[label]} and as {value}; a resource has only one of them."
            raise click.BadParameter(message, ctx, param)
    return dict(sorted(labels.items()))
