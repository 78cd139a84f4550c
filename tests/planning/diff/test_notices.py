from dataclasses import replace
from typing import Any

import pytest

from reconciler.kinds import KINDS, TABLES
from reconciler.model.named_secret import NamedSecret
from reconciler.model.resource import DesiredResource
from reconciler.model.secret import SecretReference, SecretSource
from reconciler.planning.diff import diff
from reconciler.planning.diff.notices import hints, likely_renames
from tests.builders import body, desired, live, manifest


def warnings(new: dict[str, Any], old: dict[str, Any]) -> tuple[str, ...]:
    have = live({"ID": "OLD-ID", **body("OLD-ID", "x"), **old})
    want = desired(manifest("shop", **{"AccessTokenDuration": 60, **new}))
    return hints(diff(want, have, {}), want)


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ({"AppName": "Storefront App"}, {"AppName": "Storefront"}),
        (
            {"AppName": "A", "RefreshTokenDuration": 7},
            {"AppName": "zzz", "AccessTokenDuration": 60, "RefreshTokenDuration": 7},
        ),
    ],
)
def test_a_likely_rename_is_warned_of_with_the_way_to_bind_it(new: dict[str, Any], old: dict[str, Any]) -> None:
    (warning,) = warnings(new, old)
    assert "write shop: OLD-ID under ids: of the environment, or metadata.id: OLD-ID in the manifest" in warning
    assert old["AppName"] in warning


@pytest.mark.parametrize(
    ("new", "old"),
    [
        ({"AppName": "A"}, {"AppName": "zzz", "AccessTokenDuration": 60}),
        ({"AppName": "A", "RefreshTokenDuration": 7}, {"AppName": "zzz", "AccessTokenDuration": 60}),
    ],
)
def test_what_has_little_in_common_is_no_rename(new: dict[str, Any], old: dict[str, Any]) -> None:
    assert warnings(new, old) == ()


@pytest.mark.parametrize("name", ["Client {:05d}", "{:x}-shop", "Shop"])
def test_there_is_at_most_one_warning_for_each_creation_however_many_are_alike(name: str) -> None:
    have = live(*(body(f"ID-{number}", f"{name.format(number)} old") for number in range(200)))
    want = desired(
        *(manifest(f"s{number}", AppName=f"{name.format(number)} new", AccessTokenDuration=60) for number in range(5))
    )
    renames = list(likely_renames(diff(want, have, {})))
    assert [created.address.name for created, _ in renames] == [f"s{number}" for number in range(5)]


def test_of_several_objects_the_most_similar_one_is_named() -> None:
    have = live(body("FAR", "Storefront of Berlin"), body("NEAR", "Storefront of Paris"), body("OTHER", "Back office"))
    want = desired(manifest("shop", AppName="Storefront of Pari", AccessTokenDuration=60))
    ((_, other),) = likely_renames(diff(want, have, {}))
    assert other.id == "NEAR"


@pytest.mark.parametrize(("known", "count"), [("GONE", 1), ("old-id", 0), (None, 0)])
def test_a_known_id_that_is_not_live_is_told_where_the_name_finds_another(known: str | None, count: int) -> None:
    want = desired(manifest("shop", id=known))
    found = hints(diff(want, live(body("OLD-ID", "shop")), {}), want)
    told = (
        "ApiClient/shop: its known id GONE is not live here; its AppName matches OLD-ID: to confirm, "
        "write shop: OLD-ID under ids: of the environment"
    )
    assert found == count * (told,)


def test_a_kind_without_assignments_has_none_that_are_pointless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TABLES, "ApiClient", f"{__name__}:BARE")
    want = desired(manifest("shop", AllowAnyBuyer=True))
    assert hints(diff(want, live(body("ID", "shop")), {}), want) == ()


@pytest.mark.parametrize(("party", "told"), [("buyers", 1), ("suppliers", 0)])
def test_only_an_assignment_of_a_party_that_is_let_in_anyway_is_pointless(party: str, told: int) -> None:
    want = desired(manifest("shop", AllowAnyBuyer=True, assignments={party: ("one",)}))
    found = hints(diff(want, live(body("ID", "shop")), {}), want)
    assert found == told * ("ApiClient/shop: assigning buyers changes nothing while AllowAnyBuyer is true",)


BARE = replace(KINDS["ApiClient"], assignments=None)
OPEN = ({"AllowSeller": True}, {"AllowAnyBuyer": True}, {"AllowAnySupplier": True})


@pytest.mark.parametrize("spec", OPEN)
def test_a_client_that_lets_somebody_in_without_a_secret_is_warned_of_when_it_is_created(spec: dict[str, Any]) -> None:
    (warning,) = hinted(manifest("shop", **spec))
    assert "ApiClient/shop is created without a secret, which widens access" in warning


def test_an_assignment_lets_somebody_in_too() -> None:
    assert len(hinted(manifest("shop", assignments={"buyers": ("b",)}))) == 1


def test_nobody_is_warned_of_a_client_that_is_closed_public_or_said_to_need_no_secret() -> None:
    reference = SecretReference(SecretSource.ENVIRONMENT, "SHOP")
    opened = manifest("shop", AllowSeller=True)
    for resource in (
        manifest("shop"),
        manifest("shop", AllowAnyBuyer=True, IsAnonBuyer=True),
        replace(opened, named_secrets=()),
        replace(opened, named_secrets=(NamedSecret("primary"),)),
        replace(opened, secrets={"ClientSecret": reference}),
        replace(opened, secrets={"ClientSecret": None}),
    ):
        assert hinted(resource) == ()


def hinted(resource: DesiredResource) -> tuple[str, ...]:
    want = desired(replace(resource, spec={"AccessTokenDuration": 60, **resource.spec}))
    return hints(diff(want, live(), {}), want)
