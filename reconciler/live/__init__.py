"""A remote -> the marketplace of its login, and the complete live state of the kinds in use.

Objects are read first, then related data of some of them: assignments, named secrets, and whether hidden secrets
exist, which only a login reveals.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import field, replace
from datetime import datetime
from functools import partial
from itertools import chain
from threading import Thread
from typing import TypeVar

from reconciler.errors import (
    AccessDenied,
    BadAnswer,
    NoSuchKind,
    NotFound,
    ReconcilerError,
    RequestFacts,
    WrongMarketplace,
)
from reconciler.kinds import KINDS, LOGIN_KIND, Assignments, Kind, NamedSecrets, login_key, naming_roles
from reconciler.model.dataclass import dataclass
from reconciler.model.json import Body, Json
from reconciler.model.named_secret import LiveSecret, moment_of
from reconciler.model.plan import Finding
from reconciler.model.resource import LiveResource, LiveState, ObjectKey, SecretKey
from reconciler.model.secret import Secret
from reconciler.remote import ReadRemote
from reconciler.remote.threads import Threads

_ME = RequestFacts("GET", "/v1/me")


def check_marketplace(remote: ReadRemote, environment: str, marketplace: str | None) -> str:
    """Check the marketplace of the service, before anything else is read or written.

    Raises:
        WrongMarketplace: it is another marketplace than the environment names; None allows any.
    """
    return same_marketplace(identify(remote), environment, marketplace, "the credentials are for", remote.base_url)


def same_marketplace(found: str, environment: str, marketplace: str | None, whose: str, base_url: str) -> str:
    """Return the marketplace that was found.

    Raises:
        WrongMarketplace: it is another than the environment names; `whose` starts that part of the message.
    """
    if marketplace is not None and found.casefold() != marketplace.casefold():
        message = (
            f"environment {environment} is configured for marketplace {marketplace}, but {whose} {found} at {base_url}"
        )
        fix = "correct `marketplace:` or `auth:` of this environment"
        raise WrongMarketplace([Finding("marketplace", message, fix, can_be_acknowledged=False)])
    return found


def identify(remote: ReadRemote) -> str:
    """Read the marketplace from the service, because OrderCloud's tokens have no such claim.

    Raises:
        AccessDenied: the credentials are those of a buyer's or a supplier's user, who may not manage configuration.
        BadAnswer: the response contains no marketplace.
    """
    me = remote.me()
    for party in ("Buyer", "Supplier"):
        if me.get(party) is not None:
            raise AccessDenied(
                f"the credentials act as a {party.lower()}'s user; only seller users may manage configuration",
                _ME,
                hint="use an API client whose default context user is a seller user",
            )
    seller = me.get("Seller")
    marketplace = seller.get("ID") if isinstance(seller, Mapping) else None
    if not isinstance(marketplace, str) or not marketplace:
        raise BadAnswer("no Seller.ID in the response, so the marketplace is unknown", _ME)
    return marketplace


_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Related:
    """Related data to read in addition to the objects."""

    assigned: AbstractSet[ObjectKey] | None = frozenset()
    """The objects whose assignments are read; None: all."""
    secret_owners: Sequence[ObjectKey] = ()
    """The objects whose named secrets are read."""
    is_optional: bool = False
    """Whether the service may lack named secrets; otherwise that is an error."""
    in_doubt: Mapping[ObjectKey, Mapping[SecretKey, Secret | None]] = field(default_factory=dict)
    """Secrets that may exist although the service does not show them, with their desired values, by object."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The live state and the related data that were read."""

    live: LiveState
    """With the requested assignments."""
    secrets: Mapping[ObjectKey, tuple[LiveSecret, ...]]
    """Named secrets by object."""
    hidden: Mapping[SecretKey, bool]
    """The secrets in doubt that exist, and whether a login verified their value."""


