"""A set of rows as it is and as it is planned -> a write for each row that comes or goes.

Each may be repeated: a row that is there already may answer 409, and one that is gone 404; either means done. Deletions
come first: a service that compares members without case would delete a new one for an old one of another case.
"""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import TypeAlias
from urllib.parse import quote

from reconciler.applying.settle import Conflict
from reconciler.applying.task import Task
from reconciler.errors import NotFound, Rejected
from reconciler.kinds import Kind
from reconciler.model.json import Body, is_array
from reconciler.model.outcome import Outcome, Step, Write
from reconciler.model.resource import LiveResource

_Row: TypeAlias = tuple[str, str]
"""The field of the set that a row is in, and its member."""


def set_rows(task: Task) -> Outcome:
    """Add and delete the rows in which the set differs from the plan, if it is what the plan saw."""
    live = _there(task)
    if task.is_done(live):
        return task.found(live, None)
    task.demand_unmoved(live)
    task.before = live
    before, after = (frozenset(_rows(task.kind, body)) for body in (live.body, task.planned))
    for row in sorted(before - after):
        task.repeat(partial(_delete, task, row))
    for row in sorted(after - before):
        task.repeat(partial(_add, task, row))
    return task.compared(_there(task))


def _there(task: Task) -> LiveResource:
    live = task.read()
    if live is None:
        raise Conflict(f"this service has no {task.kind.noun}")
    return live


def _rows(kind: Kind, body: Body) -> Iterator[_Row]:
    for group in kind.fields:
        members = body.get(group)
        yield from ((group, str(member)) for member in (members if is_array(members) else ()))


def _add(task: Task, row: _Row, attempt: int) -> None:
    body: Body = dict(zip(task.kind.row_fields or (), row, strict=True))
    path, remote = task.kind.path, task.writer.remote
    try:
        task.announced(
            Write(task.change, Step.BODY, "PUT", path), lambda: remote.put(path, None, body, attempt=attempt)
        )
    except Rejected as error:
        if error.request.status != HTTPStatus.CONFLICT:
            raise


def _delete(task: Task, row: _Row, attempt: int) -> None:
    group, member = row
    path, remote = f"{task.kind.path}/{group}", task.writer.remote
    intent = Write(task.change, Step.BODY, "DELETE", f"{path}/{quote(member, safe='')}")
    with suppress(NotFound):
        task.announced(intent, lambda: remote.delete(path, member, attempt=attempt))
