"""Export live objects to new manifests and into existing ones.

1. Each manifest is matched with a live object, as in a plan.
2. A live object without a manifest gets a new file, named after it.
3. A manifest gets the live values where they differ: comments, anchors and the environment's
   values are kept. A manifest without a live object is unchanged. If differences go into overlays (`overlaying`),
   existing manifests do not change.

A plan then has no changes: what a manifest cannot express is omitted, and keeps its live value.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from reconciler.export.manifest import (
    Comments,
    ExportChoice,
    ManifestOrigin,
    WritableBody,
    base,
    body_of,
    file_names,
    names,
    text_of,
    wanted_fields,
    writable_body,
)
from reconciler.export.overlaying import OverlayCollector, changes, differences
from reconciler.kinds import KINDS, Kind, login_key
from reconciler.manifests.edit import At, create_file, write_contents
from reconciler.manifests.edit.live import Contents, Names, with_changes
from reconciler.manifests.load import LoadContext
from reconciler.manifests.yaml import shown
from reconciler.model.json import Body, Json, pointer, pointer_parts
from reconciler.model.named_secret import LiveSecret
from reconciler.model.plan import FieldChange
from reconciler.model.reports import Exported, ExportStatus, LeftOut
from reconciler.model.resource import (
    Address,
    DesiredState,
    EffectiveManifest,
    FieldsPolicy,
    LiveResource,
    LiveState,
    ObjectKey,
    Scope,
    same_id,
)
from reconciler.planning.diff.identity import match, resolved

__all__ = ["Export", "ExportChoice", "ManifestOrigin", "export"]

_OWN: Final = LeftOut("everything", "this run logs in with it; to export it, add --own-client")
_NO_NAMED_SECRETS: Final[Mapping[ObjectKey, Sequence[LiveSecret]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Export:
    """The files to write. `write` writes them."""

    objects: tuple[Exported, ...]
    """Sorted by address."""
    changed: Contents
    """File name as in messages -> its new content."""
    new: Mapping[Path, str]
    ids: Mapping[Address, str]
    """Manifest -> the id of its object, if neither the environment nor the manifest has it."""
    out_of_scope: int
    """The number of objects that belong to other repositories."""

    @property
    def has_changes(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.new or self.changed)

    def write(self) -> None:
        """Write every new file, then every changed one. A new file that exists by now is not overwritten.

        Raises:
            ReconcilerError: a file cannot be written. Files before it are written.
        """
        for path, text in self.new.items():
            create_file(path, text)
        write_contents(self.changed)


_ALL_OBJECTS: Final = ExportChoice()


def export(  # noqa: PLR0913  # one for each source of a file
    live: LiveState,
    manifests: Sequence[EffectiveManifest],
    context: LoadContext,
    folder: Path,
    origin: ManifestOrigin,
    secrets: Mapping[ObjectKey, Sequence[LiveSecret]] = _NO_NAMED_SECRETS,
    *,
    choice: ExportChoice = _ALL_OBJECTS,
) -> Export:
    """Compute the files for all live objects.

    Args:
        live: all objects with their assignments.
        manifests: the existing manifests.
        context: the context of the environment.
        folder: the folder of new files.
        origin: the source of the objects, for comments.
        secrets: the named secrets of each object, for comments.
        choice: which objects to export.

    Raises:
        InputError: a manifest matches several live objects, or two manifests the same one.
        ReconcilerError: a manifest cannot be read again, or nothing matches the choice.
    """
    desired = DesiredState(tuple(one.resource for one in manifests), "", context.scope)
    matches = match(desired, live)
    bound = {found.key: address for address, found in matches.items() if found}
    total, live = len(live.resources), _in_scope(live, bound, context.scope)
    identified = resolved(desired, matches, live.marketplace)
    known = {one.address: replace(each, resource=one) for each, one in zip(manifests, identified, strict=True)}
    others = Names({key: at for key, at in bound.items() if not known[at].resource.policy.absent}, live.marketplace)
    overlays = OverlayCollector(context, choice.overlay, origin.source, others) if choice.overlay else None
    addresses = {**_addresses(live, bound.keys(), known, context, folder), **bound}
    files = _files(addresses.values(), folder)
    kept = {ObjectKey(one.kind, given) for one, given in context.ids.items()}
    collector = _Collector(context, files, origin, _ambiguous_names(live, manifests), secrets, overlays, others, kept)
    _collect(collector, live, addresses, known, choice)
    changed = collector.finish(manifests)
    objects = tuple(sorted(collector.objects, key=lambda one: one.address))
    return Export(objects, changed, dict(sorted(collector.new.items())), collector.ids, total - len(live.resources))


def _collect(
    collector: "_Collector",
    live: LiveState,
    addresses: Mapping[ObjectKey, Address],
    manifests: Mapping[Address, EffectiveManifest],
    choice: ExportChoice,
) -> None:
    """Collect each chosen object, for its manifest or a new one. Manifests without a live object are unchanged.

    With overlays, they get `state: absent`.
    """
    choice.check([*addresses.values(), *manifests], [_id_address(one) for one in live.resources])
    for resource in live.resources:
        kind, address = KINDS[resource.kind], addresses[resource.key]
        if not choice.includes(address, _id_address(resource)):
            continue
        if address in manifests:
            collector.update(kind, resource, manifests[address])
        elif resource.key == login_key(choice.own_client_id):
            collector.leave_out(resource, _OWN)
        else:
            collector.add(kind, resource, address.name)
    found = {*addresses.values()}
    for address in manifests:
        if collector.overlays and address not in found and choice.includes(address):
            collector.overlays.mark_absent(manifests[address])


def _in_scope(live: LiveState, bound: Collection[ObjectKey], scope: Scope) -> LiveState:
    """The live objects without those of other repositories."""
    own = (one for one in live.resources if one.key in bound or not KINDS[one.kind].outside(scope, one.id, one.body))
    return replace(live, resources=tuple(own))


def _id_address(resource: LiveResource) -> Address:
    return Address(resource.kind, resource.id)


def _ambiguous_names(live: LiveState, manifests: Sequence[EffectiveManifest]) -> Collection[tuple[str, Json]]:
    """Kinds and names that do not identify a single object."""
    counts = Counter((resource.kind, _title(resource)) for resource in live.resources)
    named = {
        (one.resource.address.kind, title)
        for one in manifests
        if isinstance(title := one.resource.spec.get(KINDS[one.resource.address.kind].name_field), str)
    }
    return {name for name, count in counts.items() if count > 1} | named


def _title(resource: LiveResource) -> str:
    title = resource.body.get(KINDS[resource.kind].name_field)
    return title if isinstance(title, str) else ""


def _name_source(resource: LiveResource) -> str:
    """The text from which a manifest's name is derived: the title of the object, otherwise its chosen id."""
    return _title(resource) or (resource.id if KINDS[resource.kind].has_chosen_ids else "")


