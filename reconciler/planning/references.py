"""Changes x remote -> what they refer to and what is wrong with it, found before the first write.

Only what a plan changes is looked up, each thing once. A login that may not look is a warning that says which role is
missing; a look that fails otherwise is an error, as everywhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from reconciler.errors import AccessDenied, NotFound
from reconciler.kinds import KINDS, Field, Kind, Reference, UserReference
from reconciler.kinds.fields import SUPPLIER_USERS, USERS
from reconciler.kinds.references import Path, references
from reconciler.model.json import Body, is_array, pointer
from reconciler.model.plan import Change, Finding, known_after
from reconciler.model.resource import Address, DesiredResource, DesiredState, ObjectKey, same_id
from reconciler.planning.guards.context import body_after
from reconciler.remote.protocol import ReadRemote, at_least

_SUPPLIERS: Final = ("/suppliers", "SupplierReader")
_FORBIDDEN: Final = 403


T = TypeVar("T")


class _Unseen(Exception):  # never leaves this module
    """Whether something is there cannot be seen; the argument says why."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found."""

    changes: tuple[Change, ...]
    """Those that were looked at, with usernames as the service spells them."""
    findings: tuple[Finding, ...]
    warnings: tuple[str, ...]


def check(
    changes: Sequence[Change], desired: DesiredState, remote: ReadRemote, whole: Sequence[Change] | None = None
) -> Checked:
    """Look up everything that the changes newly refer to. What the plan has itself is not asked for.

    Args:
        changes: those that are planned.
        desired: the manifests that they are from.
        remote: the service.
        whole: those, and all else that was just read; None: all else is asked for.

    Raises:
        RemoteError: a look failed otherwise than by a missing role.
    """
    lookup = _Lookup(remote, _planned([one for one in changes if one.action.writes] if whole is None else whole))
    resources = {resource.address: resource for resource in desired.resources}
    findings, seen = [], []
    for change in changes:
        task = _Task(change, KINDS[change.address.kind], resources.get(change.address), lookup)
        if change.action.writes and change.after is not None:
            findings += list(task.findings())
            seen.append(task.as_spelled())
        else:
            seen.append(change)
    return Checked(tuple(seen), tuple(findings), tuple(sorted(lookup.warnings)))


@dataclass(frozen=True, slots=True)
class _User:
    name: str
    """As the service spells it."""
    party: str
    active: bool

    @classmethod
    def of(cls, body: Body, party: str) -> "_User":
        return cls(str(body.get("Username")), party, bool(body.get("Active")))


def _planned(changes: Sequence[Change]) -> Mapping[ObjectKey, Change]:
    """What is live or created, by what other objects call it."""
    keys = [(ObjectKey(one.address.kind, known_after(one.address)), one) for one in changes if one.after]
    return dict([*keys, *((one.key, one) for one in changes if one.key)])


@dataclass(frozen=True, slots=True)
class _Lookup:
    """Objects and users of the service, each asked for once."""

    remote: ReadRemote
    planned: Mapping[ObjectKey, Change]
    warnings: set[str] = field(default_factory=set)
    _objects: dict[tuple[str, str], Body | _Unseen | None] = field(default_factory=dict)
    _users: dict[str, _User | _Unseen | None] = field(default_factory=dict)

    def object(self, reference: Reference, object_id: str) -> Body | None:
        """The object, or None where the service says that there is none.

        Raises:
            _Unseen: the login may not look.
        """
        change = self.planned.get(ObjectKey(reference.kind, object_id))
        if change:
            return body_after(change)
        key = (reference.path, object_id.casefold())
        if key not in self._objects:
            self._objects[key] = self._get(reference, object_id)
        return _seen(self._objects[key])

    def _get(self, reference: Reference, object_id: str) -> Body | _Unseen | None:
        try:
            return self.remote.get(reference.path, object_id)
        except NotFound:
            return None
        except AccessDenied as error:
            return _Unseen(_lacking([_missing_role(error, reference.role)]))

    def user(self, name: str) -> _User | None:
        """The user of this name, of any party.

        Raises:
            _Unseen: the login may not look everywhere, and has not found him where it may.
        """
        if name not in self._users:
            self._users[name] = self._find_user(name)
        return _seen(self._users[name])

    def _find_user(self, name: str) -> _User | _Unseen | None:
        roles: list[str] = []
        reasons: list[str] = []
        for party, path, role in USERS:
            try:
                found = self._named(path, name)
            except AccessDenied as error:
                roles.append(_missing_role(error, role))
            except NotFound:
                reasons.append(f"this service has no list of all {party} users")
            else:
                if found:
                    return _User.of(found, party)
        if roles or reasons:
            return _Unseen(" and ".join([*([_lacking(roles)] if roles else []), *reasons]))
        return self._find_supplier_user(name)

    def _find_supplier_user(self, name: str) -> _User | _Unseen | None:
        """The API has no list of all suppliers' users, so that each supplier is asked."""
        path, role = _SUPPLIERS
        try:
            suppliers = self.remote.list_all(path)
            role = SUPPLIER_USERS
            for supplier in suppliers:
                found = self._named(f"{path}/{supplier['ID']}/users", name)
                if found:
                    return _User.of(found, "supplier")
        except AccessDenied as error:
            return _Unseen(_lacking([_missing_role(error, role)]))
        return None

    def _named(self, path: str, name: str) -> Body | None:
        found = self.remote.list_all(path, filters={"Username": at_least(name)})
        return next((user for user in found if str(user.get("Username")).lower() == name.lower()), None)


def _seen(found: T | _Unseen) -> T:
    if isinstance(found, _Unseen):
        raise found
    return found


