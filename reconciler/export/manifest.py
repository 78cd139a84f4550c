"""Live objects -> those that are exported, and the manifest of each: its values, and the text of its file.

Read-only fields, values that equal the API's default, and secrets are left out, as are values that a manifest cannot
have: such a field keeps its live value, as any field that a manifest does not name.
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
from reconciler.manifests.edit.text import Style, block, flow
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
class Choice:
    """The part of what is live."""

    only: tuple[str, ...] = ()
    """Patterns of addresses; none: everything."""
    own_client_id: str = ""
    """An object that is left out unless a manifest has it; empty: none."""
    overlay: Path | None = None
    """The folder of overlays for differences; None: they go into the manifests."""
    kinds: frozenset[str] = frozenset()
    """The kinds that are exported; empty: all that were read."""

    def takes(self, address: Address, live: Address | None = None) -> bool:
        """Whether an object of this address is chosen; a bare name is enough.

        Args:
            address: of its manifest.
            live: of the object by its ID, as drift lists it. Patterns do not apply to it.
        """
        is_of_kind = not self.kinds or address.kind in self.kinds
        return is_of_kind and (not self.only or any(_matches(glob, address, live) for glob in self.only))

    def check(self, addresses: Collection[Address], live: Collection[Address]) -> None:
        """Refuse a pattern that matches nothing.

        Args:
            addresses: of manifests, including new ones.
            live: of all objects by their IDs.

        Raises:
            ReconcilerError: with the pattern.
        """
        for glob in self.only:
            if not any(_matches(glob, one) for one in addresses) and not any(_is_id(glob, one) for one in live):
                known = [str(one) if "/" in glob else one.name for one in addresses]
                raise ReconcilerError(f"--only {glob} matches nothing that is live", hint=did_you_mean(glob, known))


def _matches(glob: str, address: Address, live: Address | None = None) -> bool:
    only = Selection((glob if "/" in glob else f"*/{glob}",), {})
    return is_selected(only, address, {}) or (live is not None and _is_id(glob, live))


def _is_id(glob: str, live: Address) -> bool:
    return glob.casefold() in (str(live).casefold(), live.name.casefold())


_LONGEST: Final = 60
_DIGITS: Final = 8
"""Digits of an id that are enough to distinguish a few objects."""
_RESERVED: Final = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
)
"""Names of devices on Windows, which no file may have, with any suffix."""


def names(objects: Mapping[str, str], taken: Collection[str], nameless: str) -> Mapping[str, str]:
    """Give each object a name of its own.

    If two objects would get the same name, both get a part of their ids, so that neither name depends on the other
    object.

    Args:
        objects: id -> its title.
        taken: names that others have.
        nameless: the name for an object without a usable title.
    """
    plain = {one: slug(title) for one, title in objects.items()}
    counts = Counter(plain.values())
    found: dict[str, str] = {}
    used = set(taken)
    for one in sorted(objects):
        name = plain[one]
        choices = [name] if name and counts[name] == 1 and name not in _RESERVED else []
        found[one] = next(choice for choice in chain(choices, _with_id(name or nameless, one)) if choice not in used)
        used.add(found[one])
    return found


def slug(text: str) -> str:
    """Small letters and digits with dashes between, ``Café (EU)`` -> ``cafe-eu``; empty where none are left."""
    ascii_only = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode("ascii")
    return re.sub(r"[^a-z0-9]+", "-", ascii_only)[:_LONGEST].strip("-")


def _with_id(name: str, object_id: str) -> Iterable[str]:
    digits = slug(object_id)
    yield f"{name}-{digits[:_DIGITS]}".strip("-")
    whole = f"{name}-{digits}".strip("-")
    yield whole
    yield from (f"{whole}-{number}" for number in count(2))


def file_names(folder: Path, name: str) -> Iterator[Path]:
    """Possible names of a new file, the best first."""
    yield folder / f"{name}.yaml"
    yield from (folder / f"{name}-{number}.yaml" for number in count(2))


_ORDER: Final = ("apiVersion", "kind", "metadata", "spec", "assignments", "policy")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where manifests come from, for the comment at the top of each."""

    source: str
    """``marketplace acme-staging``, or a file."""
    schema: Path | None = None
    """The path of the JSON Schema of manifests; it may not exist. None: no path."""
    marketplace: str = ""
    """The ID of the marketplace, which differs between environments."""

    def way(self, file: Path) -> str:
        """The relative path from a new file to the schema; empty if the schema does not exist."""
        if self.schema is None or not self.schema.is_file():
            return ""
        return Path(os.path.relpath(self.schema, file.parent)).as_posix()


