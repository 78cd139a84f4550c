"""A manifest after substitution and what is known to be wrong with it -> what the rules make of the rest of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from reconciler.kinds import Kind
from reconciler.manifests.context import LoadContext
from reconciler.manifests.rules import Level, Objection, Rule, Stated, objections, objections_if_new
from reconciler.manifests.schema import Fault
from reconciler.manifests.waivers import Weighed, weigh
from reconciler.model.diagnostic import Severity
from reconciler.model.json import Body, Json, is_array, pointer_parts
from reconciler.model.secret import SecretReference

_NOTHING: Final = Weighed()
_NONE: Final[frozenset[str]] = frozenset()


def judge(
    manifest: Body,
    secrets: Mapping[str, SecretReference | None],
    kind: Kind,
    context: LoadContext,
    known: Iterable[Fault],
) -> Weighed:
    """Ask the rules. What has a fault already is open to them, so that none repeats it or builds on it.

    What is not certain is a warning at most.

    A resource that is to be absent has no fields to speak of. Beside a fault, a field that spec leaves out is open even
    where the manifest is exclusive: the fault may be its misspelled name.
    """
    spec, policy = manifest.get("spec"), manifest.get("policy")
    if not isinstance(spec, Mapping):
        return _NOTHING
    if not isinstance(policy, Mapping):
        policy = {}
    if policy.get("state") == "absent":
        return weigh((), policy, context, needless=lambda _rule: False)
    faulty = [pointer_parts(fault.pointer) for fault in known if fault.severity is Severity.ERROR]
    stated = Stated(
        spec,
        kind.defaults,
        secrets,
        _assignments(manifest.get("assignments"), faulty),
        policy.get("fields") == "exclusive" and not faulty,
        _below("spec", faulty) if faulty else _NONE,
        is_array(manifest.get("secrets")) and bool(manifest["secrets"]),
    )
    found = objections(kind, stated)
    if found and "ignore" in policy:  # looked at last: to leave more open never adds to what is found
        found = objections(kind, replace(stated, open_fields=stated.open_fields | _ignored(policy["ignore"])))
    if faulty:
        found = [(rule, objection) for rule, objection in found if objection.is_certain]
    if not found and "waivers" not in policy:
        return _NOTHING
    return weigh(
        list(_faults(found, context)), policy, context, lambda rule: not faulty and _is_needless(rule, kind, stated)
    )


def _is_needless(rule: str, kind: Kind, stated: Stated) -> bool:
    """Whether a rule that finds nothing finds nothing either if the object is new."""
    return all(other.name != rule for other, _ in objections_if_new(kind, stated))


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
