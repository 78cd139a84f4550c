"""Lists: paging, filters, sorting, searching, and their errors."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.emulator import ADMIN_CLIENT_ID
from reconciler.emulator.errors import ApiError
from reconciler.emulator.fields import Field
from reconciler.emulator.lists import Listable, compile_filter, page_of, parse_query

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from reconciler.emulator import Emulator

COLOURS = ["red", "green", "blue"]
CLIENTS: list[dict[str, Any]] = [
    {"ID": str(UUID(int=number * 7919)), "AppName": f"{COLOURS[number % 3]} app {number}", "Active": number % 2 == 0}
    | {"AccessTokenDuration": number * 10, "MaximumGrantedRoles": ["Shopper"] if number == 7 else []}
    | {"DefaultContextUserName": "reader" if number > 40 else None}
    for number in range(1, 46)
]
PATH = "/v1/apiclients"


@pytest.fixture
def admin(emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]) -> httpx.Client:
    """The administrator of 46 clients, including the administration client."""
    return login(emulate({"ApiClients": CLIENTS}))


def names(answer: httpx.Response) -> list[str]:
    return [item["AppName"] for item in answer.json()["Items"]]


def found(admin: httpx.Client, **filters: object) -> list[int]:
    answer = admin.get(PATH, params={"pageSize": "100", **{name: str(text) for name, text in filters.items()}})
    assert answer.status_code == 200
    return sorted(int(name.split()[-1]) for name in names(answer) if name[-1].isdigit())


def test_a_page_has_twenty_items_by_default(admin: httpx.Client) -> None:
    first = admin.get(PATH).json()
    assert len(first["Items"]) == 20
    meta = {"Page": 1, "PageSize": 20, "TotalCount": 46, "TotalPages": 3, "ItemRange": [1, 20], "NextPageKey": None}
    assert first["Meta"] == meta
    assert admin.get(PATH, params={"page": 3}).json()["Meta"]["ItemRange"] == [41, 46]
    assert admin.get(PATH, params={"page": 1, "pageSize": 100}).json()["Meta"]["TotalPages"] == 1


def test_a_page_beyond_the_end_is_empty_even_beyond_thirty(admin: httpx.Client) -> None:
    assert len(admin.get(PATH, params={"page": 46, "pageSize": 1}).json()["Items"]) == 1
    assert admin.get(PATH, params={"page": 47, "pageSize": 1}).json()["Items"] == []


def test_the_pages_contain_every_client_once_and_unsorted(admin: httpx.Client) -> None:
    ids = [item["ID"] for page in (1, 2, 3) for item in admin.get(PATH, params={"page": page}).json()["Items"]]
    assert len(set(ids)) == 46
    assert ids != sorted(ids)
    assert ids != [*(client["ID"].upper() for client in CLIENTS), ADMIN_CLIENT_ID]


def test_the_order_does_not_depend_on_the_order_of_creation(
    emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]
) -> None:
    one, other = (login(emulate({"ApiClients": clients})) for clients in (CLIENTS, CLIENTS[::-1]))
    assert names(one.get(PATH)) == names(other.get(PATH))


def test_the_page_size_can_be_limited_below_the_requested_one(
    emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]
) -> None:
    admin = login(emulate(max_page_size=3))
    meta = admin.get(PATH, params={"pageSize": 100}).json()["Meta"]
    assert (meta["PageSize"], meta["TotalPages"]) == (3, 1)
    assert admin.get("/v1/buyers").json()["Meta"]["PageSize"] == 3


def test_paging_by_the_last_id_reaches_every_client(admin: httpx.Client) -> None:
    seen: list[str] = [""]
    while items := admin.get(PATH, params={"pageSize": 10, "sortBy": "ID", "ID": ">" + seen[-1]}).json()["Items"]:
        seen.extend(item["ID"] for item in items)
    assert len(seen) == 47
    assert seen == sorted(seen)


def test_sorting_takes_several_fields_and_directions(admin: httpx.Client) -> None:
    items = admin.get(PATH, params={"pageSize": 100, "sortBy": "!DefaultContextUserName,appname"}).json()["Items"]
    pairs = [(item["DefaultContextUserName"], item["AppName"].lower()) for item in items]
    assert pairs[0][0] == "reader"
    assert pairs[-1][0] is None
    assert [name for user, name in pairs if user is None] == sorted(name for user, name in pairs if user is None)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"AppName": "red app 3"}, [3]),
        ({"AppName": "RED APP 3"}, [3]),
        ({"appname": "red app 3"}, [3]),
        ({"AppName": "app 3"}, []),
        ({"AppName": "*app 3"}, [3]),
        ({"AppName": "r*3*"}, [3, 30, 33, 36, 39]),
        ({"AppName": "red app 3|blue app 5"}, [3, 5]),
        ({"AppName": "!*app*"}, []),
        ({"AccessTokenDuration": "30"}, [3]),
        ({"AccessTokenDuration": ">420"}, [43, 44, 45]),
        ({"AccessTokenDuration": "!<430"}, [43, 44, 45]),
        ({"AccessTokenDuration": "<30"}, [1, 2]),
        ({"AccessTokenDuration": "!>20"}, [1, 2]),
        ({"AccessTokenDuration": "10|20"}, [1, 2]),
        ({"Active": "true", "AccessTokenDuration": "<50"}, [2, 4]),
        ({"Active": "!true", "AccessTokenDuration": "<50"}, [1, 3]),
        ({"DefaultContextUserName": "READER"}, [41, 42, 43, 44, 45]),
        ({"DefaultContextUserName": "*", "AccessTokenDuration": "<420"}, [41]),
        ({"DefaultContextUserName": "!*", "AccessTokenDuration": ">390"}, [40]),
        ({"DefaultContextUserName": "!reader", "AccessTokenDuration": ">390"}, [40]),
        ({"MaximumGrantedRoles": "Shopper"}, [7]),
        ({"MaximumGrantedRoles": "*"}, [7]),
        ({"AssignedBuyerCount": ">0"}, []),
        ({"AssignedBuyerCount": "0", "AccessTokenDuration": "10"}, [1]),
        ({"search": "app RED 3", "searchOn": "AppName"}, [3, 30, 33, 36, 39]),
        ({"search": "red", "searchOn": "ID"}, []),
        ({"search": "reader", "searchOn": "appname,DefaultContextUserName"}, [41, 42, 43, 44, 45]),
        ({"ID": CLIENTS[4]["ID"].upper()}, [5]),
        ({"pageKey": "anything", "AppName": "red app 3"}, [3]),
    ],
)
def test_a_filter_finds(admin: httpx.Client, filters: dict[str, str], expected: list[int]) -> None:
    assert found(admin, **filters) == expected


def test_fields_to_search_on_may_be_repeated(admin: httpx.Client) -> None:
    answer = admin.get(PATH, params={"search": "reader", "searchOn": ["AppName", "DefaultContextUserName"]})
    assert answer.json()["Meta"]["TotalCount"] == 5


def test_repeated_filters_are_combined_with_and(admin: httpx.Client) -> None:
    answer = admin.get(PATH + "?AccessTokenDuration=>20&AccessTokenDuration=<50&pageSize=100")
    assert sorted(names(answer)) == ["green app 4", "red app 3"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("pageSize=101", "List.InvalidPageSize"),
        ("pageSize=0", "List.InvalidPageSize"),
        ("pageSize=ten", "List.InvalidPageSize"),
        ("page=0", "List.InvalidType"),
        ("page=-1", "List.InvalidType"),
        ("page=99999999999", "List.InvalidType"),
        ("Bogus=1", "List.InvalidProperty"),
        ("xp.a=1", "List.InvalidProperty"),
        ("sortBy=Active", "List.InvalidSortProperty"),
        ("sortBy=ID,", "List.InvalidSortProperty"),
        ("search=a&searchOn=xp", "List.InvalidSearchProperty"),
        ("searchOn=xp&searchOn=ID", "List.InvalidSearchProperty"),
        ("sortBy=", "List.InvalidSortProperty"),
        ("Active=maybe", "List.InvalidType"),
        ("AccessTokenDuration=>x", "List.InvalidType"),
        ("AccessTokenDuration=", "List.InvalidType"),
    ],
)
def test_an_invalid_parameter_is_rejected(admin: httpx.Client, query: str, code: str) -> None:
    answer = admin.get(f"{PATH}?{query}")
    assert (answer.status_code, [error["ErrorCode"] for error in answer.json()["Errors"]]) == (400, [code])


def test_a_date_is_compared_as_a_date(admin: httpx.Client) -> None:
    secrets = f"{PATH}/{CLIENTS[0]['ID']}/secrets"
    for month in ("01", "06"):
        admin.post(secrets, json={"Name": month, "Expiration": f"2027-{month}-01T00:00:00Z"})
    later = admin.get(secrets, params={"Expiration": ">2027-03-01T00:00:00+02:00"}).json()["Items"]
    assert [item["Name"] for item in later] == ["06"]
    assert admin.get(secrets, params={"Expiration": "tomorrow"}).status_code == 400


@given(value=st.text(max_size=20))
def test_a_string_matches_itself_unless_it_has_operators(value: str) -> None:
    plain = not any(sign in value for sign in "*|!<>") and value.lower() == value
    assert not plain or compile_filter(Field("AppName"), value)(value)


@given(value=st.integers(-1000, 1000), limit=st.integers(-1000, 1000))
def test_comparisons_of_numbers_agree_with_arithmetic(value: int, limit: int) -> None:
    field = Field("AccessTokenDuration", "integer")
    tests = {sign: compile_filter(field, f"{sign}{limit}")(value) for sign in ("<", ">", "!<", "!>")}
    assert tests == {"<": value < limit, ">": value > limit, "!<": value >= limit, "!>": value <= limit}


@given(text=st.text(max_size=20), kind=st.sampled_from(["string", "integer", "boolean", "datetime", "xp", "roles"]))
def test_a_filter_is_parsed_or_rejected_but_never_crashes(text: str, kind: Any) -> None:
    with contextlib.suppress(ApiError):
        assert compile_filter(Field("Any", kind), text)(None) in (True, False)


@given(size=st.integers(1, 100), count=st.integers(0, 300), cap=st.none() | st.integers(1, 150))
def test_pages_of_any_size_add_up(size: int, count: int, cap: int | None) -> None:
    bodies = [{"ID": str(number)} for number in range(count)]
    listable = Listable((Field("ID"),))
    queries = [
        parse_query([("page", str(page)), ("pageSize", str(size))], listable, cap) for page in range(1, count + 2)
    ]
    pages = [page_of(query, bodies, lambda body: body) for query in queries]
    assert [item for page in pages for item in page["Items"]] == bodies
    assert {page["Meta"]["TotalCount"] for page in pages} == {count}
    assert sum(bool(page["Items"]) for page in pages) == pages[0]["Meta"]["TotalPages"]
