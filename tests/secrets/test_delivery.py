"""Each delivery as it is made on this machine, and how it says no."""

import base64
import json
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from reconciler.errors import PartlyDelivered, ReconcilerError
from reconciler.manifests.files import AllowedPaths
from reconciler.model.resource import Address
from reconciler.model.secret import (
    Delivery,
    Secret,
    ToCommand,
    ToEnvFile,
    ToFile,
    ToGithubOutput,
    ToKubernetesSecret,
    delivery_entry,
    delivery_of,
)
from reconciler.secrets.delivery import Deliverer, NewSecret, files
from tests.limits import no_file_larger_than

VALUE = "pl+anted/canary=="
NEW = NewSecret(Address("ApiClient", "shop"), "ID", "primary", Secret(VALUE))
NOT_A_PROGRAM = str(Path(__file__).parents[1] / "scenarios" / "delivery" / "no-program")
"""Executable, and in no format that the system can start."""
Deliver = Callable[[Delivery], str]


@pytest.fixture
def deliver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deliver:
    """Deliver below a folder; gives what was written to the log."""
    (tmp_path / "output").touch()
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    monkeypatch.setenv("OWN_SECRET", "own")
    monkeypatch.setenv("RECONCILER_PLAN_KEY", "own")

    def deliver(delivery: Delivery) -> str:
        log: list[str] = []
        deliverer = Deliverer(AllowedPaths(tmp_path), log.append, withheld={"OWN_SECRET"})
        deliverer.check([delivery])
        deliverer.deliver(NEW, delivery)
        return "".join(log)

    return deliver


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_a_file_holds_the_value_and_nothing_else_for_its_owner_only(deliver: Deliver, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "secret"
    assert deliver(ToFile("deep/down/secret")) == ""
    assert (path.read_text(), mode(path), [one.name for one in path.parent.iterdir()]) == (VALUE, 0o600, ["secret"])


@pytest.mark.parametrize("delivery", [ToFile("new/secret"), ToEnvFile("new/.env", "SECRET")], ids=str)
def test_only_the_owner_gets_into_a_folder_that_a_delivery_makes(
    deliver: Deliver, tmp_path: Path, delivery: Delivery
) -> None:
    deliver(delivery)
    assert mode(tmp_path / "new") == 0o700


def test_a_file_that_is_there_keeps_its_mode(deliver: Deliver, tmp_path: Path) -> None:
    (tmp_path / "secret").touch(0o640)
    deliver(ToFile("secret"))
    assert ((tmp_path / "secret").read_text(), mode(tmp_path / "secret")) == (VALUE, 0o640)


ENV = "# kept\n\nOTHER='a # b'  # kept, too\nexport SHOP=old\nMULTI=\"x\nSHOP=no\n\"\nlast=1"


def test_one_variable_of_a_dotenv_file_is_set_and_the_rest_stays(deliver: Deliver, tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(ENV)
    deliver(ToEnvFile(".env", "SHOP"))
    assert path.read_text() == ENV.replace("export SHOP=old", f"export SHOP='{VALUE}'")
    deliver(ToEnvFile(".env", "NEW"))
    assert path.read_text().splitlines()[-2:] == ["last=1", f"NEW='{VALUE}'"]


def test_a_dotenv_file_that_is_not_there_is_made(deliver: Deliver, tmp_path: Path) -> None:
    deliver(ToEnvFile("new/.env", "SHOP"))
    assert (tmp_path / "new" / ".env").read_text() == f"SHOP='{VALUE}'\n"


def test_a_command_gets_the_value_on_its_standard_input_and_not_our_credentials(
    deliver: Deliver, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = "import os,sys,json; v=sys.stdin.read(); print(v); print(v,file=sys.stderr); "
    code += "json.dump([v, dict(os.environ)], open('got', 'w'))"
    assert deliver(ToCommand(python(code))) == ""
    value, environment = json.loads((tmp_path / "got").read_text())
    assert value == VALUE
    assert [environment[f"RECONCILER_{name}"] for name in ("ADDRESS", "CLIENT_ID", "SECRET_NAME")] == [
        "ApiClient/shop",
        "ID",
        "primary",
    ]
    assert not {"OWN_SECRET", "RECONCILER_PLAN_KEY"} & environment.keys()
    assert capfd.readouterr() == ("", "")


def test_a_github_output_is_masked_before_it_is_set(deliver: Deliver, tmp_path: Path) -> None:
    (tmp_path / "output").write_text("other=1\n")
    assert deliver(ToGithubOutput("shop-secret")) == f"::add-mask::{VALUE}\n"
    first, head, value, end = (tmp_path / "output").read_text().splitlines()
    assert (first, head, value) == ("other=1", f"shop-secret<<{end}", VALUE)


def test_a_kubernetes_secret_is_a_manifest_with_the_value_in_base64(deliver: Deliver, tmp_path: Path) -> None:
    deliver(ToKubernetesSecret("k.yaml", "shop", "client-secret", "prod"))
    assert YAML(typ="safe").load(tmp_path / "k.yaml") == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "shop", "namespace": "prod"},
        "type": "Opaque",
        "data": {"client-secret": base64.b64encode(VALUE.encode()).decode()},
    }
    assert mode(tmp_path / "k.yaml") == 0o600


@example(name="0b1", key="1_000", value="\u045c")
@given(
    name=st.from_regex(r"[a-z0-9]([a-z0-9.-]{,20}[a-z0-9])?", fullmatch=True),
    key=st.from_regex(r"[A-Za-z0-9_.-]{1,253}", fullmatch=True),
    value=st.text(min_size=1, max_size=60),
)
def test_names_keys_and_values_of_a_kubernetes_secret_are_strings_and_are_read_back(
    name: str, key: str, value: str
) -> None:
    wanted = ToKubernetesSecret("k.yaml", name, key, name)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "k.yaml"
        file.write_text(files.kubernetes_secret(wanted, Secret(value)), encoding="utf-8")
        parser = YAML(typ="safe", pure=True)
        parser.version = (1, 1)  # as the parser of kubectl reads
        read = parser.load(file)
        assert files.kubernetes_value_in(file).equals(Secret(value))
    assert read["metadata"] == {"name": name, "namespace": name}
    assert {key: base64.b64decode(one).decode() for key, one in read["data"].items()} == {key: value}


@pytest.mark.parametrize(
    ("delivery", "said"),
    [
        (ToFile("folder"), "is not a file"),
        (ToFile("file/below"), "no secret can be delivered"),
        (ToFile("../outside"), "is outside"),
        (ToCommand(("./folder-of-programs/none", "x")), "program ./folder-of-programs/none not found"),
        (ToCommand((NOT_A_PROGRAM,)), "cannot be started"),
        (ToFile("link"), "is outside"),
        (ToEnvFile("binary", "A"), "is not UTF-8"),
        (
            ToCommand(("no-such-program-anywhere",)),
            "program no-such-program-anywhere not found",
        ),
        (ToCommand(python("import sys; sys.exit(3)")), "exited with 3"),
        (ToCommand(("cat", "a\0b")), "contain a null character"),
        (ToCommand(python("import time; time.sleep(60)"), timeout=0), "did not exit within 0 s"),
    ],
)
def test_a_delivery_that_fails_says_so_without_the_value(
    deliver: Deliver, tmp_path: Path, delivery: Delivery, said: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "binary").write_bytes(b"\xff")
    (tmp_path / "link").symlink_to("/etc/hostname")
    with pytest.raises(ReconcilerError, match=said) as caught:
        deliver(delivery)
    assert VALUE not in str(caught.value)


@pytest.mark.parametrize(
    "delivery", [ToFile("folder"), ToEnvFile("folder", "A"), ToKubernetesSecret("folder", "a", "b")]
)
def test_a_file_that_cannot_be_written_is_found_by_the_check_alone(delivery: Delivery, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ReconcilerError, match="is not a file"):
        Deliverer(AllowedPaths(tmp_path), lambda _line: None).check([delivery])


def test_outside_of_a_github_job_there_is_no_output(deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_OUTPUT")
    with pytest.raises(ReconcilerError, match="GITHUB_OUTPUT is not set"):
        deliver(ToGithubOutput("x"))


def test_a_program_that_does_not_read_its_input_has_got_it_all_the_same(deliver: Deliver) -> None:
    assert deliver(ToCommand(python(""))) == ""


@pytest.mark.parametrize(
    "delivery",
    [
        ToFile("a"),
        ToCommand(("a", "b"), 5),
        ToEnvFile("a", "B"),
        ToGithubOutput("a"),
        ToKubernetesSecret("a", "b", "c"),
        ToKubernetesSecret("a", "b", "c", "d"),
    ],
)
def test_what_is_written_of_a_delivery_is_read_again(delivery: Delivery) -> None:
    assert delivery_of(delivery_entry(delivery)) == delivery
    assert str(delivery)


@pytest.mark.parametrize("delivery", [ToFile("old"), ToKubernetesSecret("old", "n", "k"), ToGithubOutput("x")], ids=str)
def test_a_file_is_as_it_was_before_or_as_it_is_where_a_full_disk_stops_the_undo(
    delivery: Delivery, deliver: Deliver, tmp_path: Path
) -> None:
    """Deliver, then take it back with no room for the old content: it is never half of it."""
    old = b"kept=\xff\n" * 2000
    path = tmp_path / ("output" if isinstance(delivery, ToGithubOutput) else "old")
    path.write_bytes(old)
    path.chmod(0o640)
    undo = Deliverer(AllowedPaths(tmp_path), lambda _: None).deliver(NEW, delivery)
    assert undo
    delivered = path.read_bytes()
    with no_file_larger_than(100), pytest.raises(ReconcilerError, match="still has the value: File too large"):
        undo()
    assert path.read_bytes() == delivered
    undo()
    assert (path.read_bytes(), mode(path), len([*tmp_path.iterdir()])) == (old, 0o640, 2 if path.name == "old" else 1)


def test_an_output_that_is_written_in_part_is_told(deliver: Deliver, tmp_path: Path) -> None:
    (tmp_path / "output").write_bytes(b"before")
    deliverer = Deliverer(AllowedPaths(tmp_path), lambda _: None)
    with no_file_larger_than(20), pytest.raises(PartlyDelivered, match="File too large") as raised:
        deliverer.deliver(NEW, ToGithubOutput("x"))
    assert VALUE not in str(raised.value)


def test_what_is_no_delivery_is_refused() -> None:
    with pytest.raises(ValueError, match="not a delivery: sink"):
        delivery_of({"sink": "x"})


@pytest.mark.parametrize("delivery", [ToFile("gone/secret"), ToEnvFile("gone/.env", "A"), ToGithubOutput("x")])
def test_what_can_no_longer_be_written_says_so_without_the_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delivery: Delivery
) -> None:
    deliverer = Deliverer(AllowedPaths(tmp_path), lambda _text: None)
    (tmp_path / "gone").touch()  # since it was looked at, the folder has become a file
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "gone" / "output"))
    with pytest.raises(ReconcilerError, match="no secret can be delivered to") as caught:
        deliverer.deliver(NEW, delivery)
    assert VALUE not in str(caught.value)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("A=1\n\n\nSHOP=old\n", "A=1\n\n\nSHOP='{}'\n"),
        ("  SHOP = old # why\nB=2", "  SHOP='{}'\nB=2"),
        ("SHOP=old", "SHOP='{}'"),
        ("A=1", "A=1\nSHOP='{}'\n"),
        ("A=1\r\nB=2", "A=1\r\nB=2\r\nSHOP='{}'\r\n"),
        ("SHOP=a\nSHOP=b\n", "SHOP='{}'\nSHOP='{}'\n"),
        ("this is = no 'dotenv\nSHOP=1\n", "this is = no 'dotenv\nSHOP='{}'\n"),
        ("#SHOP=1\nXSHOP=2\n", "#SHOP=1\nXSHOP=2\nSHOP='{}'\n"),
    ],
)
def test_every_other_byte_of_a_dotenv_file_stays(deliver: Deliver, tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / ".env"
    path.write_bytes(before.encode())
    deliver(ToEnvFile(".env", "SHOP"))
    assert path.read_bytes().decode() == after.replace("{}", VALUE)


@pytest.mark.parametrize("before", [b"A=1", b"", b"\xef\xbb\xbfSHOP=old\n", b"A=1\r\nB=2"])
def test_a_dotenv_file_is_taken_back_to_the_byte(tmp_path: Path, before: bytes) -> None:
    path = tmp_path / ".env"
    path.write_bytes(before)
    undone = [files.set_variable(path, name, Secret(VALUE)) for name in ("SHOP", "NEW")]
    for undo in reversed(undone):
        undo()
    assert path.read_bytes() == before


def test_lines_that_came_after_a_delivery_stay_when_it_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1")
    undo = files.set_variable(path, "SHOP", Secret(VALUE))
    path.write_text(path.read_text() + "B=2\n")
    undo()
    assert path.read_text() == "A=1\nB=2\n"


def test_no_secret_is_set_where_it_could_not_be_read_again(deliver: Deliver, tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("'\nA=1\n")
    with pytest.raises(ReconcilerError, match="SHOP would not get the value") as caught:
        deliver(ToEnvFile(".env", "SHOP"))
    assert VALUE not in caught.value.message + caught.value.hint
    with pytest.raises(ReconcilerError, match="is not a valid dotenv file"):
        files.set_variable(path, "SHOP", Secret(VALUE))
    assert path.read_text() == "'\nA=1\n"


def test_nothing_is_logged_of_lines_that_set_nothing(
    deliver: Deliver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n!!! no binding\nSHOP=first\nSHOP=old\n")
    deliver(ToEnvFile(".env", "SHOP"))
    assert (files.variable_in(path, "SHOP") or Secret("")).equals(Secret(VALUE))
    assert path.read_text() == f"A=1\n!!! no binding\nSHOP='{VALUE}'\nSHOP='{VALUE}'\n"
    assert caplog.record_tuples == []


@given(value=st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1))
def test_what_is_set_in_a_dotenv_file_is_read_again(value: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ".env"
        path.write_text("A=1\nSHOP=old\nB=2\n")
        undo = files.set_variable(path, "SHOP", Secret(value))
        assert dotenv_values(path, interpolate=False) == {"A": "1", "SHOP": value, "B": "2"}
        undo()
        assert path.read_text() == "A=1\nSHOP=old\nB=2\n"
