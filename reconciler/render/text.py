"""Plan, drift, result or validation -> text for people, on a terminal or in a CI log.

Lines are finished here: every name and value in them is escaped, colour is added last.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from reconciler.model.diagnostic import Checked, Report, Severity
from reconciler.model.drift import Drift, DriftKind
from reconciler.model.outcome import ApplyResult, Outcome, Status
from reconciler.model.plan import Action, Change, Plan
from reconciler.render.command import Offer, acknowledgement, command, may_be_applied, offer, restoring, to_git
from reconciler.render.escape import escape
from reconciler.render.rows import change_block, outcome_rows, row_lines, said_of
from reconciler.render.style import Style, Tone, laid_out
from reconciler.render.values import LONGEST_MESSAGE, brief
from reconciler.render.wording import (
    DRIFT_WORDS,
    NO_SIDES,
    PLAN_WORDS,
    SENT_WORDS,
    Sides,
    Words,
    few,
    finding_block,
    heading,
    in_order,
    is_marked,
    sides,
    snapshot_note,
    unmanaged,
)

# ------------------------------------------------------------------------------------------------------ plan and drift


def plan(plan: Plan, digest: str, style: Style) -> str:
    """A plan as people know it from Terraform: a block for each resource that would be written, then the totals."""
    return laid_out(
        [
            *_body(plan, plan.changes, PLAN_WORDS, style),
            *_guards(plan, digest, style),
            *_plan_summary(plan, style),
            *_offer(plan, digest, style, "To apply it"),
        ],
        style,
    )


def drift(drift: Drift, digest: str, style: Style) -> str:
    """The same plan seen from the other side: in what the service differs from the manifests, and who moved."""
    plan, changes = drift.plan, drift.changes
    return laid_out(
        [
            *_body(plan, changes, DRIFT_WORDS, style, sides(drift), drift.uncontrolled),
            *_guards(plan, digest, style),
            *_drift_summary(drift, changes, style),
            *_ways(drift, digest, style),
        ],
        style,
    )


def _body(
    plan: Plan,
    changes: Iterable[Change],
    words: Words,
    style: Style,
    moved: Sides = NO_SIDES,
    drifted: Collection[Change] = (),
) -> Iterator[str]:
    binding, changes = plan.binding, list(changes)
    yield (
        f"Environment {escape(binding.environment)}: "
        f"marketplace {brief(binding.marketplace)} at {escape(binding.base_url)}"
    )
    if plan.snapshot:
        yield f"It was {brief(snapshot_note(plan))}."
    yield ""
    for change in in_order(changes, words):
        if change.action.writes:
            yield from change_block(change, words, style, moved.get(change.address, {}))
            yield ""
    lines = [
        "  ".join(filter(None, [name, said_of(moved.get(change.address, {}).get("", ""), style)]))
        for change, name in unmanaged(plan, changes, drifted)
    ]
    yield from _section("Unmanaged (live, in no manifest; left alone):", few(lines), style)
    yield from _section("Warnings:", (brief(text, LONGEST_MESSAGE) for text in plan.warnings), style)
    yield from _section("Notices:", (brief(one.message, LONGEST_MESSAGE) for one in plan.notices), style)


def _section(title: str, lines: Iterable[str], style: Style) -> Iterator[str]:
    content = [f"    {line}" for line in lines]
    if content:
        yield from (style.paint(Tone.STRONG, title), *content, "")


def _guards(plan: Plan, digest: str, style: Style) -> Iterator[str]:
    if plan.guards:
        yield style.paint(Tone.ALARM, "Guards refuse to apply these changes:")
        for finding in plan.guards:
            yield from finding_block(finding, style)
        if may_be_applied(plan):
            yield from _offered(offer(plan, digest, style, "To accept them"), "  ")
        elif how := acknowledgement(plan, digest):
            yield from _offered(how, "  ")
        yield ""


def _offer(plan: Plan, digest: str, style: Style, purpose: str) -> Iterator[str]:
    """The command that carries it out, unless the guards have just said it."""
    if style.is_offered and may_be_applied(plan) and not (plan.guards or style.together):
        yield from _offered(offer(plan, digest, style, purpose))


def _ways(drift: Drift, digest: str, style: Style) -> Iterator[str]:
    """How drift is corrected, unless the guards have just said it, and how it is taken over."""
    if style.is_offered:
        restore = restoring(drift, digest, style)
        if restore and not drift.plan.guards:
            yield from _offered(restore)
        for how in to_git(drift, style):
            yield from _offered(how)


def _offered(how: Offer, indent: str = "") -> Iterator[str]:
    yield f"{indent}{how.words}"
    if how.copied:
        yield f"    {how.copied}"


def _plan_summary(plan: Plan, style: Style) -> Iterator[str]:
    count = plan.summary
    if not plan.has_changes:
        yield f"{style.paint(Tone.STRONG, 'No changes.')} {_in_step(plan, count.no_op, count.unmanaged)}"
        return
    yield (
        f"{style.paint(Tone.STRONG, 'Plan:')} {count.create} to create, {count.update} to update, "
        f"{count.delete} to delete; {count.no_op} in step, {count.unmanaged} unmanaged{_out_of_scope(plan)}."
    )
    yield from _alarm(plan.changes, PLAN_WORDS, "change widens access", "changes widen access", style)


def _drift_summary(drift: Drift, changes: tuple[Change, ...], style: Style) -> Iterator[str]:
    plan, count = drift.plan, drift.count
    in_no_manifest = count(DriftKind.UNMANAGED)
    if drift.has_drift:
        yield (
            f"{style.paint(Tone.STRONG, 'Drift:')} {count(DriftKind.MISSING)} missing, "
            f"{_number(count(DriftKind.CHANGED), 'differs', 'differ')}, {count(DriftKind.SURPLUS)} still there; "
            f"{_restored(count(DriftKind.RESTORED))}"
            f"{drift.in_step} in step, {in_no_manifest} unmanaged{_counted(drift)}{_out_of_scope(plan)}."
        )
        yield from _alarm(
            changes,
            DRIFT_WORDS,
            "resource has wider access than its manifest",
            "resources have wider access than their manifests",
            style,
        )
    elif drift.left_out:
        yield f"{style.paint(Tone.STRONG, 'No new drift.')} {_in_step(plan, drift.in_step, in_no_manifest)}"
    else:
        yield f"{style.paint(Tone.STRONG, 'No drift.')} {_in_step(plan, plan.summary.no_op, plan.summary.unmanaged)}"
    yield from _left_out(drift)


def _restored(count: int) -> str:
    """Name the cause that explains many at once."""
    return f"{count} lost in OrderCloud's restore of staging (apply puts them back); " if count else ""


def _left_out(drift: Drift) -> Iterator[str]:
    """What is not shown, and what the sides were judged by."""
    if drift.accepted:
        yield f"{_number(drift.accepted, 'deviation is', 'deviations are')} known to the baseline."
    if drift.unmoved:
        words = _number(drift.unmoved, "deviation has", "deviations have")
        yield f"{words} not come from the service since the last apply."
    if drift.receipt and (drift.has_drift or drift.left_out):
        commit = f" of commit {escape(drift.receipt.git_commit[:12])}" if drift.receipt.git_commit else ""
        yield f"The last apply was at {escape(drift.receipt.created_at)}{commit}."


def _counted(drift: Drift) -> str:
    """Say so where objects in no manifest are drift."""
    count = len(drift.uncontrolled)
    return f" ({count} of them drift)" if count else ""


def _in_step(plan: Plan, in_step: int, unmanaged: int) -> str:
    also = f", {unmanaged} unmanaged" if unmanaged else ""
    return f"{_number(in_step, 'resource is', 'resources are')} in step{also}{_out_of_scope(plan)}."


def _out_of_scope(plan: Plan) -> str:
    """How many objects belong to other repositories, where there are any."""
    return f", {plan.out_of_scope} out of scope" if plan.out_of_scope else ""


def _alarm(changes: Iterable[Change], words: Words, one: str, many: str, style: Style) -> Iterator[str]:
    marked = sum(any(is_marked(change, field, words) for field in change.fields) for change in changes)
    if marked:
        text = f"{_number(marked, one, many)}: see {words.mark}."
        yield style.paint(Tone.ALARM, text)


def _number(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


# -------------------------------------------------------------------------------------------------------------- result

_STATUS_TONES: Final = {
    Status.APPLIED: Tone.CREATE,
    Status.NOT_CONVERGED: Tone.ALARM,
    Status.FAILED: Tone.ALARM,
    Status.SKIPPED: Tone.UPDATE,
    Status.CONFLICT: Tone.ALARM,
}
_STATUS_WIDTH: Final = max(map(len, Status))


def result(result: ApplyResult, style: Style) -> str:
    """What became of each change, then totals that add up to the number of planned changes."""
    lines = [line for outcome in result.outcomes for line in _outcome_block(outcome, style)]
    return laid_out([*lines, *([""] if lines else []), *_result_summary(result, style)], style)


def outcome_line(outcome: Outcome, style: Style) -> str:
    """One change's end in one line: what a run without a terminal reports while it goes on."""
    change = outcome.change
    status = style.paint(_STATUS_TONES[outcome.status], f"{outcome.status:<{_STATUS_WIDTH}}")
    known = outcome.id or change.id
    suffix = f" (id {brief(known)})" if known else ""
    message = f": {brief(outcome.message, LONGEST_MESSAGE)}" if outcome.message else ""
    doubt = "; it may still have been written" if outcome.uncertain else ""
    return f"{status}  {change.action} {heading(change)}{suffix}{message}{doubt}"


