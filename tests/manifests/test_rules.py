"""Rules: what each finds and leaves alone, how strictly it is taken, how it is waived, and where people read of it."""

import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from reconciler.config import load_config
from reconciler.errors import InputError
from reconciler.kinds import KINDS, Kind
from reconciler.kinds.checks import RuleLevel
from reconciler.manifests.load import Inspected, LoadContext, inspect, load
from reconciler.manifests.rules import RULES, rules_of
from reconciler.manifests.schema import read_schema
from tests.golden import golden

ROOT = Path(__file__).parents[2]
SCENARIOS = Path(__file__).parents[1] / "scenarios" / "rules"
TODAY = date(2026, 6, 30)
API_CLIENT = KINDS["ApiClient"]


def context(**rules: str) -> LoadContext:
    levels = {name.replace("_", "-"): RuleLevel(level) for name, level in rules.items()}
    allowed, others = frozenset({"STOREFRONT_SECRET"}), (LoadContext("production"),)
    return LoadContext("staging", allowed_secrets=allowed, marketplace="m", rules=levels, today=TODAY, others=others)


def told(found: Inspected) -> list[str]:
    return [*map(str, found.diagnostics), *(f"waived by {one.waiver.owner}: {one.diagnostic}" for one in found.waived)]


# -- each rule --


def test_every_rule_has_a_scenario() -> None:
    assert {folder.name for folder in SCENARIOS.iterdir()} == RULES.keys()


def test_a_rule_is_an_error_only_where_the_service_is_documented_to_refuse_the_client() -> None:
    errors = {rule.name: rule.source for rule in RULES.values() if rule.level is RuleLevel.ERROR}
    assert errors.keys() == {"anonymous-without-context-user"}
    assert "error code" in errors["anonymous-without-context-user"]


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_finds_what_is_broken_leaves_alone_what_is_fine_and_can_be_waived(
    rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(SCENARIOS / rule)
    found = inspect([Path()], context(**dict.fromkeys(RULES.keys() - {rule}, "off")))
    shown = "".join(f"{line}\n" for line in told(found))
    assert shown == golden(Path("expected.txt"), shown)
    assert {one.rule for one in found.diagnostics} == {rule}
    by_file = {(one.place.file, one.severity.value) for one in found.diagnostics}
    assert by_file - {("unsure.yaml", "warning")} == {("broken.yaml", RULES[rule].level.value)}
    assert {one.diagnostic.place.file for one in found.waived} == {"waived.yaml"}


HOOK = """
apiVersion: reconciler/v1
kind: Webhook
metadata: {name: validate}
"""


@pytest.mark.parametrize(
    ("overlay", "shared"),
    [
        ("", True),
        ("spec: {Name: Other}", True),
        ("spec: {Url: 'https://b.example.com'}", False),
        ("policy: {state: absent}", False),
    ],
)
def test_a_url_is_shared_with_the_environments_that_have_no_other(
    tmp_path: Path, overlay: str, *, shared: bool
) -> None:
    (tmp_path / "hook.yaml").write_text(f"{HOOK}spec: {{Name: A, Url: 'https://a.example.com'}}")
    (tmp_path / "above").mkdir()
    (tmp_path / "above" / "hook.yaml").write_text(HOOK + overlay)
    manifests, above = [tmp_path / "hook.yaml"], (tmp_path / "above",)
    plain, laid = LoadContext("staging"), LoadContext("production", overlays=above)
    for one, other in ((plain, laid), (laid, plain)):
        rules = [each.rule for each in inspect(manifests, replace(one, others=(other,))).diagnostics]
        assert rules == ["literal-in-several-environments"] * shared
    assert inspect(manifests, replace(plain, others=(replace(laid, is_emulated=True),))).diagnostics == ()


@pytest.mark.parametrize(("wanted", "warnings"), [(["staging"], 0), (["staging", "production"], 1)])
def test_environments_whose_manifest_says_absent_share_no_url(tmp_path: Path, wanted: list[str], warnings: int) -> None:
    (tmp_path / "hook.yaml").write_text(
        f"{HOOK}spec: {{Name: A, Url: 'https://a.example.com'}}\npolicy: {{state: absent}}"
    )
    (tmp_path / "above").mkdir()
    (tmp_path / "above" / "hook.yaml").write_text(f"{HOOK}policy: {{state: present}}")
    contexts = [
        LoadContext(name, overlays=(tmp_path / "above",) if name in wanted else ())
        for name in ("sandbox", "staging", "production")
    ]
    for one in contexts:
        found = inspect([tmp_path / "hook.yaml"], replace(one, others=tuple(c for c in contexts if c is not one)))
        assert len(found.diagnostics) == (warnings if one.environment in wanted else 0)
        assert all("Url is the same in production and staging: " in each.message for each in found.diagnostics)


def test_three_environments_that_share_a_url_are_listed_and_none_where_the_overlays_of_the_others_set_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "hook.yaml").write_text(f"{HOOK}spec: {{Name: A, Url: 'https://a.example.com'}}")
    (tmp_path / "above").mkdir()
    (tmp_path / "above" / "hook.yaml").write_text(f"{HOOK}spec: {{Url: 'https://b.example.com'}}")
    plain = [LoadContext(name) for name in ("sandbox", "staging", "production")]
    shared = inspect([tmp_path / "hook.yaml"], replace(plain[0], others=tuple(plain[1:])))
    assert [one.message.partition(":")[0] for one in shared.diagnostics] == [
        "Url is the same in production, sandbox and staging"
    ]
    laid = [replace(one, overlays=(tmp_path / "above",)) for one in plain[1:]]
    assert inspect([tmp_path / "hook.yaml"], replace(plain[0], others=tuple(laid))).diagnostics == ()


