"""Create a repository from answers about a marketplace, or add an environment, and list the next commands."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

from reconciler.config import load_config
from reconciler.config.settings import Config, Environment
from reconciler.errors import ReconcilerError, UsageError
from reconciler.export.init import CONFIG, SETTINGS, Answers, changed_workflows, files, files_at_top, with_environment
from reconciler.kinds import DEFAULT_KIND
from reconciler.manifests.edit import create_file, write_contents
from reconciler.manifests.files import repository_of, require_inside, resolved
from reconciler.manifests.yaml import shown
from reconciler.model.reports import ExportStatus
from reconciler.model.secret import SecretSource
from reconciler.project import Settings
from reconciler.project.export import EVERYTHING, from_live
from reconciler.render.reports import Command, Started, WrittenFile

_SHARED: Final = (
    "Another environment also reads {}. CI sets them for each job; for commands",
    "with --env-all, give each environment its own: --client-id-env and --client-secret-env.",
)


def start(settings: Settings, folder: Path, answers: Answers, *, exports: bool) -> Started:
    """Write the files that do not exist; optionally export all live objects.

    Raises:
        ReconcilerError: a file cannot be written. An error of the export is in the result instead.
    """
    top, below = _place_in_repository(folder)
    in_folder, at_top = files(answers), files_at_top(answers, below)
    wanted = {folder / name: text for name, text in in_folder.items()} | {
        top / name: text for name, text in at_top.items()
    }
    require_inside(wanted, folder)
    started = Started(list(_written(wanted)))
    try:
        settings = replace(settings, config=folder / CONFIG, environment=answers.environment)
        exported = from_live(settings, EVERYTHING).write().shown if exports else None
    except ReconcilerError as error:
        return replace(started, failure=error)
    is_empty = exported is not None and all(one.status is ExportStatus.LEFT for one in exported.objects)
    commands = list(_next(is_exported=exports, is_empty=is_empty, is_in_git=(top / ".git").exists()))
    conditions = list(_conditions(folder, answers, is_exported=exports))
    return replace(started, exported=exported, commands=commands, conditions=conditions)


def config_to_extend(path: Path, name: str) -> Config:
    """Load the configuration to which an environment of this name is added.

    Raises:
        UsageError: there is no configuration, or it already has this environment.
    """
    if not path.exists():
        raise UsageError(f"there is no {shown(path)} to add an environment to", hint=f"reconciler init --env {name}")
    config = load_config(path)
    if name in config.environments:
        hint = f"choose another name than {', '.join(config.environments)}"
        raise UsageError(f"environment {name} already exists", hint=hint)
    return config


def add_environment(path: Path, config: Config, answers: Answers) -> Started:
    """Add an environment to the configuration, and its variables to the workflows.

    Raises:
        ReconcilerError: a file cannot be edited without other changes, or cannot be written.
    """
    name, before = answers.environment, path.read_bytes()
    changed = [
        (path, before, with_environment(before, answers, shown(path))),
        *changed_workflows(*_place_in_repository(path.parent), answers),
    ]
    require_inside([file for file, _, _ in changed], path.parent)
    write_contents({str(file): content for file, _, content in changed})
    edits = [(shown(file), old.decode(errors="replace"), new.decode(errors="replace")) for file, old, new in changed]
    commands = (f"reconciler doctor --env {name}", f"reconciler export --into-overlay {name} --write")
    named = tuple(answers.auth.variables.values())
    shared = [one for one in named if one in _variables(next(iter(config.environments.values())))]
    conditions = [f"with {' and '.join(named)} set to the credentials of {name}"]
    notes = [line.format(" and ".join(shared)) for line in _SHARED] if shared else []
    notes += [f"{name} was added at the end of promote: move it to its position."] if config.promote else []
    return Started(edits=edits, conditions=conditions, commands=[*map(Command, commands)], notes=notes)


def answers_of(path: Path) -> Answers:
    """The answers that an existing configuration gives, as far as the other files need them."""
    first = next(iter(load_config(path).environments.values()))
    return Answers(first.name, first.marketplace or "", variables=_variables(first))


def _variables(environment: Environment) -> tuple[str, ...]:
    """The names of the variables with the credentials of an environment."""
    return tuple(sorted(one.name for one in environment.own_credentials if one.source is SecretSource.ENVIRONMENT))


def _place_in_repository(folder: Path) -> tuple[Path, PurePosixPath]:
    """The top of the git repository around a folder, or the folder if there is none; and its path relative to that."""
    here = resolved(folder)
    if here is None:
        raise UsageError(f"{folder} is not a folder: a symbolic link is broken", hint="name another folder")
    top = repository_of(here)
    return folder if top == here else Path(os.path.relpath(top)), PurePosixPath(here.relative_to(top).as_posix())


def _written(files: Mapping[Path, str]) -> Iterator[WrittenFile]:
    """Write each file, unless it exists."""
    for path, content in files.items():
        if path.exists():
            yield WrittenFile(str(path), written=False, advice=_advice(path, content))
        else:
            create_file(path, content)
            yield WrittenFile(str(path), written=True)


def _advice(path: Path, content: str) -> str:
    """What to change in a file that was kept; empty if nothing."""
    known = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    if path.name == ".gitignore":
        wanted = [line for line in content.splitlines() if not line.startswith("#") and line not in known.splitlines()]
        return f"add {' and '.join(wanted)} to it" if wanted else ""
    if path.name == CONFIG:
        return "to add an environment to it: reconciler init --add-env NAME"
    if path.name == Path(SETTINGS).name:
        wanted = [line.strip(" ,") for line in content.splitlines() if "**" in line and line.strip(" ,") not in known]
        return f"for completion in manifests, add {wanted[0]} to its yaml.schemas" if wanted else ""
    return ""


def _conditions(folder: Path, answers: Answers, *, is_exported: bool) -> Iterator[str]:
    """The conditions under which the next commands work."""
    if os.path.abspath(folder) != os.path.abspath("."):  # noqa: PTH100  # keeps symbolic links
        yield f"in {folder}"
    if not is_exported:
        yield f"with {' and '.join(answers.auth.variables.values())} set"


def _next(*, is_exported: bool, is_empty: bool, is_in_git: bool) -> Iterator[Command]:
    """The commands to run next. `is_empty`: the marketplace has only the login client."""
    in_step = Command("reconciler plan", "no changes: git and the marketplace are in step")
    if is_empty:
        yield Command(f"reconciler explain {DEFAULT_KIND}", "how to write the first manifest, in manifests/")
        yield Command("reconciler export --own-client --write", "or start with the login client")
    elif is_exported:
        yield in_step
        yield Command("git add --all" if is_in_git else "git init && git add --all", "then commit")
    else:
        yield Command("reconciler doctor", "checks credentials, roles and marketplace")
        yield Command(
            "reconciler export --write", "one manifest for each live API client; for other objects, add --kinds all"
        )
        yield in_step
