"""The results of `adopt`, `environments`, `doctor`, `export`, `import`, `init` -> text or JSON."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import Final

from reconciler.errors import ReconcilerError
from reconciler.model.dataclass import dataclass
from reconciler.model.json import Json
from reconciler.model.reports import (
    Adoption,
    BindingState,
    Check,
    Diagnosis,
    Exported,
    ExportStatus,
    LeftOut,
    ObjectSummary,
    Proposal,
    Verdict,
)
from reconciler.render.escape import escape, joined, json_document
from reconciler.render.style import Style, Tone, Writers, columns, laid_out
from reconciler.render.text import edits
from reconciler.render.wording import number, summed

# ---------------------------------------------------------------------------------------------------------------- adopt

_STATES: Final = {
    BindingState.BIND: ("to bind", Tone.CREATE),
    BindingState.BOUND: ("already bound", Tone.QUIET),
    BindingState.NOT_LIVE: ("not live", Tone.STRONG),
    BindingState.STALE: ("bound to an id that is not live", Tone.UPDATE),
    BindingState.AMBIGUOUS: ("ambiguous", Tone.ALARM),
    BindingState.TAKEN: ("with an object bound to another manifest", Tone.ALARM),
}
"""The words for each state in the totals, and its tone."""
_STATE_WIDTH: Final = max(map(len, BindingState))


@dataclass(frozen=True, slots=True)
class Adopted:
    """The proposals, and what was written."""

    adoption: Adoption
    file: str
    """The file of the ids for messages: the configuration, or a file of ids."""
    written: bool
    """Whether the ids were written to the file."""
    asked: bool = False
    """Whether writing was requested."""
    failure: ReconcilerError | None = None
    """Why they could not be written."""
    at: str = ""
    """The key above the ids; empty: the file contains only ids."""


def adoption_text(adopted: Adopted, style: Style) -> str:
    """A line for each manifest, the totals, and what was or can be written."""
    adoption = adopted.adoption
    where = f"marketplace {escape(adoption.marketplace)} at {escape(adoption.base_url)}"
    head = f"Environment {escape(adoption.environment)}: {where}"
    width = max((len(escape(str(one.address))) for one in adoption.proposals), default=0)
    lines = [line for one in adoption.proposals for line in _adopted(one, width, style)]
    proposals = [*lines, ""] if lines else []
    return laid_out([head, "", *proposals, _adoption_totals(adoption, style), *_end(adopted)], style)


def _adopted(one: Proposal, width: int, style: Style) -> Iterator[str]:
    _, tone = _STATES[one.state]
    state = style.paint(tone, f"{one.state:<{_STATE_WIDTH}}")
    known = f"{escape(one.id)}  " if one.id else ""
    yield f"{state}  {escape(str(one.address)):<{width}}  {known}{escape(one.note)}"
    for candidate in one.candidates:
        yield f"{'':<{_STATE_WIDTH}}  {'':<{width}}  {escape(candidate.id)}  {_looks(candidate)}".rstrip()


def _looks(candidate: ObjectSummary) -> str:
    labels = " ".join(f"{escape(name)}={escape(value)}" for name, value in candidate.labels.items())
    return f"{'active' if candidate.active else 'inactive'}  {labels}"


def _adoption_totals(adoption: Adoption, style: Style) -> str:
    counts = summed({words: adoption.count(state) for state, (words, _) in _STATES.items()})
    return f"{style.paint(Tone.STRONG, 'Adopt:')} {counts or 'no manifests'}."


def _end(adopted: Adopted) -> Iterator[str]:
    adoption, file = adopted.adoption, escape(adopted.file)
    ids = number(len(adoption.ids), "id")
    if not adoption.ids:
        yield "Nothing to write."
    elif adopted.written:
        yield f"Written: {ids}, under {escape(adopted.at)} of {file}." if adopted.at else f"Written: {ids}, in {file}."
    elif adoption.faults:
        yield "Nothing was written: resolve the ambiguous or taken manifests above first."
    elif adopted.asked:
        yield f"Nothing was written: {file} is unchanged."
    else:
        yield f"Nothing was written. To write {ids} into {file}, add --write."


def adoption_document(adopted: Adopted, _style: Style) -> str:
    """The JSON document, in ASCII."""
    adoption = adopted.adoption
    return json_document(
        environment=adoption.environment,
        base_url=adoption.base_url,
        marketplace=adoption.marketplace,
        file=adopted.file,
        written=adopted.written,
        summary={state.value.replace("-", "_"): adoption.count(state) for state in BindingState},
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
        "candidates": [{"id": of.id, "active": of.active, "labels": dict(of.labels)} for of in one.candidates],
    }


ADOPTIONS: Final[Writers[Adopted]] = MappingProxyType({"text": adoption_text, "json": adoption_document})


# --------------------------------------------------------------------------------------------------------- environments


@dataclass(frozen=True, slots=True)
class ListedEnvironment:
    """The fields of an environment that may be shown."""

    name: str
    base_url: str | None
    """None: the built-in emulator."""
    marketplace: str | None
    is_default: bool
    """Whether it is the default environment."""


def environments_text(environments: Sequence[ListedEnvironment], style: Style) -> str:
    """A line for each environment; the default one is marked."""
    if not environments:
        return ""
    head, *lines = columns([("ENVIRONMENT", "ADDRESS", "MARKETPLACE", ""), *map(_row, environments)])
    return laid_out([style.paint(Tone.STRONG, head), *lines], style)


def _row(one: ListedEnvironment) -> tuple[str, str, str, str]:
    default = "(default)" if one.is_default else ""
    return escape(one.name), escape(one.base_url or "built-in emulator"), escape(one.marketplace or "-"), default


def environments_document(environments: Sequence[ListedEnvironment], _style: Style) -> str:
    """The JSON document, with all fields of the table."""
    return json_document(environments=[_environment(one) for one in environments])


def _environment(one: ListedEnvironment) -> Json:
    return {
        "name": one.name,
        "base_url": one.base_url,
        "emulator": one.base_url is None,
        "marketplace": one.marketplace,
        "default": one.is_default,
    }


def github_matrix(environments: Sequence[ListedEnvironment], _style: Style) -> str:
    """One line for ``strategy.matrix: ${{ fromJSON(...) }}`` of a workflow: a job for each environment."""
    content = {"include": [{"environment": one.name} for one in environments]}
    return json.dumps(content, ensure_ascii=True, separators=(",", ":")) + "\n"


ENVIRONMENTS: Final[Writers[Sequence[ListedEnvironment]]] = MappingProxyType(
    {"text": environments_text, "json": environments_document, "github-matrix": github_matrix}
)


# --------------------------------------------------------------------------------------------------------------- doctor

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
    head = f"Environment {escape(diagnosis.environment)}"
    return laid_out([head, "", *checks, "", _diagnosis_totals(diagnosis, style)], style)


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
    return f"{word} {summed({_PLURALS.get(one, one): diagnosis.count(one) for one in order})}."


_PLURALS: Final = {Verdict.WARNING: "with a warning", Verdict.INFO: "for information"}


def diagnosis_document(diagnosis: Diagnosis, _style: Style) -> str:
    """The JSON document, in ASCII, with texts escaped as in the text format."""
    checks = [
        {"name": one.name, "status": one.verdict.value, "found": escape(one.found), "fix": escape(one.fix)}
        for one in diagnosis.checks
    ]
    return json_document(ok=diagnosis.is_healthy, environment=escape(diagnosis.environment), checks=checks)


DIAGNOSES: Final[Writers[Diagnosis]] = MappingProxyType({"text": diagnosis_text, "json": diagnosis_document})


# ---------------------------------------------------------------------------------------------------- export and import

_OF_FILES: Final = {ExportStatus.NEW: Tone.CREATE, ExportStatus.CHANGED: Tone.UPDATE}
_FILE_WIDTH: Final = max(map(len, _OF_FILES))


@dataclass(frozen=True, slots=True)
class Exporting:
    """The content of the report."""

    source: str
    """The source of the objects, for the first line."""
    objects: Sequence[Exported]
    edits: Sequence[tuple[str, str, str]] = ()
    """The existing files that change, each with its text before and after."""
    left_out: Sequence[LeftOut] = ()
    """Files that belong to no object."""
    written: bool = False
    end: Sequence[str] = ()
    """Notes and next steps."""


def export_text(shown: Exporting, style: Style) -> str:
    """A line for each object with a new or changed file, the changes as a diff, what is left out, and the totals."""
    filed = [one for one in shown.objects if one.status in {ExportStatus.NEW, ExportStatus.CHANGED}]
    width = max((len(escape(str(one.address))) for one in filed), default=0)
    lines = [_object(one, width, style) for one in filed]
    diffs = [line for edit in shown.edits for line in edits(*edit, style).splitlines()]
    left = [*_left_out(shown, style)]
    blocks = [[escape(shown.source)], lines, diffs, left, [_export_totals(shown, style), *_export_end(shown)]]
    return laid_out((line for block in blocks if block for line in (*block, "")), style).removesuffix("\n")


def _object(one: Exported, width: int, style: Style) -> str:
    status = style.paint(_OF_FILES[one.status], f"{one.status:<{_FILE_WIDTH}}")
    return f"{status}  {escape(str(one.address)):<{width}}  {escape(one.file)}"


def _left_out(shown: Exporting, style: Style) -> Iterator[str]:
    named = [(f"{_called(one)} {left.what}", left.reason) for one in shown.objects for left in one.left_out]
    named += [(left.what, left.reason) for left in shown.left_out]
    if named:
        yield style.paint(Tone.STRONG, "Left out:")
        yield from (f"    {escape(what)}: {escape(reason)}" for what, reason in named)


def _called(one: Exported) -> str:
    """The address, and the name of the object if the address has only its id."""
    return f'{one.address} "{one.title}"' if one.status is ExportStatus.LEFT and one.title else str(one.address)


def _export_totals(shown: Exporting, style: Style) -> str:
    words = {
        ExportStatus.NEW: "new",
        ExportStatus.CHANGED: "changed",
        ExportStatus.SAME: "already up to date",
        ExportStatus.LEFT: "left out",
    }
    counts = {words[status]: sum(one.status is status for one in shown.objects) for status in ExportStatus}
    return f"{style.paint(Tone.STRONG, 'Manifests:')} {summed(counts) or 'no objects'}."


def _export_end(shown: Exporting) -> Iterator[str]:
    files = len({one.file for one in shown.objects if one.status is ExportStatus.NEW}) + len(shown.edits)
    if not files:
        yield "Nothing to write."
    elif shown.written:
        yield f"Written: {number(files, 'file')}."
    else:
        yield f"Nothing was written. To write {'this file' if files == 1 else f'these {files:,} files'}, add --write."
    yield from map(escape, shown.end)


def export_document(shown: Exporting, _style: Style) -> str:
    """The JSON document."""
    return json_document(
        source=shown.source,
        written=shown.written,
        objects=[_exported(one) for one in shown.objects],
        changed_files=[file for file, _, _ in shown.edits],
        left_out=[asdict(one) for one in shown.left_out],
    )


def _exported(one: Exported) -> Json:
    return {
        "address": str(one.address),
        "title": one.title,
        "status": one.status.value,
        "file": one.file,
        "left_out": [asdict(left) for left in one.left_out],
    }


EXPORTS: Final[Writers[Exporting]] = MappingProxyType({"text": export_text, "json": export_document})


# ----------------------------------------------------------------------------------------------------------------- init

_COMMAND_WIDTH: Final = 27


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """One file, written or kept."""

    path: str
    written: bool
    advice: str = ""
    """What to do about a file that was kept."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command to run next."""

    command: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """The content of the report."""

    files: Sequence[WrittenFile] = ()
    edits: Sequence[tuple[str, str, str]] = ()
    """The files that got an environment or its variables, each with its text before and after."""
    exported: Exporting | None = None
    conditions: Sequence[str] = ()
    """What the commands require: a folder, variables."""
    commands: Sequence[Command] = ()
    notes: Sequence[str] = ()
    """Further notes."""
    failure: ReconcilerError | None = None
    """Why the requested export failed."""


