"""One document -> a desired resource, or its faults.

Findings of the rules are faults, too, unless ``policy.waivers`` waives them today.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import date
from typing import Any, Final

from reconciler.kinds import KINDS, Kind
from reconciler.kinds.checks import ManifestView, Objection, Rule, RuleLevel
from reconciler.kinds.secrecy import with_secrets
from reconciler.manifests.checks import API_VERSION, address_in, recognise, semantic_faults, unpaired
from reconciler.manifests.context import LoadContext
from reconciler.manifests.overlays import Environments
from reconciler.manifests.rules import RULES, objections, objections_if_new
from reconciler.manifests.schema import Fault, did_you_mean, validator
from reconciler.manifests.secrets import SecretReader, redactions
from reconciler.manifests.substitution import Substitution, take_references
from reconciler.manifests.yaml.tree import Document, Layered
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Diagnostic, Severity, Waived, Waiver
from reconciler.model.json import Body, Json, get_at, is_array, pointer, pointer_parts
from reconciler.model.named_secret import NamedSecret
from reconciler.model.resource import (
    Address,
    AssignmentsPolicy,
    DesiredResource,
    EffectiveManifest,
    FieldsPolicy,
    Policy,
    same_id,
)
from reconciler.model.secret import REDACTION, SecretReference

_NO_VALUES: Final[Mapping[str, tuple[str, ...]]] = {}
_NO_LITERALS: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Candidate:
    """The parts of a manifest that others can conflict with; `effective` is None if it has errors."""

    document: Document
    address: Address
    id: str | None
    name_in_service: str
    """The value of the field that matches the live object if no id is known; empty: none."""
    effective: EffectiveManifest | None
    references: Mapping[str, Address] = field(default_factory=dict)
    """JSON pointer -> the manifest that is named there."""
    is_absent: bool = False
    """Whether it requests the deletion of its object."""

    @property
    def resource(self) -> DesiredResource | None:
        """The desired resource; None if it has errors."""
        return self.effective.resource if self.effective else None


@dataclass(frozen=True, slots=True)
class CheckedDocument:
    """The result of one document."""

    diagnostics: tuple[Diagnostic, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    waived: tuple[Waived, ...] = ()


def check(document: Document, file: str, context: LoadContext, environments: Environments) -> CheckedDocument:
    """Check one document of a manifest file."""
    unrecognised = recognise(document.data)
    if unrecognised is None:
        return _check_manifest(document, file, context, environments)
    faults = [Fault("", unrecognised.message, "not-a-manifest", unrecognised.hint)]
    for at, body in unrecognised.bodies:
        wrapped: Body = {
            "apiVersion": API_VERSION,
            "kind": unrecognised.kind,
            "metadata": {"name": "body"},
            "spec": body,
        }
        found = examine(wrapped, KINDS[unrecognised.kind], file, context).faults
        faults += [fault.moved("/spec", at) for fault in found]
    return CheckedDocument(tuple(fault.within(document) for fault in faults))


@dataclass(frozen=True, slots=True)
class _AfterWaivers:
    """Findings after waivers."""

    faults: tuple[Fault, ...] = ()
    """Findings that are not waived, and faults of the waivers."""
    waived: tuple[tuple[Fault, Waiver], ...] = ()
    waivers: frozenset[str] = frozenset()
    """The waived rules, whether they found anything or not."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A manifest after substitution, without its secret fields."""

    manifest: Body
    secrets: Mapping[str, SecretReference | None]
    faults: tuple[Fault, ...]
    """All faults, including those of the rules."""
    after_waivers: _AfterWaivers
    values: Mapping[str, tuple[str, ...]]
    """See `EffectiveManifest.values`."""
    named_secrets: tuple[NamedSecret, ...] | None
    """None if there is no block of them, so that they are not managed."""
    references: Mapping[str, Address]
    """JSON pointer -> the manifest that is named there."""

    @property
    def is_valid(self) -> bool:
        """Whether there are no errors."""
        return not any(fault.severity is Severity.ERROR for fault in self.faults)


