"""Create the files of a new repository of manifests from answers about a marketplace."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from textwrap import dedent, indent
from typing import Final

from reconciler.config import structure_faults
from reconciler.config.file import config_of
from reconciler.config.settings import BASE_URLS
from reconciler.errors import ReconcilerError, UsageError
from reconciler.export.manifest import slug
from reconciler.manifests.edit import with_values
from reconciler.manifests.edit.text import scalar
from reconciler.manifests.schema import schema_path
from reconciler.manifests.yaml import parse
from reconciler.model.dataclass import dataclass
from reconciler.model.json import Absent, Json, get_at, is_array

REGIONS: Final = tuple(dict.fromkeys(region for region, _ in BASE_URLS))
STAGES: Final = tuple(dict.fromkeys(stage for _, stage in BASE_URLS))
CONFIG: Final = "reconciler.yaml"
_STAGING: Final = "staging"
_SCHEMAS: Final = ("manifest.v1.schema.json", "config.v1.schema.json")
SETTINGS: Final = ".vscode/settings.json"
_WORKFLOW: Final = "api-clients"
_FILES: Final = Path(__file__).parent / "files"


@dataclass(frozen=True, slots=True)
class AuthVariables:
    """The names of the environment variables with the credentials."""

    client_id: str = "OC_CLIENT_ID"
    client_secret: str | None = "OC_CLIENT_SECRET"  # noqa: S105  # the name of a variable
    username: str | None = None
    """Requires a password; selects the password grant."""
    password: str | None = None

    @property
    def variables(self) -> Mapping[str, str]:
        """Key in the configuration -> name of the variable."""
        known = {
            "clientId": self.client_id,
            "clientSecret": self.client_secret,
            "username": self.username,
            "password": self.password,
        }
        return {key: name for key, name in known.items() if name}


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to the questions of `init`."""

    environment: str
    marketplace: str
    region: str | None = None
    """Requires a stage; the alternative is a URL."""
    stage: str | None = None
    url: str | None = None
    auth: AuthVariables = AuthVariables()
    variables: tuple[str, ...] = ()
    """The names of all variables with credentials of existing environments."""

    @property
    def is_staging(self) -> bool:
        """Whether OrderCloud restores it from production every week; for other hosts, by the environment's name."""
        stages = {url: stage for (_, stage), url in BASE_URLS.items()}
        return (self.stage or stages.get((self.url or "").rstrip("/").casefold(), self.environment)) == _STAGING


def files(answers: Answers) -> Mapping[str, str]:
    """Path relative to the folder -> content, without manifests."""
    schemas = {f"schemas/{name}": schema_path(name).read_text(encoding="utf-8") for name in _SCHEMAS}
    return {CONFIG: _configuration(answers), ".gitignore": _template("gitignore"), **schemas}


def files_at_top(answers: Answers, below: PurePosixPath) -> Mapping[str, str]:
    """The files that must be at the top of a repository: the workflows of `ci/github/` and editor settings.

    Args:
        answers: the names for the workflows.
        below: the folder of the configuration, relative to the top. Names of workflows contain it, so
            that several folders can have workflows.
    """
    inside = below.as_posix()
    is_top = inside == "."
    names = answers.variables or tuple(answers.auth.variables.values())
    workflow = "-".join(part for part in (_WORKFLOW, "" if is_top else slug(inside)) if part)
    replacements = {
        "VARIABLES": "\n".join(f"      {name}: ${{{{ secrets.{name} }}}}" for name in names),
        "DECLARED": "\n".join(f"      {name}: {{required: false}}" for name in names),
        "RESTORE": "" if answers.is_staging else "# ",
        "STAGING": answers.environment if answers.is_staging else "staging",
        "WORKFLOW": workflow,
        "WITHIN": "" if is_top else f", working-directory: {scalar(inside)}",
        "BELOW": "" if is_top else f"\n          working-directory: {scalar(inside)}",
    }
    return {
        f".github/workflows/{workflow}.yml": _template("api-clients.yml", **replacements),
        f".github/workflows/{workflow}-environment.yml": _template("api-clients-environment.yml", **replacements),
        SETTINGS: _template("settings.json", BELOW="" if is_top else json.dumps(f"{inside}/")[1:-1]),
    }


