"""Choose live objects, and derive the name, the values and the text of their manifests.

Read-only fields, values that equal the API's default, and secrets are omitted, as are values that a manifest cannot
have: such a field keeps its live value, like any field that a manifest does not name.
"""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Final

from reconciler.errors import ReconcilerError
from reconciler.kinds import Field, Kind
from reconciler.manifests.checks import API_VERSION
from reconciler.manifests.edit import At
from reconciler.manifests.edit.text import YamlStyle, block, flow
from reconciler.manifests.load import LoadContext
from reconciler.manifests.manifest import examine
from reconciler.manifests.schema import Fault, did_you_mean
from reconciler.manifests.substitution import literal_body
from reconciler.manifests.yaml import parse
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Severity
from reconciler.model.inputs import Selection
from reconciler.model.json import Absent, Body, Json, get_at, is_array, pointer_parts, same, with_value_at
from reconciler.model.named_secret import UNTRIED, LiveSecret, moment_text
from reconciler.model.reports import LeftOut
from reconciler.model.resource import Address, LiveResource, same_id
from reconciler.planning.selection import is_selected
from reconciler.render.escape import escape


@dataclass(frozen=True, slots=True)
class ExportChoice:
    """Which live objects to export, and where differences go."""

    only: tuple[str, ...] = ()
    """Patterns of addresses; none: all objects."""
    own_client_id: str = ""
    """The login client, which is omitted unless a manifest claims it; empty: none."""
    overlay: Path | None = None
    """The folder of overlays for differences; None: they go into the manifests."""
    kinds: frozenset[str] = frozenset()
    """The kinds to export; empty: all that were read."""

    def includes(self, address: Address, live: Address | None = None) -> bool:
        """Whether an object is chosen. A pattern without a kind matches the name.

        Args:
            address: the address of its manifest.
            live: the address with its ID as name, as drift lists it, which must be equal to a pattern.
        """
        is_of_kind = not self.kinds or address.kind in self.kinds
        return is_of_kind and (not self.only or any(_matches(glob, address, live) for glob in self.only))

    def check(self, addresses: Collection[Address], live: Collection[Address]) -> None:
        """Refuse a pattern that matches nothing.

        Args:
            addresses: the addresses of manifests, including new ones.
            live: the addresses of all objects with their IDs as names.

        Raises:
            ReconcilerError: a pattern matches nothing.
        """
        for glob in self.only:
            if not any(_matches(glob, one) for one in addresses) and not any(_is_id(glob, one) for one in live):
                known = [str(one) if "/" in glob else one.name for one in addresses]
                raise ReconcilerError(f"--only {glob} matches no live object", hint=did_you_mean(glob, known))


def _matches(glob: str, address: Address, live: Address | None = None) -> bool:
    only = Selection((glob if "/" in glob else f"*/{glob}",), {})
    return is_selected(only, address, {}) or (live is not None and _is_id(glob, live))


def _is_id(glob: str, live: Address) -> bool:
    return glob.casefold() in (str(live).casefold(), live.name.casefold())


_MAX_LENGTH: Final = 60
_ID_DIGITS: Final = 8
"""How many digits of an id distinguish objects of the same name."""
_RESERVED: Final = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
)
"""Names of devices on Windows, which files cannot have, with any suffix."""


def names(objects: Mapping[str, str], taken: Collection[str], default_name: str) -> Mapping[str, str]:
    """Give each object a unique name.

    If two objects would get the same name, both get a part of their ids, so that neither name depends on the other
    object.

    Args:
        objects: id -> its title.
        taken: names that are in use.
        default_name: the name for an object without a usable title.
    """
    plain = {one: slug(title) for one, title in objects.items()}
    counts = Counter(plain.values())
    found: dict[str, str] = {}
    used = set(taken)
    for one in sorted(objects):
        name = plain[one]
        choices = [name] if name and counts[name] == 1 and name not in _RESERVED else []
        found[one] = next(
            choice for choice in chain(choices, _with_id(name or default_name, one)) if choice not in used
        )
        used.add(found[one])
    return found


def slug(text: str) -> str:
    """Lower-case letters and digits, separated by dashes: ``Café (EU)`` -> ``cafe-eu``; empty if there are none."""
    ascii_only = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^a-z0-9]+", "-", ascii_only)[:_MAX_LENGTH].strip("-")


def _with_id(name: str, object_id: str) -> Iterable[str]:
    digits = slug(object_id)
    yield f"{name}-{digits[:_ID_DIGITS]}".strip("-")
    full_name = f"{name}-{digits}".strip("-")
    yield full_name
    yield from (f"{full_name}-{number}" for number in count(2))


