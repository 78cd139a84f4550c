"""A service -> its state in a file, free of secrets: what plan --from-snapshot reads where there are no credentials."""

from datetime import UTC, datetime
from pathlib import Path

import click

from reconciler.cli.exit import ExitCode
from reconciler.cli.failures import tell_problem
from reconciler.cli.files import write_file
from reconciler.cli.options import Common, common_options, output_file
from reconciler.cli.plan_key import plan_key
from reconciler.cli.streams import tell
from reconciler.errors import ReconcilerError


@click.command(
    "snapshot",
    epilog="""
\b
Examples:
  reconciler snapshot --env staging --out snapshot.json       # in a trusted job, every night
  reconciler plan --env staging --from-snapshot snapshot.json # where there are no credentials

Exit codes: 0 written, 1 error, 3 the credentials open another marketplace than the configuration names.
""",
)
@click.option("--out", type=output_file, required=True, metavar="FILE", help="Where the snapshot is written.")
@common_options
@click.pass_obj
def command(common: Common, *, out: Path) -> ExitCode:
    """Keep what the service has, for plans on pull requests that must not see credentials.

    No manifests are needed, and the service is only read. The file has no secrets and no fields that this version does
    not know; it is under a digest, and with RECONCILER_PLAN_KEY it is signed.
    """
    from reconciler import pipeline  # noqa: PLC0415  # see main
    from reconciler.cli import connect  # noqa: PLC0415
    from reconciler.cli.environment import configuration, environment_name  # noqa: PLC0415
    from reconciler.config import select_environment  # noqa: PLC0415
    from reconciler.live import snapshot as snapshotfile  # noqa: PLC0415  # see main
    from reconciler.planning.planfile import timestamp  # noqa: PLC0415

    config = configuration(common)
    environment = select_environment(config, environment_name(common))
    target = pipeline.Target(environment.name, environment.marketplace, environment.limits)
    with connect.reader(environment, config.path.parent) as remote:
        taken = pipeline.snapshot(remote, target, timestamp(datetime.now(UTC)))
    write_file(out, snapshotfile.dumps(taken, plan_key()))
    if not common.quiet:
        count = len(taken.live.resources)
        tell(f"Kept {count} object{'' if count == 1 else 's'} of {environment.name}.\n")
        for text in pipeline.odd(taken.live):
            tell_problem(ReconcilerError(text))
    return ExitCode.DONE
