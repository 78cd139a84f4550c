"""Every renderer on the same cases, compared with files that people have read.

`RECONCILER_GOLDEN=write pytest tests/render` writes the files anew; read the difference before committing it.
"""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Final

import pytest

from reconciler.errors import GuardRefusal, InputError, ReconcilerError
from reconciler.model.diagnostic import Checked, Diagnostic, Place, Report, Severity, Waiver
from reconciler.model.drift import Applied, Receipt, hashes_of
from reconciler.model.json import ABSENT
from reconciler.model.outcome import ApplyResult, Outcome, Status
from reconciler.model.plan import Action, Binding, Change, Direction, FieldChange, Finding, Notice, Plan, SecretIntent
from reconciler.model.resource import Address
from reconciler.model.secret import SecretReference, SecretSource
from reconciler.planning import drift as drifts
from reconciler.render import FORMATS, Format
from reconciler.render.style import PLAIN, Style
from tests.golden import golden

GOLDEN: Final = Path(__file__).parent / "golden"
DIGEST: Final = "0123456789abcdef" * 4
BINDING: Final = Binding("staging", "https://staging.example.com", "acme-staging", "f" * 64, "0.1.0", git_dirty=False)
ID: Final = "E5A05785-CAFF-4F7D-9CC3-758F13865FC3"
WIDENS, NARROWS = Direction.WIDENS, Direction.NARROWS


def change(name: str, action: Action, *fields: FieldChange, **more: object) -> Change:
    """A change of an API client with bodies that the renderers may look at."""
    before = None if action is Action.CREATE else {"ID": ID, "AppName": f"{name} app", "Active": True, "xp": {}}
    after = None if action in {Action.DELETE, Action.UNMANAGED} else {"AppName": f"{name} app"}
    place = None if action is Action.UNMANAGED else Place("manifests/clients.yaml", 7, 1)
    given = {"id": ID, "before": before, "after": after, "fields": fields, "place": place} | more
    return Change(Address("ApiClient", name), action, **given)  # type: ignore[arg-type]  # as the callers give them


def field(pointer: str, before: object, after: object, direction: Direction = Direction.NEUTRAL) -> FieldChange:
    return FieldChange(pointer, before, after, direction)  # type: ignore[arg-type]  # the cases hold JSON only


def secret(direction: Direction) -> FieldChange:
    return FieldChange("/ClientSecret", ABSENT, ABSENT, direction, sensitive=True)


CREATE: Final = change(
    "kiosk",
    Action.CREATE,
    field("/AppName", ABSENT, "Kiosk"),
    field("/AccessTokenDuration", ABSENT, 600, WIDENS),
    FieldChange("/MaximumGrantedRoles", ABSENT, ["MeAdmin", "Shopper"], added=("MeAdmin", "Shopper")),
    field("/xp", ABSENT, {"channel": "kiosk", "n": [1, True, None]}),
    secret(NARROWS),
    secrets=(SecretIntent("ClientSecret", SecretReference(SecretSource.ENVIRONMENT, "KIOSK_SECRET"), ""),),
)
UPDATE: Final = change(
    "storefront",
    Action.UPDATE,
    field("/Active", True, False, NARROWS),
    field("/AccessTokenDuration", 600, 700, WIDENS),
    field("/DefaultContextUserName", None, "anonymous-shopper", WIDENS),
    FieldChange("/MaximumGrantedRoles", ["A"], ["B"], WIDENS, added=("Shopper", "odd role"), removed=("MeAdmin",)),
    field("/xp/channel", "web", ABSENT),
    field("/xp/a~1b", ABSENT, {"deep": [1]}),
    protected=True,
)
LONG: Final = change("long", Action.UPDATE, field("/xp/text", "a" * 200 + "b" + "c" * 50, "a" * 200 + "d" + "c" * 90))
SECRETS: Final = (
    change("cleared", Action.UPDATE, secret(WIDENS), secrets=(SecretIntent("ClientSecret", None, ""),)),
    change("differs", Action.UPDATE, secret(Direction.NEUTRAL)),
    change("set", Action.UPDATE, secret(NARROWS)),
)
SETS: Final = (
    FieldChange("/MaximumGrantedRoles", [], ["MeAdmin"], NARROWS, added=("MeAdmin",)),
    FieldChange("/MinimumRequiredRoles", ["MeAdmin"], [], WIDENS, removed=("MeAdmin",)),
)
DELETE: Final = change("old", Action.DELETE)
UNMANAGED: Final = change(ID, Action.UNMANAGED)
IN_STEP: Final = change("same", Action.NO_OP)
HOSTILE: Final = change(
    "::set-output name=x::\x1b[2J",
    Action.UPDATE,
    field("/xp/\u202eevil", "\x07", "##vso[task.setvariable]\u200b\ud800\u2028"),
    id="::error::id",
    place=Place("::group::\n.yaml", 1, 2),
)
LIMIT: Final = Finding(
    "limit-changes", "25 resources would change; limits.changes allows 20", "split the change", (CREATE.address,)
)
FINAL: Final = Finding(
    "protected", "ApiClient/old is protected, and would be deleted", "unprotect it", can_be_acknowledged=False
)
WIDER: Final = Notice(
    IN_STEP.address,
    (field("/AllowAnyBuyer", True, False, NARROWS),),
    "ApiClient/same is open to all buyers, which no manifest asks for; to own it, add: AllowAnyBuyer: true",
)
WATCHED: Final = Notice(
    UPDATE.address,
    (FieldChange("/buyers", ["acme", "odd"], ["acme"], NARROWS, removed=("odd",)),),
    "ApiClient/storefront is assigned to buyer odd, which its manifest does not name",
    is_watched=True,
)

