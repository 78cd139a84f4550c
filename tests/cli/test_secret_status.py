import json
from typing import Any

import pytest

from tests.cli.conftest import FRONT, Project, Runner
from tests.cli.test_secrets import OPEN, SECRET, expire, legacy, list_secrets
from tests.cli.test_secrets import shop as shop  # noqa: PLC0414  # the fixture, under its own name


def test_status_shows_age_expiry_and_policy_and_is_quiet_about_what_is_in_step(shop: Project, run: Runner) -> None:
    status = run("secrets", "status")
    assert (status.code, shop.writes()) == (0, [])
    (row,) = [line for line in status.out.splitlines() if line.startswith("ApiClient/front")]
    assert row.split()[1:5] == ["primary", "named", "in-step", "0"]
    assert "89 d" in row
    assert row.endswith("max age 90d, overlap 1d")


def test_status_as_json_has_a_row_for_each_secret(shop: Project, run: Runner) -> None:
    document = json.loads(run("secrets", "status", "--format", "json").out)
    (row,) = document["secrets"]
    assert (row["address"], row["resource_id"], row["in_step"], row["days_left"]) == (
        "ApiClient/front",
        FRONT,
        True,
        89,
    )
    assert (row["age_days"], row["sort"], document["attention"]) == (0, "named", 0)


def test_each_standing_that_needs_somebody_has_a_way_out(shop: Project, run: Runner) -> None:
    list_secrets(
        shop,
        SECRET | {"overlap": "89d", "maxAge": "90d"},
        {"name": "lost"},
        {"name": "new", "deliver": [{"file": "x"}]},
    )
    shop.ask("POST", f"/v1/apiclients/{FRONT}/secrets", {"Name": "stranger"})
    expire(shop, "primary", "2099-01-01T00:00:00Z")
    status = run("secrets", "status")
    assert status.code == 2
    ways = "\n".join(line for line in status.out.splitlines() if line.startswith("  ApiClient/front"))
    for words in (
        "primary: run reconciler secrets rotate ApiClient/front --secret 'primary'",
        "lost: add a delivery",
        "new: run reconciler plan, then apply",
        "stranger: list it in the manifest, or delete it",
    ):
        assert words in ways


def test_metrics_are_written_for_prometheus(shop: Project, run: Runner) -> None:
    assert run("secrets", "status", "--metrics", "secrets.prom").code == 0
    text = (shop.folder / "secrets.prom").read_text()
    assert text.count("# TYPE") == 4
    assert 'needs_attention{environment="test",address="ApiClient/front",secret="primary",id="primary-20' in text
    assert text.splitlines()[2].endswith('sort="named",standing="in-step"} 0')


def test_a_selection_restricts_the_status(shop: Project, run: Runner) -> None:
    shop.manifest("back", AccessTokenDuration=600)
    status = run("secrets", "status", "--only", "ApiClient/back")
    assert (status.code, "ApiClient/front" in status.out) == (0, False)
    assert "No resource has or needs a secret." in status.out


def test_a_client_that_is_not_there_lacks_its_secrets(project: Project, run: Runner) -> None:
    project.manifest("front", **OPEN)
    path = project.manifest("new", **OPEN)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"secrets": [SECRET]}))
    (row,) = json.loads(run("secrets", "status", "--format", "json").out)["secrets"]
    assert (row["standing"], row["resource_id"], row["id"]) == ("missing", None, None)


@pytest.fixture
def secret_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRONT_SECRET", "new")


@pytest.mark.parametrize(
    ("live", "reference", "standing", "needs_attention"),
    [
        ("old", {"fromEnv": "FRONT_SECRET"}, "differs", True),
        ("new", {"fromEnv": "FRONT_SECRET"}, "in-step", False),
        (None, {"fromEnv": "FRONT_SECRET"}, "missing", True),
        ("old", None, "differs", True),
        (None, None, "in-step", False),
        ("old", "left out", "unmanaged", False),
        ("old", {"generate": True, "deliver": [{"file": "x"}]}, "in-step", False),
    ],
)
@pytest.mark.usefixtures("secret_at_hand")
def test_the_older_generation_has_a_row_for_its_field(
    project: Project, run: Runner, live: str | None, reference: Any, standing: str, *, needs_attention: bool
) -> None:
    legacy(project, live, reference)
    status = run("secrets", "status", "--format", "json")
    document = json.loads(status.out)
    rows = [(row["name"], row["sort"], row["standing"]) for row in document["secrets"]]
    assert (status.code, rows) == (0, [("ClientSecret", "readable", standing)])
    assert (document["attention"], document["due"]) == (int(needs_attention), 0)


def test_a_secret_that_is_not_at_hand_is_said_to_be_not_compared(project: Project, run: Runner) -> None:
    legacy(project, "old", {"fromEnv": "FRONT_SECRET"})
    assert "not compared: the value is unknown here" in run("secrets", "status").out
