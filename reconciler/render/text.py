"""Plan, drift, result, validation, error or changes of a file -> text for people, on a terminal or in a CI log.

Every name and value is escaped here; colour is added last.
"""

from collections.abc import Iterable, Iterator
from difflib import unified_diff
from typing import Final

from reconciler.errors import PlanRefused, ReconcilerError
from reconciler.model.diagnostic import Checked, Report, Severity
from reconciler.model.drift import Drift, DriftKind, Side
from reconciler.model.outcome import ApplyResult, Outcome, Status
from reconciler.model.plan import Action, Change, Finding, Plan
from reconciler.render import wording
from reconciler.render.command import Offer, applying, details, how_to_accept, how_to_apply
from reconciler.render.escape import LONGEST_MESSAGE, brief, escape, joined
from reconciler.render.rows import Row, outcome_rows, pair, rows
from reconciler.render.style import Style, Tone, laid_out
from reconciler.render.wording import View, Words, heading, number, view

# ------------------------------------------------------------------------------------------------------ plan and drift


def plan(plan: Plan, digest: str, style: Style) -> str:
    """A plan as in Terraform: a block for each resource that would be written, then the totals."""
    return _document(plan, _plan_summary(plan, style), digest, style)


def drift(drift: Drift, digest: str, style: Style) -> str:
    """Drift: where the service differs from the manifests, and which side changed."""
    return _document(drift, _drift_summary(drift, style), digest, style)


def _document(found: Plan | Drift, summary: Iterable[str], digest: str, style: Style) -> str:
    seen = view(found)
    offers = _offers(found, seen.plan, digest, style)
    return laid_out([*_body(seen, style), *_guards(seen.plan, digest, style), *summary, *offers], style)


def _body(seen: View, style: Style) -> Iterator[str]:
    plan, binding = seen.plan, seen.plan.binding
    where = f"marketplace {brief(binding.marketplace)} at {escape(binding.base_url)}"
    yield f"Environment {escape(binding.environment)}: {where}"
    if plan.snapshot:
        yield f"It was {brief(wording.snapshot_note(plan))}."
    yield ""
    for change in seen.written:
        yield from _change(change, seen, style)
        yield ""
    lines = [
        "  ".join(filter(None, [name, _side_note(seen.sides_of(change).get("", ""), style)]))
        for change, name in seen.unmanaged
    ]
    yield from _section("Unmanaged (live, not in any manifest, unchanged):", wording.few(lines), style)
    yield from _section("Warnings:", (brief(text, LONGEST_MESSAGE) for text in plan.warnings), style)
    yield from _section("Notices:", (brief(text, LONGEST_MESSAGE) for text in seen.notices), style)


def _section(title: str, lines: Iterable[str], style: Style) -> Iterator[str]:
    content = [f"    {line}" for line in lines]
    if content:
        yield from (style.paint(Tone.STRONG, title), *content, "")


def _guards(plan: Plan, digest: str, style: Style) -> Iterator[str]:
    if plan.guards:
        yield style.paint(Tone.ALARM, "Guards refuse to apply these changes:")
        for finding in plan.guards:
            yield from _finding(finding, style)
        for how in applying(plan, digest, style, "To accept them"):
            yield from offered(how, "  ")
        yield ""


def _finding(finding: Finding, style: Style) -> Iterator[str]:
    """A guard finding: its rule and numbers, the resources, and the fix."""
    yield f"  {style.paint(Tone.ALARM, brief(finding.rule))}: {brief(finding.message, LONGEST_MESSAGE)}"
    if finding.addresses:
        yield f"      resources: {', '.join(wording.few([brief(str(address)) for address in finding.addresses]))}"
    final = "" if finding.can_be_acknowledged else " (cannot be acknowledged)"
    yield f"      fix: {brief(finding.fix, LONGEST_MESSAGE)}{final}"


def _offers(found: Plan | Drift, plan: Plan, digest: str, style: Style) -> Iterator[str]:
    """How to apply or correct it, unless shown with the guards, and how to accept drift."""
    if style.is_offered:
        applied = [] if plan.guards else how_to_apply(found, digest, style)
        for how in [*applied, *how_to_accept(found, style)]:
            yield from offered(how)


