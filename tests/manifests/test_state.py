"""What two manifests claim."""

from pathlib import Path

import pytest

from reconciler.errors import InputError
from reconciler.manifests.load import LoadContext, load
from tests.builders import by_address
from tests.manifests.test_load import faults, manifest, write


def test_two_manifests_with_one_id_of_the_environment_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "b.yaml")
    with pytest.raises(InputError, match="1 error"):
        load([tmp_path], LoadContext(ids=by_address({"a-yaml": "SAME", "b-yaml": "same"})))


def test_two_manifests_of_one_app_name_are_fine_when_both_have_an_id(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(manifest(name).replace(f"The client {name}", "Twin"))
    assert len(load([tmp_path], LoadContext(ids=by_address({"a": "A-1", "b": "B-1"}))).desired.resources) == 2
    assert len(faults(tmp_path)) == 1
