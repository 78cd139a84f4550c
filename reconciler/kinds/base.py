"""A table of fields -> a `Kind`: specs and service bodies have one canonical form, and the differ no special case.

A kind is a table of fields. What the table says about a field (its type, its default, how two values of it compare,
which way a change of it points) is all that the rest of the program knows about OrderCloud's resources.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from functools import cached_property
from http import HTTPStatus
from typing import Final

from reconciler.errors import AccessDenied, BadAnswer, RequestFacts
from reconciler.kinds import secrecy
from reconciler.kinds.assignments import Assignments, Level
from reconciler.kinds.direction import neutral
from reconciler.kinds.fields import (
    FULL_ACCESS,
    SUPPLIER_USERS,
    USERS,
    Data,
    Field,
    MemberReference,
    Reference,
    Restore,
    Secrecy,
    Text,
    UserReference,
    varying,
)
from reconciler.kinds.secrecy import NamedSecrets
from reconciler.model.dataclass import dataclass
from reconciler.model.json import ABSENT, Body, Json, get_at, pointer_parts, same, with_value_at
from reconciler.model.resource import LiveResource, Scope


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


class IdChoice(Enum):
    """Who chooses the id of an object."""

    SERVICE = "service"
    """The service, when it creates the object."""
    CHOSEN = "chosen"
    """Whoever creates the object: it is metadata.id, else metadata.name, and PUT to an unknown id creates."""
    SINGLE = "single"
    """Nobody: a marketplace has one at most, at the path itself (EntitySync: one for each entity, below it)."""
    SET = "set"
    """Nobody: one document holds all of them."""


_ABOUT_ID: Final[Mapping[IdChoice, str]] = {
    IdChoice.CHOSEN: "The ID that it has in OrderCloud. Left out: the same as metadata.name. For an environment with "
    "another one, use ids in reconciler.yaml: it wins.",
    IdChoice.SINGLE: "Read-only: a marketplace has only one, without an ID.",
    IdChoice.SET: "Read-only: one manifest holds all of them, without an ID.",
}
"""What metadata.id is."""

_LABELS: Final = 5
_LABEL_LENGTH: Final = 40


@dataclass(frozen=True)
class Kind:
    """One type of resource: where it lives, what it is called, which fields it has."""

    name: str
    noun: str
    """As a sentence calls one of them: ``API client``."""
    description: str
    """What one is."""
    path: str
    """The collection's path below ``/v1``, with a leading slash."""
    table: tuple[Field, ...]
    """Every field, in the order in which they are shown."""
    writers: tuple[str, ...]
    """Roles that write it, besides FullAccess."""
    readers: tuple[str, ...] = ()
    """Roles that read it, besides those that write it."""
    name_field: str = ""
    """The field by which a resource of unknown id is found; empty where it has no name."""
    id_choice: IdChoice = IdChoice.CHOSEN
    about_id: str = ""
    """What metadata.id is, where that is not what the choice of the id says of itself."""
    source: str = ""
    """Where OrderCloud documents it, and each field that names nothing else."""
    since: str = ""
    """The API version that introduced it, and each field that names no later one."""
    active_field: str = ""
    """The boolean field that switches the resource off."""
    assignments: Assignments | None = None
    dependents: tuple[Dependent, ...] = ()
    lifetime_field: str = ""
    """The field that says how many minutes tokens live of logins through one of its objects."""
    label_field: str = ""
    """A field of free form whose plain entries tell objects of one name apart."""
    named_secrets: NamedSecrets | None = None
    id_field: str = "ID"
    gives: str = ""
    """The field of the roles that its objects give to those who are assigned."""
    members: str = ""
    """The level of the users who have whatever is assigned to the object."""
    entities: tuple[str, ...] = ()
    """Of a kind that a marketplace has once for each of these: what comes after `path`."""
    unique: tuple[str, ...] = ()
    """Fields that no two objects may have the same values in, taken together."""
    row_fields: tuple[str, str] | None = None
    """Of a kind that is a set of rows, the two fields of a row: the field of the set that it is in, and its member."""
    section: str = ""
    """What seeding files call the list of its objects, where that is not its name and an ``s``."""
    restore_removes: bool = False
    """Whether OrderCloud's restore of staging may remove its objects, besides what it does to fields."""
    restore_unassigns: bool = False
    """Whether that restore removes their assignments."""
    can_veto: bool = False
    """Whether its objects may refuse writes of other objects, ours included: they are written last."""

    @property
    def word(self) -> str:
        """The noun in one word: ``client``."""
        return self.noun.rpartition(" ")[2]

    def unique_values(self, body: Body) -> tuple[str, ...] | None:
        """What no other object may have; None where there is no such thing. Of what is no ID, case counts."""
        values = [self.fields[name].canonical_value(body.get(name)) for name in self.unique]
        return tuple(str(one or "") for one in values) if any(values) else None

    @cached_property
    def has_chosen_ids(self) -> bool:
        """Whether the id of an object is known before it is created: nothing is matched by its name."""
        return self.id_choice is not IdChoice.SERVICE

    @cached_property
    def singles(self) -> Mapping[str, str]:
        """Of objects that are there once: the id that we give each, and its path."""
        if self.id_choice is not IdChoice.SINGLE:
            return {}
        entities = {entity.replace("/", "-"): f"{self.path}/{entity}" for entity in self.entities}
        return entities or {self.name: self.path}

    @property
    def only_id(self) -> str:
        """The id that we give the only object of a kind; empty where there may be several."""
        return self.name if self.row_fields or (self.singles and not self.entities) else ""

    def place(self, object_id: str) -> tuple[str, str | None]:
        """Where an object is read and written: a path, and the id that comes after it, if any."""
        alone = self.singles.get(object_id)
        return (alone, None) if alone else (self.path, object_id)

    def identified(self, body: Body, object_id: str) -> Body:
        """What the service answers of an object, with the id that we give one that has none."""
        return {**body, self.id_field: object_id} if self.singles else body

    @property
    def reading_roles(self) -> tuple[str, ...]:
        """The roles of which one is needed for reading."""
        return (*self.readers, *self.writing_roles)

    @property
    def writing_roles(self) -> tuple[str, ...]:
        """The roles of which one is needed for writing."""
        return (*self.writers, FULL_ACCESS)

    @property
    def assignment_reading_roles(self) -> tuple[str, ...]:
        """The roles of which one is needed for reading assignments."""
        special = self.assignments.roles if self.assignments else ()
        return (*special, FULL_ACCESS) if special else self.reading_roles

    @property
    def assigning_roles(self) -> tuple[str, ...]:
        """The roles of which one is needed for writing assignments."""
        special = self.assignments.roles if self.assignments else ()
        return (*(special or self.writers), FULL_ACCESS)

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """The levels at which its objects are assigned; none where they are assigned to nobody."""
        return self.assignments.levels if self.assignments else ()

    def lookups(self) -> Mapping[str, str]:
        """Role -> what it looks up: what objects of this kind refer to."""
        found: dict[str, str] = {}
        for one in self.fields.values():
            if isinstance(one.refers_to, Reference):
                found[one.refers_to.role] = f"{one.refers_to.noun}s"
            elif isinstance(one.refers_to, MemberReference):
                found |= dict.fromkeys(one.refers_to.roles, f"{one.name} of {self.noun}s")
            elif isinstance(one.refers_to, UserReference):
                found |= {role: f"users of the {party}" for party, _, role in USERS}
                found[SUPPLIER_USERS] = "users of suppliers"
        for level in self.levels:
            found |= dict(level.roles())
        return found

    @property
    def meaning_of_id(self) -> str:
        """What metadata.id is."""
        return self.about_id or _ABOUT_ID[self.id_choice]

    @cached_property
    def schema(self) -> str:
        """File name of the manifest schema."""
        return f"{re.sub('(?<=[a-z])(?=[A-Z])', '-', self.name).lower()}.v1.schema.json"

    @cached_property
    def fields(self) -> Mapping[str, Field]:
        """Writable fields by name; secret fields are not among them."""
        return {one.name: one for one in self.table if not (one.read_only or one.secret or one.initial)}

    @cached_property
    def referring(self) -> tuple[Field, ...]:
        """Fields whose values are ids of other objects."""
        return tuple(one for one in self.fields.values() if one.refers_to)

    @cached_property
    def paired(self) -> tuple[Field, ...]:
        """Fields that OrderCloud does not take without another, those others, and records, which may have some."""
        others = {one.together for one in self.table}
        return tuple(one for one in self.table if one.together or one.name in others or one.members)

    @cached_property
    def urls(self) -> tuple[Field, ...]:
        """Fields that are called, and records, which may have some."""
        called = [one for one in self.table if isinstance(one.type, Text) and one.type.schemes is not None]
        return tuple(one for one in self.table if one.members or one in called)

    @cached_property
    def directed(self) -> tuple[Field, ...]:
        """Fields a change of which may let somebody in or out."""
        return tuple(one for one in self.fields.values() if one.direction_of is not neutral)

    @cached_property
    def cleared(self) -> tuple[Field, ...]:
        """Fields that OrderCloud's restore of staging empties, whichever of its documents is right."""
        return tuple(one for one in self.fields.values() if one.restore is Restore.CLEARS)

    @cached_property
    def initial_fields(self) -> Mapping[str, Field]:
        """Fields that are written when an object is created, and never compared."""
        return {one.name: one for one in self.table if one.initial}

    @cached_property
    def defaults(self) -> Body:
        """What the API assumes where a field is missing or null."""
        return {name: one.default for name, one in self.fields.items()}

    @cached_property
    def secret_rows(self) -> Mapping[str, Field]:
        """Secret fields by their path, those of records included; see `secrecy`."""
        return dict(secrecy.rows(self.table))

    @cached_property
    def secret_fields(self) -> frozenset[str]:
        """The paths of fields whose values are never shown."""
        return frozenset(self.secret_rows)

    @cached_property
    def write_only_fields(self) -> frozenset[str]:
        """The paths of secret fields that no answer ever has."""
        return frozenset(path for path, one in self.secret_rows.items() if one.secret is Secrecy.WRITE_ONLY)

    @cached_property
    def generated_fields(self) -> frozenset[str]:
        """The paths of secret fields of which a manifest may ask for a new value."""
        return frozenset(path for path, one in self.secret_rows.items() if one.can_be_generated)

    @cached_property
    def role_fields(self) -> frozenset[str]:
        """Fields whose members are roles of OrderCloud."""
        return frozenset(name for name, one in self.fields.items() if one.has_roles)

    @cached_property
    def varying(self) -> tuple[tuple[str, ...], ...]:
        """The paths of the values that each environment has of its own."""
        return tuple(varying(self.table))

    @cached_property
    def _data_fields(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.table if isinstance(one.type, Data))

    @cached_property
    def required(self) -> frozenset[str]:
        """Fields without which the API creates nothing, secret ones aside."""
        return frozenset(one.name for one in self.fields.values() if one.required)

    @cached_property
    def read_only(self) -> frozenset[str]:
        """Fields that the service makes; never sent, never compared."""
        return frozenset({self.id_field, *(one.name for one in self.table if one.read_only)})

    @cached_property
    def faults(self) -> Callable[[Body], dict[str, str]]:
        """Say what is wrong with the type of a field of a service body, for each that is at fault. Quotes no value."""
        from reconciler.kinds.body import checker  # noqa: PLC0415  # what reads no service does without its library

        return checker(self.name, self.table, self.id_field)

    def live(self, body: Body, request: RequestFacts) -> LiveResource:
        """Check the types of a service body and take its secret values out of sight.

        Raises:
            BadAnswer: a field that we know has another type than the API promises.
        """
        found = self.seen(body, request)
        if found.faults:
            raise BadAnswer(self.unexpected_fields(found), request)
        return found

    def seen(self, body: Body, request: RequestFacts) -> LiveResource:
        """The same of one object among many: what is wrong with it must not hide the others, see `LiveResource.faults`.

        Raises:
            BadAnswer: it has no usable id, so that nobody could say which object it is.
        """
        if empty := [name for name in self._data_fields if body.get(name) == []]:
            body = {**body, **{name: {} for name in empty}}  # how some tools write that there are none
        faults = self.faults(body)
        if self.id_field in faults:
            raise BadAnswer(f"a {self.name} has no usable ID: {faults[self.id_field]}", request)
        valid = {name: value for name, value in body.items() if name not in faults} if faults else body
        return LiveResource(
            kind=self.name,
            id=str(body[self.id_field]),
            body=secrecy.without(valid, self.secret_rows),
            secrets=dict(secrecy.shown(self.secret_rows, valid)),
            faults=tuple(faults.values()),
        )

    def unexpected_fields(self, live: LiveResource) -> str:
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
        names = {**before, **after}.keys() - {one.name for one in self.table} - self.read_only
        known = (name for name, field in self.fields.items() if not field.equal(before.get(name), after.get(name)))
        unknown = (name for name in sorted(names) if not same(before.get(name, ABSENT), after.get(name, ABSENT)))
        return (*known, *unknown)

    def outside(self, scope: Scope, object_id: str, body: Body) -> str:
        """Why an object is out of scope; empty: it is in scope."""
        return "" if scope.is_everything else next((why for _, why in self.scope_faults(scope, object_id, body)), "")

    def scope_faults(self, scope: Scope, object_id: str, body: Body) -> Iterator[tuple[str, str]]:
        """The fields by which an object is out of scope, and why: its ID where people choose it, else name and xp."""
        field, name = (
            (self.id_field, object_id)
            if self.has_chosen_ids
            else (self.name_field, str(body.get(self.name_field) or ""))
        )
        if why := scope.objection(self.name, name):
            yield field, why
        if self.label_field and (why := scope.objection_to_xp(body.get(self.label_field))):
            yield self.label_field, why

    def has_place_for(self, secret: str, body: Body) -> bool:
        """Whether an object of this body has the record that a secret is in."""
        return secrecy.record_of(secret, body) is not None

    def may_have(self, secret: str, body: Body) -> bool:
        """Whether an object of this body may have a value of a secret: it has its record, and the field beside it."""
        record, beside = secrecy.record_of(secret, body), self.secret_rows[secret].together
        return record is not None and (not beside or record.get(beside) is not None)

    def writable(self, body: Body) -> dict[str, Json]:
        """The body less the fields that the service makes itself. Unknown fields stay: they may be writable."""
        return {name: value for name, value in body.items() if name not in self.read_only}

    def overlaid(self, live: Body, replaced: Body, kept: Iterable[str]) -> Body:
        """The complete body that a PUT replaces a live one with, where some JSON pointers keep what is live."""
        after: Body = {**self.writable(live), **replaced}
        for text in kept if replaced else ():
            path = pointer_parts(text)
            after = with_value_at(after, path, get_at(live, path))
        return after


@contextmanager
def naming_roles(what: str, roles: Sequence[str]) -> Iterator[None]:
    """Let a refusal for the lack of a role say which roles would do."""
    try:
        yield
    except AccessDenied as error:
        if error.request.status == HTTPStatus.FORBIDDEN:
            error.hint = "; ".join(filter(None, [f"{what} requires one of the roles {', '.join(roles)}", error.hint]))
        raise
