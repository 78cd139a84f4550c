"""Receipt of an apply <-> JSON file: the state of each resource, as hashes.

It contains no values, and so no secrets; it may be stored in a repository or as a CI artifact.
"""

from typing import Final

from reconciler.errors import ReconcilerError
from reconciler.model.drift import Applied, Receipt
from reconciler.model.plan import Binding
from reconciler.model.resource import Address
from reconciler.planning import seal as sealed

FORMAT_VERSION: Final = "2.0"
_NOUN: Final = "receipt"
SCHEMA: Final = "receipt.v2.schema.json"
_RENEWED: Final = "delete it; the next apply writes a new one"
_TARGET: Final = {"environment": "environment", "base_url": "base URL", "marketplace": "marketplace"}
"""What must match, with its name in messages."""
_SAME_NAMES: Final = ("created_at", *_TARGET, "manifest_digest", "plan_digest", "git_commit")
"""Members with the names of `Receipt`."""


def dumps(receipt: Receipt, key: bytes | None) -> str:
    """The JSON text of a receipt, signed if there is a key."""
    return sealed.dumps(
        {
            "format_version": FORMAT_VERSION,
            **{name: getattr(receipt, name) for name in _SAME_NAMES},
            "complete": receipt.is_complete,
            "resources": [
                {
                    "kind": one.address.kind,
                    "name": one.address.name,
                    "id": one.id,
                    "applied": one.hashes,
                    **({"secrets": dict(one.fingerprints)} if one.fingerprints else {}),
                }
                for one in receipt.resources
            ],
            "unmanaged": list(receipt.unmanaged),
            "scope": receipt.scope,
        },
        _NOUN,
        key,
    )


def loads(text: str, name: str, key: bytes | None = None) -> Receipt:
    """Parse a receipt; `name` is used in messages.

    Raises:
        ReconcilerError: as `seal.loads` does.
    """
    document = sealed.loads(text, name, sealed.SealedFormat(_NOUN, FORMAT_VERSION, SCHEMA, _RENEWED), key)
    return Receipt(
        is_complete=document["complete"],
        resources=tuple(
            Applied(Address(one["kind"], one["name"]), one["id"], one["applied"], one.get("secrets", {}))
            for one in document["resources"]
        ),
        unmanaged=tuple(document["unmanaged"]),
        scope=document.get("scope"),
        **{name: document[name] for name in _SAME_NAMES},
    )


def check(receipt: Receipt, now: Binding) -> None:
    """Refuse a receipt for another target.

    Raises:
        ReconcilerError: it is for another environment, base URL or marketplace.
    """
    for name, noun in _TARGET.items():
        was, is_now = getattr(receipt, name), getattr(now, name)
        if was != is_now:
            raise ReconcilerError(f"the receipt is for {noun} {was}, not {is_now}")


def is_of(receipt: Receipt, now: Binding) -> bool:
    """Whether it is for this target."""
    return all(getattr(receipt, name) == getattr(now, name) for name in _TARGET)
