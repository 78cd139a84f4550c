"""One change -> its outcome: its body or rows, then its assignments and its missing secrets.

An object is created by PUT to the planned ID, or by POST where the service assigns IDs. The documentation of which one
a service supports is contradictory (since 1.0.406 the PUT is "Create or update", and the ID is still read-only), and
the response to a PUT that does not create is undocumented. So after every refusal that cannot have written, the object
is read and then created by POST, unless the configuration sets how the service creates.

A set of rows is written row by row. Each write may be repeated: a row that already exists may return 409, and a deleted
one 404; either means done. Deletions come first: a service that compares members without case would otherwise delete
a new member instead of an old one in another case.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextlib import contextmanager, suppress
from dataclasses import field, replace
from functools import partial
from http import HTTPStatus
from threading import Event, Lock
from typing import Final, TypeAlias
from urllib.parse import quote

from reconciler.applying.task import ALREADY, Conflict, Next, Task, settle, with_hint
from reconciler.errors import AnswerLost, NotFound, ReconcilerError, Rejected, RemoteError, RequestFacts
from reconciler.kinds import Kind, naming_roles
from reconciler.kinds.secrecy import with_secrets
from reconciler.model.dataclass import dataclass
from reconciler.model.json import Body, Json, is_array
from reconciler.model.named_secret import Provided
from reconciler.model.outcome import Outcome, Status, WriteStep
from reconciler.model.plan import Action, AssignmentChange
from reconciler.model.resource import LiveResource, ObjectKey
from reconciler.remote import ReadRemote, at_least

_NOT_BY_PUT: Final = frozenset({403, 404, 405, 409})
_NOT_THIS_ID: Final = frozenset({"ApiClient.InvalidClientID", "Request.InvalidRequestBody"})
_REFUSED: Final = 4
"""First digit of the status of a refusal."""
_MAYBE_NOT_THIS_ID: Final = frozenset({"", "ValidationFailure"})


class _NotByPut(Exception):
    """PUT does not create here, and wrote nothing; `lost` is the preceding write, if any."""

    def __init__(self, lost: AnswerLost | None) -> None:
        super().__init__()
        self.lost = lost


def create(task: Task) -> Outcome:
    """Create the object with the planned ID, or with one assigned by the service.

    Raises:
        Conflict: an object with its ID or name was created since the plan, or the configuration has changed.
        RemoteError: it could not be created, or it is unknown whether it was.
    """
    task.sent.update(task.secrets(None))
    if task.kind.has_chosen_ids:
        return _by_put(task)
    if task.writer.creation == "post":
        return _by_post(task, None)
    if not task.change.id:
        raise Conflict("it was planned with create: post, which the environment no longer sets: plan again")
    try:
        return _by_put(task)
    except _NotByPut as refused:
        return _by_post(task, refused.lost)


def _by_put(task: Task) -> Outcome:
    def step(lost: AnswerLost | None) -> Next:
        live = task.read()
        if live is None:
            return partial(_put, task, lost)
        if not lost and not task.is_done(live):
            raise Conflict("an object with this id was created since the plan was made")
        return task.found(live, lost)

    return settle(step)


def _put(task: Task, lost: AnswerLost | None, attempt: int) -> Outcome:
    try:
        return task.send_put(attempt)
    except RemoteError as error:
        if task.kind.has_chosen_ids:
            raise
        if _does_not_create(error):
            if task.writer.creation == "auto":
                raise _NotByPut(lost) from error
            error.hint = "this service does not create by PUT: set create: auto or create: post for the environment"
        elif _may_be_the_id(error):
            error.hint += "; if the id is refused, set create: post for the environment"
        raise


def _does_not_create(error: RemoteError) -> bool:
    """Whether the PUT or its ID is refused; a 404 may also be about a reference in the body."""
    status, code = error.request.status, error.request.error_code
    if isinstance(error, Rejected) and status == HTTPStatus.NOT_FOUND:
        return False
    return status in _NOT_BY_PUT or (status == HTTPStatus.BAD_REQUEST and code in _NOT_THIS_ID)


def _may_be_the_id(error: RemoteError) -> bool:
    """Whether it is a refusal without a reason, which may be about the ID."""
    is_refused = isinstance(error, Rejected) or (error.request.status or 0) // 100 == _REFUSED
    return is_refused and error.request.error_code in _MAYBE_NOT_THIS_ID


def _by_post(task: Task, lost: AnswerLost | None) -> Outcome:
    """Create exactly once: look for an object with the name before each attempt, regardless of who created it."""
    new_objects, name = task.writer.new_objects, str(task.planned[task.kind.name_field])
    look = new_objects.before_the_run

    def step(lost: AnswerLost | None) -> Next:
        nonlocal look
        found = (new_objects.now if lost else look)(task.kind, name)
        look = new_objects.now
        if not found:
            return lambda attempt: _post_again(task, name, attempt) if lost else _post(task, attempt)
        if len(found) > 1 or not (lost or task.is_done(found[0])):
            raise Conflict(f"objects with this name were created since the plan was made: {_ids(found)}")
        return task.found(found[0], lost)

    return settle(step, lost=lost)


def _post(task: Task, attempt: int) -> Outcome:
    path, remote = task.kind.path, task.writer.remote
    body = with_secrets(task.planned, task.sent)
    answer = task.announced("POST", path, lambda: remote.post(path, body, attempt=attempt))
    outcome = task.verified(answer, "POST")
    return replace(outcome, message="; ".join(filter(None, ["the service assigned its id", outcome.message])))


def _post_again(task: Task, name: str, attempt: int) -> Outcome:
    """Retry after a lost response, and detect a late first write.

    Raises:
        Conflict: both writes were executed: there are two objects.
    """
    outcome = _post(task, attempt)
    found: Sequence[LiveResource] = ()
    with suppress(RemoteError):  # unknown; the next plan reports two of one name
        found = task.writer.new_objects.now(task.kind, name)
    if len(found) > 1:
        conflict = Conflict(f"it was created twice; delete one of them: {_ids(found)}")
        conflict.after_a_write = True
        raise conflict
    return outcome


def _ids(found: Sequence[LiveResource]) -> str:
    return ", ".join(sorted(one.id for one in found))


@dataclass(slots=True)
class NewObjects:
    """Tracks objects created since the plan. Thread-safe."""

    remote: ReadRemote
    known: frozenset[ObjectKey]
    """Objects that were live when the plan was made: this run created none of these."""
    _listed: dict[str, Mapping[Json, Sequence[Body]] | RemoteError] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def before_the_run(self, kind: Kind, name: str) -> list[LiveResource]:
        """New objects with the name, from before the first creation by POST in this run.

        Raises:
            RemoteError: the list could not be read; it is not read again in this run.
        """
        with self._lock:
            if kind.name not in self._listed:
                self._listed[kind.name] = self._read(kind)
            listed = self._listed[kind.name]
        if isinstance(listed, RemoteError):
            raise listed
        return self._new(kind, listed.get(name, ()))

    def now(self, kind: Kind, name: str) -> list[LiveResource]:
        """New objects with the name, from a new read."""
        bodies = self._listing(kind, [{kind.name_field: at_least(name)}])
        return self._new(kind, [body for body in bodies if body.get(kind.name_field) == name])

    def _read(self, kind: Kind) -> Mapping[Json, Sequence[Body]] | RemoteError:
        found: dict[Json, list[Body]] = defaultdict(list)
        try:
            bodies = self._listing(kind)
        except RemoteError as error:
            return error
        for body in bodies:
            name = body.get(kind.name_field)
            if isinstance(name, str):
                found[name].append(body)
        return found

    def _listing(self, kind: Kind, filters: Sequence[Mapping[str, str]] = ()) -> Sequence[Body]:
        with naming_roles(f"reading {kind.noun}s", kind.reading_roles):
            return self.remote.list_all(kind.path, filters=filters)

    def _new(self, kind: Kind, bodies: Sequence[Body]) -> list[LiveResource]:
        facts = RequestFacts("GET", f"/v1{kind.path}")
        found = [kind.live(body, facts) for body in bodies]
        return [one for one in found if one.key not in self.known]


def assign(task: Task, outcome: Outcome) -> Outcome:
    """Assign and then unassign parties, even if the body did not converge.

    The assignments of one list are written concurrently, after those of lists that they may depend on. Each step may be
    repeated: a repeated assignment may return 204 or 409, and deleting a missing one 204 or 404; either means done.
    After a failure no further step is started.
    """
    if not task.change.assignments or not outcome.id:
        return outcome
    try:
        for together in _in_order(task):
            writes = [partial(_assign, task, one, outcome.id) for one in together]
            _side_by_side([partial(task.repeat, one) for one in writes], task)
    except ReconcilerError as error:
        return _partly(outcome, "assignments were written", error, is_written=task.has_written)
    return _changed(outcome)


def _in_order(task: Task) -> Iterator[list[AssignmentChange]]:
    steps = task.change.assignments
    for path in task.kind.assignments.paths if task.kind.assignments else ():
        yield [one for one in steps if one.assign and task.level(one).path == path]
    yield [one for one in steps if not one.assign]


def _side_by_side(writes: Sequence[Callable[[], None]], task: Task) -> None:
    """Run writes in parallel; raise one failure, a lost response first.

    None is started after a failure.
    """
    failed = Event()

    def unless_failed(write: Callable[[], None]) -> None:
        if failed.is_set():
            return
        try:
            write()
        except BaseException:
            failed.set()
            raise

    futures = [task.writer.pool.submit(unless_failed, write) for write in writes]
    wait(futures)
    errors = [error for future in futures if (error := future.exception())]
    if errors:
        raise next((one for one in errors if isinstance(one, AnswerLost)), errors[0])


def _partly(outcome: Outcome, rest: str, error: ReconcilerError, *, is_written: bool) -> Outcome:
    """Report a partial write; `is_written`: part of the change was certainly written."""
    done = "" if outcome.message == ALREADY else "the body was written, but "
    message = f"{done}not all {rest}: {with_hint(error)}"
    lost = AnswerLost in {type(error), type(error.__cause__)}
    return replace(outcome, status=Status.FAILED, message=message, uncertain=lost, partly=is_written)


def _changed(outcome: Outcome) -> Outcome:
    """As before, without "already up to date"."""
    return replace(outcome, message="") if outcome.message == ALREADY else outcome


def provide(task: Task, outcome: Outcome) -> Outcome:
    """Create and deliver missing secrets, after everything else is written."""
    if outcome.status is not Status.APPLIED or not outcome.id or not task.change.new_secrets:
        return outcome
    try:
        provided = task.writer.provide(task.change, outcome.id)
    except ReconcilerError as error:
        provided = Provided("", error)
    if provided.error:
        is_written = task.has_written or provided.has_written
        return _partly(outcome, "secrets were created", provided.error, is_written=is_written)
    return replace(outcome, message="; ".join(filter(None, [_changed(outcome).message, provided.note])))


def _assign(task: Task, step: AssignmentChange, object_id: str, attempt: int) -> None:
    remote, level = task.writer.remote, task.level(step)
    if step.assign:
        body = level.body(object_id, step.id)
        with _unless_there():
            send = partial(remote.post, level.path, body, attempt=attempt)
            task.announced("POST", level.path, send, WriteStep.ASSIGNMENT, step)
    else:
        path, query = level.deleted_by(object_id, step.id)
        with suppress(NotFound):
            delete = partial(remote.delete, path, query=query, attempt=attempt)
            task.announced("DELETE", path, delete, WriteStep.ASSIGNMENT, step)


@contextmanager
def _unless_there() -> Iterator[None]:
    """Add something; a 409 because it already exists also means done."""
    try:
        yield
    except Rejected as error:
        if error.request.status != HTTPStatus.CONFLICT:
            raise


_Row: TypeAlias = tuple[str, str]
"""Field of the set, and the member."""


def _set_rows(task: Task) -> Outcome:
    """Add and delete rows as planned, if the set is still as it was when planned."""
    live = _there(task)
    if task.is_done(live):
        return task.found(live, None)
    task.require_unchanged(live)
    task.before = live
    before, after = (frozenset(_rows(task.kind, body)) for body in (live.body, task.planned))
    for row in sorted(before - after):
        task.repeat(partial(_delete_row, task, row))
    for row in sorted(after - before):
        task.repeat(partial(_add_row, task, row))
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


def _add_row(task: Task, row: _Row, attempt: int) -> None:
    body: Body = dict(zip(task.kind.row_fields or (), row, strict=True))
    path, remote = task.kind.path, task.writer.remote
    with _unless_there():
        task.announced("PUT", path, lambda: remote.put(path, None, body, attempt=attempt))


def _delete_row(task: Task, row: _Row, attempt: int) -> None:
    group, member = row
    path, remote = f"{task.kind.path}/{group}", task.writer.remote
    send = partial(remote.delete, path, member, attempt=attempt)
    with suppress(NotFound):
        task.announced("DELETE", f"{path}/{quote(member, safe='')}", send)


def write(task: Task) -> Outcome:
    """Write one change; return its outcome. Never raises: errors are in the outcome."""
    change = task.change
    try:
        return provide(task, assign(task, _body(task)))
    except Conflict as conflict:
        return Outcome(change, Status.CONFLICT, str(conflict), change.id, uncertain=conflict.after_a_write)
    except ReconcilerError as error:
        lost = isinstance(error, AnswerLost)
        partly = task.has_written and not lost
        message = f"{'partly written: ' if partly else ''}{with_hint(error)}"
        return Outcome(change, Status.FAILED, message, change.id, uncertain=lost, partly=partly)
    except Exception as error:  # noqa: BLE001  # an internal error in one change must not lose the record of the rest
        message = f"internal error ({type(error).__name__}); please report it"
        return Outcome(change, Status.FAILED, message, change.id, uncertain=True)


def _body(task: Task) -> Outcome:
    if task.kind.row_fields:
        return _set_rows(task)
    if task.change.action is Action.CREATE:
        return create(task)
    return task.delete() if task.change.action is Action.DELETE else task.update()
