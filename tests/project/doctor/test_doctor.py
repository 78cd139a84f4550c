from pathlib import Path

import pytest

from reconciler.config.settings import EmulatorSettings, Environment
from reconciler.model.reports import Verdict
from reconciler.project.doctor import STEPS, Subject
from reconciler.project.doctor.connectivity import Known
from tests.project.doctor.patient import SUBJECT, URL, check, emulated, examined, missing, requests, tools
from tests.remote.service import Service


@pytest.mark.parametrize(("profile", "said"), [("current", "current: secrets"), ("legacy", "legacy: API clients show")])
def test_a_sound_environment_passes_every_check(tmp_path: Path, profile: str, said: str) -> None:
    with emulated(tmp_path, profile=profile) as emulator:
        diagnosis = examined(emulator)
    assert diagnosis.is_healthy
    assert {one.verdict for one in diagnosis.checks} == {Verdict.OK, Verdict.INFO}
    assert check(diagnosis, "generation").found.startswith(said)
    assert not [one for one in diagnosis.checks if one.fix]


def test_every_check_is_reported_once_in_the_order_of_the_table(tmp_path: Path) -> None:
    with emulated(tmp_path) as emulator:
        assert [one.name for one in examined(emulator).checks] == [step.name for step in STEPS]


def test_a_step_needs_only_steps_before_it() -> None:
    names = [step.name for step in STEPS]
    assert all(names.index(need) < names.index(step.name) for step in STEPS for need in step.needs)


def test_nothing_is_written(tmp_path: Path) -> None:
    with emulated(tmp_path) as emulator:
        examined(emulator)
        assert {one for one in requests(emulator) if not one.startswith("GET ")} == {"POST /oauth/token"}


def test_an_embedded_emulator_needs_neither_credentials_nor_a_network_nor_a_marketplace(tmp_path: Path) -> None:
    subject = Subject("reconciler.yaml", Environment("local", URL, EmulatorSettings(None, None, "current")))
    with emulated(tmp_path) as emulator:
        diagnosis = examined(emulator, subject=subject, marketplace=None, resolve=missing)
    assert diagnosis.is_healthy
    assert check(diagnosis, "configuration").found == "reconciler.yaml, environment local: the embedded emulator"
    assert "the embedded emulator has its own client" in check(diagnosis, "credentials").found
    assert "the emulator runs in this process" in check(diagnosis, "network").found
    assert "not configured" in check(diagnosis, "marketplace").found


def test_what_is_known_shows_no_body_and_has_no_connection_before_the_login() -> None:
    with pytest.raises(LookupError, match="needs `login`"):
        _ = Known(SUBJECT, tools(Service().reader), None).connection  # type: ignore[arg-type]  # nothing is opened
    known = Known(SUBJECT, tools(Service().reader), None, clients=({"ClientSecret": "canary"},))  # type: ignore[arg-type]
    assert "canary" not in repr(known)
