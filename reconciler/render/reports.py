"""What `adopt`, `doctor` and `environments` show -> text for people, or a JSON document for programs."""

import json
from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import Final

from reconciler.errors import ReconcilerError
from reconciler.model.dataclass import dataclass
from reconciler.model.json import Json
from reconciler.model.reports import Adoption, Candidate, Check, Diagnosis, Proposal, State, Verdict
from reconciler.render.escape import escape, json_document
from reconciler.render.style import Style, Tone, Writers, columns, laid_out
from reconciler.render.wording import number

_OF_STATES: Final = {
    State.BIND: Tone.CREATE,
    State.BOUND: Tone.QUIET,
    State.NOT_LIVE: Tone.STRONG,
    State.STALE: Tone.UPDATE,
    State.AMBIGUOUS: Tone.ALARM,
    State.TAKEN: Tone.ALARM,
}
_TOTALS: Final = {
    State.BIND: "to bind",
    State.BOUND: "bound already",
    State.NOT_LIVE: "not live",
    State.STALE: "bound to an id that is not live",
    State.AMBIGUOUS: "ambiguous",
    State.TAKEN: "whose object is taken",
}
_STATE_WIDTH: Final = max(map(len, State))


@dataclass(frozen=True, slots=True)
class Adopted:
    """What is shown: the proposals, and what became of them."""

    adoption: Adoption
    file: str
    """Where the ids go, as messages call it: the configuration, or a file of ids."""
    written: bool
    """Whether the ids to be bound stand in the file now."""
    asked: bool = False
    """Whether they were to be written."""
    failure: ReconcilerError | None = None
    """Why they could not be."""
    at: str = ""
    """Below which key of the file the ids are; empty: it has nothing else."""


def adoption_text(adopted: Adopted, style: Style) -> str:
    """A line for each manifest, the totals, and what was or can be written."""
    adoption = adopted.adoption
    where = f"marketplace {escape(adoption.marketplace)} at {escape(adoption.base_url)}"
    head = f"Environment {escape(adoption.environment)}: {where}"
    width = max((len(escape(str(one.address))) for one in adoption.proposals), default=0)
    lines = [line for one in adoption.proposals for line in _adopted(one, width, style)]
    return laid_out(
        [head, "", *lines, *([""] if lines else []), _adoption_totals(adoption, style), *_end(adopted)], style
    )


def _adopted(one: Proposal, width: int, style: Style) -> Iterator[str]:
    state = style.paint(_OF_STATES[one.state], f"{one.state:<{_STATE_WIDTH}}")
    known = f"{escape(one.id)}  " if one.id else ""
    yield f"{state}  {escape(str(one.address)):<{width}}  {known}{escape(one.note)}"
    for candidate in one.candidates:
        yield f"{'':<{_STATE_WIDTH}}  {'':<{width}}  {escape(candidate.id)}  {_looks(candidate)}".rstrip()


def _looks(candidate: Candidate) -> str:
    labels = " ".join(f"{escape(name)}={escape(value)}" for name, value in candidate.labels.items())
    return f"{'active' if candidate.active else 'inactive'}  {labels}"


def _adoption_totals(adoption: Adoption, style: Style) -> str:
    counts = [f"{adoption.count(state):,} {words}" for state, words in _TOTALS.items() if adoption.count(state)]
    return f"{style.paint(Tone.STRONG, 'Adopt:')} {', '.join(counts) or 'there are no manifests'}."


def _end(adopted: Adopted) -> Iterator[str]:
    adoption, file = adopted.adoption, escape(adopted.file)
    ids = number(len(adoption.ids), "id")
    if not adoption.ids:
        yield "There is nothing to write."
    elif adopted.written:
        yield f"Written: {ids}, under {escape(adopted.at)} of {file}." if adopted.at else f"Written: {ids}, in {file}."
    elif adoption.faults:
        yield "Nothing was written: the manifests above that are ambiguous or taken need a decision first."
    elif adopted.asked:
        yield f"Nothing was written: {file} was left as it is."
    else:
        yield f"Nothing was written. To write {ids} into {file}, add --write."


def adoption_document(adopted: Adopted, _style: Style) -> str:
    """The JSON document: ASCII, so that it holds nothing that a terminal could take for more than text."""
    adoption = adopted.adoption
    return json_document(
        environment=adoption.environment,
        base_url=adoption.base_url,
        marketplace=adoption.marketplace,
        file=adopted.file,
        written=adopted.written,
        summary={state.value.replace("-", "_"): adoption.count(state) for state in State},
        ids={str(address): one for address, one in adoption.ids.items()},
        proposals=[_proposal(one) for one in adoption.proposals],
    )


