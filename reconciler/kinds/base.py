"""A table of fields -> a `Kind`: specs and service bodies have one canonical form, so the differ has no special cases.

A kind is a table of fields. The table's facts about a field (its type, its default, how two values compare, whether a
change widens access) are all that the rest of the program knows about OrderCloud's resources.
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
    """An object of the service that prevents the deletion of the objects that it refers to."""

    noun: str
    path: str
    field: str
    """The field with the object's id."""
    role: str
    """The role that the login needs to read it."""
    is_single: bool = False
    """Whether there is at most one, at the path itself."""


class IdChoice(Enum):
    """Who chooses the id of an object."""

    SERVICE = "service"
    """The service, when it creates the object."""
    CHOSEN = "chosen"
    """The user: it is metadata.id, or metadata.name by default, and PUT to an unknown id creates the object."""
    SINGLE = "single"
    """No id: a marketplace has at most one, at the path itself (EntitySync: one for each entity, below it)."""
    SET = "set"
    """No id: one document contains all of them."""


_ABOUT_ID: Final[Mapping[IdChoice, str]] = {
    IdChoice.CHOSEN: "The ID in OrderCloud. Default: metadata.name. For an environment with a different ID, use ids in "
    "reconciler.yaml, which takes precedence.",
    IdChoice.SINGLE: "Read-only: a marketplace has only one, without an ID.",
    IdChoice.SET: "Read-only: one manifest contains all of them, without an ID.",
}
"""The description of metadata.id."""

_LABELS: Final = 5
_LABEL_LENGTH: Final = 40


