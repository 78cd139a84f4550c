"""Overlay files -> the document of each manifest in this environment.

An overlay is a part of a manifest: kind and name identify the manifest, into which it is merged as a JSON Merge Patch
before anything is substituted or checked. So all checks see the merged document, and every fault is reported at its
value, in the manifest or in the overlay. The overlays of all environments together show which environments share a
value of a manifest.
"""

from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from functools import cached_property
from typing import Any, Final

from reconciler.kinds import KINDS, Kind, secrecy, secret_fields
from reconciler.manifests.checks import API_VERSION, address_in, recognise
from reconciler.manifests.context import LoadContext
from reconciler.manifests.files import EMPTY_FOLDER_HINT, File, find_files
from reconciler.manifests.schema import Fault, did_you_mean
from reconciler.manifests.secrets import moved_paths, redacted
from reconciler.manifests.yaml import Parsed
from reconciler.manifests.yaml.tree import Document, Layered, overlaid_by, removals
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Diagnostic, Place, Severity, listed
from reconciler.model.json import ABSENT, Body, Json, get_at, pointer
from reconciler.model.resource import Address

_CLEARING_HINT: Final = (
    "null in an overlay removes a key of the manifest; "
    "to clear a field of the service, write null in the manifest, or ${values.KEY} with a null value"
)


@dataclass(frozen=True, slots=True)
class _Overlay:
    document: Document
    path: str
    patch: Body
    """The patch: the document without apiVersion, kind and name."""