def read(  # noqa: PLR0913  # what is checked, and what is read
    remote: ReadRemote,
    environment: str,
    marketplace: str | None,
    kinds: Collection[str],
    *,
    optional: Container[str] = (),
    expected: Container[str] = (),
    related: Callable[[LiveState], Related] = lambda _: Related(),
) -> Reading:
    """Check the marketplace, read as `read_objects` does, and then read the related data of these objects.

    Raises:
        WrongMarketplace: it is another than the environment names; nothing else was read.
        ReconcilerError: this version of the service has no named secrets, and they are not optional.
        RemoteError: a read failed, or a response violates the API.
    """
    make_ready(kinds)
    live = read_objects(remote, kinds, check_marketplace(remote, environment, marketplace), optional, expected)
    return read_related(remote, live, related(live))


def make_ready(kinds: Collection[str]) -> None:
    """Import the checks of bodies in a thread, which takes as long as the first requests."""
    # A daemon, so that exit does not wait for it: it may be blocked by the lock of an interrupted import.
    thread = Thread(target=lambda: [KINDS[name].faults for name in kinds], name="reconciler-kinds", daemon=True)
    with suppress(RuntimeError):  # no more threads can be started: they are imported when needed
        thread.start()


def read_objects(
    remote: ReadRemote,
    kinds: Iterable[str],
    marketplace: str,
    optional: Container[str] = (),
    expected: Container[str] = (),
) -> LiveState:
    """Read all objects of the kinds, in parallel.

    An object with fields of unexpected types is included with its faults; a plan that manages it is refused. A kind in
    `optional` that the service does not have is not among the kinds that were read. For kinds in `expected` and
    `optional`, the service is checked for the kind itself, even if it has no objects of it.

    Raises:
        RemoteError: a read failed, or a response violates the API; nothing can be concluded.
    """
    ordered = sorted(kinds)
    missing: dict[str, RequestFacts] = {}

    def objects(name: str) -> list[LiveResource]:
        try:
            return _objects(remote, KINDS[name])
        except NoSuchKind as error:
            missing[name] = error.request
            return []

    found = _in_parallel(objects, ordered)
    empty = [name for name, ones in zip(ordered, found, strict=True) if not ones]
    missing |= _newer_than(remote, [name for name in empty if name in expected or name in optional])
    needed = sorted(name for name in missing if name not in optional)
    if needed:
        message = f"this service has no {KINDS[needed[0]].noun}s"
        raise NoSuchKind(message, missing[needed[0]], kinds=tuple(needed))
    return LiveState(tuple(chain.from_iterable(found)), marketplace, frozenset(ordered) - missing.keys())


def _newer_than(remote: ReadRemote, names: Sequence[str]) -> Mapping[str, RequestFacts]:
    """The kinds that the service is too old for: unknown kinds and unset singletons both return 404."""
    singles = [KINDS[name] for name in names if KINDS[name].singles]
    version = _api_version(remote) if singles else ()
    return {
        one.name: RequestFacts("GET", f"/v1{one.path}") for one in singles if version and version < _numbers(one.since)
    }


def _api_version(remote: ReadRemote) -> tuple[int, ...]:
    """The API version in the service's OpenAPI document; empty if it has none."""
    try:
        info = remote.single("/openapi/v3").get("info")
    except (NotFound, AccessDenied, BadAnswer):
        return ()
    return _numbers(str(info.get("version"))) if isinstance(info, Mapping) else ()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))


def _objects(remote: ReadRemote, kind: Kind) -> list[LiveResource]:
    facts = RequestFacts("GET", f"/v1{kind.path}")
    with naming_roles(f"reading {kind.noun}s", kind.reading_roles):
        bodies = _all(remote, kind)
    bodies.reverse()
    # Each body is released, so that not all are in memory twice.
    return [kind.seen(bodies.pop(), facts) for _ in range(len(bodies))]


