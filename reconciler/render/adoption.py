"""An adoption, and whether it was written -> text for people, or a JSON document for programs."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from reconciler.errors import ReconcilerError
from reconciler.model.json import Json
from reconciler.model.reports import Adoption, Candidate, Proposal, State
from reconciler.render.escape import escape, json_text
from reconciler.render.style import Style, Tone, laid_out

FORMAT_VERSION: Final = "1.0"

_TONES: Final = {
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
_WIDTH: Final = max(map(len, State))


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


def text(adopted: Adopted, style: Style) -> str:
    """A line for each manifest, the totals, and what was or can be written."""
    adoption = adopted.adoption
    where = f"marketplace {escape(adoption.marketplace)} at {escape(adoption.base_url)}"
    head = f"Environment {escape(adoption.environment)}: {where}"
    width = max((len(escape(str(one.address))) for one in adoption.proposals), default=0)
    lines = [line for one in adoption.proposals for line in _block(one, width, style)]
    return laid_out([head, "", *lines, *([""] if lines else []), _totals(adoption, style), *_end(adopted)], style)


def _block(one: Proposal, width: int, style: Style) -> Iterator[str]:
    state = style.paint(_TONES[one.state], f"{one.state:<{_WIDTH}}")
    known = f"{escape(one.id)}  " if one.id else ""
    yield f"{state}  {escape(str(one.address)):<{width}}  {known}{escape(one.note)}"
    for candidate in one.candidates:
        yield f"{'':<{_WIDTH}}  {'':<{width}}  {escape(candidate.id)}  {_looks(candidate)}".rstrip()


def _looks(candidate: Candidate) -> str:
    labels = " ".join(f"{escape(name)}={escape(value)}" for name, value in candidate.labels.items())
    return f"{'active' if candidate.active else 'inactive'}  {labels}"


def _totals(adoption: Adoption, style: Style) -> str:
    counts = [f"{adoption.count(state)} {words}" for state, words in _TOTALS.items() if adoption.count(state)]
    return f"{style.paint(Tone.STRONG, 'Adopt:')} {', '.join(counts) or 'there are no manifests'}."


def _end(adopted: Adopted) -> Iterator[str]:
    adoption, file = adopted.adoption, escape(adopted.file)
    count = len(adoption.ids)
    ids = "1 id" if count == 1 else f"{count} ids"
    if not count:
        yield "There is nothing to write."
    elif adopted.written:
        yield f"Written: {ids}, under {escape(adopted.at)} of {file}." if adopted.at else f"Written: {ids}, in {file}."
    elif adoption.faults:
        yield "Nothing was written: the manifests above that are ambiguous or taken need a decision first."
    elif adopted.asked:
        yield f"Nothing was written: {file} was left as it is."
    else:
        yield f"Nothing was written. To write {ids} into {file}, add --write."


def document(adopted: Adopted, _style: Style) -> str:
    """The JSON document: ASCII, so that it holds nothing that a terminal could take for more than text."""
    adoption = adopted.adoption
    content = {
        "format_version": FORMAT_VERSION,
        "environment": adoption.environment,
        "base_url": adoption.base_url,
        "marketplace": adoption.marketplace,
        "file": adopted.file,
        "written": adopted.written,
        "summary": {state.value.replace("-", "_"): adoption.count(state) for state in State},
        "ids": {str(address): one for address, one in adoption.ids.items()},
        "proposals": [_proposal(one) for one in adoption.proposals],
    }
    return json_text(content)


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


AdoptionWriter: TypeAlias = Callable[[Adopted, Style], str]

ADOPTIONS: Final[Mapping[str, AdoptionWriter]] = MappingProxyType({"text": text, "json": document})
"""Name of a format -> what writes an adoption in it; the first is the default."""
