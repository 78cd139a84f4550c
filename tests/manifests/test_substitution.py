"""Values of the environment in a manifest: what they become, and which place a fault in them has."""

from pathlib import Path

import pytest

from reconciler.errors import InputError
from reconciler.manifests.load import LoadContext, inspect, load
from reconciler.model.json import Json
from tests.manifests.test_load import manifest


def test_a_value_that_is_a_list_stands_where_its_reference_does(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(manifest("a", "  MaximumGrantedRoles: ${values.roles}\n"))
    with pytest.raises(InputError) as caught:
        load([file], LoadContext(values={"roles": ["Shopper", "Shoper"]}))
    (fault,) = caught.value.diagnostics
    assert (fault.pointer, fault.place.line, fault.place.column) == ("/spec/MaximumGrantedRoles/1", 6, 24)


def test_a_fault_in_a_value_of_the_environment_says_which_value_it_is(tmp_path: Path) -> None:
    spec = "{AppName: a, Active: '${values.domain}', MaximumGrantedRoles: '${values.roles}'}"
    (tmp_path / "a.yaml").write_text(
        f"apiVersion: reconciler/v1\nkind: ApiClient\nmetadata: {{name: a}}\nspec: {spec}\n"
    )
    values: dict[str, Json] = {"domain": "example.com", "roles": ["Shopper", "Shoper"]}
    told = [fault.message for fault in inspect([tmp_path], LoadContext("test", values)).diagnostics]
    assert told == [
        "Active must be true, false or null, got a string (from values.domain)",
        'unknown role "Shoper" (from values.roles)',
    ]


def test_a_value_is_never_parsed_as_yaml(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(manifest("a", "  xp: {text: 'x ${values.text}'}\n"))
    context = LoadContext(values={"text": "y\nActive: true # ${values.text} $${"})
    (resource,) = load([file], context).desired.resources
    assert resource.spec["xp"] == {"text": "x y\nActive: true # ${values.text} $${"}


def test_the_marketplace_can_stand_in_a_text_where_the_environment_names_one(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(manifest("a", "  xp: {text: 'in ${marketplace}'}\n"))
    (resource,) = load([file], LoadContext("test", marketplace="my-shop")).desired.resources
    assert resource.spec["xp"] == {"text": "in my-shop"}
    with pytest.raises(InputError) as caught:
        load([file], LoadContext("test"))
    (fault,) = caught.value.diagnostics
    assert fault.message == "marketplace is not defined in environment test"
    assert fault.hint == "define it in reconciler.yaml, as environments.test.marketplace"


@pytest.mark.parametrize("value", ["x" * 1000, {"k": "x" * 1000}])
def test_what_values_make_of_a_document_is_bounded(tmp_path: Path, value: Json) -> None:
    file = tmp_path / "a.yaml"
    spec = "".join(f"    k{number}: ${{values.big}}\n" for number in range(3000))
    file.write_text(manifest("a", f"  xp:\n{spec}"))
    with pytest.raises(InputError) as caught:
        load((file,), LoadContext(environment="test", values={"big": value}))
    too_large = [fault.message for fault in caught.value.diagnostics if "values of the document" in fault.message]
    assert too_large == ["with ${values.big} the values of the document exceed 1048576 characters"]