@dataclass(frozen=True, slots=True)
class Beside:
    """What comments say, because the manifest cannot."""

    file: Path
    """Where the manifest goes."""
    left_out: Sequence[LeftOut]
    secrets: Sequence[LiveSecret]
    """The named secrets that the object has."""


def base(kind: Kind, name: str, object_id: str) -> Body:
    """A manifest without values; it has the id only if the AppName alone would not find the object."""
    metadata = {"name": name} | ({"id": object_id} if object_id else {})
    return {"apiVersion": API_VERSION, "kind": kind.name, "metadata": metadata, "spec": {}}


def text_of(kind: Kind, live: LiveResource, manifest: Body, beside: Beside, origin: Origin) -> str:
    """The whole file: comments, then the manifest."""
    said = literal_body({key: manifest[key] for key in _ORDER if key in manifest})
    for name, field in kind.fields.items():
        if field.is_owner and same_id(str(get_at(manifest, ("spec", name))), origin.marketplace):
            said = with_value_at(said, ("spec", name), "${marketplace}")
    lines = (*_comments(kind, live, manifest, beside, origin), *block(said, 0, Style()))
    return "".join(f"{line}\n" for line in lines)


def _comments(kind: Kind, live: LiveResource, manifest: Body, beside: Beside, origin: Origin) -> Iterator[str]:
    if schema := origin.way(beside.file):
        yield f"# yaml-language-server: $schema={schema}"
        yield "#"
    known = f", {kind.word} ID {escape(live.id)}" if live.body.get(kind.id_field) else ""
    yield f"# From {escape(origin.source)}{known}."
    made = ((name, live.body.get(name)) for name in sorted(kind.read_only - {kind.id_field}))
    facts = [f"{name}: {escape(str(value))}" for name, value in made if isinstance(value, str | int) and value]
    if facts:
        yield f"# Read-only there: {'; '.join(facts)}."
    for path, secret in sorted(live.secrets.items()):
        if secret is not None:
            above, _, name = path.rpartition("/")
            where = f" in {above}" if above else ""
            yield f"# Its {name}{where} is not written here. Where the object exists, it stays as it is;"
            yield f"# {_without(kind, path)} add:"
            yield f"#   {name}: {{fromEnv: {_variable(manifest, path)}}}"
    policy = manifest.get("policy")
    if isinstance(policy, Mapping) and "state" in policy:
        yield "# Only where an overlay says state: present."
    yield from _named_secrets(beside.secrets)
    for one in beside.left_out:
        yield f"# Left out: {escape(one.what)}: {escape(one.reason)}"


def _named_secrets(secrets: Sequence[LiveSecret]) -> Iterator[str]:
    """The secrets in use, without those that a rotation keeps for a while."""
    in_use = [(one.base, one.expires) for one in secrets if one.ending in {"", UNTRIED}]
    found = sorted(in_use, key=lambda one: (one[0], str(one[1])))
    if not found:
        return
    told = [
        f"{escape(name)} ({f'expires {moment_text(until)}' if until else 'does not expire'})" for name, until in found
    ]
    yield f"# Its secrets: {', '.join(told)}. They stay as they are. To have them watched, add:"
    yield f"#   secrets: {flow([{'name': name} for name in dict.fromkeys(name for name, _ in found)], Style())}"


def _without(kind: Kind, path: str) -> str:
    """The consequence of creating the object without the secret, and the purpose of adding it."""
    if kind.secret_rows[path].required:
        return "to create it from this manifest,"
    if kind.named_secrets:
        return "created from this manifest, it has none, and whoever knows its id can log in. To set it,"
    return "created from this manifest, it has none. To set it,"


