"""A rotation, planned or carried out -> text or JSON. No value comes here."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from reconciler.errors import ReconcilerError
from reconciler.model.json import Json
from reconciler.model.named_secret import moment_text
from reconciler.model.plan import Finding
from reconciler.model.rotation import Ended, Step, StepKind
from reconciler.render.escape import escape, json_text
from reconciler.render.style import Style, Tone, laid_out

FORMAT_VERSION: Final = "1.0"


@dataclass(frozen=True, slots=True)
class Turned:
    """What the rotation of one secret came to."""

    address: str
    client_id: str
    secret: str
    due: Sequence[Step]
    """All steps that were due when it began."""
    done: Sequence[Step] = ()
    ended: Ended | None = None
    """None: it is only planned."""
    error: ReconcilerError | None = None
    postponed: str = ""
    """Why the new secret could not be tried."""

    @property
    def left(self) -> Sequence[Step]:
        """The steps that were not taken."""
        return self.due[len(self.done) :]

    @property
    def waiting(self) -> Step | None:
        """What only time can bring to its end: an old secret that is valid for a while yet."""
        ends = (StepKind.WAIT, StepKind.EXPIRE)
        return next((step for step in reversed(self.due) if step.kind in ends and step.until), None)


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation of some secrets came to, or would do."""

    environment: str
    marketplace: str
    base_url: str
    turns: Sequence[Turned]
    is_dry_run: bool = False
    findings: Sequence[Finding] = ()
    """What the guards object to."""
    acknowledgement: str = ""
    run: str = ""
    """What the journal calls the run; empty: it wrote nothing."""


def rotated_text(rotated: Rotated, style: Style) -> str:
    """One line for each step, then what is left, for each secret."""
    where = f"marketplace {escape(rotated.marketplace)} at {escape(rotated.base_url)}"
    lines = [f"Environment {escape(rotated.environment)}: {where}", ""]
    for turned in rotated.turns:
        lines += [*_turn(turned, style), ""]
    return laid_out([*lines, *_findings(rotated, style), *_verdict(rotated, style)], style)


def _turn(turned: Turned, style: Style) -> Iterator[str]:
    client = f" (client {escape(turned.client_id)})"
    yield f"{escape(turned.address)}, secret {escape(turned.secret)}{client}:"
    yield from (f"  {style.paint(Tone.CREATE, _word(step, 'done '))}  {escape(step.text)}" for step in turned.done)
    word = "would" if turned.ended is None else "left "
    yield from (f"  {style.paint(Tone.UPDATE, _word(step, word))}  {escape(step.text)}" for step in turned.left)
    yield from (f"  {line}" for line in _course(turned, style))


def _word(step: Step, otherwise: str) -> str:
    return "wait " if step.kind is StepKind.WAIT else otherwise


def _course(turned: Turned, style: Style) -> Iterator[str]:
    waiting = turned.waiting
    if turned.error:
        yield f"{style.paint(Tone.ALARM, 'Failed:')} {escape(turned.error.message)}"
        yield from (f"fix: {escape(turned.error.hint)}" for _ in [1] if turned.error.hint)
    elif turned.postponed:
        reason = escape(turned.postponed)
        postponed = style.paint(Tone.UPDATE, "Postponed:")
        yield f"{postponed} the secret cannot be proven yet, and no old secret ends: {reason}"
        yield "fix: run it again once somebody can log in through the client"
    elif turned.ended is Ended.INTERRUPTED:
        yield f"{style.paint(Tone.ALARM, 'Interrupted:')} {_of_all(turned)}; run it again to continue"
    elif waiting and waiting.until and all(step.kind is StepKind.WAIT for step in turned.left):
        until = moment_text(waiting.until)
        yield f"{style.paint(Tone.CREATE, 'In overlap:')} run it again after {until} to delete the old secret."


def _of_all(turned: Turned) -> str:
    return f"{len(turned.done)} of {len(turned.due)} steps were taken"


def _findings(rotated: Rotated, style: Style) -> Iterator[str]:
    for one in rotated.findings:
        yield f"{style.paint(Tone.ALARM, 'Refused:')} {one.rule}: {escape(one.message)}"
        yield f"  fix: {escape(one.fix)}"
    if any(one.can_be_acknowledged for one in rotated.findings):
        yield f"  to accept this rotation as it is: --ack {rotated.acknowledgement}"


def _verdict(rotated: Rotated, style: Style) -> Iterator[str]:
    if rotated.is_dry_run and rotated.turns:
        yield "A dry run: nothing was written."
    elif not rotated.turns:
        yield f"{style.paint(Tone.CREATE, 'In step:')} no secret is due for rotation."
    elif any(turned.ended for turned in rotated.turns):
        counts = {ended: sum(turned.ended is ended for turned in rotated.turns) for ended in Ended}
        yield f"Rotation: {', '.join(f'{count} {ended.value}' for ended, count in counts.items() if count)}."
    elif all(step.kind is StepKind.WAIT for turned in rotated.turns for step in turned.due):
        yield "Nothing to do now: nothing was written."


def rotated_document(rotated: Rotated, _style: Style) -> str:
    """The JSON document: ASCII, its texts escaped as they are for people."""
    content: Json = {
        "format_version": FORMAT_VERSION,
        "environment": escape(rotated.environment),
        "marketplace": escape(rotated.marketplace),
        "dry_run": rotated.is_dry_run,
        "run": rotated.run or None,
        "rotations": [_turned(turned) for turned in rotated.turns],
        "guards": [{"rule": one.rule, "message": escape(one.message)} for one in rotated.findings],
        "acknowledgement": rotated.acknowledgement or None,
    }
    return json_text(content)


def _turned(turned: Turned) -> Json:
    waiting = turned.waiting
    return {
        "address": escape(turned.address),
        "client_id": escape(turned.client_id),
        "secret": escape(turned.secret),
        "status": turned.ended.value if turned.ended else None,
        "error": escape(turned.error.message) if turned.error else None,
        "postponed": escape(turned.postponed) or None,
        "steps": [_step(step, index < len(turned.done)) for index, step in enumerate(turned.due)],
        "again_after": moment_text(waiting.until) if waiting and waiting.until else None,
    }


def _step(step: Step, done: bool) -> Json:  # noqa: FBT001  # read off the list just above
    return {
        "kind": step.kind.value,
        "text": escape(step.text),
        "secret_id": escape(step.secret.id) if step.secret else None,
        "done": done,
    }


RotatedWriter: TypeAlias = Callable[[Rotated, Style], str]
ROTATIONS: Final[Mapping[str, RotatedWriter]] = MappingProxyType({"text": rotated_text, "json": rotated_document})
"""Name of a format -> what writes a rotation in it; the first is the default."""
