"""A manifest spec or a service body -> one canonical form, so that the differ needs no special case.

A kind is a table of fields. What the table says about a field (its type, its default, how two values of it compare,
which way a change of it points) is all that the rest of the program knows about OrderCloud's resources.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from reconciler.errors import BadAnswer, RequestFacts
from reconciler.model.json import ABSENT, Body, Json, is_array, same
from reconciler.model.plan import Direction
from reconciler.model.resource import LiveResource
from reconciler.model.secret import Secret

_LABELS: Final = 5
_LABEL_LENGTH: Final = 40

Judge: TypeAlias = Callable[[Json, Json], Direction]
"""Says which way a change from one canonical value to another points."""


def as_is(value: Json) -> Json:
    """Most values are their own canonical form."""
    return value


def as_set(value: Json) -> Json:
    """A list whose order and repetitions mean nothing: sorted, each member once."""
    return sorted({str(member) for member in value}) if is_array(value) else value


def as_id(value: Json) -> Json:
    """OrderCloud compares ids and usernames without case, and answers with another case than it was asked with."""
    return value.casefold() if isinstance(value, str) else value


def neutral(_before: Json, _after: Json) -> Direction:
    """The field lets nobody in or out."""
    return Direction.NEUTRAL


@dataclass(frozen=True, slots=True)
class Reference:
    """What the value of a field must be the id of."""

    noun: str
    path: str
    """The collection that it is looked up in."""
    role: str
    """What the login needs for looking."""
    demands: tuple[str, str] | None = None
    """A field of the referred object and the value that it must have."""


@dataclass(frozen=True, slots=True)
class UserReference:
    """The value of a field must be the name of an active user, and where a flag is set, of a buyer's user."""

    buyer_flag: str


@dataclass(frozen=True, slots=True)
class Field:
    """One writable field of a kind."""

    name: str
    shape: Any
    """The type of the field in a service body, as a Python annotation; null is always allowed besides."""
    default: Json = None
    """What the API assumes where the field is missing or null."""
    canonical: Callable[[Json], Json] = as_is
    judge: Judge = neutral
    refers_to: Reference | UserReference | None = None

    @property
    def is_set(self) -> bool:
        """Whether the field is shown by its members that come and go."""
        return self.canonical is as_set

    def canonical_value(self, value: Json) -> Json:
        """The comparable form of a value; null and the default are the same thing."""
        return self.canonical(self.default if value is None else value)

    def equal(self, left: Json, right: Json) -> bool:
        """Whether two values mean the same. Most do as they stand, and need no canonical form."""
        return same(left, right) or same(self.canonical_value(left), self.canonical_value(right))


@dataclass(frozen=True, slots=True)
class Party:
    """A type of organisation that can be assigned to objects of a kind."""

    name: str
    """As the manifest calls it: ``buyers``."""
    field: str
    """Its id in an assignment: ``BuyerID``."""
    path: str
    """The parties' collection: ``/buyers``."""
    unassign: str
    """Below a party's own path, where an assignment is deleted by the object's id."""
    role: str
    """What the login needs for looking one up."""
    everyone_field: str
    """The flag that lets in every such party, and makes assignments pointless."""


@dataclass(frozen=True, slots=True)
class Assignments:
    """How the parties assigned to objects of a kind are listed and changed."""

    path: str
    object_field: str
    parties: tuple[Party, ...]

    def party(self, name: str) -> Party:
        """The party of this name."""
        return next(party for party in self.parties if party.name == name)


@dataclass(frozen=True, slots=True)
class NamedSecrets:
    """Where the service keeps the named secrets of an object, whose values it shows once, when it makes them."""

    path: str
    """Below an object's own path."""
    value_field: str
    """The field of the value, in the answer to the POST."""
    limit: int
    """How many an object can have."""
    doors: tuple[str, ...]
    """The flags by which an object lets parties in; with a secret, it demands it of them."""
    open_field: str
    """The flag of an object that is meant to be open without any."""
    name_field: str = "Name"
    expiry_field: str = "Expiration"

    def of(self, kind_path: str, object_id: str) -> str:
        """The collection of one object's secrets; its id percent-encoded."""
        return f"{kind_path}/{quote(object_id, safe='')}/{self.path}"


@dataclass(frozen=True, slots=True)
class Dependent:
    """Something of the service that keeps an object from being deleted while it refers to it."""

    noun: str
    path: str
    field: str
    """Holds the object's id."""
    role: str
    """What the login needs for looking."""
    is_single: bool = False
    """There is at most one, at the path itself."""


