"""The configuration that a run has: found, read, and one of its environments chosen."""

from pathlib import Path

import pytest

from reconciler.config import find_config, load_config, select_environment
from reconciler.config.settings import EMULATOR_URL, Config, Environment
from reconciler.errors import InputError, UsageError
from tests.config.test_file import HEAD, written


def test_the_nearest_configuration_is_found_by_walking_up(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    outer = written(tmp_path, "")
    assert find_config(tmp_path / "a" / "b") == outer
    inner = written(tmp_path / "a", "")
    assert find_config(tmp_path / "a" / "b") == inner
    (tmp_path / "a" / "b" / "reconciler.yaml").mkdir()
    assert find_config(tmp_path / "a" / "b") == inner


def test_there_may_be_no_configuration(tmp_path: Path) -> None:
    assert find_config(Path(tmp_path.anchor)) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "there is no such file or directory"),
        ("", "the file is empty"),
        ("a: [", "a '[' or '{' above is not closed"),
        ("[]", "not a configuration"),
        ("apiVersion: reconciler/v1\nkind: ApiClient\n", "not a configuration"),
        (f"{HEAD}environments: {{a: {{emulator: {{}}}}}}\n---\nb: 1\n", "a configuration must be a single document"),
    ],
)
def test_a_file_that_is_no_configuration_is_said_so(text: str | None, message: str, tmp_path: Path) -> None:
    if text is not None:
        written(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load_config(tmp_path / "reconciler.yaml")
    assert message in str(caught.value.diagnostics[0])


def configured(*names: str) -> Config:
    environments = {name: Environment(name, EMULATOR_URL) for name in names}
    return Config(Path("reconciler.yaml"), (), environments, Path("runs"))


def test_the_only_environment_is_the_default() -> None:
    assert select_environment(configured("sandbox"), None).name == "sandbox"
    assert select_environment(configured("sandbox", "staging"), "staging").name == "staging"


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        (None, "there are several environments", "choose one with --env: sandbox, staging"),
        (
            "stagin",
            "there is no environment 'stagin' in reconciler.yaml",
            "did you mean staging? choose one of: sandbox, staging",
        ),
        ("qa", "there is no environment 'qa' in reconciler.yaml", "choose one of: sandbox, staging"),
    ],
)
def test_an_environment_must_be_named_and_exist(name: str | None, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        select_environment(configured("sandbox", "staging"), name)
    assert (caught.value.message, caught.value.hint) == (message, hint)
