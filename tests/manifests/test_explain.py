"""Every key of every schema can be explained."""

import pytest

from reconciler.kinds import KINDS
from reconciler.manifests.explain import SCHEMAS, everything, explain, manual


@pytest.mark.sample(6)
@pytest.mark.parametrize("name", SCHEMAS)
def test_every_key_has_a_meaning_and_is_found_by_its_own_path(name: str) -> None:
    for entry in everything(manual(name)):
        assert entry.meaning
        assert entry.type or entry.name in {*KINDS[name].read_only, "id"}
        assert explain(entry.path) == entry


def test_every_field_of_the_api_says_where_it_is_documented() -> None:
    assert [one.name for one in explain("ApiClient.spec").children if not one.source] == []
