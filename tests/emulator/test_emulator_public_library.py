"""The public, independent client library `ordercloud-python` against the emulator over a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("ordercloud", reason="ordercloud-python needs a newer pydantic than reconciler does")

from ordercloud.errors import AuthenticationError, OrderCloudError
from ordercloud.models.api_client import ApiClient, ApiClientSecret
from ordercloud.models.assignments import ApiClientAssignment
from ordercloud.sync_client import SyncOrderCloudClient, paginate_sync

from reconciler.emulator import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.emulator import Emulator

pytestmark = pytest.mark.sweep

STOREFRONT = "E5A05785-CAFF-4F7D-9CC3-758F13865FC3"


@pytest.fixture
def url(emulator: Emulator) -> Iterator[str]:
    """The base URL of the emulator."""
    with running(emulator) as base_url:
        yield base_url


def library(url: str, secret: str = ADMIN_CLIENT_SECRET) -> Any:
    return SyncOrderCloudClient.create(
        client_id=ADMIN_CLIENT_ID, client_secret=secret, base_url=f"{url}/v1", auth_url=f"{url}/oauth/token"
    )


@pytest.fixture
def cloud(url: str) -> Iterator[Any]:
    """The library, logged in as the administrator."""
    with library(url) as client:
        yield client


def test_the_library_lists_with_filters_and_pages(cloud: Any) -> None:
    for number in range(25):
        cloud.buyers.save(f"b{number}", {"Name": f"Buyer {number}"})
    assert len(list(paginate_sync(cloud.buyers.list, page_size=10))) == 27
    page = cloud.api_clients.list(filters={"AppName": "store*"}, sort_by="!AppName", search="front")
    assert ([item.id for item in page.items], page.meta.total_count) == ([STOREFRONT], 1)


def test_the_library_saves_patches_and_deletes(cloud: Any) -> None:
    before = cloud.api_clients.get(STOREFRONT.lower())
    before.app_name = "Shop"
    saved = cloud.api_clients.save(STOREFRONT, before)
    assert (saved.app_name, saved.is_anon_buyer, saved.default_context_user_name) == ("Shop", True, "shopper")
    assert cloud.api_clients.patch(STOREFRONT, {"xp": {"a": 1}}).xp == {"a": 1}
    cloud.api_clients.delete(STOREFRONT)
    with pytest.raises(OrderCloudError) as refused:
        cloud.api_clients.get(STOREFRONT)
    assert (refused.value.status_code, refused.value.errors[0].error_code) == (404, "NotFound")


def test_the_library_creates_and_assigns(cloud: Any) -> None:
    made = cloud.api_clients.create(ApiClient.model_validate({"AppName": "New", "AccessTokenDuration": 60}))
    assert (made.anonymous_token_duration, made.active) == (10080, False)
    cloud.api_clients.save_assignment(
        ApiClientAssignment.model_validate({"ApiClientID": made.id, "SupplierID": "tools"})
    )
    rows = cloud.api_clients.list_assignments(supplier_id="tools").items
    assert [row.api_client_id for row in rows] == [made.id.lower()]
    assert cloud.api_clients.get(made.id).assigned_supplier_count == 1
    cloud.api_clients.delete_supplier_assignment(made.id, "tools")
    cloud.api_clients.delete_buyer_assignment(STOREFRONT, "acme")
    assert cloud.api_clients.list_assignments().meta.total_count == 0


def test_the_library_rotates_a_secret(cloud: Any, url: str) -> None:
    made = cloud.api_clients.create_secret(ADMIN_CLIENT_ID, ApiClientSecret.model_validate({"Name": "second"}))
    old = cloud.api_clients.list_secrets(ADMIN_CLIENT_ID, sort_by="ID", filters={"Name": "!second"}).items
    cloud.api_clients.delete_secret(ADMIN_CLIENT_ID, old[0].id)
    cloud.api_clients.patch_secret(ADMIN_CLIENT_ID, made.id, {"Name": "only"})
    assert cloud.api_clients.get_secret(ADMIN_CLIENT_ID, made.id).name == "only"
    with library(url, made.client_secret) as fresh:
        assert fresh.me.get().seller.id == "emulator"


def test_the_library_understands_error_responses(cloud: Any, url: str) -> None:
    with pytest.raises(OrderCloudError) as refused:
        cloud.api_clients.patch(STOREFRONT, {"AccessTokenDuration": 1, "AppName": ""})
    assert [error.error_code for error in refused.value.errors] == ["ValidationFailure", "RequiredField"]
    cloud.api_clients.patch(ADMIN_CLIENT_ID, {"MaximumGrantedRoles": ["ApiClientReader"]})
    with library(url) as reader, pytest.raises(AuthenticationError, match="403"):
        reader.api_clients.delete(STOREFRONT)
