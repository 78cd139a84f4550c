"""Arbitrary requests are rejected or executed, but never crash; and GET returns what was put."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.emulator import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET, Emulator, Settings
from reconciler.emulator.rows import kinds_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENT = kinds_of("current")["ApiClient"]
WRITABLE = [field.name for field in CLIENT.fields if not field.read_only]
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
LIKELY = st.sampled_from(
    ["", "A", "Shopper", "2030-01-01", "0001-01-01T00:00:00+10:00", ADMIN_CLIENT_ID, True, 60, 10080]
)
ROWS = {row.kind: row for row in rows_of("current")}
PATHS = {kind: row.path.replace("{parent}", "one") for kind, row in ROWS.items() if not row.singleton} | {
    "ApiClientSecret": f"/v1/apiclients/{ADMIN_CLIENT_ID}/secrets",
}
FIELDS = {kind: [field.name for field in row.fields] for kind, row in ROWS.items()}


@pytest.fixture(scope="module")
def admin() -> Iterator[httpx.Client]:
    """One administrator for all examples, which must not depend on leftovers of others."""
    with httpx.Client(transport=httpx.WSGITransport(app=Emulator(Settings())), base_url="http://emulator") as client:
        form = {"client_id": ADMIN_CLIENT_ID, "client_secret": ADMIN_CLIENT_SECRET, "grant_type": "client_credentials"}
        client.headers["Authorization"] = "Bearer " + client.post("/oauth/token", data=form).json()["access_token"]
        client.put("/v1/buyers/one", json={"Name": "One"})
        client.put("/v1/suppliers/one", json={"Name": "One"})
        yield client


@pytest.mark.sample(2)
@pytest.mark.sample(6)
@given(data=st.data())
@pytest.mark.parametrize("kind", sorted(PATHS))
def test_no_body_crashes_the_emulator(admin: httpx.Client, kind: str, data: st.DataObject) -> None:
    keys = st.sampled_from(["ID", *FIELDS[kind]]) | st.text(max_size=4)
    body = data.draw(st.dictionaries(keys, VALUES | LIKELY, max_size=6))
    answers = [admin.post(PATHS[kind], json=body), admin.put(f"{PATHS[kind]}/fuzz", json=body)]
    answers.append(admin.patch(f"{PATHS[kind]}/fuzz", json=body))
    assert {answer.status_code for answer in answers} <= {200, 201, 400, 404, 405, 409}


@given(
    name=st.sampled_from(["page", "pageSize", "sortBy", "search", "searchOn", *WRITABLE]) | st.text(max_size=6),
    text=st.text(max_size=12) | st.sampled_from(["!*", "*", ">5", "!<2020-01-01", "true|false", "!ID,AppName"]),
    kind=st.sampled_from(sorted(PATHS)),
)
def test_no_query_crashes_the_emulator(admin: httpx.Client, name: str, text: str, kind: str) -> None:
    answer = admin.get(f"{PATHS[kind]}?{quote(name)}={quote(text)}")
    assert answer.status_code in {200, 400}


@given(
    form=st.dictionaries(st.sampled_from(["client_id", "client_secret", "username", "password", "scope"]), st.text())
)
@pytest.mark.parametrize("grant", ["client_credentials", "password", "refresh_token"])
def test_no_login_crashes_the_emulator(admin: httpx.Client, grant: str, form: dict[str, str]) -> None:
    answer = admin.post("/oauth/token", data={"client_id": ADMIN_CLIENT_ID, **form, "grant_type": grant})
    assert answer.status_code in {400, 401}


@given(
    change=st.fixed_dictionaries(
        {"AppName": st.text(min_size=1).filter(str.strip), "AccessTokenDuration": st.integers(10, 600)},
        optional={
            "Active": st.booleans(),
            "RefreshTokenDuration": st.integers(0, 524_160),
            "AnonymousTokenDuration": st.integers(10_080, 86_400),
            "xp": st.none() | st.dictionaries(st.text(max_size=4), VALUES, max_size=3),
            "MaximumGrantedRoles": st.lists(st.sampled_from(["Shopper", "MeAdmin", "OrderAdmin"])),
            "MinimumRequiredCustomRoles": st.lists(st.text(max_size=5)),
            "FutureFlag": VALUES,
        },
    )
)
def test_get_returns_what_was_put_and_put_is_idempotent(admin: httpx.Client, change: dict[str, Any]) -> None:
    path = "/v1/apiclients/0f0f0f0f-0000-4000-8000-00000000000a"
    first = admin.put(path, json=change).json()
    assert first == first | change
    assert admin.get(path).json() == first
    assert admin.put(path, json=first).json() == first
    assert admin.patch(path, json={}).json() == first
