"""Answers about a marketplace -> the files that a repository of manifests starts with."""

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
class Auth:
    """The names of the environment variables with the credentials."""

    client_id: str = "OC_CLIENT_ID"
    client_secret: str | None = "OC_CLIENT_SECRET"  # noqa: S105  # the name of a variable
    username: str | None = None
    """With a password it is the password grant."""
    password: str | None = None

    @property
    def variables(self) -> Mapping[str, str]:
        """Key of the configuration -> name of the variable."""
        known = {
            "clientId": self.client_id,
            "clientSecret": self.client_secret,
            "username": self.username,
            "password": self.password,
        }
        return {key: name for key, name in known.items() if name}


@dataclass(frozen=True, slots=True)
class Answers:
    """What `init` needs to know of a marketplace."""

    environment: str
    marketplace: str
    region: str | None = None
    """With a stage; or a URL."""
    stage: str | None = None
    url: str | None = None
    auth: Auth = Auth()
    variables: tuple[str, ...] = ()
    """The names of all variables with credentials of existing environments."""

    @property
    def is_staging(self) -> bool:
        """Whether OrderCloud restores it from production every week; by the name of the environment for other hosts."""
        stages = {url: stage for (_, stage), url in BASE_URLS.items()}
        return (self.stage or stages.get((self.url or "").rstrip("/").casefold(), self.environment)) == _STAGING


def files(answers: Answers) -> Mapping[str, str]:
    """Path below the folder -> content; an export writes manifests."""
    schemas = {f"schemas/{name}": schema_path(name).read_text(encoding="utf-8") for name in _SCHEMAS}
    return {CONFIG: _configuration(answers), ".gitignore": _file("gitignore"), **schemas}


def files_at_top(answers: Answers, below: PurePosixPath) -> Mapping[str, str]:
    """The files that are only read at the top of a repository: the workflows of `ci/github/`, and editor settings.

    Args:
        answers: what the workflows name.
        below: where the configuration is, relative to the top. Below it the workflows are named after the folder, so
            that several folders have theirs.
    """
    inside = below.as_posix()
    is_top = inside == "."
    names = answers.variables or tuple(answers.auth.variables.values())
    workflow = "-".join(part for part in (_WORKFLOW, "" if is_top else slug(inside)) if part)
    words = {
        "VARIABLES": "\n".join(f"      {name}: ${{{{ secrets.{name} }}}}" for name in names),
        "DECLARED": "\n".join(f"      {name}: {{required: false}}" for name in names),
        "RESTORE": "" if answers.is_staging else "# ",
        "STAGING": answers.environment if answers.is_staging else "staging",
        "WORKFLOW": workflow,
        "WITHIN": "" if is_top else f", working-directory: {scalar(inside)}",
        "BELOW": "" if is_top else f"\n          working-directory: {scalar(inside)}",
    }
    return {
        f".github/workflows/{workflow}.yml": _file("api-clients.yml", **words),
        f".github/workflows/{workflow}-environment.yml": _file("api-clients-environment.yml", **words),
        SETTINGS: _file("settings.json", BELOW="" if is_top else json.dumps(f"{inside}/")[1:-1]),
    }


def passing_on(top: Path, below: PurePosixPath, answers: Answers) -> Iterator[tuple[Path, bytes, bytes]]:
    """The workflows below `top` that do not pass on the variables of an environment yet, each before and after."""
    for file in (top / name for name in files_at_top(answers, below) if name.endswith(".yml")):
        before = file.read_bytes() if file.is_file() else b""
        after = _with_variables(before, answers.auth.variables.values())
        if after != before:
            yield file, before, after


def _with_variables(workflow: bytes, names: Iterable[str]) -> bytes:
    """The same with more variables beside those of credentials, which come before the plan key."""
    known = b"RECONCILER_PLAN_KEY"
    new = [name.encode() for name in names if f"{name}: ".encode() not in workflow]
    lines = []
    for line in workflow.splitlines(keepends=True):
        if line.lstrip().startswith(known + b": "):
            lines += [line.replace(known, name) for name in new]
        lines.append(line)
    return b"".join(lines)


def with_environment(content: bytes, answers: Answers, file: str) -> bytes:
    """The bytes of a configuration with one more environment, and nothing else changed.

    Args:
        content: a valid configuration without an environment of this name.
        answers: what is known of the new one.
        file: what messages call the configuration.

    Raises:
        ReconcilerError: the environment cannot be added without changing other lines.
    """
    own = parse(_configuration(answers).encode(), CONFIG).documents[0].data
    at = ("environments", answers.environment)
    added = get_at(own, at)
    assert not isinstance(added, Absent)  # noqa: S101  # the template has it
    changed, by_hand = with_values(content, file, {at: added})
    styled = _in_the_style_of_init(content, changed, answers)
    order = get_at(parse(content, file).documents[0].data, ("promote",))
    if is_array(order):
        styled, unordered = with_values(styled, file, {("promote",): [*order, answers.environment]})
        by_hand += unordered
    if by_hand:
        message = f"an environment cannot be added to {file} without changing other lines"
        raise ReconcilerError(message, hint=f"add it by hand, as reconciler init NEWFOLDER --env {at[1]} writes it")
    return styled


def _in_the_style_of_init(before: bytes, after: bytes, answers: Answers) -> bytes:
    """The added lines with the comments of a new configuration, unless that would change their meaning."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    at = next((number for number, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), len(old))
    end = at + len(new) - len(old)
    written = _configuration(answers).encode()
    block = dedent(written.partition(b"\nenvironments:")[2].partition(b"\n")[2].decode())
    margin = new[at].decode()[: len(new[at]) - len(new[at].lstrip())]
    line_end = "\r\n" if new[at].endswith(b"\r\n") else "\n"
    styled = b"".join([*new[:at], indent(block, margin).replace("\n", line_end).encode(), *new[end:]])
    return styled if _meaning(styled) == _meaning(after) else after


def _meaning(content: bytes) -> list[Json]:
    """Its documents; none if it is not valid YAML."""
    parsed = parse(content, CONFIG)
    return [] if parsed.faults else [document.data for document in parsed.documents]


def check(answers: Answers) -> None:
    """Refuse answers that are invalid in a configuration.

    Raises:
        UsageError: lists all faults.
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
    return _file(
        CONFIG,
        ENVIRONMENT=scalar(answers.environment),
        TARGET="\n".join(f"    {key}: {scalar(value)}" for key, value in target.items()),
        MARKETPLACE=scalar(answers.marketplace),
        LIMITS="{changes: 20, deletes: 0, restore: true}" if answers.is_staging else "{changes: 20, deletes: 0}",
        AUTH="\n".join(f"      {key}: {{fromEnv: {scalar(name)}}}" for key, name in answers.auth.variables.items()),
    )


def _file(name: str, **words: str) -> str:
    """A file of this package with words in place of ``@WORD@``."""
    text = (_FILES / name).read_text(encoding="utf-8")
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text
