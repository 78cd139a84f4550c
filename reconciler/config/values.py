"""Single values of reconciler.yaml -> a URL, a reference, a freeze window or a scope, or what is wrong with them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reconciler.kinds import KINDS
from reconciler.manifests.allowed_paths import AllowedPaths
from reconciler.manifests.schema import Fault, did_you_mean, secret_reference
from reconciler.model.freeze import DAYS, MIDNIGHT, Dated, Weekly, Window
from reconciler.model.json import Json, pointer
from reconciler.model.resource import Scope, matches
from reconciler.model.secret import SecretReference, SecretSource
from reconciler.remote.hosts import is_loopback, origin_of

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
        return Fault("/days", "days of the week do not go with dates", "freeze", _HINT)
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
