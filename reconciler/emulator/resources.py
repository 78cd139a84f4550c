"""Definitions of objects, or of rows without an ID -> their operations: list, get, create, save, patch, delete.

Objects. OrderCloud docs: a PUT to an unknown ID creates the object if the ID is writable; a POST with an existing ID is
rejected with 409. A PUT returns 200 even if it creates: no other status is documented (OpenAPI document 1.0.260).
Guess: an ID in the body of a PUT or PATCH is ignored, so an object cannot be renamed.

Rows (assignments, xp indices). Documented: saving returns 204. A row can name one buyer or one supplier, and one of its
users or groups; without a company it applies to users and groups of the seller, without any of these to the whole
seller organisation. Guesses: the error code of an unknown list parameter; deleting a row that does not exist is a 404;
a `level` that contradicts the given group or user is rejected; saving a row twice is 409 if the reference solution has
observed that, else 204 (switch: `repeat-is-accepted`).
"""

import base64
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from reconciler.emulator import Profile
from reconciler.emulator.calls import Answer, Call, Handler, Route, readers, writers
from reconciler.emulator.errors import ApiError, ServiceError, not_found, raise_if_any
from reconciler.emulator.fields import ID_PATTERN, Field, errors_in, merged, replaced, shown, with_write_only
from reconciler.emulator.lists import Listable, ListQuery, ordered, page_of, parse_query
from reconciler.emulator.marketplace import Marketplace, blocking_errors, broken_references, with_canonical_references
from reconciler.emulator.store import Body, key_in, key_of

ID = Field("ID")

_ID_RULE = "ID must be at most 100 letters, digits, _ and -."


