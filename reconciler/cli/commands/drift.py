"""Manifests and a service -> in what the service differs, as a document and an exit code. Writes nothing."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import exit as codes
from reconciler.cli.documents import DRIFTS, plan_text, style_of_stdout
from reconciler.cli.exit import ExitCode
from reconciler.cli.options import Common, environments_options, format_option, paths_argument, unknown_roles_option
from reconciler.cli.selecting import selection_of, selection_options
from reconciler.cli.streams import emit

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.cli.session import Session


@click.command(
    "drift",
    epilog="""
\b
Examples:
  reconciler drift --env production
  reconciler drift --env staging --format json > drift.json
  reconciler drift --selector team=web             # or by address: --only 'ApiClient/store*'
  reconciler drift --env-all                       # or several: --env staging --env production

Exit codes: 0 no drift, 1 error, 2 drift. Unmanaged resources are named, and are no drift.
""",
)
@paths_argument
@format_option(list(DRIFTS))
@selection_options
@unknown_roles_option
@environments_options
@click.pass_obj
def command(
    common: Common,
    paths: tuple[Path, ...],
    *,
    format_name: str,
    only: tuple[str, ...],
    selector: dict[str, str],
    allow_unknown_roles: bool,
) -> ExitCode:
    """Say in what the service differs from the manifests: the plan, seen from the other side. Reads only."""
    from reconciler.cli.session import Session  # noqa: PLC0415  # see main

    selection = selection_of(only, selector)
    open_session = partial(Session.open, paths=paths, allow_unknown_roles=allow_unknown_roles, selection=selection)
    if common.is_of_several:
        return _of_several(common, open_session, format_name)
    plan = open_session(common).plan()
    emit(plan_text(DRIFTS[format_name], plan, style_of_stdout()))
    return codes.of_plan(plan, detailed=True)


def _of_several(common: Common, open_session: "Callable[[Common], Session]", format_name: str) -> ExitCode:
    from reconciler.cli.several import check_format, plan_each, several_code, several_text  # noqa: PLC0415  # see main

    check_format(format_name)
    planned = plan_each(common, open_session)
    emit(several_text(planned, format_name, DRIFTS, style_of_stdout()))
    return several_code(planned, detailed=True)
