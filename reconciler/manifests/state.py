"""All manifests -> conflicts between them, dangling references, and resources out of scope."""

import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, count
from pathlib import Path
from typing import Final

from reconciler.kinds import KINDS, short
from reconciler.manifests.context import LoadContext
from reconciler.manifests.git import GitFailed, InGit
from reconciler.manifests.manifest import Candidate
from reconciler.manifests.schema import Fault, did_you_mean
from reconciler.manifests.yaml.tree import Document
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Diagnostic, Place, Severity
from reconciler.model.json import pointer
from reconciler.model.resource import DesiredResource, FieldsPolicy, ObjectKey, Scope
from reconciler.model.secret import (
    Delivery,
    SecretSource,
    ToCommand,
    ToEnvFile,
    ToFile,
    ToGithubOutput,
    ToKubernetesSecret,
)

_GUESSES: Final = 20
"""The number of unknown names per run that get a suggestion: each costs as much as loading many manifests."""


def clashes(candidates: Sequence[Candidate]) -> Iterator[Diagnostic]:
    """Find manifests that conflict. Each conflict is reported at all its places except the first."""
    for first, other in _pairs(candidates, lambda one: one.address):
        message = f"{other.address} is defined twice, first at {first.document.place('/metadata/name')}"
        hint = "rename or remove one; for differences between environments, use overlays"
        yield Fault("/metadata/name", message, "duplicate-name", hint).within(other.document)
    for first, other in _pairs(candidates, lambda one: ObjectKey(one.address.kind, one.id) if one.id else None):
        if first.address != other.address:
            kind = KINDS[other.address.kind]
            message = f"{other.address} has the same id as {first.address} at {first.document.place('/metadata/id')}"
            hint = "set different ids, as metadata.id or under ids: of the environment"
            if kind.only_id:
                message = f"{other.address} is a second {kind.noun}, after {first.address} at {first.document.place()}"
                hint = "a marketplace has only one: remove one of the manifests"
            yield Fault("/metadata/id", message, "duplicate-id", hint).within(other.document)
    for first, other in _pairs(candidates, _unique_values):
        fields = KINDS[other.address.kind].unique
        at = pointer("spec", fields[0])
        message = (
            f"{other.address} has the same {' and '.join(fields)} as {first.address} at {first.document.place(at)}"
        )
        hint = "change one of them: OrderCloud requires unique values"
        yield Fault(at, message, "not-unique", hint).within(other.document)
    named = [one for one in candidates if one.name_in_service]
    for first, other in _pairs(named, lambda one: (one.address.kind, one.name_in_service)):
        if first.address != other.address and not (first.id and other.id):  # its live object is matched by that name
            field = KINDS[other.address.kind].name_field
            at = pointer("spec", field)
            message = f"{other.address} has the same {field} as {first.address} at {first.document.place(at)}"
            hint = "without an id, the two are indistinguishable: give both an id"
            yield Fault(at, message, "duplicate-id", hint).within(other.document)


def _unique_values(candidate: Candidate) -> Hashable | None:
    """The values that must be unique, as far as the manifest alone has them."""
    resource, kind = candidate.resource, KINDS[candidate.address.kind]
    if resource is None or resource.policy.absent or not kind.unique:
        return None
    if any(pointer(name) in resource.policy.ignore for name in kind.unique):
        return None
    is_known = resource.policy.fields is FieldsPolicy.EXCLUSIVE or all(name in resource.spec for name in kind.unique)
    values = kind.unique_values(resource.spec) if is_known else None
    return values and (kind.name, values)


def dangling(candidates: Sequence[Candidate], context: LoadContext) -> Iterator[Diagnostic]:
    """Find references to manifests that this environment does not have, or that are to be deleted."""
    known = {candidate.address: candidate for candidate in candidates}
    guesses = count()
    for candidate in candidates:
        for at, address in () if candidate.is_absent else candidate.references.items():
            there = known.get(address)
            if there is None:
                names = [one.name for one in known if one.kind == address.kind] if next(guesses) < _GUESSES else []
                others = (
                    "check whether its file is among the given PATHs"
                    if context.partial
                    else "add it, or refer to another one"
                )
                hint = did_you_mean(address.name.removeprefix(f"{address.kind}/"), names) or others
                if not context.scope.is_everything:
                    hint += "; refer to an object of another repository by its ID, without ref"
                yield _of_name(Fault(at, f"there is no manifest {address}", "reference", hint), candidate.document)
            elif there.is_absent:
                message = f"{address} is to be deleted (state: absent at {there.document.place('/policy/state')})"
                hint = "refer to another one, or first remove the reference"
                yield _of_name(Fault(at, message, "reference", hint), candidate.document)


