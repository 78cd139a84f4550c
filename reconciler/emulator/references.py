"""The references of all kinds -> whether they lead anywhere, how they are spelled, and what a deletion does to them.

Everything here follows from `Field.refers` of the rows and tables. An ID is stored as its object spells it, that of an
API client in lower case. Guesses: a deletion takes assignments along and empties references (switch:
`delete-leaves-references`); what cannot be without the reference is deleted, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.emulator.errors import Fault, not_found
from reconciler.emulator.fields import has_kind, values_of
from reconciler.emulator.store import key_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.emulator.fields import Field, Reference
    from reconciler.emulator.marketplace import Marketplace
    from reconciler.emulator.store import Body

Place = tuple[str, str]  # kind and key


def broken(market: Marketplace, fields: Iterable[Field], body: Body) -> Iterator[Fault]:
    """Find the references of a body, nested ones included, that lead nowhere."""
    for field in fields:
        for value in _ids(field, body):
            if field.refers and not _leads_somewhere(market, field.refers, body, value):
                kind, _ = place_of(market, field.refers, body, value)
                is_named = field.refers.missing == "NotFound"
                yield not_found(kind, value) if is_named else Fault(field.refers.missing)
        for item in values_of(body.get(field.name)) if field.fields else ():
            if isinstance(item, dict):
                yield from broken(market, field.fields, item)


def spelled(market: Marketplace, fields: Iterable[Field], body: Body) -> Body:
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


def blocked(market: Marketplace, place: Place) -> Iterator[Fault]:
    """Give the fault of each code by which something forbids to delete an object."""
    codes = {
        field.refers.blocks for _, field, _, _ in _referring(market, place) if field.refers and field.refers.blocks
    }
    yield from (Fault(code) for code in sorted(codes))


def forget(market: Marketplace, place: Place) -> None:
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
    tables = {row.kind: row.fields for row in market.rows.values()} | {
        table.kind: table.columns for table in market.tables.values()
    }
    for holder, fields in tables.items():
        if any(_may_refer(field, place[0]) for field in fields):
            for at, body in market.store.all(holder).items():
                yield from ((holder, field, at, value) for field, value in _referring_in(market, fields, body, place))


def _may_refer(field: Field, kind: str) -> bool:
    refers = field.refers
    kinds = {refers.kind, *(each for _, each in refers.owners)} if refers else set()
    return kind in kinds or any(_may_refer(each, kind) for each in field.fields)


def _referring_in(
    market: Marketplace, fields: Iterable[Field], body: Body, place: Place
) -> Iterator[tuple[Field, str]]:
    for field in fields:
        for value in _ids(field, body) if field.refers else ():
            if field.refers and place_of(market, field.refers, body, value) == place:
                yield field, value
        for item in values_of(body.get(field.name)) if field.fields else ():
            yield from _referring_in(market, field.fields, item, place)


def _ids(field: Field, body: Body) -> list[str]:
    """Give the IDs in a field, none where its value has the wrong type."""
    value = body.get(field.name)
    if value == "" or not has_kind(field, value):
        return []
    return [each for each in values_of(value) if isinstance(each, str)]


def _leads_somewhere(market: Marketplace, refers: Reference, body: Body, value: str) -> bool:
    if refers.or_seller and _is_seller(market, value):
        return True
    return market.store.get(*place_of(market, refers, body, value)) is not None


def _spelling(market: Marketplace, refers: Reference, body: Body, value: str) -> str:
    found = market.store.get(*place_of(market, refers, body, value))
    if found is None:
        return value
    return str(found["ID"]).lower() if refers.kind == "ApiClient" else str(found["ID"])


def _is_seller(market: Marketplace, value: str) -> bool:
    return value.lower() == market.settings.marketplace.lower()