def examine(
    manifest: Body, kind: Kind, file: str, context: LoadContext, literals: Mapping[str, str] = _NO_LITERALS
) -> Examined:
    """Run all checks that need only the manifest itself; for `literals` see `ManifestView`."""
    spec = manifest.get("spec")
    secrets: Mapping[str, SecretReference | None] = {}
    faults: list[Fault] = []
    reader = SecretReader(kind, file, context, faults)
    if isinstance(spec, Mapping):
        bare, secrets = reader.take(spec)
        manifest = {**manifest, "spec": bare}
        if kind.paired:
            _add(faults, unpaired(with_secrets(bare, secrets), kind.paired, "spec"))
    substituted, values = _substituted(manifest, context, faults)
    plain, references = take_references(substituted, kind, faults)
    _add(faults, validator(kind.schema).faults(plain), values)
    _add(faults, semantic_faults(plain, kind, context), values)
    has_named = "secrets" in plain and not any(fault.pointer.startswith("/secrets") for fault in faults)
    named_secrets = reader.named(plain["secrets"]) if has_named else None
    after_waivers = _check_rules(plain, secrets, kind, context, faults, literals)
    _add(faults, after_waivers.faults)
    return Examined(substituted, secrets, tuple(faults), after_waivers, values, named_secrets, references)


def _substituted(
    manifest: Body, context: LoadContext, faults: list[Fault]
) -> tuple[Body, Mapping[str, tuple[str, ...]]]:
    """Replace references, find the placeholders of exports, and report which values were used.

    Few manifests have either, and checking the printed form first takes a hundredth of the time of a walk.
    """
    printed, values = repr(manifest), _NO_VALUES
    if "${" in printed:
        substitution = Substitution(context)
        before, manifest = manifest, substitution.apply(manifest)
        faults += [*substitution.faults, *_changed_name(before, manifest)]
        printed, values = repr(manifest), substitution.used
    if REDACTION in printed:
        faults += redactions(manifest)
    return manifest, values


def _changed_name(manifest: Body, substituted: Body) -> Iterable[Fault]:
    before, after = manifest.get("metadata"), substituted.get("metadata")
    if isinstance(before, Mapping) and isinstance(after, Mapping) and before.get("name") != after.get("name"):
        message = "the name of a manifest must be the same in every environment"
        yield Fault("/metadata/name", message, "substitution", "write the name without ${...}")


def _add(faults: list[Fault], more: Iterable[Fault], values: Mapping[str, tuple[str, ...]] = _NO_VALUES) -> None:
    """Add faults, except those that follow from an earlier fault at the same place."""
    if found := [*more]:
        places = {fault.pointer for fault in faults}
        faults += [_of_value(fault, values) for fault in found if fault.at_key or fault.pointer not in places]


def _of_value(fault: Fault, values: Mapping[str, tuple[str, ...]]) -> Fault:
    """Name the environment value in a fault, because the manifest does not show it."""
    parts = pointer_parts(fault.pointer)
    above = (pointer(*parts[:count]) for count in range(len(parts), 0, -1))
    names = next((values[at] for at in above if at in values), ())
    origin = " and ".join(names)
    hint = f"{fault.hint}, in {origin}" if fault.hint and fault.rule == "type" else fault.hint
    return replace(fault, message=f"{fault.message} (from {origin})", hint=hint) if names else fault


def _check_manifest(document: Document, file: str, context: LoadContext, environments: Environments) -> CheckedDocument:
    data: Any = document.data
    kind = KINDS[data["kind"]]
    examined = examine(data, kind, file, context, environments.literals(document, kind))
    address = address_in(examined.manifest)
    return CheckedDocument(
        tuple(fault.within(document) for fault in examined.faults),
        (_candidate(document, kind, address, examined, context),) if address else (),
        tuple(Waived(fault.within(document), waiver) for fault, waiver in examined.after_waivers.waived),
    )