def _outcome_block(outcome: Outcome, style: Style) -> Iterator[str]:
    yield outcome_line(outcome, style)
    yield from row_lines(outcome_rows(outcome.fields), SENT_WORDS, style, Action.UPDATE)


def _result_summary(result: ApplyResult, style: Style) -> Iterator[str]:
    if not result.outcomes:
        in_step = _number(result.unchanged, "resource is", "resources are")
        yield f"{style.paint(Tone.STRONG, 'Nothing to do.')} {in_step} in step."
        return
    count = result.count
    yield (
        f"{style.paint(Tone.STRONG, 'Apply:')} {_number(result.planned, 'resource', 'resources')} planned: "
        f"{count(Status.APPLIED)} applied, {result.unchanged} unchanged, {count(Status.NOT_CONVERGED)} not converged, "
        f"{count(Status.FAILED)} failed, {count(Status.SKIPPED)} skipped, {count(Status.CONFLICT)} in conflict."
    )
    if result.interrupted:
        yield style.paint(Tone.ALARM, f"Interrupted: {_left(count(Status.SKIPPED))}. Run plan to see what is left.")
    if result.run and not result.is_complete:
        yield "The journal has the details:"
        yield f"    {command('history', 'show', result.run, *style.options)}"


def _left(count: int) -> str:
    return (
        "every change had been started" if not count else f"{_number(count, 'change was', 'changes were')} not started"
    )