def file_names(folder: Path, name: str) -> Iterator[Path]:
    """Possible paths of a new file, in order of preference."""
    yield folder / f"{name}.yaml"
    yield from (folder / f"{name}-{number}.yaml" for number in count(2))


_ORDER: Final = ("apiVersion", "kind", "metadata", "spec", "assignments", "policy")


@dataclass(frozen=True, slots=True)
class ManifestOrigin:
    """The source of manifests, for the comment at the top of each."""

    source: str
    """``marketplace acme-staging``, or a file."""
    schema: Path | None = None
    """The path of the JSON Schema of manifests, which may not exist."""
    marketplace: str = ""
    """The ID of the marketplace, which differs between environments."""

    def relative_schema(self, file: Path) -> str:
        """The relative path from a new file to the schema; empty if the schema does not exist."""
        if self.schema is None or not self.schema.is_file():
            return ""
        return Path(os.path.relpath(self.schema, file.parent)).as_posix()


@dataclass(frozen=True, slots=True)
class Comments:
    """The content of the comments of a manifest."""

    file: Path
    """The file of the manifest."""
    left_out: Sequence[LeftOut]
    secrets: Sequence[LiveSecret]
    """The named secrets of the object."""


def base(kind: Kind, name: str, object_id: str) -> Body:
    """A manifest without values. `object_id` is empty if the AppName identifies the object."""
    metadata = {"name": name} | ({"id": object_id} if object_id else {})
    return {"apiVersion": API_VERSION, "kind": kind.name, "metadata": metadata, "spec": {}}


def text_of(kind: Kind, live: LiveResource, manifest: Body, comments: Comments, origin: ManifestOrigin) -> str:
    """The text of a file: comments, then the manifest."""
    shown = literal_body({key: manifest[key] for key in _ORDER if key in manifest})
    for name, field in kind.fields.items():
        if field.is_owner and same_id(str(get_at(manifest, ("spec", name))), origin.marketplace):
            shown = with_value_at(shown, ("spec", name), "${marketplace}")
    lines = (*_comment_lines(kind, live, manifest, comments, origin), *block(shown, 0, YamlStyle()))
    return "".join(f"{line}\n" for line in lines)


def _comment_lines(
    kind: Kind, live: LiveResource, manifest: Body, comments: Comments, origin: ManifestOrigin
) -> Iterator[str]:
    if schema := origin.relative_schema(comments.file):
        yield f"# yaml-language-server: $schema={schema}"
        yield "#"
    known = f", {kind.word} ID {escape(live.id)}" if live.body.get(kind.id_field) else ""
    yield f"# From {escape(origin.source)}{known}."
    values = ((name, live.body.get(name)) for name in sorted(kind.read_only - {kind.id_field}))
    read_only = [f"{name}: {escape(str(value))}" for name, value in values if isinstance(value, str | int) and value]
    if read_only:
        yield f"# Read-only: {'; '.join(read_only)}."
    for path, secret in sorted(live.secrets.items()):
        if secret is not None:
            parent, _, name = path.rpartition("/")
            where = f" in {parent}" if parent else ""
            yield f"# Its {name}{where} is not exported. An existing object keeps it;"
            yield f"# {_reason_to_add(kind, path)} add:"
            yield f"#   {name}: {{fromEnv: {_variable(manifest, path)}}}"
    policy = manifest.get("policy")
    if isinstance(policy, Mapping) and "state" in policy:
        yield "# Exists only in environments whose overlay sets state: present."
    yield from _named_secrets(comments.secrets)
    for one in comments.left_out:
        yield f"# Omitted: {escape(one.what)}: {escape(one.reason)}"


def _named_secrets(secrets: Sequence[LiveSecret]) -> Iterator[str]:
    """Comments on the secrets in use, without those that a rotation will delete."""
    in_use = [(one.base, one.expires) for one in secrets if one.ending in {"", UNTRIED}]
    found = sorted(in_use, key=lambda one: (one[0], str(one[1])))
    if not found:
        return
    listed = [
        f"{escape(name)} ({f'expires {moment_text(until)}' if until else 'does not expire'})" for name, until in found
    ]
    yield f"# Its secrets: {', '.join(listed)}. They are not changed. To watch them, add:"
    yield f"#   secrets: {flow([{'name': name} for name in dict.fromkeys(name for name, _ in found)], YamlStyle())}"


def _reason_to_add(kind: Kind, path: str) -> str:
    """Why to add the secret: what happens if the object is created without it."""
    if kind.secret_rows[path].required:
        return "to create it from this manifest,"
    if kind.named_secrets:
        return "created from this manifest, it has none, and its id alone is enough to log in. To set it,"
    return "created from this manifest, it has none. To set it,"