def _variable(manifest: Body, path: str) -> str:
    """A name for the environment variable of the secret: ``CHECKOUT_HASH_KEY``."""
    metadata = manifest["metadata"]
    name = str(metadata["name"]) if isinstance(metadata, Mapping) else ""
    field = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", path.rpartition("/")[2])
    word = re.sub(r"[^A-Z0-9]+", "_", f"{name}_{field}".upper())
    return f"{'_' if word[:1].isdigit() else ''}{word}"


def wanted_fields(kind: Kind, live: LiveResource) -> dict[At, Json]:
    """The values for the manifest of an object: path -> value; lists without order are sorted.

    Every level of assignments is named, because only named ones are watched; single users are data.
    """
    found: dict[At, Json] = {}
    for name, field in {**kind.fields, **kind.initial_fields}.items():
        value = live.body.get(name)
        default = field.canonical_value(None)
        if name == kind.name_field or (value is not None and not same(field.canonical_value(value), default)):
            found["spec", name] = _in_order(field.canonical(value) if field.is_set else _given(field, value))
    for level in kind.levels:
        if level.name in live.assignments and not level.is_of_users:
            found["assignments", level.name] = level.value(live.assignments[level.name])
    return found


def _given(field: Field, value: Json) -> Json:
    """A record without members that are null, which mean nothing."""
    if not field.members or not isinstance(value, Mapping):
        return value
    members = field.members
    return {
        name: _given(members[name], one) if name in members else one for name, one in value.items() if one is not None
    }


def _in_order(value: Json) -> Json:
    """Sort keys, since the service returns them in any order."""
    if isinstance(value, Mapping):
        return {key: _in_order(value[key]) for key in sorted(value)}
    if is_array(value):
        return [_in_order(member) for member in value]
    return value


@dataclass(frozen=True, slots=True)
class WritableBody:
    """Values that a manifest can have, and those that it cannot."""

    values: Mapping[At, Json]
    left_out: tuple[LeftOut, ...]
    is_manifest: bool = True
    """Whether the rest is a valid manifest."""


def writable_body(kind: Kind, context: LoadContext, base: Body, values: Mapping[At, Json]) -> WritableBody:
    """Remove values that would be errors in a manifest.

    Args:
        kind: of the manifest.
        context: of the environment.
        base: the manifest without the values; `${...}` in it is not substituted.
        values: the values to add, by path.
    """
    kept, left = dict(values), []
    for path in [path for path, value in values.items() if not _can_be_written(value)]:
        del kept[path]
        left.append(LeftOut(_name(path), "YAML has no way to write it"))
    while faults := _errors(kind, context, base, kept):
        guilty = {_path(fault): fault for fault in faults if _path(fault) in kept and _path(fault) != _identity(kind)}
        for path, fault in (guilty or dict.fromkeys(list(kept), faults[0])).items():
            del kept[path]
            left.append(LeftOut(_name(path), _reason(fault)))
        if not kept:
            return WritableBody({}, tuple(left), is_manifest=not _errors(kind, context, base, {}))
    return WritableBody(kept, tuple(left))


def body_of(base: Body, values: Mapping[At, Json | Absent]) -> Body:
    """The manifest with the values."""
    body = base
    for path, value in values.items():
        body = with_value_at(body, path, value)
    return body


def _errors(kind: Kind, context: LoadContext, base: Body, values: Mapping[At, Json]) -> list[Fault]:
    faults = examine(literal_body(body_of(base, values)), kind, "", context).faults
    return [fault for fault in faults if fault.severity is Severity.ERROR]


def _identity(kind: Kind) -> At | None:
    """The field without which nothing finds the object: then a manifest of it is no good."""
    return None if kind.has_chosen_ids else ("spec", kind.name_field)


def _path(fault: Fault) -> At:
    return pointer_parts(fault.pointer)[:2]


def _name(path: At) -> str:
    return path[1] if path[0] == "spec" else ".".join(path)


def _reason(fault: Fault) -> str:
    hint = f"; {fault.hint}" if fault.hint else ""
    return f"{fault.message}{hint} [{fault.rule}]"


def _can_be_written(value: Json) -> bool:
    """Whether a written value is read back as the same; not so for lone surrogates or very long keys."""
    try:
        parsed = parse(f"- {flow(value, Style())}".encode(), "")
    except UnicodeEncodeError:
        return False
    data = [document.data for document in parsed.documents]
    return not parsed.faults and same(data, [[value]])
