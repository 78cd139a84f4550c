"""What a rule sees of a manifest: a value where it is certain, else nothing."""

import pytest

from reconciler.kinds.checks import ManifestView, body_after, names
from reconciler.model.json import ABSENT, Absent, Json
from reconciler.model.plan import Action, Change
from reconciler.model.resource import Address

SPEC: dict[str, Json] = {"Active": True, "AllowSeller": None, "AccessTokenDuration": 60, "Roles": ["b", "a"], "On": 1}
DEFAULTS: dict[str, Json] = {"AllowSeller": False, "AllowAnyBuyer": False}


@pytest.mark.parametrize(
    ("name", "by_default", "exclusive"),
    [
        ("Active", True, True),
        ("AllowSeller", False, False),
        ("AllowAnyBuyer", ABSENT, False),
        ("Unknown", ABSENT, ABSENT),
    ],
)
def test_a_field_that_is_left_out_has_its_default_only_in_an_exclusive_manifest(
    name: str, by_default: Json | Absent, exclusive: Json | Absent
) -> None:
    assert ManifestView(SPEC, DEFAULTS).value(name) == by_default
    assert ManifestView(SPEC, DEFAULTS, exclusive=True).value(name) == exclusive


def test_a_field_that_is_open_is_neither_on_nor_off_nor_left_out() -> None:
    view = ManifestView(SPEC, DEFAULTS, open_fields=frozenset({"Active"}))
    assert (view.is_on("Active"), view.is_off("Active"), view.leaves_out("Active")) == (False, False, False)
    assert view.leaves_out("AllowAnyBuyer")
    assert not ManifestView(SPEC, exclusive=True).leaves_out("AllowAnyBuyer")


def test_a_value_of_another_type_is_not_certain() -> None:
    view = ManifestView(SPEC)
    assert (view.is_on("Active"), view.is_on("On"), view.is_off("AllowSeller")) == (True, False, False)
    assert (view.minutes("AccessTokenDuration"), view.minutes("Active"), view.minutes("Roles")) == (60, None, None)
    assert (view.members("Roles"), view.members("Active"), view.members("Other")) == (["b", "a"], None, None)


def test_what_a_guard_sees_is_what_will_be_there() -> None:
    change = Change(Address("ApiClient", "a"), Action.UNMANAGED, "ID", {"n": 1}, None)
    assert body_after(change) == {"n": 1}
    assert body_after(Change(change.address, Action.DELETE, "ID", {"n": 1}, None)) is None
    assert names({"Roles": ["b", "a", "a"]}, "Roles") == {"a", "b"}
    assert names(None, "Roles") == names({"Roles": None}, "Roles") == frozenset()
