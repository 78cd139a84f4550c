"""Plan, drift, result, report or error, of one environment or several -> one HTML file to open, send or print."""

from collections.abc import Mapping, Sequence
from typing import Final

from reconciler.errors import ReconcilerError
from reconciler.model.diagnostic import Report, Severity
from reconciler.model.drift import Drift
from reconciler.model.outcome import ApplyResult
from reconciler.model.plan import Finding, Plan
from reconciler.render import wording
from reconciler.render.command import Offer, how_to_accept, how_to_apply, how_to_apply_all
from reconciler.render.escape import LONGEST_MESSAGE, brief
from reconciler.render.html import page
from reconciler.render.html.page import NOTHING, Html, Page, el, html, join
from reconciler.render.several import Document, End, Group, Planned, TextOf, groups
from reconciler.render.several import verdict as verdict_on_all
from reconciler.render.style import Style
from reconciler.render.wording import Count, View, number, verdict, view

# ------------------------------------------------------------------------------------------------------- plan and drift


def plan(plan: Plan, digest: str, style: Style) -> str:
    """A plan, for approval."""
    tone = "bad" if plan.guards else "warn" if plan.has_changes else "good"
    return _document(plan, tone, digest, style)


def drift(drift: Drift, digest: str, style: Style) -> str:
    """The differences from the manifests, to correct or to accept."""
    tone = "bad" if any(map(wording.is_wider, drift.deviations)) else "warn"
    return _document(drift, tone if drift.has_drift else "good", digest, style)


def _document(found: Plan | Drift, tone: str, digest: str, style: Style) -> str:
    seen, sources = view(found), set[str]()
    has_changes = found.has_drift if isinstance(found, Drift) else found.has_changes
    for sides in seen.sides.values():
        sources |= {words.replace(" ", "-") for words in sides.values()}
    return html(
        Page(
            f"{seen.title} {seen.environment}",
            verdict(found),
            tone,
            join(_origin(seen.plan), _receipt(found)),
            wording.counts(found),
            join(page.timeline(style.history), _refused(seen.plan.guards)),
            {**page.kinds_of(seen), "source": sorted(sources)} if has_changes else None,
            join(*page.changes(seen)),
            join(_notes(seen), _how_to_apply(found, digest, style)),
        )
    )


def _receipt(found: Plan | Drift) -> Html:
    if isinstance(found, Plan) or found.receipt is None:
        return NOTHING
    commit = f" of commit {found.receipt.git_commit[:12]}" if found.receipt.git_commit else ""
    return join(" · last apply ", el("code", f"{found.receipt.created_at}{commit}"))


def _origin(plan: Plan) -> Html:
    """The marketplace, commit and validity of a plan."""
    binding = plan.binding
    commit = [" · commit ", el("code", binding.git_commit[:12])] if binding.git_commit else []
    dirty = " with uncommitted changes" if binding.git_dirty else None
    until = [" · valid until ", el("code", binding.expires_at)] if binding.expires_at else []
    place = ["marketplace ", el("code", brief(binding.marketplace)), " at ", el("code", brief(binding.base_url))]
    return join(*place, *commit, dirty, *until, f" · {wording.snapshot_note(plan)}" if plan.snapshot else None)


def _refused(findings: Sequence[Finding]) -> Html:
    """The guard findings; empty if there are none."""
    if not findings:
        return NOTHING
    title = el("h2", "Guards refuse to apply these changes")
    return el("section", title, el("ul", *map(_finding, findings)), class_="refused")


def _finding(finding: Finding) -> Html:
    final = "" if finding.can_be_acknowledged else " (cannot be acknowledged)"
    fix = el("div", f"fix: {brief(finding.fix, LONGEST_MESSAGE)}")
    return el("li", el("code", brief(finding.rule)), f"{final}: {brief(finding.message, LONGEST_MESSAGE)}", fix)


def _notes(seen: View) -> Html:
    """Warnings, notices, and unmanaged objects."""
    return join(
        page.bullets("Warnings", [brief(text, LONGEST_MESSAGE) for text in seen.plan.warnings]),
        page.bullets("Notices", [brief(text, LONGEST_MESSAGE) for text in seen.notices]),
        page.bullets("Unmanaged: live, not in any manifest, unchanged", [name for _, name in seen.unmanaged]),
    )


def _how_to_apply(found: Plan | Drift, digest: str, style: Style) -> Html:
    """How to apply, acknowledge or accept it, and the digest of its changes."""
    of_changes = el("p", "Digest ", el("code", digest)) if digest else None
    return join(
        *map(_offer, how_to_accept(found, style)),
        el("footer", *map(_offer, how_to_apply(found, digest, style)), of_changes),
    )


def _offer(how: Offer) -> Html:
    return join(el("h2", how.words.removesuffix(":")), el("pre", how.copied) if how.copied else None)


# --------------------------------------------------------------------------------------- result, validation and failure


def result(result: ApplyResult, style: Style) -> str:
    """The result of a plan, failures first."""
    statuses = sorted({outcome.status.value for outcome in result.outcomes})
    actions = sorted({outcome.change.action.value for outcome in result.outcomes})
    return html(
        Page(
            f"Apply to {style.environment}".strip(),
            verdict(result),
            "good" if result.is_complete and not result.interrupted else "bad",
            NOTHING,
            wording.counts(result),
            choices={"status": statuses, "action": actions} if result.outcomes else None,
            items=join(*page.outcomes(result.outcomes)),
        )
    )


