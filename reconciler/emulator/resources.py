"""What describes objects, or rows without an ID of their own -> its operations: list, get, create, save, patch, delete.

Objects. OrderCloud docs: a PUT to an unknown ID creates where the ID is writable; a POST with an ID that exists is
refused with 409. A PUT answers 200, also one that creates: no document has another status (OpenAPI document 1.0.260).
Guess: an ID in the body of a PUT or PATCH is ignored, so that nothing can be renamed.

Rows (assignments, xp indices). Documented: a save answers 204. Its row may name one buyer or one supplier, and one user
or one group of it; without either it is about the seller's own users and groups, without any of them about the whole
seller organisation. Guesses: the error code of a parameter that the list does not have; deleting what is not there is a
404; a `level` that excludes a given group or user is refused; saving a row again is 409 where the reference solution
has seen one, else 204 (switch: `repeat-is-accepted`).
"""

import base64
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from reconciler.emulator import Profile
from reconciler.emulator.calls import Answer, Call, Handler, Route, readers, writers
from reconciler.emulator.errors import ApiError, Fault, not_found, refuse_if
from reconciler.emulator.fields import ID_PATTERN, Field, faults_of, merged, replaced, shown, with_write_only
from reconciler.emulator.lists import Listable, ListQuery, ordered, page_of, parse_query
from reconciler.emulator.marketplace import Marketplace, blocking_faults, broken_references, with_spelled_references
from reconciler.emulator.store import Body, key_in, key_of

ID = Field("ID")

_ID_RULE = "ID may hold only letters, digits, _ and -, at most 100."


