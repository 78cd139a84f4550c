"""Live objects x existing manifests -> new and changed files.

1. Each manifest is matched with a live object, as in a plan.
2. A live object without a manifest gets a file of its own, named after it.
3. A manifest whose object differs gets the live values where they differ: comments, anchors and the environment's
   values stay. A manifest without a live object is left alone. If differences go into overlays (`overlaying`),
   existing manifests do not change.

Afterwards a plan has no changes: what a manifest cannot express is left out, and so keeps its live value.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from reconciler.errors import ReconcilerError
from reconciler.export.manifest import (
    Beside,
    Choice,
    Origin,
    WritableBody,
    base,
    body_of,
    file_names,
    names,
    text_of,
    wanted_fields,
    writable_body,
)
from reconciler.export.overlaying import Overlaying, changes, differences
from reconciler.kinds import KINDS, Kind, login_key
from reconciler.manifests.edit import At, write_contents
from reconciler.manifests.edit.live import Contents, Names, bring_in
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

__all__ = ["Choice", "Export", "Origin", "export"]

_OWN: Final = LeftOut("everything", "this run is logged in with it; to have a manifest of it, add --own-client")
_NO_SECRETS: Final[Mapping[ObjectKey, Sequence[LiveSecret]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Export:
    """Files to write; nothing is written before `write`."""

    objects: tuple[Exported, ...]
    """Sorted by address."""
    changed: Contents
    """Name of the file in messages -> its new content."""
    new: Mapping[Path, str]
    ids: Mapping[Address, str]
    """Manifest -> id, if neither the environment nor the manifest has an id that is live."""
    out_of_scope: int
    """The number of objects that belong to other repositories."""

    @property
    def has_changes(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.new or self.changed)

    def write(self) -> None:
        """Write every new file, then every changed one. A file that appeared meanwhile is not overwritten.

        Raises:
            ReconcilerError: a file cannot be written; those before it are.
        """
        for path, text in self.new.items():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("x", encoding="utf-8", newline="\n") as file:
                    file.write(text)
            except OSError as error:
                raise ReconcilerError(f"cannot write {shown(path)}: {error.strerror}") from error
        write_contents(self.changed)


_EVERYTHING: Final = Choice()


def export(  # noqa: PLR0913  # one for each thing that a file is made of
    live: LiveState,
    manifests: Sequence[EffectiveManifest],
    context: LoadContext,
    folder: Path,
    origin: Origin,
    secrets: Mapping[ObjectKey, Sequence[LiveSecret]] = _NO_SECRETS,
    *,
    choice: Choice = _EVERYTHING,
) -> Export:
    """Make the files for all that is live.

    Args:
        live: all objects with their assignments.
        manifests: the existing ones.
        context: of the environment that was read.
        folder: where new files go.
        origin: the source of the objects, for comments.
        secrets: the named secrets of each object; a comment names them.
        choice: the part to export.

    Raises:
        InputError: a manifest could be several live objects, or two manifests one.
        ReconcilerError: a manifest cannot be read again, or nothing matches the choice.
    """
    desired = DesiredState(tuple(one.resource for one in manifests), "", context.scope)
    matches = match(desired, live)
    bound = {found.key: address for address, found in matches.items() if found}
    total, live = len(live.resources), _without_foreign(live, bound, context.scope)
    identified = resolved(desired, matches, live.marketplace)
    known = {one.address: replace(each, resource=one) for each, one in zip(manifests, identified, strict=True)}
    others = Names({key: at for key, at in bound.items() if not known[at].resource.policy.absent}, live.marketplace)
    overlays = Overlaying(context, choice.overlay, origin.source, others) if choice.overlay else None
    addresses = {**_addresses(live, bound.keys(), known, context, folder), **bound}
    files = _files(addresses.values(), folder)
    kept = {ObjectKey(one.kind, given) for one, given in context.ids.items()}
    run = _Collected(context, files, origin, _same_names(live, manifests), secrets, overlays, others, kept)
    _take(run, live, addresses, known, choice)
    changed = run.finish(manifests)
    objects = tuple(sorted(run.objects, key=lambda one: one.address))
    return Export(objects, changed, dict(sorted(run.new.items())), run.ids, total - len(live.resources))


def _take(
    run: "_Collected",
    live: LiveState,
    addresses: Mapping[ObjectKey, Address],
    manifests: Mapping[Address, EffectiveManifest],
    choice: Choice,
) -> None:
    """Write each chosen object into its manifest, or into a new one. Manifests without a live object stay.

    With overlays, those get `state: absent`.
    """
    choice.check([*addresses.values(), *manifests], [_by_id(one) for one in live.resources])
    for resource in live.resources:
        kind, address = KINDS[resource.kind], addresses[resource.key]
        if not choice.takes(address, _by_id(resource)):
            continue
        if address in manifests:
            run.update(kind, resource, manifests[address])
        elif resource.key == login_key(choice.own_client_id):
            run.leave(resource, _OWN)
        else:
            run.add(kind, resource, address.name)
    found = {*addresses.values()}
    for address in manifests:
        if run.overlays and address not in found and choice.takes(address):
            run.overlays.miss(manifests[address])


def _without_foreign(live: LiveState, bound: Collection[ObjectKey], scope: Scope) -> LiveState:
    """The live objects, without those of other repositories."""
    own = (one for one in live.resources if one.key in bound or not KINDS[one.kind].outside(scope, one.id, one.body))
    return replace(live, resources=tuple(own))


def _by_id(resource: LiveResource) -> Address:
    return Address(resource.kind, resource.id)


def _same_names(live: LiveState, manifests: Sequence[EffectiveManifest]) -> Collection[tuple[str, Json]]:
    """The AppNames that do not identify a single object of a kind."""
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


def _called(resource: LiveResource) -> str:
    """The source of a manifest's name: the title of the object, else its chosen id."""
    return _title(resource) or (resource.id if KINDS[resource.kind].has_chosen_ids else "")


