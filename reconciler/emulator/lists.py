"""Query parameters x objects -> one page, with its `Meta`.

OrderCloud docs, "Advanced querying" and "Basic API use": `page` starts at 1, `pageSize` is 20 by default and at most
100, unknown properties are rejected, repeated filters are combined with AND. `Meta.ItemRange` starts at 1 (.NET SDK
comment; the documentation contradicts itself). Guesses: parameter names are case-insensitive; an empty list has
ItemRange [1, 0] and no pages; an invalid `page` is `List.InvalidType`.
"""

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from reconciler.emulator.errors import ApiError, ServiceError
from reconciler.emulator.fields import Field, parse_datetime
from reconciler.emulator.store import Body

Predicate = Callable[[object], bool]
Comparable = str | int | bool | datetime

_ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "!<": operator.ge,
    "!>": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_BOOLEANS = {"true": True, "false": False}


def compile_filter(field: Field, text: str) -> Predicate:
    """The predicate of one filter; raises ApiError `List.InvalidType` if the text is not a valid value of the field."""
    predicates = [_compile_one(field, part) for part in text.split("|")]
    if len(predicates) == 1:
        return predicates[0]
    return lambda value: any(predicate(value) for predicate in predicates)


def _compile_one(field: Field, text: str) -> Predicate:
    if text == "!*":
        return _is_empty
    for sign, compare in _ORDERINGS.items():
        if text.startswith(sign):
            return _ordering(field, text[len(sign) :], compare)
    if text.startswith("!"):
        positive = _equality(field, text[1:])
        return lambda value: not positive(value)
    return _equality(field, text)


def _is_empty(value: object) -> bool:
    return value is None or value in ([], {}, "")


def _ordering(field: Field, text: str, compare: Callable[[Any, Any], bool]) -> Predicate:
    limit = _operand(field, text)
    if isinstance(limit, str):
        return lambda value: isinstance(value, str) and compare(value.lower(), limit)
    return lambda value: value is not None and compare(_operand(field, str(value)), limit)


def _equality(field: Field, text: str) -> Predicate:
    if text == "*":
        return lambda value: not _is_empty(value)
    if field.kind in {"integer", "boolean", "datetime"}:
        wanted = _operand(field, text)
        return lambda value: value is not None and _operand(field, str(value)) == wanted
    pattern = glob(text)
    return lambda value: _matches(pattern, value)


def glob(text: str) -> re.Pattern[str]:
    """Compile a lower-case pattern in which * matches anything."""
    return re.compile(".*".join(re.escape(part) for part in text.lower().split("*")), re.DOTALL)


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    if isinstance(value, list):
        return any(_matches(pattern, item) for item in value)
    return isinstance(value, str) and pattern.fullmatch(value.lower()) is not None


def _operand(field: Field, text: str) -> Comparable:
    value: Comparable | None = text.lower()
    if field.kind == "boolean":
        value = _BOOLEANS.get(text.lower())
    elif field.kind == "integer":
        value = int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else None
    elif field.kind == "datetime":
        value = parse_datetime(text)
    if value is None:
        raise ApiError(ServiceError("List.InvalidType", f"{text!r} is not valid for {field.name}."))
    return value


DEFAULT_PAGE_SIZE = 20
MAXIMUM_PAGE_SIZE = 100

_LISTS = ("searchon", "sortby")  # comma-delimited, or repeated
_RESERVED = {"page", "pagesize", "pagekey", "search", "searchon", "sortby"}


@dataclass(frozen=True, slots=True)
class Listable:
    """The query options of a list: properties to filter by, to sort by and to search in."""

    fields: tuple[Field, ...]
    sortable: tuple[str, ...] = ("ID",)
    searchable: tuple[str, ...] = ("ID",)

    def field(self, name: str) -> Field:
        """Find a visible property by its case-insensitive name; raises ApiError `List.InvalidProperty`."""
        for field in self.fields:
            if field.name.lower() == name.lower() and not field.write_only:
                return field
        raise ApiError(ServiceError("List.InvalidProperty", f"Property does not exist: {name}."))