def new_id() -> str:
    """Make an ID as the service does: 22 URL-safe characters."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Described:
    """What resources and tables have in common.

    `kind` is the name under which it is stored, and `Data.ObjectType` of its 404; `path` is that of its list. Callers
    need one of the roles: those of `role`, or else of the kind, where none are named. The list is searched in what it
    can be sorted by, unless `searchable` says otherwise. `only` is the API generation that has the kind.
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
        """Fill in what follows from the rest."""
        object.__setattr__(self, "searchable", self.searchable or self.sortable)
        object.__setattr__(self, "read_roles", self.read_roles or readers(self.role or self.kind))
        object.__setattr__(self, "write_roles", self.write_roles or writers(self.role or self.kind))

    def route(self, method: str, path: str, handler: Handler) -> Route:
        """Give the route of one operation: all but a GET needs a role that writes."""
        roles = self.read_roles if method == "GET" else self.write_roles
        return Route(method, path, handler, roles, self.seller_only)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource(_Described):
    """One row: everything in which one resource differs from another.

    The variable segment in its path, if any, is the ID of the `parent`. With `singleton`, the ID under which the only
    object is stored, `path` is that of the object, which has no `ID`. `check` sees the old body (None at creation) and
    the new one and yields faults, `settle` turns the new one into what is stored, `guard` may forbid a deletion. `show`
    and `show_in_list` add what is derived. `shown_once` names what the answer to a POST shows and no other; without
    `has_put` there is no PUT.
    """

    fields: tuple[Field, ...]
    sortable: tuple[str, ...] = ("ID", "Name")
    parent: str | None = None
    singleton: str = ""
    client_may_choose_id: bool = True
    make_id: Callable[[], str] = new_id
    may_put_new: Callable[[Marketplace, str], bool] = lambda *_: True
    check: Callable[[Marketplace, Body | None, Body], Iterator[Fault]] = lambda *_: iter(())
    settle: Callable[[Marketplace, Body | None, Body], Body] = lambda _market, _old, new: new
    guard: Callable[[Marketplace, Body], Iterator[Fault]] = lambda *_: iter(())
    show: Callable[[Marketplace, Body], Body] = lambda _, body: body
    show_in_list: Callable[[Marketplace, Body], Body] | None = None
    shown_once: tuple[str, ...] = ()
    has_put: bool = True

    def view(self, market: Marketplace, body: Body, *, in_list: bool = False) -> Body:
        """Give what is shown of a stored body: in the order of the table, nothing that is never shown."""
        show = self.show_in_list if in_list and self.show_in_list else self.show
        return shown(self.fields if self.singleton else (ID, *self.fields), show(market, body))

    def listed(self, call: Call) -> Answer:
        """Answer one page."""
        market = call.market
        listable = Listable((ID, *self.fields), self.sortable, self.searchable)
        query = parse_query(call.query, listable, market.settings.max_page_size)
        parents = self._parents(call)
        found = self._found(market, query, parents[-1] if parents else None)
        return Answer(200, page_of(query, found, lambda body: self.view(market, body, in_list=True)))

    def got(self, call: Call) -> Answer:
        """Answer one object; a singleton that is not set is a 404 (switch: `unset-singleton-is-null`)."""
        if self.singleton and "unset-singleton-is-null" in call.market.settings.readings:
            unset = call.market.find(self.kind, self.singleton) or replaced(self.fields, {})
            return Answer(200, self.view(call.market, unset))
        return Answer(200, self.view(call.market, self._existing(call)))

    def created(self, call: Call) -> Answer:
        """Create from a POST; the ID may come from the body where the row allows it."""
        parents, sent = self._parents(call), call.body()
        given = sent.get("ID") if self.client_may_choose_id else None
        object_id = given or self.make_id()
        refuse_if([] if _is_id(object_id) else [Fault("ValidationFailure", _ID_RULE)])
        if call.market.find(self.kind, *parents, object_id) is not None:
            data = {"ObjectType": self.kind, "ObjectID": object_id}
            raise ApiError(Fault("IdExists", data=data))
        return self._create(call.market, parents, object_id, sent)

    def saved(self, call: Call) -> Answer:
        """Replace by a PUT, or create under the ID of the path where the row allows it."""
        parents, object_id = self._parents(call), self._id(call)
        old = call.market.find(self.kind, *parents, object_id)
        if old is None:
            if not (self.singleton or _is_id(object_id)) or not self.may_put_new(call.market, object_id):
                raise ApiError(not_found(self.kind, object_id))
            made = self._create(call.market, parents, object_id, call.body())
            status = call.market.settings.put_create_status
            return made if status == made.status else Answer(status, made.body)
        new = replaced(self.fields, call.body())
        if "put-keeps-write-only" in call.market.settings.readings:
            new = with_write_only(self.fields, old, new)
        return self._store(call.market, old, self._kept(old) | new)

    def patched(self, call: Call) -> Answer:
        """Change only what was sent."""
        old, deep = self._existing(call), "patch-merges-deep" in call.market.settings.readings
        return self._store(call.market, old, self._kept(old) | merged(self.fields, old, call.body(), deep=deep))

    def deleted(self, call: Call) -> Answer:
        """Remove, unless a guard forbids it."""
        body = self._existing(call)
        place = (self.kind, key_of(*self._parents(call), body["ID"]))
        refuse_if([*self.guard(call.market, body), *blocking_faults(call.market, place)])
        call.market.remove(*place)
        return Answer(204)

    def routes(self) -> Iterator[Route]:
        """Give the six routes, or the four of a singleton; one less without PUT."""
        one = self.path if self.singleton else self.path + "/{id}"
        if not self.singleton:
            yield self.route("GET", self.path, self.listed)
            yield self.route("POST", self.path, self.created)
        yield self.route("GET", one, self.got)
        if self.has_put:
            yield self.route("PUT", one, self.saved)
        yield self.route("PATCH", one, self.patched)
        yield self.route("DELETE", one, self.deleted)

    def _parents(self, call: Call) -> tuple[str, ...]:
        if self.parent is None:
            return ()
        return (str(call.market.require(self.parent, call.params["parent"])["ID"]),)

    def _existing(self, call: Call) -> Body:
        return call.market.require(self.kind, *self._parents(call), self._id(call))

    def _id(self, call: Call) -> str:
        return self.singleton or call.params["id"]

    def _kept(self, old: Body) -> Body:
        writable = {field.name for field in self.fields if not field.read_only}
        return {name: value for name, value in old.items() if name not in writable}

    def _found(self, market: Marketplace, query: ListQuery, parent: str | None) -> list[Body]:
        bodies = market.store.cached(self.kind, (parent, query.sort_by), lambda: self._all(market, query, parent))
        if not query.filters and not query.words:
            return bodies
        if {field.name for field in self.fields if field.read_only} & query.names():
            return [body for body in bodies if query.admitted([self.show(market, body)])]
        return query.admitted(bodies)

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
        changed = with_spelled_references(market, self.fields, new)
        faults = [*faults_of(self.fields, new), *_fixed(self.fields, old, changed)]
        faults += [*broken_references(market, self.fields, new), *self.check(market, old, new)]
        refuse_if(faults)
        settled = self.settle(market, old, changed)
        market.store.put(self.kind, key_in(settled), settled)
        return Answer(200, self.view(market, settled))


def _is_id(value: object) -> bool:
    return isinstance(value, str) and ID_PATTERN.fullmatch(value) is not None


def _fixed(fields: tuple[Field, ...], old: Body | None, new: Body) -> Iterator[Fault]:
    """Find the fields that would change although they are fixed once the object is created."""
    codes = [field.fixed for field in fields if field.fixed and old is not None and old[field.name] != new[field.name]]
    yield from (Fault(code) for code in dict.fromkeys(codes))


LEVELS: Mapping[str, Callable[[Body], bool]] = {
    "user": lambda row: bool(row.get("UserID")),
    "group": lambda row: bool(row.get("UserGroupID")),
    "company": lambda row: not row.get("UserID") and not row.get("UserGroupID"),
    "buyergroup": lambda _row: False,  # since 1.0.470; no row has a field for one
}
COMMERCE_ROLES: Mapping[str, Callable[[Body], bool]] = {
    "buyer": lambda row: bool(row.get("BuyerID")),
    "supplier": lambda row: bool(row.get("SupplierID")),
    "seller": lambda row: not row.get("BuyerID") and not row.get("SupplierID"),
}
_NARROWING = {"level": LEVELS, "commercerole": COMMERCE_ROLES}
_REFUSED = (  # parameters which exclude each other: the narrowing one and its values, the other one, the code
    ("level", {"company", "user"}, "usergroupid", "PartyAssignment.InvalidGroupLevel"),
    ("level", {"company", "group"}, "userid", "PartyAssignment.InvalidUserLevel"),
    ("commercerole", {"seller", "supplier"}, "buyerid", "SecurityProfile.CannotProvideBuyerID"),
    ("commercerole", {"seller", "buyer"}, "supplierid", "SecurityProfile.CannotProvideSupplierID"),
)


