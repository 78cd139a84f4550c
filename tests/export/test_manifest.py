"""The text of a manifest, and the name of its file."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.export import export
from reconciler.export.manifest import names, slug
from reconciler.manifests.load import LoadContext
from tests.export.test_export import ORIGIN, STRICT, exported
from tests.export.test_export import service as service  # noqa: PLC0414  # the fixture, under its own name
from tests.service import NO_LIMITS, Shop, client_id


def test_a_manifest_names_what_is_not_the_default_in_a_stable_order(service: Shop, tmp_path: Path) -> None:
    exported(service, tmp_path / "m", LoadContext())
    assert (tmp_path / "m" / "store.yaml").read_text() == (
        f"# From marketplace shop, client ID {client_id(1)}.\n"
        "# Read-only: AssignedBuyerCount: 1.\n"
        "apiVersion: reconciler/v1\n"
        "kind: ApiClient\n"
        "metadata:\n"
        "  name: store\n"
        "spec:\n"
        "  AppName: Store\n"
        "  Active: true\n"
        "  AccessTokenDuration: 600\n"
        "  MaximumGrantedRoles: [MeAdmin, Shopper]\n"
        "  xp:\n"
        "    a:\n"
        "      k: v\n"
        "    b: 1\n"
        "assignments:\n"
        "  buyers: [north]\n"
        "  suppliers: []\n"
    )


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Storefront App", "storefront-app"),
        ("Café Straße (EU)", "cafe-strasse-eu"),
        ("日本", ""),
        ("--", ""),
        ("x" * 99, "x" * 60),
    ],
)
def test_a_name_is_readable(title: str, name: str) -> None:
    assert slug(title) == name


@pytest.mark.parametrize(
    ("objects", "taken", "found"),
    [
        ({"A1": "Shop", "B2": "shop!"}, (), {"A1": "shop-a1", "B2": "shop-b2"}),
        ({"A1": "Shop"}, {"shop"}, {"A1": "shop-a1"}),
        ({"A1": "日本"}, (), {"A1": "client-a1"}),
        ({"12345678-1": "S", "12345678-2": "s"}, (), {"12345678-1": "s-12345678", "12345678-2": "s-12345678-2"}),
        ({"A_1": "S", "A-1": "s"}, (), {"A-1": "s-a-1", "A_1": "s-a-1-2"}),
        ({"A1": "S"}, {"s", "s-a1", "s-a1-2"}, {"A1": "s-a1-3"}),
    ],
)
def test_no_two_objects_have_one_name(objects: Mapping[str, str], taken: set[str], found: Mapping[str, str]) -> None:
    assert names(objects, taken, "client") == found


def test_what_yaml_cannot_say_is_left_out_and_stays(service: Shop, tmp_path: Path) -> None:
    with service.reader() as reader:
        live = pipeline.live(reader, NO_LIMITS, ["ApiClient"])
    xp = {"half a character": "\ud800"}
    first = replace(live.resources[0], body={**live.resources[0].body, "xp": xp})
    made = export(replace(live, resources=(first,)), (), STRICT, tmp_path / "m", ORIGIN)
    assert ("xp", "YAML cannot represent it") in {(one.what, one.reason) for one in made.objects[0].left_out}
    assert made.has_changes


@pytest.mark.parametrize("title", ["CON", "nul", "Com1", "aux.", "LPT9"])
def test_a_name_that_windows_has_for_a_device_gets_a_part_of_its_id(title: str) -> None:
    assert names({"E5A05785-CAFF": title}, (), "client") == {"E5A05785-CAFF": f"{slug(title)}-e5a05785"}
