"""A table -> its secret fields; a service body -> the body without secrets, and what it shows of each secret.

A secret is named by its path in the body: ``HashKey``, or ``DeliveryTargets/Http/Secret`` inside a record. No member
of a list contains any.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar
from urllib.parse import quote

from reconciler.kinds.fields import Field, Record, Secrecy
from reconciler.model.dataclass import dataclass
from reconciler.model.json import ABSENT, Body, Json, get_at, with_value_at
from reconciler.model.secret import HIDDEN, Secret

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class NamedSecrets:
    """The named secrets of an object, whose values the service shows once, on creation."""

    path: str
    """Below an object's own path."""
    value_field: str
    """The field of the value in the response to the POST."""
    limit: int
    """The most secrets of an object."""
    login_flags: tuple[str, ...]
    """The flags by which an object allows parties; with a secret, their logins require it."""
    open_field: str
    """The flag of an object that is intended to work without a secret."""
    name_field: str = "Name"
    expiry_field: str = "Expiration"

    def of(self, kind_path: str, object_id: str) -> str:
        """The collection of one object's secrets; its id percent-encoded."""
        return f"{kind_path}/{quote(object_id, safe='')}/{self.path}"


def rows(table: Iterable[Field], above: str = "") -> Iterator[tuple[str, Field]]:
    """Each secret field of a table by its path, in the order of the table."""
    for one in table:
        if one.secret:
            yield f"{above}{one.name}", one
        elif isinstance(one.type, Record):
            yield from rows(one.type.fields, f"{above}{one.name}/")


def without(body: Body, paths: Iterable[str]) -> Body:
    """The body without the values at these paths."""
    for path in paths:
        parts = path.split("/")
        if get_at(body, parts) is not ABSENT:
            body = with_value_at(body, parts, ABSENT)
    return body


def with_secrets(body: Body, values: Mapping[str, _T]) -> "dict[str, Json | _T]":
    """The body with values added at these paths, if it has their records."""
    found = dict(body)
    for path, value in values.items():
        *above, name = path.split("/")
        if not above:
            found[name] = value  # type: ignore[assignment]  # mypy has no type for JSON with secrets in it
        elif isinstance(get_at(found, above), Mapping):
            found = dict(with_value_at(found, [*above, name], value))  # type: ignore[arg-type]  # likewise
    return found  # type: ignore[return-value]  # likewise


def shown(secret_rows: Mapping[str, Field], body: Body) -> Iterator[tuple[str, Secret | None]]:
    """What the service shows of each secret in a body; for a write-only one, that it may exist."""
    for path, one in secret_rows.items():
        record = record_of(path, body)
        if record is None:
            continue
        if one.secret is Secrecy.READABLE:
            if one.name in record:
                value = record[one.name]
                yield path, Secret(str(value)) if value else None
        elif not one.together:  # unknown, and it must not be lost
            yield path, Secret(HIDDEN)
        elif one.together in record:
            yield path, Secret(HIDDEN) if record[one.together] else None


def record_of(path: str, body: Body) -> Body | None:
    """The record that a secret belongs to; None if the body has none."""
    record = get_at(body, path.split("/")[:-1])
    return record if isinstance(record, Mapping) else None


def field_of(path: str) -> str:
    """The top-level field that is or contains a secret."""
    return path.partition("/")[0]
