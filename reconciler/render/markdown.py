"""Plan, review, result, report or error -> Markdown for a comment on a pull request, which a bot keeps up to date.

A comment has no more than `Style.room` characters. What opens a door or destroys something comes first, and is the last
to be left out; how much is left out is said exactly. How hostile text is kept from meaning anything: see `comment`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeAlias

from reconciler.errors import GuardRefusal, InputError, ReconcilerError
from reconciler.model.diagnostic import Checked, Report, Severity
from reconciler.model.drift import Drift
from reconciler.model.outcome import ApplyResult, Outcome, Status
from reconciler.model.plan import Change, Finding, Plan, Review
from reconciler.render import text as terminal
from reconciler.render import wording
from reconciler.render.command import Offer, acknowledgement, may_be_applied, offer, restoring, to_git
from reconciler.render.comment import (
    Entry,
    code,
    counts,
    details,
    document,
    fenced,
    fitting,
    in_code_tag,
    left_out,
    marker,
)
from reconciler.render.escape import escape, joined
from reconciler.render.rows import Row, outcome_rows, rows
from reconciler.render.style import Style
from reconciler.render.values import NOT_SET
from reconciler.render.wording import (
    DRIFT_WORDS,
    NO_SIDES,
    PLAN_WORDS,
    SENT_WORDS,
    Noun,
    Sides,
    Words,
    heading,
    in_order,
    is_alarming,
    unmanaged,
)

_PART: Final = 6
"""Findings, warnings and names of unmanaged objects take up to one of so many parts of the room each."""
_CHANGES: Final = (Noun("change that widens or destroys", "changes that widen or destroy"), Noun("other change"))
_DRIFTS: Final = (
    Noun("resource that is wider than wanted", "resources that are wider than wanted"),
    Noun("other resource"),
)
_OUTCOMES: Final = (Noun("change that was not applied", "changes that were not applied"), Noun("applied change"))
_FAULTS: Final = (Noun("error"), Noun("warning"))

# ----------------------------------------------------------------------------------------------------------------- plan


def plan(plan: Plan, digest: str, style: Style) -> str:
    """A plan for those who are to approve it."""
    environment = plan.binding.environment
    head = [
        marker("plan", environment),
        f"## Plan for {code(environment)}: {wording.plan_verdict(plan)}",
        "",
        *counts(wording.plan_counts(plan)),
        *guards(plan.guards, style),
        *notes("Warnings", plan.warnings, style),
        *notes("Notices", [one.message for one in plan.notices], style),
    ]
    entries = change_entries(plan.changes, PLAN_WORDS)
    return document(head, entries, _plan_tail(plan, digest, style), _CHANGES, style)


def guards(findings: Sequence[Finding], style: Style) -> list[str]:
    """What guards object to, each with its fix."""
    if not findings:
        return []
    blocks = list(map(_finding, findings))
    count = fitting(blocks, style.room // _PART)
    lines = [line for block in blocks[:count] for line in block]
    return ["### Guards refuse to apply these changes", "", *lines, *left_out(len(blocks) - count, Noun("finding")), ""]


def _finding(finding: Finding) -> list[str]:
    final = "" if finding.can_be_acknowledged else " (cannot be acknowledged)"
    return [
        f"- **{code(finding.rule)}**{final}: {code(finding.message)}",
        f"  - fix: {code(finding.fix)}",
    ]


def notes(title: str, texts: Sequence[str], style: Style) -> list[str]:
    """A list of texts that is shown at a click, as long as there is room for them."""
    if not texts:
        return []
    lines = [f"- {code(text)}" for text in texts]
    count = fitting([[line] for line in lines], style.room // _PART)
    return details(f"{title} ({len(texts):,})", [*lines[:count], *left_out(len(lines) - count, Noun("line"))])


def drift(drift: Drift, digest: str, style: Style) -> str:
    """What differs from the manifests, to correct it or to take it over."""
    environment = drift.plan.binding.environment
    head = [
        marker("drift", environment),
        f"## Drift in {code(environment)}: {wording.drift_verdict(drift)}",
        "",
        *counts(wording.drift_counts(drift)),
        *guards(drift.plan.guards, style),
        *notes("Warnings", drift.plan.warnings, style),
        *notes("Notices", [one.message for one in drift.plan.notices], style),
    ]
    entries = change_entries(drift.changes, DRIFT_WORDS, wording.sides(drift))
    return document(head, entries, _drift_tail(drift, digest, style), _DRIFTS, style)


def change_entries(changes: Iterable[Change], words: Words, sides: Sides = NO_SIDES) -> list[Entry]:
    """Every change that is made, in the order in which they must not be overlooked."""
    written = (change for change in in_order(changes, words) if change.action.writes)
    return [_entry(change, words, sides.get(change.address, {})) for change in written]


def _entry(change: Change, words: Words, sides: Mapping[str, str]) -> Entry:
    shown = list(rows(change, words, sides))
    verb = words.verbs[change.action]
    alarming = [row.name for row in shown if row.is_alarming]
    mark = f" {words.mark[1:-1]}" if alarming else ""
    place = f" ({in_code_tag(str(change.place))})" if change.place else ""
    place = " (in no manifest)" if change.is_pruned else place
    side = f" ({sides['']})" if "" in sides else ""
    summary = f"<b>{verb}</b> {in_code_tag(heading(change))}{f' <b>{mark.strip()}</b>' if mark else ''}{side}{place}"
    lines = [line for row in shown for line in _diff(row, words)]
    of = f":{mark} {code(', '.join(alarming))}" if alarming else ""
    return Entry(
        tuple(details(summary, fenced(lines, "diff") if lines else ["No field is set."])),
        f"- **{verb}** {code(heading(change))}{of}",
        is_alarming(change, words),
    )


def _diff(row: Row, words: Words) -> Iterator[str]:
    """The field on a line of its own, which an alarming one has in another colour; then what goes and what comes."""
    note = "".join(f"  ({text.strip('()')})" for text in (row.note, row.side, row.place) if text)
    yield f"! {row.name}  {words.mark}{note}" if row.is_alarming else f"  {row.name}{note}"
    if row.differences:
        yield f"      {row.differences}"
    yield from (f"-     {text}" for text in (row.before, *row.removed) if text)
    yield from (f"+     {text}" for text in (row.after, *row.added) if text)


def _plan_tail(plan: Plan, digest: str, style: Style) -> list[str]:
    lines = [*_unmanaged(plan, plan.changes, style), _made_from(plan)]
    if digest:
        lines += ["", f"Digest: {code(digest)}"]
    if may_be_applied(plan) and not style.together:
        lines += _offered(offer(plan, digest, style, "To apply it"))
    if plan.snapshot and plan.has_changes:
        lines += ["", *_after_the_merge(plan, digest)]
    return lines


def _after_the_merge(plan: Plan, digest: str) -> Iterator[str]:
    """How a plan of a pull request comes to be applied, and where what the guards object to is acknowledged."""
    yield (
        "To apply it, merge: a job with credentials then plans again. It applies exactly these changes without asking, "
        "and asks for approval of any others."
    )
    how = acknowledgement(plan, digest)
    if how:
        yield from _offered(how, "")


def _offered(how: Offer, language: str = "sh") -> Iterator[str]:
    yield from ("", how.words)
    if how.copied:
        yield from ("", *fenced([how.copied], language))


def _drift_tail(drift: Drift, digest: str, style: Style) -> list[str]:
    lines = [*_unmanaged(drift.plan, drift.changes, style, drift.uncontrolled), _made_from(drift.plan)]
    if drift.receipt:
        commit = f" of commit {code(drift.receipt.git_commit[:12])}" if drift.receipt.git_commit else ""
        lines += ["", f"The last apply was at {code(drift.receipt.created_at)}{commit}."]
    for how in (restoring(drift, digest, style), *to_git(drift, style)):
        lines += _offered(how) if how else ()
    return lines


def _unmanaged(plan: Plan, changes: Iterable[Change], style: Style, drifted: Collection[Change] = ()) -> list[str]:
    names = [name for _, name in unmanaged(plan, changes, drifted)]
    return notes("Unmanaged: live, in no manifest, left alone", names, style)


def _made_from(plan: Plan) -> str:
    binding = plan.binding
    commit = f", commit {code(binding.git_commit[:12])}" if binding.git_commit else ""
    dirty = " with uncommitted changes" if binding.git_dirty else ""
    until = f", good until {code(binding.expires_at)}" if binding.expires_at else ""
    snapshot = f" This plan was {code(wording.snapshot_note(plan))}." if plan.snapshot else ""
    return f"Marketplace {code(binding.marketplace)} at {code(binding.base_url)}{commit}{dirty}{until}.{snapshot}"


# --------------------------------------------------------------------------------------------------------------- result


def result(result: ApplyResult, style: Style) -> str:
    """What became of a plan, failures first."""
    head = [
        marker("apply", style.environment),
        f"## Apply to {code(style.environment)}: {wording.result_verdict(result)}",
        "",
        *counts(wording.result_counts(result)),
    ]
    ordered = sorted(result.outcomes, key=lambda outcome: outcome.status is Status.APPLIED)
    return document(head, [_outcome(outcome) for outcome in ordered], [], _OUTCOMES, style)


def _outcome(outcome: Outcome) -> Entry:
    change, done = outcome.change, outcome.status is Status.APPLIED
    status = outcome.status.value if done else f"**{outcome.status.value}**"
    doubt = "; it may still have been written" if outcome.uncertain else ""
    message = f": {code(outcome.message)}" if outcome.message else ""
    line = f"- {status} {change.action.value} {code(heading(change))}{message}{doubt}"
    lost = [line for row in outcome_rows(outcome.fields) for line in _not_kept(row)]
    return Entry((line, *(f"  {text}" for text in fenced(lost, "diff") if lost)), line, not done)


def _not_kept(row: Row) -> Iterator[str]:
    yield f"  {row.name}"
    if row.note:
        yield f"!     {row.note}"
    if row.before or row.after:
        yield f"-     {SENT_WORDS.was}{row.before or NOT_SET}"
        yield f"+     {SENT_WORDS.becomes}{row.after or NOT_SET}"


# ----------------------------------------------------------------------------------------------- validation and failure


def validation(report: Report, style: Style) -> str:
    """Every fault, errors first."""
    head = [
        marker("validate", style.environment),
        f"## Manifests: {wording.report_verdict(report)}",
        "",
        *counts(wording.report_counts(report)),
    ]
    waived = [
        f"{one.diagnostic}: {waiver.reason} ({waiver.owner}, until {waiver.expires})" for one, waiver in report.waived
    ]
    return document(head, _faults(report.found), notes("Waived", waived, style), _FAULTS, style)


def _faults(found: Iterable[Checked]) -> list[Entry]:
    ordered = sorted(found, key=lambda one: one.diagnostic.severity is not Severity.ERROR)
    return [_fault(one) for one in ordered]


def _fault(one: Checked) -> Entry:
    fault = one.diagnostic
    severity = "**error**" if fault.severity is Severity.ERROR else "warning"
    where = f" in {', '.join(map(code, one.environments))}" if one.environments else ""
    hint = f"; {code(fault.hint)}" if fault.hint else ""
    line = f"- {severity} {code(str(fault.place))}: {code(fault.message)}{hint} ({code(fault.rule)}){where}"
    return Entry((line,), line, fault.severity is Severity.ERROR)


def failure(name: str, error: ReconcilerError, style: Style) -> str:
    """Why there is no document of this name."""
    environment = f" for {code(style.environment)}" if style.environment else ""
    refused = isinstance(error, GuardRefusal)
    head = [
        marker(name, style.environment),
        f"## {name.capitalize()}{environment}: {'refused by a guard' if refused else 'failed'}",
        "",
    ]
    entries: list[Entry] = []
    match error:
        case InputError():
            head += [f"{code(error.message)}", ""]
            entries = _faults(map(Checked, error.diagnostics))
        case GuardRefusal():
            head += guards(error.findings, style)
        case _:
            head += [code(error.message), ""]
    tail = [f"Hint: {code(error.hint)}"] if error.hint else []
    return document(head, entries, tail, _FAULTS, style)


def review_text(review: Review, digest: str, style: Style) -> str:
    """The verdict; then the plan of what is new, and what is gone."""
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
    head = joined([f"## {environment}: not what was reviewed", "", f"{code(review.reason)}.", "", *gone, ""])
    return head + plan(review.unseen, digest, style)


ReviewWriter: TypeAlias = Callable[[Review, str, Style], str]

REVIEWS: Final[Mapping[str, ReviewWriter]] = MappingProxyType({"text": review_text, "markdown": review_markdown})
"""Name of a format -> what writes a review in it."""
