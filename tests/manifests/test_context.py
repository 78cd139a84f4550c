"""What environments share of the files that they read, and what stands in for a file."""

from pathlib import Path

from reconciler.kinds.checks import RuleLevel
from reconciler.manifests.context import LoadContext
from reconciler.manifests.files import Memo, find_files
from reconciler.manifests.rules import RULES


def test_a_file_is_parsed_once_in_a_run_and_what_stands_in_for_it_is_taken_first(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: ApiClient\n")
    (file,) = find_files([tmp_path / "a.yaml"]).files
    shared = LoadContext(memo=Memo())
    first = shared.parsed(file)
    assert shared.parsed(file) is first
    assert LoadContext().parsed(file) is not first
    instead = LoadContext(memo=shared.memo, contents={file.shown: b"kind: Webhook\n"}).parsed(file)
    assert [one.data for one in (*first.documents, *instead.documents)] == [{"kind": "ApiClient"}, {"kind": "Webhook"}]


def test_a_rule_is_taken_as_its_table_says_unless_the_environment_says_otherwise() -> None:
    name, rule = next(iter(RULES.items()))
    assert LoadContext().level(name) == rule.level
    assert LoadContext(rules={name: RuleLevel.OFF}).level(name) is RuleLevel.OFF
