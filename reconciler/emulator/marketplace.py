"""Store, settings and clock -> one marketplace: users, their roles, and references between kinds.

A username is unique in the marketplace, across all parties (SDK: `User.UsernameMustBeUnique`), so an API client
identifies its default context user by username alone.

References are defined by `Field.reference`. An ID is stored in the spelling of its object, that of an API client in
lower case. Guesses: deleting an object also deletes its assignments and clears references to it (switch:
`delete-leaves-references`); objects that require the reference are deleted too.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from reconciler.emulator import Settings
from reconciler.emulator.calls import FULL_ACCESS
from reconciler.emulator.errors import ApiError, ServiceError, not_found
from reconciler.emulator.fields import Field, Reference, has_type, values_of
from reconciler.emulator.store import Body, Store, key_of

if TYPE_CHECKING:
    from reconciler.emulator.resources import Resource, Table


@dataclass(frozen=True, slots=True)
class Party:
    """One of the three types of user.

    `usrtype` is the value of that claim, `allowed_by` the field of an API client that allows all users of the party,
    `company` the kind of their company, and `group` the kind of their groups.
    """

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
    """A user and its party."""

    party: Party
    body: Body

    @property
    def name(self) -> str:
        """The username."""
        return str(self.body["Username"])

    @property
    def company(self) -> str | None:
        """The ID of the user's buyer or supplier; None for seller users."""
        return self.body.get("CompanyID") if self.party.company else None