def _candidate(document: Document, kind: Kind, address: Address, examined: Examined, context: LoadContext) -> Candidate:
    manifest: Any = examined.manifest
    known_id = context.ids.get(address) or manifest["metadata"].get("id")
    if kind.has_chosen_ids:
        known_id = kind.only_id or known_id or address.name
    name = None if kind.has_chosen_ids else get_at(manifest, ("spec", kind.name_field))
    return Candidate(
        document,
        address,
        known_id if isinstance(known_id, str) else None,
        name if isinstance(name, str) else "",
        _effective(document, address, known_id, examined, context.defaults) if examined.is_valid else None,
        examined.references,
        is_absent=get_at(manifest, ("policy", "state")) == "absent",
    )


def _effective(
    document: Document, address: Address, known_id: str | None, examined: Examined, defaults: Policy
) -> EffectiveManifest:
    manifest: Any = examined.manifest
    own_id = manifest["metadata"].get("id")
    resource = DesiredResource(
        address=address,
        spec=manifest["spec"],
        place=document.place(),
        id=known_id,
        second_id=own_id if own_id and known_id and not same_id(own_id, known_id) else None,
        labels=manifest["metadata"].get("labels", {}),
        secrets=examined.secrets,
        named_secrets=examined.named_secrets,
        assignments={
            level.name: level.texts(manifest["assignments"][level.name])
            for level in KINDS[address.kind].levels
            if level.name in manifest.get("assignments", {})
        },
        policy=_policy(manifest.get("policy", {}), defaults),
        waived=examined.after_waivers.waivers,
        places=document.places,
    )
    overlay = document.above.file if isinstance(document, Layered) else None
    return EffectiveManifest(resource, examined.manifest, examined.values, overlay)


def _policy(block: Mapping[str, Any], defaults: Policy) -> Policy:
    return Policy(
        fields=FieldsPolicy(block.get("fields", defaults.fields)),
        assignments=AssignmentsPolicy(block.get("assignments", defaults.assignments)),
        ignore=tuple(block.get("ignore", ())),
        protected=block.get("protected", False),
        absent=block.get("state") == "absent",
    )


def _check_rules(
    manifest: Body,
    secrets: Mapping[str, SecretReference | None],
    kind: Kind,
    context: LoadContext,
    known: Iterable[Fault],
    literals: Mapping[str, str],
) -> _AfterWaivers:
    """Run the rules. Fields with faults are open to them, so that no rule repeats or builds on a fault.

    An uncertain finding is at most a warning. An absent resource has no fields to check. If there is a fault, a field
    that spec does not name is open even if the manifest is exclusive: the fault may be its misspelled name.
    """
    spec, policy = manifest.get("spec"), manifest.get("policy")
    if not isinstance(spec, Mapping):
        return _AfterWaivers()
    policy = policy if isinstance(policy, Mapping) else {}
    if policy.get("state") == "absent":
        return _apply_waivers((), policy, context, is_pointless=lambda _rule: False)
    faulty = [pointer_parts(fault.pointer) for fault in known if fault.severity is Severity.ERROR]
    view = ManifestView(
        spec,
        kind.defaults,
        secrets,
        _assignments(manifest.get("assignments"), faulty),
        policy.get("fields") == "exclusive" and not faulty,
        _below("spec", faulty),
        is_array(manifest.get("secrets")) and bool(manifest["secrets"]),
        literals,
    )
    found = objections(kind, view)
    if found and "ignore" in policy:  # checked last: more open fields never add findings
        found = objections(kind, replace(view, open_fields=view.open_fields | _ignored(policy["ignore"])))
    found = [(rule, objection) for rule, objection in found if objection.is_certain or not faulty]
    if not found and "waivers" not in policy:
        return _AfterWaivers()

    def is_pointless(rule: str) -> bool:
        return not faulty and all(other.name != rule for other, _ in objections_if_new(kind, view))

    return _apply_waivers(list(_faults(found, context)), policy, context, is_pointless)