@dataclass(frozen=True)
class Kind:
    """One type of resource: its path, its names and its fields."""

    name: str
    noun: str
    """Its name in sentences: ``API client``."""
    description: str
    """A description of one object."""
    path: str
    """The collection's path below ``/v1``, with a leading slash."""
    table: tuple[Field, ...]
    """All fields, in display order."""
    writers: tuple[str, ...]
    """Roles that write it, in addition to FullAccess."""
    readers: tuple[str, ...] = ()
    """Roles that read it, in addition to those that write it."""
    name_field: str = ""
    """The field that matches a resource without a known id; empty if it has no name."""
    id_choice: IdChoice = IdChoice.CHOSEN
    about_id: str = ""
    """The description of metadata.id, if it differs from the default for the choice of ids."""
    source: str = ""
    """Where OrderCloud documents it, and each field without a source."""
    since: str = ""
    """The API version that introduced it, and each field without a later one."""
    active_field: str = ""
    """The boolean field that deactivates the resource."""
    assignments: Assignments | None = None
    dependents: tuple[Dependent, ...] = ()
    lifetime_field: str = ""
    """The field with the lifetime, in minutes, of tokens of logins through one of its objects."""
    label_field: str = ""
    """A free-form field whose plain entries distinguish objects of the same name."""
    named_secrets: NamedSecrets | None = None
    id_field: str = "ID"
    gives: str = ""
    """The field of the roles that its objects grant to assigned parties."""
    members: str = ""
    """The level of the users who get what is assigned to the object."""
    entities: tuple[str, ...] = ()
    """Path suffixes of a kind that a marketplace has once for each of them."""
    unique: tuple[str, ...] = ()
    """Fields whose combined values must be unique."""
    row_fields: tuple[str, str] | None = None
    """The two fields of a row, for a kind that is a set of rows: the field of the set, and its member."""
    section: str = ""
    """The name of its list in seeding files, if it is not its name and an ``s``."""
    restore_removes: bool = False
    """Whether OrderCloud's staging restore may remove its objects, in addition to clearing fields."""
    restore_unassigns: bool = False
    """Whether that restore removes their assignments."""
    can_veto: bool = False
    """Whether its objects may refuse writes of other objects, including ours: they are written last."""

    @property
    def word(self) -> str:
        """The noun in one word: ``client``."""
        return self.noun.rpartition(" ")[2]

    def unique_values(self, body: Body) -> tuple[str, ...] | None:
        """The values that must be unique; None if there are none. Case matters, except in IDs."""
        values = [self.fields[name].canonical_value(body.get(name)) for name in self.unique]
        return tuple(str(one or "") for one in values) if any(values) else None

    @cached_property
    def has_chosen_ids(self) -> bool:
        """Whether the id of an object is known before it is created, so that names are not matched."""
        return self.id_choice is not IdChoice.SERVICE

    @cached_property
    def singles(self) -> Mapping[str, str]:
        """The ids that we assign to singletons, and their paths."""
        if self.id_choice is not IdChoice.SINGLE:
            return {}
        entities = {entity.replace("/", "-"): f"{self.path}/{entity}" for entity in self.entities}
        return entities or {self.name: self.path}

    @property
    def only_id(self) -> str:
        """The id that we assign to the only object of a kind; empty if there may be several."""
        return self.name if self.row_fields or (self.singles and not self.entities) else ""

    def place(self, object_id: str) -> tuple[str, str | None]:
        """Where an object is read and written: a path, and the id that follows it, if any."""
        alone = self.singles.get(object_id)
        return (alone, None) if alone else (self.path, object_id)

    def identified(self, body: Body, object_id: str) -> Body:
        """The service's response for an object, with the id that we assign to one without an id."""
        return {**body, self.id_field: object_id} if self.singles else body

    @property
    def reading_roles(self) -> tuple[str, ...]:
        """The roles of which one is required to read."""
        return (*self.readers, *self.writing_roles)

    @property
    def writing_roles(self) -> tuple[str, ...]:
        """The roles of which one is required to write."""
        return (*self.writers, FULL_ACCESS)

    @property
    def assignment_reading_roles(self) -> tuple[str, ...]:
        """The roles of which one is required to read assignments."""
        special = self.assignments.roles if self.assignments else ()
        return (*special, FULL_ACCESS) if special else self.reading_roles

    @property
    def assigning_roles(self) -> tuple[str, ...]:
        """The roles of which one is required to write assignments."""
        special = self.assignments.roles if self.assignments else ()
        return (*(special or self.writers), FULL_ACCESS)

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """The levels at which its objects are assigned; none if they have no assignments."""
        return self.assignments.levels if self.assignments else ()

    def lookups(self) -> Mapping[str, str]:
        """Role -> the referenced objects that it can look up."""
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
        """The description of metadata.id."""
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
        """Fields that OrderCloud requires together, and records, which may contain some."""
        others = {one.together for one in self.table}
        return tuple(one for one in self.table if one.together or one.name in others or one.members)

    @cached_property
    def urls(self) -> tuple[Field, ...]:
        """URL fields, and records, which may contain some."""
        called = [one for one in self.table if isinstance(one.type, Text) and one.type.schemes is not None]
        return tuple(one for one in self.table if one.members or one in called)

    @cached_property
    def directed(self) -> tuple[Field, ...]:
        """Fields whose changes may widen or narrow access."""
        return tuple(one for one in self.fields.values() if one.direction_of is not neutral)

    @cached_property
    def cleared(self) -> tuple[Field, ...]:
        """Fields that OrderCloud's staging restore clears, by both of its documents."""
        return tuple(one for one in self.fields.values() if one.restore is Restore.CLEARS)

    @cached_property
    def initial_fields(self) -> Mapping[str, Field]:
        """Fields that are written when an object is created, and never compared."""
        return {one.name: one for one in self.table if one.initial}

    @cached_property
    def defaults(self) -> Body:
        """The API's defaults of missing or null fields."""
        return {name: one.default for name, one in self.fields.items()}

    @cached_property
    def secret_rows(self) -> Mapping[str, Field]:
        """Secret fields by their path, including those of records; see `secrecy`."""
        return dict(secrecy.rows(self.table))

    @cached_property
    def secret_fields(self) -> frozenset[str]:
        """The paths of fields whose values are never shown."""
        return frozenset(self.secret_rows)

    @cached_property
    def write_only_fields(self) -> frozenset[str]:
        """The paths of write-only secret fields, which no response contains."""
        return frozenset(path for path, one in self.secret_rows.items() if one.secret is Secrecy.WRITE_ONLY)

    @cached_property
    def generated_fields(self) -> frozenset[str]:
        """The paths of secret fields for which a manifest may request a generated value."""
        return frozenset(path for path, one in self.secret_rows.items() if one.can_be_generated)

    @cached_property
    def role_fields(self) -> frozenset[str]:
        """Fields whose members are roles of OrderCloud."""
        return frozenset(name for name, one in self.fields.items() if one.has_roles)

    @cached_property
    def varying(self) -> tuple[tuple[str, ...], ...]:
        """The paths of values that differ between environments."""
        return tuple(varying(self.table))

    @cached_property
    def _data_fields(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.table if isinstance(one.type, Data))

    @cached_property
    def required(self) -> frozenset[str]:
        """Fields that the API requires to create an object, except secret ones."""
        return frozenset(one.name for one in self.fields.values() if one.required)

    @cached_property
    def read_only(self) -> frozenset[str]:
        """Fields that the service sets; never sent, never compared."""
        return frozenset({self.id_field, *(one.name for one in self.table if one.read_only)})

    @cached_property
    def faults(self) -> Callable[[Body], dict[str, str]]:
        """The type faults of a service body, by field. Quotes no values."""
        from reconciler.kinds.body import checker  # noqa: PLC0415  # not needed by runs that read no service

        return checker(self.name, self.table, self.id_field)

    def live(self, body: Body, request: RequestFacts) -> LiveResource:
        """Check the types of a service body and hide its secret values.

        Raises:
            BadAnswer: a known field has another type than the API documents.
        """
        found = self.seen(body, request)
        if found.faults:
            raise BadAnswer(self.unexpected_fields(found), request)
        return found

    def seen(self, body: Body, request: RequestFacts) -> LiveResource:
        """The same for one of many objects, whose faults must not hide the others, see `LiveResource.faults`.

        Raises:
            BadAnswer: it has no usable id, so that it cannot be identified.
        """
        if empty := [name for name in self._data_fields if body.get(name) == []]:
            body = {**body, **{name: {} for name in empty}}  # some tools write empty records like this
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
        """Describe an object with type faults."""
        name = live.body.get(self.name_field)
        title = f" ({name})" if isinstance(name, str) else ""
        return f"{self.name} {live.id}{title} has fields of unexpected types: {'; '.join(live.faults)}"

    def labels(self, body: Body) -> dict[str, str]:
        """A few plain entries of an object's label field, with long ones cut."""
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
        """All compared fields in canonical form."""
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
        """The fields that put an object out of scope, and why: its ID if users choose it, otherwise name and xp."""
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
        """Whether the body has the record that contains a secret."""
        return secrecy.record_of(secret, body) is not None

    def may_have(self, secret: str, body: Body) -> bool:
        """Whether an object with this body may have a value of a secret: it has its record and companion field."""
        record, companion = secrecy.record_of(secret, body), self.secret_rows[secret].together
        return record is not None and (not companion or record.get(companion) is not None)

    def writable(self, body: Body) -> dict[str, Json]:
        """The body without read-only fields. Unknown fields stay, because they may be writable."""
        return {name: value for name, value in body.items() if name not in self.read_only}

    def overlaid(self, live: Body, replaced: Body, kept: Iterable[str]) -> Body:
        """The complete body for a PUT, in which some JSON pointers keep their live value."""
        after: Body = {**self.writable(live), **replaced}
        for text in kept if replaced else ():
            path = pointer_parts(text)
            after = with_value_at(after, path, get_at(live, path))
        return after


@contextmanager
def naming_roles(what: str, roles: Sequence[str]) -> Iterator[None]:
    """Add the sufficient roles to the hint of a refused request."""
    try:
        yield
    except AccessDenied as error:
        if error.request.status == HTTPStatus.FORBIDDEN:
            error.hint = "; ".join(filter(None, [f"{what} requires one of the roles {', '.join(roles)}", error.hint]))
        raise
