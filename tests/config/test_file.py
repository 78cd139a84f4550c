"""reconciler.yaml: what is read of it, and what is refused, in which words and where."""

import os
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from reconciler.config import load_config
from reconciler.config.settings import EMULATOR_URL, Auth, Config, EmulatorSettings, Environment
from reconciler.errors import InputError
from reconciler.model.diagnostic import Place
from reconciler.model.inputs import Weekly, Window
from reconciler.model.plan import Limits
from reconciler.model.resource import Address, Scope
from reconciler.model.secret import SecretReference, SecretSource
from tests.builders import by_address
from tests.golden import golden

SCENARIOS = Path(__file__).parents[1] / "scenarios" / "config"
HEAD = "apiVersion: reconciler/v1\nkind: Config\nmanifests: [manifests/]\n"
AUTH = "auth: {clientId: ID, clientSecret: {fromEnv: OC_SECRET}}"


def from_env(name: str) -> SecretReference:
    return SecretReference(SecretSource.ENVIRONMENT, name)


def written(folder: Path, text: str) -> Path:
    file = folder / "reconciler.yaml"
    file.write_text(text)
    return file


def environment(folder: Path, block: str) -> Environment:
    """The one environment of a configuration that has the block in it."""
    return load_config(written(folder, f"{HEAD}environments:\n  shop: {{{block}}}\n")).environments["shop"]


