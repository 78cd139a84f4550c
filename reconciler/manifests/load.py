"""Paths, context -> DesiredState: manifests read, substituted, checked; every fault of every file in one run.

Each document goes through the same steps, and a fault of one keeps no other from being found:

files          paths -> files, each once
yaml           file -> documents with places
overlays       what holds in this environment only is laid over its manifest
checks         what a document is that is no manifest
secrets        references to secrets are taken out, so that nothing that follows can quote them
substitution   ``${values.KEY}`` and ``{ref: NAME}`` -> values and manifests of the environment
schema         the kind's schema
checks         what a schema cannot say
rules          what is unwise, or cannot work, less what is waived
state          what one manifest alone cannot show: names, ids and delivery places that are taken
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
"""Warnings of files that give no manifest, where one may have been meant to be."""

__all__ = ["Inspected", "LoadContext", "Loaded", "inspect", "load", "require_all"]


@dataclass(frozen=True, slots=True)
class Inspected:
    """What the manifests of one environment come to, with errors or without."""

    manifests: tuple[EffectiveManifest, ...]
    """Those that have no errors."""
    diagnostics: tuple[Diagnostic, ...]
    """Sorted by place."""
    waived: tuple[Waived, ...]
    """What would be among the diagnostics but for waivers; sorted by place."""
    files: frozenset[str]
    """The paths of all that were read."""
    overlays: tuple[Place, ...] = ()
    """Where each overlay stands."""

    @property
    def resources(self) -> tuple[DesiredResource, ...]:
        """What these manifests ask for."""
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
    """The paths of all that were read."""
    documents: int
    manifests: tuple[EffectiveManifest, ...] = ()
    """In the order in which they were read."""


def load(paths: Sequence[Path], context: LoadContext) -> Loaded:
    """Read files, and directories with all that is below them, for one environment.

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
    """Refuse what could be a part of the manifests only: whoever prunes deletes what those that are missing claim.

    Raises:
        InputError: a file or a link gave no manifest. That there is none at all is an error in any case, or this one.
    """
    hint = "to prune, correct or remove it: what its manifests claim would be deleted"
    faults = [replace(one, severity=Severity.ERROR, hint=hint) for one in loaded.warnings if one.rule in _GAPS]
    if faults:
        raise InputError(faults)


def inspect(paths: Sequence[Path], context: LoadContext) -> Inspected:
    """Read what `load` reads, and tell of errors instead of raising them."""
    context = replace(context, inputs=(*context.inputs, *paths))
    found, overlays = find_files(paths, context.apart, may_be_empty=context.may_be_empty), read_overlays(context)
    candidates, diagnostics, waived = _check_all(found, overlays, context)
    diagnostics += clashes(candidates)
    diagnostics += dangling(candidates, context)
    diagnostics += out_of_scope(candidates, context.scope)
    diagnostics += misplaced(candidates, context, partial(_elsewhere, paths, context))
    manifests = tuple(candidate.effective for candidate in candidates if candidate.effective)
    files = frozenset(file.path for file in (*found.files, *overlays.files))
    if diagnostics:  # the names of all secret fields are known once the tables of all kinds are read
        diagnostics = without_tails(diagnostics, secret_fields(), _empty_secrets(candidates, diagnostics))
    return Inspected(manifests, tuple(diagnostics), tuple(sorted(waived)), files, overlays.places)


def _empty_secrets(candidates: Iterable[Candidate], found: Iterable[Diagnostic]) -> Iterator[Place]:
    files = {each.place.file for each in found}
    for one in candidates:
        if one.document.file in files:
            yield from empty_secrets(one.document, KINDS[one.address.kind])


def _elsewhere(paths: Sequence[Path], context: LoadContext) -> Mapping[str, tuple[DesiredResource, ...]]:
    """What the manifests ask for in the other environments, by their names."""
    others = [replace(other, others=(), ask_git=None, contents=context.contents) for other in context.others]
    return {str(other.environment): _resources(paths, other) for other in others}


def _resources(paths: Sequence[Path], context: LoadContext) -> tuple[DesiredResource, ...]:
    """What the manifests ask for in another environment, which all others want to know, too."""
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
        diagnostics += [*overlays.without_manifest(), *unclaimed_ids(candidates, context)]
    return candidates, diagnostics, waived


def _state(resources: tuple[DesiredResource, ...], scope: Scope) -> DesiredState:
    ordered = tuple(sorted(resources, key=lambda resource: resource.address))
    content = spec_digest(ordered)
    return DesiredState(ordered, digest(content if scope.is_everything else [content, scope.document()]), scope)
