"""schemathesis makes requests of the OpenAPI document, good and bad ones, and judges the emulator's answers by it.

`make contract` installs it in the folder JUDGES, and names the document in OPENAPI_SPEC; else this test is skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from reconciler.emulator import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET, Emulator, Settings, running
from reconciler.emulator.web import all_routes
from tests.emulator.conftest import ASSIGNMENTS, OBJECTS
from tests.emulator.test_emulator_contract import shape

PROGRAM = Path(os.environ.get("JUDGES", "")) / "python" / "bin" / "st"
DOCUMENT = os.environ.get("OPENAPI_SPEC", "")
pytestmark = [
    pytest.mark.skipif(not PROGRAM.is_file(), reason="schemathesis is not in the folder JUDGES"),
    pytest.mark.skipif(not DOCUMENT, reason="OPENAPI_SPEC names no OpenAPI document"),
]

SECONDS = 45
KNOWN = {
    "apiClientID": ["E5A05785-CAFF-4F7D-9CC3-758F13865FC3", "0f0f0f0f-0000-4000-8000-00000000000a"],
    "buyerID": ["Acme"],
    "supplierID": ["tools"],
    "userID": ["reader", "shopper", "vendor"],
    "securityProfileID": ["shopping"],
    "integrationEventID": ["OrderReturn-Event"],
}
"""Ids of the seed for the variables of a path, since any others lead nowhere."""
EXCEPTIONS = {
    "positive_data_acceptance": "the document leaves out the rules: ids that exist, https, exclusive parties",
    "negative_data_rejection": "`judged` narrows ids in paths to known ones, and a PUT of another id creates it",
}
ERRORS = {
    "description": 'Knowledge base, "Errors": the document itself has only what succeeds.',
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["Errors"],
                "properties": {
                    "Errors": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["ErrorCode", "Message", "Data"],
                            "properties": {
                                "ErrorCode": {"type": "string"},
                                "Message": {"type": "string"},
                                "Data": {"type": ["object", "null"]},
                            },
                        },
                    }
                },
            }
        }
    },
}


def judged(document: dict[str, Any]) -> dict[str, Any]:
    """The part of the document that the emulator serves, with its errors; any property may be null."""
    served = {shape(route.method, route.path.removeprefix("/v1")) for route in all_routes("legacy")}
    for path, verbs in document["paths"].items():
        document["paths"][path] = {verb: each for verb, each in verbs.items() if shape(verb.upper(), path) in served}
        for each in document["paths"][path].values():
            each["responses"] |= {str(status): ERRORS for status in (400, 401, 403, 404, 405, 409)}
            for variable in (one for one in each.get("parameters", ()) if one["in"] == "path"):
                variable["schema"] = {"type": "string", "enum": [*KNOWN.get(variable["name"], []), "mine"]}
    for schema in document["components"]["schemas"].values():
        schema["properties"] = {
            name: {"anyOf": [{"type": "null"}, each]} for name, each in schema.get("properties", {}).items()
        }
    return document | {"openapi": "3.1.0", "paths": {path: verbs for path, verbs in document["paths"].items() if verbs}}


def test_no_request_of_the_document_gets_an_answer_that_it_does_not_have(tmp_path: Path) -> None:
    seed, document = tmp_path / "seed.json", tmp_path / "openapi.json"
    seed.write_text(json.dumps({"Objects": OBJECTS, "Assignments": ASSIGNMENTS}))
    document.write_text(json.dumps(judged(json.loads(Path(DOCUMENT).read_text("utf-8")))))
    emulator = Emulator(Settings(seed=seed, profile="legacy"))
    with running(emulator) as url:
        form = {"client_id": ADMIN_CLIENT_ID, "client_secret": ADMIN_CLIENT_SECRET}
        token = httpx.post(f"{url}/oauth/token", data={"grant_type": "client_credentials", **form}).json()
        command = [str(PROGRAM), "run", str(document), "--url", f"{url}/v1", "--max-time", str(SECONDS), "--seed", "1"]
        command += ["-H", f"Authorization: Bearer {token['access_token']}", "--exclude-checks", ",".join(EXCEPTIONS)]
        done = subprocess.run([*command, "--no-color"], cwd=tmp_path, capture_output=True, text=True, check=False)
    emulator.close()
    assert done.returncode == 0, done.stdout[-20_000:]
