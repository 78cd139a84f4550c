"""Paths, context -> DesiredState: manifests read, substituted, checked; every fault of every file in one run.

Each document goes through the same steps, and a fault in one does not hide others:

files          paths -> files, each once
yaml           file -> documents with places
overlays       overlays of the environment are merged into their manifests
checks         documents that are not manifests are recognised
secrets        references to secrets are removed, so that no later step can quote them
substitution   ``${values.KEY}`` and ``{ref: NAME}`` -> values and manifests of the environment
schema         the kind's schema
checks         faults that a schema cannot express
rules          unwise or unworkable settings, unless waived
state          conflicts between manifests: duplicate names, ids and delivery targets
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from reconciler.errors import InputError
from reconciler.kinds import KINDS, secret_fields
from reconciler.manifests.context import LoadContext
from reconciler.manifests.files import UNREAD, FoundFiles, find_files
from reconciler.manifests.manifest import Candidate, check
from reconciler.manifests.overlays import Environments, Overlays, advice, file_faults, located, read_overlays
from reconciler.manifests.secrets import empty_secrets, without_tails
from reconciler.manifests.state import clashes, dangling, misplaced, out_of_scope, unclaimed_ids
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Diagnostic, Place, Severity, Waived
from reconciler.model.json import digest
from reconciler.model.resource import DesiredResource, DesiredState, EffectiveManifest, Scope, spec_digest

_GAPS: Final = frozenset({"empty-file", "broken-link", UNREAD})
"""Warnings about files that contain no manifest but may be meant to."""

__all__ = ["Inspected", "LoadContext", "Loaded", "inspect", "load", "require_all"]


@dataclass(frozen=True, slots=True)
class Inspected:
    """The result of loading one environment, with or without errors."""

    manifests: tuple[EffectiveManifest, ...]
    """The resources without errors."""
    diagnostics: tuple[Diagnostic, ...]
    """Sorted by place."""
    waived: tuple[Waived, ...]
    """Waived diagnostics; sorted by place."""
    files: frozenset[str]
    """The paths of all files that were read."""
    overlays: tuple[Place, ...] = ()
    """The place of each overlay."""

    @property
    def resources(self) -> tuple[DesiredResource, ...]:
        """The desired state of these manifests."""
        return tuple(manifest.resource for manifest in self.manifests)

    @property
    def is_valid(self) -> bool:
        """Whether there are no errors."""
        return not any(diagnostic.severity is Severity.ERROR for diagnostic in self.diagnostics)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The manifests of one environment, free of errors."""

    desired: DesiredState
    warnings: tuple[Diagnostic, ...]
    """Sorted by place."""
    files: frozenset[str]
    """The paths of all files that were read."""
    documents: int
    manifests: tuple[EffectiveManifest, ...] = ()
    """In the order in which they were read."""


def load(paths: Sequence[Path], context: LoadContext) -> Loaded:
    """Load files and directories for one environment.

    Raises:
        InputError: with every error and every warning of all files, sorted by place.
    """
    found = inspect(paths, context)
    if not found.is_valid:
        raise InputError(found.diagnostics)
    return Loaded(
        _state(found.resources, context.scope), found.diagnostics, found.files, len(found.manifests), found.manifests
    )


def require_all(loaded: Loaded) -> None:
    """Refuse an incomplete set of manifests, because pruning deletes the objects of missing ones.

    Raises:
        InputError: a file or link could not be loaded, or there are no manifests at all.
    """
    hint = "correct or remove it before --prune; the objects of its manifests would be deleted"
    faults = [replace(one, severity=Severity.ERROR, hint=hint) for one in loaded.warnings if one.rule in _GAPS]
    if faults:
        raise InputError(faults)


def inspect(paths: Sequence[Path], context: LoadContext) -> Inspected:
    """Load as `load` does, but return errors instead of raising them."""
    context = replace(context, inputs=(*context.inputs, *paths))
    found, overlays = find_files(paths, context.apart, may_be_empty=context.may_be_empty), read_overlays(context)
    candidates, diagnostics, waived = _check_all(found, overlays, context)
    diagnostics += clashes(candidates)
    diagnostics += dangling(candidates, context)
    diagnostics += out_of_scope(candidates, context.scope)
    diagnostics += misplaced(candidates, context, partial(_elsewhere, paths, context))
    manifests = tuple(candidate.effective for candidate in candidates if candidate.effective)
    files = frozenset(file.path for file in (*found.files, *overlays.files))
    if diagnostics:  # the names of all secret fields require the tables of all kinds
        diagnostics = without_tails(diagnostics, secret_fields(), _empty_secrets(candidates, diagnostics))
    return Inspected(manifests, tuple(diagnostics), tuple(sorted(waived)), files, overlays.places)


def _empty_secrets(candidates: Iterable[Candidate], found: Iterable[Diagnostic]) -> Iterator[Place]:
    files = {each.place.file for each in found}
    for one in candidates:
        if one.document.file in files:
            yield from empty_secrets(one.document, KINDS[one.address.kind])


def _elsewhere(paths: Sequence[Path], context: LoadContext) -> Mapping[str, tuple[DesiredResource, ...]]:
    """The resources of the other environments, by name."""
    others = [replace(other, others=(), ask_git=None, contents=context.contents) for other in context.others]
    return {str(other.environment): _resources(paths, other) for other in others}


def _resources(paths: Sequence[Path], context: LoadContext) -> tuple[DesiredResource, ...]:
    """The resources of another environment, shared by all environments of the run."""
    if context.memo is None or context.contents:
        return inspect(paths, context).resources
    return context.memo.get((context.environment, *map(str, paths)), lambda: inspect(paths, context).resources)


def _check_all(
    found: FoundFiles, overlays: Overlays, context: LoadContext
) -> tuple[list[Candidate], list[Diagnostic], list[Waived]]:
    diagnostics = [*found.faults, *overlays.faults]
    is_whole = not (context.partial or found.faults)
    environments = Environments(context, overlays)
    candidates: list[Candidate] = []
    waived: list[Waived] = []
    for file in found.files:
        parsed = context.parsed(file)
        broken = {fault.place for fault in parsed.faults} | overlays.broken
        is_whole = is_whole and not parsed.faults
        diagnostics += file_faults(parsed, file)
        for document in parsed.documents:
            effective = overlays.over(document, file.path) if overlays else document
            checked = check(effective, file.path, context, environments)
            diagnostics += [located(each, effective) for each in checked.diagnostics if each.place not in broken]
            diagnostics += advice(effective)
            candidates += checked.candidates
            waived += checked.waived
    if is_whole:
        diagnostics += overlays.without_manifest()
        has_errors = any(each.severity is Severity.ERROR for each in diagnostics)
        diagnostics += () if has_errors else unclaimed_ids(candidates, context)  # its manifest may be faulty
    return candidates, diagnostics, waived


def _state(resources: tuple[DesiredResource, ...], scope: Scope) -> DesiredState:
    ordered = tuple(sorted(resources, key=lambda resource: resource.address))
    content = spec_digest(ordered)
    return DesiredState(ordered, digest(content if scope.is_everything else [content, scope.document()]), scope)