def _all(remote: ReadRemote, kind: Kind) -> list[Body]:
    try:
        return every_body(remote, kind)
    except NotFound as error:
        raise NoSuchKind(f"this service has no {kind.noun}s", error.request, kinds=(kind.name,)) from error


def every_body(remote: ReadRemote, kind: Kind) -> list[Body]:
    """All objects of a kind: in a list, as singletons at their paths, or as the rows of a set.

    A singleton has no ID in its body and gets the one of `Kind.singles`. A set always exists, even if it is empty.
    """
    if kind.singles:
        return [one for one in _in_parallel(partial(_if_set, remote, kind), list(kind.singles)) if one is not None]
    if kind.row_fields:
        return [body_of(remote, kind, kind.only_id)]
    return [*remote.list_all(kind.path)]


def _if_set(remote: ReadRemote, kind: Kind, object_id: str) -> Body | None:
    try:
        return body_of(remote, kind, object_id)
    except NotFound:
        return None


def body_of(remote: ReadRemote, kind: Kind, object_id: str) -> Body:
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
    # The response for an unset singleton is not documented: 404, or a body without the fields that every object has.
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


def read_related(remote: ReadRemote, live: LiveState, wanted: Related) -> Reading:
    """Read the related data of objects.

    Raises:
        ReconcilerError: this version of the service has no named secrets, and they are not optional.
        RemoteError: a read failed, or a response violates the API.
    """
    known = with_assignments(remote, live, wanted.assigned)
    secrets = read_secrets(remote, wanted.secret_owners, is_optional=wanted.is_optional)
    hidden = {
        name: value is not None and remote.proves(key.id, value).accepted
        for key, values in wanted.in_doubt.items()
        if _needs_secret(remote, key)
        for name, value in values.items()
    }
    return Reading(known, secrets, hidden)


def has_hidden_secret(remote: ReadRemote, key: ObjectKey, is_shown: bool) -> bool:  # noqa: FBT001  # bound by partial
    """Whether an object without a shown secret has a secret other than named ones.

    If the service shows secrets of other objects (`is_shown`), null means none. But a run that is logged in with a
    secret of the object knows that it exists.
    """
    if key != login_key(remote.client_id):
        return not is_shown and _needs_secret(remote, key)
    return remote.access().with_secret and not _has_named_secrets(remote, key)


def _needs_secret(remote: ReadRemote, key: ObjectKey) -> bool:
    """Whether logins require a secret other than named ones.

    Logins through an inactive client fail, unless the service checks the secret first: for it, null means none
    (docs/decisions/0009).
    """
    return key.kind == LOGIN_KIND and remote.has_secret(key.id) and not _has_named_secrets(remote, key)


def _has_named_secrets(remote: ReadRemote, key: ObjectKey) -> bool:
    return bool(read_secrets(remote, [key], is_optional=True)[key])


def with_assignments(remote: ReadRemote, live: LiveState, of: AbstractSet[ObjectKey] | None = None) -> LiveState:
    """Read the assignments of these objects, or of all objects of their kinds; others stay unknown.

    Raises:
        RemoteError: a read failed, or a response violates the API.
    """
    there = Counter(one.kind for one in live.resources)
    tables = {kind: table for kind in live.kinds | there.keys() if (table := KINDS[kind].assignments)}
    ids: dict[str, list[str]] = defaultdict(list)
    if of is None:
        ids |= {kind: [] for kind in live.kinds if kind in tables}
    for one in live.resources:
        if one.kind in tables and (of is None or one.key in of):
            ids[one.kind].append(one.id)
    lists = [(kind, path) for kind in sorted(ids) for path in tables[kind].paths]

    def rows(of_list: tuple[str, str]) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
        kind, path = of_list
        return _rows(remote, KINDS[kind], tables[kind], path, ids[kind] if len(ids[kind]) < there[kind] else ())

    unassigned = {kind: {level.name: () for level in tables[kind].levels} for kind in ids}
    found = {ObjectKey(kind, one): dict[str, tuple[str, ...]](unassigned[kind]) for kind in ids for one in ids[kind]}
    for (kind, _), of_objects in zip(lists, _in_parallel(rows, lists), strict=True):
        for object_id, levels in of_objects.items():
            found.get(ObjectKey(kind, object_id), {}).update(levels)
    known = (replace(one, assignments=found[one.key]) if one.key in found else one for one in live.resources)
    return replace(live, resources=tuple(known)) if found else live