@dataclass(frozen=True, slots=True)
class Marketplace:
    """The data of a marketplace; `rows` and `tables` define the kinds and assignments of its API generation."""

    store: Store
    settings: Settings
    clock: Callable[[], datetime]
    rows: "Mapping[str, Resource]"
    tables: "Mapping[str, Table]"

    def find(self, kind: str, *ids: str) -> Body | None:
        """The object with these case-insensitive IDs (those of its parents first), or None."""
        return self.store.get(kind, key_of(*ids))

    def require(self, kind: str, *ids: str) -> Body:
        """The object; raises ApiError `NotFound` if it does not exist."""
        body = self.find(kind, *ids)
        if body is None:
            raise ApiError(not_found(kind, ids[-1]))
        return body

    def remove(self, kind: str, key: str) -> None:
        """Delete an object, its children, and the objects that require a reference to it."""
        self.store.delete(kind, key)
        _delete_dependents(self, (kind, key))

    def user_named(self, name: str) -> User | None:
        """Find a user of any party by name, ignoring case (a guess: the service's database is case-insensitive)."""
        for kind, party in PARTIES.items():
            body = self._names(kind).get(name.lower())
            if body is not None:
                return User(party, body)
        return None

    def roles_of(self, user: User) -> list[str]:
        """The standard and custom roles of a user, from the seed and from assigned security profiles."""
        granted = dict.fromkeys(user.body.get("_roles", ()))
        for row in self.store.all("SecurityProfileAssignment").values():
            if self._applies(row, user):
                profile = self.find("SecurityProfile", row["SecurityProfileID"]) or {}
                granted |= dict.fromkeys([*(profile.get("Roles") or ()), *(profile.get("CustomRoles") or ())])
        return list(granted)

    def may_log_in(self, client: Body, user: User) -> bool:
        """Whether the client allows the user's party: all of its users, or those of an assigned company."""
        if client.get(user.party.allowed_by):
            return True
        if user.party.company is None or user.company is None:
            return False
        return self.is_assigned(client, user.party.company, user.company)

    def is_assigned(self, client: Body, company: str, company_id: str) -> bool:
        """Whether a client is assigned to a buyer or supplier."""
        ids = (company_id, "") if company == "Buyer" else ("", company_id)
        return self.find("ApiClientAssignment", client["ID"], *ids) is not None

    def assignment_count(self, client_id: str, company: str) -> int:
        """The number of buyers or suppliers that a client is assigned to."""
        counts = self.store.cached("ApiClientAssignment", "counts", self._count_assignments)
        return counts.get((client_id.lower(), company), 0)

    def has_full_access(self, client: Body) -> bool:
        """Whether the client is active, and a login with its credentials grants FullAccess."""
        user = self.user_named(client.get("DefaultContextUserName") or "")
        capped = client.get("MaximumGrantedRoles") or [FULL_ACCESS]
        return bool(user and client.get("Active") and FULL_ACCESS in capped and FULL_ACCESS in self.roles_of(user))

    def is_taken(self, kind: str, names: Iterable[str], old: Body | None, new: Body) -> bool:
        """Whether an object other than the old one has the new one's values of these fields, ignoring case."""

        def values(body: Body) -> list[str]:
            return [str(body.get(name) or "").lower() for name in names]

        return any(values(each) == values(new) for each in self.store.all(kind).values() if each is not old)

    def _names(self, kind: str) -> dict[str, Body]:
        users = self.store.all(kind).values()
        return self.store.cached(kind, "names", lambda: {str(user["Username"]).lower(): user for user in users})

    def _count_assignments(self) -> dict[tuple[str, str], int]:
        counts: dict[tuple[str, str], int] = {}
        for body in self.store.all("ApiClientAssignment").values():
            key = (body["ApiClientID"].lower(), "Buyer" if body["BuyerID"] else "Supplier")
            counts[key] = counts.get(key, 0) + 1
        return counts

    def _applies(self, row: Body, user: User) -> bool:
        """Whether a security profile assignment applies to a user.

        It names a buyer, a supplier or neither (the seller), and optionally one user or one group.
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


StoreKey = tuple[str, str]  # kind and key


def broken_references(market: Marketplace, fields: Iterable[Field], body: Body) -> Iterator[ServiceError]:
    """The errors of references to objects that do not exist, including nested ones."""
    for _, reference, owner, value in _references(fields, body):
        kind, key = target_of(market, reference, owner, value)
        is_seller = reference.or_seller and _is_seller(market, value)
        if not is_seller and market.store.get(kind, key) is None:
            yield not_found(kind, value) if reference.missing == "NotFound" else ServiceError(reference.missing)


def with_canonical_references(market: Marketplace, fields: Iterable[Field], body: Body) -> Body:
    """The body with the ID in each reference as it is stored; a reference to no object is unchanged."""
    result = dict(body)
    for field in fields:
        if field.reference is None:
            continue
        ids = [_canonical_id(market, field.reference, body, value) for value in _ids(field, body)]
        if ids:
            result[field.name] = ids if isinstance(body[field.name], list) else ids[0]
    return result


def target_of(market: Marketplace, reference: Reference, body: Body, value: str) -> StoreKey:
    """The store key of the target of a reference."""
    for name, kind in reference.owners:
        owner = body.get(name)
        if isinstance(owner, str) and owner and not (name == "OwnerID" and _is_seller(market, owner)):
            return kind, key_of(owner, value)
    return reference.kind, key_of(value)


def blocking_errors(market: Marketplace, target: StoreKey) -> Iterator[ServiceError]:
    """The errors of references that prevent the deletion of an object, one for each code."""
    codes = {field.reference.blocks for _, field, _, _ in _referring(market, target) if field.reference}
    yield from (ServiceError(code) for code in sorted(codes) if code)


def _delete_dependents(market: Marketplace, target: StoreKey) -> None:
    """Delete the children of a deleted object, and the references to it."""
    kind, key = target
    for row in market.rows.values():
        if row.parent == kind:
            children = [each for each, body in market.store.all(row.kind).items() if body["_parent"] == key]
            for child in children:
                market.remove(row.kind, child)
    if "delete-leaves-references" not in market.settings.readings:
        for kind, field, key, value in list(_referring(market, target)):
            _drop_reference(market, (kind, key), field, value)


def _drop_reference(market: Marketplace, referrer: StoreKey, field: Field, value: str) -> None:
    kind, key = referrer
    body = market.store.get(kind, key)
    if body is None:
        return
    if field.required or (field.reference and field.reference.cascades) or kind in market.tables:
        market.remove(kind, key)
    else:
        old = body[field.name]
        rest = [each for each in old if each != value] if isinstance(old, list) else field.default
        market.store.put(kind, key, body | {field.name: rest})


def _referring(market: Marketplace, target: StoreKey) -> Iterator[tuple[str, Field, str, str]]:
    """Every reference to an object: the kind of the referring object, the field, its key, and the stored ID."""
    tables = {row.kind: row.fields for row in market.rows.values()}
    tables |= {table.kind: table.columns for table in market.tables.values()}
    for kind, fields in tables.items():
        if any(_can_refer(field, target[0]) for field in fields):
            for key, body in market.store.all(kind).items():
                for field, reference, owner, value in _references(fields, body):
                    if target_of(market, reference, owner, value) == target:
                        yield kind, field, key, value


def _can_refer(field: Field, kind: str) -> bool:
    reference = field.reference
    kinds = {reference.kind, *(each for _, each in reference.owners)} if reference else set()
    return kind in kinds or any(_can_refer(each, kind) for each in field.fields)


def _references(fields: Iterable[Field], body: Body) -> Iterator[tuple[Field, Reference, Body, str]]:
    """Every reference in a body: its field, its definition, the (nested) body that contains it, and the ID."""
    for field in fields:
        if field.reference:
            yield from ((field, field.reference, body, value) for value in _ids(field, body))
        for item in values_of(body.get(field.name)) if field.fields else ():
            if isinstance(item, dict):
                yield from _references(field.fields, item)


def _ids(field: Field, body: Body) -> list[str]:
    """The IDs in a field; none if its value has the wrong type."""
    value = body.get(field.name)
    if value == "" or not has_type(field, value):
        return []
    return [each for each in values_of(value) if isinstance(each, str)]


def _canonical_id(market: Marketplace, reference: Reference, body: Body, value: str) -> str:
    found = market.store.get(*target_of(market, reference, body, value))
    if found is None:
        return value
    return str(found["ID"]).lower() if reference.kind == "ApiClient" else str(found["ID"])


def _is_seller(market: Marketplace, value: str) -> bool:
    return value.lower() == market.settings.marketplace.lower()
