"""Answers, asked for or given -> a folder to work in: configuration, CI, editor settings."""

import os
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

import click

from reconciler.cli.approving import ask, somebody_is_there
from reconciler.cli.console import settings_of
from reconciler.cli.exit import ExitCode
from reconciler.cli.options import Common, environment_option, file_name, output_options, text
from reconciler.cli.outputs import Outputs, outputs_option
from reconciler.config import load_config
from reconciler.errors import ReconcilerError, UsageError
from reconciler.export.init import (
    CONFIG,
    REGIONS,
    SETTINGS,
    STAGES,
    Answers,
    Auth,
    check,
    files,
    files_at_top,
    passing_on,
    with_environment,
)
from reconciler.kinds import DEFAULT_KIND
from reconciler.manifests.edit import write_contents
from reconciler.manifests.files import repository_of, require_inside, resolved
from reconciler.manifests.yaml import shown
from reconciler.model.reports import ExportStatus
from reconciler.model.secret import SecretSource
from reconciler.project.api import Project
from reconciler.project.export import EVERYTHING
from reconciler.project.files import new_file
from reconciler.render.reports import STARTS, Command, File, Started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.config import Environment

_CHECKED: Final = frozenset({"environment", "region", "stage", "url", "marketplace"})
"""What is checked by itself before anything else is asked."""
_SHARED: Final = (
    "Another environment also reads {}. CI sets them for each job; for commands",
    "with --env-all, give each environment its own: --client-id-env and --client-secret-env.",
)
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

Written are reconciler.yaml, schemas/ for editors, .vscode/settings.json, .gitignore and two workflows in
.github/workflows/, whose first lines say what to set up. In a git repository the workflows and
.vscode/settings.json go to its top, where they are read; for a folder below it the workflows carry its name. A file
that exists is kept, and the output says so.