def _addresses(
    live: LiveState,
    bound: Collection[ObjectKey],
    manifests: Mapping[Address, EffectiveManifest],
    context: LoadContext,
    folder: Path,
) -> Mapping[ObjectKey, Address]:
    """An address for each object without a manifest: that of its id in the environment, or a new one."""
    kept = {ObjectKey(one.kind, known): one for one, known in context.ids.items() if one not in manifests}
    files = {path.stem: path for path in folder.glob("*")} if folder.is_dir() else {}
    nameless = [resource for resource in live.resources if resource.key not in bound]
    found = {one.key: kept[one.key] for one in nameless if one.key in kept}
    for kind in {one.kind for one in nameless}:
        taken = {one.name for one in (*manifests, *context.ids) if one.kind == kind}
        others = {one.id: _name_source(one) for one in nameless if one.kind == kind and one.key not in found}
        chosen_names = names(others, taken | files.keys() - _stems(manifests, kind), KINDS[kind].word)
        found |= {ObjectKey(kind, one): Address(kind, name) for one, name in chosen_names.items()}
    return found


def _stems(manifests: Mapping[Address, EffectiveManifest], kind: str) -> Collection[str]:
    """The file names of other kinds, which do not count as used for this kind."""
    return {Path(one.resource.place.file).stem for address, one in manifests.items() if address.kind != kind}


