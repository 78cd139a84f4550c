"""A marketplace whose objects of several kinds have hostile names and values, through every command and format."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.model.json import Body, Json
from tests.cli.conftest import Project, Runner
from tests.hostile import PAYLOADS
from tests.render.test_escape import is_harmless
from tests.service import client_id

SHOWN = [one for one in PAYLOADS if one != "\ud800"]
TEXTS = tuple("\n".join(SHOWN[at : at + 4])[:100] for at in range(0, len(SHOWN), 4))
KINDS = ["ApiClient", "IntegrationEvent", "SecurityProfile", "AdminUserGroup", "Webhook"]


def objects(number: int, text: str) -> Iterator[tuple[str, Body]]:
    """One of each kind, which has the text wherever one can be."""
    extra: Json = {text: [text]}
    url, key = f"https://shop.example/{text}", f"o{number}"
    one = client_id(number + 0x100)
    yield f"apiclients/{one}", {"ID": one, "AppName": text, "AccessTokenDuration": 600, "xp": extra}
    event: Body = {"EventType": "OrderCheckout", "HashKey": "k", "CustomImplementationUrl": url, "ConfigData": extra}
    yield f"integrationEvents/{key}", {"ID": key, "Name": text, "ElevatedRoles": [], **event}
    yield f"securityprofiles/{key}", {"ID": key, "Name": text, "Roles": ["Shopper"], "CustomRoles": [text]}
    yield f"usergroups/{key}", {"ID": key, "Name": text, "Description": text, "xp": extra}
    hook: Body = {
        "Url": url,
        "HashKey": "k",
        "WebhookRoutes": [{"Route": "v1/buyers", "Verb": "POST"}],
        "ConfigData": extra,
    }
    yield f"webhooks/{key}", {"ID": key, "Name": text, "Description": text, "ApiClientIDs": [], **hook}


def fill(project: Project, prefix: str) -> None:
    for number, text in enumerate(TEXTS):
        for path, body in objects(number, f"{prefix}{text}"[:100]):
            assert "Errors" not in project.ask("PUT", f"/v1/{path}", body)


def demand_harmless(run: Runner, *arguments: str, code: int = 0) -> None:
    done = run(*arguments)
    assert done.code == code, done.err
    assert is_harmless(done.out), arguments
    assert is_harmless(done.err), arguments


def demand_all_formats_harmless(run: Runner, *, drifted: bool) -> None:
    for name in ("text", "jsonl", "markdown", "json"):
        demand_harmless(run, "plan", "--format", name)
    for name in ("text", "json", "jsonl", "markdown", "junit", "sarif"):
        demand_harmless(run, "drift", "--format", name, "--metrics", "drift.prom", code=2 if drifted else 0)
    assert is_harmless(Path("drift.prom").read_text(encoding="utf-8"))


@pytest.mark.sweep
def test_what_somebody_has_written_into_the_service_reaches_nobody_unescaped(project: Project, run: Runner) -> None:
    file = project.folder / "reconciler.yaml"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"manage": KINDS}).replace('{"changes": 2}', "{}"))
    fill(project, "")
    demand_all_formats_harmless(run, drifted=False)
    demand_harmless(run, "plan", "--prune", "--format", "json", code=3)
    demand_harmless(run, "export", "--kinds", "all", "--write")
    demand_harmless(run, "validate")
    demand_harmless(run, "plan", "--detailed-exitcode")
    fill(project, "other-")
    demand_all_formats_harmless(run, drifted=True)
    demand_harmless(run, "drift", "--write-back", code=2)
    demand_harmless(run, "apply", "--auto-approve", "--verbose")
    for arguments in (["history"], ["secrets", "status"], ["doctor"], ["adopt"]):
        for name in ("text", "json"):
            demand_harmless(run, *arguments, "--format", name)
    demand_harmless(run, "history", "show", "last")
    demand_harmless(run, "rollback", "last", "--auto-approve")