@dataclass(slots=True)
class Overlays:
    """The overlays of one environment. Falsy when there are none."""

    files: tuple[File, ...] = ()
    faults: list[Diagnostic] = field(default_factory=list)
    broken: set[Place] = field(default_factory=set)
    """Places that already have a fault."""
    _found: dict[Address | None, _Overlay] = field(default_factory=dict)
    _manifests: dict[Address, None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def places(self) -> tuple[Place, ...]:
        """The place of each overlay."""
        return tuple(overlay.document.place() for overlay in self._found.values())

    def over(self, document: Document, path: str) -> Document:
        """Merge the overlay, if there is one, into the manifest; `path` is the manifest's file."""
        address = address_in(document.data)
        if address is None:
            return document
        self._manifests[address] = None
        overlay = self._found.get(address)
        return _overlaid(document, path, overlay) if overlay else document

    def patch(self, data: Json) -> Body:
        """The patch of a manifest; empty if it has no overlay."""
        overlay = self._found.get(address_in(data))
        return overlay.patch if overlay else {}

    def without_manifest(self) -> Iterator[Diagnostic]:
        """Find overlays whose manifest is not among the documents."""
        for address, overlay in self._found.items():
            if address and address not in self._manifests:
                message = f"there is no manifest {address} for this overlay"
                guess = did_you_mean(address.name, [one.name for one in self._manifests if one.kind == address.kind])
                yield Fault("/metadata/name", message, "overlay-without-manifest", guess).within(overlay.document)

    def add(self, file: File, parsed: Parsed) -> None:
        """Add the overlays of one file."""
        self.broken |= {fault.place for fault in parsed.faults}
        self.faults += file_faults(parsed, file)
        for document in parsed.documents:
            self._add_document(document, file.path)

    def _add_document(self, document: Document, path: str) -> None:
        fault = _identity_fault(document.data)
        if fault:
            self.faults.append(fault.within(document))
            return
        address = address_in(document.data)
        first = self._found.setdefault(address, _overlay(document, path))
        if first.document is not document:
            at = first.document.place("/metadata/name")
            message = f"{address} has two overlays in one environment, the first at {at}"
            self.faults.append(Fault("/metadata/name", message, "duplicate-overlay").within(document))


def file_faults(parsed: Parsed, file: File) -> Iterator[Diagnostic]:
    """Faults of a file of manifests or overlays, before its documents are checked."""
    if parsed.faults:
        yield from redacted(parsed.faults, secret_fields())
    elif not parsed.documents:
        yield Diagnostic(Place(file.shown), "the file is empty", "empty-file", severity=Severity.WARNING)


def read_overlays(context: LoadContext) -> Overlays:
    """Read the overlays of an environment; does nothing if there are none."""
    overlays = Overlays()
    if context.overlays:
        paths = [path for path in context.overlays if path.exists() or not context.may_be_empty]
        found = find_files(paths, may_be_empty=context.may_be_empty)
        overlays.files = found.files
        where = f"it is listed in overlays of environment {context.environment}"
        overlays.faults += [
            replace(fault, hint=where if fault.hint in {"", EMPTY_FOLDER_HINT} else fault.hint)
            for fault in found.faults
        ]
        for file in found.files:
            overlays.add(file, context.parsed(file))
    return overlays


def advice(document: Document) -> Iterator[Diagnostic]:
    """Find nulls that remove nothing, which is probably a mistake."""
    if isinstance(document, Layered):
        for path, has_it in removals(document.target, document.patch):
            if not has_it and secret_fields().isdisjoint(path[:-1]):  # a key in there may be the secret itself
                message = f"this null removes nothing: the manifest has no {path[-1]}"
                fault = Fault(pointer(*path), message, "nothing-to-remove", _CLEARING_HINT, severity=Severity.WARNING)
                yield fault.within(document.above)


def located(diagnostic: Diagnostic, document: Document) -> Diagnostic:
    """Move a fault to its cause: a field that an overlay removed is a fault of the overlay."""
    if diagnostic.rule != "required" or not isinstance(document, Layered):
        return diagnostic
    for path, has_it in removals(document.target, document.patch):
        at = pointer(*path)
        if has_it and pointer(*path[:-1]) == diagnostic.pointer and diagnostic.message == f"{path[-1]} is missing":
            hint = f"this null removes the value at {document.below.place(at)}"
            return replace(diagnostic, place=document.above.place(at), pointer=at, hint=hint)
    return diagnostic


def _identity_fault(data: Json) -> Fault | None:
    """Why the manifest of an overlay cannot be identified."""
    unrecognised = recognise(data)
    if unrecognised:
        return Fault("", unrecognised.message, "not-a-manifest", unrecognised.hint)
    if get_at(data, ("apiVersion",)) != API_VERSION:
        return Fault("/apiVersion", f"an overlay starts with apiVersion: {API_VERSION}", "choice")
    if address_in(data) is None:
        return Fault("/metadata/name", "an overlay requires the name of its manifest as metadata.name", "required")
    return None


def _overlay(document: Document, path: str) -> _Overlay:
    """Remove the keys that only identify the manifest, which keeps the place of its own name."""
    data: Any = document.data
    others = {key: value for key, value in data.items() if key not in {"apiVersion", "kind", "metadata"}}
    metadata = {key: value for key, value in data["metadata"].items() if key != "name"}
    return _Overlay(document, path, {"metadata": metadata, **others})


def _overlaid(document: Document, path: str, overlay: _Overlay) -> Layered:
    """Merge an overlay into a manifest. A reference to a secret is one value, although it is written as a mapping."""
    target: Any = document.data
    patch: Any = overlay.patch
    if "secrets" in patch:
        patch = {**patch, "secrets": moved_paths(patch["secrets"], overlay.path, path)}
    spec = patch.get("spec")
    references = {
        name: moved_paths(value, overlay.path, path)
        for name in KINDS[target["kind"]].secret_fields
        if isinstance(value := get_at(spec, name.split("/")), Mapping)
    }
    if references and isinstance(target.get("spec"), Mapping):
        bare = secrecy.without(target["spec"], references)
        target, patch = {**target, "spec": bare}, {**patch, "spec": secrecy.with_secrets(spec, references)}
    return overlaid_by(document, overlay.document, target, patch)


@dataclass(frozen=True)
class Environments:
    """All environments of a configuration, from the view of one of them."""

    context: LoadContext
    overlays: Overlays

    @cached_property
    def _others(self) -> tuple[tuple[str, Overlays], ...]:
        """The overlays of the other environments, which most runs do not read."""
        return tuple((str(one.environment), read_overlays(one)) for one in self.context.others if not one.is_emulated)

    def literals(self, document: Document, kind: Kind) -> Mapping[str, str]:
        """JSON pointer of each literal value in the manifest itself -> the environments that share it.

        Args:
            document: the manifest with the overlay of this environment, before substitution.
            kind: lists the values that vary.
        """
        manifest = document.data
        if self.context.is_emulated or not kind.varying or not isinstance(manifest, Mapping):
            return {}
        base: Any = document.target if isinstance(document, Layered) else manifest
        return {
            pointer(*path): listed(self._sharing(path, base))
            for path in (("spec", *one) for one in kind.varying)
            if isinstance(value := get_at(manifest, path), str) and "${" not in value
        }

    def _sharing(self, path: tuple[str, ...], base: Body) -> list[str]:
        """The environments that use the value of the manifest's file, if there are several."""
        named = [
            name
            for name, overlays in ((str(self.context.environment), self.overlays), *self._others)
            if not _overrides(base, overlays.patch(base), path)
        ]
        return sorted(named) if len(named) > 1 and str(self.context.environment) in named else []


def _overrides(base: Body, patch: Body, path: tuple[str, ...]) -> bool:
    """Whether an overlay sets another value, or deletes the object in its environment."""
    above = (path[:count] for count in range(1, len(path) + 1))
    values = [get_at(patch, at) for at in above]
    has_own = any(value is not ABSENT and not isinstance(value, Mapping) for value in values)
    at = ("policy", "state")
    state = get_at(patch, at)
    return has_own or (get_at(base, at) if state is ABSENT else state) == "absent"