def test_a_waiver_of_a_shared_url_is_not_called_unused_where_nobody_shares_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SCENARIOS / "literal-in-several-environments")
    assert inspect([Path("waived.yaml")], replace(context(), others=())).diagnostics == ()


# -- faults beside rules --

HEAD = """\
apiVersion: reconciler/v1
kind: ApiClient
metadata: {name: a}
spec:
  AppName: A
"""
PUBLIC = "  ClientSecret: null\n  MaximumGrantedRoles: [FullAccess]\n"


def findings(folder: Path, body: str, **levels: str) -> list[str]:
    """What is said of a manifest with this end, as ``severity rule pointer``."""
    file = folder / "a.yaml"
    file.write_text(HEAD + body)
    return [f"{one.severity} {one.rule} {one.pointer}" for one in inspect([file], context(**levels)).diagnostics]


def test_a_field_with_a_fault_is_open_to_rules_and_the_others_are_not(tmp_path: Path) -> None:
    body = "  AccessTokenDuration: long\n  RefreshTokenDuration: 10\n"
    assert findings(tmp_path, body + PUBLIC) == [
        "error type /spec/AccessTokenDuration",
        "warning public-client-with-admin-role /spec/MaximumGrantedRoles",
    ]


@pytest.mark.parametrize("fault", ["  AllowSeler: true\n", "  AllowSeller: 1\n"])
def test_beside_a_fault_an_exclusive_manifest_is_certain_of_nothing_that_it_leaves_out(
    tmp_path: Path, fault: str
) -> None:
    body = f"  Active: true\n{fault}assignments: {{buyers: [], suppliers: []}}\npolicy: {{fields: exclusive}}\n"
    assert len(findings(tmp_path, body)) == 1


@pytest.mark.parametrize("buyers", ["3", "[1]", "[a, A]"])
def test_assignments_with_a_fault_are_open(tmp_path: Path, buyers: str) -> None:
    body = f"  AllowAnyBuyer: true\nassignments: {{buyers: {buyers}}}\n"
    (fault,) = findings(tmp_path, body)
    assert fault.startswith("error")


@pytest.mark.parametrize("rest", ["policy: 3\n", "assignments: 3\n", "policy: {ignore: 3}\n", "policy: {waivers: 3}\n"])
def test_rules_are_asked_beside_blocks_of_the_wrong_shape(tmp_path: Path, rest: str) -> None:
    assert "warning public-client-with-admin-role /spec/MaximumGrantedRoles" in findings(tmp_path, PUBLIC + rest)


