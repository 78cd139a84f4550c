"""A kind x what reads -> its objects, wherever the service has them: in a list, alone at a path, or as rows of a set.

What is alone has no ID in its body; it gets the one of `Kind.singles`. A set is always there, be it empty.
"""

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

from reconciler.errors import BadAnswer, NotFound, RequestFacts
from reconciler.kinds.base import Kind
from reconciler.model.json import Body, Json


class Reader(Protocol):
    """What is asked of a service here."""

    def list_all(self, path: str, *, key: str | None = "ID") -> list[dict[str, Json]]:
        """Every item of a list."""
        ...

    def get(self, path: str, object_id: str) -> dict[str, Json]:
        """One object of a list."""
        ...

    def single(self, path: str) -> dict[str, Json]:
        """The object that is alone at its path."""
        ...


def every_body(remote: Reader, kind: Kind) -> list[Body]:
    """All objects of a kind; those that are alone, side by side."""
    if kind.singles:
        with ThreadPoolExecutor(len(kind.singles)) as pool:
            found = pool.map(partial(_if_set, remote, kind), kind.singles)
            return [one for one in found if one is not None]
    if kind.row_fields:
        return [body_of(remote, kind, kind.only_id)]
    return [*remote.list_all(kind.path)]


def _if_set(remote: Reader, kind: Kind, object_id: str) -> Body | None:
    try:
        return body_of(remote, kind, object_id)
    except NotFound:
        return None


def body_of(remote: Reader, kind: Kind, object_id: str) -> Body:
    """One object of a kind.

    Raises:
        NotFound: there is no such object.
    """
    if kind.row_fields:
        return {**_sets(remote.list_all(kind.path, key=None), kind.row_fields, kind.path), kind.id_field: kind.only_id}
    path, below = kind.place(object_id)
    if below is not None:
        return remote.get(path, below)
    body = kind.identified(remote.single(path), object_id)
    # What an object that was never set answers is documented nowhere: 404, or one without what every object has.
    if all(body.get(one.name) is None for one in kind.table if one.required):
        raise NotFound(f"the {kind.noun} is not set", RequestFacts("GET", f"/v1{path}"))
    return body


def _sets(rows: list[dict[str, Json]], names: tuple[str, str], path: str) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = defaultdict(list)
    for row in rows:
        group, member = (row.get(name) for name in names)
        if not isinstance(group, str) or not isinstance(member, str):
            raise BadAnswer(f"a row has no {' or no '.join(names)}", RequestFacts("GET", f"/v1{path}"))
        found[group].append(member)
    return dict(found)
