"""Plan, review, result, report or error -> Markdown for a comment on a pull request that a bot updates.

A comment has at most `Style.room` characters. Changes that widen access or delete come first and are left out last; the
exact number of entries left out is shown. For escaping see `comment`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final, TypeAlias

from reconciler.errors import ReconcilerError
from reconciler.model.diagnostic import Checked, Report, Severity
from reconciler.model.drift import Drift
from reconciler.model.json import digest as digest_of
from reconciler.model.outcome import ApplyResult, Outcome, Status
from reconciler.model.plan import Change, Finding, Plan, Review
from reconciler.render import command, comment, wording
from reconciler.render import text as terminal
from reconciler.render.command import Offer, how_to_accept, how_to_apply, how_to_apply_all
from reconciler.render.comment import NOT_WHOLE, Item, code, details, document, fenced, fitting, in_code_tag, left_out
from reconciler.render.escape import escape, joined
from reconciler.render.rows import NOT_SET, Row, outcome_rows, rows
from reconciler.render.several import End, Group, Planned, TextOf, groups, texts_of, title
from reconciler.render.style import Style
from reconciler.render.wording import Noun, View, Words, heading, number, verdict, view

_PART: Final = 6
"""Findings, warnings and names of unmanaged objects each take at most this fraction of the room."""
_CHANGES: Final = (
    Noun("change that widens access or deletes", "changes that widen access or delete"),
    Noun("other change"),
)
_DRIFTS: Final = (
    Noun("resource that is wider than desired", "resources that are wider than desired"),
    Noun("other resource"),
)
_OUTCOMES: Final = (Noun("change that was not applied", "changes that were not applied"), Noun("applied change"))
_FAULTS: Final = (Noun("error"), Noun("warning"))

# ----------------------------------------------------------------------------------------------------------------- plan


def plan(plan: Plan, digest: str, style: Style) -> str:
    """A plan, for approval."""
    tail = ["", f"Digest: {code(digest)}"] if digest else []
    if plan.snapshot and plan.has_changes:
        tail += ["", _AFTER_THE_MERGE]
    return _document("plan", plan, tail, _CHANGES, digest, style)


_AFTER_THE_MERGE: Final = (
    "To apply it, merge: a job with credentials then plans again, applies exactly these changes, "
    "and requires approval for any others."
)


def drift(drift: Drift, digest: str, style: Style) -> str:
    """The differences from the manifests, to correct or to accept."""
    tail: list[str] = []
    if drift.receipt:
        commit = f" of commit {code(drift.receipt.git_commit[:12])}" if drift.receipt.git_commit else ""
        tail += ["", f"The last apply was at {code(drift.receipt.created_at)}{commit}."]
    return _document("drift", drift, tail, _DRIFTS, digest, style)


def _document(
    name: str, found: Plan | Drift, about: Iterable[str], nouns: tuple[Noun, Noun], digest: str, style: Style
) -> str:
    seen = view(found)
    head = [
        *_head(name, seen.environment, f"{seen.title} {code(seen.environment)}: {verdict(found)}"),
        *comment.counts(wording.counts(found)),
        *_guards(seen.plan.guards, style),
        *_notes("Warnings", seen.plan.warnings, style),
        *_notes("Notices", seen.notices, style),
    ]
    unmanaged = [name for _, name in seen.unmanaged]
    tail = [
        *_notes("Unmanaged: live, not in any manifest, unchanged", unmanaged, style),
        _made_from(seen.plan),
        *about,
        *(
            line
            for how in [*how_to_apply(found, digest, style), *how_to_accept(found, style)]
            for line in _offered(how)
        ),
    ]
    return document(head, [_entry(change, seen) for change in seen.written], tail, nouns, style)


def _head(name: str, environment: str, heading: str) -> list[str]:
    return [comment.marker(name, environment), f"## {heading}", ""]


def _guards(findings: Sequence[Finding], style: Style) -> list[str]:
    """The guard findings, each with its fix."""
    if not findings:
        return []
    blocks = list(map(_finding, findings))
    count = fitting(blocks, style.room // _PART)
    lines = [line for block in blocks[:count] for line in block]
    return ["### Guards refuse to apply these changes", "", *lines, *left_out(len(blocks) - count, Noun("finding")), ""]


def _finding(finding: Finding) -> list[str]:
    final = "" if finding.can_be_acknowledged else " (cannot be acknowledged)"
    return [f"- **{code(finding.rule)}**{final}: {code(finding.message)}", f"  - fix: {code(finding.fix)}"]


def _notes(title: str, texts: Sequence[str], style: Style) -> list[str]:
    """A collapsed list of the texts that fit."""
    if not texts:
        return []
    lines = [f"- {code(text)}" for text in texts]
    count = fitting([[line] for line in lines], style.room // _PART)
    return details(f"{title} ({len(texts):,})", [*lines[:count], *left_out(len(lines) - count, Noun("line"))])


def _entry(change: Change, seen: View) -> Item:
    words, sides = seen.words, seen.sides_of(change)
    shown = list(rows(change, words, sides))
    verb = words.verbs[change.action]
    alarming = [row.name for row in shown if row.is_alarming]
    mark = words.mark[1:-1]
    place = (
        " (not in any manifest)" if change.is_pruned else f" ({in_code_tag(str(change.place))})" if change.place else ""
    )
    side = f" ({sides['']})" if "" in sides else ""
    summary = f"<b>{verb}</b> {in_code_tag(heading(change))}{f' <b>{mark}</b>' if alarming else ''}{side}{place}"
    lines = [line for row in shown for line in _diff(row, words)]
    of = f": {mark} {code(', '.join(alarming))}" if alarming else ""
    return Item(
        tuple(details(summary, fenced(lines, "diff") if lines else ["No field is set."])),
        f"- **{verb}** {code(heading(change))}{of}",
        wording.is_alarming(change, words),
    )


def _diff(row: Row, words: Words) -> Iterator[str]:
    """The field on its own line, coloured if alarming; then the removed and the added value."""
    note = "".join(f"  ({text.strip('()')})" for text in (row.note, row.side, row.place) if text)
    yield f"! {row.name}  {words.mark}{note}" if row.is_alarming else f"  {row.name}{note}"
    if row.differences:
        yield f"      {row.differences}"
    yield from (f"-     {text}" for text in (row.before, *row.removed) if text)
    yield from (f"+     {text}" for text in (row.after, *row.added) if text)


def _offered(how: Offer) -> Iterator[str]:
    yield from ("", how.words)
    if how.copied:
        yield from ("", *fenced([how.copied], "sh" if how.is_command else ""))


def _made_from(plan: Plan) -> str:
    binding = plan.binding
    commit = f", commit {code(binding.git_commit[:12])}" if binding.git_commit else ""
    dirty = " with uncommitted changes" if binding.git_dirty else ""
    until = f", valid until {code(binding.expires_at)}" if binding.expires_at else ""
    snapshot = f" This plan was {code(wording.snapshot_note(plan))}." if plan.snapshot else ""
    return f"Marketplace {code(binding.marketplace)} at {code(binding.base_url)}{commit}{dirty}{until}.{snapshot}"


# --------------------------------------------------------------------------------------------------------------- result


def result(result: ApplyResult, style: Style) -> str:
    """The result of a plan, failures first."""
    style = replace(style, source=command.details(result, style))
    title = f"Apply to {code(style.environment)}: {verdict(result)}"
    head = [*_head("apply", style.environment, title), *comment.counts(wording.counts(result))]
    return document(head, [*map(_outcome, wording.failures_first(result.outcomes))], [], _OUTCOMES, style)


def _outcome(outcome: Outcome) -> Item:
    change, done = outcome.change, outcome.status is Status.APPLIED
    status = outcome.status.value if done else f"**{outcome.status.value}**"
    doubt = f"; {wording.DOUBT}" if outcome.uncertain else ""
    message = f": {code(outcome.message)}" if outcome.message else ""
    line = f"- {status} {change.action.value} {code(heading(change))}{message}{doubt}"
    lost = [line for row in outcome_rows(outcome.fields) for line in _not_kept(row)]
    return Item((line, *(f"  {text}" for text in fenced(lost, "diff") if lost)), line, not done)


def _not_kept(row: Row) -> Iterator[str]:
    yield f"  {row.name}"
    if row.note:
        yield f"!     {row.note}"
    if row.before or row.after:
        yield f"-     {wording.SENT_WORDS.was}{row.before or NOT_SET}"
        yield f"+     {wording.SENT_WORDS.becomes}{row.after or NOT_SET}"


# ----------------------------------------------------------------------------------------------- validation and failure


def validation(report: Report, style: Style) -> str:
    """Every fault, errors first."""
    title = f"Manifests: {verdict(report)}"
    head = [*_head("validate", style.environment, title), *comment.counts(wording.counts(report))]
    return document(head, _faults(report.found), _notes("Waived", wording.waived(report), style), _FAULTS, style)


def _faults(found: Iterable[Checked]) -> list[Item]:
    return [_fault(one) for one in wording.errors_first(found)]


def _fault(one: Checked) -> Item:
    fault = one.diagnostic
    severity = "**error**" if fault.severity is Severity.ERROR else "warning"
    where = f" in {', '.join(map(code, one.environments))}" if one.environments else ""
    hint = f"; {code(fault.hint)}" if fault.hint else ""
    line = f"- {severity} {code(str(fault.place))}: {code(fault.message)}{hint} ({code(fault.rule)}){where}"
    return Item((line,), line, fault.severity is Severity.ERROR)


def failure(name: str, error: ReconcilerError, style: Style) -> str:
    """The error in place of the document with this name."""
    environment = f" for {code(style.environment)}" if style.environment else ""
    findings = wording.findings_of(error)
    title = f"{name.capitalize()}{environment}: {'refused by a guard' if findings else 'failed'}"
    head = [*_head(name, style.environment, title), *(_guards(findings, style) or [code(error.message), ""])]
    tail = [f"Hint: {code(error.hint)}"] if error.hint else []
    return document(head, _faults(wording.faults_of(error)), tail, _FAULTS, style)


# -------------------------------------------------------------------------------------------------------------- review


def review_text(review: Review, digest: str, style: Style) -> str:
    """The verdict; then the plan of new changes, and the changes that are no longer planned."""
    if review.is_reviewed:
        return joined([escape(f"Reviewed: {review.reason}.")])
    gone = [escape(f"Reviewed, and no longer planned: {name}") for name in review.gone]
    head = joined([escape(f"Not reviewed: {review.reason}."), *gone, ""])
    return head + terminal.plan(review.unseen, digest, style)


def review_markdown(review: Review, digest: str, style: Style) -> str:
    """The same for the summary of a CI job."""
    environment = code(review.unseen.binding.environment)
    if review.is_reviewed:
        return joined([f"{environment}: reviewed, {code(review.reason)}."])
    gone = [f"- reviewed, and no longer planned: {code(name)}" for name in review.gone]
    head = joined([f"## {environment}: differs from what was reviewed", "", f"{code(review.reason)}.", "", *gone, ""])
    return head + plan(review.unseen, digest, style)


ReviewWriter: TypeAlias = Callable[[Review, str, Style], str]

REVIEWS: Final[Mapping[str, ReviewWriter]] = MappingProxyType({"text": review_text, "markdown": review_markdown})
"""Name of a format -> what writes a review in it."""


# ------------------------------------------------------------------------------------------------ several environments


def several(planned: Sequence[Planned], text_of: TextOf, style: Style) -> str:
    """A section for each group, or a line if it does not fit."""
    found = sorted(groups(planned), key=lambda group: _FIRST.index(group.end))
    share = replace(style, room=max(style.room // (2 * max(len(found), 1)), _LEAST))
    texts = ["".join(texts_of([one.first], text_of, share)) for one in found]
    cut = [
        one.first.environment for one, text in zip(found, texts, strict=True) if NOT_WHOLE in text.partition("##")[0]
    ]
    noun = planned[0].noun
    head = [
        comment.marker(noun, _known_as([one.environment for one in planned])),
        *(comment.not_whole(f"{', '.join(map(code, cut[:_FEW]))}**: see the sections below", style) if cut else []),
        f"## {noun.capitalize()} of {title(found)}",
        "",
    ]
    entries = [_group(one, text, style) for one, text in zip(found, texts, strict=True)]
    tail = [line for how in how_to_apply_all(style) for line in _offered(how)]
    return document(head, entries, tail, _GROUPS, style).rstrip("\n") + "\n"


_FIRST: Final = (End.FAILED, End.CHANGED, End.SKIPPED, End.IN_STEP)

_LEAST: Final = 2_000
"""The number of characters that every group may have."""
_FEW: Final = 10
_LONG: Final = 500
_GROUPS: Final = (Noun("group of environments", "groups of environments"),) * 2


def _known_as(names: Sequence[str]) -> str:
    """The environments in the marker of a comment."""
    text = ",".join(names)
    return text if len(text) <= _LONG else f"{len(names)}-environments-{digest_of(text)[:16]}"


def _group(group: Group, text: str, style: Style) -> Item:
    """A group in full, and in a line."""
    names = [code(name) for name in group.names]
    count = fitting([[name] for name in names], style.room // _FEW)
    shown = ", ".join([*names[:count], *([f"and {len(names) - count:,} more"] if count < len(names) else [])])
    many = number(len(names), "environment")
    others = [*group.others(style)]
    block = [
        f"### {shown if len(names) == 1 else f'{many}: {group.size}'}",
        "",
        *(details(many, [shown]) if len(names) > _FEW else [shown, ""] if len(names) > 1 else []),
        *([note, ""] if (note := group.note(names[0])) else []),
        *_demoted(text),
        *(_in_others(others, style) if others else []),
        "",
    ]
    line = f"- {shown if len(names) <= _FEW else many}: {group.size}"
    return Item(tuple(block), line, group.end is not End.IN_STEP)


def _in_others(copied: Sequence[str], style: Style) -> list[str]:
    """The commands for the environments that are not shown."""
    count = fitting([[line] for line in copied], style.room // _FEW)
    return [
        "",
        "In the other environments:",
        "",
        *fenced(copied[:count], ""),
        *left_out(len(copied) - count, Noun("line")),
    ]


def _demoted(text: str) -> Iterator[str]:
    """The lines of a document as a section of another: without marker, headings two levels lower."""
    for line in text.rstrip("\n").splitlines():
        if not line.startswith("<!-- reconciler:"):
            yield f"##{line}" if line.startswith("##") else line
