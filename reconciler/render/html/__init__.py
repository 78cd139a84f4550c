"""Plan, drift, result, report or error, of one environment or several -> one HTML file to open, send or print."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from reconciler.errors import GuardRefusal, InputError, ReconcilerError
from reconciler.model.diagnostic import Checked, Report, Severity
from reconciler.model.drift import Drift
from reconciler.model.outcome import ApplyResult
from reconciler.model.plan import Change, Finding, Plan
from reconciler.render import wording
from reconciler.render.command import Offer, all_together, to_git, way
from reconciler.render.groups import Document, End, Group, Planned, TextOf, groups, verdict
from reconciler.render.html import items
from reconciler.render.html.page import NOTHING, Filters, Html, Page, bullets, el, html, join, timeline
from reconciler.render.style import Style
from reconciler.render.values import LONGEST_MESSAGE, brief
from reconciler.render.wording import DRIFT_WORDS, PLAN_WORDS, Count, Words, number, unmanaged

# ------------------------------------------------------------------------------------------------------- plan and drift


def plan(plan: Plan, digest: str, style: Style) -> str:
    """A plan for those who are to approve it."""
    return html(
        Page(
            f"Plan for {plan.binding.environment}",
            wording.plan_verdict(plan),
            plan_tone(plan),
            origin(plan),
            wording.plan_counts(plan),
            refused(plan.guards),
            Filters(items.kinds_of(plan.changes, PLAN_WORDS)) if plan.has_changes else None,
            join(*items.changes(plan.changes, PLAN_WORDS, {})),
            join(besides(plan, plan.changes), ways(plan, digest, style)),
        )
    )


def plan_tone(plan: Plan) -> str:
    """How it looks at first sight."""
    return "bad" if plan.guards else "warn" if plan.has_changes else "good"


def drift(drift: Drift, digest: str, style: Style) -> str:
    """What differs from the manifests, to correct it or to take it over."""
    environment = drift.plan.binding.environment
    receipt = _receipt(drift)
    return html(
        Page(
            f"Drift in {environment}",
            wording.drift_verdict(drift),
            drift_tone(drift),
            join(origin(drift.plan), receipt),
            wording.drift_counts(drift),
            join(timeline(style.history), refused(drift.plan.guards)),
            drift_filters([drift]) if drift.has_drift else None,
            join(*items.changes(drift.changes, DRIFT_WORDS, wording.sides(drift))),
            join(
                besides(drift.plan, drift.changes, drift.uncontrolled),
                ways(drift, digest, style),
            ),
        )
    )


def drift_tone(drift: Drift) -> str:
    """How it looks at first sight."""
    return "good" if not drift.has_drift else "bad" if any(map(wording.is_wider, drift.deviations)) else "warn"


def drift_filters(drifts: Sequence[Drift]) -> Filters:
    """What drift can be chosen by; by who moved, where that is known."""
    changes = [change for drift in drifts for change in drift.changes]
    moved = sorted(
        {words.replace(" ", "-") for drift in drifts for of in wording.sides(drift).values() for words in of.values()}
    )
    return Filters({**items.kinds_of(changes, DRIFT_WORDS), "moved": moved})


def _receipt(drift: Drift) -> Html:
    if drift.receipt is None:
        return NOTHING
    commit = f" of commit {drift.receipt.git_commit[:12]}" if drift.receipt.git_commit else ""
    return join(" · last apply ", el("code", f"{drift.receipt.created_at}{commit}"))


def origin(plan: Plan) -> Html:
    """What it was made from and for."""
    binding = plan.binding
    commit = [" · commit ", el("code", binding.git_commit[:12])] if binding.git_commit else []
    dirty = " with uncommitted changes" if binding.git_dirty else None
    until = [" · good until ", el("code", binding.expires_at)] if binding.expires_at else []
    place = ["marketplace ", el("code", brief(binding.marketplace)), " at ", el("code", brief(binding.base_url))]
    return join(*place, *commit, dirty, *until, f" · {wording.snapshot_note(plan)}" if plan.snapshot else None)


def refused(findings: Sequence[Finding]) -> Html:
    """What guards object to; nothing where they do not."""
    if not findings:
        return NOTHING
    return el(
        "section",
        el("h2", "Guards refuse to apply these changes"),
        el("ul", *map(_finding, findings)),
        class_="refused",
    )


def _finding(finding: Finding) -> Html:
    final = "" if finding.can_be_acknowledged else " (cannot be acknowledged)"
    fix = el("div", f"fix: {brief(finding.fix, LONGEST_MESSAGE)}")
    return el("li", el("code", brief(finding.rule)), f"{final}: {brief(finding.message, LONGEST_MESSAGE)}", fix)


def besides(plan: Plan, changes: Sequence[Change], drifted: Collection[Change] = ()) -> Html:
    """Warnings, notices, and what is live without a manifest."""
    names = [name for _, name in unmanaged(plan, changes, drifted)]
    warnings = [brief(text, LONGEST_MESSAGE) for text in plan.warnings]
    notices = [brief(one.message, LONGEST_MESSAGE) for one in plan.notices]
    return join(
        bullets("Warnings", warnings),
        bullets("Notices", notices),
        bullets("Unmanaged: live, in no manifest, left alone", names),
    )


def ways(found: Plan | Drift, digest: str, style: Style) -> Html:
    """How it is applied, acknowledged or taken over into the manifests, and the digest of its changes."""
    others = to_git(found, style) if isinstance(found, Drift) else ()
    return join(*map(_offer, others), _footer(digest, way(found, digest, style)))


def _footer(digest: str, how: Offer | None) -> Html:
    return el("footer", _offer(how) if how else None, el("p", "Digest ", el("code", digest)) if digest else None)


def _offer(how: Offer) -> Html:
    return join(el("h2", how.words.removesuffix(":")), el("pre", how.copied) if how.copied else None)


# --------------------------------------------------------------------------------------- result, validation and failure


def result(result: ApplyResult, style: Style) -> str:
    """What became of a plan, failures first."""
    statuses = sorted({outcome.status.value for outcome in result.outcomes})
    actions = sorted({outcome.change.action.value for outcome in result.outcomes})
    return html(
        Page(
            f"Apply to {style.environment}".strip(),
            wording.result_verdict(result),
            "good" if result.is_complete and not result.interrupted else "bad",
            NOTHING,
            wording.result_counts(result),
            filters=Filters({"status": statuses, "action": actions}) if result.outcomes else None,
            items=join(*items.outcomes(result.outcomes)),
        )
    )


def validation(report: Report, style: Style) -> str:
    """Every fault, errors first."""
    severities = sorted({one.diagnostic.severity.value for one in report.found})
    rules = sorted({one.diagnostic.rule for one in report.found})
    waived = [f"{one.diagnostic}: {why.reason} ({why.owner}, until {why.expires})" for one, why in report.waived]
    return html(
        Page(
            f"Manifests {f'for {style.environment}' if style.environment else ''}".strip(),
            wording.report_verdict(report),
            _report_tone(report),
            NOTHING,
            wording.report_counts(report),
            filters=Filters({"severity": severities, "rule": rules}) if report.found else None,
            items=join(*items.faults(report.found)),
            after=bullets("Waived", [brief(one, LONGEST_MESSAGE) for one in waived]),
        )
    )


def _report_tone(report: Report) -> str:
    return "bad" if not report.valid else "warn" if report.warning_count else "good"


def failure(name: str, error: ReconcilerError, style: Style) -> str:
    """Why there is no document of this name."""
    refusal = isinstance(error, GuardRefusal)
    found = faults_of(error)
    errors = sum(one.diagnostic.severity is Severity.ERROR for one in found)
    message = el("p", brief(error.message, LONGEST_MESSAGE))
    hint = el("p", f"hint: {brief(error.hint, LONGEST_MESSAGE)}") if error.hint else None
    findings = refused(error.findings) if isinstance(error, GuardRefusal) else el("section", message, class_="refused")
    return html(
        Page(
            f"{name.capitalize()} {f'for {style.environment}' if style.environment else ''}".strip(),
            "refused by a guard" if refusal else "failed",
            "bad",
            NOTHING,
            [wording.Count("errors", errors, is_alarming=True)] if found else [],
            join(findings, hint),
            filters=Filters() if found else None,
            items=join(*items.faults(found)),
        )
    )


def faults_of(error: ReconcilerError) -> list[Checked]:
    """Those of the input, if it is about that."""
    return [Checked(one) for one in error.diagnostics] if isinstance(error, InputError) else []


_TONES: Final[Mapping[End, str]] = {End.IN_STEP: "good", End.CHANGED: "warn", End.FAILED: "bad", End.SKIPPED: "warn"}
_FEW: Final = 10


def of_several(planned: Sequence[Planned], _text_of: TextOf, style: Style) -> str:
    """One page of all."""
    found = groups(planned)
    counts = {end: sum(len(one.parts) for one in found if one.end is end) for end in End}
    tones = [_TONES[one.end] for one in found]
    is_applied = planned[0].noun == "apply"
    return html(
        Page(
            f"{planned[0].noun.capitalize()} of {number(len(planned), 'environment')}",
            verdict(found),
            "bad" if "bad" in tones else "good" if is_applied or set(tones) == {"good"} else "warn",
            NOTHING,
            [Count(end, count, end is End.FAILED) for end, count in counts.items() if count or end is not End.SKIPPED],
            join(timeline(style.history), _overview(found)),
            _filters(found),
            join(*(_section(one, style) for one in found)),
            _footer("", all_together(style)) if style.together else NOTHING,
        )
    )


def _overview(found: Sequence[Group]) -> Html:
    """A line for each group."""
    head = el("tr", el("th", "Environments", scope="col"), el("th", "Result", scope="col"))
    rows = [
        el("tr", el("th", _title(one), scope="row"), el("td", el("span", one.size, class_=f"badge {_TONES[one.end]}")))
        for one in found
    ]
    table = el("table", el("thead", head), el("tbody", *rows), class_="matrix")
    return el("div", el("div", table, class_="inside"), class_="box")


def _title(group: Group) -> str:
    names = group.names
    return ", ".join(names) if len(names) <= _FEW else f"{', '.join(names[:_FEW])} and {len(names) - _FEW:,} more"


def _changes(found: Document | None) -> tuple[Change, ...]:
    if isinstance(found, ApplyResult):
        return tuple(one.change for one in found.outcomes)
    return found.changes if found else ()


def _words(found: Document | None) -> Words:
    return DRIFT_WORDS if isinstance(found, Drift) else PLAN_WORDS


def _filters(found: Sequence[Group]) -> Filters | None:
    """By environment, however it is grouped, and by what can be chosen in each."""
    shown = [one for one in found if any(change.action.writes for change in _changes(one.first.found))]
    if not shown:
        return None
    names = [name for one in shown for name in one.names]
    results = [one.first.found for one in shown if isinstance(one.first.found, ApplyResult)]
    if results:
        return Filters({"environment": names, "status": sorted({o.status.value for r in results for o in r.outcomes})})
    changes = [change for one in shown for change in _changes(one.first.found)]
    return Filters({"environment": names, **items.kinds_of(changes, _words(shown[0].first.found))})


def _section(group: Group, style: Style) -> Html:
    one, names = group.first, group.names
    heading = names[0] if len(names) == 1 else number(len(names), "environment")
    shown = _shown(group)
    others = [*group.others(style)]
    return el(
        "section",
        el("h2", f"{heading}: {_verdict(one.found)}" if one.found else heading),
        el("p", ", ".join(names), class_="meta") if len(names) > 1 else None,
        el("p", note, class_="meta") if (note := group.note(names[0])) else None,
        *(_before(one.found) if one.found else [_error(one)]),
        *shown,
        *(_after(one, style) if one.found else []),
        bullets("In the others", others) if others else None,
        _error(one) if one.found and one.error else None,
        data_group=bool(shown),
    )


def _verdict(found: Document) -> str:
    match found:
        case Drift():
            return wording.drift_verdict(found)
        case Plan():
            return wording.plan_verdict(found)
        case ApplyResult():
            return wording.result_verdict(found)


def _shown(group: Group) -> list[Html]:
    found, names = group.first.found, " ".join(group.names)
    if isinstance(found, ApplyResult):
        return items.outcomes(found.outcomes, names)
    sides = wording.sides(found) if isinstance(found, Drift) else wording.NO_SIDES
    return items.changes(_changes(found), _words(found), sides, names)


def _before(found: Document) -> Iterator[Html]:
    if isinstance(found, ApplyResult):
        return
    plan = found.plan if isinstance(found, Drift) else found
    yield el("p", origin(plan), class_="meta")
    yield refused(plan.guards)


def _after(one: Planned, style: Style) -> Iterator[Html]:
    match one.found:
        case Drift() as drift:
            yield besides(drift.plan, drift.changes, drift.uncontrolled)
            yield ways(drift, one.digest, style)
        case Plan() as plan:
            yield besides(plan, plan.changes)
            yield ways(plan, one.digest, style)
        case _:
            pass


def _error(one: Planned) -> Html:
    if isinstance(one.error, GuardRefusal):
        return refused(one.error.findings)
    message, hint = (one.error.message, one.error.hint) if one.error else ("", "")
    texts = [brief(text, LONGEST_MESSAGE) for text in (message, f"hint: {hint}" if hint else "") if text]
    faults = items.faults(faults_of(one.error)) if one.error else []
    return join(el("section", *(el("p", text) for text in texts), class_="refused"), *faults)
