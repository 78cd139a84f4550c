"""Pages of a list -> all of its items, or an error; never a part of them.

One reading goes by windows of thirty pages: the service advises against deeper ones, and to go on by the last ID
(OrderCloud knowledge base, "Advanced Querying"). The pages of a window are read side by side. Whatever does not add
up (a total that moved, a short page, an ID met twice) means that the list was changed while it was read: it is read
again from the start.

What cannot be seen: one item added and another removed between two pages of one reading, with no total changed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Final, Protocol, TypeVar

from reconciler.model.dataclass import dataclass
from reconciler.model.json import Json, canonical_text, is_array
from reconciler.remote.messages import MalformedAnswer, kind_of

PAGE_SIZE: Final = 100
"""The most that the service allows."""
WINDOW: Final = 30
"""Pages."""
REREADS: Final = 3

Item = dict[str, Json]
Query = tuple[tuple[str, str], ...]


class ListKeepsChanging(Exception):
    """The list did not hold still through all readings; the message says what moved last."""


class _Changed(Exception):
    """What does not add up in this reading."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page as the service sent it; `size` is what it uses, which may be less than was asked for."""

    number: int
    size: int
    total: int
    items: tuple[Item, ...]

    @classmethod
    def of(cls, body: Mapping[str, Json], number: int, key: str | None) -> "Page":
        """Check and take a ListPage, which must be the one of that number.

        Raises:
            MalformedAnswer: it is none.
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
        # A full page whose total says that it is the only one would else hide all others.
        pages = pages_of(total, size)
        if meta.get("TotalPages", pages) != pages and total > 0:
            raise MalformedAnswer("expected Meta.TotalPages to agree with TotalCount and PageSize")
        return cls(number, size, total, tuple(items))  # type: ignore[arg-type]  # checked above

    def must_hold(self, count: int, like: "Page") -> None:
        """Raise where it has not this many items, or another size or total than the window's first page."""
        if self.total != like.total:
            raise _Changed(f"the total went from {like.total} to {self.total}")
        if self.size != like.size:
            raise _Changed(f"the page size went from {like.size} to {self.size}")
        if len(self.items) != count:
            raise _Changed(f"page {self.number} has {len(self.items)} items where {count} were announced")


_Read = TypeVar("_Read")


class SideBySide(Protocol):
    """`map`, in threads."""

    def __call__(self, read: Callable[[int], _Read], numbers: Iterable[int], /) -> Iterable[_Read]:
        """Give what it reads for each number, in order."""


@dataclass(frozen=True, slots=True)
class Paged:
    """A list that can be read by pages."""

    fetch: Callable[[int, Query], Page]
    """One request for the page of this number, with these query parameters."""
    side_by_side: SideBySide
    key: str | None
    """The field that identifies an item; None: items have none, and the list cannot be sorted."""
    parts: "Sequence[Paged]" = ()
    """Lists that together have every item that is wanted: read instead where that takes fewer requests."""

    def read(self) -> list[Item]:
        """Read all items, up to four times.

        Raises:
            ListKeepsChanging: no reading was whole.
            RemoteError: as `fetch` raises it.
        """
        if len(self.parts) == 1:
            return self.parts[0].read()
        moved = ""
        for _ in range(1 + REREADS):
            try:
                return self._read_once()
            except _Changed as change:
                moved = str(change)
        raise ListKeepsChanging(moved)

    def _read_once(self) -> list[Item]:
        items: list[Item] = []
        total, windows = None, 0
        while total is None or len(items) < total:
            query, first_page, passed = self._window(items, windows)
            first = self._page(first_page, query)
            if self.parts and first.total > (1 + len(self.parts)) * first.size:
                return self._read_parts()
            whole = len(items) - passed + first.total
            if total is not None and whole != total:
                raise _Changed(f"the total went from {total} to {whole}")
            items += self._rest_of(first, query, first.total - passed)
            total, windows = whole, windows + 1
        self._check_distinct(items)
        return items

    def _read_parts(self) -> list[Item]:
        lists = self.side_by_side(lambda number: self.parts[number].read(), range(len(self.parts)))
        return list({self._name(item): item for item in chain.from_iterable(lists)}.values())

    def _window(self, items: list[Item], number: int) -> tuple[Query, int, int]:
        """Where the next window begins: what to ask for, its first page, and how many items that query also counts.

        With a key, the query leaves out what has been read; without one, all that remains is to page on.
        """
        if self.key is None:
            return (), number * WINDOW + 1, len(items)
        after = ((self.key, f">{items[-1][self.key]}"),) if items else ()
        return (("sortBy", self.key), *after), 1, 0

    def _rest_of(self, first: Page, query: Query, left: int) -> list[Item]:
        """All items of the window whose first page this is, `left` items being left in the list."""
        count = min(WINDOW, pages_of(left, first.size))
        numbers = range(first.number + 1, first.number + count)
        rest = self.side_by_side(lambda number: self._page(number, query), numbers)
        items: list[Item] = []
        for page in (first, *rest):
            page.must_hold(min(first.size, left - len(items)), like=first)
            items += page.items
        return items

    def _page(self, number: int, query: Query) -> Page:
        return self.fetch(number, (("page", str(number)), ("pageSize", str(PAGE_SIZE)), *query))

    def _check_distinct(self, items: list[Item]) -> None:
        if len(set(map(self._name, items))) != len(items):
            raise _Changed("an item came twice")

    def _name(self, item: Item) -> str:
        """IDs are compared without case: the service writes one ID in either."""
        return str(item[self.key]).casefold() if self.key else canonical_text(item)


def pages_of(count: int, size: int = PAGE_SIZE) -> int:
    """How many pages there are of so many items, however many the service says."""
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