def party_faults(row: Body) -> Iterator[Fault]:
    """Find parties that exclude each other."""
    if row.get("BuyerID") and row.get("SupplierID"):
        yield Fault("PartyAssignment.CannotSpecifyBuyerAndSupplier")
    if row.get("UserID") and row.get("UserGroupID"):
        yield Fault("PartyAssignment.CannotSpecifyGroupAndUser")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(_Described):
    """One table: everything in which one sort of assignment differs from another.

    Variable segments of the paths are names of columns; a write-only column is known from the path alone. What
    `deletions` leave out is taken from the query. `parameters` are accepted by the list although no row has them,
    `narrowing` says whether it takes `level` and `commerceRole`. `repeated` is the status of saving a row again.
    """

    columns: tuple[Field, ...]
    deletions: tuple[str, ...]
    save: str = "POST"
    repeated: int = 204
    narrowing: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    check: Callable[[Body], Iterator[Fault]] = lambda _: iter(())
    show: Callable[[Marketplace, Body], Body] = lambda _, row: row

    def key(self, row: Body) -> str:
        """Give the key of a row: all that identifies it."""
        values = (row.get(column.name) or "" for column in self.columns if not column.read_only)
        return key_of(*(value if isinstance(value, str) else json.dumps(value, sort_keys=True) for value in values))

    def put(self, market: Marketplace, row: Body) -> None:
        """Store a row that was found valid."""
        market.store.put(self.kind, self.key(row), with_spelled_references(market, self.columns, row))

    def faults(self, market: Marketplace, row: Body) -> list[Fault]:
        """Find what is wrong with a row."""
        shape = [*faults_of(self.columns, row), *self.check(row)]
        return shape or list(broken_references(market, self.columns, row))

    def routes(self) -> Iterator[Route]:
        """Give the routes."""
        yield self.route("GET", self.path, self.listed)
        yield self.route(self.save, self.path, self.saved)
        yield from (self.route("DELETE", path, self.deleted) for path in self.deletions)

    def listed(self, call: Call) -> Answer:
        """Answer one page."""
        market = call.market
        refuse_if(list(broken_references(market, self.columns, dict(call.params))))
        narrowing = {name.lower(): text.lower() for name, text in call.query if name.lower() in self.narrowing}
        refuse_if([*_unknown(narrowing), *_exclusive(narrowing, {name.lower() for name, text in call.query if text})])
        columns = (*(replace(each, write_only=False) for each in self.columns), *map(Field, self.parameters))
        pairs = [pair for pair in call.query if pair[0].lower() not in narrowing] + list(call.params.items())
        query = parse_query(pairs, Listable(columns, self.sortable, self.searchable), market.settings.max_page_size)
        rows = [self.show(market, row) for row in market.store.shuffled(self.kind)]
        tests = [_NARROWING[name][text] for name, text in narrowing.items()]
        found = [row for row in query.admitted(rows) if all(test(row) for test in tests)]
        return Answer(200, page_of(query, ordered(found, query.sort_by), lambda row: shown(self.columns, row)))

    def saved(self, call: Call) -> Answer:
        """Store a row."""
        market, sent = call.market, call.body()
        row = replaced(self.columns, sent | dict(call.params))
        excess = [Fault("PartyAssignment.UserLevelNotAllowed")] if sent.get("UserID") and "UserID" not in row else []
        refuse_if(excess + self.faults(market, row))
        is_repeated = market.store.get(self.kind, self.key(row)) is not None
        if is_repeated and self.repeated != 204 and "repeat-is-accepted" not in market.settings.readings:  # noqa: PLR2004 - 204 is "no content"
            raise ApiError(Fault("IdExists"))
        self.put(market, row)
        return Answer(204)

    def deleted(self, call: Call) -> Answer:
        """Remove a row."""
        given = {name.lower(): value for name, value in call.query}
        row: dict[str, Any] = {each.name: given.get(each.name.lower()) or None for each in self.columns}
        row |= call.params
        refuse_if(list(self.check(row)))
        if call.market.store.get(self.kind, self.key(row)) is None:
            raise ApiError(not_found(self.kind, list(call.params.values())[-1]))
        call.market.store.delete(self.kind, self.key(row))
        return Answer(204)


def _unknown(narrowing: Mapping[str, str]) -> Iterator[Fault]:
    for name, text in narrowing.items():
        if text not in _NARROWING[name]:
            yield Fault("List.InvalidType", f"{text!r} is not valid for {name}.")


def _exclusive(narrowing: Mapping[str, str], given: set[str]) -> Iterator[Fault]:
    for name, values, other, code in _REFUSED:
        if narrowing.get(name) in values and other in given:
            yield Fault(code)
