"""What goes into loading beside the files: all that one environment contributes."""

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import field
from datetime import UTC, date, datetime
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar, cast

from reconciler.kinds.checks import RuleLevel
from reconciler.manifests.files import AllowedPaths, File
from reconciler.manifests.git import GitFailed, InGit
from reconciler.manifests.rules import RULES
from reconciler.manifests.yaml import Parsed, parse, read
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Place
from reconciler.model.json import Json
from reconciler.model.resource import Address, Policy, Scope
from reconciler.model.secret import SecretReference

T = TypeVar("T")


class Memo:
    """Key -> what is worked out for it, once, by whichever thread asks first; kept as long as this is."""

    def __init__(self) -> None:
        self._lock, self._known = RLock(), dict[Hashable, Any]()

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Give it; other threads wait."""
        with self._lock:
            if key not in self._known:
                self._known[key] = compute()
            return cast("T", self._known[key])


@dataclass(frozen=True, slots=True)
class LoadContext:
    """What one environment contributes."""

    environment: str | None = None
    """Its name, for messages."""
    values: Mapping[str, Json] = field(default_factory=dict)
    """What ``${values.KEY}`` gives."""
    ids: Mapping[Address, str] = field(default_factory=dict)
    """Manifest -> the service's id; wins over ``metadata.id``."""
    allowed_secrets: frozenset[str] = frozenset()
    """The environment variables that manifests may name as secrets."""
    marketplace: str | None = None
    """What ``${marketplace}`` gives."""
    defaults: Policy = field(default_factory=Policy)
    """What manifests get where they say nothing themselves."""
    allow_unknown_roles: bool = False
    """A role that we do not know is a warning instead of an error."""
    secret_folders: tuple[Path, ...] = ()
    """Folders besides `root` that ``fromFile`` references and deliveries may be in."""
    own_credentials: frozenset[SecretReference] = frozenset()
    """What the reconciler itself logs in with: no manifest may name it."""
    root: Path | None = None
    """The folder that ``fromFile`` references stay in and are kept relative to; None: the working directory."""
    inputs: tuple[Path, ...] = ()
    """The configuration, and the files and folders of manifests and overlays: no delivery may write there."""
    overlays: tuple[Path, ...] = ()
    """Files and directories with parts of manifests that hold here."""
    apart: tuple[Path, ...] = ()
    """The overlays and files of ids of all environments: none is read as a manifest, wherever it stands."""
    may_be_empty: bool = False
    """A folder without manifests is no fault: they are about to be made."""
    partial: bool = False
    """Not all manifests are loaded, so that an overlay may be of one that is not."""
    rules: Mapping[str, RuleLevel] = field(default_factory=dict)
    """How strictly rules are taken; those that are not here, as their table says."""
    contents: Mapping[str, bytes] = field(default_factory=dict)
    """File, as messages call it -> what is read in place of what it holds: to try a change before it is written."""
    scope: Scope = field(default_factory=Scope)
    """What of the marketplace manifests may name."""
    memo: Memo | None = None
    """Keeps what several environments of one run read and work out alike."""
    is_emulated: bool = False
    """Whether its service is the embedded emulator, which sends nothing to anybody."""
    today: date = field(default_factory=lambda: datetime.now(UTC).date())
    """The day in UTC that waivers are judged by."""

    ask_git: Callable[[Collection[Path]], Mapping[Path, InGit | GitFailed]] | None = None
    """Looks files up that are neither ignored nor outside of a repository; None: nothing is known of git."""
    others: tuple["LoadContext", ...] = ()
    """What the other environments contribute: they must not have secrets delivered to the same files."""

    def parsed(self, file: File) -> Parsed:
        """Read and parse a file, or what stands in for it."""
        content = self.contents.get(file.shown)
        if content is not None:
            return parse(content, file.shown)
        return self.memo.get(file, lambda: read(file.path, file.shown)) if self.memo else read(file.path, file.shown)

    @property
    def allowed_paths(self) -> AllowedPaths:
        """Where files with secrets may be."""
        return AllowedPaths(self.root or Path(), self.secret_folders, self.inputs, self.resolved_inputs)

    resolved_inputs: dict[tuple[Path, ...], frozenset[str]] = field(default_factory=dict)
    """See `AllowedPaths.resolved`."""
    ids_at: tuple[str, ...] = ()
    """Where the ids stand in the file that has them."""
    config_place: Callable[[str], Place | None] = lambda _: None
    """JSON pointer into the configuration -> where it stands."""

    def level(self, rule: str) -> RuleLevel:
        """How strictly a rule is taken."""
        return self.rules.get(rule, RULES[rule].level)
