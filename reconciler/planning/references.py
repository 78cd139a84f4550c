"""Changes x remote -> findings on the objects that they refer to, before the first write.

Only changed references are looked up, each object once and in parallel; for many objects of one list, the list is read
if that takes fewer requests. If the login may not read, a warning names the missing role; any other failed read is an
error, as everywhere.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import field, replace
from http import HTTPStatus
from typing import Final, TypeVar

from reconciler.errors import AccessDenied, NotFound
from reconciler.kinds import KINDS, Kind, Reference, UserReference
from reconciler.kinds.checks import body_after
from reconciler.kinds.fields import SUPPLIER_USERS, USERS, MemberReference
from reconciler.kinds.references import Path, references
from reconciler.model.dataclass import dataclass
from reconciler.model.json import Body, is_array, pointer
from reconciler.model.plan import Action, Change, Finding, known_after
from reconciler.model.resource import Address, DesiredResource, DesiredState, ObjectKey, same_id
from reconciler.remote import ReadRemote, at_least
from reconciler.remote.threads import Threads

_SUPPLIERS: Final = ("/suppliers", "SupplierReader")
_MAX_SINGLE_READS: Final = 3
"""The number of objects up to which each is read separately."""
_AT_A_TIME: Final = 32
"""Parallel reads; the remote limits them further if necessary."""


T = TypeVar("T")


class _Unseen(Exception):  # never leaves this module
    """It is unknown whether an object exists; the argument is the reason."""


_NOT_YET: Final = _Unseen()


@dataclass(frozen=True, slots=True)
class Referred:
    """The findings and warnings."""

    changes: tuple[Change, ...]
    """The checked changes, with usernames in the service's spelling."""
    findings: tuple[Finding, ...]
    warnings: tuple[str, ...]


def check(
    changes: Sequence[Change],
    desired: DesiredState,
    remote: ReadRemote,
    marketplace: str,
    whole: Sequence[Change] | None = None,
) -> Referred:
    """Look up everything that the changes newly refer to, except objects that the plan itself contains.

    Args:
        changes: the planned changes.
        desired: their manifests.
        remote: the service.
        marketplace: its ID there.
        whole: the changes, and everything else that was just read; None: everything else is looked up.

    Raises:
        RemoteError: a read failed otherwise than by a missing role.
    """
    lookup = _Lookup(
        remote, marketplace, _planned([one for one in changes if one.action.writes] if whole is None else whole)
    )
    resources = {resource.address: resource for resource in desired.resources}
    tasks = {
        change.address: _Task(change, KINDS[change.address.kind], resources.get(change.address), lookup)
        for change in changes
        if change.action.writes and change.after is not None
    }

    def findings() -> list[Finding]:
        return [finding for task in tasks.values() for finding in task.findings()]

    findings()  # only to collect the lookups
    lookup.fetch()
    found = findings()
    seen = tuple(tasks[one.address].as_spelled() if one.address in tasks else one for one in changes)
    return Referred(seen, tuple(found), tuple(sorted(lookup.warnings)))


@dataclass(frozen=True, slots=True)
class _User:
    name: str
    """The username in the service's spelling."""
    party: str
    active: bool


def _planned(changes: Sequence[Change]) -> Mapping[ObjectKey, Change]:
    """Live and created objects, by the keys that other objects refer to."""
    keys = [(ObjectKey(one.address.kind, known_after(one.address)), one) for one in changes]
    return dict([*keys, *((one.key, one) for one in changes if one.key)])


@dataclass(frozen=True, slots=True)
class _Lookup:
    """Objects and users of the service, each read once. Unknown until they are fetched."""

    remote: ReadRemote
    marketplace: str
    planned: Mapping[ObjectKey, Change]
    warnings: set[str] = field(default_factory=set)
    _wanted: dict[tuple[str, str], tuple[Reference, str]] = field(default_factory=dict)
    _objects: dict[tuple[str, str], Body | _Unseen | None] = field(default_factory=dict)
    _users: dict[str, _User | _Unseen | None] = field(default_factory=dict)

    def object(self, reference: Reference, object_id: str) -> Body | None:
        """The object, or None if the service does not have it.

        Raises:
            _Unseen: the login may not read it.
        """
        change = self.planned.get(ObjectKey(reference.kind, object_id))
        if change:
            return body_after(change)
        key = (reference.path, object_id.casefold())
        self._wanted.setdefault(key, (reference, object_id))
        return _seen(self._objects.get(key, _NOT_YET))

    def user(self, name: str) -> _User | None:
        """The user with this name, of any party.

        Raises:
            _Unseen: the login may not read all lists of users, and the others do not have the user.
        """
        return _seen(self._users.setdefault(name, _NOT_YET))

    def fetch(self) -> None:
        """Look up all collected objects and users.

        Raises:
            RemoteError: a read failed otherwise than by a missing role.
        """
        self.warnings.clear()
        with Threads(_AT_A_TIME) as pool:
            left = self._wanted.keys() - self._listed()
            wanted = {key: self._wanted[key] for key in sorted(left)}
            self._objects.update(zip(wanted, pool.map(lambda one: self._get(*one), wanted.values()), strict=True))
            self._users.update(_users(self.remote, pool, list(self._users)))

    def _listed(self) -> Iterator[tuple[str, str]]:
        """Look up objects by reading lists that take fewer requests than their single objects."""
        for path, count in Counter(path for path, _ in self._wanted).items():
            if _is_listed(self.remote, path, count):
                found = {str(one["ID"]).casefold(): one for one in self.remote.list_all(path)}
                for key in (key for key in self._wanted if key[0] == path and key[1] in found):
                    self._objects[key] = found[key[1]]
                    yield key  # an object that a list lacks is read separately: a list may lag behind

    def _get(self, reference: Reference, object_id: str) -> Body | _Unseen | None:
        try:
            return self.remote.get(reference.path, object_id)
        except NotFound:
            return None
        except AccessDenied as error:
            return _Unseen(_lacking([_missing_role(error, reference.role)]))