def offered(how: Offer, indent: str = "") -> Iterator[str]:
    """An explanation, and text to copy."""
    yield f"{indent}{how.words}"
    if how.copied:
        yield f"    {how.copied}"


def _plan_summary(plan: Plan, style: Style) -> Iterator[str]:
    count = plan.summary
    if not plan.has_changes:
        yield f"{style.paint(Tone.STRONG, 'No changes.')} {_in_step(plan, count.no_op, count.unmanaged)}"
        return
    yield (
        f"{style.paint(Tone.STRONG, 'Plan:')} {count.create:,} to create, {count.update:,} to update, "
        f"{count.delete:,} to delete; {count.no_op:,} in step, {count.unmanaged:,} unmanaged"
        f"{_also(plan.out_of_scope, 'out of scope')}."
    )
    yield from _alarm(view(plan), "change widens access", "changes widen access", style)


def _drift_summary(drift: Drift, style: Style) -> Iterator[str]:
    plan, count = drift.plan, drift.count
    in_no_manifest, of_them = count(DriftKind.UNMANAGED), len(drift.uncontrolled)
    if drift.has_drift:
        yield (
            f"{style.paint(Tone.STRONG, 'Drift:')} {count(DriftKind.MISSING):,} missing, "
            f"{number(count(DriftKind.CHANGED), 'differs', 'differ')}, {count(DriftKind.SURPLUS):,} surplus; "
            f"{_restored(count(DriftKind.RESTORED))}"
            f"{drift.in_step:,} in step, {in_no_manifest:,} unmanaged"
            f"{f' ({of_them:,} of them drift)' if of_them else ''}{_also(plan.out_of_scope, 'out of scope')}."
        )
        one, many = "resource has wider access than its manifest", "resources have wider access than their manifests"
        yield from _alarm(view(drift), one, many, style)
    elif drift.left_out:
        yield f"{style.paint(Tone.STRONG, 'No new drift.')} {_in_step(plan, drift.in_step, in_no_manifest)}"
    else:
        yield f"{style.paint(Tone.STRONG, 'No drift.')} {_in_step(plan, plan.summary.no_op, plan.summary.unmanaged)}"
    yield from _left_out(drift)


def _restored(count: int) -> str:
    """The number of objects that OrderCloud's restore removed."""
    return f"{count:,} removed by OrderCloud's staging restore (apply restores them); " if count else ""


def _left_out(drift: Drift) -> Iterator[str]:
    """What is not shown, and the receipt that was used to find the source of drift."""
    if drift.accepted:
        yield f"{number(drift.accepted, 'deviation in the baseline is', 'deviations in the baseline are')} not shown."
    if drift.unmoved:
        verb = "is" if drift.unmoved == 1 else "are"
        yield f"{number(drift.unmoved, 'deviation')} without a live change since the last apply {verb} not shown."
    if drift.receipt and (drift.has_drift or drift.left_out):
        commit = f" of commit {escape(drift.receipt.git_commit[:12])}" if drift.receipt.git_commit else ""
        yield f"The last apply was at {escape(drift.receipt.created_at)}{commit}."


def _in_step(plan: Plan, in_step: int, unmanaged: int) -> str:
    also = f"{_also(unmanaged, 'unmanaged')}{_also(plan.out_of_scope, 'out of scope')}"
    return f"{number(in_step, 'resource is', 'resources are')} in step{also}."


def _also(count: int, what: str) -> str:
    return f", {count:,} {what}" if count else ""


def _alarm(seen: View, one: str, many: str, style: Style) -> Iterator[str]:
    if marked := wording.widened(seen.changes, seen.words):
        yield style.paint(Tone.ALARM, f"{number(marked, one, many)}: see {seen.words.mark}.")


# ---------------------------------------------------------------------------------------------------------- one change

