"""A remote -> LiveState: who we are, then every object of every kind, complete or not at all."""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import replace

from reconciler.errors import AccessDenied, BadAnswer, RequestFacts
from reconciler.kinds import Assignments, Kind
from reconciler.model.json import Body
from reconciler.model.resource import LiveResource, LiveState
from reconciler.remote.protocol import ReadRemote

_ME = RequestFacts("GET", "/v1/me")


def identify(remote: ReadRemote) -> str:
    """Ask the service which marketplace it is; a token does not say (OrderCloud's tokens carry no such claim).

    Raises:
        AccessDenied: the credentials are those of a buyer's or a supplier's user, who may not manage API clients.
        BadAnswer: the answer names no marketplace.
    """
    me = remote.me()
    for party in ("Buyer", "Supplier"):
        if me.get(party) is not None:
            raise AccessDenied(
                f"the credentials act as a {party.lower()}'s user; only seller users may manage API clients",
                _ME,
                hint="use an API client whose default context user is a seller user",
            )
    seller = me.get("Seller")
    marketplace = seller.get("ID") if isinstance(seller, Mapping) else None
    if not isinstance(marketplace, str) or not marketplace:
        raise BadAnswer("no Seller.ID in the answer, so nobody knows which marketplace this is", _ME)
    return marketplace


def read(remote: ReadRemote, kinds: Iterable[Kind], marketplace: str, assigned: Container[str] = ()) -> LiveState:
    """Read every object of the kinds, and for the kinds named in `assigned` the parties assigned to each.

    Raises:
        RemoteError: a read failed, or gave something that the API does not promise; nothing can be concluded.
    """
    resources = [resource for kind in kinds for resource in _objects(remote, kind, with_parties=kind.name in assigned)]
    return LiveState(tuple(resources), marketplace)


def _objects(remote: ReadRemote, kind: Kind, *, with_parties: bool) -> Iterator[LiveResource]:
    facts = RequestFacts("GET", f"/v1{kind.path}")
    bodies = remote.list_all(kind.path)
    if not with_parties or kind.assignments is None:
        yield from (kind.live(body, facts) for body in bodies)
        return
    parties = _assigned(remote.list_all(kind.assignments.path, key=None), kind.assignments)
    nobody = {party.name: () for party in kind.assignments.parties}
    for body in bodies:
        live = kind.live(body, facts)
        yield replace(live, assignments={**nobody, **parties.get(live.id.casefold(), {})})


def _assigned(rows: Iterable[Body], assignments: Assignments) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Object id, case folded -> party -> ids. A row has the id of one party, and null for the others.

    Raises:
        BadAnswer: a row names no object.
    """
    found: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for row in rows:
        object_id = row.get(assignments.object_field)
        if not isinstance(object_id, str):
            facts = RequestFacts("GET", f"/v1{assignments.path}")
            raise BadAnswer(f"an assignment has no {assignments.object_field}", facts)
        of_object = found[object_id.casefold()]
        for party in assignments.parties:
            party_id = row.get(party.field)
            if isinstance(party_id, str):
                of_object[party.name] = (*of_object.get(party.name, ()), party_id)
    return found
