"""Snapshot of a service <-> JSON file with a seal, for plans without credentials.

It contains only the fields that this version knows: no secret fields, and no fields that OrderCloud may add later and
that may contain anything. `xp` is included unchanged.
"""

from collections.abc import Mapping
from typing import Any, Final

from reconciler.errors import ReconcilerError
from reconciler.kinds import KINDS
from reconciler.model.inputs import Snapshot
from reconciler.model.json import Body, Json
from reconciler.model.resource import LiveResource, LiveState
from reconciler.planning import seal as sealed

FORMAT_VERSION: Final = "2.0"
SCHEMA: Final = "snapshot.v2.schema.json"
_RENEWED: Final = "create a new one: reconciler snapshot --out FILE"
_NOUN: Final = "snapshot"


def dumps(snapshot: Snapshot, key: bytes | None) -> str:
    """The JSON text of a snapshot, signed if there is a key; equal states differ only in the time."""
    return sealed.dumps(to_document(snapshot), _NOUN, key)


def to_document(snapshot: Snapshot) -> dict[str, Json]:
    """The snapshot as JSON values, without its seal."""
    ordered = sorted(snapshot.live.resources, key=lambda one: one.key)
    return {
        "format_version": FORMAT_VERSION,
        "taken_at": snapshot.taken_at,
        "environment": snapshot.environment,
        "base_url": snapshot.base_url,
        "marketplace": snapshot.live.marketplace,
        "kinds": sorted(snapshot.live.kinds),
        "resources": [
            {
                "kind": one.kind,
                "id": one.id,
                "body": _known(one),
                "assignments": {party: sorted(ids) for party, ids in one.assignments.items()},
                **({"faults": one.faults} if one.faults else {}),
            }
            for one in ordered
        ],
    }


def _known(one: LiveResource) -> Body:
    kind = KINDS[one.kind]
    return {name: one.body[name] for name in (kind.id_field, *kind.fields) if name in one.body}


def loads(text: str, name: str, key: bytes | None = None) -> Snapshot:
    """Read the text of a snapshot; `name` is its name in messages.

    Raises:
        ReconcilerError: as `seal.loads` does, or its content is not a possible response of a service.
    """
    document = sealed.loads(text, name, sealed.SealedFormat(_NOUN, FORMAT_VERSION, SCHEMA, _RENEWED), key)
    resources = tuple(_resource(one, name) for one in document["resources"])
    live = LiveState(resources, document["marketplace"], frozenset(document["kinds"]))
    return Snapshot(document["taken_at"], document["environment"], document["base_url"], live)


def _resource(document: Mapping[str, Any], name: str) -> LiveResource:
    kind = KINDS.get(document["kind"])
    if kind is None:
        hint = "create and read it with the same version of reconciler"
        raise ReconcilerError(f"{name} has a kind that this version does not know: {document['kind']}", hint=hint)
    wrong = kind.faults(document["body"])
    if wrong:
        raise ReconcilerError(
            f"{name} is not a snapshot: {document['kind']} {document['id']}: {'; '.join(wrong.values())}"
        )
    parties = {party: tuple(ids) for party, ids in document["assignments"].items()}
    faults = tuple(document.get("faults", ()))
    return LiveResource(kind.name, document["id"], document["body"], assignments=parties, faults=faults)
