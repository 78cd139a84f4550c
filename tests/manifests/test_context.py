"""What is worked out once for several environments, and what stands in for a file."""

from pathlib import Path
from threading import Barrier, Thread

import pytest

from reconciler.kinds.checks import RuleLevel
from reconciler.manifests.context import LoadContext, Memo
from reconciler.manifests.files import find_files
from reconciler.manifests.rules import RULES


def test_a_value_is_worked_out_once_for_each_key_however_many_threads_ask() -> None:
    once, made, found, barrier = Memo(), list[str](), list[int](), Barrier(4)

    def work_out() -> int:
        made.append("a")
        return 1

    def ask() -> None:
        barrier.wait(10)
        found.append(once.get("a", work_out))

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (made, found) == (["a"], [1] * 4)
    assert once.get("b", lambda: 2) == 2


def test_a_failure_is_not_kept() -> None:
    once = Memo()
    with pytest.raises(ZeroDivisionError):
        once.get("a", lambda: 1 // 0)
    assert once.get("a", lambda: 1) == 1


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
