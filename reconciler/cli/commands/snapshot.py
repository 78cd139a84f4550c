"""A service -> its state in a file without secrets, for plan --from-snapshot."""

from pathlib import Path

import click

from reconciler.cli.documents import each, ended, files_of_each, require_found, warn_if_blank
from reconciler.cli.exit import ExitCode
from reconciler.cli.failures import report_error, report_warning
from reconciler.cli.options import Common, output_file, reading_options, value_option
from reconciler.cli.streams import write_stderr
from reconciler.errors import ReconcilerError
from reconciler.live import unexpected_fields
from reconciler.model.inputs import Snapshot
from reconciler.render.escape import escape
from reconciler.render.wording import number


@click.command(
    "snapshot",
    epilog="""
\b
Examples:
  reconciler snapshot --env staging --out snapshot.json       # in a trusted job, every night
  reconciler plan --env staging --from-snapshot snapshot.json # where there are no credentials
  reconciler snapshot --env-all --out snapshots               # a folder: snapshots/staging.json, ...

Exit codes: 0 written, 1 error, 3 the credentials are for another marketplace than the configuration names.
""",
)
@value_option(
    "--out", "FILE", output_file, help="A file, or a folder with NAME.json for each environment.", required=True
)
@reading_options
@click.pass_obj
def command(common: Common, *, out: Path) -> ExitCode:
    """Save the state of the service, for plans on pull requests without credentials.

    Contains the kinds in manifests or under manage:, else API clients. Nothing is written to the service. The file has
    no secrets and no fields that this version does not know; it has a digest and, with RECONCILER_PLAN_KEY, a
    signature.
    """
    from reconciler.project.export import save_snapshot

    warn_if_blank("snapshot")
    files = files_of_each(common, out)
    parts = each(common, lambda project: save_snapshot(project.settings, files), "snapshot")
    require_found(parts)
    for part in parts:
        if part.found:
            _report(common, part.found, files[part.environment])
        if part.error:
            write_stderr(f"Environment {escape(part.environment)}:\n")
            report_error(part.error)
    return ended(parts)


def _report(common: Common, taken: Snapshot, file: Path) -> None:
    if not common.quiet:
        saved = number(len(taken.live.resources), "object")
        write_stderr(f"Saved {saved} of {taken.environment} to {escape(str(file))}.\n")
        for text in unexpected_fields(taken.live):
            report_warning(ReconcilerError(text))
