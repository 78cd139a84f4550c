"""A document that is not a manifest -> what it is, and what to do with it.

People try the files they have: exports, request bodies from a tutorial, the configuration, files of other programs.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from reconciler.kinds import DEFAULT_KIND, KINDS, Kind
from reconciler.manifests.schema import did_you_mean
from reconciler.model.json import Json, is_array

API_VERSION: Final = "reconciler/v1"

_ENOUGH: Final = 2  # fields of a kind by which one of its bodies is known
_COMMON: Final = frozenset({"ID", "Name"})  # what bodies of many kinds have, and other files as well


@dataclass(frozen=True, slots=True)
class Stranger:
    """What a document is instead of a manifest."""

    message: str
    hint: str = ""
    kind: str = ""
    bodies: tuple[tuple[str, Json], ...] = ()
    """Request bodies of that kind, by JSON pointer: what is wrong with their fields is worth saying, too."""


def recognise(data: Json) -> Stranger | None:
    """Say what a document is, or None where it is a manifest or evidently meant to be one."""
    if not isinstance(data, Mapping):
        return _requests(_numbered("", data)) or Stranger(
            "a manifest is a mapping, with apiVersion, kind, metadata and spec"
        )
    version, name = data.get("apiVersion"), data.get("kind")
    if isinstance(name, str) and name in KINDS and (version is None or str(version).startswith("reconciler/")):
        return None
    if version is None and name is None:
        return _without_kind(data)
    if isinstance(version, str) and not version.startswith("reconciler/"):
        return Stranger("this is a manifest of another program, perhaps of Kubernetes", "move it out of this directory")
    return _of_unknown_kind(name)


def _without_kind(data: Mapping[str, Json]) -> Stranger:
    if isinstance(data.get("Objects"), Mapping):
        hint = "make manifests of it with: reconciler import FILE; or serve it: reconciler emulator --seed FILE"
        return Stranger("this is a seeding file of OrderCloud's own tools, not a manifest", hint)
    found = _requests([("", data)]) or _requests(_numbered("/Items", data.get("Items")))
    return found or Stranger("this is not a manifest: it lacks apiVersion and kind")


def _of_unknown_kind(name: Json) -> Stranger:
    known = ", ".join(KINDS)
    if name is None:
        return Stranger("the manifest lacks kind", f"kinds are: {known}")
    if name == "Config":
        hint = "leave it out of the paths that are loaded: it is found by itself, or named with --config"
        return Stranger("this is the configuration, not a manifest", hint)
    if not isinstance(name, str):
        return Stranger("kind must be a text", f"kinds are: {known}")
    return Stranger(f"unknown kind {json.dumps(name)}", did_you_mean(name, KINDS) or f"kinds are: {known}")


def _requests(bodies: Sequence[tuple[str, Json]]) -> Stranger | None:
    """Recognise the bodies of requests that would create or change resources of a kind."""
    found = [(max(_fit(kind, body) for _, body in bodies), kind) for kind in KINDS.values()] if bodies else []
    (count, _, _), kind = max(found, key=lambda one: one[0], default=((0, False, 0), KINDS[DEFAULT_KIND]))
    if count < _ENOUGH:
        return None
    one = bodies[0][0] == ""
    message = "this is a request body, not a manifest" if one else "this is a list of request bodies, not of manifests"
    hint = (
        f"make {'it' if one else 'each'} a manifest: apiVersion: {API_VERSION}, kind: {kind.name}, "
        "metadata: {name: ...}, and its fields below spec"
    )
    return Stranger(message, hint, kind.name, tuple(bodies))


def _fit(kind: Kind, data: Json) -> tuple[int, bool, int]:
    """How well a body is one of a kind: fields of it, all that are required, and hardly any that are not there.

    A name of the kind's own (``AppName``) is enough by itself.
    """
    if not isinstance(data, Mapping):
        return 0, False, 0
    known = kind.fields.keys() | kind.read_only | kind.secret_fields
    count = len(data.keys() & known)
    is_named = kind.name_field in data and kind.name_field not in _COMMON
    return max(count, _ENOUGH) if is_named else count, kind.required <= data.keys(), -len(known)


def _numbered(at: str, data: Json) -> list[tuple[str, Json]]:
    return [(f"{at}/{index}", member) for index, member in enumerate(data)] if is_array(data) else []
