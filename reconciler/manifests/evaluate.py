"""A manifest after substitution -> what the rules find in it, less what ``policy.waivers`` waives today."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

from reconciler.kinds import Kind
from reconciler.manifests.context import LoadContext
from reconciler.manifests.rules import RULES, Level, ManifestView, Objection, Rule, objections, objections_if_new
from reconciler.manifests.schema import Fault, did_you_mean
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Severity, Waiver
from reconciler.model.json import Body, Json, is_array, pointer, pointer_parts
from reconciler.model.secret import SecretReference


@dataclass(frozen=True, slots=True)
class Weighed:
    """What is left of findings."""

    faults: tuple[Fault, ...] = ()
    """Those that no waiver lets pass, and what is wrong with the waivers."""
    waived: tuple[tuple[Fault, Waiver], ...] = ()
    waivers: frozenset[str] = frozenset()
    """The rules that are waived, whether they found anything or not."""


_NOTHING: Final = Weighed()
_NONE: Final[frozenset[str]] = frozenset()


def judge(
    manifest: Body,
    secrets: Mapping[str, SecretReference | None],
    kind: Kind,
    context: LoadContext,
    known: Iterable[Fault],
    literals: Mapping[str, str],
) -> Weighed:
    """Ask the rules. What has a fault already is open to them, so that none repeats it or builds on it.

    What is not certain is a warning at most. A resource that is to be absent has no fields to speak of. Beside a fault,
    a field that spec leaves out is open even where the manifest is exclusive: the fault may be its misspelled name.
    """
    spec, policy = manifest.get("spec"), manifest.get("policy")
    if not isinstance(spec, Mapping):
        return _NOTHING
    policy = policy if isinstance(policy, Mapping) else {}
    if policy.get("state") == "absent":
        return weigh((), policy, context, needless=lambda _rule: False)
    faulty = [pointer_parts(fault.pointer) for fault in known if fault.severity is Severity.ERROR]
    view = ManifestView(
        spec,
        kind.defaults,
        secrets,
        _assignments(manifest.get("assignments"), faulty),
        policy.get("fields") == "exclusive" and not faulty,
        _below("spec", faulty) if faulty else _NONE,
        is_array(manifest.get("secrets")) and bool(manifest["secrets"]),
        literals,
    )
    found = objections(kind, view)
    if found and "ignore" in policy:  # looked at last: to leave more open never adds to what is found
        found = objections(kind, replace(view, open_fields=view.open_fields | _ignored(policy["ignore"])))
    if faulty:
        found = [(rule, objection) for rule, objection in found if objection.is_certain]
    if not found and "waivers" not in policy:
        return _NOTHING
    faults = list(_faults(found, context))
    return weigh(faults, policy, context, lambda rule: not faulty and _is_needless(rule, kind, view))


def _is_needless(rule: str, kind: Kind, view: ManifestView) -> bool:
    """Whether a rule that finds nothing finds nothing either if the object is new."""
    return all(other.name != rule for other, _ in objections_if_new(kind, view))


def _faults(found: Iterable[tuple[Rule, Objection]], context: LoadContext) -> Iterator[Fault]:
    for rule, objection in found:
        level = context.level(rule.name)
        if level is not Level.OFF:
            message = f"{objection.message}: {rule.reason}"
            severity = Severity(level) if objection.is_certain else Severity.WARNING
            yield Fault(objection.pointer, message, rule.name, objection.hint, severity=severity)


def _ignored(pointers: Json) -> frozenset[str]:
    """The fields of which at least a part keeps its live value, whatever spec says."""
    texts = [text for text in pointers if isinstance(text, str) and text.startswith("/")] if is_array(pointers) else []
    return frozenset(pointer_parts(text)[0] for text in texts)


def _below(block: str, faulty: Iterable[Sequence[str]]) -> frozenset[str]:
    """The keys of a block of the manifest at or below which there is a fault."""
    return frozenset(parts[1] for parts in faulty if len(parts) > 1 and parts[0] == block)


def _assignments(block: Json, faulty: Sequence[Sequence[str]]) -> Mapping[str, Sequence[Json]]:
    """The parties that are managed and not at fault."""
    if not block or not isinstance(block, Mapping):
        return {}
    broken = _below("assignments", faulty)
    return {party: ids for party, ids in block.items() if is_array(ids) and party not in broken}


def weigh(found: Sequence[Fault], policy: Body, context: LoadContext, needless: Callable[[str], bool]) -> Weighed:
    """Let pass what is waived: a waiver holds for all that its rule finds in the manifest.

    Args:
        found: what the rules find.
        policy: the block of the manifest.
        context: levels, and the day that waivers are judged by.
        needless: asked of the rule of a waiver for which nothing was found, whether nothing can be found either.
    """
    faults: list[Fault] = []
    waived: dict[Fault, Waiver] = {}
    waivers: set[str] = set()
    for at, waiver in _waivers(policy, context.today):
        if isinstance(waiver, Fault):
            faults.append(waiver)
            continue
        matching = [fault for fault in found if fault.rule == waiver.rule and fault not in waived]
        waived |= dict.fromkeys(matching, waiver)
        waivers.add(waiver.rule)
        if not matching and context.level(waiver.rule) is not Level.OFF and needless(waiver.rule):
            message = f"the waiver of {waiver.rule} waives nothing"
            faults.append(Fault(f"{at}/rule", message, "unused-waiver", "remove it", severity=Severity.WARNING))
    return Weighed(
        (*faults, *(fault for fault in found if fault not in waived)), tuple(waived.items()), frozenset(waivers)
    )


def _waivers(policy: Body, today: date) -> Iterator[tuple[str, Waiver | Fault]]:
    """Read what has the form of a waiver, each with its JSON pointer; about the rest, the schema has spoken."""
    blocks = policy.get("waivers")
    for index, block in enumerate(blocks if is_array(blocks) else ()):
        at = pointer("policy", "waivers", index)
        match block:
            case {"rule": str(rule), "reason": str(reason), "owner": str(owner), "expires": str(expires)}:
                day = _day(expires, at)
                read = day if isinstance(day, Fault) else Waiver(rule, reason, owner, day)
                yield at, _unknown_rule(rule, at) or _expired(read, at, today) or read
            case _:
                pass


def _unknown_rule(rule: str, at: str) -> Fault | None:
    if rule in RULES:
        return None
    hint = did_you_mean(rule, RULES) or f"rules are: {', '.join(RULES)}"
    return Fault(f"{at}/rule", f"unknown rule {json.dumps(rule)}", "unknown-rule", hint)


def _day(text: str, at: str) -> date | Fault:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return Fault(f"{at}/expires", f"{json.dumps(text)} is not a valid date", "format", "write it like 2027-01-31")


def _expired(waiver: Waiver | Fault, at: str, today: date) -> Fault | None:
    if isinstance(waiver, Fault) or today <= waiver.expires:
        return None
    message = f"the waiver of {waiver.rule} expired on {waiver.expires}; its owner is {waiver.owner}"
    hint = f"fix what it waives, or agree with {waiver.owner} on a new date"
    return Fault(f"{at}/expires", message, "expired-waiver", hint)