def _missing_role(error: AccessDenied, role: str) -> str:
    """The role that a look was refused for the lack of; a login that is refused as such is no such thing."""
    if error.request.status != _FORBIDDEN:
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
    """The manifest, where there is one: its lines are told."""
    lookup: _Lookup

    def findings(self) -> Iterator[Finding]:
        """Everything that is wrong."""
        after = self.change.after or {}
        for name, one in self.kind.fields.items():
            value = after.get(name)
            if not isinstance(value, str) or not value:
                continue
            if isinstance(one.refers_to, UserReference) and self._changes(name, one.refers_to.buyer_flag):
                yield from self._user(name, one.refers_to, value)
        for path, to, value in references(self.kind, after):
            if isinstance(value, str) and value and self._is_new(path, value):
                yield from self._object(pointer("spec", *path), to, value)
        yield from self._parties()

    def _is_new(self, path: Path, value: str) -> bool:
        """Whether the object does not refer to it yet: what a list had before is not looked at again."""
        if not self._changes(path[0]):
            return False
        before = (self.change.before or {}).get(path[0])
        return not (is_array(before) and any(same_id(str(member), value) for member in before))

    def _changes(self, *names: str) -> bool:
        changed = {change.pointer for change in self.change.fields}
        return any(pointer(name) in changed for name in names)

    def as_spelled(self) -> Change:
        """The change with the service's spelling of the users that it names: the service may keep no other."""
        names = {name: self._spelling(name) for name, one in self.kind.fields.items() if self._names_user(name, one)}
        if not any(names.values()):
            return self.change
        after = {**(self.change.after or {}), **{name: found for name, found in names.items() if found}}
        fields = (
            replace(one, after=after[one.pointer[1:]]) if names.get(one.pointer[1:]) else one
            for one in self.change.fields
        )
        return replace(self.change, after=after, fields=tuple(fields))

    def _names_user(self, name: str, field: Field) -> bool:
        return isinstance(field.refers_to, UserReference) and self._changes(name)

    def _spelling(self, name: str) -> str | None:
        """How the service spells the user that a field names, where that is another way."""
        value = (self.change.after or {}).get(name)
        try:
            found = self.lookup.user(value) if isinstance(value, str) and value else None
        except _Unseen:
            return None
        return found.name if found and found.name != value else None

    def _object(self, at: str, reference: Reference, value: str) -> Iterator[Finding]:
        try:
            found = self.lookup.object(reference, value)
        except _Unseen as unseen:
            self._warn(at, f"{reference.noun} {value}", unseen)
            return
        if found is None:
            is_deleted = ObjectKey(reference.kind, value) in self.lookup.planned
            message = f"{'this plan deletes the' if is_deleted else 'there is no'} {reference.noun} {value}"
            yield self._finding(at, "reference-missing", message, "name one that exists, or create it first")
        elif reference.demands and found.get(reference.demands[0]) != reference.demands[1]:
            name, wanted = reference.demands
            message = f"the {reference.noun} {value} is of {name} {found.get(name)}, and {wanted} is needed"
            yield self._finding(at, "reference-type", message, f"name one whose {name} is {wanted}")

    def _user(self, name: str, reference: UserReference, value: str) -> Iterator[Finding]:
        at, flag = pointer("spec", name), reference.buyer_flag
        try:
            found = self.lookup.user(value)
        except _Unseen as unseen:
            self._warn(at, f"user {value}", unseen)
            return
        if found is None:
            message = f"there is no user {value}"
            yield self._finding(at, "reference-missing", message, "name one that exists, or create it first")
        elif not found.active:
            message = f"the user {value} is not active, so that nobody can log in as this user"
            yield self._finding(at, "reference-inactive", message, "activate the user, or name another")
        elif (self.change.after or {}).get(flag) and found.party != "buyer":
            message = f"{flag} needs a buyer's user, and {value} is a {found.party}'s"
            yield self._finding(at, "reference-not-buyer", message, f"name a buyer's user, or write {flag}: false")

    def _parties(self) -> Iterator[Finding]:
        for step in self.change.assignments:
            if step.assign and self.kind.assignments:
                at = self._member(step.party, step.id)
                for reference, value in self.kind.assignments.level(step.party).targets(step.id):
                    yield from self._object(at, reference, value)
                    self._warn_of_inactive(at, reference, value)

    def _warn_of_inactive(self, at: str, reference: Reference, object_id: str) -> None:
        """An inactive party may be about to be activated, so that this is no objection."""
        with suppress(_Unseen):
            found = self.lookup.object(reference, object_id)
            if found and found.get("Active") is False:
                self.lookup.warnings.add(
                    f"{self._at(at)}{self.change.address}: the {reference.noun} {object_id} is not active, so none of "
                    "its users can log in"
                )

    def _member(self, party: str, object_id: str) -> str:
        """Where the manifest names one party."""
        named = self.resource.assignments.get(party, ()) if self.resource else ()
        at = pointer("assignments", party)
        return f"{at}/{named.index(object_id)}" if object_id in named else at

    def _warn(self, at: str, what: str, unseen: _Unseen) -> None:
        self.lookup.warnings.add(
            f"{self._at(at)}{self.change.address}: whether there is a {what} cannot be seen: {unseen}"
        )

    def _finding(self, at: str, rule: str, message: str, fix: str) -> Finding:
        addresses: tuple[Address, ...] = (self.change.address,)
        return Finding(rule, f"{self._at(at)}{self.change.address}: {message}", fix, addresses)

    def _at(self, at: str) -> str:
        places = self.resource.places if self.resource else {}
        place = places.get(at) or self.change.place
        return f"{place}: " if place else ""
