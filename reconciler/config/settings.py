"""What a configuration says: environments, addresses, credentials as references, limits; and how one value is read."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reconciler.kinds import KINDS
from reconciler.kinds.checks import RuleLevel
from reconciler.manifests.files import AllowedPaths
from reconciler.manifests.schema import Fault, did_you_mean
from reconciler.manifests.secrets import secret_reference
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Place
from reconciler.model.inputs import DAYS, MIDNIGHT, Dated, Weekly, Window
from reconciler.model.json import Json, pointer
from reconciler.model.plan import Creation, Limits
from reconciler.model.resource import Address, Policy, Scope, matches
from reconciler.model.secret import SecretReference, SecretSource
from reconciler.remote.hosts import is_loopback, origin_of

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

    seed: Path | None
    state: Path | None
    profile: Profile


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
    rules: Mapping[str, RuleLevel] = field(default_factory=dict)
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
        paths = (path for each in self.environments.values() for path in (*each.overlays, each.ids_file))
        return tuple(filter(None, paths))


_EXAMPLE: Final = "write it like https://useast-production.ordercloud.io"


def reference_in(folder: Path, value: Json) -> SecretReference | list[Fault]:
    """Where a secret comes from; a file lies below the folder of the configuration."""
    reference = secret_reference(value, "this", "")
    if isinstance(reference, Fault):
        return [reference]
    if reference.source is SecretSource.ENVIRONMENT:
        return reference
    allowed_paths = AllowedPaths(folder)
    path = allowed_paths.kept(reference.name, str(folder / "reconciler.yaml"))
    if objection := allowed_paths.objection(path):
        message = f"fromFile takes a path inside this file's folder, relative to it; this one {objection}"
        return [Fault("/fromFile", message, "secret")]
    return SecretReference(SecretSource.FILE, path)


def base_url(text: str) -> str | list[Fault]:
    """Scheme and host of a URL that has nothing else."""
    try:
        url = urlsplit(text)
        host, port = url.hostname or "", url.port
    except ValueError:
        return [Fault("", "this is not a URL", "url", _EXAMPLE)]
    if not host or url.scheme not in {"https", "http"} or not text.isascii() or not text.isprintable() or " " in text:
        return [Fault("", "this is not an https:// URL", "url", _EXAMPLE)]
    netloc = url.netloc.lower()
    scheme = url.scheme if port or is_loopback(host) else "https"
    if url.path.strip("/") or "?" in text or "#" in text or "@" in netloc or "\\" in text:
        hint = f"write {scheme}://{netloc.rpartition('@')[2]}"
        return [Fault("", "the URL has more than scheme and host", "url", hint)]
    if scheme != url.scheme:
        hint = f"write https://{netloc}; a host that is allowed for plain http is written with its port"
        return [Fault("", "http:// would send credentials unencrypted", "plain-http", hint)]
    try:
        origin_of(f"{scheme}://{netloc}")
    except ValueError:
        return [Fault("", f"{netloc} is not a host", "url", _EXAMPLE)]
    return f"{scheme}://{netloc}"


_DATE_LENGTH: Final = len("2026-12-24")


def kind_faults(kind: str, at: str, *, at_key: bool = False) -> Iterator[Fault]:
    """Say that there is no such kind; nothing where there is."""
    if kind not in KINDS:
        hint = did_you_mean(kind, KINDS) or f"kinds are: {', '.join(KINDS)}"
        yield Fault(at, f"unknown kind {json.dumps(kind)}", "kind", hint, at_key=at_key)


def scope(entry: Mapping[str, Any]) -> Scope | list[Fault]:
    """Build a scope of an entry that has passed the schema; a pattern must be of some kind."""
    faults = [
        fault
        for key in ("include", "exclude")
        for index, glob in enumerate(entry.get(key, ()))
        if not any(matches(glob.partition("/")[0], known) for known in KINDS)
        for fault in kind_faults(glob.partition("/")[0], pointer(key, index))
    ]
    return faults or Scope(tuple(entry.get("include", ())), tuple(entry.get("exclude", ())), entry.get("xp", {}))


_HINT: Final = "give days and hours (days, from, to), or from and to as dates"


def windows(entries: Sequence[Mapping[str, Any]]) -> tuple[Window, ...] | list[Fault]:
    """Build windows of entries that have passed the schema."""
    found = [window(entry) for entry in entries]
    faults = [fault.moved("", pointer(at)) for at, one in enumerate(found) if isinstance(one, list) for fault in one]
    return faults or tuple(one for one in found if isinstance(one, Window))


def window(entry: Mapping[str, Any]) -> Window | list[Fault]:
    """Build a window of an entry that has passed the schema."""
    when = _when(entry.get("days"), entry.get("from"), entry.get("to"))
    zone = _zone(entry.get("timezone", "UTC"))
    if isinstance(when, Fault) or isinstance(zone, Fault):
        return [one for one in (when, zone) if isinstance(one, Fault)]
    return Window(when, zone, entry.get("reason", ""))


def _zone(name: str) -> ZoneInfo | Fault:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a directory of zones is an OSError
        return Fault("/timezone", f"there is no time zone {name}", "freeze", "write it like Europe/Berlin")


def _when(days: Sequence[str] | None, start: str | None, end: str | None) -> Weekly | Dated | Fault:
    if not (days or start or end):
        return Fault("", "the window does not say when it applies", "freeze", _HINT)
    if "-" in (start or "") or "-" in (end or ""):
        return _dated(days, start or "", end or "")
    chosen = frozenset(map(DAYS.index, days)) if days else frozenset(range(len(DAYS)))
    weekly = Weekly(chosen, _minutes(start or "00:00"), _minutes(end or "24:00"))
    if weekly.start == weekly.end:
        return Fault("/to", "the window ends when it begins", "freeze", "leave both out for a whole day")
    return weekly


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _dated(days: Sequence[str] | None, start: str, end: str) -> Dated | Fault:
    """A date without an hour means the whole day, as an end, too."""
    if days:
        return Fault("/days", "days of the week cannot be combined with dates", "freeze", _HINT)
    if "-" not in start or "-" not in end:
        return Fault("", "from and to are both dates, or neither is", "freeze", _HINT)
    try:
        begin, last = datetime.fromisoformat(start), datetime.fromisoformat(end)
    except ValueError:
        return Fault("", "from or to is not a valid date", "freeze")
    if len(end) == _DATE_LENGTH:
        last = datetime.combine(last, time.max) if last.date() == date.max else last + timedelta(minutes=MIDNIGHT)
    if last <= begin:
        return Fault("/to", "the window ends before it begins", "freeze")
    return Dated(begin, last)
