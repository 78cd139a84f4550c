"""Store, settings and clock -> one marketplace, in all that spans its kinds: users, their roles, references.

A user name is unique per marketplace, whatever the party (SDK: `User.UsernameMustBeUnique`), which is why an API client
can name its default context user by the name alone.

References follow from `Field.refers` of the rows and tables. An ID is stored as its object spells it, that of an
API client in lower case. Guesses: a deletion takes assignments along and empties references (switch:
`delete-leaves-references`); what cannot be without the reference is deleted, too.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from reconciler.emulator import Settings
from reconciler.emulator.calls import FULL_ACCESS
from reconciler.emulator.errors import ApiError, Fault, not_found
from reconciler.emulator.fields import Field, Reference, has_kind, values_of
from reconciler.emulator.store import Body, Store, key_of

if TYPE_CHECKING:
    from reconciler.emulator.resources import Resource, Table


@dataclass(frozen=True, slots=True)
class Party:
    """One of the three kinds of user: what a token calls it, where it belongs, which client switch lets it in."""

    kind: str
    usrtype: str
    allowed_by: str
    company: str | None
    group: str


_PARTIES = (
    Party("AdminUser", "admin", "AllowSeller", None, "AdminUserGroup"),
    Party("User", "buyer", "AllowAnyBuyer", "Buyer", "UserGroup"),
    Party("SupplierUser", "supplier", "AllowAnySupplier", "Supplier", "SupplierUserGroup"),
)
PARTIES = {party.kind: party for party in _PARTIES}


@dataclass(frozen=True, slots=True)
class User:
    """A user together with its party; `company` is the ID of its buyer or supplier, None for the seller's people."""

    party: Party
    body: Body

    @property
    def name(self) -> str:
        """User name."""
        return str(self.body["Username"])

    @property
    def company(self) -> str | None:
        """ID of the buyer or supplier that the user belongs to."""
        return self.body.get("CompanyID") if self.party.company else None


@dataclass(frozen=True, slots=True)
class Marketplace:
    """Everything a handler works on; `rows` and `tables` describe the kinds and assignments of its generation."""

    store: Store
    settings: Settings
    clock: Callable[[], datetime]
    rows: "Mapping[str, Resource]"
    tables: "Mapping[str, Table]"

    def find(self, kind: str, *ids: str) -> Body | None:
        """Give the object under these IDs (its parents' first), in whatever case, or None."""
        return self.store.get(kind, key_of(*ids))

    def require(self, kind: str, *ids: str) -> Body:
        """Give the object, or refuse with `NotFound`."""
        body = self.find(kind, *ids)
        if body is None:
            raise ApiError(not_found(kind, ids[-1]))
        return body

    def remove(self, kind: str, key: str) -> None:
        """Delete an object with all that belongs to it or cannot be without it."""
        self.store.delete(kind, key)
        _forget(self, (kind, key))

    def user_named(self, name: str) -> User | None:
        """Find a user of any party by name, without case (a guess: the service runs on a case-insensitive database)."""
        for kind, party in PARTIES.items():
            body = self._names(kind).get(name.lower())
            if body is not None:
                return User(party, body)
        return None

    def roles_of(self, user: User) -> list[str]:
        """Give the standard and custom roles of a user: those which the seed states, and those of his profiles."""
        granted = dict.fromkeys(user.body.get("_roles", ()))
        for row in self.store.all("SecurityProfileAssignment").values():
            if self._applies(row, user):
                profile = self.find("SecurityProfile", row["SecurityProfileID"]) or {}
                granted |= dict.fromkeys([*(profile.get("Roles") or ()), *(profile.get("CustomRoles") or ())])
        return list(granted)

    def may_log_in(self, client: Body, user: User) -> bool:
        """Tell whether the client admits the user's party: by a switch for all of them, or by an assignment."""
        if client.get(user.party.allowed_by):
            return True
        if user.party.company is None or user.company is None:
            return False
        return self.admits(client, user.party.company, user.company)

    def admits(self, client: Body, company: str, company_id: str) -> bool:
        """Tell whether a client is assigned to a buyer or supplier."""
        ids = (company_id, "") if company == "Buyer" else ("", company_id)
        return self.find("ApiClientAssignment", client["ID"], *ids) is not None

    def assigned(self, client_id: str, company: str) -> int:
        """Count the buyers or suppliers to which a client is assigned."""
        counts = self.store.cached("ApiClientAssignment", "counts", self._count_assignments)
        return counts.get((client_id.lower(), company), 0)

    def has_full_access(self, client: Body) -> bool:
        """Tell whether the client's own login yields FullAccess."""
        user = self.user_named(client.get("DefaultContextUserName") or "")
        capped = client.get("MaximumGrantedRoles") or [FULL_ACCESS]
        return bool(user and client.get("Active") and FULL_ACCESS in capped and FULL_ACCESS in self.roles_of(user))

    def is_taken(self, kind: str, names: Iterable[str], old: Body | None, new: Body) -> bool:
        """Tell whether another object of the kind than the old one has the same values as the new one, without case."""

        def values(body: Body) -> list[str]:
            return [str(body.get(name) or "").lower() for name in names]

        return any(values(each) == values(new) for each in self.store.all(kind).values() if each is not old)

    def _names(self, kind: str) -> dict[str, Body]:
        users = self.store.all(kind).values()
        return self.store.cached(kind, "names", lambda: {str(user["Username"]).lower(): user for user in users})

    def _count_assignments(self) -> dict[tuple[str, str], int]:
        counts: dict[tuple[str, str], int] = {}
        for body in self.store.all("ApiClientAssignment").values():
            place = (body["ApiClientID"].lower(), "Buyer" if body["BuyerID"] else "Supplier")
            counts[place] = counts.get(place, 0) + 1
        return counts

    def _applies(self, row: Body, user: User) -> bool:
        """Tell whether a security profile assignment covers a user.

        It names a buyer, a supplier or neither (the seller), and may single out one user or one group.
        """
        owners = {name: str(row.get(f"{name}ID") or "").lower() for name in ("Buyer", "Supplier")}
        mine = dict.fromkeys(owners, "")
        if user.party.company:
            mine[user.party.company] = str(user.company).lower()
        named = str(row.get("UserID") or user.body["ID"]).lower()
        is_member = not row.get("UserGroupID") or self._is_member(user, row["UserGroupID"])
        return owners == mine and named == user.body["ID"].lower() and is_member

    def _is_member(self, user: User, group_id: str) -> bool:
        owner = (user.company,) if user.company else ()
        return self.find(f"{user.party.group}Assignment", *owner, group_id, user.body["ID"]) is not None


