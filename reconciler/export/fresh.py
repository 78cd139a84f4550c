"""Live objects -> which of them are exported, and the text of a new file for one."""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from reconciler.errors import ReconcilerError
from reconciler.export.content import API_VERSION
from reconciler.kinds import Kind
from reconciler.manifests.edit.text import Style, block, flow, literal
from reconciler.manifests.schema import did_you_mean
from reconciler.model.inputs import Selection
from reconciler.model.json import Body, Json, get_at, with_value_at
from reconciler.model.named_secret import UNTRIED, LiveSecret, moment_text
from reconciler.model.reports import LeftOut
from reconciler.model.resource import Address, LiveResource, same_id
from reconciler.planning.selection import is_selected
from reconciler.render.escape import escape


@dataclass(frozen=True, slots=True)
class Choice:
    """What of all that is live."""

    only: tuple[str, ...] = ()
    """Patterns of addresses; none: everything."""
    own_client_id: str = ""
    """An object that is left out unless a manifest has it; empty: none."""
    overlay: Path | None = None
    """The folder of overlays that are to have what differs; None: the manifests have it."""
    kinds: frozenset[str] = frozenset()
    """The kinds that are exported; empty: all that were read."""

    def takes(self, address: Address, live: Address | None = None) -> bool:
        """Whether an object of this address is meant; a bare name is enough.

        Args:
            address: of its manifest.
            live: of the object by its ID, as drift lists it. It counts only in full: patterns are about names.
        """
        is_of_kind = not self.kinds or address.kind in self.kinds
        return is_of_kind and (not self.only or any(_matches(glob, address, live) for glob in self.only))

    def check(self, addresses: Collection[Address], live: Collection[Address]) -> None:
        """Refuse a pattern that nothing has.

        Args:
            addresses: of manifests, those that would be made included.
            live: of all objects by their IDs.

        Raises:
            ReconcilerError: with the pattern.
        """
        for glob in self.only:
            if not any(_matches(glob, one) for one in addresses) and not any(_is_id(glob, one) for one in live):
                known = [str(one) if "/" in glob else one.name for one in addresses]
                raise ReconcilerError(f"--only {glob} matches nothing that is live", hint=did_you_mean(glob, known))


def _matches(glob: str, address: Address, live: Address | None = None) -> bool:
    return is_selected(_only(glob), address, {}) or (live is not None and _is_id(glob, live))


def _is_id(glob: str, live: Address) -> bool:
    return glob.casefold() in (str(live).casefold(), live.name.casefold())


def _only(glob: str) -> Selection:
    return Selection((glob if "/" in glob else f"*/{glob}",), {})


_LONGEST: Final = 60
_DIGITS: Final = 8
"""Of an id: enough to tell a handful of objects apart."""
_RESERVED: Final = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
)
"""Names that Windows has for devices: no file can be called so, with whatever suffix."""


def names(objects: Mapping[str, str], taken: Collection[str], nameless: str) -> Mapping[str, str]:
    """Give each object a name of its own.

    Two objects whose names come to the same get a part of their ids, both of them: so neither is called otherwise when
    the other one comes or goes.

    Args:
        objects: id -> what people call it.
        taken: names that others have.
        nameless: what an object without a usable name is called.
    """
    plain = {one: slug(title) for one, title in objects.items()}
    counts = Counter(plain.values())
    found: dict[str, str] = {}
    used = set(taken)
    for one in sorted(objects):
        name = plain[one]
        choices = [name] if name and counts[name] == 1 and name not in _RESERVED else []
        found[one] = _first_free(chain(choices, _with_id(name or nameless, one)), used)
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
    number = 2
    while True:
        yield f"{whole}-{number}"
        number += 1


def _first_free(choices: Iterable[str], used: Collection[str]) -> str:
    return next(choice for choice in choices if choice not in used)