def _of_name(fault: Fault, document: Document) -> Diagnostic:
    """The fault of a reference in the file that contains its name: an overlay may replace only the name."""
    found, name = fault.within(document), document.place(f"{fault.pointer}/ref")
    return found if name.file == found.place.file else replace(found, place=name)


def out_of_scope(candidates: Iterable[Candidate], scope: Scope) -> Iterator[Diagnostic]:
    """Find manifests of objects that belong to another repository; one that deletes an object may omit fields."""
    hint = "change the manifest, or scope: in reconciler.yaml"
    for candidate in () if scope.is_everything else candidates:
        resource = candidate.resource
        if resource is None:
            continue
        kind = KINDS[resource.address.kind]
        for field, why in kind.scope_faults(scope, resource.id or "", resource.spec):
            own_id = "/metadata/id" if "/metadata/id" in resource.places else "/metadata/name"
            at = own_id if field == kind.id_field else pointer("spec", field)
            if field == kind.id_field or field in resource.spec or not resource.policy.absent:
                message = f"{resource.address} is out of scope: {why}"
                yield Fault(at, message, "out-of-scope", hint).within(candidate.document)


def unclaimed_ids(candidates: Iterable[Candidate], context: LoadContext) -> Iterator[Diagnostic]:
    """Find ids of the environment without a manifest; only called when all manifests are loaded and valid."""
    known = {candidate.address for candidate in candidates}
    for number, address in enumerate(one for one in context.ids if one not in known):
        name = short(address)
        at = pointer(*context.ids_at, name)
        message = f"ids contains {json.dumps(name)}, but no manifest has that name"
        names = map(short, known) if number < _GUESSES else ()
        hint = did_you_mean(name, names) or "remove it, or use the current name of its manifest"
        ids = (pointer("environments", context.environment or "", "ids", one) for one in (str(address), name))
        place = next(filter(None, map(context.config_place, ids)), Place("reconciler.yaml"))
        yield Diagnostic(place, message, "id-without-manifest", at, hint, Severity.WARNING)


def _pairs(
    candidates: Iterable[Candidate], key: Callable[[Candidate], Hashable | None]
) -> Iterator[tuple[Candidate, Candidate]]:
    """Each candidate with the same key as an earlier one, with the first of them. None is never equal."""
    groups = defaultdict(list)
    for candidate in candidates:
        found = key(candidate)
        if found is not None:
            groups[found].append(candidate)
    for group in groups.values():
        if len(group) > 1:
            first, *others = sorted(group, key=lambda one: one.document.place())
            yield from ((first, other) for other in others)


@dataclass(frozen=True, slots=True)
class _Use:
    """One delivery of one manifest."""

    candidate: Candidate
    at: str
    """JSON pointer."""
    delivery: Delivery
    path: Path
    variable: str
    """The variable in the file that is written; empty: the whole file."""

    def overlaps(self, variable: str) -> bool:
        """Whether this delivery overwrites that variable of the same file, or the whole file."""
        return not (self.variable and variable) or self.variable == variable

    def fault(self, message: str, rule: str, hint: str, severity: Severity = Severity.ERROR) -> Diagnostic:
        """A fault of the delivery."""
        return Fault(self.at, message, rule, hint, severity=severity).within(self.candidate.document)


def misplaced(
    candidates: Sequence[Candidate],
    context: LoadContext,
    elsewhere: Callable[[], Mapping[str, Sequence[DesiredResource]]],
) -> Iterator[Diagnostic]:
    """Find deliveries to targets that are already used or not allowed.

    Args:
        candidates: the manifests of this environment.
        context: the inputs of the environment.
        elsewhere: returns the resources of the other environments, by name; called only if needed.
    """
    uses = list(_uses(candidates, context))
    yield from _duplicate_deliveries(uses)
    to_files = [use for use in uses if not isinstance(use.delivery, ToGithubOutput)]
    if to_files:
        others = elsewhere()
        here = [candidate.resource for candidate in candidates if candidate.resource]
        yield from _in_git(to_files, context)
        yield from _shared(to_files, context, others)
        yield from _read_as_secrets(to_files, context, chain(*others.values(), here))