def validation(report: Report, style: Style) -> str:
    """Every fault, errors first."""
    severities = sorted({one.diagnostic.severity.value for one in report.found})
    rules = sorted({one.diagnostic.rule for one in report.found})
    waived = [brief(one, LONGEST_MESSAGE) for one in wording.waived(report)]
    return html(
        Page(
            f"Manifests {f'for {style.environment}' if style.environment else ''}".strip(),
            verdict(report),
            "bad" if not report.valid else "warn" if report.warning_count else "good",
            NOTHING,
            wording.counts(report),
            choices={"severity": severities, "rule": rules} if report.found else None,
            items=join(*page.faults(report.found)),
            after=page.bullets("Waived", waived),
        )
    )


def failure(name: str, error: ReconcilerError, style: Style) -> str:
    """The error in place of the document with this name."""
    found = wording.faults_of(error)
    errors = sum(one.diagnostic.severity is Severity.ERROR for one in found)
    hint = el("p", f"hint: {brief(error.hint, LONGEST_MESSAGE)}") if error.hint else None
    refused = _refused(wording.findings_of(error))
    message = el("section", el("p", brief(error.message, LONGEST_MESSAGE)), class_="refused")
    return html(
        Page(
            f"{name.capitalize()} {f'for {style.environment}' if style.environment else ''}".strip(),
            "refused by a guard" if refused else "failed",
            "bad",
            NOTHING,
            [Count("errors", errors, is_alarming=True)] if found else [],
            join(refused or message, hint),
            choices={} if found else None,
            items=join(*page.faults(found)),
        )
    )


# ------------------------------------------------------------------------------------------------- several environments

_TONES: Final[Mapping[End, str]] = {End.IN_STEP: "good", End.CHANGED: "warn", End.FAILED: "bad", End.SKIPPED: "warn"}
_FEW: Final = 10


def several(planned: Sequence[Planned], _text_of: TextOf, style: Style) -> str:
    """One page for all environments."""
    found = groups(planned)
    numbers = {end: sum(len(one.parts) for one in found if one.end is end) for end in End}
    tones = {_TONES[one.end] for one in found}
    is_good = planned[0].noun == "apply" or tones == {"good"}
    return html(
        Page(
            f"{planned[0].noun.capitalize()} of {number(len(planned), 'environment')}",
            verdict_on_all(found),
            "bad" if "bad" in tones else "good" if is_good else "warn",
            NOTHING,
            [Count(end, count, end is End.FAILED) for end, count in numbers.items() if count or end is not End.SKIPPED],
            join(page.timeline(style.history), _overview(found)),
            _filters(found),
            join(*(_section(one, style) for one in found)),
            join(*(el("footer", _offer(how)) for how in how_to_apply_all(style))),
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


def _filters(found: Sequence[Group]) -> page.Choices | None:
    """Filters by environment, and by the choices of each part."""
    names: list[str] = []
    chosen: dict[str, set[str]] = {}
    for group in found:
        choices = _choices(group.first.found)
        names += group.names if choices else []
        for name, values in choices.items():
            chosen.setdefault(name, set()).update(values)
    return {"environment": names, **{name: sorted(values) for name, values in chosen.items()}} if names else None


def _choices(found: Document | None) -> page.Choices:
    """Empty if no change is shown."""
    match found:
        case ApplyResult():
            return {"status": [one.status.value for one in found.outcomes]} if found.outcomes else {}
        case Plan() | Drift() if (seen := view(found)).written:
            return page.kinds_of(seen)
        case _:
            return {}


def _section(group: Group, style: Style) -> Html:
    one, names = group.first, group.names
    heading = names[0] if len(names) == 1 else number(len(names), "environment")
    before, shown, after = NOTHING, list[Html](), NOTHING
    if isinstance(one.found, ApplyResult):
        shown = page.outcomes(one.found.outcomes, " ".join(names))
    elif one.found:
        seen = view(one.found)
        before = join(el("p", _origin(seen.plan), class_="meta"), _refused(seen.plan.guards))
        shown = page.changes(seen, " ".join(names))
        after = join(_notes(seen), _how_to_apply(one.found, one.digest, style))
    return el(
        "section",
        el("h2", f"{heading}: {verdict(one.found)}" if one.found else heading),
        el("p", ", ".join(names), class_="meta") if len(names) > 1 else None,
        el("p", note, class_="meta") if (note := group.note(names[0])) else None,
        before,
        *shown,
        after,
        page.bullets("In the other environments", [*group.others(style)]),
        _error(one.error) if one.error else None,
        data_group=bool(shown),
    )


def _error(error: ReconcilerError) -> Html:
    if refused := _refused(wording.findings_of(error)):
        return refused
    texts = [error.message, *([f"hint: {error.hint}"] if error.hint else [])]
    reasons = el("section", *(el("p", brief(text, LONGEST_MESSAGE)) for text in texts), class_="refused")
    return join(reasons, *page.faults(wording.faults_of(error)))