def _addresses(
    live: LiveState,
    bound: Collection[ObjectKey],
    manifests: Mapping[Address, EffectiveManifest],
    context: LoadContext,
    folder: Path,
) -> Mapping[ObjectKey, Address]:
    """An address for each object without one: by its id in the environment, else by its name."""
    kept = {ObjectKey(one.kind, known): one for one, known in context.ids.items() if one not in manifests}
    files = {path.stem: path for path in folder.glob("*")} if folder.is_dir() else {}
    nameless = [resource for resource in live.resources if resource.key not in bound]
    found = {one.key: kept[one.key] for one in nameless if one.key in kept}
    for kind in {one.kind for one in nameless}:
        taken = {one.name for one in (*manifests, *context.ids) if one.kind == kind}
        others = {one.id: _called(one) for one in nameless if one.kind == kind and one.key not in found}
        called = names(others, taken | files.keys() - _stems(manifests, kind), KINDS[kind].word)
        found |= {ObjectKey(kind, one): Address(kind, name) for one, name in called.items()}
    return found


def _stems(manifests: Mapping[Address, EffectiveManifest], kind: str) -> Collection[str]:
    """The file names of other kinds, which this kind may also use."""
    return {Path(one.resource.place.file).stem for address, one in manifests.items() if address.kind != kind}


def _files(addresses: Collection[Address], folder: Path) -> Mapping[Address, Path]:
    """The file of each new manifest: named after it, in a folder of its kind if another kind has that name."""
    counts = Counter(one.name for one in addresses)

    def choices(one: Address) -> Iterator[Path]:
        if counts[one.name] == 1:
            yield next(file_names(folder, one.name))
        yield from file_names(folder / one.kind, one.name)

    return {one: next(path for path in choices(one) if not path.exists()) for one in addresses}


