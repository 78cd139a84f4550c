"""`--only` and `--selector` -> a `Selection`. What they select is not known before the manifests are read."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from reconciler.cli import completing
from reconciler.cli.options import text
from reconciler.model.inputs import Selection

F = TypeVar("F", bound=Callable[..., Any])


def selection_options(function: F) -> F:
    """Give a command both options, as `only` and `selector`: see `selection_of`."""
    selector = click.option(
        "--selector",
        multiple=True,
        type=text,
        metavar="LABEL=VALUE",
        callback=_labels,
        help="Only manifests with this label; of several labels, with all of them.",
    )
    only = click.option(
        "--only",
        multiple=True,
        type=text,
        metavar="ADDRESS-GLOB",
        shell_complete=completing.addresses,
        help="Only these addresses, e.g. 'ApiClient/store*'; repeatable.",
    )
    return only(selector(function))


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


def selection_of(
    only: Sequence[str], selector: dict[str, str], paths: Sequence[Path] = (), write_secrets: Sequence[str] = ()
) -> Selection:
    """What the options and the PATHs select, whatever order the options were given in."""
    return Selection(tuple(sorted(set(only))), selector, tuple(map(str, paths)), tuple(sorted(set(write_secrets))))


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
