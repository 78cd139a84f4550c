"""A JSON document <-> its text with a digest, and with a signature if there is a key.

The digest detects a damaged or edited file; the signature authenticates its writer. It is HMAC-SHA-256 over the kind of
document and the digest, so that only a holder of the key can create one, and only for one kind of document. A list has
a line for each item.
"""

import hmac
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from reconciler.errors import ReconcilerError
from reconciler.manifests.schema import validator
from reconciler.model.dataclass import dataclass
from reconciler.model.json import Json, digest, is_array
from reconciler.render.escape import in_json

_SEAL: Final = ("digest", "signature")
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


def dumps(document: Mapping[str, Json], noun: str, key: bytes | None) -> str:
    """Write a document, with the seal as its last members; `noun` is its kind, as in `SealedFormat`."""
    sealed = dict(document)
    sealed["digest"] = digest(document)
    if key:
        sealed["signature"] = signature(noun, str(sealed["digest"]), key)
    return "".join(pieces(sealed))


def pieces(document: Mapping[str, Json | Iterator[Json]]) -> Iterator[str]:
    """The text, with a line for each member and for each item of a list, which may be an iterator."""
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


_encode: Final = json.JSONEncoder(sort_keys=True, ensure_ascii=True, allow_nan=False).encode


def _text(value: Json) -> str:
    """JSON that contains no command of a CI runner, because a plan is also printed."""
    text = _encode(value)
    return in_json(text) if "##" in text else text


def signature(noun: str, digest_: str, key: bytes) -> str:
    """HMAC-SHA-256 over the kind of document and its digest, in hexadecimal.

    The prefix of the digest is not UTF-8, so that no fingerprint of a secret, which uses the same key, equals the
    signature of a document.
    """
    return hmac.new(key, b"\xff" + f"{noun}\n{digest_}".encode(), "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class SealedFormat:
    """The format of a kind of document."""

    noun: str
    """Its name in messages: ``receipt``."""
    version: str
    schema: str
    """The file name of its JSON Schema."""
    renewed: str
    """What to do about a document of another major format."""


class OtherKeyError(ReconcilerError):
    """A document is unaltered but not signed with the current key, which may be new."""


def loads(text: str, name: str, expected: SealedFormat, key: bytes | None) -> Mapping[str, Any]:
    """Read a document and check its seal.

    Args:
        text: of the file.
        name: the name of the file in messages.
        expected: the expected format.
        key: the key it must be signed with; None: the signature is not checked.

    Raises:
        ReconcilerError: it is another document or of another format, was altered since it was written, or is not
            signed with this key (`OtherKeyError`).
    """
    noun = expected.noun
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ReconcilerError(f"{name} is not a {noun}: {error}") from error
    if other := other_format(document, expected.version):
        message = f"{name} has {noun} format {other}, but this version reads format {expected.version}"
        raise ReconcilerError(message, hint=expected.renewed)
    if has_half_characters(document, text):
        raise ReconcilerError(f"{name} was altered since it was written: it contains an unpaired surrogate")
    faults = validator(expected.schema).faults(document)
    if faults:
        raise ReconcilerError(f"{name} is not a {noun}: {faults[0].message} (at {faults[0].pointer or '/'})")
    content = {member: value for member, value in document.items() if member not in _SEAL}
    if not hmac.compare_digest(document["digest"], digest(content)):
        raise ReconcilerError(f"{name} was altered since it was written: its digest does not match its content")
    if key and not hmac.compare_digest(document.get("signature", ""), signature(noun, document["digest"], key)):
        state = "is signed with another key" if "signature" in document else "is not signed"
        hint = "write and read it with the same RECONCILER_PLAN_KEY"
        raise OtherKeyError(f"{name} {state}, but RECONCILER_PLAN_KEY is set", hint=hint)
    return content


def other_format(document: object, version: str) -> str:
    """The format of a document if its major version differs; empty if it does not, or is missing."""
    found = document.get("format_version") if isinstance(document, Mapping) else None
    is_other = isinstance(found, str) and found.partition(".")[0] != version.partition(".")[0]
    return str(found) if is_other else ""


def has_half_characters(document: object, text: str) -> bool:
    """Whether a document contains an unpaired surrogate, which is not text and is never written."""
    if not _SURROGATE.search(text):
        return False
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False