def init_text(started: Started, style: Style) -> str:
    """A line for each file, the new lines of the configuration, the export, and the commands to run next."""
    files = joined(map(_file, started.files)) if started.files else ""
    changed = "".join(edits(*one, style) for one in started.edits)
    exported = f"\n{export_text(started.exported, style)}" if started.exported else ""
    return files + changed + exported + joined(_next_steps(started))


def _file(file: WrittenFile) -> str:
    if file.written:
        return f"written  {escape(file.path)}"
    return f"kept     {escape(file.path)} (already exists){f'; {file.advice}' if file.advice else ''}"


def _next_steps(started: Started) -> Iterator[str]:
    if started.commands:
        yield ""
        yield f"{', '.join(['Next', *map(escape, started.conditions)])}:"
    for one in started.commands:
        comment = f" # {one.comment}" if one.comment else ""
        yield f"  {escape(one.command):<{_COMMAND_WIDTH if comment else 0}}{comment}"
    if started.notes:
        yield ""
        yield from map(escape, started.notes)


def init_document(started: Started, style: Style) -> str:
    """The JSON document."""
    return json_document(
        files=[asdict(file) for file in started.files],
        changed_files=[file for file, _, _ in started.edits],
        export=json.loads(export_document(started.exported, style)) if started.exported else None,
        next=[one.command for one in started.commands],
        notes=list(started.notes),
    )


STARTS: Final[Writers[Started]] = MappingProxyType({"text": init_text, "json": init_document})
