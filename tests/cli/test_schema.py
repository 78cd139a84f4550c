import json

import pytest

from tests.cli.conftest import Runner


@pytest.mark.parametrize(
    ("kind", "title"), [("ApiClient", "API client"), ("config", "configuration"), ("plan", "plan")]
)
def test_schemas_are_printed_as_they_are_published(run: Runner, kind: str, title: str) -> None:
    done = run("schema", kind)
    assert done.code == 0
    assert title.casefold() in json.loads(done.out)["title"].casefold()


def test_the_schema_of_manifests_is_the_first_one_wants(run: Runner) -> None:
    assert run("schema").out == run("schema", "ApiClient").out