@dataclass(frozen=True)
class Kind:
    """One type of resource: where it lives, what it is called, which fields it has."""

    name: str
    path: str
    """The collection's path below ``/v1``, with a leading slash."""
    schema: str
    """File name of the manifest schema."""
    name_field: str
    """The field by which a resource of unknown id is found."""
    fields: Mapping[str, Field]
    """Writable fields by name, in the order in which they are shown; secret fields are not among them."""
    required: frozenset[str]
    """Fields without which the API creates nothing."""
    read_only: frozenset[str]
    """Fields that the service makes; never sent, never compared."""
    active_field: str
    """The boolean field that switches the resource off."""
    secret_fields: frozenset[str] = frozenset()
    role_fields: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    """Role names that we know; OrderCloud adds some now and then."""
    assignments: Assignments | None = None
    dependents: tuple[Dependent, ...] = ()
    label_field: str = ""
    """A field of free form whose plain entries tell objects of one name apart."""
    named_secrets: NamedSecrets | None = None
    id_field: str = "ID"

    @cached_property
    def faults(self) -> Callable[[Body], dict[str, str]]:
        """Say what is wrong with the type of a field of a service body, for each that is at fault. Quotes no value."""
        from reconciler.kinds.body import checker  # noqa: PLC0415  # what reads no service does without its library

        known: dict[str, Any] = {f.name: (f.shape | None, None) for f in self.fields.values()}
        known |= dict.fromkeys(self.secret_fields, (str | None, None))
        known[self.id_field] = (str, ...)
        return checker(self.name, known)

    def live(self, body: Body, request: RequestFacts) -> LiveResource:
        """Check the types of a service body and take its secret values out of sight.

        Raises:
            BadAnswer: a field that we know has another type than the API promises.
        """
        found = self.seen(body, request)
        if found.faults:
            raise BadAnswer(self.odd(found), request)
        return found

    def seen(self, body: Body, request: RequestFacts) -> LiveResource:
        """The same of one object among many: what is wrong with it must not hide the others, see `LiveResource.faults`.

        Raises:
            BadAnswer: it has no usable id, so that nobody could say which object it is.
        """
        faults = self.faults(body)
        if self.id_field in faults:
            raise BadAnswer(f"a {self.name} has no usable ID: {faults[self.id_field]}", request)
        sound = {name: value for name, value in body.items() if name not in faults}
        return LiveResource(
            kind=self.name,
            id=str(body[self.id_field]),
            body={name: value for name, value in sound.items() if name not in self.secret_fields},
            secrets={name: _secret(sound[name]) for name in self.secret_fields if name in sound},
            faults=tuple(faults.values()),
        )

    def odd(self, live: LiveResource) -> str:
        """Name an object whose fields are at fault, and say why."""
        name = live.body.get(self.name_field)
        title = f" ({name})" if isinstance(name, str) else ""
        return f"{self.name} {live.id}{title} has fields of unexpected types: {'; '.join(live.faults)}"

    def labels(self, body: Body) -> dict[str, str]:
        """What somebody has written on an object: a few of its plain entries, long ones cut."""
        entries = body.get(self.label_field)
        plain = [
            (name, value if isinstance(value, str) else json.dumps(value))
            for name, value in (entries.items() if isinstance(entries, Mapping) else ())
            if isinstance(value, str | bool | int | float)
        ]
        return {
            name: text if len(text) <= _LABEL_LENGTH else f"{text[: _LABEL_LENGTH - 3]}..."
            for name, text in plain[:_LABELS]
        }

    def canonical(self, body: Body) -> dict[str, Json]:
        """All fields that we compare, in their comparable form."""
        return {name: field.canonical_value(body.get(name)) for name, field in self.fields.items()}

    def moved(self, before: Body, after: Body) -> tuple[str, ...]:
        """The fields in which two live bodies differ: known ones canonically, unknown ones exactly, read-only never."""
        names = {**before, **after}.keys() - self.fields.keys() - self.read_only - self.secret_fields
        known = (name for name, field in self.fields.items() if not field.equal(before.get(name), after.get(name)))
        unknown = (name for name in sorted(names) if not same(before.get(name, ABSENT), after.get(name, ABSENT)))
        return (*known, *unknown)

    def writable(self, body: Body) -> dict[str, Json]:
        """The body less the fields that the service makes itself. Unknown fields stay: they may be writable."""
        return {name: value for name, value in body.items() if name not in self.read_only}


def _secret(value: Json) -> Secret | None:
    return Secret(str(value)) if value else None
