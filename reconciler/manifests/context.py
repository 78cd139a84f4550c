"""The inputs of loading in addition to files: everything that one environment contributes."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import field
from datetime import UTC, date, datetime
from pathlib import Path

from reconciler.kinds.checks import RuleLevel
from reconciler.manifests.files import AllowedPaths, File, Memo
from reconciler.manifests.git import GitFailed, InGit
from reconciler.manifests.rules import RULES
from reconciler.manifests.yaml import Parsed, parse, read
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Place
from reconciler.model.json import Json
from reconciler.model.resource import Address, Policy, Scope
from reconciler.model.secret import SecretReference


@dataclass(frozen=True, slots=True)
class LoadContext:
    """The inputs of one environment."""

    environment: str | None = None
    """Its name, for messages."""
    values: Mapping[str, Json] = field(default_factory=dict)
    """The values of ``${values.KEY}``."""
    ids: Mapping[Address, str] = field(default_factory=dict)
    """Manifest -> the service's id; takes precedence over ``metadata.id``."""
    allowed_secrets: frozenset[str] = frozenset()
    """The environment variables that manifests may name as secrets."""
    marketplace: str | None = None
    """The value of ``${marketplace}``."""
    defaults: Policy = field(default_factory=Policy)
    """The defaults of manifests' policy blocks."""
    allow_unknown_roles: bool = False
    """Whether an unknown role is a warning instead of an error."""
    secret_folders: tuple[Path, ...] = ()
    """Folders in addition to `root` that ``fromFile`` references and deliveries may be in."""
    own_credentials: frozenset[SecretReference] = frozenset()
    """The credentials of the reconciler itself, which no manifest may name."""
    root: Path | None = None
    """The folder that ``fromFile`` references must be in and are relative to; None: the working directory."""
    inputs: tuple[Path, ...] = ()
    """The configuration, and files and folders of manifests and overlays, to which no delivery may write."""
    overlays: tuple[Path, ...] = ()
    """Files and directories of overlays of this environment."""
    apart: tuple[Path, ...] = ()
    """The overlays and id files of all environments, which are never read as manifests."""
    may_be_empty: bool = False
    """Whether a folder without manifests is allowed, because they are about to be created."""
    partial: bool = False
    """Whether only some manifests are loaded, so that an overlay may belong to another one."""
    rules: Mapping[str, RuleLevel] = field(default_factory=dict)
    """Levels of rules; a missing rule has the level of its table."""
    contents: Mapping[str, bytes] = field(default_factory=dict)
    """File, as named in messages -> content to read instead of the file's, to test a change before it is written."""
    scope: Scope = field(default_factory=Scope)
    """The part of the marketplace that manifests may name."""
    memo: Memo | None = None
    """Shares what several environments of one run read and compute."""
    is_emulated: bool = False
    """Whether its service is the embedded emulator, which sends nothing."""
    today: date = field(default_factory=lambda: datetime.now(UTC).date())
    """The present day in UTC, which waivers are checked against."""

    ask_git: Callable[[Collection[Path]], Mapping[Path, InGit | GitFailed]] | None = None
    """Looks up files that are neither ignored nor outside a repository; None: git is not used."""
    others: tuple["LoadContext", ...] = ()
    """The other environments, which must not deliver secrets to the same files."""

    def parsed(self, file: File) -> Parsed:
        """Read and parse a file, or its replacement in `contents`."""
        content = self.contents.get(file.shown)
        if content is not None:
            return parse(content, file.shown)
        return self.memo.get(file, lambda: read(file.path, file.shown)) if self.memo else read(file.path, file.shown)

    @property
    def allowed_paths(self) -> AllowedPaths:
        """The allowed paths of files with secrets."""
        return AllowedPaths(self.root or Path(), self.secret_folders, self.inputs, self.resolved_inputs)

    resolved_inputs: Memo = field(default_factory=Memo, compare=False)
    """See `AllowedPaths.resolved`."""
    ids_at: tuple[str, ...] = ()
    """The place of the ids in their file."""
    config_place: Callable[[str], Place | None] = lambda _: None
    """JSON pointer into the configuration -> its place."""

    def level(self, rule: str) -> RuleLevel:
        """The level of a rule."""
        return self.rules.get(rule, RULES[rule].level)