def _faults(found: Iterable[tuple[Rule, Objection]], context: LoadContext) -> Iterator[Fault]:
    for rule, objection in found:
        level = context.level(rule.name)
        if level is not RuleLevel.OFF:
            message = f"{objection.message}: {rule.reason}"
            severity = Severity(level) if objection.is_certain else Severity.WARNING
            yield Fault(objection.pointer, message, rule.name, objection.hint, severity=severity)


def _ignored(pointers: Json) -> frozenset[str]:
    """The fields that keep at least a part of their live value, regardless of spec."""
    texts = [text for text in pointers if isinstance(text, str) and text.startswith("/")] if is_array(pointers) else []
    return frozenset(pointer_parts(text)[0] for text in texts)


def _below(block: str, faulty: Iterable[Sequence[str]]) -> frozenset[str]:
    """The keys of a block with a fault at or below them."""
    return frozenset(parts[1] for parts in faulty if len(parts) > 1 and parts[0] == block)


def _assignments(block: Json, faulty: Sequence[Sequence[str]]) -> Mapping[str, Sequence[Json]]:
    """The managed parties without faults."""
    if not block or not isinstance(block, Mapping):
        return {}
    broken = _below("assignments", faulty)
    return {party: ids for party, ids in block.items() if is_array(ids) and party not in broken}


def _apply_waivers(
    found: Sequence[Fault], policy: Body, context: LoadContext, is_pointless: Callable[[str], bool]
) -> _AfterWaivers:
    """Apply waivers: a waiver covers all findings of its rule in the manifest.

    Args:
        found: the findings of the rules.
        policy: the policy block of the manifest.
        context: levels of rules, and the day that waivers are checked against.
        is_pointless: whether a rule without findings cannot have any, so that its waiver is pointless.
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
        if not matching and context.level(waiver.rule) is not RuleLevel.OFF and is_pointless(waiver.rule):
            message = f"the waiver of {waiver.rule} has no effect"
            faults.append(Fault(f"{at}/rule", message, "unused-waiver", "remove it", severity=Severity.WARNING))
    return _AfterWaivers(
        (*faults, *(fault for fault in found if fault not in waived)), tuple(waived.items()), frozenset(waivers)
    )


def _waivers(policy: Body, today: date) -> Iterator[tuple[str, Waiver | Fault]]:
    """Read the well-formed waivers, each with its JSON pointer; the schema reports the others."""
    blocks = policy.get("waivers")
    for index, block in enumerate(blocks if is_array(blocks) else ()):
        match block:
            case {"rule": str(rule), "reason": str(reason), "owner": str(owner), "expires": str(expires)}:
                at = pointer("policy", "waivers", index)
                day = _day(rule, owner, expires, at, today)
                yield at, day if isinstance(day, Fault) else Waiver(rule, reason, owner, day)
            case _:
                pass


def _day(rule: str, owner: str, expires: str, at: str, today: date) -> date | Fault:
    """The last day of a waiver, or why it is invalid."""
    if rule not in RULES:
        hint = did_you_mean(rule, RULES) or f"rules are: {', '.join(RULES)}"
        return Fault(f"{at}/rule", f"unknown rule {json.dumps(rule)}", "unknown-rule", hint)
    try:
        day = date.fromisoformat(expires)
    except ValueError:
        message = f"{json.dumps(expires)} is not a valid date"
        return Fault(f"{at}/expires", message, "format", "write it like 2027-01-31")
    if today > day:
        message = f"the waiver of {rule} expired on {day}; its owner is {owner}"
        hint = f"fix what it waives, or agree with {owner} on a new date"
        return Fault(f"{at}/expires", message, "expired-waiver", hint)
    return day