Place = tuple[str, str]  # kind and key


def broken_references(market: Marketplace, fields: Iterable[Field], body: Body) -> Iterator[Fault]:
    """Find the references of a body, nested ones included, that lead nowhere."""
    for _, refers, holder, value in _references(fields, body):
        kind, key = place_of(market, refers, holder, value)
        is_the_seller = refers.or_seller and _is_seller(market, value)
        if not is_the_seller and market.store.get(kind, key) is None:
            yield not_found(kind, value) if refers.missing == "NotFound" else Fault(refers.missing)


def with_spelled_references(market: Marketplace, fields: Iterable[Field], body: Body) -> Body:
    """Give the body with each ID spelled as references to its object are; what leads nowhere stays."""
    result = dict(body)
    for field in fields:
        found = [_spelling(market, field.refers, body, value) for value in _ids(field, body)] if field.refers else []
        if found:
            result[field.name] = found if isinstance(body[field.name], list) else found[0]
    return result


def place_of(market: Marketplace, refers: Reference, body: Body, value: str) -> Place:
    """Tell where the object of a reference is stored."""
    for name, kind in refers.owners:
        owner = body.get(name)
        if isinstance(owner, str) and owner and not (name == "OwnerID" and _is_seller(market, owner)):
            return kind, key_of(owner, value)
    return refers.kind, key_of(value)


def blocking_faults(market: Marketplace, place: Place) -> Iterator[Fault]:
    """Give the fault of each code by which something forbids to delete an object."""
    codes = {field.refers.blocks for _, field, _, _ in _referring(market, place) if field.refers}
    yield from (Fault(code) for code in sorted(codes) if code)


def _forget(market: Marketplace, place: Place) -> None:
    """Tidy up after the deletion of an object: what belonged to it, and what referred to it."""
    kind, key = place
    for row in market.rows.values():
        if row.parent == kind:
            children = [each for each, body in market.store.all(row.kind).items() if body["_parent"] == key]
            for child in children:
                market.remove(row.kind, child)
    if "delete-leaves-references" not in market.settings.readings:
        for holder, field, at, value in list(_referring(market, place)):
            _take_along(market, holder, field, at, value)


def _take_along(market: Marketplace, holder: str, field: Field, at: str, value: str) -> None:
    body = market.store.get(holder, at)
    if body is None:
        return
    if field.required or (field.refers and field.refers.cascades) or holder in market.tables:
        market.remove(holder, at)
    else:
        old = body[field.name]
        rest = [each for each in old if each != value] if isinstance(old, list) else field.default
        market.store.put(holder, at, body | {field.name: rest})


def _referring(market: Marketplace, place: Place) -> Iterator[tuple[str, Field, str, str]]:
    """Find every reference to an object: the kind and key of its holder, the field, and the ID as it stands there."""
    tables = {row.kind: row.fields for row in market.rows.values()}
    tables |= {table.kind: table.columns for table in market.tables.values()}
    for kind, fields in tables.items():
        if any(_may_refer(field, place[0]) for field in fields):
            for at, body in market.store.all(kind).items():
                for field, refers, holder, value in _references(fields, body):
                    if place_of(market, refers, holder, value) == place:
                        yield kind, field, at, value


def _may_refer(field: Field, kind: str) -> bool:
    refers = field.refers
    kinds = {refers.kind, *(each for _, each in refers.owners)} if refers else set()
    return kind in kinds or any(_may_refer(each, kind) for each in field.fields)


def _references(fields: Iterable[Field], body: Body) -> Iterator[tuple[Field, Reference, Body, str]]:
    """Find every ID that refers to something: its field, what it refers to, the body that has it (or one in it), it."""
    for field in fields:
        if field.refers:
            yield from ((field, field.refers, body, value) for value in _ids(field, body))
        for item in values_of(body.get(field.name)) if field.fields else ():
            if isinstance(item, dict):
                yield from _references(field.fields, item)


def _ids(field: Field, body: Body) -> list[str]:
    """Give the IDs in a field, none where its value has the wrong type."""
    value = body.get(field.name)
    if value == "" or not has_kind(field, value):
        return []
    return [each for each in values_of(value) if isinstance(each, str)]


def _spelling(market: Marketplace, refers: Reference, body: Body, value: str) -> str:
    found = market.store.get(*place_of(market, refers, body, value))
    if found is None:
        return value
    return str(found["ID"]).lower() if refers.kind == "ApiClient" else str(found["ID"])


def _is_seller(market: Marketplace, value: str) -> bool:
    return value.lower() == market.settings.marketplace.lower()
