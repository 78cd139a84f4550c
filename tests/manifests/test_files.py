"""Which files are read, each once, which are left out with a word, and what is worked out once for several."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Thread

import pytest

from reconciler.errors import InputError
from reconciler.manifests.files import AllowedPaths, Memo
from reconciler.manifests.load import LoadContext, load, require_all
from tests.manifests.test_load import faults, manifest, names, write


def test_directories_are_read_with_all_below_them_except_what_starts_with_a_dot(tmp_path: Path) -> None:
    write(tmp_path, "b.yaml", "a/c.yml", "a/deep/d.yaml", ".hidden.yaml", ".git/e.yaml", "f.json", "g.yaml.bak")
    assert names(tmp_path) == ["a-c-yml", "a-deep-d-yaml", "b-yaml"]


@pytest.mark.parametrize("name", ["a.YAML", "a.Yml", "a.yMl", "deep/A.YAML"])
def test_extensions_are_read_in_any_case(tmp_path: Path, name: str) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / name).write_text(manifest("a"))
    assert names(tmp_path) == ["a"]


MANIFEST = {"kind": "ApiClient", "metadata": {"name": "f"}, "spec": {"AppName": "F"}, "apiVersion": "reconciler/v1"}


@pytest.mark.parametrize(
    ("content", "read"),
    [
        (json.dumps(MANIFEST), True),
        ("\ufeff" + json.dumps(MANIFEST, indent=1), True),
        (json.dumps(MANIFEST | {"kind": "Config"}), False),
        (json.dumps(MANIFEST | {"apiVersion": "v1"}), False),
        (json.dumps([MANIFEST]), False),
        (json.dumps({"format_version": "1.0", "resource_changes": [MANIFEST]}), False),
        ("{", False),
        ("[" * 100_000, False),
    ],
)
def test_a_json_file_below_a_directory_is_read_where_its_top_level_is_a_manifest(
    tmp_path: Path, content: str, read: bool
) -> None:
    write(tmp_path, "b.yaml")
    (tmp_path / "f.JSON").write_text(content, encoding="utf-8")
    assert names(tmp_path) == ["b-yaml", *(["f"] if read else [])]
    assert not load([tmp_path], LoadContext()).warnings


@pytest.mark.parametrize("name", ["a.yaml.bak", "a.txt", "a", "a.yam", "a.json"])
@pytest.mark.parametrize("before", ["", "\ufeff# words\n\n---\n", "{"])
def test_a_file_that_reads_like_a_manifest_and_is_not_read_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, before: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "b.yaml")
    (tmp_path / name).write_text(before + manifest("a"), encoding="utf-8")
    (tmp_path / "README.md").write_text("Like this:\n```yaml\n" + manifest("a") + "```\n", encoding="utf-8")
    loaded = load([Path()], LoadContext())
    assert [(one.place.file, one.rule) for one in loaded.warnings] == [(name, "unread-manifest")]
    with pytest.raises(InputError) as caught:
        require_all(loaded)
    assert "the objects of its manifests would be deleted" in str(caught.value.diagnostics[0])


def test_a_file_that_is_named_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    (tmp_path / ".hidden").write_text(manifest("hidden"))
    body = {"apiVersion": "reconciler/v1", "kind": "ApiClient", "metadata": {"name": "f"}, "spec": {"AppName": "F"}}
    (tmp_path / "f.json").write_text(json.dumps(body, indent="\t"))
    assert names(tmp_path / "f.json", tmp_path / ".hidden") == ["f", "hidden"]


def test_each_real_file_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "sub/b.yaml")
    (tmp_path / "link.yaml").symlink_to(tmp_path / "a.yaml")
    (tmp_path / "hard.yaml").hardlink_to(tmp_path / "a.yaml")
    (tmp_path / "again").symlink_to(tmp_path / "sub")
    loaded = load([tmp_path, tmp_path / "sub", tmp_path / "a.yaml"], LoadContext())
    assert (len(loaded.files), loaded.documents) == (2, 2)


def test_links_that_go_round_in_circles_are_followed_once(tmp_path: Path) -> None:
    write(tmp_path, "a/b.yaml")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    assert names(tmp_path) == ["a-b-yaml"]


def test_what_cannot_be_read_in_a_directory_is_named_with_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.yaml").symlink_to("nowhere")
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "bad.yaml").write_text("a: [")
    assert faults(tmp_path) == [
        "bad.yaml:2:1: the document ends here, and a '[' or '{' above is not closed",
        "broken.yaml: the symbolic link is broken",
        "loop: the symbolic link is broken, and its target may have contained manifests",
        "loop.yaml: the symbolic link points to itself",
        "pipe.yaml: this is not a regular file",
    ]


def test_paths_that_give_nothing_are_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty" / "deep").mkdir(parents=True)
    assert faults(Path("empty"), Path("nothing.yaml")) == [
        "empty: there is no *.yaml or *.yml file in this directory",
        "nothing.yaml: there is no such file or directory",
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_directory_without_permission_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0)
    assert "permission denied" in faults(tmp_path)[0]


def test_a_directory_that_vanishes_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locked").mkdir()

    def refuse(path: str) -> None:
        raise PermissionError(errno.EACCES, "denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert "permission denied" in faults(tmp_path)[0]


def at_once(ask: Callable[[], object]) -> None:
    """Ask in four threads that start together."""
    barrier = Barrier(4)

    def run() -> None:
        barrier.wait(10)
        ask()

    threads = [Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_value_is_worked_out_once_for_each_key_however_many_threads_ask() -> None:
    once, made, found = Memo(), list[str](), list[int]()

    def work_out() -> int:
        made.append("a")
        return 1

    at_once(lambda: found.append(once.get("a", work_out)))
    assert (made, found) == (["a"], [1] * 4)
    assert once.get("b", lambda: 2) == 2


def test_a_failure_is_not_kept() -> None:
    once = Memo()
    with pytest.raises(ZeroDivisionError):
        once.get("a", lambda: 1 // 0)
    assert once.get("a", lambda: 1) == 1


def test_inputs_are_resolved_once_for_the_environments_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = tuple(tmp_path / f"{n}.yaml" for n in range(200))
    allowed, resolve = AllowedPaths(tmp_path, inputs=inputs), Path.resolve
    asked: list[Path] = []
    found: list[str] = []

    def counted(path: Path, *rest: bool) -> Path:
        asked.append(path)
        return resolve(path, *rest)

    monkeypatch.setattr(Path, "resolve", counted)
    at_once(lambda: found.append(allowed.objection("secret.txt", to_write=True)))
    assert [path for path in asked if path in inputs] == [*inputs]
    assert found == [""] * 4