Exit codes: 0 done; 1 a file cannot be written, or, with --from-live, the service not read; 64 an answer is missing or
cannot be used: then nothing was written.
""",
)
@click.argument("folder", type=file_name, metavar="[DIR]", default=".")
@click.option(
    "--region", type=text, metavar="REGION", help="us-west, us-east, europe-west, australia-east, japan-east."
)
@click.option("--stage", type=text, metavar="STAGE", help="sandbox, staging or production.")
@click.option("--url", type=text, metavar="URL", help="The base URL, instead of region and stage.")
@click.option("--marketplace", type=text, metavar="ID", help="The ID of the marketplace, as the portal shows it.")
@click.option("--client-id-env", type=text, metavar="NAME", help="The variable with the client ID; else OC_CLIENT_ID.")
@click.option(
    "--client-secret-env", type=text, metavar="NAME", help="The variable with the secret; else OC_CLIENT_SECRET."
)
@click.option("--username-env", type=text, metavar="NAME", help="For the password grant: the variable with the user.")
@click.option("--password-env", type=text, metavar="NAME", help="For the password grant: the one with the password.")
@click.option(
    "--add-env", "added", type=text, metavar="NAME", help="Add an environment to the existing reconciler.yaml."
)
@click.option("--from-live", is_flag=True, help="Then export: a manifest for each live API client.")
@outputs_option("init", list(STARTS))
@environment_option
@output_options
@click.pass_obj
def command(
    common: Common, /, folder: Path, *, added: str | None, from_live: bool, outputs: Outputs, **given: str | None
) -> ExitCode:
    """Start a folder of manifests: configuration, CI and editor settings. Never overwrites a file.

    On a terminal, it asks for what no option gives.
    """
    if common.config:
        raise UsageError("init creates a configuration and does not read one", hint="remove --config; DIR says where")
    if added:
        started = _add(folder / CONFIG, common, added, given, from_live=from_live)
        outputs.write(lambda name, style: STARTS[name](started, style))
        return ExitCode.DONE
    answers = _answers_of(folder / CONFIG) if (folder / CONFIG).exists() else _answers(common, given)
    _start(folder, answers, common, outputs, from_live=from_live)
    return ExitCode.DONE


def _start(folder: Path, answers: Answers, common: Common, outputs: Outputs, *, from_live: bool) -> None:
    """Write the files, and show what was written, also where the export fails then.

    Raises:
        ReconcilerError: a file cannot be written, or the service not read.
    """
    top, below = _place(folder)
    beside, above = files(answers), files_at_top(answers, below)
    wanted = {folder / name: text for name, text in beside.items()} | {top / name: text for name, text in above.items()}
    require_inside(wanted, folder)
    started = Started(list(_written(wanted)))
    try:
        exported = _project(common, folder, answers).export(EVERYTHING).write().shown if from_live else None
    except ReconcilerError:
        outputs.write(lambda name, style: STARTS[name](started, style))
        raise
    is_empty = exported is not None and all(one.status is ExportStatus.LEFT for one in exported.objects)
    commands = list(_next(from_live=from_live, is_empty=is_empty, is_in_git=(top / ".git").exists()))
    conditions = list(_conditions(folder, answers, from_live=from_live))
    done = replace(started, exported=exported, commands=commands, conditions=conditions)
    outputs.write(lambda name, style: STARTS[name](done, style))


def _add(path: Path, common: Common, name: str, given: dict[str, str | None], *, from_live: bool) -> Started:
    """Add an environment to a configuration.

    Raises:
        UsageError: there is no configuration, or it has an environment of this name.
    """
    if from_live or common.env:
        raise UsageError(
            "--add-env cannot be combined with --env or --from-live", hint=f"then: reconciler export --env {name}"
        )
    if not path.exists():
        raise UsageError(f"there is no {shown(path)} to add an environment to", hint=f"reconciler init --env {name}")
    config = load_config(path)
    known = config.environments
    if name in known:
        raise UsageError(f"there is an environment {name} already", hint=f"there are: {', '.join(known)}")
    answers = _answers(common, given, name)
    before = path.read_bytes()
    changed = [
        (path, before, with_environment(before, answers, shown(path))),
        *passing_on(*_place(path.parent), answers),
    ]
    require_inside([file for file, _, _ in changed], path.parent)
    write_contents({str(file): content for file, _, content in changed})
    edits = [(shown(file), old.decode(errors="replace"), new.decode(errors="replace")) for file, old, new in changed]
    commands = (f"reconciler doctor --env {name}", f"reconciler export --into-overlay {name} --write")
    named = tuple(answers.auth.variables.values())
    shared = [name for name in named if name in _variables(next(iter(known.values())))]
    conditions = [f"with {' and '.join(named)} set to the credentials of {name}"]
    notes = [line.format(" and ".join(shared)) for line in _SHARED] if shared else []
    notes += [f"{name} is the last of promote: move it to its position."] if config.promote else []
    return Started(edits=edits, conditions=conditions, commands=[*map(Command, commands)], notes=notes)


def _answers(common: Common, given: dict[str, str | None], name: str | None = None) -> Answers:
    """Ask for what was not given.

    Raises:
        UsageError: there is nobody to ask, or an answer cannot be used.
    """
    is_asked = somebody_is_there()
    region, stage, url, marketplace = (given[name] for name in ("region", "stage", "url", "marketplace"))
    if url and (region or stage):
        raise UsageError("--url, or --region and --stage: not both", hint="reconciler init --help has examples")
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
        raise UsageError(f"init needs {' and '.join(missing)}, and there is no terminal to ask on", hint=hint)
    name = chosen or stage or "default"
    if is_asked and not chosen:
        name = ask("Name of the environment", name, _checking("environment"))
    answers = Answers(name, str(marketplace), region, stage, url, _auth(given))
    check(answers)
    return answers


def _checking(key: str) -> "Callable[[str], None]":
    """Check one answer by itself, beside others that are usable."""
    usable = {"environment": "default", "marketplace": "marketplace", "region": REGIONS[0], "stage": STAGES[0]}
    return lambda answer: check(Answers(**usable | {key: answer}))  # type: ignore[arg-type]  # all of them are texts


def _check_target(answer: str) -> None:
    """Check a region, or a base URL instead of one.

    Raises:
        UsageError: it is neither.
    """
    _checking("url" if "://" in answer else "region")(answer)


def _auth(given: dict[str, str | None]) -> Auth:
    usual = Auth()
    username, password = given["username_env"], given["password_env"]
    secret = given["client_secret_env"] or (None if username or password else usual.client_secret)
    return Auth(given["client_id_env"] or usual.client_id, secret, username, password)


def _answers_of(path: Path) -> Answers:
    """What a configuration that is there already says, as far as the other files need it."""
    first = next(iter(load_config(path).environments.values()))
    return Answers(first.name, first.marketplace or "", variables=_variables(first))


def _variables(environment: "Environment") -> tuple[str, ...]:
    """The names of the variables with credentials, those of all environments."""
    return tuple(sorted(one.name for one in environment.own_credentials if one.source is SecretSource.ENVIRONMENT))


def _place(folder: Path) -> tuple[Path, PurePosixPath]:
    """The top of the git repository around a folder, and where the folder is in it; without one, the folder itself."""
    here = resolved(folder)
    if here is None:
        raise UsageError(f"{folder} is not a folder: its symbolic links lead nowhere", hint="name another folder")
    top = repository_of(here)
    return folder if top == here else Path(os.path.relpath(top)), PurePosixPath(here.relative_to(top).as_posix())


def _written(files: "Mapping[Path, str]") -> "Iterator[File]":
    """Write each file, unless it is there already."""
    for path, content in files.items():
        if path.exists():
            yield File(str(path), written=False, advice=_advice(path, content))
        else:
            new_file(path, content)
            yield File(str(path), written=True)


def _advice(path: Path, content: str) -> str:
    """What somebody should do about a file that was left."""
    known = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    if path.name == ".gitignore":
        wanted = [line for line in content.splitlines() if not line.startswith("#") and line not in known.splitlines()]
        return f"add {' and '.join(wanted)} to it" if wanted else ""
    if path.name == CONFIG:
        return "to add an environment to it: reconciler init --add-env NAME"
    if path.name == Path(SETTINGS).name:
        wanted = [line.strip(" ,") for line in content.splitlines() if "**" in line and line.strip(" ,") not in known]
        return f"to have manifests completed, add {wanted[0]} to its yaml.schemas" if wanted else ""
    return ""


def _project(common: Common, folder: Path, answers: Answers) -> Project:
    """The project that has just been started."""
    return Project(replace(settings_of(common), config=folder / CONFIG, environment=answers.environment))


def _conditions(folder: Path, answers: Answers, *, from_live: bool) -> "Iterator[str]":
    """What the next commands need."""
    if os.path.abspath(folder) != os.path.abspath("."):  # noqa: PTH100  # in words, not through links
        yield f"in {folder}"
    if not from_live:
        yield f"with {' and '.join(answers.auth.variables.values())} set"


def _next(*, from_live: bool, is_empty: bool, is_in_git: bool) -> "Iterator[Command]":
    """The commands to run next; a marketplace is empty that has nothing but the client of the login."""
    in_step = Command("reconciler plan", "no changes: git and the marketplace are in step")
    if is_empty:
        yield Command(f"reconciler explain {DEFAULT_KIND}", "how to write the first manifest, in manifests/")
        yield Command("reconciler export --own-client --write", "or start with the client that you log in with")
    elif from_live:
        yield in_step
        yield Command("git add --all" if is_in_git else "git init && git add --all", "then commit")
    else:
        yield Command("reconciler doctor", "checks credentials, roles and marketplace")
        yield Command(
            "reconciler export --write", "one manifest for each live API client; of other objects, too: --kinds all"
        )
        yield in_step