PLANS: Final = {
    "empty": Plan((), BINDING),
    "in-step": Plan((IN_STEP,), BINDING),
    "only-unmanaged": Plan((IN_STEP, change("plain name", Action.UNMANAGED, before={"ID": ID})), BINDING),
    "create": Plan((CREATE,), BINDING),
    "create-without-an-id": Plan((change("new", Action.CREATE, id=None, place=None),), BINDING),
    "update": Plan((IN_STEP, UPDATE), BINDING),
    "secrets": Plan(SECRETS, BINDING),
    "emptied-sets": Plan((change("sets", Action.UPDATE, *SETS),), BINDING),
    "long-values": Plan((LONG,), BINDING),
    "delete": Plan((DELETE,), BINDING),
    "pruned": Plan((DELETE, change(ID, Action.DELETE, place=None)), BINDING),
    "everything": Plan((CREATE, DELETE, IN_STEP, UNMANAGED, UPDATE), BINDING, (LIMIT,), ("an unknown role",)),
    "final-guard": Plan((DELETE,), BINDING, (LIMIT, FINAL)),
    "many-unmanaged": Plan(tuple(change(f"client {n:02}", Action.UNMANAGED) for n in range(13)), BINDING),
    "from-a-snapshot": Plan((DELETE,), BINDING, snapshot="2026-11-01T02:00:00Z"),
    "noticed": Plan((IN_STEP, UPDATE), BINDING, notices=(WIDER, WATCHED)),
    "hostile": Plan((HOSTILE,), BINDING, (), ("::warning::\x9b",), notices=(replace(WIDER, message="::notice::\x9b"),)),
}
RECEIPT: Final = Receipt(
    "2026-11-01T02:00:00Z",
    "staging",
    BINDING.base_url,
    BINDING.marketplace,
    "e" * 64,
    "1" * 40,
    is_complete=True,
    resources=(Applied(UPDATE.address, ID, hashes_of({"Active": True, "AccessTokenDuration": 700, "xp": {}})),),  # type: ignore[arg-type]  # no value of it is absent
)


def fingerprints(case: str) -> list[str]:
    return [one.fingerprint for one in drifts.find(PLANS[case]).deviations]


DRIFTS: Final = {case: drifts.find(plan) for case, plan in PLANS.items()} | {
    "with-receipt": drifts.find(PLANS["everything"], RECEIPT),
    "since-receipt": drifts.find(PLANS["everything"], RECEIPT, since_receipt=True),
    "with-baseline": drifts.find(
        PLANS["everything"],
        baseline=[
            one.fingerprint
            for one in drifts.find(PLANS["everything"]).deviations
            if one.address != CREATE.address and not one.pointer.startswith("/xp")
        ],
    ),
    "all-in-baseline": drifts.find(PLANS["update"], baseline=fingerprints("update")),
}
LOST: Final = (
    field("/AccessTokenDuration", 700, 600),
    field("/xp/new", 1, ABSENT),
    secret(Direction.NEUTRAL),
)
RESULTS: Final = {
    "nothing": ApplyResult((), unchanged=3),
    "applied": ApplyResult((Outcome(CREATE, Status.APPLIED, id="NEW-ID"), Outcome(UPDATE, Status.APPLIED)), 1),
    "mixed": ApplyResult(
        (
            Outcome(CREATE, Status.FAILED, "PUT /v1/apiclients/x, answered 400: no"),
            Outcome(UPDATE, Status.NOT_CONVERGED, fields=LOST),
            Outcome(DELETE, Status.CONFLICT, "it has changed since the plan was made: Active"),
            Outcome(HOSTILE, Status.SKIPPED, "::error::\x1b]8;;http://evil\x07"),
        ),
        1,
        run="20261124T170306.104233Z-9f3c",
    ),
    "uncertain": ApplyResult((Outcome(UPDATE, Status.FAILED, "no answer", uncertain=True),), 0),
    "interrupted": ApplyResult(
        (Outcome(UPDATE, Status.APPLIED), Outcome(DELETE, Status.SKIPPED, "stopped")), 0, interrupted=True
    ),
    "interrupted-late": ApplyResult((Outcome(UPDATE, Status.APPLIED),), 0, interrupted=True),
}
FAULT: Final = Diagnostic(
    Place("manifests/a.yaml", 3, 5),
    "unknown field Activ in spec",
    "unknown-field",
    "/spec/Activ",
    "did you mean Active?",
)
ODD: Final = Diagnostic(Place("::a\n.yaml"), "::error::\x1b[1m", "role", severity=Severity.WARNING)
WAIVER: Final = Waiver("unknown-field", "::why", "web-team", date(2026, 12, 31))
REPORTS: Final = {
    "valid": Report((), files=1, documents=2),
    "invalid": Report((Checked(FAULT), Checked(ODD, ("staging", "production"))), files=2, documents=None),
    "warned": Report((Checked(ODD),), files=2, documents=2),
    "waived": Report((), files=2, documents=2, waived=((Checked(FAULT, ("staging",)), WAIVER),)),
}


