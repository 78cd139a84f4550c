"""A JSON document <-> its text under a digest, and under a signature where there is a key.

The digest tells a damaged or hand-edited file; the signature tells who wrote it. It is HMAC-SHA-256 over the kind of
document and the digest, so that only a holder of the key can make one, and none of another kind passes for it. A list
has a line for each item.
"""

import hmac
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from reconciler.errors import ReconcilerError
from reconciler.model.json import Json, digest, is_array
from reconciler.validator import validator

_SEAL: Final = ("digest", "signature")


def dumps(document: Mapping[str, Json], noun: str, key: bytes | None) -> str:
    """Write a document, with the seal as its last members; `noun` is its kind, as in `loads`."""
    sealed = dict(document)
    sealed["digest"] = digest(document)
    if key:
        sealed["signature"] = signature(noun, str(sealed["digest"]), key)
    return "".join(pieces(sealed))


def pieces(document: Mapping[str, Json | Iterator[Json]]) -> Iterator[str]:
    """The text, a line for each member in their order, and for each item of a list, which may be made as it is read."""
    yield "{\n"
    for number, (name, value) in enumerate(document.items()):
        yield (",\n" if number else "") + f"{_text(name)}: "
        yield from _lines(value)
    yield "\n}\n"


def _lines(value: Json | Iterator[Json]) -> Iterator[str]:
    if not is_array(value) and not isinstance(value, Iterator):
        yield _text(value)
        return
    is_empty = True
    for item in value:
        yield f"{'[' if is_empty else ','}\n{_text(item)}"
        is_empty = False
    yield "[]" if is_empty else "\n]"


_text: Final = json.JSONEncoder(sort_keys=True, ensure_ascii=True, allow_nan=False).encode


def signature(noun: str, digest_: str, key: bytes) -> str:
    """HMAC-SHA-256 over the kind of document and its digest, in hexadecimal.

    What precedes the digest is no UTF-8: no secret, which has a fingerprint under the same key, can be chosen so that
    its fingerprint is the signature of a document.
    """
    return hmac.new(key, b"\xff" + f"{noun}\n{digest_}".encode(), "sha256").hexdigest()


def loads(text: str, name: str, noun: str, schema: str, key: bytes | None) -> Mapping[str, Any]:
    """Read a document and check its seal.

    Args:
        text: of the file.
        name: what messages call the file.
        noun: what it should be: ``receipt``.
        schema: the file name of its JSON Schema.
        key: what it must be signed with; None: whoever wrote it is believed.

    Raises:
        ReconcilerError: it is something else, was altered since it was written, or is not signed with this key.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ReconcilerError(f"{name} is no {noun}: {error}") from error
    faults = validator(schema).faults(document)
    if faults:
        raise ReconcilerError(f"{name} is no {noun}: {faults[0].message} (at {faults[0].pointer or '/'})")
    content = {member: value for member, value in document.items() if member not in _SEAL}
    if not hmac.compare_digest(document["digest"], digest(content)):
        raise ReconcilerError(f"{name} was altered since it was written: its digest does not fit its content")
    if key and not hmac.compare_digest(document.get("signature", ""), signature(noun, document["digest"], key)):
        state = "is signed with another key" if "signature" in document else "is not signed"
        hint = "write it where the same RECONCILER_PLAN_KEY is set"
        raise ReconcilerError(f"{name} {state}, and RECONCILER_PLAN_KEY demands its own", hint=hint)
    return content
