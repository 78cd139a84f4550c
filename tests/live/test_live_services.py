"""Services that lack a kind, and logins that lack a role: the message says which, and where."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.errors import AccessDenied, InputError, NoSuchKind, ReconcilerError
from reconciler.manifests.context import LoadContext
from reconciler.manifests.load import load
from reconciler.model.plan import Action
from reconciler.model.resource import DesiredState
from tests.service import NO_LIMITS, Shop, shop

HEAD = "apiVersion: reconciler/v1\n"
TRACKING = (
    f"{HEAD}kind: TrackingEvent\nmetadata: {{name: t}}\n"
    "spec: {Name: T, EventType: UserLoggedIn, ClientID: A, DeliveryConfigID: mails}\n"
)
PROFILE = f"{HEAD}kind: SecurityProfile\nmetadata: {{name: p}}\nspec: {{Name: P}}\nassignments: {{seller: true}}\n"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Shop]:
    """A marketplace of the older generation, which knows neither tracking events nor delivery configurations."""
    with shop(tmp_path, profile="legacy") as opened:
        yield opened


def manifests(folder: Path, *texts: str) -> DesiredState:
    folder.mkdir()
    (folder / "all.yaml").write_text("---\n".join(texts))
    return load([folder], LoadContext()).desired


def test_a_kind_that_the_service_does_not_have_is_an_error_where_a_manifest_names_it(
    service: Shop, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        service.plan(manifests(tmp_path / "m", PROFILE, TRACKING))
    (fault,) = caught.value.diagnostics
    message = "this service has no tracking events (GET /v1/integrations/trackingEvents returned 404)"
    assert (fault.message, fault.place.line) == (message, 8)
    assert "remove its manifests" in fault.hint


def test_a_kind_that_only_the_configuration_names_is_an_error_that_says_so(service: Shop) -> None:
    with service.reader() as reader, pytest.raises(NoSuchKind, match="this service has no tracking events"):
        pipeline.live(reader, NO_LIMITS, ["TrackingEvent", "SecurityProfile"])


def test_a_kind_that_is_watched_and_that_the_service_does_not_have_is_an_error_that_says_where(
    service: Shop, tmp_path: Path
) -> None:
    watching = replace(NO_LIMITS, manages=frozenset({"TrackingEvent"}))
    with pytest.raises(ReconcilerError, match=r"no tracking events \(GET /v1/integrations/trackingEvents") as caught:
        service.plan(manifests(tmp_path / "m", PROFILE), watching)
    assert caught.value.hint.startswith("remove TrackingEvent from manage: in reconciler.yaml")


SYNC = (
    f"{HEAD}kind: ProductSync\nmetadata: {{name: sync}}\n"
    "spec: {DeliveryConfigID: mails, SyncProductChanged: true, SyncProductDeleted: true}\n"
)


def test_a_kind_that_is_newer_than_the_service_is_not_just_not_set(service: Shop, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        service.plan(manifests(tmp_path / "m", SYNC))
    (fault,) = caught.value.diagnostics
    assert fault.message == "this service has no product syncs (GET /v1/integrations/productsync returned 404)"
    with service.reader() as reader:
        kinds = ["ProductSync", "SecurityProfile"]
        assert pipeline.live(reader, NO_LIMITS, kinds, optional=kinds).kinds == {"SecurityProfile"}


@pytest.mark.parametrize("status", [401, 404])
def test_a_service_that_does_not_describe_itself_has_all_kinds(service: Shop, tmp_path: Path, status: int) -> None:
    service.fault(f"GET /v1/openapi/v3 status={status} count=all")
    (change,) = [
        one for one in service.plan(manifests(tmp_path / "m", SYNC)).changes if one.address.kind == "ProductSync"
    ]
    assert change.action is Action.CREATE


def test_what_is_set_is_not_asked_for_twice(tmp_path: Path) -> None:
    with shop(tmp_path, objects={"ProductSync": {"DeliveryConfigID": "mails"}}) as current:
        current.plan(manifests(tmp_path / "m", SYNC))
        assert [one["path"] for one in current.requests() if "openapi" in one["path"]] == []


@pytest.mark.parametrize(
    ("path", "what", "roles"),
    [
        ("", "reading security profiles", "SecurityProfileReader, SecurityProfileAdmin, SetSecurityProfile"),
        ("/assignments", "reading assignments of security profiles", "SecurityProfileAdmin, SetSecurityProfile"),
    ],
)
def test_a_refused_read_names_the_roles_that_it_takes(
    service: Shop, tmp_path: Path, path: str, what: str, roles: str
) -> None:
    wanted = manifests(tmp_path / "m", PROFILE)
    service.converge(wanted)
    service.fault(f"GET /v1/securityprofiles{path} status=403 count=all")
    with pytest.raises(AccessDenied) as caught:
        service.plan(wanted)
    assert caught.value.hint.startswith(f"{what} requires one of the roles {roles}, FullAccess")


def test_a_refused_assignment_names_the_roles_that_it_takes(service: Shop, tmp_path: Path) -> None:
    plan = service.plan(manifests(tmp_path / "m", PROFILE))
    service.fault("POST /v1/securityprofiles/assignments status=403 count=all")
    (outcome,) = service.apply(plan).outcomes
    words = (
        "writing assignments of security profiles requires one of the roles SecurityProfileAdmin, SetSecurityProfile"
    )
    assert words in outcome.message


def test_a_refused_write_names_the_roles_that_it_takes(service: Shop, tmp_path: Path) -> None:
    plan = service.plan(manifests(tmp_path / "m", PROFILE))
    service.fault("PUT /v1/securityprofiles/p status=403 count=all")
    (outcome,) = service.apply(plan).outcomes
    assert (
        "writing security profiles requires one of the roles SecurityProfileAdmin, SetSecurityProfile"
        in outcome.message
    )
