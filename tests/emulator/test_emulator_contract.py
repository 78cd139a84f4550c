"""Every endpoint of the emulator, called and compared with Sitecore's OpenAPI document.

The document is not part of this repository (`GET {base}/v1/openapi/v3` of the service returns it without a token): set
the environment variable OPENAPI_SPEC to the file. Without it, the operations are called, and the comparison is skipped.
Version 1.0.260 is the newest that Sitecore has published in a repository, so later additions and removals are listed
here by name, and so is what the emulator adds deliberately.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from reconciler.emulator.rows import kinds_of, rows_of, tables_of
from reconciler.emulator.web import all_routes
from tests.emulator.operations import CLIENT_OPERATIONS, OPERATIONS, Operation

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from reconciler.emulator import Emulator

# Deliberate differences.
LATER_FIELDS = {
    "AnonymousTokenDuration": "since 1.0.393, in both generations",
    "FutureFlag": "the emulator's own, settable",
    "DeliveryConfigID": "of message senders, since 1.0.322",
}
REMOVED_FIELDS = {
    "ClientSecret": "gone by 1.0.470",
}
NOT_OF_THE_API = {
    "/oauth/": "the login, which the document leaves out",
    "/v1/openapi/": "the document itself",
    "/_emulator/": "the emulator's own",
}


def drive(admin: httpx.Client) -> list[tuple[Operation, httpx.Response]]:
    return [(each, admin.request(each.method, each.url(), json=each.body)) for each in OPERATIONS]


@pytest.fixture(params=["current", "legacy"])
def profile(request: pytest.FixtureRequest) -> str:
    """Each API generation."""
    return str(request.param)


@pytest.fixture
def driven(
    profile: str, emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]
) -> list[tuple[Operation, httpx.Response]]:
    """All operations with their responses."""
    return drive(login(emulate(profile=profile)))


@pytest.fixture
def spec() -> dict[str, Any]:
    """Sitecore's document, prepared: any property may be null, and no other property may appear."""
    path = os.environ.get("OPENAPI_SPEC")
    if not path:
        pytest.skip("OPENAPI_SPEC names no OpenAPI document to compare with")
    document: dict[str, Any] = json.loads(Path(path).read_text("utf-8"))
    for schema in document["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
            schema["properties"] = {name: _or_null(each) for name, each in schema["properties"].items()}
    return document


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [{"type": "null"}, schema]}


def without(body: Any, names: dict[str, str]) -> Any:
    if isinstance(body, dict):
        return {name: without(value, names) for name, value in body.items() if name not in names}
    return [without(item, names) for item in body] if isinstance(body, list) else body


def complain(spec: dict[str, Any], content: dict[str, Any], body: object) -> list[str]:
    schema = content["application/json"]["schema"] | {"components": spec["components"]}
    return [error.message for error in Draft202012Validator(schema).iter_errors(body)]


def test_every_operation_returns_its_documented_status(
    profile: str, driven: list[tuple[Operation, httpx.Response]]
) -> None:
    is_absent = [profile == "legacy" and each.path.startswith("/integrations/") for each in OPERATIONS]
    expected = [404 if absent else each.status for each, absent in zip(OPERATIONS, is_absent, strict=True)]
    assert [answer.status_code for _, answer in driven] == expected
    assert len({(each.method, each.path) for each in CLIENT_OPERATIONS}) == 15


def shape(method: str, path: str) -> tuple[str, str]:
    """A path without its case and the names of its variables."""
    return method, re.sub(r"\{\w+\}", "{}", path.lower())


def test_every_endpoint_of_the_emulator_is_driven() -> None:
    served = {
        shape(route.method, route.path.removeprefix("/v1"))
        for route in all_routes("current")
        if not route.path.startswith(tuple(NOT_OF_THE_API))
    }
    assert served == {shape(each.method, each.path) for each in OPERATIONS}


def test_every_operation_is_in_the_document(spec: dict[str, Any]) -> None:
    documented = {(verb.upper(), path) for path, verbs in spec["paths"].items() for verb in verbs}
    ours = {(each.method, each.path) for each in OPERATIONS if not each.is_later}
    about_clients = {pair for pair in documented if "apiclients" in pair[1].lower()}
    assert ours <= documented
    assert about_clients <= ours


def test_every_request_matches_the_document(spec: dict[str, Any]) -> None:
    sent = [each for each in OPERATIONS if each.body is not None and not each.is_later]
    for each in sent:
        documented = spec["paths"][each.path][each.method.lower()]["requestBody"]
        assert complain(spec, documented["content"], without(each.body, LATER_FIELDS)) == [], each


def test_every_legacy_response_matches_the_document(spec: dict[str, Any], legacy: httpx.Client) -> None:
    for each, answer in drive(legacy):
        if each.is_later:
            continue
        documented = spec["paths"][each.path][each.method.lower()]["responses"]
        [(status, response)] = documented.items()
        assert answer.status_code == int(status), each
        if answer.content:
            assert complain(spec, response["content"], without(answer.json(), LATER_FIELDS)) == [], each


def test_the_legacy_client_differs_only_by_its_secret(legacy: httpx.Client) -> None:
    shown = set(legacy.get("/v1/apiclients").json()["Items"][0])
    ours = {field.name for field in kinds_of("current")["ApiClient"].fields if not field.write_only} | {"ID"}
    assert shown - ours == set(REMOVED_FIELDS)


DOCUMENTED = [row for row in rows_of("legacy", revisions=False) if row.kind != "ApiClientSecret"]
_MODELS = {"SupplierUser": "User", "AdminUser": "User", "AdminUserGroup": "UserGroup", "SupplierUserGroup": "UserGroup"}


@pytest.mark.parametrize("row", DOCUMENTED, ids=lambda row: str(row.kind))
def test_a_row_has_the_documented_fields(spec: dict[str, Any], row: Any) -> None:
    ours = {"ID", *(field.name for field in row.fields)} - set(LATER_FIELDS)
    assert ours == set(spec["components"]["schemas"][_MODELS.get(row.kind, row.kind)]["properties"])


@pytest.mark.parametrize("table", tables_of("legacy").values(), ids=lambda table: str(table.kind))
def test_a_table_has_the_documented_columns(spec: dict[str, Any], table: Any) -> None:
    kind = "UserGroupAssignment" if "UserGroup" in table.kind else table.kind
    ours = {column.name for column in table.columns if not column.write_only}
    assert ours == set(spec["components"]["schemas"][kind]["properties"])


@pytest.mark.parametrize("row", DOCUMENTED, ids=lambda row: str(row.kind))
def test_a_list_sorts_and_searches_by_every_documented_field(spec: dict[str, Any], row: Any) -> None:
    paths = {path.lower(): verbs for path, verbs in spec["paths"].items()}
    path = row.path.removeprefix("/v1").lower().replace("{parent}", f"{{{str(row.parent).lower()}id}}")
    parameters = {each["name"]: each["schema"]["items"]["enum"] for each in _choices(paths[path]["get"])}
    assert {*row.searchable} == {*parameters["searchOn"]}
    assert {*row.sortable} == {name for name in parameters["sortBy"] if not name.startswith("!")}


def _choices(operation: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in operation["parameters"] if each["name"] in {"searchOn", "sortBy"}]
