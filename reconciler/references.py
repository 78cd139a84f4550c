"""Changes x remote -> what they refer to and what is wrong with it, found before the first write.

Only what a plan changes is looked up, each thing once. A login that may not look is a warning that says which role is
missing; a look that fails otherwise is an error, as everywhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from reconciler.errors import AccessDenied, NotFound
from reconciler.kinds import Kind, Reference, UserReference
from reconciler.model.diagnostic import Place
from reconciler.model.json import Body, pointer
from reconciler.model.plan import Change, Finding
from reconciler.model.resource import Address, DesiredState
from reconciler.remote.protocol import ReadRemote

_USERS: Final = (("seller", "/adminusers", "AdminUserReader"), ("buyer", "/buyerusers", "BuyerUserReader"))
_SUPPLIERS: Final = "/suppliers"
_SUPPLIER_ROLE: Final = "SupplierUserReader"


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found."""

    findings: tuple[Finding, ...]
    warnings: tuple[str, ...]


def check(changes: Sequence[Change], desired: DesiredState, kinds: Mapping[str, Kind], remote: ReadRemote) -> Checked:
    """Look up everything that the changes newly refer to.

    Raises:
        RemoteError: a look failed otherwise than by a missing role.
    """
    lookup = _Lookup(remote)
    places = {resource.address: resource.places for resource in desired.resources}
    findings = []
    for change in changes:
        if change.action.writes and change.after is not None:
            task = _Task(change, kinds[change.address.kind], places.get(change.address, {}), lookup)
            findings += list(task.findings())
    return Checked(tuple(findings), tuple(sorted(lookup.warnings)))


@dataclass(frozen=True, slots=True)
class _User:
    party: str
    active: bool


@dataclass(frozen=True, slots=True)
class _Lookup:
    """Objects and users of the service, each asked for once."""

    remote: ReadRemote
    warnings: set[str] = field(default_factory=set)
    _objects: dict[tuple[str, str], Body | None] = field(default_factory=dict)
    _users: dict[str, _User | None] = field(default_factory=dict)

    def object(self, path: str, object_id: str) -> Body | None:
        """The object, or None where the service says that there is none.

        Raises:
            AccessDenied: the login may not look.
        """
        key = (path, object_id.casefold())
        if key not in self._objects:
            try:
                self._objects[key] = self.remote.get(path, object_id)
            except NotFound:
                self._objects[key] = None
        return self._objects[key]

    def user(self, name: str) -> _User | None:
        """The user of this name, of any party.

        Raises:
            AccessDenied: the login may not look everywhere, and has not found him where it may.
            NotFound: this version of the API has no list of all buyers' users.
        """
        if name not in self._users:
            self._users[name] = self._find_user(name)
        return self._users[name]

    def _find_user(self, name: str) -> _User | None:
        denied: AccessDenied | NotFound | None = None
        for party, path, _role in _USERS:
            try:
                found = self._named(path, name)
            except (AccessDenied, NotFound) as error:
                denied = denied or error
                continue
            if found:
                return _User(party, bool(found.get("Active")))
        if denied:
            raise denied
        return self._find_supplier_user(name)

    def _find_supplier_user(self, name: str) -> _User | None:
        """The API has no list of all suppliers' users, so that each supplier is asked."""
        for supplier in self.remote.list_all(_SUPPLIERS):
            found = self._named(f"{_SUPPLIERS}/{supplier['ID']}/users", name)
            if found:
                return _User("supplier", bool(found.get("Active")))
        return None

    def _named(self, path: str, name: str) -> Body | None:
        """The filter may give more than what equals: letters such as ``*`` have a meaning in it."""
        found = self.remote.list_all(path, filters={"Username": name})
        return next((user for user in found if str(user.get("Username")).casefold() == name.casefold()), None)


@dataclass(frozen=True, slots=True)
class _Task:
    """One change, and what it refers to."""

    change: Change
    kind: Kind
    places: Mapping[str, Place]
    lookup: _Lookup

    def findings(self) -> Iterator[Finding]:
        """Everything that is wrong."""
        after = self.change.after or {}
        for name, one in self.kind.fields.items():
            value = after.get(name)
            if not isinstance(value, str) or not value:
                continue
            if isinstance(one.refers_to, Reference) and self._changes(name):
                yield from self._object(pointer("spec", name), one.refers_to, value)
            elif isinstance(one.refers_to, UserReference) and self._changes(name, one.refers_to.buyer_flag):
                yield from self._user(name, one.refers_to, value)
        yield from self._parties()

    def _changes(self, *names: str) -> bool:
        changed = {change.pointer for change in self.change.fields}
        return any(pointer(name) in changed for name in names)

    def _object(self, at: str, reference: Reference, value: str) -> Iterator[Finding]:
        try:
            found = self.lookup.object(reference.path, value)
        except AccessDenied:
            self._cannot_look(f"{reference.noun} {value}", reference.role)
            return
        if found is None:
            yield self._finding(at, "reference-missing", f"there is no {reference.noun} {value}")
        elif reference.demands and found.get(reference.demands[0]) != reference.demands[1]:
            name, wanted = reference.demands
            message = f"the {reference.noun} {value} is of {name} {found.get(name)}, and {wanted} is needed"
            yield self._finding(at, "reference-type", message)

    def _user(self, name: str, reference: UserReference, value: str) -> Iterator[Finding]:
        at = pointer("spec", name)
        try:
            found = self.lookup.user(value)
        except (AccessDenied, NotFound):
            self._cannot_look(f"user {value}", " and ".join([*(role for _, _, role in _USERS), _SUPPLIER_ROLE]))
            return
        must_buy = bool((self.change.after or {}).get(reference.buyer_flag))
        if found is None:
            yield self._finding(at, "reference-missing", f"there is no user {value}")
        elif not found.active:
            yield self._finding(
                at, "reference-inactive", f"the user {value} is not active, so that nobody can log in as he"
            )
        elif must_buy and found.party != "buyer":
            message = f"{reference.buyer_flag} needs a buyer's user, and {value} is a {found.party}'s"
            yield self._finding(at, "reference-not-buyer", message)

    def _parties(self) -> Iterator[Finding]:
        for step in self.change.assignments:
            if step.assign and self.kind.assignments:
                party = self.kind.assignments.party(step.party)
                reference = Reference(party.name.removesuffix("s"), party.path, party.role)
                yield from self._object(pointer("assignments", step.party), reference, step.id)

    def _cannot_look(self, what: str, role: str) -> None:
        message = (
            f"{self._at('')}{self.change.address}: whether there is a {what} cannot be seen; the login lacks {role}"
        )
        self.lookup.warnings.add(message)

    def _finding(self, at: str, rule: str, message: str) -> Finding:
        addresses: tuple[Address, ...] = (self.change.address,)
        return Finding(rule, f"{self._at(at)}{self.change.address}: {message}", "name one that exists", addresses)

    def _at(self, at: str) -> str:
        place = self.places.get(at) or self.change.place
        return f"{place}: " if place else ""