def test_a_manifest_without_a_spec_is_not_asked_about(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(HEAD.partition("spec:")[0])
    assert [one.rule for one in inspect([tmp_path], context()).diagnostics] == ["required"]


def test_rules_are_asked_of_the_environments_values(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(HEAD + PUBLIC.replace("[FullAccess]", "${values.roles}"))
    for roles, count in ((["FullAccess"], 1), (["Shopper"], 0)):
        assert len(inspect([tmp_path], LoadContext(values={"roles": roles})).diagnostics) == count


def test_what_is_not_certain_is_a_warning_however_strictly_the_rule_is_taken(tmp_path: Path) -> None:
    body, at = "  IsAnonBuyer: true\n", "/spec/IsAnonBuyer"
    certain = f"error anonymous-without-context-user {at}"
    unsure = f"warning anonymous-without-context-user {at}"
    assert findings(tmp_path, body, anonymous_without_context_user="error", public_client_with_admin_role="off") == [
        unsure
    ]
    exclusive = body + "  MaximumGrantedRoles: [Shopper]\npolicy: {fields: exclusive}\n"
    assert findings(tmp_path, exclusive, nobody_can_log_in="off") == [certain]
    assert findings(tmp_path, body, anonymous_without_context_user="off", public_client_with_admin_role="off") == []


def test_beside_a_fault_nothing_is_said_of_what_is_left_out(tmp_path: Path) -> None:
    (fault,) = findings(tmp_path, "  IsAnonBuyer: true\n  DefaultContextUserNam: ann\n")
    assert fault.startswith("error unknown-field")


# -- levels --


@pytest.mark.parametrize("level", ["error", "warning"])
def test_a_rule_is_taken_as_strictly_as_the_configuration_says(tmp_path: Path, level: str) -> None:
    expected = [f"{level} public-client-with-admin-role /spec/MaximumGrantedRoles"]
    assert findings(tmp_path, PUBLIC, public_client_with_admin_role=level) == expected


def test_a_rule_that_is_off_finds_nothing(tmp_path: Path) -> None:
    assert findings(tmp_path, PUBLIC, public_client_with_admin_role="off") == []


CONFIG = """\
apiVersion: reconciler/v1
kind: Config
manifests: [manifests/]
rules: {nobody-can-log-in: error, pointless-assignments: off}
environments:
  strict: {emulator: {}}
  lax: {emulator: {}, rules: {nobody-can-log-in: off}}
"""


def test_an_environment_wins_over_the_top_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "reconciler.yaml").write_text(CONFIG)
    config = load_config(tmp_path / "reconciler.yaml")
    levels = {
        name: [each.rules[rule].value for rule in sorted(each.rules)] for name, each in config.environments.items()
    }
    assert levels == {"strict": ["error", "off"], "lax": ["off", "off"]}


def test_a_rule_or_a_level_that_does_not_exist_is_an_error_with_a_suggestion(tmp_path: Path) -> None:
    (tmp_path / "reconciler.yaml").write_text(
        CONFIG.replace("nobody-can-", "nobody-").replace("lax: {", "lax: {ids: 3, ")
    )
    with pytest.raises(InputError) as caught:
        load_config(tmp_path / "reconciler.yaml")
    hints = [fault.hint for fault in caught.value.diagnostics if fault.pointer.endswith("/nobody-log-in")]
    assert hints == ["did you mean nobody-can-log-in?"] * 2


# -- waivers --


def waived(
    folder: Path, *, rule: str = "public-client-with-admin-role", expires: object = TODAY, spec: str = PUBLIC
) -> str:
    waiver = f"{{rule: {rule}, reason: why, owner: web-team, expires: {expires}}}"
    return f"{spec}policy:\n  waivers: [{waiver}]\n"


def test_a_waiver_holds_on_its_last_day_and_no_longer(tmp_path: Path) -> None:
    assert findings(tmp_path, waived(tmp_path)) == []
    assert findings(tmp_path, waived(tmp_path, expires=TODAY - timedelta(days=1))) == [
        "warning public-client-with-admin-role /spec/MaximumGrantedRoles",
        "error expired-waiver /policy/waivers/0/expires",
    ]


def test_an_expired_waiver_is_told_with_its_owner_and_its_last_day(tmp_path: Path) -> None:
    findings(tmp_path, waived(tmp_path, expires="2026-01-31"))
    told = str(inspect([tmp_path], context()).diagnostics[-1]).partition("error: ")[2]
    assert told == (
        "the waiver of public-client-with-admin-role expired on 2026-01-31; its owner is web-team (at "
        "/policy/waivers/0/expires); fix what it waives, or agree with web-team on a new date [expired-waiver]"
    )


def test_a_finding_that_is_an_error_can_be_waived_and_the_manifest_is_loaded(tmp_path: Path) -> None:
    body = waived(tmp_path, rule="required-roles-not-granted", spec="  MinimumRequiredRoles: [Shopper]\n" + PUBLIC)
    (tmp_path / "a.yaml").write_text(HEAD + body.replace("FullAccess", "MeAdmin"))
    loaded = load([tmp_path], context())
    assert (len(loaded.desired.resources), loaded.warnings) == (1, ())


@pytest.mark.parametrize(
    ("rule", "hint"),
    [
        ("public-client-with-admin-roles", "did you mean public-client-with-admin-role?"),
        ("xyz", f"rules are: {', '.join(RULES)}"),
    ],
)
def test_a_waiver_of_a_rule_that_does_not_exist_is_an_error_with_a_suggestion(
    tmp_path: Path, rule: str, hint: str
) -> None:
    (tmp_path / "a.yaml").write_text(HEAD + waived(tmp_path, rule=rule))
    faults = inspect([tmp_path], context()).diagnostics
    assert [(one.rule, one.hint) for one in faults if one.severity == "error"] == [("unknown-rule", hint)]
    assert "public-client-with-admin-role" in {one.rule for one in faults}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2027-02-30", '"2027-02-30" is not a valid date'),
        ("20270131", "expires must be a string, got a number"),
        ("soon", "expires must be a day like 2027-01-31, got soon"),
        ("2027-W01-1", "expires must be a day like 2027-01-31, got 2027-W01-1"),
    ],
)
def test_a_waiver_expires_on_a_day_of_the_calendar(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.yaml").write_text(HEAD + waived(tmp_path, expires=text))
    errors = [one.message for one in inspect([tmp_path], context()).diagnostics if one.severity == "error"]
    assert errors == [message]


@pytest.mark.parametrize("key", ["rule", "reason", "owner", "expires"])
def test_each_part_of_a_waiver_is_required(tmp_path: Path, key: str) -> None:
    (tmp_path / "a.yaml").write_text(HEAD + re.sub(rf"{key}: [\w-]+(, )?", "", waived(tmp_path)))
    errors = [one.message for one in inspect([tmp_path], context()).diagnostics if one.severity == "error"]
    assert errors == [f"{key} is missing"]


@pytest.mark.parametrize("key", ["reason", "owner"])
def test_blanks_are_no_reason_and_no_owner(tmp_path: Path, key: str) -> None:
    body = re.sub(rf"{key}: [\w-]+", f"{key}: ' '", waived(tmp_path))
    assert f"error format /policy/waivers/0/{key}" in findings(tmp_path, body)


UNUSED = ["warning unused-waiver /policy/waivers/0/rule"]


def test_a_waiver_that_waives_nothing_is_a_warning(tmp_path: Path) -> None:
    assert findings(tmp_path, waived(tmp_path, spec="")) == UNUSED


def test_the_second_waiver_of_one_rule_waives_nothing(tmp_path: Path) -> None:
    once = waived(tmp_path)
    waiver = once[once.index("[{") + 1 : once.rindex("]")]
    second = once.replace(waiver, f"{waiver}, {waiver.replace('why', 'again')}")
    assert findings(tmp_path, second) == ["warning unused-waiver /policy/waivers/1/rule"]


def test_a_waiver_of_a_rule_that_is_off_here_may_be_needed_elsewhere(tmp_path: Path) -> None:
    assert findings(tmp_path, waived(tmp_path), public_client_with_admin_role="off") == []


def test_a_waiver_is_not_called_unused_where_a_fault_may_hide_what_it_waives(tmp_path: Path) -> None:
    body = waived(tmp_path, spec="  ClientSecret: null\n  MaximumGrantedRoles: FullAccess\n")
    assert findings(tmp_path, body) == ["error type /spec/MaximumGrantedRoles"]


def test_what_is_to_be_absent_is_not_judged_and_its_waivers_are_left_in_peace(tmp_path: Path) -> None:
    assert findings(tmp_path, waived(tmp_path) + "  state: absent\n") == []


def test_waivers_do_not_change_the_digest_of_manifests(tmp_path: Path) -> None:
    digests = set()
    for body in (waived(tmp_path), waived(tmp_path, expires="2099-12-31"), PUBLIC, PUBLIC + "policy: {waivers: []}\n"):
        (tmp_path / "a.yaml").write_text(HEAD + body)
        digests.add(load([tmp_path], context()).desired.digest)
    assert len(digests) == 1


# -- where people read of rules --


def test_the_pages_on_rules_have_a_row_for_each() -> None:
    table = (ROOT / "docs" / "configuration-reference.md").read_text().partition("\n## Rules\n")[2]
    assert re.findall(r"(?m)^\| `([a-z-]+)`", table) == list(RULES)
    waivers = (ROOT / "docs" / "rules.md").read_text()
    assert re.findall(r"(?m)^\| `([a-z-]+)`", waivers) == ["unknown-rule", "expired-waiver", "unused-waiver"]


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def test_editors_complete_the_rules_and_their_levels() -> None:
    rules = read_schema("config.v1.schema.json")["$defs"]["rules"]["properties"]
    assert {name: (each["default"], each["description"]) for name, each in rules.items()} == {
        rule.name: (rule.level.value, f"{_sentence(rule.reason)}.") for rule in RULES.values()
    }
    assert all(each["enum"] == [level.value for level in RuleLevel] for each in rules.values())
    assert read_schema(API_CLIENT.schema)["$defs"]["waiver"]["properties"]["rule"]["anyOf"][0]["enum"] == list(RULES)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_rule_is_about_fields_and_blocks_that_its_kind_has(kind: Kind) -> None:
    known = kind.fields.keys() | kind.secret_fields | {"assignments", "secrets"}
    assert [rule.name for rule in rules_of(kind) if not rule.about <= known] == []


def test_the_manifests_of_this_repository_have_no_errors() -> None:
    assert inspect([ROOT / "manifests"], LoadContext(today=TODAY)).is_valid