def faults(folder: Path, block: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        environment(folder, block)
    return [f"{fault.pointer.removeprefix('/environments/shop')} {fault.message}" for fault in caught.value.diagnostics]


@pytest.mark.parametrize("file", sorted(SCENARIOS.glob("*/reconciler.yaml")), ids=lambda file: file.parent.name)
def test_a_faulty_configuration_is_told_what_it_is_expected_to(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    with pytest.raises(InputError) as caught:
        load_config(Path("reconciler.yaml"))
    told = "".join(f"{diagnostic}\n" for diagnostic in caught.value.diagnostics)
    assert told == golden(file.parent / "expected.txt", told)


def test_every_key_of_an_environment_is_read(tmp_path: Path) -> None:
    config = load_config(
        written(
            tmp_path,
            f"""{HEAD}
journal: {{folder: records}}
environments:
  local: {{emulator: {{seed: marketplace.yaml, state: .reconciler/emulator.db, profile: legacy}}}}
  sandbox:
    region: us-west
    stage: sandbox
    marketplace: my-marketplace
    auth: {{clientId: {{fromEnv: OC_ID}}, clientSecret: {{fromFile: keys/oc}}}}
    values: {{domain: shop.example, token: {{minutes: 60}}}}
    secrets: {{allow: [STOREFRONT_SECRET], folders: [/run/secrets, ../keys]}}
    ids: {{storefront: E5A05785-CAFF}}
    limits: {{changes: 20, changesPercent: 12.5, deletes: null, widens: 0}}
    freeze: [{{days: [sat, fri], from: "22:00", to: "06:30", timezone: Europe/Berlin, reason: quiet}}]
    concurrency: 16
""",
        )
    )
    keys = SecretReference(SecretSource.FILE, "keys/oc")
    own = frozenset({from_env("OC_ID"), keys})
    assert config == Config(
        path=tmp_path / "reconciler.yaml",
        journal=tmp_path / "records",
        manifests=(tmp_path / "manifests",),
        environments={
            "local": Environment(
                name="local",
                base_url=EMULATOR_URL,
                emulator=EmulatorSettings(
                    tmp_path / "marketplace.yaml", tmp_path / ".reconciler" / "emulator.db", "legacy"
                ),
                own_credentials=own,
            ),
            "sandbox": Environment(
                name="sandbox",
                base_url="https://sandboxapi.ordercloud.io",
                marketplace="my-marketplace",
                auth=Auth(from_env("OC_ID"), keys),
                values={"domain": "shop.example", "token": {"minutes": 60}},
                allowed_secrets=frozenset({"STOREFRONT_SECRET"}),
                secret_folders=(Path("/run/secrets"), tmp_path.parent / "keys"),
                own_credentials=own,
                ids=by_address({"storefront": "E5A05785-CAFF"}),
                limits=Limits(changes=20, changes_percent=12.5, deletes=None, widens=0),
                freeze=(Window(Weekly(frozenset({4, 5}), 22 * 60, 6 * 60 + 30), ZoneInfo("Europe/Berlin"), "quiet"),),
                concurrency=16,
            ),
        },
    )


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    found = environment(tmp_path, f"url: 'https://api.example', marketplace: m, {AUTH}")
    assert (found.values, found.ids, found.allowed_secrets) == ({}, {}, frozenset())
    assert (found.limits, found.concurrency) == (Limits(changes=None, changes_percent=None, deletes=0), 8)


def test_a_user_logs_in_through_a_client(tmp_path: Path) -> None:
    auth = "{clientId: ID, username: {fromEnv: OC_USER}, password: {fromEnv: OC_PASSWORD}}"
    found = environment(tmp_path, f"region: us-east, stage: production, marketplace: m, auth: {auth}")
    assert found.auth == Auth("ID", None, from_env("OC_USER"), from_env("OC_PASSWORD"))


# -- ids in files of their own --


def test_ids_are_read_from_the_file_that_an_environment_names(tmp_path: Path) -> None:
    padding = f"# by hand {'#' * (1 << 20)}\n"
    (tmp_path / "ids.yaml").write_text(f"{padding}storefront: E5A05785-CAFF\nWebhook/check: check\n")
    found = environment(tmp_path, "emulator: {}, ids: {file: ids.yaml}")
    assert found.ids == {Address("ApiClient", "storefront"): "E5A05785-CAFF", Address("Webhook", "check"): "check"}
    assert (found.ids_file, found.ids_at) == (tmp_path / "ids.yaml", ())
    config = load_config(tmp_path / "reconciler.yaml")
    assert config.place("/environments/shop/ids/storefront") == Place(str(tmp_path / "ids.yaml"), 2, 13)
    assert tmp_path / "ids.yaml" in config.inputs


@pytest.mark.parametrize("content", ["", "# none yet\n", "---\n", "{}\n"])
def test_a_file_of_ids_may_be_empty(tmp_path: Path, content: str) -> None:
    (tmp_path / "ids.yaml").write_text(content)
    assert environment(tmp_path, "emulator: {}, ids: {file: ids.yaml}").ids == {}


def test_without_a_dot_file_is_the_name_of_a_manifest(tmp_path: Path) -> None:
    assert environment(tmp_path, "emulator: {}, ids: {file: E5A05785-CAFF}").ids == by_address(
        {"file": "E5A05785-CAFF"}
    )


def test_a_file_of_ids_is_a_regular_file_inside_the_repository(tmp_path: Path) -> None:
    (tmp_path / "repository" / ".git").mkdir(parents=True)
    (tmp_path / "secret.yaml").write_text("a: X\n")
    (tmp_path / "repository" / "link.yaml").symlink_to("../secret.yaml")
    os.mkfifo(tmp_path / "repository" / "fifo.yaml")
    (tmp_path / "repository" / "folder.yaml").mkdir()
    assert "is outside the repository" in faults(tmp_path / "repository", "emulator: {}, ids: {file: link.yaml}")[0]
    (tmp_path / "repository" / "round.yaml").symlink_to("round.yaml")
    assert "is outside the repository" in faults(tmp_path / "repository", "emulator: {}, ids: {file: round.yaml}")[0]
    for name, message in {"fifo": "this is not a regular file", "folder": "this is a directory, not a file"}.items():
        assert faults(tmp_path / "repository", f"emulator: {{}}, ids: {{file: {name}.yaml}}") == [f" {message}"]


def test_a_configuration_that_is_too_large_says_where_ids_can_go(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_config(written(tmp_path, HEAD + "#" * (1 << 20)))
    assert caught.value.diagnostics[0].hint == "move ids to separate files, with ids: {file: ids/ENV.yaml}"


REST = f"marketplace: m, {AUTH}"


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (REST, " the environment has no target"),
        (f"region: us-west, {REST}", "/region region and stage are required together"),
        (f"stage: staging, {REST}", "/stage region and stage are required together"),
        (f"url: 'https://a', region: us-west, {REST}", "/region the target is set twice, by url and region"),
        (f"url: 'https://a', emulator: {{}}, {REST}", "/url the target is set twice, by emulator and url"),
    ],
)
def test_an_environment_names_its_target_exactly_once(block: str, message: str, tmp_path: Path) -> None:
    assert message in faults(tmp_path, block)


# -- credentials --


@pytest.mark.parametrize(
    ("auth", "message"),
    [
        ("{clientId: I}", "/auth clientSecret is missing, or username and password"),
        ("{clientId: I, username: u, clientSecret: {fromEnv: S}}", "/auth password is missing"),
        ("{clientId: I, password: {fromEnv: P}}", "/auth username is missing"),
        ("{clientSecret: {fromEnv: S}}", "/auth clientId is missing"),
        ("{clientId: '', clientSecret: {fromEnv: S}}", "/auth/clientId clientId must not be empty"),
        ("{clientId: 7, clientSecret: {fromEnv: S}}", "/auth/clientId clientId must be a string or {fromEnv: NAME}"),
        ("{clientId: {fromFile: x}, clientSecret: {fromEnv: S}}", "/auth/clientId fromEnv is missing"),
        ("{clientId: I, clientSecret: hunter2}", "/auth/clientSecret clientSecret is a secret"),
        ("{clientId: I, clientSecret: null}", "/auth/clientSecret clientSecret is a secret"),
        ("{clientId: I, clientSecret: {hunter2: x}}", "/auth/clientSecret clientSecret is a secret"),
        (
            "{clientId: I, clientSecret: {hunter2: x, hunter2: y}}",
            "/auth/clientSecret this is not a reference",
        ),
        ("{clientId: I, clientSecret: {fromEnv: hunter2}}", "/auth/clientSecret/fromEnv fromEnv requires the name"),
        (
            "{clientId: I, clientSecret: {fromFile: ../x}}",
            "/auth/clientSecret/fromFile fromFile requires a path relative to",
        ),
        (
            "{clientId: I, clientSecret: {fromFile: /x}}",
            "/auth/clientSecret/fromFile fromFile requires a path relative to",
        ),
        ("{clientId: I, clientSecret: {fromFile: ''}}", "/auth/clientSecret/fromFile fromFile must not be empty"),
        ("{clientId: I, username: u, password: hunter2}", "/auth/password password is a secret"),
    ],
)
def test_credentials_that_are_incomplete_or_in_clear_are_refused(auth: str, message: str, tmp_path: Path) -> None:
    told = faults(tmp_path, f"region: us-west, stage: sandbox, marketplace: m, auth: {auth}")
    assert any(line.startswith(message) for line in told), told
    assert "hunter2" not in "".join(told)


def test_a_real_service_needs_marketplace_and_auth(tmp_path: Path) -> None:
    assert faults(tmp_path, "region: us-west, stage: sandbox") == [" auth is missing", " marketplace is missing"]


def test_an_emulator_needs_no_auth(tmp_path: Path) -> None:
    assert environment(tmp_path, "emulator: {}, marketplace: mine").marketplace == "mine"
    assert faults(tmp_path, f"emulator: {{}}, {AUTH}") == ["/auth the built-in emulator needs no auth"]


def test_manifests_may_not_use_our_own_credentials(tmp_path: Path) -> None:
    block = f"region: us-west, stage: sandbox, marketplace: m, {AUTH}, secrets: {{allow: [OTHER, OC_SECRET]}}"
    assert faults(tmp_path, block) == [
        "/secrets/allow/1 OC_SECRET contains the reconciler's own credentials, which manifests must not use"
    ]


def test_an_id_belongs_to_one_manifest(tmp_path: Path) -> None:
    assert faults(tmp_path, "emulator: {}, ids: {a: X-1, b: x-1}") == ["/ids/b b has the same id as a"]


def test_ids_are_of_one_kind_each(tmp_path: Path) -> None:
    assert len(environment(tmp_path, "emulator: {}, ids: {a: X-1, IntegrationEvent/b: x-1}").ids) == 2
    assert faults(tmp_path, "emulator: {}, ids: {a: X-1, ApiClient/a: Y}") == [
        "/ids/ApiClient~1a ApiClient/a and a name the same manifest"
    ]
    assert faults(tmp_path, "emulator: {}, ids: {ApiClints/a: X}") == ['/ids/ApiClints~1a unknown kind "ApiClints"']


def test_the_scope_of_an_environment_replaces_that_of_the_file(tmp_path: Path) -> None:
    text = f"{HEAD}scope: {{include: [Webhook/web-*], xp: {{team: web}}}}\nenvironments:\n  a: {{emulator: {{}}}}\n"
    found = load_config(written(tmp_path, text + "  b: {emulator: {}, scope: {exclude: [apiclient/old-*]}}\n"))
    assert found.environments["a"].scope == Scope(("Webhook/web-*",), (), {"team": "web"})
    assert found.environments["b"].scope == Scope((), ("apiclient/old-*",))


@pytest.mark.parametrize("name", ["OC_SECRET", "OTHER_SECRET", "OTHER_ID", "RECONCILER_PLAN_KEY", "RECONCILER_ANY"])
def test_no_environment_may_give_the_credentials_of_any_to_manifests(tmp_path: Path, name: str) -> None:
    other = "{clientId: {fromEnv: OTHER_ID}, clientSecret: {fromEnv: OTHER_SECRET}}"
    text = f"""{HEAD}
environments:
  here: {{url: 'https://api.example', marketplace: m, {AUTH}, secrets: {{allow: [SHOP, {name}]}}}}
  there: {{url: 'https://api.example', marketplace: n, auth: {other}}}
"""
    with pytest.raises(InputError) as caught:
        load_config(written(tmp_path, text))
    (fault,) = caught.value.diagnostics
    assert (fault.pointer, fault.rule) == ("/environments/here/secrets/allow/1", "secret")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("../runs", "is outside the repository"),
        ("/var/runs", "is outside the repository"),
        ("link/runs", "is outside the repository"),
        ("round", "is outside the repository"),
        (".git/hooks", "is below .git"),
        ("sub/.GIT/x", "is below .git"),
    ],
)
def test_nothing_is_written_outside_the_repository_or_below_git(tmp_path: Path, path: str, said: str) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    (folder / "round").symlink_to("round")
    (state,) = faults(folder, f"emulator: {{state: {path}}}")
    assert said in state
    text = f"{HEAD}journal: {{folder: {path}}}\nenvironments: {{local: {{emulator: {{}}}}}}\n"
    with pytest.raises(InputError) as caught:
        load_config(written(folder, text))
    assert said in caught.value.diagnostics[0].message


def test_a_configuration_below_the_top_of_a_repository_may_write_to_all_of_it(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "shop").mkdir()
    found = environment(tmp_path / "shop", "emulator: {state: ../state.db}").emulator
    assert found is not None
    assert found.state == tmp_path / "state.db"


def test_the_folder_of_the_journals_is_no_link_out_of_the_repository(tmp_path: Path) -> None:
    (tmp_path / ".reconciler").symlink_to("/var")
    assert any("is outside the repository" in fault for fault in faults(tmp_path, "emulator: {}"))