def new_id() -> str:
    """Generate an ID like the service: 22 URL-safe characters."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Endpoint:
    """The common part of resources and tables.

    `kind` is the key in the store, and `Data.ObjectType` of its 404; `path` is the path of the list. Callers need one
    of the roles; by default they are derived from `role`, or else from `kind`. `searchable` defaults to `sortable`.
    `only` is the API generation that has the kind; None: both.
    """

    kind: str
    path: str
    role: str = ""
    read_roles: tuple[str, ...] = ()
    write_roles: tuple[str, ...] = ()
    sortable: tuple[str, ...] = ()
    searchable: tuple[str, ...] = ()
    seller_only: bool = True
    only: Profile | None = None

    def __post_init__(self) -> None:
        """Set the defaults that depend on other fields."""
        object.__setattr__(self, "searchable", self.searchable or self.sortable)
        object.__setattr__(self, "read_roles", self.read_roles or readers(self.role or self.kind))
        object.__setattr__(self, "write_roles", self.write_roles or writers(self.role or self.kind))

    def route(self, method: str, path: str, handler: Handler) -> Route:
        """The route of one operation; all methods except GET need a role that allows writing."""
        roles = self.read_roles if method == "GET" else self.write_roles
        return Route(method, path, handler, roles, self.seller_only)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource(_Endpoint):
    """The definition of a kind of objects with IDs.

    The variable segment in the path, if any, is the ID of the `parent`. `singleton` is the ID under which the only
    object is stored; `path` is then the path of the object, which has no `ID`. `check` gets the old body (None on
    creation) and the new one, and yields errors; `finalize` converts the new body to the stored one; `guard` yields
    errors that prevent a deletion. `show` and `show_in_list` add derived fields. `shown_once` are fields that only the
    response to a POST has. `has_put` is false if there is no PUT.
    """

    fields: tuple[Field, ...]
    sortable: tuple[str, ...] = ("ID", "Name")
    parent: str | None = None
    singleton: str = ""
    client_may_choose_id: bool = True
    make_id: Callable[[], str] = new_id
    put_may_create: Callable[[Marketplace, str], bool] = lambda *_: True
    check: Callable[[Marketplace, Body | None, Body], Iterator[ServiceError]] = lambda *_: iter(())
    finalize: Callable[[Marketplace, Body | None, Body], Body] = lambda _market, _old, new: new
    guard: Callable[[Marketplace, Body], Iterator[ServiceError]] = lambda *_: iter(())
    show: Callable[[Marketplace, Body], Body] = lambda _, body: body
    show_in_list: Callable[[Marketplace, Body], Body] | None = None
    shown_once: tuple[str, ...] = ()
    has_put: bool = True

    def view(self, market: Marketplace, body: Body, *, in_list: bool = False) -> Body:
        """The body to return: without write-only fields, in the order of the definitions."""
        show = self.show_in_list if in_list and self.show_in_list else self.show
        return shown(self.fields if self.singleton else (ID, *self.fields), show(market, body))

    def list_page(self, call: Call) -> Answer:
        """Return one page."""
        market = call.market
        listable = Listable((ID, *self.fields), self.sortable, self.searchable)
        query = parse_query(call.query, listable, market.settings.max_page_size)
        parents = self._parents(call)
        found = self._matching(market, query, parents[-1] if parents else None)
        return Answer(200, page_of(query, found, lambda body: self.view(market, body, in_list=True)))

    def read(self, call: Call) -> Answer:
        """Return one object; a singleton that is not set is a 404 (switch: `unset-singleton-is-null`)."""
        if self.singleton and "unset-singleton-is-null" in call.market.settings.readings:
            unset = call.market.find(self.kind, self.singleton) or replaced(self.fields, {})
            return Answer(200, self.view(call.market, unset))
        return Answer(200, self.view(call.market, self._existing(call)))

    def create(self, call: Call) -> Answer:
        """Create an object by a POST, with the ID in the body if the resource allows it."""
        parents, sent = self._parents(call), call.body()
        given = sent.get("ID") if self.client_may_choose_id else None
        object_id = given or self.make_id()
        raise_if_any([] if _is_valid_id(object_id) else [ServiceError("ValidationFailure", _ID_RULE)])
        if call.market.find(self.kind, *parents, object_id) is not None:
            data = {"ObjectType": self.kind, "ObjectID": object_id}
            raise ApiError(ServiceError("IdExists", data=data))
        return self._create(call.market, parents, object_id, sent)

    def put(self, call: Call) -> Answer:
        """Replace an object by a PUT, or create it with the ID in the path if the resource allows it."""
        parents, object_id = self._parents(call), self._id(call)
        old = call.market.find(self.kind, *parents, object_id)
        if old is None:
            if not (self.singleton or _is_valid_id(object_id)) or not self.put_may_create(call.market, object_id):
                raise ApiError(not_found(self.kind, object_id))
            created = self._create(call.market, parents, object_id, call.body())
            status = call.market.settings.put_create_status
            return created if status == created.status else Answer(status, created.body)
        new = replaced(self.fields, call.body())
        if "put-keeps-write-only" in call.market.settings.readings:
            new = with_write_only(self.fields, old, new)
        return self._store(call.market, old, self._read_only_values(old) | new)

    def patch(self, call: Call) -> Answer:
        """Change only the fields that were sent."""
        old, deep = self._existing(call), "patch-merges-deep" in call.market.settings.readings
        new = merged(self.fields, old, call.body(), deep=deep)
        return self._store(call.market, old, self._read_only_values(old) | new)

    def delete(self, call: Call) -> Answer:
        """Delete an object, unless a guard prevents it."""
        body = self._existing(call)
        target = (self.kind, key_of(*self._parents(call), body["ID"]))
        raise_if_any([*self.guard(call.market, body), *blocking_errors(call.market, target)])
        call.market.remove(*target)
        return Answer(204)

    def routes(self) -> Iterator[Route]:
        """The six routes of the resource, or four of a singleton; one less without PUT."""
        one = self.path if self.singleton else self.path + "/{id}"
        if not self.singleton:
            yield self.route("GET", self.path, self.list_page)
            yield self.route("POST", self.path, self.create)
        yield self.route("GET", one, self.read)
        if self.has_put:
            yield self.route("PUT", one, self.put)
        yield self.route("PATCH", one, self.patch)
        yield self.route("DELETE", one, self.delete)

    def _parents(self, call: Call) -> tuple[str, ...]:
        if self.parent is None:
            return ()
        return (str(call.market.require(self.parent, call.params["parent"])["ID"]),)

    def _existing(self, call: Call) -> Body:
        return call.market.require(self.kind, *self._parents(call), self._id(call))

    def _id(self, call: Call) -> str:
        return self.singleton or call.params["id"]

    def _read_only_values(self, old: Body) -> Body:
        writable = {field.name for field in self.fields if not field.read_only}
        return {name: value for name, value in old.items() if name not in writable}

    def _matching(self, market: Marketplace, query: ListQuery, parent: str | None) -> list[Body]:
        bodies = market.store.cached(self.kind, (parent, query.sort_by), lambda: self._all(market, query, parent))
        if not query.filters and not query.words:
            return bodies
        if {field.name for field in self.fields if field.read_only} & query.names():
            return [body for body in bodies if query.matching([self.show(market, body)])]
        return query.matching(bodies)

    def _all(self, market: Marketplace, query: ListQuery, parent: str | None) -> list[Body]:
        store, kind = market.store, self.kind
        return ordered(store.shuffled(kind) if parent is None else store.children(kind, parent.lower()), query.sort_by)

    def _create(self, market: Marketplace, parents: tuple[str, ...], object_id: str, sent: Body) -> Answer:
        new = {"ID": object_id, "_parent": key_of(*parents)} | replaced(self.fields, sent)
        answer = self._store(market, None, new)
        once = {name: market.require(self.kind, *parents, object_id)[name] for name in self.shown_once}
        prefix = self.path.replace("{parent}", parents[0] if parents else "")
        location = prefix if self.singleton else f"{prefix}/{answer.body['ID']}"
        return Answer(201, answer.body | once, location=location)

    def _store(self, market: Marketplace, old: Body | None, new: Body) -> Answer:
        changed = with_canonical_references(market, self.fields, new)
        errors = [*errors_in(self.fields, new), *_immutability_errors(self.fields, old, changed)]
        errors += [*broken_references(market, self.fields, new), *self.check(market, old, new)]
        raise_if_any(errors)
        stored = self.finalize(market, old, changed)
        market.store.put(self.kind, key_in(stored), stored)
        return Answer(200, self.view(market, stored))


def _is_valid_id(value: object) -> bool:
    return isinstance(value, str) and ID_PATTERN.fullmatch(value) is not None


def _immutability_errors(fields: tuple[Field, ...], old: Body | None, new: Body) -> Iterator[ServiceError]:
    """The errors of changed fields that are immutable after creation."""
    codes = [field.fixed for field in fields if field.fixed and old is not None and old[field.name] != new[field.name]]
    yield from (ServiceError(code) for code in dict.fromkeys(codes))


LEVELS: Mapping[str, Callable[[Body], bool]] = {
    "user": lambda row: bool(row.get("UserID")),
    "group": lambda row: bool(row.get("UserGroupID")),
    "company": lambda row: not row.get("UserID") and not row.get("UserGroupID"),
    "buyergroup": lambda _row: False,  # since 1.0.470; no row has a field for it
}
COMMERCE_ROLES: Mapping[str, Callable[[Body], bool]] = {
    "buyer": lambda row: bool(row.get("BuyerID")),
    "supplier": lambda row: bool(row.get("SupplierID")),
    "seller": lambda row: not row.get("BuyerID") and not row.get("SupplierID"),
}
_NARROWING = {"level": LEVELS, "commercerole": COMMERCE_ROLES}
_CONFLICTS = (  # mutually exclusive parameters: the narrowing one and its values, the other one, the error code
    ("level", {"company", "user"}, "usergroupid", "PartyAssignment.InvalidGroupLevel"),
    ("level", {"company", "group"}, "userid", "PartyAssignment.InvalidUserLevel"),
    ("commercerole", {"seller", "supplier"}, "buyerid", "SecurityProfile.CannotProvideBuyerID"),
    ("commercerole", {"seller", "buyer"}, "supplierid", "SecurityProfile.CannotProvideSupplierID"),
)


def party_errors(row: Body) -> Iterator[ServiceError]:
    """The errors of parties that are mutually exclusive."""
    if row.get("BuyerID") and row.get("SupplierID"):
        yield ServiceError("PartyAssignment.CannotSpecifyBuyerAndSupplier")
    if row.get("UserID") and row.get("UserGroupID"):
        yield ServiceError("PartyAssignment.CannotSpecifyGroupAndUser")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(_Endpoint):
    """The definition of a type of assignment, or of other rows without an ID.

    Variable segments of the paths are names of columns; a write-only column is given in the path only. Columns that
    are not in the path of `deletions` are query parameters. `parameters` are accepted by the list although no row has
    them; `narrowing` are the supported parameters of `level` and `commerceRole`, in lower case. `repeated` is the
    status of saving a row again.
    """

    columns: tuple[Field, ...]
    deletions: tuple[str, ...]
    save_method: str = "POST"
    repeated: int = 204
    narrowing: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    check: Callable[[Body], Iterator[ServiceError]] = lambda _: iter(())
    show: Callable[[Marketplace, Body], Body] = lambda _, row: row

    def key(self, row: Body) -> str:
        """The store key of a row: all its columns except read-only ones."""
        values = (row.get(column.name) or "" for column in self.columns if not column.read_only)
        return key_of(*(value if isinstance(value, str) else json.dumps(value, sort_keys=True) for value in values))

    def store(self, market: Marketplace, row: Body) -> None:
        """Store a valid row."""
        market.store.put(self.kind, self.key(row), with_canonical_references(market, self.columns, row))

    def errors(self, market: Marketplace, row: Body) -> list[ServiceError]:
        """The errors of a row; its references are checked only if the rest is valid."""
        shape = [*errors_in(self.columns, row), *self.check(row)]
        return shape or list(broken_references(market, self.columns, row))

    def routes(self) -> Iterator[Route]:
        """The routes of the table."""
        yield self.route("GET", self.path, self.list_page)
        yield self.route(self.save_method, self.path, self.save_row)
        yield from (self.route("DELETE", path, self.delete_row) for path in self.deletions)

    def list_page(self, call: Call) -> Answer:
        """Return one page."""
        market = call.market
        raise_if_any(list(broken_references(market, self.columns, dict(call.params))))
        narrowing = {name.lower(): text.lower() for name, text in call.query if name.lower() in self.narrowing}
        raise_if_any(
            [
                *_narrowing_errors(narrowing),
                *_conflict_errors(narrowing, {name.lower() for name, text in call.query if text}),
            ]
        )
        columns = (*(replace(each, write_only=False) for each in self.columns), *map(Field, self.parameters))
        pairs = [pair for pair in call.query if pair[0].lower() not in narrowing] + list(call.params.items())
        query = parse_query(pairs, Listable(columns, self.sortable, self.searchable), market.settings.max_page_size)
        rows = [self.show(market, row) for row in market.store.shuffled(self.kind)]
        tests = [_NARROWING[name][text] for name, text in narrowing.items()]
        found = [row for row in query.matching(rows) if all(test(row) for test in tests)]
        return Answer(200, page_of(query, ordered(found, query.sort_by), lambda row: shown(self.columns, row)))

    def save_row(self, call: Call) -> Answer:
        """Save a row."""
        market, sent = call.market, call.body()
        row = replaced(self.columns, sent | dict(call.params))
        has_user = sent.get("UserID") and "UserID" not in row
        unsupported = [ServiceError("PartyAssignment.UserLevelNotAllowed")] if has_user else []
        raise_if_any(unsupported + self.errors(market, row))
        is_repeated = market.store.get(self.kind, self.key(row)) is not None
        if is_repeated and self.repeated != 204 and "repeat-is-accepted" not in market.settings.readings:  # noqa: PLR2004 - 204 is "no content"
            raise ApiError(ServiceError("IdExists"))
        self.store(market, row)
        return Answer(204)

    def delete_row(self, call: Call) -> Answer:
        """Delete a row."""
        given = {name.lower(): value for name, value in call.query}
        row: dict[str, Any] = {each.name: given.get(each.name.lower()) or None for each in self.columns}
        row |= call.params
        raise_if_any(list(self.check(row)))
        if call.market.store.get(self.kind, self.key(row)) is None:
            raise ApiError(not_found(self.kind, list(call.params.values())[-1]))
        call.market.store.delete(self.kind, self.key(row))
        return Answer(204)


def _narrowing_errors(narrowing: Mapping[str, str]) -> Iterator[ServiceError]:
    for name, text in narrowing.items():
        if text not in _NARROWING[name]:
            yield ServiceError("List.InvalidType", f"{text!r} is not valid for {name}.")


def _conflict_errors(narrowing: Mapping[str, str], given: set[str]) -> Iterator[ServiceError]:
    for name, values, other, code in _CONFLICTS:
        if narrowing.get(name) in values and other in given:
            yield ServiceError(code)
