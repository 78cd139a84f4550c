"""A secret that the service hides is never sent back as the secret: by apply as little as by rollback."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from reconciler.emulator import ADMIN_CLIENT_ID
from reconciler.errors import GuardRefusal, ReconcilerError
from reconciler.manifests.files import AllowedPaths
from reconciler.model.outcome import Status
from reconciler.model.plan import Action, Plan
from reconciler.model.secret import REDACTION, Secret, SecretReference, SecretSource, ToFile
from reconciler.planning.planfile import acknowledgement
from reconciler.remote.auth import ClientCredentials
from reconciler.remote.messages import encode
from reconciler.secrets.delivery import Deliverer
from tests.applying.test_rollback import plan_back, run_of
from tests.builders import body, desired, manifest
from tests.service import Shop, client_id, shop

A = client_id(0xA)
OURS: Final = SecretReference(SecretSource.ENVIRONMENT, "OURS")
MASKS: Final = (
    "****",
    "\u2022\u2022\u2022\u2022\u2022\u2022",
    "xxxxxxxx",
    "XXXX",
    "[REDACTED]",
    "<hidden>",
    "(secret)",
)
PARTLY: Final = (
    "********3f2a",
    "abcd****",
    "***REDACTED***",
    "masked",
    "<secret value>",
    "--------",
    "####",
    "Redacted",
)
GENUINE: Final = ("s3cret", "hunter2", "xx", "Xerxes-xxl", "a*b*c", "aGVsbG8gd29ybGQ=", "secret", "p-----d", "...a")


class Masking(httpx.BaseTransport):
    """A service that shows something else in place of each client's secret."""

    def __init__(self, behind: httpx.BaseTransport, shown: str | None) -> None:
        self._behind, self._shown = behind, shown
        self.is_on = True

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._behind.handle_request(request)
        if not self.is_on or "/apiclients" not in request.url.path or request.url.path.endswith("/secrets"):
            return answer
        answer.read()
        content = json.loads(answer.content) if answer.content else {}
        for one in content.get("Items", [content]):
            if one.get("ClientSecret"):
                one["ClientSecret"] = self._shown
        return httpx.Response(answer.status_code, json=content) if answer.content else answer


@contextmanager
def hiding(folder: Path, shown: str | None = "****") -> Iterator[Shop]:
    """A marketplace of the older generation whose only client has the secret ``true``, which is not shown."""
    with shop(folder, body(A, "a", Active=True, ClientSecret="true"), profile="legacy") as service:
        service.secrets["OURS"] = "true"
        service.transport = Masking(service.transport, shown)
        yield service


def masked(service: Shop) -> Masking:
    assert isinstance(service.transport, Masking)
    return service.transport


def logs_in(service: Shop, value: str) -> bool:
    """Whether it is the client's secret: a wrong one is refused for being wrong."""
    login = {"grant_type": "client_credentials", "client_id": A, "client_secret": value}
    return "client secret" not in service.http.post("/oauth/token", data=login).text


def rules(plan: Plan) -> list[str]:
    return [finding.rule for finding in plan.guards]


@pytest.mark.parametrize("value", [*MASKS, *PARTLY])
def test_masks_of_common_forms_are_recognised_and_never_sent(value: str) -> None:
    assert Secret(value).is_mask
    with pytest.raises(ReconcilerError, match="would become the secret"):
        encode({"ClientSecret": Secret(value)})


@pytest.mark.parametrize("value", GENUINE)
def test_a_genuine_secret_is_no_mask(value: str) -> None:
    assert not Secret(value).is_placeholder


def test_the_text_of_exports_is_a_placeholder_and_no_mask() -> None:
    assert (Secret(REDACTION).is_placeholder, Secret(REDACTION).is_mask) == (True, False)


def test_an_update_that_would_carry_a_mask_over_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with hiding(tmp_path) as service:
        plan = service.plan(desired(manifest("a", AccessTokenDuration=60)))
        assert rules(plan) == ["hidden-secret"]
        assert "ClientSecret: {fromEnv: NAME}" in plan.guards[0].fix
        assert "its ClientSecret is hidden by the service and was not compared" in plan.warnings[0]
        service.forget()
        with pytest.raises(GuardRefusal):
            service.apply(plan, acknowledged=acknowledgement(plan))
        assert (service.writes(), logs_in(service, "true")) == ([], True)


