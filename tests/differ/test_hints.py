from typing import Any

import pytest

from reconciler.differ import diff, hints
from reconciler.kinds import KINDS
from tests.builders import body, desired, live, manifest


def warnings(new: dict[str, Any], old: dict[str, Any]) -> tuple[str, ...]:
    have = live({"ID": "OLD-ID", **body("OLD-ID", "x"), **old})
    return hints(diff(desired(manifest("shop", **{"AccessTokenDuration": 60, **new})), have, KINDS, {}), KINDS)


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