def changed_workflows(top: Path, below: PurePosixPath, answers: Answers) -> Iterator[tuple[Path, bytes, bytes]]:
    """The workflows below `top` that lack the variables of an environment: file, content before, content after."""
    for file in (top / name for name in files_at_top(answers, below) if name.endswith(".yml")):
        before = file.read_bytes() if file.is_file() else b""
        after = _with_variables(before, answers.auth.variables.values())
        if after != before:
            yield file, before, after


def _with_variables(workflow: bytes, names: Iterable[str]) -> bytes:
    """The workflow with more variables for credentials, before the plan key."""
    known = b"RECONCILER_PLAN_KEY"
    new = [name.encode() for name in names if f"{name}: ".encode() not in workflow]
    lines = []
    for line in workflow.splitlines(keepends=True):
        if line.lstrip().startswith(known + b": "):
            lines += [line.replace(known, name) for name in new]
        lines.append(line)
    return b"".join(lines)


def with_environment(content: bytes, answers: Answers, file: str) -> bytes:
    """Add an environment to the content of a configuration, and change nothing else.

    Args:
        content: a valid configuration without an environment of this name.
        answers: the new environment.
        file: the name of the configuration in messages.

    Raises:
        ReconcilerError: the environment cannot be added without changing other lines.
    """
    own = parse(_configuration(answers).encode(), CONFIG).documents[0].data
    at = ("environments", answers.environment)
    added = get_at(own, at)
    assert not isinstance(added, Absent)  # noqa: S101  # the template has it
    changed, by_hand = with_values(content, file, {at: added})
    styled = _with_init_comments(content, changed, answers)
    order = get_at(parse(content, file).documents[0].data, ("promote",))
    if is_array(order):
        styled, unordered = with_values(styled, file, {("promote",): [*order, answers.environment]})
        by_hand += unordered
    if by_hand:
        message = f"an environment cannot be added to {file} without changing other lines"
        raise ReconcilerError(message, hint=f"add it by hand; reconciler init NEWFOLDER --env {at[1]} shows the lines")
    return styled


def _with_init_comments(before: bytes, after: bytes, answers: Answers) -> bytes:
    """The added lines with the comments of a new configuration, if they then have the same data."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    at = next((number for number, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), len(old))
    end = at + len(new) - len(old)
    written = _configuration(answers).encode()
    block = dedent(written.partition(b"\nenvironments:")[2].partition(b"\n")[2].decode())
    margin = new[at].decode()[: len(new[at]) - len(new[at].lstrip())]
    line_end = "\r\n" if new[at].endswith(b"\r\n") else "\n"
    styled = b"".join([*new[:at], indent(block, margin).replace("\n", line_end).encode(), *new[end:]])
    return styled if _documents(styled) == _documents(after) else after


def _documents(content: bytes) -> list[Json]:
    """The data of its documents; none if it is not valid YAML."""
    parsed = parse(content, CONFIG)
    return [] if parsed.faults else [document.data for document in parsed.documents]


def check(answers: Answers) -> None:
    """Check that the answers make a valid configuration.

    Raises:
        UsageError: they do not; lists all faults.
    """
    parsed = parse(_configuration(answers).encode(), CONFIG)
    if parsed.faults:
        raise UsageError("an answer is not UTF-8 text", hint="reconciler init --help has examples")
    data = parsed.documents[0].data
    outcome = structure_faults(data) or config_of(data, Path(CONFIG).absolute())
    if isinstance(outcome, list):
        faults = dict.fromkeys(f"{fault.message}{f'; {fault.hint}' if fault.hint else ''}" for fault in outcome)
        raise UsageError("; ".join(faults), hint="reconciler init --help has examples")


def _configuration(answers: Answers) -> str:
    target = {"url": answers.url} if answers.url else {"region": answers.region, "stage": answers.stage}
    return _template(
        CONFIG,
        ENVIRONMENT=scalar(answers.environment),
        TARGET="\n".join(f"    {key}: {scalar(value)}" for key, value in target.items()),
        MARKETPLACE=scalar(answers.marketplace),
        LIMITS="{changes: 20, deletes: 0, restore: true}" if answers.is_staging else "{changes: 20, deletes: 0}",
        AUTH="\n".join(f"      {key}: {{fromEnv: {scalar(name)}}}" for key, name in answers.auth.variables.items()),
    )


def _template(name: str, **replacements: str) -> str:
    """A file of this package with the placeholders ``@NAME@`` replaced."""
    text = (_FILES / name).read_text(encoding="utf-8")
    for placeholder, value in replacements.items():
        text = text.replace(f"@{placeholder}@", value)
    return text