def _duplicate_deliveries(uses: Iterable[_Use]) -> Iterator[Diagnostic]:
    """Find secrets with the same delivery target, where the later one overwrites the other."""
    taken: dict[Path, list[_Use]] = defaultdict(list)
    for use in uses:
        first = next((one for one in taken[use.path] if one.overlaps(use.variable)), None)
        taken[use.path].append(use)
        if first:
            where = first.candidate.document.place(first.at)
            message = f"{use.delivery} is also the target of another secret, at {where}"
            yield use.fault(message, "duplicate-delivery", "use a separate target for each secret")


def _shared(
    uses: Iterable[_Use], context: LoadContext, elsewhere: Mapping[str, Iterable[DesiredResource]]
) -> Iterator[Diagnostic]:
    """Find files in which another environment would overwrite the secret. An output belongs to a single run."""
    others: dict[Path, list[tuple[str, str]]] = defaultdict(list)
    for name, resources in elsewhere.items():
        for _, delivery in chain.from_iterable(map(_deliveries, resources)):
            if place := _place_of(delivery, context):
                others[place[0]].append((name, place[1]))
    for use in uses:
        names = {name for name, variable in others[use.path] if use.overlaps(variable)}
        if names:
            environments = ", ".join(sorted({*names, context.environment or ""}))
            message = f"the secrets of {environments} would all be delivered to {use.delivery}"
            hint = "use a separate file for each environment, with ${marketplace} in the path or with an overlay"
            yield use.fault(message, "duplicate-delivery", hint)


def _read_as_secrets(
    uses: Iterable[_Use], context: LoadContext, resources: Iterable[DesiredResource]
) -> Iterator[Diagnostic]:
    """Find deliveries to files that a manifest reads a secret from, which they would replace."""
    root = context.allowed_paths.root
    sources = {
        (root / reference.name).resolve(): resource.place
        for resource in resources
        for reference in resource.secrets.values()
        if reference and reference.source is SecretSource.FILE
    }
    for use in uses:
        if place := sources.get(use.path):
            yield use.fault(f"{use.delivery} is read as a secret, at {place}", "delivery", "choose another path")


def _in_git(uses: Sequence[_Use], context: LoadContext) -> Iterator[Diagnostic]:
    """Find secrets delivered to a file that git tracks or does not ignore, so that they could be committed."""
    known = context.ask_git({use.path for use in uses}) if context.ask_git else {}
    for use in uses:
        match known.get(use.path):
            case InGit(is_tracked=True, line=line):
                message = f"{use.delivery} is tracked by git, so the secret would be committed"
                yield use.fault(message, "delivery", f"choose another path, or run git rm --cached :{line}")
            case InGit(line=line):
                message = f"{use.delivery} is not ignored by git, so the secret could be committed"
                hint = f"add this line to .gitignore: {line}"
                yield use.fault(message, "unignored-delivery", hint, Severity.WARNING)
            case GitFailed(problem=problem, fix=fix):
                message = f"{use.delivery} may be tracked by git, and the secret committed: {problem}"
                hint = fix or "repair the checkout, or choose a path outside it"
                yield use.fault(message, "delivery", hint)
            case None:
                pass


def _deliveries(resource: DesiredResource) -> Iterator[tuple[str, Delivery]]:
    """All deliveries of a manifest, with their JSON pointers."""
    for name, reference in resource.secrets.items():
        for index, delivery in enumerate(reference.deliver if reference else ()):
            yield pointer("spec", name, "deliver", index), delivery
    for number, secret in enumerate(resource.named_secrets or ()):
        for index, delivery in enumerate(secret.deliver):
            yield pointer("secrets", number, "deliver", index), delivery


def _uses(candidates: Iterable[Candidate], context: LoadContext) -> Iterator[_Use]:
    for candidate in candidates:
        for at, delivery in _deliveries(candidate.resource) if candidate.resource else ():
            if place := _place_of(delivery, context):
                yield _Use(candidate, at, delivery, *place)


def _place_of(delivery: Delivery, context: LoadContext) -> tuple[Path, str] | None:
    """The resolved file and its variable; None for a command, whose target is unknown."""
    root = context.allowed_paths.root
    match delivery:
        case ToFile(path) | ToKubernetesSecret(path):
            return (root / path).resolve(), ""
        case ToEnvFile(path, variable):
            return (root / path).resolve(), variable
        case ToGithubOutput(name):
            return Path("GITHUB_OUTPUT"), name
        case ToCommand():
            return None