_WIDEST_NAME: Final = 40
_SIGNS: Final = {
    Action.CREATE: ("+", Tone.CREATE),
    Action.UPDATE: ("~", Tone.UPDATE),
    Action.DELETE: ("-", Tone.DELETE),
}


def _change(change: Change, seen: View, style: Style) -> Iterator[str]:
    """The lines of a resource that a plan writes."""
    sides, (sign, tone) = seen.sides_of(change), _SIGNS[change.action]
    head = style.paint(tone, f"{sign} {seen.words.verbs[change.action]} {heading(change)}")
    yield "  ".join(filter(None, [f"{head} ({_identification(change)})", _side_note(sides.get("", ""), style)]))
    yield from _row_lines(rows(change, seen.words, sides), seen.words, style, change.action)


def _side_note(side: str, style: Style) -> str:
    """Which side changed, for the end of a line."""
    tone = Tone.QUIET if side == wording.SIDE_WORDS[Side.GIT_AHEAD] else Tone.ALARM
    return style.paint(tone, f"[{side}]") if side else ""


def _identification(change: Change) -> str:
    parts = [f"id {brief(change.id)}"] if change.id else ["id known after apply"]
    if change.place:
        parts.append(escape(str(change.place)))
    elif change.is_pruned:
        parts.append("not in any manifest")
    if change.protected:
        parts.append("protected")
    return ", ".join(parts)


def _row_lines(found: Iterable[Row], words: Words, style: Style, action: Action) -> Iterator[str]:
    """A line for each field or leaf, and for each member of a set and each side of a long value."""
    shown = list(found)
    width = min(max((len(row.name) for row in shown), default=0), _WIDEST_NAME)
    for row in shown:
        mark = style.paint(Tone.ALARM, words.mark) if row.is_alarming else ""
        parts = [_text_value(row, words, style, action), row.note, mark, _side_note(row.side, style)]
        parts.append(f"({row.place})" if row.place else "")
        yield "  ".join([f"    {row.name:<{width}}", *filter(None, parts)]).rstrip()
        yield from _extra_lines(row, words, style, action)


def _text_value(row: Row, words: Words, style: Style, action: Action) -> str:
    match action:
        case Action.CREATE:
            return row.after
        case Action.DELETE:
            return style.paint(Tone.DELETE, row.before)
        case _:
            return row.differences if row.is_long else pair(row, words.pair)


def _extra_lines(row: Row, words: Words, style: Style, action: Action) -> Iterator[str]:
    for prefix, members, tone in ((words.come, row.added, Tone.CREATE), (words.go, row.removed, Tone.DELETE)):
        yield from (f"      {style.paint(tone, f'{prefix}{member}')}" for member in members)
    if row.is_long and action is Action.UPDATE:
        for prefix, side, tone in ((words.was, row.before, Tone.DELETE), (words.becomes, row.after, Tone.CREATE)):
            if side:
                yield f"      {style.paint(tone, f'{prefix}{side}')}"


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
    """The outcome of each change, then totals that add up to the number of planned changes."""
    lines = [line for outcome in result.outcomes for line in _outcome_block(outcome, style)]
    return laid_out([*lines, *([""] if lines else []), *_result_summary(result, style)], style)


def outcome_line(outcome: Outcome, style: Style) -> str:
    """The outcome of a change in one line, as reported during a run without a terminal."""
    change = outcome.change
    status = style.paint(_STATUS_TONES[outcome.status], f"{outcome.status:<{_STATUS_WIDTH}}")
    known = outcome.id or change.id
    suffix = f" (id {brief(known)})" if known else ""
    message = f": {brief(outcome.message, LONGEST_MESSAGE)}" if outcome.message else ""
    doubt = f"; {wording.DOUBT}" if outcome.uncertain else ""
    return f"{status}  {change.action} {heading(change)}{suffix}{message}{doubt}"


def _outcome_block(outcome: Outcome, style: Style) -> Iterator[str]:
    yield outcome_line(outcome, style)
    yield from _row_lines(outcome_rows(outcome.fields), wording.SENT_WORDS, style, Action.UPDATE)


