"""A live object and what a manifest says of it -> the text of a new file."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.export.content import API_VERSION
from reconciler.kinds import Kind
from reconciler.manifests.edit.text import Style, block, flow, literal
from reconciler.model.json import Body, Json
from reconciler.model.named_secret import UNTRIED, LiveSecret, moment_text
from reconciler.model.reports import LeftOut
from reconciler.model.resource import LiveResource
from reconciler.render.escape import escape

_ORDER: Final = ("apiVersion", "kind", "metadata", "spec", "assignments", "policy")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where manifests come from, for the comment at the top of each."""

    source: str
    """``marketplace acme-staging``, or a file."""
    schema: Path | None = None
    """The JSON Schema of manifests, for editors, be it there or not; None: nowhere."""

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
    for name, secret in sorted(live.secrets.items()):
        if secret is not None:
            yield f"# It has a {name}, which is not written here. Where the object exists, it stays as it is;"
            yield "# created from this manifest, it has none, and whoever knows its id can log in. To set it, add:"
            yield f"#   {name}: {{fromEnv: {_variable(manifest)}}}"
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


def _variable(manifest: Body) -> str:
    """A name for the environment variable that could hold the secret."""
    metadata = manifest["metadata"]
    name = str(metadata["name"]) if isinstance(metadata, Mapping) else ""
    word = re.sub(r"[^A-Z0-9]+", "_", name.upper())
    return f"{'_' if word[:1].isdigit() else ''}{word}_SECRET"
