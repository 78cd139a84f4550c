"""Read all items of a paged list, or raise an error; never returns a part of the list.

A list is read in windows of thirty pages: the service advises against deeper ones, and to continue after the last ID
(OrderCloud knowledge base, "Advanced Querying"). The pages of a window are read in parallel. Any
inconsistency (another total, a short page, a duplicate ID) means that the list was changed during the read: it is read
again from the start.

Not detected: one item added and another removed between two pages of one read, so that the total is the same.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Final, Protocol, TypeVar

from reconciler.model.dataclass import dataclass
from reconciler.model.json import Json, canonical_text, is_array
from reconciler.remote.messages import MalformedAnswer, kind_of

PAGE_SIZE: Final = 100
"""The maximum of the service."""
WINDOW: Final = 30
"""The number of pages that are read concurrently."""
REREADS: Final = 3

Item = dict[str, Json]
Query = tuple[tuple[str, str], ...]


class ListKeepsChanging(Exception):
    """The list changed during every read; the message has the last change."""


class _Changed(Exception):
    """The list changed during this read; the message describes the change."""


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of the service. `size` is its page size, which may be less than requested."""

    number: int
    size: int
    total: int
    items: tuple[Item, ...]

    @classmethod
    def of(cls, body: Mapping[str, Json], number: int, key: str | None) -> "ListPage":
        """Check and convert a ListPage, which must have that number.

        Raises:
            MalformedAnswer: it is not such a page.
        """
        meta, items = body.get("Meta"), body.get("Items")
        if not isinstance(meta, Mapping):
            raise MalformedAnswer(f"expected Meta to be an object and found {kind_of(meta)}")
        if not is_array(items):
            raise MalformedAnswer(f"expected Items to be an array and found {kind_of(items)}")
        for item in items:
            _check(item, key)
        if _count(meta, "Page", least=1) != number:
            raise MalformedAnswer(f"expected page {number} and found page {meta['Page']}")
        size, total = _count(meta, "PageSize", least=1), _count(meta, "TotalCount", least=0)
        # Otherwise a full page with a wrong total would hide all others.
        pages = pages_of(total, size)
        if meta.get("TotalPages", pages) != pages and total > 0:
            raise MalformedAnswer("expected Meta.TotalPages to agree with TotalCount and PageSize")
        return cls(number, size, total, tuple(items))  # type: ignore[arg-type]  # checked above

    def require_consistent(self, count: int, first_page: "ListPage") -> None:
        """Raise if the number of items differs, or size or total differ from the first page of the window."""
        if self.total != first_page.total:
            raise _Changed(f"the total changed from {first_page.total} to {self.total}")
        if self.size != first_page.size:
            raise _Changed(f"the page size changed from {first_page.size} to {self.size}")
        if len(self.items) != count:
            raise _Changed(f"page {self.number} has {len(self.items)} items, expected {count}")


_Read = TypeVar("_Read")


class ConcurrentMap(Protocol):
    """`map` in threads."""

    def __call__(self, read: Callable[[int], _Read], numbers: Iterable[int], /) -> Iterable[_Read]:
        """The results of `read` for each number, in order."""


@dataclass(frozen=True, slots=True)
class Paged:
    """A list that is read by pages."""

    fetch: Callable[[int, Query], ListPage]
    """Requests the page of this number, with these query parameters."""
    concurrent_map: ConcurrentMap
    key: str | None
    """The field that identifies an item; None if there is none, so that the list cannot be sorted."""
    parts: "Sequence[Paged]" = ()
    """Lists that together have every needed item; read instead if that takes fewer requests."""

    def read(self) -> list[Item]:
        """Read all items, up to four times.

        Raises:
            ListKeepsChanging: the list changed during every read.
            RemoteError: a request failed.
        """
        if len(self.parts) == 1:
            return self.parts[0].read()
        last_change = ""
        for _ in range(1 + REREADS):
            try:
                return self._read_once()
            except _Changed as change:
                last_change = str(change)
        raise ListKeepsChanging(last_change)

    def _read_once(self) -> list[Item]:
        items: list[Item] = []
        total, windows = None, 0
        while total is None or len(items) < total:
            query, first_page, passed = self._window(items, windows)
            first = self._page(first_page, query)
            if self.parts and first.total > (1 + len(self.parts)) * first.size:
                return self._read_parts()
            new_total = len(items) - passed + first.total
            if total is not None and new_total != total:
                raise _Changed(f"the total changed from {total} to {new_total}")
            items += self._rest_of(first, query, first.total - passed)
            total, windows = new_total, windows + 1
        self._check_distinct(items)
        return items

    def _read_parts(self) -> list[Item]:
        lists = self.concurrent_map(lambda number: self.parts[number].read(), range(len(self.parts)))
        return list({self._name(item): item for item in chain.from_iterable(lists)}.values())

    def _window(self, items: list[Item], number: int) -> tuple[Query, int, int]:
        """The next window: its query, its first page, and how many items before it the query counts.

        With a key, the query excludes the items that were read; without one, the pages continue.
        """
        if self.key is None:
            return (), number * WINDOW + 1, len(items)
        after = ((self.key, f">{items[-1][self.key]}"),) if items else ()
        return (("sortBy", self.key), *after), 1, 0

    def _rest_of(self, first: ListPage, query: Query, left: int) -> list[Item]:
        """All items of a window with this first page; `left` items remain in the list."""
        count = min(WINDOW, pages_of(left, first.size))
        numbers = range(first.number + 1, first.number + count)
        rest = self.concurrent_map(lambda number: self._page(number, query), numbers)
        items: list[Item] = []
        for page in (first, *rest):
            page.require_consistent(min(first.size, left - len(items)), first_page=first)
            items += page.items
        return items

    def _page(self, number: int, query: Query) -> ListPage:
        return self.fetch(number, (("page", str(number)), ("pageSize", str(PAGE_SIZE)), *query))

    def _check_distinct(self, items: list[Item]) -> None:
        if len(set(map(self._name, items))) != len(items):
            raise _Changed("an item occurs twice")

    def _name(self, item: Item) -> str:
        """The identity of an item. The service writes the same ID in different case."""
        return str(item[self.key]).casefold() if self.key else canonical_text(item)


def pages_of(count: int, size: int = PAGE_SIZE) -> int:
    """The number of pages for a number of items."""
    return -(-count // size)


def _check(item: Json, key: str | None) -> None:
    if not isinstance(item, Mapping):
        raise MalformedAnswer(f"expected items to be objects and found {kind_of(item)}")
    name = item.get(key) if key else "none needed"
    if not isinstance(name, str) or not name:
        found = kind_of(name) if name else "none"
        raise MalformedAnswer(f"expected every item to have a string {key} and found {found}")


def _count(meta: Mapping[str, Json], name: str, *, least: int) -> int:
    value = meta.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise MalformedAnswer(f"expected Meta.{name} to be a whole number of at least {least}")
    return value