def _is_listed(remote: ReadRemote, path: str, wanted: int) -> bool:
    """Whether reading the list takes fewer requests than reading so many objects separately."""
    if wanted <= _MAX_SINGLE_READS:
        return False
    try:
        return remote.pages(path) + 1 < wanted
    except (AccessDenied, NotFound):
        return False  # reading each object reports the error


def _users(remote: ReadRemote, pool: Executor, names: Sequence[str]) -> dict[str, _User | _Unseen | None]:
    """Every name -> the user, or why it is unknown whether there is one.

    The lists of users are read one after another, each for the users not found so far.
    """
    found: dict[str, _User | _Unseen | None] = {}
    roles: list[str] = []
    reasons: list[str] = []
    for party, path, role in USERS:
        try:
            found |= _among(remote, path, party, [name for name in names if name not in found])
        except AccessDenied as error:
            roles.append(_missing_role(error, role))
        except NotFound:
            reasons.append(f"this service has no list of all {party} users")
    left = [name for name in names if name not in found]
    if roles or reasons:
        unseen = _Unseen(" and ".join([*([_lacking(roles)] if roles else []), *reasons]))
        return {**found, **dict.fromkeys(left, unseen)}
    return {**found, **_users_of_suppliers(remote, pool, left)}


def _users_of_suppliers(remote: ReadRemote, pool: Executor, names: Sequence[str]) -> dict[str, _User | _Unseen | None]:
    """Read the users of each supplier, since the API has no list of all suppliers' users."""
    found: dict[str, _User | _Unseen | None] = dict.fromkeys(names)
    path, role = _SUPPLIERS
    try:
        suppliers = remote.list_all(path) if names else []
        role = SUPPLIER_USERS
        paths = [f"{path}/{supplier['ID']}/users" for supplier in reversed(suppliers)]
        for users in pool.map(lambda one: _among(remote, one, "supplier", names), paths):
            found |= users
    except AccessDenied as error:
        unseen = _Unseen(_lacking([_missing_role(error, role)]))
        return {name: one or unseen for name, one in found.items()}
    return found


def _among(remote: ReadRemote, path: str, party: str, names: Sequence[str]) -> dict[str, _User]:
    """The users of a list that have one of the names."""
    users = remote.list_all(path, filters=[{"Username": at_least(name)} for name in names]) if names else []
    bodies = {str(user.get("Username")).lower(): user for user in reversed(users)}
    there = {name: bodies[name.lower()] for name in names if name.lower() in bodies}
    return {name: _User(str(one.get("Username")), party, bool(one.get("Active"))) for name, one in there.items()}


def _seen(found: T | _Unseen) -> T:
    if isinstance(found, _Unseen):
        raise _Unseen(*found.args)  # a new instance: one that is raised repeatedly keeps all frames that it passed
    return found


def _missing_role(error: AccessDenied, role: str) -> str:
    """The missing role for which a read was refused; a login that is refused as such is an error."""
    if error.request.status != HTTPStatus.FORBIDDEN:
        raise error
    return role


def _lacking(roles: Sequence[str]) -> str:
    return f"the login lacks {' and '.join(roles)}"


