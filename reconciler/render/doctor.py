"""A diagnosis -> text for people, or a JSON document with a ``format_version`` for programs."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from reconciler.model.json import Json
from reconciler.model.reports import Check, Diagnosis, Verdict
from reconciler.render.escape import escape, json_text
from reconciler.render.style import Style, Tone, laid_out

FORMAT_VERSION: Final = "1.0"

_TONES: Final = {
    Verdict.OK: Tone.CREATE,
    Verdict.WARNING: Tone.UPDATE,
    Verdict.FAILED: Tone.ALARM,
    Verdict.SKIPPED: Tone.QUIET,
    Verdict.INFO: Tone.STRONG,
}
_WIDTH: Final = max(map(len, Verdict))


def text(diagnosis: Diagnosis, style: Style) -> str:
    """One line for each check, the fix below it, then the totals."""
    checks = [line for check in diagnosis.checks for line in _block(check, diagnosis, style)]
    return laid_out([f"Environment {escape(diagnosis.environment)}", "", *checks, "", _totals(diagnosis, style)], style)


def _block(check: Check, diagnosis: Diagnosis, style: Style) -> Iterator[str]:
    width = max(len(one.name) for one in diagnosis.checks)
    verdict = style.paint(_TONES[check.verdict], f"{check.verdict:<{_WIDTH}}")
    yield f"{verdict}  {check.name:<{width}}  {escape(check.found)}"
    if check.fix:
        yield f"{'':<{_WIDTH}}  {'':<{width}}  fix: {escape(check.fix)}"


def _totals(diagnosis: Diagnosis, style: Style) -> str:
    healthy = diagnosis.is_healthy
    word = style.paint(Tone.CREATE if healthy else Tone.ALARM, "Healthy:" if healthy else "Not healthy:")
    order = (Verdict.FAILED, Verdict.WARNING, Verdict.SKIPPED, Verdict.OK, Verdict.INFO)
    counts = [f"{diagnosis.count(one)} {_PLURALS.get(one, one)}" for one in order if diagnosis.count(one)]
    return f"{word} {', '.join(counts)}."


_PLURALS: Final = {Verdict.WARNING: "with a warning", Verdict.INFO: "for information"}


def document(diagnosis: Diagnosis, _style: Style) -> str:
    """The JSON document: ASCII, its texts escaped as they are for people."""
    content = {
        "format_version": FORMAT_VERSION,
        "ok": diagnosis.is_healthy,
        "environment": escape(diagnosis.environment),
        "checks": [_check(check) for check in diagnosis.checks],
    }
    return json_text(content)


def _check(check: Check) -> Json:
    return {
        "name": check.name,
        "status": check.verdict.value,
        "found": escape(check.found),
        "fix": escape(check.fix),
    }


DiagnosisWriter: TypeAlias = Callable[[Diagnosis, Style], str]

DIAGNOSES: Final[Mapping[str, DiagnosisWriter]] = MappingProxyType({"text": text, "json": document})
"""Name of a format -> what writes a diagnosis in it; the first is the default."""
