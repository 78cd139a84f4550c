from pathlib import Path

import pytest

from reconciler.errors import ReconcilerError, SecretMissing
from reconciler.manifests.files import AllowedPaths
from reconciler.model.secret import REDACTION, SecretReference, SecretSource
from reconciler.secrets import Resolver


def from_env(name: str) -> SecretReference:
    return SecretReference(SecretSource.ENVIRONMENT, name)


def from_file(name: str) -> SecretReference:
    return SecretReference(SecretSource.FILE, name)


def test_an_allowed_variable_is_read_without_its_line_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_SECRET", "s3cret\n")
    assert Resolver(AllowedPaths(tmp_path), {"SHOP_SECRET"})(from_env("SHOP_SECRET")).reveal() == "s3cret"


def test_a_variable_that_is_not_allowed_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "s3cret")
    with pytest.raises(ReconcilerError, match="does not allow the secret GITHUB_TOKEN") as caught:
        Resolver(AllowedPaths(tmp_path), {"SHOP_SECRET"})(from_env("GITHUB_TOKEN"))
    assert "secrets.allow" in caught.value.hint


@pytest.mark.parametrize(
    ("value", "state"), [("", "is empty"), ("\n", "is empty"), (" ", "is empty"), (None, "is not set")]
)
def test_a_variable_without_a_value_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None, state: str
) -> None:
    monkeypatch.delenv("SHOP_SECRET", raising=False)
    if value is not None:
        monkeypatch.setenv("SHOP_SECRET", value)
    with pytest.raises(ReconcilerError, match=f"SHOP_SECRET {state}"):
        Resolver(AllowedPaths(tmp_path), {"SHOP_SECRET"})(from_env("SHOP_SECRET"))


def test_our_own_credentials_are_never_given_out_whoever_allows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OC_SECRET", "s3cret")
    (tmp_path / "own").write_text("s3cret")
    (tmp_path / "link").symlink_to("own")
    resolve = Resolver(AllowedPaths(tmp_path), {"OC_SECRET"}, {from_env("OC_SECRET"), from_file("own")})
    for reference in (from_env("OC_SECRET"), from_file("own"), from_file("link")):
        with pytest.raises(ReconcilerError, match="own credentials"):
            resolve(reference)


def test_the_text_of_exports_is_refused_wherever_it_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_SECRET", REDACTION)
    (tmp_path / "shop").write_text(f"{REDACTION}\n")
    for reference in (from_env("SHOP_SECRET"), from_file("shop")):
        with pytest.raises(ReconcilerError, match="has the placeholder of a hidden secret"):
            Resolver(AllowedPaths(tmp_path), {"SHOP_SECRET"})(reference)


def test_a_file_is_read_relative_to_the_root(tmp_path: Path) -> None:
    (tmp_path / "shop.secret").write_bytes(b"s3cret\r\n")
    assert Resolver(AllowedPaths(tmp_path), ())(from_file("shop.secret")).reveal() == "s3cret"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("../outside", "is outside"),
        ("/etc/hostname", "is outside"),
        ("link", "is outside"),
        ("missing", "cannot be read"),
        (".", "names no file"),
        ("empty", "is empty"),
        ("binary", "is not UTF-8"),
    ],
)
def test_a_file_that_gives_no_secret_is_named(tmp_path: Path, name: str, problem: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside").write_text("s3cret", encoding="utf-8")
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "empty").write_text("\n", encoding="utf-8")
    (root / "binary").write_bytes(b"\xff\xfes3cret")
    with pytest.raises(ReconcilerError, match=problem) as caught:
        Resolver(AllowedPaths(root), ())(from_file(name))
    assert "s3cret" not in str(caught.value)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="only Linux has a regular file that cannot be read")
def test_a_file_that_opens_and_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "unreadable").symlink_to("/proc/self/mem")
    with pytest.raises(SecretMissing, match="the secret file unreadable cannot be read"):
        Resolver(AllowedPaths(tmp_path, (Path("/proc"),)), ())(from_file("unreadable"))


@pytest.mark.parametrize("name", ["RECONCILER_PLAN_KEY", "RECONCILER_ANYTHING", "Reconciler_Plan_Key"])
def test_a_variable_of_the_tool_itself_is_never_given_out_whoever_allows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "s3cret")
    with pytest.raises(ReconcilerError, match="own credentials"):
        Resolver(AllowedPaths(tmp_path), {name})(from_env(name))


@pytest.mark.parametrize("path", [".git/config", "link", "sub/.git/config"])
def test_no_file_of_git_is_a_secret(tmp_path: Path, path: str) -> None:
    for folder in (tmp_path / ".git", tmp_path / "sub" / ".git"):
        folder.mkdir(parents=True)
        (folder / "config").write_text("token")
    (tmp_path / "link").symlink_to(".git/config")
    with pytest.raises(ReconcilerError, match=r"is below \.git"):
        Resolver(AllowedPaths(tmp_path), ())(from_file(path))