Sorting = tuple[str, bool]  # one part of `sortBy`: a property, and whether the order is descending


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The validated query parameters of a list."""

    page: int
    size: int
    words: tuple[str, ...]
    search_on: tuple[str, ...]
    sort_by: tuple[Sorting, ...]
    filters: tuple[tuple[str, Predicate], ...]

    def names(self) -> set[str]:
        """The properties that filters and search read."""
        return {name for name, _ in self.filters} | (set(self.search_on) if self.words else set())

    def matching(self, bodies: Sequence[Body]) -> list[Body]:
        """The objects that match all filters and the search."""
        for name, predicate in self.filters:
            bodies = [body for body in bodies if predicate(body.get(name))]
        return [body for body in bodies if self._matches_search(body)] if self.words else list(bodies)

    def _matches_search(self, body: Body) -> bool:
        texts = [str(body.get(name) or "").lower() for name in self.search_on]
        return all(any(word in text for text in texts) for word in self.words)


def parse_query(pairs: Iterable[tuple[str, str]], listable: Listable, max_page_size: int | None) -> ListQuery:
    """Parse the query parameters of a list; `max_page_size` limits its pages further than the API's 100.

    Raises:
        ApiError: one of the `List.` codes, for the first invalid parameter.
    """
    pairs = list(pairs)
    known = {name.lower(): value for name, value in pairs if name.lower() in _RESERVED}
    known |= {name: ",".join(value for key, value in pairs if key.lower() == name) for name in _LISTS if name in known}
    filters = [(listable.field(name), text) for name, text in pairs if name.lower() not in _RESERVED]
    return ListQuery(
        page=_count(known.get("page"), 1, ServiceError("List.InvalidType", "page is not valid.")),
        size=min(
            _count(known.get("pagesize"), DEFAULT_PAGE_SIZE, ServiceError("List.InvalidPageSize"), MAXIMUM_PAGE_SIZE),
            max_page_size or MAXIMUM_PAGE_SIZE,
        ),
        words=tuple(known.get("search", "").lower().split()),
        search_on=_search_on(known.get("searchon"), listable),
        sort_by=_sort_by(known.get("sortby"), listable),
        filters=tuple((field.name, compile_filter(field, text)) for field, text in filters),
    )


def _count(text: str | None, default: int, error: ServiceError, most: int = 999_999_999) -> int:
    if text is None:
        return default
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text) or int(text) > most:
        raise ApiError(error)
    return int(text)


def _search_on(text: str | None, listable: Listable) -> tuple[str, ...]:
    if text is None:
        return listable.searchable
    return tuple(_known(name, listable.searchable, "List.InvalidSearchProperty") for name in text.split(","))


def _sort_by(text: str | None, listable: Listable) -> tuple[Sorting, ...]:
    return tuple(_sorting(part.strip(), listable) for part in text.split(",")) if text is not None else ()


def _sorting(part: str, listable: Listable) -> Sorting:
    name = part.removeprefix("!")
    return _known(name, listable.sortable, "List.InvalidSortProperty"), part != name


def _known(name: str, names: Sequence[str], code: str) -> str:
    for candidate in names:
        if candidate.lower() == name.strip().lower():
            return candidate
    raise ApiError(ServiceError(code, f"{name.strip()}: not one of {', '.join(names)}."))


def ordered(bodies: Sequence[Body], sort_by: Sequence[Sorting]) -> list[Body]:
    """Sort objects: strings case-insensitively, missing values first. The sort is stable."""
    result = list(bodies)
    for name, is_descending in reversed(sort_by):
        result.sort(key=partial(_sort_key, name), reverse=is_descending)
    return result


def _sort_key(name: str, body: Body) -> tuple[bool, Any]:
    value = body.get(name)
    return value is not None, value.lower() if isinstance(value, str) else value or 0


def page_of(query: ListQuery, found: Sequence[Body], view: Callable[[Body], Body]) -> dict[str, Any]:
    """The requested page of all matches; `view` is called for its items only."""
    first = (query.page - 1) * query.size
    items = [view(body) for body in found[first : first + query.size]]
    meta = {
        "Page": query.page,
        "PageSize": query.size,
        "TotalCount": len(found),
        "TotalPages": -(-len(found) // query.size),
        "ItemRange": [first + 1, first + len(items)],
        "NextPageKey": None,
    }
    return {"Meta": meta, "Items": items}
