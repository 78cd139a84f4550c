"""Work -> its result, kept for all who need the same: environments of one run share files and manifests."""

from collections.abc import Callable, Hashable
from threading import RLock
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Once:
    """Key -> what is worked out for it, once, by whichever thread asks first; kept as long as this is."""

    def __init__(self) -> None:
        self._lock, self._known = RLock(), dict[Hashable, Any]()

    def get(self, key: Hashable, work_out: Callable[[], T]) -> T:
        """Give it; other threads wait."""
        with self._lock:
            if key not in self._known:
                self._known[key] = work_out()
            return cast("T", self._known[key])