def _result_summary(result: ApplyResult, style: Style) -> Iterator[str]:
    if not result.outcomes:
        in_step = number(result.unchanged, "resource is", "resources are")
        yield f"{style.paint(Tone.STRONG, 'Nothing to do.')} {in_step} in step."
        return
    count = result.count
    yield (
        f"{style.paint(Tone.STRONG, 'Apply:')} {number(result.planned, 'resource')} planned: "
        f"{count(Status.APPLIED):,} applied, {result.unchanged:,} unchanged, "
        f"{count(Status.NOT_CONVERGED):,} not converged, {count(Status.FAILED):,} failed, "
        f"{count(Status.SKIPPED):,} skipped, {count(Status.CONFLICT):,} in conflict."
    )
    if result.interrupted:
        yield style.paint(Tone.ALARM, f"Interrupted: {_left(count(Status.SKIPPED))}. Run plan to see what is left.")
    if result.run and not result.is_complete:
        yield "Details are in the journal:"
        yield f"    {details(result, style)}"


def _left(count: int) -> str:
    return f"{number(count, 'change was', 'changes were')} not started" if count else "all changes were started"


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
    documents = "" if report.documents is None else f"{number(report.documents, 'document')} in "
    read = f"{documents}{number(report.files, 'file')}"
    warnings = f", {number(report.warning_count, 'warning')}" if report.warning_count else ""
    if report.valid:
        return f"{style.paint(Tone.CREATE, 'Valid:')} {read}{warnings}."
    return f"{style.paint(Tone.ALARM, 'Not valid:')} {number(report.error_count, 'error')}{warnings} in {read}."


# ------------------------------------------------------------------------------------------------------------- failure


def failure(name: str, error: ReconcilerError, style: Style) -> str:
    """The error in place of the document with this name."""
    title = _TITLES.get(name, name.capitalize())
    return f"{title} failed:\n{error_text(error, style)}"


_TITLES: Final = {"result": "Rollback", "secrets": "Secret status"}
"""Document -> its title, where its name is not one."""


def error_text(error: ReconcilerError, style: Style) -> str:
    """The message, places and hint of an error."""
    findings = wording.findings_of(error)
    message = "refused by a guard; nothing was written" if findings else error.message
    reason = f" [{error.reason}]" if isinstance(error, PlanRefused) else ""
    lines = [
        *diagnostics(wording.faults_of(error), style),
        f"{style.paint(Tone.ALARM, 'error:')} {brief(f'{message}{reason}', LONGEST_MESSAGE)}",
        *(line for finding in findings for line in _finding(finding, style)),
        *([f"  hint: {brief(error.hint, LONGEST_MESSAGE)}"] if error.hint else []),
    ]
    return laid_out(lines, style)


def warning(message: str, style: Style) -> str:
    """One line about a problem that does not stop the run."""
    return laid_out([f"{style.paint(Tone.UPDATE, 'warning:')} {brief(message, LONGEST_MESSAGE)}"], style)


def internal_error(error: BaseException, place: str, style: Style) -> str:
    """An unexpected error: its type and place, never its message, which could contain a value."""
    text = f"internal error: {type(error).__name__} at {place}; please report it with the command line"
    return laid_out([style.paint(Tone.ALARM, escape(text))], style)


# --------------------------------------------------------------------------------------------------- changes of a file

_CONTEXT: Final = 1
"""Unchanged lines around a change."""
_EDIT_TONES: Final = {"+": Tone.CREATE, "-": Tone.DELETE, "@": Tone.QUIET}


def edits(file: str, before: str, after: str, style: Style) -> str:
    """The difference; line ends and invisible characters are escaped."""
    return joined(_edits(file, before, after, style))


def _edits(file: str, before: str, after: str, style: Style) -> Iterator[str]:
    found = unified_diff(before.splitlines(), after.splitlines(), file, file, n=_CONTEXT, lineterm="")
    for line in found:
        tone = _EDIT_TONES.get(line[:1])
        yield style.paint(tone, escape(line)) if tone else escape(line)
