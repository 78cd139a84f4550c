"""Options and answers -> a folder with configuration, CI and editor settings."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from reconciler.cli.approving import ask, can_ask
from reconciler.cli.console import settings_of
from reconciler.cli.exit import ExitCode
from reconciler.cli.options import Common, environment_option, file_name, output_options, value_option
from reconciler.cli.outputs import Outputs, outputs_option
from reconciler.errors import UsageError
from reconciler.model.diagnostic import listed
from reconciler.render.reports import STARTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.export.init import Answers, AuthVariables

_CHECKED: Final = frozenset({"environment", "region", "stage", "url", "marketplace"})
"""The answers that are checked one by one before the first question."""
_PORTAL: Final = "the ID of the marketplace, as the portal shows it"


@click.command(
    "init",
    epilog="""
\b
Examples:
  reconciler init                                   # asks
  reconciler init shop --region us-west --stage sandbox --marketplace my-shop
  reconciler init shop --url https://useast-staging.ordercloud.io --marketplace my-shop --env staging --from-live
  reconciler init --add-env production --region us-west --stage production --marketplace my-shop-production

Creates reconciler.yaml, schemas/ for editors, .vscode/settings.json, .gitignore and two workflows in
.github/workflows/, whose first lines list what to set up. In a git repository the workflows and .vscode/settings.json
go to its root; for a folder below the root, the file names of the workflows contain its name. Existing files are kept
and listed.

Exit codes: 0 done; 1 a file cannot be written or, with --from-live, the service cannot be read; 64 an answer is missing
or invalid, and nothing was written.
""",
)
@click.argument("folder", type=file_name, metavar="[DIR]", default=".")
@value_option("--region", "REGION", help="us-west, us-east, europe-west, australia-east, japan-east.")
@value_option("--stage", "STAGE", help="sandbox, staging or production.")
@value_option("--url", "URL", help="The base URL, instead of region and stage.")
@value_option("--marketplace", "ID", help="The ID of the marketplace, as the portal shows it.")
@value_option("--client-id-env", "NAME", help="Variable with the client ID; default: OC_CLIENT_ID.")
@value_option("--client-secret-env", "NAME", help="Variable with the client secret; default: OC_CLIENT_SECRET.")
@value_option("--username-env", "NAME", help="Variable with the user name, for the password grant.")
@value_option("--password-env", "NAME", help="Variable with the password, for the password grant.")
@value_option("--add-env", "NAME", help="Add an environment to the existing reconciler.yaml.", to="added")
@click.option("--from-live", is_flag=True, help="Also export a manifest for each live API client.")
@outputs_option("init", STARTS)
@environment_option
@output_options
@click.pass_obj
def command(
    common: Common, /, folder: Path, *, added: str | None, from_live: bool, outputs: Outputs, **given: str | None
) -> ExitCode:
    """Set up a folder for manifests: configuration, CI and editor settings. Never overwrites a file.

    On a terminal, asks for missing options.
    """
    from reconciler.export.init import CONFIG
    from reconciler.project import init

    if common.config:
        raise UsageError(
            "init creates a configuration and does not take --config", hint="remove it, and give the folder as DIR"
        )
    path = folder / CONFIG
    if added and (from_live or common.env):
        hint = f"then: reconciler export --env {added}"
        raise UsageError("--add-env cannot be combined with --env or --from-live", hint=hint)
    if added:
        config = init.config_to_extend(path, added)
        started = init.add_environment(path, config, _answers(common, given, added))
    else:
        answers = init.answers_of(path) if path.exists() else _answers(common, given)
        started = init.start(settings_of(common), folder, answers, exports=from_live)
    outputs.show(started)
    if started.failure:
        raise started.failure
    return ExitCode.DONE


def _answers(common: Common, given: dict[str, str | None], name: str | None = None) -> "Answers":
    """Ask for missing answers.

    Raises:
        UsageError: an answer is missing and there is no terminal, or an answer is invalid.
    """
    from reconciler.export.init import REGIONS, STAGES, Answers, check

    is_asked = can_ask()
    region, stage, url, marketplace = (given[name] for name in ("region", "stage", "url", "marketplace"))
    if url and (region or stage):
        raise UsageError(
            "--url cannot be combined with --region or --stage", hint="reconciler init --help has examples"
        )
    chosen = name or common.env
    for key, answer in {**given, "environment": chosen}.items():
        if answer and key in _CHECKED:
            _checking(key)(answer)
    if is_asked:
        if not (region or stage or url):
            region = ask(f"Region ({', '.join(REGIONS)}) or base URL", check=_check_target)
            region, url = (None, region) if "://" in region else (region, None)
        if not url:
            region = region or ask(f"Region ({', '.join(REGIONS)})", check=_check_target)
            stage = stage or ask(f"Stage ({', '.join(STAGES)})", check=_checking("stage"))
        marketplace = marketplace or ask(f"Marketplace ({_PORTAL})", check=_checking("marketplace"))
    missing = [] if url else [f"--{name}" for name, value in (("region", region), ("stage", stage)) if not value]
    missing += [] if marketplace else ["--marketplace"]
    if missing:
        hint = "or give --url instead of --region and --stage" if len(missing) > 1 else "reconciler init --help"
        raise UsageError(f"init requires {listed(missing)}; cannot ask: not a terminal", hint=hint)
    name = chosen or stage or "default"
    if is_asked and not chosen:
        name = ask("Name of the environment", name, _checking("environment"))
    answers = Answers(name, str(marketplace), region, stage, url, _auth(given))
    check(answers)
    return answers


def _checking(key: str) -> "Callable[[str], None]":
    """Return a check of one answer, combined with valid other answers."""
    from reconciler.export.init import REGIONS, STAGES, Answers, check

    usable = {"environment": "default", "marketplace": "marketplace", "region": REGIONS[0], "stage": STAGES[0]}
    return lambda answer: check(Answers(**usable | {key: answer}))  # type: ignore[arg-type]  # all values are strings


def _check_target(answer: str) -> None:
    """Check a region or a base URL.

    Raises:
        UsageError: it is invalid.
    """
    _checking("url" if "://" in answer else "region")(answer)


def _auth(given: dict[str, str | None]) -> "AuthVariables":
    from reconciler.export.init import AuthVariables

    usual = AuthVariables()
    username, password = given["username_env"], given["password_env"]
    secret = given["client_secret_env"] or (None if username or password else usual.client_secret)
    return AuthVariables(given["client_id_env"] or usual.client_id, secret, username, password)
