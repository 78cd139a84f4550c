"""The types of a configuration, with credentials as references; and the conversion of single values."""

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
"""The base URL of the embedded emulator, for plans. No connection is made to it."""
EMULATOR_MARKETPLACE: Final = "emulator"
"""The default marketplace of an embedded emulator."""

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
    """The embedded emulator of an environment."""

    seed: Path | None
    state: Path | None
    profile: Profile


@dataclass(frozen=True, slots=True)
class Auth:
    """The login: the password grant if there is a username, otherwise the client-credentials grant."""

    client_id: str | SecretReference
    client_secret: SecretReference | None = None
    username: str | SecretReference | None = None
    password: SecretReference | None = None
    scope: str = ""
    """Roles to request, separated by spaces; empty: all roles of the login."""


@dataclass(frozen=True, slots=True)
class Environment:
    """One marketplace at one base URL."""

    name: str
    base_url: str
    """Scheme and host, without a trailing slash."""
    emulator: EmulatorSettings | None = None
    marketplace: str | None = None
    """The Seller.ID that the service must have, and that an embedded emulator gets. None only for an emulator."""
    auth: Auth | None = None
    """None only for an emulator."""
    values: Mapping[str, Json] = field(default_factory=dict)
    allowed_secrets: frozenset[str] = frozenset()
    """The environment variables that manifests may name as secrets."""
    secret_folders: tuple[Path, ...] = ()
    """Folders for secret files of manifests, in addition to the folder of the configuration; absolute."""
    own_credentials: frozenset[SecretReference] = frozenset()
    """The reconciler's own credentials for all environments, which no manifest may name."""
    ids: Mapping[Address, str] = field(default_factory=dict)
    """Manifest -> the id of its object in the service."""
    ids_file: Path | None = None
    """The file of the ids, absolute; None: the configuration."""

    @property
    def ids_at(self) -> tuple[str, ...]:
        """The path of the ids in their file."""
        return () if self.ids_file else ("environments", self.name, "ids")

    limits: Limits = field(default_factory=Limits)
    concurrency: int = 8
    create: Creation = "auto"
    rules: Mapping[str, RuleLevel] = field(default_factory=dict)
    """Rule -> its level, if the configuration sets it."""
    overlays: tuple[Path, ...] = ()
    """Overlay files, or folders of them; absolute."""
    freeze: tuple[Window, ...] = ()
    """The windows in which nothing is applied."""
    defaults: Policy = field(default_factory=Policy)
    """The policy of manifests that do not set their own."""
    unmanaged_is_drift: bool = False
    """Whether objects in no manifest are drift."""
    manages: frozenset[str] = frozenset()
    """The kinds that are read even if no manifest has them."""
    scope: Scope = field(default_factory=Scope)
    """The part of the marketplace that the manifests manage."""
    protected: tuple[str, ...] = ()
    """Names, ids or addresses, or patterns of them, that must not be deleted or deactivated."""


@dataclass(frozen=True, slots=True)
class Config:
    """A valid reconciler.yaml."""

    path: Path
    manifests: tuple[Path, ...]
    """Absolute."""
    environments: Mapping[str, Environment]
    journal: Path
    """The folder of the journals; absolute."""
    promote: tuple[str, ...] = ()
    """The environments that are applied together, in order."""
    place: Callable[[str], Place | None] = field(default=lambda _: None, compare=False, repr=False)
    """JSON pointer into the file, including the ids of other files -> its place."""

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The paths that are read or written for any environment.

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
        """The files of single environments that are not manifests: overlays and files of ids."""
        paths = (path for each in self.environments.values() for path in (*each.overlays, each.ids_file))
        return tuple(filter(None, paths))


_URL_HINT: Final = "write it like https://useast-production.ordercloud.io"


def reference_in(folder: Path, value: Json) -> SecretReference | list[Fault]:
    """The secret reference of a value. Files must be below the folder of the configuration."""
    reference = secret_reference(value, "this", "")
    if isinstance(reference, Fault):
        return [reference]
    if reference.source is SecretSource.ENVIRONMENT:
        return reference
    allowed_paths = AllowedPaths(folder)
    path = allowed_paths.kept(reference.name, str(folder / "reconciler.yaml"))
    if objection := allowed_paths.objection(path):
        message = f"fromFile requires a path relative to this file's folder and inside it; this one {objection}"
        return [Fault("/fromFile", message, "secret")]
    return SecretReference(SecretSource.FILE, path)