@dataclass(slots=True)
class _Collected:
    """Collects the result for each object."""

    context: LoadContext
    files: Mapping[Address, Path]
    """Where new manifests go."""
    origin: Origin
    ambiguous: Collection[tuple[str, Json]]
    """Kinds and AppNames that are ambiguous."""
    secrets: Mapping[ObjectKey, Sequence[LiveSecret]]
    overlays: Overlaying | None
    """Collects differences, instead of the manifests."""
    others: Names
    """The objects that have or get a manifest."""
    kept: Collection[ObjectKey]
    """Objects whose ids the environment has."""
    ids: dict[Address, str] = field(default_factory=dict)
    """See `Export.ids`."""
    new: dict[Path, str] = field(default_factory=dict)
    objects: list[Exported] = field(default_factory=list)
    _later: list[Callable[[], None]] = field(default_factory=list)
    """Called once it is known which objects have a manifest."""
    _updated: list[tuple[Exported, Sequence[FieldChange]]] = field(default_factory=list)

    def add(self, kind: Kind, live: LiveResource, name: str) -> None:
        """Make a new file."""
        if live.faults:
            self.leave(live, LeftOut("everything", kind.unexpected_fields(live)))
            return
        title, known = _title(live), str(live.body.get(kind.id_field) or "")
        if kind.has_chosen_ids:
            known = "" if known == name or kind.only_id else known
        elif (kind.name, title) not in self.ambiguous:
            known = ""
        elif not known:
            reason = f"another object has this {kind.name_field}, and without an id the match is ambiguous"
            self.leave(live, LeftOut(kind.name_field, reason))
            return
        empty, wanted = base(kind, name, known), wanted_fields(kind, live)
        found = writable_body(kind, self.context, empty, wanted)
        is_found = kind.has_chosen_ids or ("spec", kind.name_field) in found.values
        if not found.is_manifest or not is_found:
            self.leave(live, *found.left_out)
            return
        address = Address(kind.name, name)
        path = self.files[address]
        self.others.addresses[live.key] = address
        self._later.append(partial(self._draft, kind, live, path, self._with_policy(kind, empty, wanted, found), found))
        self._bind(address, known, live)
        left = (*found.left_out, *_secrets(kind, live))
        self.objects.append(Exported(address, ExportStatus.NEW, title, live.id, shown(path), left))
        if self.overlays:
            self.overlays.add(address, title)

    def _draft(self, kind: Kind, live: LiveResource, path: Path, empty: Body, found: WritableBody) -> None:
        """Write the text of a new file."""
        beside = Beside(path, found.left_out, self.secrets.get(live.key, ()))
        body = body_of(empty, self.others.values(kind, found.values, {}))
        origin = replace(self.origin, marketplace=self.others.marketplace)
        self.new[path] = text_of(kind, live, body, beside, origin)

    def _with_policy(self, kind: Kind, empty: Body, wanted: Mapping[At, Json], found: WritableBody) -> Body:
        """Add `policy.ignore` for fields that cannot be expressed, and `state: absent` for overlays."""
        compared = [name for area, name in wanted if area == "spec" and name in kind.fields]
        unsaid: list[Json] = [pointer(name) for name in compared if ("spec", name) not in found.values]
        policy: dict[str, Json] = {}
        if unsaid and self.context.defaults.fields is FieldsPolicy.EXCLUSIVE:
            policy["ignore"] = unsaid
        if self.overlays:
            policy["state"] = "absent"
        return {**empty, "policy": policy} if policy else empty

    def leave(self, live: LiveResource, *reasons: LeftOut) -> None:
        """Write nothing for an object."""
        self.objects.append(Exported(_by_id(live), ExportStatus.LEFT, _title(live), live.id, left_out=reasons))

    def _bind(self, address: Address, known: str | None, live: LiveResource) -> None:
        """Record the id of an object, so that it is found after a rename; a recorded id is never replaced."""
        if KINDS[address.kind].has_chosen_ids:
            return
        if address not in self.context.ids and live.key not in self.kept and not same_id(known, live.id):
            self.ids[address] = live.id

    def update(self, kind: Kind, live: LiveResource, manifest: EffectiveManifest) -> None:
        """Write live values into an existing manifest, unless it would then be out of scope."""
        if why := kind.outside(self.context.scope, live.id, live.body):
            self.leave(live, LeftOut("everything", f"it is out of scope: {why}"))
            return
        if self.overlays or not manifest.resource.policy.absent:
            self._bind(manifest.resource.address, manifest.resource.id, live)
        if self.overlays:
            self._later.append(partial(self.overlays.update, kind, live, manifest))
            return
        address, file = manifest.resource.address, manifest.resource.place.file
        if manifest.resource.policy.absent:
            left = (LeftOut("everything", "the manifest asks for its deletion"),)
            self.objects.append(Exported(address, ExportStatus.SAME, _title(live), live.id, file, left))
            return
        self._later.append(partial(self._update, kind, live, manifest))

    def _update(self, kind: Kind, live: LiveResource, manifest: EffectiveManifest) -> None:
        """Compute the values that a manifest needs to equal what is live."""
        address, file = manifest.resource.address, manifest.resource.place.file
        found = writable_body(kind, self.context, manifest.body, dict(differences(kind, live, manifest, self.others)))
        fields = [one for at, value in found.values.items() for one in changes(kind, manifest, at, value)]
        exported = Exported(address, ExportStatus.CHANGED, _title(live), live.id, file, found.left_out)
        self._updated.append((exported, fields))

    def finish(self, manifests: Sequence[EffectiveManifest]) -> Contents:
        """Edit the existing manifests as far as possible, and write the new ones."""
        for step in self._later:
            step()
        if self.overlays:
            self.overlays.finish()
            self.new |= self.overlays.new
            self.objects += self.overlays.objects
            return self.overlays.changed
        wanted = [(one.address, change) for one, fields in self._updated for change in fields]
        contents, refused = bring_in(wanted, manifests, self.context.environment or "the environment", self.others)
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
            again = "; add a reference, so that the object can be created again if it is lost"
            kept = "a secret is never written to a file; the object keeps the one that it has"
            yield LeftOut(name, kept + again if kind.secret_rows[name].required else kept)