def _files(addresses: Collection[Address], folder: Path) -> Mapping[Address, Path]:
    """The file of each new manifest, named after it; in a folder of its kind if another kind has the same name."""
    counts = Counter(one.name for one in addresses)

    def choices(one: Address) -> Iterator[Path]:
        if counts[one.name] == 1:
            yield next(file_names(folder, one.name))
        yield from file_names(folder / one.kind, one.name)

    return {one: next(path for path in choices(one) if not path.exists()) for one in addresses}


@dataclass(slots=True)
class _Collector:
    """Collects the result for each object."""

    context: LoadContext
    files: Mapping[Address, Path]
    """Manifest -> its file, if it is new."""
    origin: ManifestOrigin
    ambiguous: Collection[tuple[str, Json]]
    """Kinds and names that do not identify a single object."""
    secrets: Mapping[ObjectKey, Sequence[LiveSecret]]
    overlays: OverlayCollector | None
    """Collects the differences, if they go into overlays."""
    others: Names
    """The objects that have or get a manifest."""
    kept: Collection[ObjectKey]
    """The objects whose ids the environment has."""
    ids: dict[Address, str] = field(default_factory=dict)
    """See `Export.ids`."""
    new: dict[Path, str] = field(default_factory=dict)
    objects: list[Exported] = field(default_factory=list)
    _deferred: list[Callable[[], None]] = field(default_factory=list)
    """Called once all objects have their addresses, so that references can name them."""
    _updated: list[tuple[Exported, Sequence[FieldChange]]] = field(default_factory=list)

    def add(self, kind: Kind, live: LiveResource, name: str) -> None:
        """Add a new manifest."""
        if live.faults:
            self.leave_out(live, LeftOut("everything", kind.unexpected_fields(live)))
            return
        title, known = _title(live), str(live.body.get(kind.id_field) or "")
        if kind.has_chosen_ids:
            known = "" if known == name or kind.only_id else known
        elif (kind.name, title) not in self.ambiguous:
            known = ""
        elif not known:
            reason = f"another object has this {kind.name_field}, and without an id the match is ambiguous"
            self.leave_out(live, LeftOut(kind.name_field, reason))
            return
        empty, wanted = base(kind, name, known), wanted_fields(kind, live)
        found = writable_body(kind, self.context, empty, wanted)
        is_found = kind.has_chosen_ids or ("spec", kind.name_field) in found.values
        if not found.is_manifest or not is_found:
            self.leave_out(live, *found.left_out)
            return
        address = Address(kind.name, name)
        path = self.files[address]
        self.others.addresses[live.key] = address
        self._deferred.append(
            partial(self._write_new, kind, live, path, self._with_policy(kind, empty, wanted, found), found)
        )
        self._bind(address, known, live)
        left = (*found.left_out, *_secrets(kind, live))
        self.objects.append(Exported(address, ExportStatus.NEW, title, live.id, shown(path), left))
        if self.overlays:
            self.overlays.add(address, title)

    def _write_new(self, kind: Kind, live: LiveResource, path: Path, empty: Body, found: WritableBody) -> None:
        """Write the text of a new file."""
        comments = Comments(path, found.left_out, self.secrets.get(live.key, ()))
        body = body_of(empty, self.others.values(kind, found.values, {}))
        origin = replace(self.origin, marketplace=self.others.marketplace)
        self.new[path] = text_of(kind, live, body, comments, origin)

    def _with_policy(self, kind: Kind, empty: Body, wanted: Mapping[At, Json], found: WritableBody) -> Body:
        """Add `policy.ignore` for fields that cannot be expressed, and `state: absent` for overlays."""
        compared = [name for area, name in wanted if area == "spec" and name in kind.fields]
        not_expressible: list[Json] = [pointer(name) for name in compared if ("spec", name) not in found.values]
        policy: dict[str, Json] = {}
        if not_expressible and self.context.defaults.fields is FieldsPolicy.EXCLUSIVE:
            policy["ignore"] = not_expressible
        if self.overlays:
            policy["state"] = "absent"
        return {**empty, "policy": policy} if policy else empty

    def leave_out(self, live: LiveResource, *reasons: LeftOut) -> None:
        """Report an object that is not exported."""
        self.objects.append(Exported(_id_address(live), ExportStatus.LEFT, _title(live), live.id, left_out=reasons))

    def _bind(self, address: Address, known: str | None, live: LiveResource) -> None:
        """Record the id of an object, so that it is found after a rename. A recorded id is never replaced."""
        if KINDS[address.kind].has_chosen_ids:
            return
        if address not in self.context.ids and live.key not in self.kept and not same_id(known, live.id):
            self.ids[address] = live.id

    def update(self, kind: Kind, live: LiveResource, manifest: EffectiveManifest) -> None:
        """Update an existing manifest, unless its object is out of scope."""
        if why := kind.outside(self.context.scope, live.id, live.body):
            self.leave_out(live, LeftOut("everything", f"it is out of scope: {why}"))
            return
        if self.overlays or not manifest.resource.policy.absent:
            self._bind(manifest.resource.address, manifest.resource.id, live)
        if self.overlays:
            self._deferred.append(partial(self.overlays.update, kind, live, manifest))
            return
        address, file = manifest.resource.address, manifest.resource.place.file
        if manifest.resource.policy.absent:
            left = (LeftOut("everything", "the manifest deletes it"),)
            self.objects.append(Exported(address, ExportStatus.SAME, _title(live), live.id, file, left))
            return
        self._deferred.append(partial(self._update, kind, live, manifest))

    def _update(self, kind: Kind, live: LiveResource, manifest: EffectiveManifest) -> None:
        """Compute the changes that make a manifest equal to the live object."""
        address, file = manifest.resource.address, manifest.resource.place.file
        found = writable_body(kind, self.context, manifest.body, dict(differences(kind, live, manifest, self.others)))
        fields = [one for at, value in found.values.items() for one in changes(kind, manifest, at, value)]
        exported = Exported(address, ExportStatus.CHANGED, _title(live), live.id, file, found.left_out)
        self._updated.append((exported, fields))

    def finish(self, manifests: Sequence[EffectiveManifest]) -> Contents:
        """Compute the new manifests, and edits of the existing ones as far as possible; returns the edited files."""
        for step in self._deferred:
            step()
        if self.overlays:
            self.overlays.finish()
            self.new |= self.overlays.new
            self.objects += self.overlays.objects
            return self.overlays.changed
        wanted = [(one.address, change) for one, fields in self._updated for change in fields]
        contents, refused = with_changes(wanted, manifests, self.context.environment or "the environment", self.others)
        left: dict[Address, list[LeftOut]] = defaultdict(list)
        for each in refused:
            left[each.address].append(LeftOut(".".join(pointer_parts(each.at)[1:]), f"{each.message}; {each.hint}"))
        for one, fields in self._updated:
            reasons = left[one.address]
            status = ExportStatus.CHANGED if len(reasons) < len(fields) else ExportStatus.SAME
            self.objects.append(replace(one, status=status, left_out=(*one.left_out, *reasons)))
        return contents


def _secrets(kind: Kind, live: LiveResource) -> Iterator[LeftOut]:
    for name, secret in live.secrets.items():
        if secret is not None:
            recreation = "; add a reference, so that the object can be recreated if it is lost"
            kept = "secrets are never written to files; the object keeps its secret"
            yield LeftOut(name, kept + recreation if kind.secret_rows[name].required else kept)
