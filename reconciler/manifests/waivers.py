"""Findings x ``policy.waivers`` x today -> those that are let pass, and what is wrong with the waivers."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from reconciler.manifests.context import LoadContext
from reconciler.manifests.rules import RULES, Level
from reconciler.manifests.schema import Fault, did_you_mean
from reconciler.model.diagnostic import Severity, Waiver
from reconciler.model.json import Body, is_array, pointer


@dataclass(frozen=True, slots=True)
class Weighed:
    """What is left of findings."""

    faults: tuple[Fault, ...] = ()
    """Those that no waiver lets pass, and what is wrong with the waivers."""
    waived: tuple[tuple[Fault, Waiver], ...] = ()
    waivers: frozenset[str] = frozenset()
    """The rules that are waived, whether they found anything or not."""


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
        return Fault(f"{at}/expires", f"there is no day {json.dumps(text)}", "format", "write it like 2027-01-31")


def _expired(waiver: Waiver | Fault, at: str, today: date) -> Fault | None:
    if isinstance(waiver, Fault) or today <= waiver.expires:
        return None
    message = f"the waiver of {waiver.rule} expired on {waiver.expires}; its owner is {waiver.owner}"
    hint = f"fix what it waives, or agree with {waiver.owner} on a new date"
    return Fault(f"{at}/expires", message, "expired-waiver", hint)