ERRORS: Final[dict[str, ReconcilerError]] = {
    "invalid": InputError([FAULT, ODD]),
    "mixed": GuardRefusal([LIMIT, FINAL], hint="split the change"),
    "hostile": ReconcilerError("::error::\x1b[1m @everyone", hint="](http://evil.example)"),
}


EVERY_CASE: Final = frozenset({"text", "json"})
"""The other formats lay out what these say: they get the cases below, which have all of it."""
TELLING: Final = frozenset(
    {
        "everything",
        "noticed",
        "hostile",
        "in-step",
        "from-a-snapshot",
        "with-receipt",
        "mixed",
        "nothing",
        "invalid",
        "waived",
    }
)
APART: Final = frozenset({"html"})
"""Judged by a browser."""


def documents(style: Style) -> dict[str, str]:
    """Every document of every format: the name of the golden file -> the text."""
    texts: dict[str, str] = {}
    for name, known in FORMATS.items():
        if name not in APART:
            made = _of_format(known, name, style)
            cut = {key: text for key, text in made.items() if name in EVERY_CASE or key.split(".")[0] in TELLING}
            texts |= cut
    return texts


def _of_format(known: Format, name: str, style: Style) -> dict[str, str]:
    texts: dict[str, str] = {}
    texts |= {f"{case}.plan.{name}": known.plan(plan, DIGEST, style) for case, plan in PLANS.items() if known.plan}
    texts |= {f"{case}.drift.{name}": known.drift(d, DIGEST, style) for case, d in DRIFTS.items() if known.drift}
    texts |= {f"{case}.result.{name}": known.result(r, style) for case, r in RESULTS.items() if known.result}
    texts |= {f"{case}.check.{name}": known.validation(r, style) for case, r in REPORTS.items() if known.validation}
    texts |= {f"{case}.failure.{name}": known.failure("plan", e, style) for case, e in ERRORS.items()}
    return texts


LOOK: Final = replace(PLAIN, environment="staging")
PLAIN_DOCUMENTS: Final = documents(LOOK)


@pytest.mark.parametrize("name", PLAIN_DOCUMENTS)
def test_a_document_reads_as_its_golden_file(name: str) -> None:
    path = GOLDEN / f"{name.replace('.text', '.txt')}"
    assert PLAIN_DOCUMENTS[name] == golden(path, PLAIN_DOCUMENTS[name])


def test_no_golden_file_is_left_over() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {name.replace(".text", ".txt") for name in PLAIN_DOCUMENTS}


def test_colour_changes_nothing_but_colour() -> None:
    coloured = documents(replace(LOOK, colour=True))
    assert any("\x1b[" in text for text in coloured.values())
    assert {name: re.sub(r"\x1b\[[0-9;]*m", "", text) for name, text in coloured.items()} == PLAIN_DOCUMENTS


@pytest.mark.parametrize("name", PLAIN_DOCUMENTS)
def test_no_document_holds_anything_but_visible_ascii_of_our_own(name: str) -> None:
    lines = PLAIN_DOCUMENTS[name].split("\n")
    assert all(line.isprintable() for line in lines)
    assert not [line for line in lines if "##vso[" in line]
    if not name.endswith(".github"):  # there they are ours
        assert not [line for line in lines if line.lstrip().startswith("::")]


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
def test_the_statuses_in_a_result_and_what_is_unchanged_add_up_to_the_planned_resources(result: ApplyResult) -> None:
    assert sum(result.count(status) for status in Status) + result.unchanged == result.planned
