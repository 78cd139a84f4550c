"""A document -> faults that its schema cannot find, or what it is if it is not a manifest.

Users also pass other files: exports, request bodies from a tutorial, the configuration, files of other programs.

Only URLs that all programs parse alike are accepted: what is a path for one program can be a host for another, and such
a URL could pass a review and send orders, tokens and secrets to another host.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

from reconciler.kinds import DEFAULT_KIND, KINDS, Field, Kind
from reconciler.kinds.assignments import Level
from reconciler.kinds.fields import API_ROLES, Record, Text
from reconciler.manifests.context import LoadContext
from reconciler.manifests.schema import Fault, did_you_mean
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Severity
from reconciler.model.json import Body, Json, is_array, pointer, pointer_parts
from reconciler.model.resource import Address

API_VERSION: Final = "reconciler/v1"

_MIN_KNOWN_FIELDS: Final = 2  # fields of a kind that identify one of its bodies
_COMMON: Final = frozenset({"ID", "Name"})  # in bodies of many kinds, and in other files


@dataclass(frozen=True, slots=True)
class Unrecognised:
    """A document that is not a manifest."""

    message: str
    hint: str = ""
    kind: str = ""
    bodies: tuple[tuple[str, Json], ...] = ()
    """Request bodies of that kind, by JSON pointer: faults of their fields are also reported."""


def recognise(data: Json) -> Unrecognised | None:
    """What a document is; None if it is a manifest or evidently meant to be one."""
    if not isinstance(data, Mapping):
        return _requests(_numbered("", data)) or Unrecognised(
            "a manifest is a mapping, with apiVersion, kind, metadata and spec"
        )
    version, name = data.get("apiVersion"), data.get("kind")
    is_foreign = isinstance(version, str) and "/" in version and not version.startswith("reconciler/")
    if isinstance(name, str) and name in KINDS and not is_foreign:
        return None
    if version is None and name is None:
        return _without_kind(data)
    if isinstance(version, str) and not version.startswith("reconciler/"):
        return Unrecognised(
            "this is a manifest of another program, such as Kubernetes", "move it out of this directory"
        )
    return _of_unknown_kind(name)


def address_in(data: Json) -> Address | None:
    """The address of a manifest or overlay; None if it has none."""
    match data:
        case {"kind": str(kind), "metadata": {"name": str(name)}}:
            return Address(kind, name)
        case _:
            return None


def _without_kind(data: Mapping[str, Json]) -> Unrecognised:
    if isinstance(data.get("Objects"), Mapping):
        hint = "convert it to manifests with: reconciler import FILE; or serve it: reconciler emulator --seed FILE"
        return Unrecognised("this is a seeding file of OrderCloud's own tools, not a manifest", hint)
    found = _requests([("", data)]) or _requests(_numbered("/Items", data.get("Items")))
    return found or Unrecognised("this is not a manifest: it lacks apiVersion and kind")


def _of_unknown_kind(name: Json) -> Unrecognised:
    known = ", ".join(KINDS)
    if name is None:
        return Unrecognised("the manifest lacks kind", f"kinds are: {known}")
    if name == "Config":
        hint = "remove it from the loaded paths: it is found automatically or named with --config"
        return Unrecognised("this is the configuration, not a manifest", hint)
    if not isinstance(name, str):
        return Unrecognised("kind must be a string", f"kinds are: {known}")
    return Unrecognised(f"unknown kind {json.dumps(name)}", did_you_mean(name, KINDS) or f"kinds are: {known}")


def _requests(bodies: Sequence[tuple[str, Json]]) -> Unrecognised | None:
    """Recognise request bodies that create or change resources of a kind."""
    found = [(max(_match_score(kind, body) for _, body in bodies), kind) for kind in KINDS.values()] if bodies else []
    (count, _, _), kind = max(found, key=lambda one: one[0], default=((0, False, 0), KINDS[DEFAULT_KIND]))
    if count < _MIN_KNOWN_FIELDS:
        return None
    one = bodies[0][0] == ""
    message = "this is a request body, not a manifest" if one else "this is a list of request bodies, not of manifests"
    hint = (
        f"make {'it' if one else 'each'} a manifest: apiVersion: {API_VERSION}, kind: {kind.name}, "
        "metadata: {name: ...}, and its fields below spec"
    )
    return Unrecognised(message, hint, kind.name, tuple(bodies))


def _match_score(kind: Kind, data: Json) -> tuple[int, bool, int]:
    """How well a body matches a kind: its number of known fields, all required ones, and few unknown ones.

    A specific name field (``AppName``) is sufficient.
    """
    if not isinstance(data, Mapping):
        return 0, False, 0
    known = kind.fields.keys() | kind.read_only | kind.secret_fields
    count = len(data.keys() & known)
    is_named = kind.name_field in data and kind.name_field not in _COMMON
    return max(count, _MIN_KNOWN_FIELDS) if is_named else count, kind.required <= data.keys(), -len(known)


def _numbered(at: str, data: Json) -> list[tuple[str, Json]]:
    return [(f"{at}/{index}", member) for index, member in enumerate(data)] if is_array(data) else []


XP_LIMIT: Final = 8000
"""Characters of JSON that OrderCloud allows in the extended properties of one object."""


def semantic_faults(manifest: Body, kind: Kind, context: LoadContext) -> Iterator[Fault]:
    """Find faults that a schema cannot express. Parts that do not match the schema are skipped."""
    spec, policy, assignments = manifest.get("spec"), manifest.get("policy"), manifest.get("assignments")
    yield from _name_as_id(manifest.get("metadata"), kind, context)
    if isinstance(spec, Mapping):
        yield from _roles(spec, kind, context)
        yield from _extended_properties(spec)
        yield from _urls(spec, kind.urls, "spec")
    if isinstance(assignments, Mapping):
        yield from _assignments(assignments, kind)
    if isinstance(policy, Mapping):
        yield from _ignored(policy, kind)
        if policy.get("state") == "absent" and kind.row_fields:
            message = f"the {kind.noun} cannot be deleted, only emptied"
            hint = f"set each field to [], such as {next(iter(kind.fields))}: []"
            yield Fault("/policy/state", message, "contradiction", hint)
        if policy.get("state") == "absent" and policy.get("protected") is True:
            message = "the resource is protected, so its state cannot be absent"
            yield Fault("/policy/state", message, "contradiction", "remove protected first, in a separate change")


def _name_as_id(metadata: Json, kind: Kind, context: LoadContext) -> Iterator[Fault]:
    """A name that is also the id must be an entity, or have no '.', like any id."""
    if not kind.has_chosen_ids or kind.only_id or not isinstance(metadata, Mapping):
        return
    name = str(metadata.get("name"))
    known = str(context.ids.get(Address(kind.name, name)) or metadata.get("id") or name)
    if kind.entities and known not in kind.singles:
        message = f"there is no {kind.noun} of {json.dumps(known)}; entities are: {', '.join(kind.singles)}"
        hint = did_you_mean(known, kind.singles) or "write the entity as metadata.id"
        yield Fault("/metadata/id" if metadata.get("id") else "/metadata/name", message, "choice", hint)
    if metadata.get("id"):
        return
    if "." in name and Address(kind.name, name) not in context.ids:
        message = f"the name {name} is also the id in OrderCloud, which may contain only letters, digits, '-' and '_'"
        yield Fault("/metadata/name", message, "format", "choose another name, or set metadata.id")


def _roles(spec: Body, kind: Kind, context: LoadContext) -> Iterator[Fault]:
    severity = Severity.WARNING if context.allow_unknown_roles else Severity.ERROR
    otherwise = "" if context.allow_unknown_roles else "if OrderCloud has added it since, use --allow-unknown-roles"
    for field in kind.role_fields:
        roles = spec.get(field)
        for index, role in enumerate(roles if is_array(roles) else ()):
            if isinstance(role, str) and role not in API_ROLES:
                hint = did_you_mean(role, API_ROLES) or otherwise
                at = pointer("spec", field, index)
                yield Fault(at, f"unknown role {json.dumps(role)}", "unknown-role", hint, severity=severity)


def unpaired(body: Mapping[str, object], table: Sequence[Field], *above: str) -> Iterator[Fault]:
    """Find fields that OrderCloud requires together. A secret may be omitted: its live value is kept."""
    secret = {field.name for field in table if field.secret}
    for field in table:
        value, other = body.get(field.name), field.together
        if value is None:
            continue
        if isinstance(field.type, Record) and isinstance(value, Mapping):
            yield from unpaired(value, field.type.fields, *above, field.name)
        if not other or body.get(other) is not None or (other not in body and other in secret):
            continue
        message = f"{field.name} is set and {other} is {'null' if other in body else 'not'}"
        hint = f"set both, or write {field.name}: null and {other}: null"
        yield Fault(pointer(*above, field.name), message, "together", hint)


def _assignments(assignments: Body, kind: Kind) -> Iterator[Fault]:
    for level in kind.levels:
        rows = assignments.get(level.name)
        if is_array(rows):
            yield from _malformed_rows(level, rows)
            yield from _same_but_for_case(level, rows)


def _malformed_rows(level: Level, rows: Sequence[Json]) -> Iterator[Fault]:
    """Find rows that name too few or too many parties."""
    for index, row in enumerate(rows):
        if isinstance(row, Mapping) and not _is_complete(level, row):
            message = f"{level.name} cannot have a row of {', '.join(row) or 'nothing'}"
            yield Fault(pointer("assignments", level.name, index), message, "assignment", level.usage)


def _is_complete(level: Level, row: Body) -> bool:
    return tuple(word for word in level.words if word in row) in level.shapes


def _same_but_for_case(level: Level, rows: Sequence[Json]) -> Iterator[Fault]:
    """Find ids that differ in case only, which OrderCloud treats as equal."""
    seen: dict[str, str] = {}
    for index, row in enumerate(rows):
        if isinstance(row, Mapping) and not _is_complete(level, row):
            continue
        (one,) = level.texts([row])
        other = seen.setdefault(one.casefold(), one)
        if other != one:
            yield Fault(pointer("assignments", level.name, index), f"{one} is the same id as {other}", "repeated")


def _extended_properties(spec: Body) -> Iterator[Fault]:
    xp = spec.get("xp")
    if 2 * len(repr(xp)) <= XP_LIMIT:  # built ten times as fast as JSON, which is never twice as long
        return
    length = len(json.dumps(xp, ensure_ascii=False, separators=(",", ":")))
    if length > XP_LIMIT:
        message = f"xp has {length:,} characters as JSON; OrderCloud allows {XP_LIMIT:,}"
        yield Fault("/spec/xp", message, "xp-size")


def _urls(body: Body, table: Iterable[Field], *above: str) -> Iterator[Fault]:
    for field in table:
        value = body.get(field.name)
        if value is None:
            continue
        schemes = field.type.schemes if isinstance(field.type, Text) else None
        if isinstance(field.type, Record) and isinstance(value, Mapping):
            yield from _urls(value, field.type.fields, *above, field.name)
        if schemes is not None and isinstance(value, str) and value and (fault := url_fault(value, schemes)):
            message = f"{field.name} is not a valid URL: {fault}"
            yield Fault(pointer(*above, field.name), message, "url", f"write it like {field.examples[0]}")


def _ignored(policy: Body, kind: Kind) -> Iterator[Fault]:
    pointers = policy.get("ignore")
    for index, text in enumerate(pointers if is_array(pointers) else ()):
        if not isinstance(text, str) or not text.startswith("/"):
            continue
        field = pointer_parts(text)[0]
        if field in kind.fields:
            continue
        message, hint = f"ignore contains {json.dumps(field)}, which is not a field of {kind.name}", ""
        if field == "spec":
            hint = "pointers are relative to spec"
        elif field in kind.secret_fields:
            message, hint = f"ignore contains the secret {field}", "a secret that is not in spec is never changed"
        else:
            hint = did_you_mean(field, kind.fields)
        yield Fault(pointer("policy", "ignore", index), message, "unknown-field", hint)


_LABEL: Final = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?=.{{1,254}}\Z){_LABEL}([.]{_LABEL})*[.]?")
_PLACE: Final = re.compile(r"(?P<host>\[[^]%]+\]|[^][:@%\u3002\uff0e\uff61]+)(:[0-9]+)?")
"""A host and a port, without IPv6 zones and without characters that only some programs treat as a dot."""
_ADDRESS: Final = re.compile(r"(.*[.])?([0-9]+|0x[0-9a-f]*)[.]?")
"""Hosts that some programs treat as an IPv4 address."""


def url_fault(text: str, schemes: Collection[str]) -> str:
    """The fault of a URL; empty: none. Without `schemes` it may be a link to an app: any scheme, no host."""
    if not text.isprintable() or not {" ", "\\"}.isdisjoint(text):
        return "it contains a space, a backslash or a control character"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return "its host or port is malformed"
    if parts.scheme not in (schemes or {"https", "http"}):
        begins = " or ".join(f"{one}://" for one in schemes or ("https",))
        return "" if parts.scheme and not schemes else f"it does not begin with {begins}"
    if "@" in text.partition("://")[2].partition("/")[0]:  # some programs also search beyond ? and #
        return "it has a user name or a password, or an @ before its path"
    place = _PLACE.fullmatch(parts.netloc)
    is_host = place is not None and port != 0 and _is_host(place["host"])
    return "" if is_host else f"{parts.netloc} is not a host" if parts.netloc else "it has no host"


def _is_host(name: str) -> bool:
    try:
        if name.startswith("["):
            return isinstance(ip_address(name[1:-1]), IPv6Address)
        if _ADDRESS.fullmatch(name.lower()):
            return bool(ip_address(name))
        return bool(_NAME.fullmatch(name.lower() if name.isascii() else _in_ascii(name)))
    except ValueError:
        return False


def _in_ascii(name: str) -> str:
    """The name in punycode, if both versions of the standard agree on it; an `IDNAError` is a `ValueError`."""
    import idna  # noqa: PLC0415  # its tables take a while to load, and few hosts have letters beyond ASCII

    found = idna.encode(name)
    return found.decode() if found == name.encode("idna") else ""
