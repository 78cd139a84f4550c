"""A row that describes a resource -> its six operations: list, get, create, save (PUT), patch, delete.

OrderCloud docs: a PUT to an unknown ID creates where the ID is writable; a POST with an ID that exists is refused with
409. A PUT answers 200, also one that creates: no document has another status (OpenAPI document 1.0.260). Guess: an ID
in the body of a PUT or PATCH is ignored, so that nothing can be renamed.
"""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.emulator.calls import Answer, Route
from reconciler.emulator.errors import ApiError, Fault, not_found, refuse_if
from reconciler.emulator.fields import ID_PATTERN, Field, faults_of, merged, replaced, shown, with_write_only
from reconciler.emulator.lists import Listable, ListQuery, ordered, page_of, parse_query
from reconciler.emulator.marketplace import blocking_faults, broken_references, with_spelled_references
from reconciler.emulator.store import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reconciler.emulator import Profile
    from reconciler.emulator.calls import Call
    from reconciler.emulator.marketplace import Marketplace
    from reconciler.emulator.store import Body

ID = Field("ID")

_ID_RULE = "ID may hold only letters, digits, _ and -, at most 100."


def new_id() -> str:
    """Make an ID as the service does: 22 URL-safe characters."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Resource:
    """One row: everything in which one resource differs from another.

    `kind` is the name under which it is stored, and `Data.ObjectType` of its 404. `path` is that of its list; the
    variable segment in it, if any, is the ID of the `parent`. With `singleton`, the ID under which the only object is
    stored, `path` is that of the object, which has no `ID`. `only` is the API generation that has the kind. `check`
    sees the old body (None at creation) and the new one and yields faults, `settle` turns the new one into what is
    stored, `guard` may forbid a deletion. `show` and `show_in_list` add what is derived.
    """

    kind: str
    path: str
    fields: tuple[Field, ...]
    read_roles: tuple[str, ...]
    write_roles: tuple[str, ...]
    sortable: tuple[str, ...] = ("ID", "Name")
    searchable: tuple[str, ...] = ("ID", "Name")
    parent: str | None = None
    singleton: str = ""
    only: Profile | None = None
    seller_only: bool = True
    client_may_choose_id: bool = True
    make_id: Callable[[], str] = new_id
    may_put_new: Callable[[Marketplace, str], bool] = lambda *_: True
    check: Callable[[Marketplace, Body | None, Body], Iterator[Fault]] = lambda *_: iter(())
    settle: Callable[[Marketplace, Body | None, Body], Body] = lambda _market, _old, new: new
    guard: Callable[[Marketplace, Body], Iterator[Fault]] = lambda *_: iter(())
    show: Callable[[Marketplace, Body], Body] = lambda _, body: body
    show_in_list: Callable[[Marketplace, Body], Body] | None = None

    @property
    def listable(self) -> Listable:
        """What may be asked of the list."""
        return Listable((ID, *self.fields), self.sortable, self.searchable)

    def viewer(self, market: Marketplace, show: Callable[[Marketplace, Body], Body]) -> Callable[[Body], Body]:
        """Give the function that turns a stored body into a shown one: table order, nothing that is never shown."""
        fields = self.fields if self.singleton else (ID, *self.fields)
        return lambda body: shown(fields, show(market, body))


@dataclass(frozen=True, slots=True)
class Operations:
    """The handlers of one resource."""

    row: Resource

    def listed(self, call: Call) -> Answer:
        """Answer one page."""
        row, market = self.row, call.market
        query = parse_query(call.query, row.listable, market.settings.max_page_size)
        parents = self._parents(call)
        found = self._found(market, query, parents[-1] if parents else None)
        return Answer(200, page_of(query, found, row.viewer(market, row.show_in_list or row.show)))

    def got(self, call: Call) -> Answer:
        """Answer one object; a singleton that is not set is a 404 (switch: `unset-singleton-is-null`)."""
        if self.row.singleton and "unset-singleton-is-null" in call.market.settings.readings:
            unset = call.market.find(self.row.kind, self.row.singleton) or replaced(self.row.fields, {})
            return Answer(200, self._shown(call.market, unset))
        return Answer(200, self._shown(call.market, self._existing(call)))

    def created(self, call: Call) -> Answer:
        """Create from a POST; the ID may come from the body where the row allows it."""
        parents, sent = self._parents(call), call.body()
        given = sent.get("ID") if self.row.client_may_choose_id else None
        object_id = given or self.row.make_id()
        refuse_if([] if _is_id(object_id) else [Fault("ValidationFailure", _ID_RULE)])
        if call.market.find(self.row.kind, *parents, object_id) is not None:
            data = {"ObjectType": self.row.kind, "ObjectID": object_id}
            raise ApiError(Fault("IdExists", data=data))
        return self._create(call.market, parents, object_id, sent)

    def saved(self, call: Call) -> Answer:
        """Replace by a PUT, or create under the ID of the path where the row allows it."""
        parents, object_id = self._parents(call), self._id(call)
        old, row = call.market.find(self.row.kind, *parents, object_id), self.row
        if old is None:
            if not (row.singleton or _is_id(object_id)) or not row.may_put_new(call.market, object_id):
                raise ApiError(not_found(row.kind, object_id))
            made = self._create(call.market, parents, object_id, call.body())
            status = call.market.settings.put_create_status
            return made if status == made.status else Answer(status, made.body)
        new = replaced(row.fields, call.body())
        if "put-keeps-write-only" in call.market.settings.readings:
            new = with_write_only(row.fields, old, new)
        return self._store(call.market, old, self._kept(old) | new)

    def patched(self, call: Call) -> Answer:
        """Change only what was sent."""
        old, deep = self._existing(call), "patch-merges-deep" in call.market.settings.readings
        return self._store(call.market, old, self._kept(old) | merged(self.row.fields, old, call.body(), deep=deep))

    def deleted(self, call: Call) -> Answer:
        """Remove, unless a guard forbids it."""
        body = self._existing(call)
        place = (self.row.kind, key_of(*self._parents(call), body["ID"]))
        refuse_if([*self.row.guard(call.market, body), *blocking_faults(call.market, place)])
        call.market.remove(*place)
        return Answer(204)

    def routes(self) -> Sequence[Route]:
        """Give the six routes, or the four of a singleton."""
        row = self.row
        one = row.path if row.singleton else row.path + "/{id}"
        of_the_list = (
            ("GET", row.path, self.listed, row.read_roles),
            ("POST", row.path, self.created, row.write_roles),
        )
        table = (
            *(() if row.singleton else of_the_list),
            ("GET", one, self.got, row.read_roles),
            ("PUT", one, self.saved, row.write_roles),
            ("PATCH", one, self.patched, row.write_roles),
            ("DELETE", one, self.deleted, row.write_roles),
        )
        return [Route(method, path, handler, roles, row.seller_only) for method, path, handler, roles in table]

    def _parents(self, call: Call) -> tuple[str, ...]:
        if self.row.parent is None:
            return ()
        return (str(call.market.require(self.row.parent, call.params["parent"])["ID"]),)

    def _existing(self, call: Call) -> Body:
        return call.market.require(self.row.kind, *self._parents(call), self._id(call))

    def _id(self, call: Call) -> str:
        return self.row.singleton or call.params["id"]

    def _kept(self, old: Body) -> Body:
        writable = {field.name for field in self.row.fields if not field.read_only}
        return {name: value for name, value in old.items() if name not in writable}

    def _found(self, market: Marketplace, query: ListQuery, parent: str | None) -> list[Body]:
        bodies = market.store.cached(self.row.kind, (parent, query.sort_by), lambda: self._all(market, query, parent))
        if not query.filters and not query.words:
            return bodies
        if {field.name for field in self.row.fields if field.read_only} & query.names():
            return [body for body in bodies if query.admitted([self.row.show(market, body)])]
        return query.admitted(bodies)

    def _all(self, market: Marketplace, query: ListQuery, parent: str | None) -> list[Body]:
        store, kind = market.store, self.row.kind
        return ordered(store.shuffled(kind) if parent is None else store.children(kind, parent.lower()), query.sort_by)

    def _create(self, market: Marketplace, parents: tuple[str, ...], object_id: str, sent: Body) -> Answer:
        new = {"ID": object_id, "_parent": key_of(*parents)} | replaced(self.row.fields, sent)
        answer = self._store(market, None, new)
        prefix = self.row.path.replace("{parent}", parents[0] if parents else "")
        location = prefix if self.row.singleton else f"{prefix}/{answer.body['ID']}"
        return Answer(201, answer.body, location=location)

    def _store(self, market: Marketplace, old: Body | None, new: Body) -> Answer:
        row, changed = self.row, with_spelled_references(market, self.row.fields, new)
        refuse_if(
            [
                *faults_of(row.fields, new),
                *_fixed(row.fields, old, changed),
                *broken_references(market, row.fields, new),
                *row.check(market, old, new),
            ]
        )
        settled = row.settle(market, old, changed)
        parents = [settled["_parent"]] if settled["_parent"] else []
        market.store.put(self.row.kind, key_of(*parents, settled["ID"]), settled)
        return Answer(200, self._shown(market, settled))

    def _shown(self, market: Marketplace, body: Body) -> Body:
        return self.row.viewer(market, self.row.show)(body)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and ID_PATTERN.fullmatch(value) is not None


def _fixed(fields: tuple[Field, ...], old: Body | None, new: Body) -> Iterator[Fault]:
    """Find the fields that would change although they are fixed once the object is created."""
    codes = [field.fixed for field in fields if field.fixed and old is not None and old[field.name] != new[field.name]]
    yield from (Fault(code) for code in dict.fromkeys(codes))