def base_url(text: str) -> str | list[Fault]:
    """Normalise a URL that has only scheme and host."""
    try:
        url = urlsplit(text)
        host, port = url.hostname or "", url.port
    except ValueError:
        return [Fault("", "this is not a URL", "url", _URL_HINT)]
    if not host or url.scheme not in {"https", "http"} or not text.isascii() or not text.isprintable() or " " in text:
        return [Fault("", "this is not an https:// URL", "url", _URL_HINT)]
    netloc = url.netloc.lower()
    scheme = url.scheme if port or is_loopback(host) else "https"
    if url.path.strip("/") or "?" in text or "#" in text or "@" in netloc or "\\" in text:
        hint = f"write {scheme}://{netloc.rpartition('@')[2]}"
        return [Fault("", "the URL must have only a scheme and a host", "url", hint)]
    if scheme != url.scheme:
        hint = f"write https://{netloc}; plain http to an allowed host requires a port"
        return [Fault("", "http:// would send credentials unencrypted", "plain-http", hint)]
    try:
        origin_of(f"{scheme}://{netloc}")
    except ValueError:
        return [Fault("", f"{netloc} is not a host", "url", _URL_HINT)]
    return f"{scheme}://{netloc}"


_DATE_LENGTH: Final = len("2026-12-24")


def kind_faults(kind: str, at: str, *, at_key: bool = False) -> Iterator[Fault]:
    """The fault of an unknown kind; none if it is known."""
    if kind not in KINDS:
        hint = did_you_mean(kind, KINDS) or f"kinds are: {', '.join(KINDS)}"
        yield Fault(at, f"unknown kind {json.dumps(kind)}", "kind", hint, at_key=at_key)


def scope(entry: Mapping[str, Any]) -> Scope | list[Fault]:
    """Build a scope from an entry that is valid by the schema. Every pattern must match a kind."""
    faults = [
        fault
        for key in ("include", "exclude")
        for index, glob in enumerate(entry.get(key, ()))
        if not any(matches(glob.partition("/")[0], known) for known in KINDS)
        for fault in kind_faults(glob.partition("/")[0], pointer(key, index))
    ]
    return faults or Scope(tuple(entry.get("include", ())), tuple(entry.get("exclude", ())), entry.get("xp", {}))


_WINDOW_HINT: Final = "set days and hours (days, from, to), or from and to as dates"


def windows(entries: Sequence[Mapping[str, Any]]) -> tuple[Window, ...] | list[Fault]:
    """Build windows from entries that are valid by the schema."""
    found = [window(entry) for entry in entries]
    faults = [fault.moved("", pointer(at)) for at, one in enumerate(found) if isinstance(one, list) for fault in one]
    return faults or tuple(one for one in found if isinstance(one, Window))


def window(entry: Mapping[str, Any]) -> Window | list[Fault]:
    """Build a window from an entry that is valid by the schema."""
    period = _period(entry.get("days"), entry.get("from"), entry.get("to"))
    zone = _zone(entry.get("timezone", "UTC"))
    if isinstance(period, Fault) or isinstance(zone, Fault):
        return [one for one in (period, zone) if isinstance(one, Fault)]
    return Window(period, zone, entry.get("reason", ""))


def _zone(name: str) -> ZoneInfo | Fault:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder of zones
        return Fault("/timezone", f"there is no time zone {name}", "freeze", "write it like Europe/Berlin")


def _period(days: Sequence[str] | None, start: str | None, end: str | None) -> Weekly | Dated | Fault:
    if not (days or start or end):
        return Fault("", "the window has no days, hours or dates", "freeze", _WINDOW_HINT)
    if "-" in (start or "") or "-" in (end or ""):
        return _dated(days, start or "", end or "")
    chosen = frozenset(map(DAYS.index, days)) if days else frozenset(range(len(DAYS)))
    weekly = Weekly(chosen, _minutes(start or "00:00"), _minutes(end or "24:00"))
    if weekly.start == weekly.end:
        return Fault("/to", "from and to are equal", "freeze", "remove both for a whole day")
    return weekly


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _dated(days: Sequence[str] | None, start: str, end: str) -> Dated | Fault:
    """Build a window of dates. A date without an hour means the whole day, also as the end."""
    if days:
        return Fault("/days", "days of the week cannot be combined with dates", "freeze", _WINDOW_HINT)
    if "-" not in start or "-" not in end:
        return Fault("", "from and to must both be dates, or neither", "freeze", _WINDOW_HINT)
    try:
        begin, last = datetime.fromisoformat(start), datetime.fromisoformat(end)
    except ValueError:
        return Fault("", "from or to is not a valid date", "freeze")
    if len(end) == _DATE_LENGTH:
        last = datetime.combine(last, time.max) if last.date() == date.max else last + timedelta(minutes=MIDNIGHT)
    if last <= begin:
        return Fault("/to", "the window ends before it begins", "freeze")
    return Dated(begin, last)
