"""A name -> the objects of that name that were not there when the plan was made.

One reading of the list, before the first POST of the run, serves all creations: to list for each would take longer with
every object, and fail while the run's own creations change the list. After a POST whose answer is lost the service is
asked for that one name, by a filter.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

from reconciler.errors import RemoteError, RequestFacts
from reconciler.kinds import Kind
from reconciler.model.json import Body, Json
from reconciler.model.resource import LiveResource, ObjectKey
from reconciler.remote.filters import at_least
from reconciler.remote.protocol import ReadRemote


@dataclass(slots=True)
class Newcomers:
    """Knows what has appeared since the plan. Thread-safe."""

    remote: ReadRemote
    known: frozenset[ObjectKey]
    """What was live when the plan was made: none of these is what a creation made."""
    _listed: dict[str, Mapping[Json, Sequence[Body]] | RemoteError] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def before_the_run(self, kind: Kind, name: str) -> list[LiveResource]:
        """Objects of the name as they were before this run created its first one by POST.

        Raises:
            RemoteError: the list could not be read; it is not tried again in this run.
        """
        with self._lock:
            if kind.name not in self._listed:
                self._listed[kind.name] = self._read(kind)
            listed = self._listed[kind.name]
        if isinstance(listed, RemoteError):
            raise listed
        return self._new(kind, listed.get(name, ()))

    def now(self, kind: Kind, name: str) -> list[LiveResource]:
        """Objects of the name as they are."""
        bodies = self.remote.list_all(kind.path, filters={kind.name_field: at_least(name)})
        return self._new(kind, [body for body in bodies if body.get(kind.name_field) == name])

    def _read(self, kind: Kind) -> Mapping[Json, Sequence[Body]] | RemoteError:
        found: dict[Json, list[Body]] = defaultdict(list)
        try:
            for body in self.remote.list_all(kind.path):
                name = body.get(kind.name_field)
                if isinstance(name, str):
                    found[name].append(body)
        except RemoteError as error:
            return error
        return found

    def _new(self, kind: Kind, bodies: Sequence[Body]) -> list[LiveResource]:
        facts = RequestFacts("GET", f"/v1{kind.path}")
        found = [kind.live(body, facts) for body in bodies]
        return [one for one in found if one.key not in self.known]