@dataclass(frozen=True, slots=True)
class _Task:
    """One change, and what it refers to."""

    change: Change
    kind: Kind
    resource: DesiredResource | None
    """The manifest, if there is one, for its lines."""
    lookup: _Lookup

    def findings(self) -> Iterator[Finding]:
        """All findings."""
        for name, reference, user in self._users():
            if self._changes(name, reference.buyer_flag):
                yield from self._user(name, reference, user)
        for path, to, value in references(self.kind, self.change.after or {}, self.lookup.marketplace):
            if isinstance(value, str) and value and self._is_new(path, value):
                yield from self._object(pointer("spec", *path), to, value)
        yield from self._parties()

    def _is_new(self, path: Path, value: str) -> bool:
        """Whether the reference is new: members that a list already had are not checked again."""
        to = self.kind.fields[path[0]].refers_to
        if not self._changes(path[0], *([to.company_field] if isinstance(to, MemberReference) else ())):
            return False
        before = (self.change.before or {}).get(path[0])
        return not (is_array(before) and any(same_id(str(member), value) for member in before))

    def _changes(self, *names: str) -> bool:
        changed = {change.pointer for change in self.change.fields}
        return any(pointer(name) in changed for name in names)

    def as_spelled(self) -> Change:
        """The change with the service's spelling of usernames, which may be the only one that the service keeps."""
        names = {}
        for name, _, user in self._users():
            with suppress(_Unseen):
                found = self.lookup.user(user) if self._changes(name) else None
                if found and found.name != user:
                    names[name] = found.name
        if not names:
            return self.change
        fields = (replace(one, after=names.get(one.pointer[1:], one.after)) for one in self.change.fields)
        return replace(self.change, after={**(self.change.after or {}), **names}, fields=tuple(fields))

    def _users(self) -> Iterator[tuple[str, UserReference, str]]:
        """The users that the object names, each with its field."""
        for name, one in self.kind.fields.items():
            user = (self.change.after or {}).get(name)
            if isinstance(one.refers_to, UserReference) and isinstance(user, str) and user:
                yield name, one.refers_to, user

    def _object(self, at: str, reference: Reference, value: str) -> Iterator[Finding]:
        try:
            found = self.lookup.object(reference, value)
        except _Unseen as unseen:
            self._warn(at, f"{reference.noun} {value}", unseen)
            return
        if found is None:
            yield self._missing(at, reference, value)
        elif reference.required_value and found.get(reference.required_value[0]) != reference.required_value[1]:
            name, wanted = reference.required_value
            message = f"the {reference.noun} {value} has {name} {found.get(name)}, but {wanted} is required"
            yield self._finding(at, "reference-type", message, f"use one whose {name} is {wanted}")

    def _missing(self, at: str, reference: Reference, value: str) -> Finding:
        """An object that will not exist; a reference to one without an ID cannot be sent."""
        planned = self.lookup.planned.get(ObjectKey(reference.kind, value))
        if planned is None or planned.action is Action.DELETE:
            message = f"{'this plan deletes the' if planned else 'there is no'} {reference.noun} {value}"
            return self._finding(at, "reference-missing", message, "use an existing one, or create it first")
        message = f"{planned.address} does not exist, and this run does not create it"
        fix = "use an existing one, or include it in this run"
        finding = self._finding(at, "reference-missing", message, fix)
        return replace(finding, can_be_acknowledged=value != known_after(planned.address))

    def _user(self, name: str, reference: UserReference, value: str) -> Iterator[Finding]:
        at, flag = pointer("spec", name), reference.buyer_flag
        try:
            found = self.lookup.user(value)
        except _Unseen as unseen:
            self._warn(at, f"user {value}", unseen)
            return
        if found is None:
            message = f"there is no user {value}"
            yield self._finding(at, "reference-missing", message, "use an existing one, or create it first")
        elif not found.active:
            message = f"the user {value} is not active, so logins as this user fail"
            yield self._finding(at, "reference-inactive", message, "activate the user, or use another")
        elif (self.change.after or {}).get(flag) and found.party != "buyer":
            message = f"{flag} requires a buyer's user, but {value} is a {found.party}'s"
            yield self._finding(at, "reference-not-buyer", message, f"use a buyer's user, or set {flag}: false")

    def _parties(self) -> Iterator[Finding]:
        for step in self.change.assignments:
            if step.assign and self.kind.assignments:
                at = self._member(step.party, step.id)
                for reference, value in self.kind.assignments.level(step.party).targets(step.id):
                    yield from self._object(at, reference, value)
                    self._warn_of_inactive(at, reference, value)

    def _warn_of_inactive(self, at: str, reference: Reference, object_id: str) -> None:
        """Warn only: an inactive party may be activated later."""
        with suppress(_Unseen):
            found = self.lookup.object(reference, object_id)
            if found and found.get("Active") is False:
                self.lookup.warnings.add(
                    f"{self._at(at)}{self.change.address}: the {reference.noun} {object_id} is not active, so none of "
                    "its users can log in"
                )

    def _member(self, party: str, object_id: str) -> str:
        """The pointer at which the manifest names one party."""
        named = self.resource.assignments.get(party, ()) if self.resource else ()
        at = pointer("assignments", party)
        return f"{at}/{named.index(object_id)}" if object_id in named else at

    def _warn(self, at: str, what: str, unseen: _Unseen) -> None:
        self.lookup.warnings.add(
            f"{self._at(at)}{self.change.address}: cannot check whether the {what} exists: {unseen}"
        )

    def _finding(self, at: str, rule: str, message: str, fix: str) -> Finding:
        addresses: tuple[Address, ...] = (self.change.address,)
        return Finding(rule, f"{self._at(at)}{self.change.address}: {message}", fix, addresses)

    def _at(self, at: str) -> str:
        places = self.resource.places if self.resource else {}
        place = places.get(at) or self.change.place
        return f"{place}: " if place else ""
