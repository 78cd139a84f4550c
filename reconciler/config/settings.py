"""What a checked configuration says: environments, their addresses, credentials as references, limits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from reconciler.manifests.rules import Level
from reconciler.model.diagnostic import Place
from reconciler.model.freeze import Window
from reconciler.model.json import Json
from reconciler.model.plan import Creation, Limits
from reconciler.model.resource import Address, Policy, Scope
from reconciler.model.secret import SecretReference, SecretSource

Profile: TypeAlias = Literal["current", "legacy"]

EMULATOR_URL: Final = "http://localhost"
"""The base URL of the embedded emulator: it names a target in plans, and is never connected to."""
EMULATOR_MARKETPLACE: Final = "emulator"
"""The marketplace that an embedded emulator is where its environment names none."""

_HOSTS: Final = {
    "us-west": ("api", "stagingapi", "sandboxapi"),
    "us-east": ("useast-production", "useast-staging", "useast-sandbox"),
    "australia-east": ("australiaeast-production", "australiaeast-staging", "australiaeast-sandbox"),
    "europe-west": ("westeurope-production", "westeurope-staging", "westeurope-sandbox"),
    "japan-east": ("japaneast-production", "japaneast-staging", "japaneast-sandbox"),
}
_STAGES: Final = ("production", "staging", "sandbox")
BASE_URLS: Final[Mapping[tuple[str, str], str]] = MappingProxyType(
    {
        (region, stage): f"https://{host}.ordercloud.io"
        for region, hosts in _HOSTS.items()
        for stage, host in zip(_STAGES, hosts, strict=True)
    }
)
"""(region, stage) -> base URL. Source: OrderCloud knowledge base, "Supported regions"."""


@dataclass(frozen=True, slots=True)
class EmulatorSettings:
    """The embedded stand-in of an environment."""

    seed: Path | None = None
    state: Path | None = None
    profile: Profile = "current"


@dataclass(frozen=True, slots=True)
class Auth:
    """How to log in: with a username by the password grant, else by the client-credentials grant."""

    client_id: str | SecretReference
    client_secret: SecretReference | None = None
    username: str | SecretReference | None = None
    password: SecretReference | None = None
    scope: str = ""
    """Roles to ask for, separated by spaces; empty: all that the login has."""


@dataclass(frozen=True, slots=True)
class Environment:
    """One marketplace at one base URL."""

    name: str
    base_url: str
    """Scheme and host, without a slash at the end."""
    emulator: EmulatorSettings | None = None
    marketplace: str | None = None
    """The Seller.ID that the service must answer, and that an embedded emulator does. None only for an emulator."""
    auth: Auth | None = None
    """None only for an emulator."""
    values: Mapping[str, Json] = field(default_factory=dict)
    allowed_secrets: frozenset[str] = frozenset()
    """The environment variables that manifests may name as secrets."""
    secret_folders: tuple[Path, ...] = ()
    """Folders beside the configuration's own in which manifests may keep secrets; absolute."""
    own_credentials: frozenset[SecretReference] = frozenset()
    """What the reconciler itself logs in with, in any environment: no manifest may name it."""
    ids: Mapping[Address, str] = field(default_factory=dict)
    """Manifest -> the service's id of its object."""
    ids_file: Path | None = None
    """The file that has the ids, absolute; None: the configuration."""

    @property
    def ids_at(self) -> tuple[str, ...]:
        """Where the ids stand in the file that has them."""
        return () if self.ids_file else ("environments", self.name, "ids")

    limits: Limits = field(default_factory=Limits)
    concurrency: int = 8
    create: Creation = "auto"
    rules: Mapping[str, Level] = field(default_factory=dict)
    """How strictly rules are taken, as far as the configuration says."""
    overlays: tuple[Path, ...] = ()
    """Files and directories with parts of manifests that hold here only; absolute."""
    freeze: tuple[Window, ...] = ()
    """When nothing is applied here."""
    defaults: Policy = field(default_factory=Policy)
    """What manifests get where they say nothing themselves."""
    unmanaged_is_drift: bool = False
    """Whether objects in no manifest are drift."""
    manages: frozenset[str] = frozenset()
    """The kinds that are read although no manifest names them."""
    scope: Scope = field(default_factory=Scope)
    """What of the marketplace the manifests are of."""
    protected: tuple[str, ...] = ()
    """Names, ids or addresses, or patterns of them: never deleted nor deactivated here."""


@dataclass(frozen=True, slots=True)
class Config:
    """A checked reconciler.yaml."""

    path: Path
    manifests: tuple[Path, ...]
    """Absolute."""
    environments: Mapping[str, Environment]
    journal: Path
    """The folder of the journals; absolute."""
    promote: tuple[str, ...] = ()
    """The environments in the order in which they are applied together; empty: they are not."""
    place: Callable[[str], Place | None] = field(default=lambda _: None, compare=False, repr=False)
    """JSON pointer into the file, ids of other files included -> where it stands."""

    @property
    def failing_on_unmanaged(self) -> frozenset[str]:
        """The environments in which objects in no manifest are drift."""
        return frozenset(name for name, one in self.environments.items() if one.unmanaged_is_drift)

    @property
    def inputs(self) -> tuple[Path, ...]:
        """What is read or kept for any environment.

        This file, manifests, overlays, ids, logins, emulator data, journals.
        """
        folder = self.path.parent
        logins = {one for each in self.environments.values() for one in each.own_credentials}
        files = [folder / one.name for one in logins if one.source is SecretSource.FILE]
        emulators = [one.emulator for one in self.environments.values() if one.emulator]
        data = [path for one in emulators for path in (one.seed, one.state) if path]
        return (self.path, *self.manifests, *self.apart, *sorted(files), *data, self.journal)

    @property
    def apart(self) -> tuple[Path, ...]:
        """What holds in one environment only and is no manifest: overlays and files of ids."""
        return tuple(
            path for each in self.environments.values() for path in (*each.overlays, each.ids_file) if path is not None
        )
