"""A table that describes rows without an ID of their own (assignments, xp indices) -> list, save, delete.

Documented: a save answers 204. Its row may name one buyer or one supplier, and one user or one group of it; without
either it is about the seller's own users and groups, without any of them about the whole seller organisation. Guesses:
the error code of a parameter that the list does not have; deleting what is not there is a 404; a `level` that excludes
a given group or user is refused; saving a row again is 409 where the reference solution has seen one, else 204 (switch:
`repeat-is-accepted`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reconciler.emulator.calls import Answer, Route
from reconciler.emulator.errors import ApiError, Fault, not_found, refuse_if
from reconciler.emulator.fields import Field, faults_of, replaced, shown
from reconciler.emulator.lists import Listable, ordered, page_of, parse_query
from reconciler.emulator.marketplace import broken_references, with_spelled_references
from reconciler.emulator.store import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reconciler.emulator import Profile
    from reconciler.emulator.calls import Call
    from reconciler.emulator.marketplace import Marketplace
    from reconciler.emulator.store import Body

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


@dataclass(frozen=True, slots=True)
class Table:
    """One table: everything in which one sort of assignment differs from another.

    Variable segments of the paths are names of columns; a write-only column is known from the path alone. What
    `deletions` leave out is taken from the query. `parameters` are accepted by the list although no row has them,
    `narrowing` says whether it takes `level` and `commerceRole`. `repeated` is the status of saving a row again.
    """

    kind: str
    path: str
    columns: tuple[Field, ...]
    read_roles: tuple[str, ...]
    write_roles: tuple[str, ...]
    deletions: tuple[str, ...]
    save: str = "POST"
    repeated: int = 204
    narrowing: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    sortable: tuple[str, ...] = ()
    searchable: tuple[str, ...] = ()
    only: Profile | None = None
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
        operations = _Operations(self)
        table = (
            ("GET", self.path, operations.listed, self.read_roles),
            (self.save, self.path, operations.saved, self.write_roles),
            *(("DELETE", path, operations.deleted, self.write_roles) for path in self.deletions),
        )
        yield from (Route(method, path, handler, roles, seller_only=True) for method, path, handler, roles in table)


@dataclass(frozen=True, slots=True)
class _Operations:
    """The handlers of one table."""

    table: Table

    def listed(self, call: Call) -> Answer:
        table, market = self.table, call.market
        refuse_if(list(broken_references(market, table.columns, dict(call.params))))
        narrowing = {name.lower(): text.lower() for name, text in call.query if name.lower() in table.narrowing}
        refuse_if([*_unknown(narrowing), *_exclusive(narrowing, {name.lower() for name, text in call.query if text})])
        columns = (*(replace(each, write_only=False) for each in table.columns), *map(Field, table.parameters))
        pairs = [pair for pair in call.query if pair[0].lower() not in narrowing] + list(call.params.items())
        query = parse_query(pairs, Listable(columns, table.sortable, table.searchable), market.settings.max_page_size)
        rows = [table.show(market, row) for row in market.store.shuffled(table.kind)]
        found = [
            row for row in query.admitted(rows) if all(_NARROWING[name][text](row) for name, text in narrowing.items())
        ]
        return Answer(200, page_of(query, ordered(found, query.sort_by), lambda row: shown(table.columns, row)))

    def saved(self, call: Call) -> Answer:
        table, market, sent = self.table, call.market, call.body()
        row = replaced(table.columns, sent | dict(call.params))
        excess = [Fault("PartyAssignment.UserLevelNotAllowed")] if sent.get("UserID") and "UserID" not in row else []
        refuse_if(excess + table.faults(market, row))
        is_repeated = market.store.get(table.kind, table.key(row)) is not None
        if is_repeated and table.repeated != 204 and "repeat-is-accepted" not in market.settings.readings:  # noqa: PLR2004 - 204 is "no content"
            raise ApiError(Fault("IdExists"))
        table.put(market, row)
        return Answer(204)

    def deleted(self, call: Call) -> Answer:
        table, given = self.table, {name.lower(): value for name, value in call.query}
        row: dict[str, Any] = {each.name: given.get(each.name.lower()) or None for each in table.columns}
        row |= call.params
        refuse_if(list(table.check(row)))
        if call.market.store.get(table.kind, table.key(row)) is None:
            raise ApiError(not_found(table.kind, list(call.params.values())[-1]))
        call.market.store.delete(table.kind, table.key(row))
        return Answer(204)


def _unknown(narrowing: Mapping[str, str]) -> Iterator[Fault]:
    for name, text in narrowing.items():
        if text not in _NARROWING[name]:
            yield Fault("List.InvalidType", f"{text!r} is not valid for {name}.")


def _exclusive(narrowing: Mapping[str, str], given: set[str]) -> Iterator[Fault]:
    for name, values, other, code in _REFUSED:
        if narrowing.get(name) in values and other in given:
            yield Fault(code)