def test_with_the_true_value_in_the_manifest_the_update_sends_it_and_converges(tmp_path: Path) -> None:
    with hiding(tmp_path) as service:
        wanted = desired(manifest("a", AccessTokenDuration=60, secrets={"ClientSecret": OURS}))
        assert not service.plan(desired(manifest("a", secrets={"ClientSecret": OURS}))).has_changes
        plan = service.plan(wanted)
        (change,) = [one for one in plan.changes if one.action is Action.UPDATE]
        assert [field.pointer for field in change.fields] == ["/AccessTokenDuration", "/ClientSecret"]
        assert service.apply(plan).is_complete
        assert (logs_in(service, "true"), service.plan(wanted).has_changes) == (True, False)


def test_a_generated_secret_that_is_hidden_is_neither_made_anew_nor_overwritten(tmp_path: Path) -> None:
    generated = {"ClientSecret": SecretReference(SecretSource.GENERATED)}
    with hiding(tmp_path) as service:
        assert not service.plan(desired(manifest("a", secrets=generated))).has_changes
        assert rules(service.plan(desired(manifest("a", AccessTokenDuration=60, secrets=generated)))) == [
            "hidden-secret"
        ]


OTHERS: Final = SecretReference(SecretSource.ENVIRONMENT, "OTHERS")
GENERATED: Final = {"ClientSecret": SecretReference(SecretSource.GENERATED, deliver=(ToFile("a.secret"),))}


def deliverer(folder: Path) -> Deliverer:
    return Deliverer(AllowedPaths(folder), lambda _text: None)


def test_a_generated_secret_of_which_the_service_shows_null_is_made_once_and_converges(tmp_path: Path) -> None:
    with shop(tmp_path, body(A, "a", Active=True), profile="legacy") as service:
        service.transport = Masking(service.transport, None)
        wanted = desired(manifest("a", secrets=GENERATED))
        assert service.apply(service.plan(wanted), deliverer=deliverer(tmp_path)).is_complete
        value = (tmp_path / "a.secret").read_text()
        plan = service.plan(wanted)
        assert (plan.has_changes, logs_in(service, value)) == (False, True)
        assert "its ClientSecret is hidden by the service and was not compared" in plan.warnings[0]


def test_a_new_client_whose_secret_the_service_shows_as_null_converges(tmp_path: Path) -> None:
    with hiding(tmp_path, None) as service:
        new = manifest("b", AccessTokenDuration=60, Active=True, secrets=GENERATED)
        assert service.apply(service.plan(desired(new)), deliverer=deliverer(tmp_path)).is_complete
        assert not service.plan(desired(new)).has_changes


def test_an_update_that_would_send_a_null_in_place_of_a_generated_secret_is_refused(tmp_path: Path) -> None:
    with hiding(tmp_path, None) as service:
        plan = service.plan(desired(manifest("a", AccessTokenDuration=60, secrets=GENERATED)))
        assert rules(plan) == ["hidden-secret"]


def test_a_reference_whose_live_secret_is_null_is_compared_by_a_login(tmp_path: Path) -> None:
    with hiding(tmp_path, None) as service:
        service.secrets["OTHERS"] = "another"
        assert not service.plan(desired(manifest("a", secrets={"ClientSecret": OURS}))).has_changes
        longer = desired(manifest("a", AccessTokenDuration=60, secrets={"ClientSecret": OURS}))
        assert service.apply(service.plan(longer)).is_complete
        assert logs_in(service, "true")
        other = desired(manifest("a", secrets={"ClientSecret": OTHERS}))
        assert service.apply(service.plan(other)).is_complete
        assert (logs_in(service, "another"), service.plan(other).has_changes) == (True, False)


