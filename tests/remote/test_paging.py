"""Lists: all items or an error, in few requests, whatever moves meanwhile."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.errors import BadAnswer, RemoteError
from reconciler.remote.client import ReadClient
from tests.remote.service import Service, html, ok, refusal

Body = dict[str, Any]


def clients(count: int) -> list[Body]:
    return [{"ID": f"id-{number:05}", "AppName": f"app {number}"} for number in range(count)]


@dataclass
class ListServer:
    """Pages as OrderCloud makes them: sorted where asked to, the last-ID filter, at most `largest` items each."""

    items: list[Body]
    largest: int = 100
    queries: list[dict[str, str]] = field(default_factory=list)
    before: Callable[["ListServer"], None] = lambda _: None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        self.queries.append(query)
        self.before(self)
        return ok(self.page(query))

    def page(self, query: dict[str, str]) -> Body:
        after = query.get("ID", "").removeprefix(">")
        rows = [item for item in self.items if item.get("ID", "~") > after]
        if "sortBy" in query:
            rows.sort(key=lambda item: item[query["sortBy"]])
        number, size = int(query["page"]), min(int(query["pageSize"]), self.largest)
        meta = {"Page": number, "PageSize": size, "TotalCount": len(rows), "TotalPages": -(-len(rows) // size)}
        return {"Meta": meta, "Items": rows[(number - 1) * size : number * size]}


def read(answer: Callable[[httpx.Request], httpx.Response], key: str | None = "ID", **settings: Any) -> list[Any]:
    with Service(answer).reader(**settings) as client:
        return client.list_all("/apiclients", key=key)


def ids(items: Iterable[Body]) -> list[str]:
    return [item["ID"] for item in items]


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 200, 350, 2999, 3000, 3001])
def test_every_item_comes_once_and_in_order_with_the_fewest_requests(count: int) -> None:
    server = ListServer(clients(count)[::-1])
    assert ids(read(server)) == ids(clients(count))
    assert len(server.queries) == max(1, -(-count // 100))


def test_pages_are_asked_for_large_and_sorted() -> None:
    server = ListServer(clients(150))
    read(server)
    assert server.queries == [{"page": page, "pageSize": "100", "sortBy": "ID"} for page in ("1", "2")]


@dataclass
class Owned(ListServer):
    """Rows without IDs that can be filtered by owner, unless the service knows no such filter."""

    is_filtered: bool = True

    def page(self, query: dict[str, str]) -> Body:
        owned = [row for row in self.items if row["Owner"] == query.get("owner", row["Owner"]) or not self.is_filtered]
        return ListServer(owned).page(query)


@pytest.mark.parametrize("is_filtered", [True, False])
@pytest.mark.parametrize(
    ("rows", "owners", "requests"), [(300, 1, 1), (300, 2, 3), (301, 2, 3), (900, 3, 4), (0, 2, 1)]
)
def test_a_list_is_filtered_where_that_takes_fewer_requests(
    rows: int, owners: int, requests: int, *, is_filtered: bool
) -> None:
    server = Owned([{"Owner": f"{n % 30}", "Row": n} for n in range(rows)], is_filtered=is_filtered)
    wanted = [f"{n}" for n in range(owners)]
    with Service(server).reader() as client:
        found = client.list_all("/rows", key=None, filters=[{"owner": one} for one in wanted])
    mine = [row for row in found if row["Owner"] in wanted]
    assert sorted(mine, key=server.items.index) == [row for row in server.items if row["Owner"] in wanted]
    assert len(server.queries) == requests or not is_filtered


@pytest.mark.parametrize("largest", [1, 7, 20])
def test_smaller_pages_than_asked_for_are_followed(largest: int) -> None:
    server = ListServer(clients(65), largest)
    assert len(read(server)) == 65
    assert len(server.queries) == -(-65 // largest)


def test_beyond_page_thirty_it_goes_on_by_the_last_id() -> None:
    server = ListServer(clients(65), largest=1)
    read(server, concurrency=1)
    asked = [(query["page"], query.get("ID")) for query in server.queries]
    assert asked[29:31] == [("30", None), ("1", ">id-00029")]
    assert asked[59:62] == [("30", ">id-00029"), ("1", ">id-00059"), ("2", ">id-00059")]


def test_the_filter_is_percent_encoded() -> None:
    service = Service(ListServer([{"ID": f"a&b=c{number:03}"} for number in range(31)], largest=1))
    with service.reader() as client:
        client.list_all("/apiclients")
    assert service.requests[-1].url.query == b"page=1&pageSize=100&sortBy=ID&ID=%3Ea%26b%3Dc029"


def test_rows_without_an_id_are_neither_sorted_nor_filtered() -> None:
    rows: list[Body] = [{"ApiClientID": f"c{number}", "BuyerID": "b", "SupplierID": None} for number in range(65)]
    server = ListServer(rows, largest=2)
    assert read(server, key=None) == rows
    assert {tuple(query) for query in server.queries} == {("page", "pageSize")}
    assert max(int(query["page"]) for query in server.queries) == 33


def test_no_more_requests_are_on_their_way_than_allowed() -> None:
    server = ListServer(clients(60), largest=2)
    busy: list[int] = []
    peak: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        busy.append(1)
        peak.append(len(busy))
        response = server(request)
        busy.pop()
        return response

    read(answer, concurrency=3)
    assert max(peak) <= 3


def changing(*changes: Callable[[list[Body]], None], every: int) -> Callable[[ListServer], None]:
    left = list(changes)

    def before(server: ListServer) -> None:
        if left and len(server.queries) % every == 0:
            left.pop(0)(server.items)

    return before


@pytest.mark.parametrize(
    "change",
    [lambda items: items.pop(0), lambda items: items.append({"ID": "zz"}), lambda items: items.pop(), list.clear],
)
def test_a_list_that_changed_while_it_was_read_is_read_again(change: Callable[[list[Body]], None]) -> None:
    server = ListServer(clients(30), largest=10, before=changing(change, every=2))
    assert ids(read(server, concurrency=1)) == sorted(ids(server.items))
    assert len(server.queries) > 3


def test_a_list_that_never_holds_still_is_given_up_after_four_readings() -> None:
    server = ListServer(
        clients(30), largest=10, before=lambda server: server.items.append({"ID": f"zz{len(server.queries)}"})
    )
    with pytest.raises(BadAnswer, match=r"keeps changing while it is read \(the total changed from") as caught:
        read(server, concurrency=1)
    assert [query["page"] for query in server.queries].count("1") == 4
    assert "try again" in caught.value.hint


def spoilt(spoil: Callable[[Body], object], *, page: str = "2") -> Callable[[httpx.Request], httpx.Response]:
    """A list of three pages, one of which is always spoilt."""
    server = ListServer(clients(25), largest=10)

    def answer(request: httpx.Request) -> httpx.Response:
        body = server.page(dict(request.url.params))
        if request.url.params["page"] == page:
            spoil(body)
        return ok(body)

    return answer


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda body: body["Items"].pop(), "page 2 has 9 items, expected 10"),
        (lambda body: body["Items"].append({"ID": "more"}), "page 2 has 11 items"),
        (lambda body: body["Items"].__setitem__(0, {"ID": "ID-00003"}), "an item occurs twice"),
        (lambda body: body["Meta"].update(TotalCount=24), "the total changed from 25 to 24"),
        (lambda body: body["Meta"].update(PageSize=11), "the page size changed from 10 to 11"),
        (lambda body: body["Meta"].update(Page=1), "expected page 2 and found page 1"),
        (lambda body: body["Meta"].update(TotalPages=1), "expected Meta.TotalPages to agree"),
        (lambda body: body["Meta"].pop("Page"), "expected Meta.Page to be a whole number"),
        (lambda body: body["Meta"].update(PageSize=0), "expected Meta.PageSize to be a whole number of at least 1"),
        (lambda body: body["Meta"].update(TotalCount=-1), "expected Meta.TotalCount"),
        (lambda body: body["Meta"].update(TotalCount=True), "expected Meta.TotalCount"),
        (lambda body: body["Meta"].update(TotalCount="25"), "expected Meta.TotalCount"),
        (lambda body: body.update(Items=None), "expected Items to be an array and found null"),
        (lambda body: body.update(Items={"0": {}}), "expected Items to be an array and found an object"),
        (lambda body: body.pop("Meta"), "expected Meta to be an object and found null"),
        (lambda body: body["Items"].__setitem__(0, "canary"), "expected items to be objects and found a string"),
        (lambda body: body["Items"].__setitem__(0, {"AppName": "canary"}), "string ID and found none"),
        (lambda body: body["Items"].__setitem__(0, {"ID": 5}), "string ID and found a number"),
        (lambda body: body["Items"].__setitem__(0, {"ID": ""}), "string ID and found none"),
    ],
)
def test_what_does_not_add_up_is_an_error_and_never_half_a_list(spoil: Callable[[Body], object], words: str) -> None:
    with pytest.raises(BadAnswer, match=words) as caught:
        read(spoilt(spoil))
    assert "canary" not in str(caught.value)


def test_a_total_that_moves_between_two_windows_is_noticed() -> None:
    def lose_some(server: ListServer) -> None:
        if "ID" in server.queries[-1]:
            server.items.pop()

    with pytest.raises(BadAnswer, match="the total changed from"):
        read(ListServer(clients(65), largest=1, before=lose_some), concurrency=1)


@pytest.mark.parametrize("pages", [0, 1])
def test_an_empty_list_may_be_said_to_have_one_page_or_none(pages: int) -> None:
    meta = {"Page": 1, "PageSize": 100, "TotalCount": 0, "TotalPages": pages}
    assert read(lambda _: ok({"Meta": meta, "Items": []})) == []


def test_rows_without_an_id_that_repeat_are_noticed() -> None:
    rows: list[Body] = [{"ApiClientID": "c", "BuyerID": "b"}] * 2
    with pytest.raises(BadAnswer, match="occurs twice"):
        read(ListServer(rows), key=None)


@pytest.mark.parametrize("total", [10**12, 10**400], ids=["large", "beyond floats"])
def test_a_server_that_counts_wrong_is_not_believed(total: int) -> None:
    server = ListServer(clients(5))

    def answer(request: httpx.Request) -> httpx.Response:
        body = server.page(dict(request.url.params))
        body["Meta"] |= {"TotalCount": total, "TotalPages": total // 100}
        return ok(body)

    with pytest.raises(BadAnswer, match="page 1 has 5 items, expected 100"):
        read(answer)


def test_a_failed_page_fails_the_list() -> None:
    server = ListServer(clients(25), largest=10)

    def answer(request: httpx.Request) -> httpx.Response:
        return refusal(500, "ServerError") if request.url.params["page"] == "3" else server(request)

    with pytest.raises(RemoteError, match=r"/v1/apiclients\?page=3, answered 500, ServerError"):
        read(answer)


SPOILS: dict[str, Callable[[Body], object]] = {
    "short": lambda body: body["Items"] and body["Items"].pop(),
    "empty": lambda body: body.update(Items=[]),
    "twice": lambda body: body["Items"] and body["Items"].append(body["Items"][0]),
    "other item": lambda body: body["Items"] and body["Items"].__setitem__(-1, {"ID": "id-00000"}),
    "fewer": lambda body: body["Meta"].update(TotalCount=body["Meta"]["TotalCount"] // 2),
    "more": lambda body: body["Meta"].update(TotalCount=body["Meta"]["TotalCount"] + 1),
    "page size": lambda body: body["Meta"].update(PageSize=body["Meta"]["PageSize"] + 1),
    "page": lambda body: body["Meta"].update(Page=body["Meta"]["Page"] % 3 + 1),
}
ANSWERS: dict[str, Callable[[Body], httpx.Response]] = {
    "429": lambda _: refusal(429, "TooMany"),
    "503": lambda _: refusal(503, "Api.Offline"),
    "500": lambda _: refusal(500, "ServerError"),
    "401": lambda _: refusal(401, "InvalidToken"),
    "404": lambda _: html(404),
    "html": lambda _: html(200),
    "cut": lambda body: httpx.Response(200, content=ok(body).content[:-7]),
    "mark": lambda body: httpx.Response(200, content=b"\xef\xbb\xbf" + ok(body).content),
}
FAULTS = st.sampled_from(["none", "none", "none", "lost", "gone", *SPOILS, *ANSWERS])


@dataclass
class FaultyServer:
    """A list whose answers to the first requests for each page are spoilt as planned."""

    server: ListServer
    plan: dict[tuple[str, int], str]
    seen: dict[str, int] = field(default_factory=dict)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        page = f"{request.url.params['page']}{request.url.params.get('ID', '')}"
        self.seen[page] = self.seen.get(page, 0) + 1
        fault = self.plan.get((request.url.params["page"], self.seen[page]), "none")
        if fault == "lost":
            raise httpx.RemoteProtocolError("gone")
        if fault == "gone":
            raise ConnectionResetError("gone")
        body = self.server.page(dict(request.url.params))
        SPOILS.get(fault, bool)(body)
        return ANSWERS.get(fault, ok)(body)


def all_or_error(client: ReadClient) -> list[str] | None:
    try:
        return ids(client.list_all("/apiclients"))
    except RemoteError:
        return None


PLANS = st.dictionaries(st.tuples(st.sampled_from("123"), st.integers(1, 5)), FAULTS, max_size=8)


@example(count=20, largest=10, plan={("1", 1): "fewer"}, at_a_time=1)  # page 1 is full, and says that it is all
@given(
    count=st.integers(2, 34), largest=st.sampled_from([1, 4, 10, 100]), plan=PLANS, at_a_time=st.sampled_from([1, 4])
)
def test_no_faults_on_any_pages_ever_make_an_incomplete_list(
    count: int, largest: int, plan: dict[tuple[str, int], str], at_a_time: int
) -> None:
    service = Service(FaultyServer(ListServer(clients(count), largest), plan))
    with service.reader(concurrency=at_a_time) as client:
        assert all_or_error(client) in (ids(clients(count)), None)
