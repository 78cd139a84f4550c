"""Data that persists in an SQLite file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from reconciler.emulator import SeedError, StateError
from tests.limits import no_file_larger_than

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

    from reconciler.emulator import Emulator

OFFICE = "/v1/apiclients/9DFE083F-A675-4A3A-A39A-521511DAC93D"


def test_writes_persist_after_a_restart(
    tmp_path: Path, emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]
) -> None:
    first = emulate(state=tmp_path / "a" / "state.db")
    admin = login(first)
    admin.patch(OFFICE, json={"xp": {"kept": True}})
    admin.delete("/v1/buyers/globex")
    before = admin.get("/v1/apiclients").json()
    first.close()
    second = login(emulate(state=tmp_path / "a" / "state.db"))
    assert second.get("/v1/apiclients").json() == before
    assert second.get("/v1/buyers/globex").status_code == 404


def test_acknowledged_writes_persist_without_a_close(
    tmp_path: Path, emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]
) -> None:
    login(emulate(state=tmp_path / "state.db")).patch(OFFICE, json={"AppName": "Renamed"})
    for name in ("state.db", "state.db-wal"):  # the files on disk while the first emulator is still open
        (tmp_path / f"copy-{name}").write_bytes((tmp_path / name).read_bytes())
    copy = (tmp_path / "copy-state.db").rename(tmp_path / "killed.db")
    (tmp_path / "copy-state.db-wal").rename(tmp_path / "killed.db-wal")
    assert login(emulate(state=copy)).get(OFFICE).json()["AppName"] == "Renamed"


def test_a_full_disk_is_an_error_response_and_the_write_is_stored_once_there_is_space(
    tmp_path: Path, emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]
) -> None:
    first = emulate(state=tmp_path / "state.db")
    admin = login(first)
    with no_file_larger_than(0):
        answer = admin.patch(OFFICE, json={"AppName": "Renamed"})
    assert answer.status_code == 500
    assert "the state file of the emulator cannot be written" in answer.json()["Errors"][0]["Message"]
    assert admin.patch(OFFICE, json={"AccessTokenDuration": 60}).status_code == 200
    first.close()
    assert login(emulate(state=tmp_path / "state.db")).get(OFFICE).json()["AppName"] == "Renamed"


def test_a_seed_that_does_not_fit_on_the_disk_is_an_error(tmp_path: Path, emulate: Callable[..., Emulator]) -> None:
    with no_file_larger_than(20_480), pytest.raises(StateError, match="state file"):
        emulate(state=tmp_path / "state.db")


def test_a_token_stays_valid_after_a_restart_unless_it_was_revoked(
    tmp_path: Path, emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]
) -> None:
    first = emulate(state=tmp_path / "state.db")
    revoked = login(first)
    revoked.post("/_emulator/revoke-tokens")
    good = login(first).headers["Authorization"]
    first.close()
    second = login(emulate(state=tmp_path / "state.db"))
    answers = [
        second.get("/v1/me", headers={"Authorization": each}) for each in (good, revoked.headers["Authorization"])
    ]
    assert [answer.status_code for answer in answers] == [200, 401]
    assert answers[1].json()["Errors"][0]["ErrorCode"] == "Auth.TokenRevoked"


def test_the_seed_is_not_loaded_again(
    tmp_path: Path, emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]
) -> None:
    emulate(state=tmp_path / "state.db").close()
    again = login(emulate({"Buyers": [{"ID": "late"}]}, state=tmp_path / "state.db"))
    assert again.get("/v1/buyers/late").status_code == 404


def test_a_seed_that_fails_leaves_no_data(tmp_path: Path, emulate: Callable[..., Emulator]) -> None:
    with pytest.raises(SeedError):
        emulate({"Webhooks": 5}, state=tmp_path / "state.db")
    emulate(state=tmp_path / "state.db")


def test_the_administration_client_is_created_again_after_a_restart(
    tmp_path: Path, emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]
) -> None:
    first = emulate(state=tmp_path / "state.db")
    admin = login(first)
    second = {"AppName": "2", "AccessTokenDuration": 10, "Active": True, "DefaultContextUserName": "emulator-admin"}
    admin.post("/v1/apiclients", json=second)
    assert admin.delete("/v1/apiclients/00000000-0000-0000-0000-00000000AD01").status_code == 204
    first.close()
    assert login(emulate(state=tmp_path / "state.db")).get("/v1/me").status_code == 200


def test_two_emulators_cannot_share_a_file(
    tmp_path: Path, emulate: Callable[..., Emulator], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.emulator.store._BUSY_SECONDS", 0.01)
    emulate(state=tmp_path / "state.db")
    with pytest.raises(StateError, match="another emulator is using it"):
        emulate(state=tmp_path / "state.db")


@pytest.mark.parametrize("content", [b"this is no database at all", b"SQLite format 3\x00" + b"x" * 200])
def test_another_file_is_rejected_as_state(tmp_path: Path, emulate: Callable[..., Emulator], content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(StateError, match=r"notes\.txt: cannot use the state file: .* choose another file"):
        emulate(state=path)
    assert path.read_bytes() == content


def test_state_of_another_version_is_rejected(tmp_path: Path, emulate: Callable[..., Emulator]) -> None:
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StateError, match="version 99"):
        emulate(state=tmp_path / "state.db")


def test_an_impossible_state_path_is_rejected(tmp_path: Path, emulate: Callable[..., Emulator]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot open the state file"):
        emulate(state=tmp_path / "file" / "state.db")
    with pytest.raises(StateError, match="cannot open the state file"):
        emulate(state=tmp_path)


def test_only_its_owner_can_read_the_file(tmp_path: Path, emulate: Callable[..., Emulator]) -> None:
    emulate(state=tmp_path / "state.db")
    assert {path.stat().st_mode & 0o077 for path in tmp_path.glob("state.db*")} == {0}


def test_close_is_idempotent(tmp_path: Path, emulate: Callable[..., Emulator]) -> None:
    emulator = emulate(state=tmp_path / "state.db")
    emulator.close()
    emulator.close()
    assert [path.name for path in tmp_path.glob("state.db*")] == ["state.db"]