def _proposal(one: Proposal) -> Json:
    return {
        "address": str(one.address),
        "kind": one.address.kind,
        "name": one.address.name,
        "state": one.state.value,
        "id": one.id,
        "note": one.note,
        "candidates": [_candidate(candidate) for candidate in one.candidates],
    }


def _candidate(one: Candidate) -> Json:
    return {"id": one.id, "active": one.active, "labels": dict(one.labels)}


ADOPTIONS: Final[Writers[Adopted]] = MappingProxyType({"text": adoption_text, "json": adoption_document})


@dataclass(frozen=True, slots=True)
class Listed:
    """One environment, as far as it may be shown."""

    name: str
    base_url: str | None
    """None: the built-in emulator."""
    marketplace: str | None
    is_default: bool
    """Whether it is the one that is meant where none is named."""


def environments_text(environments: Sequence[Listed], style: Style) -> str:
    """A line for each environment; the default one is marked."""
    if not environments:
        return ""
    head, *lines = columns([("ENVIRONMENT", "ADDRESS", "MARKETPLACE", ""), *map(_row, environments)])
    return laid_out([style.paint(Tone.STRONG, head), *lines], style)


def _row(one: Listed) -> tuple[str, str, str, str]:
    default = "(default)" if one.is_default else ""
    return escape(one.name), escape(one.base_url or "built-in emulator"), escape(one.marketplace or "-"), default


def environments_document(environments: Sequence[Listed], _style: Style) -> str:
    """The JSON document: all that the table has."""
    return json_document(environments=[_environment(one) for one in environments])


def _environment(one: Listed) -> Json:
    return {
        "name": one.name,
        "base_url": one.base_url,
        "emulator": one.base_url is None,
        "marketplace": one.marketplace,
        "default": one.is_default,
    }


def github_matrix(environments: Sequence[Listed], _style: Style) -> str:
    """One line that ``strategy.matrix: ${{ fromJSON(...) }}`` of a workflow takes: a job for each environment."""
    content = {"include": [{"environment": one.name} for one in environments]}
    return json.dumps(content, ensure_ascii=True, separators=(",", ":")) + "\n"


ENVIRONMENTS: Final[Writers[Sequence[Listed]]] = MappingProxyType(
    {"text": environments_text, "json": environments_document, "github-matrix": github_matrix}
)


_OF_VERDICTS: Final = {
    Verdict.OK: Tone.CREATE,
    Verdict.WARNING: Tone.UPDATE,
    Verdict.FAILED: Tone.ALARM,
    Verdict.SKIPPED: Tone.QUIET,
    Verdict.INFO: Tone.STRONG,
}
_VERDICT_WIDTH: Final = max(map(len, Verdict))


def diagnosis_text(diagnosis: Diagnosis, style: Style) -> str:
    """One line for each check, the fix below it, then the totals."""
    checks = [line for check in diagnosis.checks for line in _checked(check, diagnosis, style)]
    return laid_out(
        [f"Environment {escape(diagnosis.environment)}", "", *checks, "", _diagnosis_totals(diagnosis, style)], style
    )


def _checked(check: Check, diagnosis: Diagnosis, style: Style) -> Iterator[str]:
    width = max(len(one.name) for one in diagnosis.checks)
    verdict = style.paint(_OF_VERDICTS[check.verdict], f"{check.verdict:<{_VERDICT_WIDTH}}")
    yield f"{verdict}  {check.name:<{width}}  {escape(check.found)}"
    if check.fix:
        yield f"{'':<{_VERDICT_WIDTH}}  {'':<{width}}  fix: {escape(check.fix)}"


def _diagnosis_totals(diagnosis: Diagnosis, style: Style) -> str:
    healthy = diagnosis.is_healthy
    word = style.paint(Tone.CREATE if healthy else Tone.ALARM, "Healthy:" if healthy else "Not healthy:")
    order = (Verdict.FAILED, Verdict.WARNING, Verdict.SKIPPED, Verdict.OK, Verdict.INFO)
    counts = [f"{diagnosis.count(one)} {_PLURALS.get(one, one)}" for one in order if diagnosis.count(one)]
    return f"{word} {', '.join(counts)}."


_PLURALS: Final = {Verdict.WARNING: "with a warning", Verdict.INFO: "for information"}


def diagnosis_document(diagnosis: Diagnosis, _style: Style) -> str:
    """The JSON document: ASCII, its texts escaped as they are for people."""
    return json_document(
        ok=diagnosis.is_healthy,
        environment=escape(diagnosis.environment),
        checks=[_check(check) for check in diagnosis.checks],
    )


def _check(check: Check) -> Json:
    return {
        "name": check.name,
        "status": check.verdict.value,
        "found": escape(check.found),
        "fix": escape(check.fix),
    }


DIAGNOSES: Final[Writers[Diagnosis]] = MappingProxyType({"text": diagnosis_text, "json": diagnosis_document})