_ORDER: Final = ("apiVersion", "kind", "metadata", "spec", "assignments", "policy")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where manifests come from, for the comment at the top of each."""

    source: str
    """``marketplace acme-staging``, or a file."""
    schema: Path | None = None
    """The JSON Schema of manifests, for editors, be it there or not; None: nowhere."""
    marketplace: str = ""
    """The ID of the marketplace, which is another one in each environment."""

    def way(self, file: Path) -> str:
        """The way from a new file to the schema; empty where that is not there."""
        is_there = self.schema and self.schema.is_file()
        return Path(os.path.relpath(self.schema, file.parent)).as_posix() if self.schema and is_there else ""


@dataclass(frozen=True, slots=True)
class Beside:
    """What a manifest does not say, and a comment does."""

    file: Path
    """Where the manifest goes."""
    left_out: Sequence[LeftOut] = ()
    secrets: Sequence[LiveSecret] = ()
    """The named secrets that the object has."""


def base(kind: Kind, name: str, object_id: str) -> Body:
    """A manifest that says nothing yet; the id stands in it only where its AppName alone would not find the object."""
    metadata = {"name": name} | ({"id": object_id} if object_id else {})
    return {"apiVersion": API_VERSION, "kind": kind.name, "metadata": metadata, "spec": {}}


def text_of(kind: Kind, live: LiveResource, manifest: Body, beside: Beside, origin: Origin) -> str:
    """The whole file: comments with what a manifest cannot say, then the manifest."""
    said = literal({key: manifest[key] for key in _ORDER if key in manifest})
    for name, field in kind.fields.items():
        if field.is_owner and same_id(str(get_at(manifest, ("spec", name))), origin.marketplace):
            said = with_value_at(said, ("spec", name), "${marketplace}") if isinstance(said, Mapping) else said
    lines = list(block(said, 0, Style())) if isinstance(said, Mapping) else []
    return "".join(f"{line}\n" for line in (*_comments(kind, live, manifest, beside, origin), *lines))


def _comments(kind: Kind, live: LiveResource, manifest: Body, beside: Beside, origin: Origin) -> Iterator[str]:
    if schema := origin.way(beside.file):
        yield f"# yaml-language-server: $schema={schema}"
        yield "#"
    known = f", {kind.word} ID {escape(live.id)}" if live.body.get(kind.id_field) else ""
    yield f"# From {escape(origin.source)}{known}."
    facts = [f"{name}: {escape(str(value))}" for name, value in _read_only_facts(kind, live)]
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
    """Those in use; what a rotation keeps beside them for a while is its own affair."""
    found = sorted(
        ((one.base, one.expires) for one in secrets if one.ending in {"", UNTRIED}),
        key=lambda one: (one[0], str(one[1])),
    )
    if not found:
        return
    told = [
        f"{escape(name)} ({f'expires {moment_text(until)}' if until else 'does not expire'})" for name, until in found
    ]
    yield f"# Its secrets: {', '.join(told)}. They stay as they are. To have them watched, add:"
    yield f"#   secrets: {flow([{'name': name} for name in dict.fromkeys(name for name, _ in found)], Style())}"


def _read_only_facts(kind: Kind, live: LiveResource) -> Iterator[tuple[str, Json]]:
    """What the service makes itself, as far as it says something."""
    for name in sorted(kind.read_only - {kind.id_field}):
        value = live.body.get(name)
        if isinstance(value, str | int) and value:
            yield name, value


def _without(kind: Kind, path: str) -> str:
    """What an object is that is created without a secret, and what for one would add it."""
    if kind.secret_rows[path].required:
        return "to create it from this manifest,"
    if kind.named_secrets:
        return "created from this manifest, it has none, and whoever knows its id can log in. To set it,"
    return "created from this manifest, it has none. To set it,"


def _variable(manifest: Body, path: str) -> str:
    """A name for the environment variable that could hold the secret: ``CHECKOUT_HASH_KEY``."""
    metadata = manifest["metadata"]
    name = str(metadata["name"]) if isinstance(metadata, Mapping) else ""
    field = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", path.rpartition("/")[2])
    word = re.sub(r"[^A-Z0-9]+", "_", f"{name}_{field}".upper())
    return f"{'_' if word[:1].isdigit() else ''}{word}"