def _variable(manifest: Body, path: str) -> str:
    """A name for the environment variable of a secret: ``CHECKOUT_HASH_KEY``."""
    metadata = manifest["metadata"]
    name = str(metadata["name"]) if isinstance(metadata, Mapping) else ""
    field = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", path.rpartition("/")[2])
    word = re.sub(r"[^A-Z0-9]+", "_", f"{name}_{field}".upper())
    return f"{'_' if word[:1].isdigit() else ''}{word}"


def wanted_fields(kind: Kind, live: LiveResource) -> dict[At, Json]:
    """Path -> value for the manifest of an object. Lists without an order are sorted.

    Every level of assignments is included, because only those are watched, except that of single users, which is data.
    """
    found: dict[At, Json] = {}
    for name, field in {**kind.fields, **kind.initial_fields}.items():
        value = live.body.get(name)
        default = field.canonical_value(None)
        if name == kind.name_field or (value is not None and not same(field.canonical_value(value), default)):
            found["spec", name] = _sorted(field.canonical(value) if field.is_set else _without_nulls(field, value))
    for level in kind.levels:
        if level.name in live.assignments and not level.is_of_users:
            found["assignments", level.name] = level.value(live.assignments[level.name])
    return found


def _without_nulls(field: Field, value: Json) -> Json:
    """A record without members that are null, which are the same as missing ones."""
    if not field.members or not isinstance(value, Mapping):
        return value
    members = field.members
    return {
        name: _without_nulls(members[name], one) if name in members else one
        for name, one in value.items()
        if one is not None
    }


def _sorted(value: Json) -> Json:
    """Sort keys, which the service returns in any order."""
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if is_array(value):
        return [_sorted(member) for member in value]
    return value


@dataclass(frozen=True, slots=True)
class WritableBody:
    """Values that a manifest can have, and what was omitted."""

    values: Mapping[At, Json]
    left_out: tuple[LeftOut, ...]
    is_manifest: bool = True
    """Whether the manifest with these values is valid."""


def writable_body(kind: Kind, context: LoadContext, base: Body, values: Mapping[At, Json]) -> WritableBody:
    """Remove values with which the manifest would be invalid.

    Args:
        kind: the kind of the manifest.
        context: the context of the environment.
        base: the manifest without the values, before substitution of `${...}`.
        values: the values to add, by path.
    """
    kept, left = dict(values), []
    for path in [path for path, value in values.items() if not _can_be_written(value)]:
        del kept[path]
        left.append(LeftOut(_name(path), "YAML cannot represent it"))
    while faults := _errors(kind, context, base, kept):
        invalid = {_path(fault): fault for fault in faults if _path(fault) in kept and _path(fault) != _identity(kind)}
        for path, fault in (invalid or dict.fromkeys(list(kept), faults[0])).items():
            del kept[path]
            left.append(LeftOut(_name(path), _reason(fault)))
        if not kept:
            return WritableBody({}, tuple(left), is_manifest=not _errors(kind, context, base, {}))
    return WritableBody(kept, tuple(left))


def body_of(base: Body, values: Mapping[At, Json | Absent]) -> Body:
    """A manifest with the values added."""
    body = base
    for path, value in values.items():
        body = with_value_at(body, path, value)
    return body


def _errors(kind: Kind, context: LoadContext, base: Body, values: Mapping[At, Json]) -> list[Fault]:
    faults = examine(literal_body(body_of(base, values)), kind, "", context).faults
    return [fault for fault in faults if fault.severity is Severity.ERROR]


def _identity(kind: Kind) -> At | None:
    """The field that identifies the object; a manifest without it is unusable."""
    return None if kind.has_chosen_ids else ("spec", kind.name_field)


def _path(fault: Fault) -> At:
    return pointer_parts(fault.pointer)[:2]


def _name(path: At) -> str:
    return path[1] if path[0] == "spec" else ".".join(path)


def _reason(fault: Fault) -> str:
    hint = f"; {fault.hint}" if fault.hint else ""
    return f"{fault.message}{hint} [{fault.rule}]"


def _can_be_written(value: Json) -> bool:
    """Whether a value is the same after writing and parsing; not so for lone surrogates or very long keys."""
    try:
        parsed = parse(f"- {flow(value, YamlStyle())}".encode(), "")
    except UnicodeEncodeError:
        return False
    data = [document.data for document in parsed.documents]
    return not parsed.faults and same(data, [[value]])