def test_a_secret_that_the_service_drops_is_found_out(tmp_path: Path) -> None:
    class Dropping(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "PUT":
                content = {**json.loads(request.read()), "ClientSecret": None}
                headers = {name: one for name, one in request.headers.items() if name != "content-length"}
                request = httpx.Request("PUT", request.url, headers=headers, json=content)
            return inner.handle_request(request)

    with shop(tmp_path, body(A, "a", Active=True), profile="legacy") as service:
        inner, service.transport = service.transport, Dropping()
        plan = service.plan(desired(manifest("a", secrets=GENERATED)))
        (outcome,) = service.apply(plan, deliverer=deliverer(tmp_path)).outcomes
        assert outcome.status is Status.NOT_CONVERGED


def test_what_writes_no_body_is_not_refused(tmp_path: Path) -> None:
    buyers = {"Buyers": [{"ID": "b1", "Name": "b1", "Active": True}]}
    with shop(tmp_path, body(A, "a", ClientSecret="true"), objects=buyers, profile="legacy") as service:
        service.transport = Masking(service.transport, "****")
        plan = service.plan(desired(manifest("a", assignments={"buyers": ("b1",)})))
        assert rules(plan) == []
        assert service.apply(plan).is_complete
        assert logs_in(service, "true")


def test_a_secret_that_is_hidden_since_the_plan_is_a_conflict_and_nothing_is_sent(tmp_path: Path) -> None:
    with hiding(tmp_path) as service:
        masking = masked(service)
        masking.is_on = False
        plan = service.plan(desired(manifest("a", AccessTokenDuration=60)))
        masking.is_on = True
        service.forget()
        (outcome,) = service.apply(plan).outcomes
        assert (outcome.status, service.writes()) == (Status.CONFLICT, [])
        assert "does not show its ClientSecret" in outcome.message
        assert logs_in(service, "true")


def test_a_rollback_does_not_send_a_mask_back_either(tmp_path: Path) -> None:
    with hiding(tmp_path) as service:
        masking = masked(service)
        masking.is_on = False
        run = run_of(service, tmp_path, manifest("a", AccessTokenDuration=60))
        masking.is_on = True
        plan = plan_back(service, run)
        assert (rules(plan), [change.action for change in plan.changes]) == (["hidden-secret"], [Action.UPDATE])


@pytest.mark.parametrize(("secret", "refused"), [("true", ["hidden-secret"]), (None, [])])
def test_a_null_of_any_client_hides_a_secret_where_the_service_shows_none_and_a_login_needs_one(
    tmp_path: Path, secret: str | None, refused: list[str]
) -> None:
    spec = desired(manifest("a", AccessTokenDuration=60))
    with shop(tmp_path, body(A, "a", Active=True, ClientSecret=secret), profile="legacy") as service:
        service.transport = Masking(service.transport, None)
        assert rules(service.plan(spec)) == refused


def test_where_other_secrets_are_shown_a_null_is_taken_for_what_it_is_and_no_login_is_tried(tmp_path: Path) -> None:
    clients = (body(A, "a", Active=True), body(client_id(0xB), "b", ClientSecret="shown"))
    with shop(tmp_path, *clients, profile="legacy") as service:
        plan = service.plan(desired(manifest("a", AccessTokenDuration=60)))
        assert rules(plan) == []
        assert [one["path"] for one in service.requests()].count("/oauth/token") == 1


def test_a_null_of_the_client_that_the_run_is_logged_in_with_hides_a_secret(tmp_path: Path) -> None:
    spec = desired(manifest("Emulator Administration", id=ADMIN_CLIENT_ID, AccessTokenDuration=120))
    with hiding(tmp_path, None) as service:
        assert rules(service.plan(spec)) == ["hidden-secret"]
        masked(service).is_on = False
        assert rules(service.plan(spec)) == []
    with shop(tmp_path) as current:  # it has a named secret, and so nothing is hidden
        assert rules(current.plan(spec)) == []


def test_a_run_that_logs_in_without_a_secret_hides_none_of_its_own_client(tmp_path: Path) -> None:
    user = {"AllowSeller": True, "IsAnonBuyer": True, "DefaultContextUserName": "emulator-admin"}
    with shop(tmp_path, body(A, "a", Active=True, **user), profile="legacy") as service:
        service.credentials = ClientCredentials(A)
        assert rules(service.plan(desired(manifest("a", AccessTokenDuration=60)))) == []


class LooksAtSecretsFirst(httpx.BaseTransport):
    """Refuses a wrong secret of any client but the one of this run, whether or not the client is active."""

    def __init__(self, behind: httpx.BaseTransport) -> None:
        self._behind = behind

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        if request.url.path != "/oauth/token" or ADMIN_CLIENT_ID in request.content.decode():
            return self._behind.handle_request(request)
        return httpx.Response(400, json={"error": "invalid_client", "error_description": "invalid client secret"})


def test_a_wrong_secret_tells_of_a_hidden_one_of_an_inactive_client_where_the_service_looks_at_it_first(
    tmp_path: Path,
) -> None:
    spec = desired(manifest("a", AccessTokenDuration=60))
    with shop(tmp_path, body(A, "a", Active=False, ClientSecret="true"), profile="legacy") as service:
        hidden = Masking(service.transport, None)
        service.transport = hidden
        assert rules(service.plan(spec)) == []  # nobody can tell: see docs/decisions/0009
        service.transport = LooksAtSecretsFirst(hidden)
        assert rules(service.plan(spec)) == ["hidden-secret"]