def _rows(
    remote: ReadRemote, kind: Kind, assignments: Assignments, path: str, ids: Sequence[str]
) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Object id, case folded -> level -> rows, of one list; for all objects, if no ids are given."""
    level = next(one for one in assignments.levels if one.path == path)
    with naming_roles(f"reading assignments of {kind.noun}s", kind.assignment_reading_roles):
        found = remote.list_all(path, key=None, filters=level.filters(ids))
    try:
        return assignments.of_objects(path, found)
    except LookupError as error:
        raise BadAnswer(f"an assignment has no {error}", RequestFacts("GET", f"/v1{path}")) from None


def _in_parallel(read: Callable[[_T], _R], items: Sequence[_T]) -> list[_R]:
    if len(items) == 1:
        return [read(items[0])]
    with Threads(_AT_A_TIME) as pool:
        return list(pool.map(read, items))


_AT_A_TIME = 8
"""Lists that are read in parallel; the remote limits them further if necessary."""


def read_secrets(
    remote: ReadRemote, objects: Sequence[ObjectKey], *, is_optional: bool = False
) -> dict[ObjectKey, tuple[LiveSecret, ...]]:
    """Read the named secrets of several objects, without values.

    Raises:
        ReconcilerError: this version of the service has no named secrets, and they are not optional.
        RemoteError: a read failed, or a response violates the API.
    """
    read_one = partial(_secrets_of, remote, is_optional)
    return dict(zip(objects, _in_parallel(read_one, objects), strict=True))


def _secrets_of(
    remote: ReadRemote,
    is_optional: bool,  # noqa: FBT001  # bound by partial
    key: ObjectKey,
) -> tuple[LiveSecret, ...]:
    kind = KINDS[key.kind]
    named = kind.named_secrets
    if named is None:
        return ()
    path = named.of(kind.path, key.id)
    facts = RequestFacts("GET", f"/v1{path}")
    try:
        with naming_roles(f"reading secrets of {kind.noun}s", kind.reading_roles):
            bodies = remote.list_all(path)
    except NotFound as error:
        if is_optional:
            return ()
        message = f"{error.message}; named secrets require API 1.0.368"
        raise ReconcilerError(message, hint="remove secrets from the manifests of this environment") from error
    return tuple(live_secret(body, named, facts) for body in bodies)


def live_secret(body: Mapping[str, Json], named: NamedSecrets, facts: RequestFacts) -> LiveSecret:
    """Read one secret as the service shows it.

    Raises:
        BadAnswer: a field has another type than the API documents.
    """
    found, name, expires = body.get("ID"), body.get(named.name_field), body.get(named.expiry_field)
    if not isinstance(found, str) or not isinstance(name, str) or not isinstance(expires, str | None):
        at, until = named.name_field, named.expiry_field
        message = f"expected a secret with strings as ID and {at}, and a string or null as {until}"
        raise BadAnswer(message, facts)
    return LiveSecret(found, name, _moment(expires, named, facts) if expires else None)


def _moment(text: str, named: NamedSecrets, facts: RequestFacts) -> datetime:
    try:
        return moment_of(text)
    except (ValueError, OverflowError):
        raise BadAnswer(f"expected {named.expiry_field} to be a date and time", facts) from None


def unexpected_fields(live: LiveState) -> tuple[str, ...]:
    """A warning for each object with fields of unexpected types; managed ones are refused separately."""
    return tuple(f"{KINDS[one.kind].unexpected_fields(one)}; it is not changed" for one in live.resources if one.faults)
