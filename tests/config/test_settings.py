"""How one value of a configuration is read: URLs, scopes, and variables of the login."""

from pathlib import Path

import pytest

from reconciler.config.settings import BASE_URLS
from reconciler.manifests.schema import read_schema
from tests.config.test_file import AUTH, environment, faults


@pytest.mark.parametrize(
    ("url", "base_url"),
    [
        ("https://api.ordercloud.io", "https://api.ordercloud.io"),
        ("https://api.ordercloud.io/", "https://api.ordercloud.io"),
        ("HTTPS://API.OrderCloud.io:8443", "https://api.ordercloud.io:8443"),
        ("http://localhost:5000", "http://localhost:5000"),
        ("http://127.8.9.1", "http://127.8.9.1"),
        ("http://[::1]:80/", "http://[::1]:80"),
    ],
)
def test_a_url_is_a_scheme_and_a_host(url: str, base_url: str, tmp_path: Path) -> None:
    assert environment(tmp_path, f"url: '{url}', marketplace: m, {AUTH}").base_url == base_url


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://api.ordercloud.io", "http:// would send credentials unencrypted"),
        ("http://localhost.example.com", "http:// would send credentials unencrypted"),
        ("http://128.0.0.1", "http:// would send credentials unencrypted"),
        ("http://127.1", "http:// would send credentials unencrypted"),
        ("https://api.ordercloud.io/v1", "the URL must have only a scheme and a host"),
        ("https://api.ordercloud.io?x=1", "the URL must have only a scheme and a host"),
        ("https://api.ordercloud.io?", "the URL must have only a scheme and a host"),
        ("https://api.ordercloud.io#x", "the URL must have only a scheme and a host"),
        ("https://user:hunter2@api.ordercloud.io", "the URL must have only a scheme and a host"),
        ("https://api.ordercloud.io@evil.example", "the URL must have only a scheme and a host"),
        ("https://api.ordercloud.io\\\\@evil.example", "the URL must have only a scheme and a host"),
        ("ftp://api.ordercloud.io", "this is not an https:// URL"),
        ("api.ordercloud.io", "this is not an https:// URL"),
        ("https://", "this is not an https:// URL"),
        ("https:///path", "this is not an https:// URL"),
        ("https://äpi.ordercloud.io", "this is not an https:// URL"),
        ("https://api .ordercloud.io", "this is not an https:// URL"),
        ("https://api.ordercloud.io:port", "this is not a URL"),
        ("https://[::1", "this is not a URL"),
        ("https://api.ordercloud.io[::1]", "api.ordercloud.io[::1] is not a host"),
        ("https://[::1]8443", "[::1]8443 is not a host"),
        ("https://a%2eordercloud.io", "a%2eordercloud.io is not a host"),
        ("https://xn--", "xn-- is not a host"),
        ("https://api..ordercloud.io", "api..ordercloud.io is not a host"),
        (f"https://{'a' * 64}.example", f"{'a' * 64}.example is not a host"),
    ],
)
def test_a_url_that_is_anything_else_is_refused(url: str, message: str, tmp_path: Path) -> None:
    told = faults(tmp_path, f'url: "{url}", marketplace: m, {AUTH}')
    assert told == [f"/url {message}"]
    assert "hunter2" not in "".join(told)


def test_there_is_a_base_url_for_every_region_and_stage_of_the_schema() -> None:
    properties = read_schema("config.v1.schema.json")["$defs"]["environment"]["properties"]
    assert set(BASE_URLS) == {
        (region, stage) for region in properties["region"]["enum"] for stage in properties["stage"]["enum"]
    }
    assert BASE_URLS["us-west", "production"] == "https://api.ordercloud.io"
    assert BASE_URLS["japan-east", "staging"] == "https://japaneast-staging.ordercloud.io"


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ("{}", "/scope "),
        ("{include: []}", "/scope/include "),
        ("{include: [web-*]}", "/scope/include/0 "),
        ("{include: [Webhok/web-*]}", '/scope/include/0 unknown kind "Webhok"'),
        ("{exclude: [Webhook/a, ApiClients/*]}", '/scope/exclude/1 unknown kind "ApiClients"'),
        ("{xp: {team: {is: web}}}", "/scope/xp/team"),
        ("{xp: {team: null}}", "/scope/xp/team"),
        ("{labels: {team: web}}", "/scope/labels "),
    ],
)
def test_a_scope_that_nobody_can_mean_is_refused(tmp_path: Path, scope: str, said: str) -> None:
    assert any(fault.startswith(said) for fault in faults(tmp_path, f"emulator: {{}}, scope: {scope}"))


@pytest.mark.parametrize("key", ["clientId", "clientSecret"])
@pytest.mark.parametrize("variable", ["RECONCILER_PLAN_KEY", "RECONCILER_NOTIFY_URL", "RECONCILER_X"])
def test_the_login_takes_no_variable_of_the_reconciler_itself(tmp_path: Path, key: str, variable: str) -> None:
    auth = {"clientId": "{fromEnv: OC_ID}", "clientSecret": "{fromEnv: OC_SECRET}", key: f"{{fromEnv: {variable}}}"}
    inner = ", ".join(f"{name}: {value}" for name, value in auth.items())
    (fault,) = faults(tmp_path, f"url: 'https://a', marketplace: m, auth: {{{inner}}}")
    assert f"{variable} is reserved for the reconciler" in fault


@pytest.mark.parametrize(
    "path", [".git/config", "./x/../.git/config", ".GIT/config", ".git./config", "link", "git~1/a"]
)
def test_the_login_takes_no_file_of_git(tmp_path: Path, path: str) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").touch()
    (tmp_path / "link").symlink_to(".git/config")
    auth = f"auth: {{clientId: c, clientSecret: {{fromFile: {path}}}}}"
    (fault,) = faults(tmp_path, f"url: 'https://a', marketplace: m, {auth}")
    assert "this one is below .git" in fault