# ---------------------------------------------------------------------------------------------------------- validation


def validation(report: Report, style: Style) -> str:
    """One line for each fault, in the order of the files, then the count."""
    return laid_out([*diagnostics(report.found, style), _verdict(report, style)], style)


def diagnostics(found: Iterable[Checked], style: Style) -> Iterator[str]:
    """The faults, one line each, as ``file:line:column: error: message``, so that editors and CI can link them."""
    tones = {Severity.ERROR: Tone.ALARM, Severity.WARNING: Tone.UPDATE}
    for one in found:
        fault = one.diagnostic
        at = f" (at {brief(fault.pointer)})" if fault.pointer else ""
        hint = f"; {brief(fault.hint, LONGEST_MESSAGE)}" if fault.hint else ""
        where = f" {{{escape(', '.join(one.environments))}}}" if one.environments else ""
        severity = style.paint(tones[fault.severity], fault.severity)
        message = brief(fault.message, LONGEST_MESSAGE)
        yield f"{escape(str(fault.place))}: {severity}: {message}{at}{hint} [{brief(fault.rule)}]{where}"


def _verdict(report: Report, style: Style) -> str:
    documents = "" if report.documents is None else f"{_number(report.documents, 'document', 'documents')} in "
    read = f"{documents}{_number(report.files, 'file', 'files')}"
    warnings = f", {_number(report.warning_count, 'warning', 'warnings')}" if report.warning_count else ""
    if report.valid:
        return f"{style.paint(Tone.CREATE, 'Valid:')} {read}{warnings}."
    return (
        f"{style.paint(Tone.ALARM, 'Not valid:')} {_number(report.error_count, 'error', 'errors')}{warnings} in {read}."
    )
