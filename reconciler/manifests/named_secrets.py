"""The ``secrets`` block of a manifest that fits the schema -> named secrets, and what a schema cannot say of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from reconciler.kinds import Kind
from reconciler.manifests.context import LoadContext
from reconciler.manifests.deliveries import take_deliveries
from reconciler.manifests.schema import Fault
from reconciler.model.json import Json, pointer
from reconciler.model.named_secret import LiveSecret, NamedSecret, moment_of, secret_of

_AT: Final = "/secrets"


@dataclass(frozen=True, slots=True)
class Named:
    """What the block asks for; None where there is no block, and the secrets are not managed."""

    secrets: tuple[NamedSecret, ...] | None = None
    faults: tuple[Fault, ...] = ()


def take_named_secrets(block: Any, kind: Kind, file: str, context: LoadContext) -> Named:  # noqa: ANN401  # JSON of a known schema
    """Read the block. Where a part of it is at fault, nothing of it is used."""
    faults: list[Fault] = [*_crowd(block, kind), *_repeated(block)]
    found = []
    for index, entry in enumerate(block):
        at = _AT + pointer(index)
        faults += _entry_faults(entry, at)
        taken = take_deliveries(entry.get("deliver", ()), f"{at}/deliver", file, context)
        faults += taken.faults
        if not faults:
            found.append(replace(secret_of({**entry, "deliver": ()}), deliver=taken.deliveries))
    return Named(None if faults else tuple(found), tuple(faults))


def _crowd(block: Sequence[Json], kind: Kind) -> Iterator[Fault]:
    """A rotation needs room for one more."""
    if kind.named_secrets and len(block) >= kind.named_secrets.limit:
        limit = kind.named_secrets.limit
        message = f"{len(block)} secrets: OrderCloud keeps {limit} at most, and a rotation needs room for one more"
        yield Fault(_AT, message, "too-many-secrets", f"list {limit - 1} at most")


def _repeated(block: Sequence[Mapping[str, Any]]) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, entry in enumerate(block):
        name = entry["name"].casefold()
        if name in seen:
            yield Fault(_AT + pointer(index, "name"), f"there are two secrets of the name {entry['name']}", "repeated")
        seen.add(name)


def _entry_faults(entry: Mapping[str, Any], at: str) -> Iterator[Fault]:
    name = entry["name"]
    if ending := LiveSecret("", name).ending:
        message = f"a name does not end in {ending}: that marks a secret while it is rotated"
        yield Fault(f"{at}/name", message, "name")
    if "expires" in entry and "maxAge" in entry:
        message = "expires and maxAge are two answers to one question"
        yield Fault(f"{at}/maxAge", message, "contradiction", "keep one of them", at_key=True)
    if "expires" in entry and not _is_moment(entry["expires"]):
        message = "expires is not a date, such as 2027-01-31, and no date and time in UTC, such as 2027-01-31T12:00:00Z"
        yield Fault(f"{at}/expires", message, "format")
    elif "maxAge" in entry and _is_always_due(secret_of({**entry, "deliver": ()})):
        message = "overlap is not shorter than maxAge, so that the secret would be due as soon as it is made"
        yield Fault(f"{at}/maxAge", message, "contradiction", "make overlap the shorter of the two")


def _is_always_due(secret: NamedSecret) -> bool:
    return secret.max_age is not None and secret.overlap >= secret.max_age


def _is_moment(text: str) -> bool:
    try:
        moment_of(text)
    except (ValueError, OverflowError):
        return False
    return True
