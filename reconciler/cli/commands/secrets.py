"""Manifests and a service -> how every secret stands; or one secret in the place of another."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.documents import style_of_stdout
from reconciler.cli.exit import ExitCode
from reconciler.cli.failures import tell_error
from reconciler.cli.options import Common, common_options, file_name, format_option, paths_argument, text
from reconciler.cli.selecting import selection_of, selection_options
from reconciler.cli.stopping import stoppable
from reconciler.cli.streams import emit
from reconciler.render.secrets import ROTATIONS, STATUSES, Turned, metrics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.cli.session import Session
    from reconciler.model.json import Json
    from reconciler.model.rotation import Step
    from reconciler.rotation import Done, Subject


@click.group(
    "secrets",
    invoke_without_command=True,
    epilog="""
\b
Examples:
  reconciler secrets status --env production
  reconciler secrets rotate ApiClient/storefront
""",
)
@common_options
@click.pass_context
def command(ctx: click.Context) -> None:
    """Say how secrets stand, and rotate one."""
    if ctx.invoked_subcommand is None:
        raise click.UsageError(f"A command is needed: one of {', '.join(sorted(command.commands))}.", ctx)


@command.command(
    "status",
    epilog="""
\b
Examples:
  reconciler secrets status --env production
  reconciler secrets status --format json | jq '.secrets[] | select(.in_step | not)'
  reconciler secrets status --metrics /var/lib/node_exporter/secrets.prom

Exit codes: 0 no secret needs attention, 1 error, 2 one does.
""",
)
@paths_argument
@format_option(list(STATUSES))
@click.option("--metrics", "metrics_file", type=file_name, metavar="FILE", help="Besides, write Prometheus metrics.")
@selection_options
@common_options
@click.pass_obj
def status(
    common: Common,
    paths: tuple[Path, ...],
    *,
    format_name: str,
    metrics_file: Path | None,
    only: tuple[str, ...],
    selector: dict[str, str],
) -> ExitCode:
    """Say of every secret how old it is, when it expires, and whether it is what its manifest asks for. Reads only."""
    from reconciler.cli import connect  # noqa: PLC0415  # see main
    from reconciler.cli.files import write_file  # noqa: PLC0415
    from reconciler.cli.session import Session  # noqa: PLC0415
    from reconciler.secretkeeping import status as inspect  # noqa: PLC0415

    selection = selection_of(only, selector)
    session = Session.open(common, paths, allow_unknown_roles=True, selection=selection)
    with connect.reader(session.environment, session.root) as remote:
        report = inspect(session.loaded.desired, remote, session.target(), session.resolve)
    if metrics_file:
        write_file(metrics_file, metrics(report))
    emit(STATUSES[format_name](report, style_of_stdout()))
    return ExitCode.CHANGES if report.needing_attention else ExitCode.DONE


@command.command(
    "rotate",
    epilog="""
\b
Examples:
  reconciler secrets rotate ApiClient/storefront --dry-run
  reconciler secrets rotate ApiClient/storefront --env production
  reconciler secrets rotate ApiClient/storefront --secret primary

Interrupted anywhere, a delivered secret is valid; to run it again goes on where it was left.

Exit codes: 0 all that is due was done, 1 error and nothing was written, 5 stopped after some steps, 130 interrupted.
""",
)
@click.argument("address", type=text, metavar="ADDRESS")
@click.option("--secret", "name", type=text, metavar="NAME", help="Which one, where the manifest lists several.")
@click.option("--dry-run", is_flag=True, help="Show the steps. The connection cannot write.")
@format_option(list(ROTATIONS))
@common_options
@click.pass_obj
def rotate(common: Common, address: str, *, name: str | None, dry_run: bool, format_name: str) -> ExitCode:
    """Put a new secret in the place of an old one, so that at each moment a delivered one is valid.

    Creates it, delivers it as the manifest says, proves it by a login, and lets the old one expire after the overlap. A
    later run deletes the old one. ADDRESS is that of a manifest: ApiClient/storefront.
    """
    from reconciler.cli.session import Session  # noqa: PLC0415  # see main

    session = Session.open(common, (), allow_unknown_roles=True)
    turned = _shown(session, address, name) if dry_run else _carried_out(session, address, name)
    emit(ROTATIONS[format_name](turned, style_of_stdout()))
    if turned.error:
        tell_error(turned.error)
    return _code(turned)


def _shown(session: "Session", address: str, name: str | None) -> Turned:
    from reconciler.cli import connect  # noqa: PLC0415  # see main
    from reconciler.secretkeeping import turn  # noqa: PLC0415

    with connect.reader(session.environment, session.root) as remote:
        subject, steps = turn(session.loaded.desired, remote, session.target(), address, name)
    return Turned(_about(subject), steps, is_dry_run=True)


def _carried_out(session: "Session", address: str, name: str | None) -> Turned:
    from reconciler.cli import connect  # noqa: PLC0415  # see main
    from reconciler.journal import Journal  # noqa: PLC0415
    from reconciler.rotation import Tools, carry_out  # noqa: PLC0415
    from reconciler.secretkeeping import turn  # noqa: PLC0415

    writer = connect.writer(session.environment, session.root)
    with session.exclusively(), writer as remote, stoppable() as should_stop:
        subject, steps = turn(session.loaded.desired, remote, session.target(), address, name)
        if not any(step.writes for step in steps):
            return Turned(_about(subject), steps, steps)
        with Journal.start(session.journal, _facts(session, subject)) as journal:
            tools = Tools(remote, session.courier, _utc_now, journal.append, should_stop, partial(_tell_step, session))
            done = carry_out(subject, steps, tools)
            journal.append("end", _end(steps, done))
    return Turned(_about(subject), steps, done.steps, interrupted=done.interrupted, error=done.error)


def _facts(session: "Session", subject: "Subject") -> "Mapping[str, Json]":
    environment = session.environment
    return {
        "kind": "rotation",
        "environment": environment.name,
        "base_url": environment.base_url,
        "address": str(subject.address),
        "secret": subject.wanted.name,
    }


def _end(steps: "Sequence[Step]", done: "Done") -> "Mapping[str, Json]":
    return {
        "steps": len(done.steps),
        "left": len(steps) - len(done.steps),
        "interrupted": done.interrupted,
        "error": done.error.message if done.error else None,
    }


def _about(subject: "Subject") -> str:
    return f"{subject.address}, secret {subject.wanted.name} (client {subject.client_id})"


def _tell_step(session: "Session", step: "Step") -> None:
    session.note(f"done: {step.text}")


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _code(turned: Turned) -> ExitCode:
    """A step that failed first has written nothing, as far as anybody knows."""
    if turned.interrupted:
        return ExitCode.INTERRUPTED
    if turned.error:
        return ExitCode.PARTLY_APPLIED if any(step.writes for step in turned.done) else ExitCode.ERROR
    return ExitCode.DONE
