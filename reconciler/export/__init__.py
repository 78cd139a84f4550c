"""Live objects x manifests that are there already -> files, new ones and changed ones.

1. Each manifest is matched with a live object, as a plan does it.
2. A live object without a manifest gets a file of its own, named after it.
3. A manifest whose object differs gets the live values where they differ: comments, anchors and the environment's
   values stay. A manifest without a live object is left alone. Where an overlay is to have what differs
   (`overlaying`), manifests that are there do not change.

What comes out plans to nothing: whatever a manifest cannot say is left out, and so keeps its live value.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from reconciler.errors import ReconcilerError
from reconciler.export.choice import Choice
from reconciler.export.content import Sound, body_of, sound, wanted_fields
from reconciler.export.differences import changes, differences
from reconciler.export.fresh import Beside, Origin, base, text_of
from reconciler.export.naming import names
from reconciler.export.overlaying import Overlaying
from reconciler.kinds import KINDS, Kind
from reconciler.manifests.edit import write_contents
from reconciler.manifests.edit.live import Contents, bring_in
from reconciler.manifests.edit.values import Path as At
from reconciler.manifests.load import LoadContext
from reconciler.manifests.yaml import shown
from reconciler.model.export import Exported, Fate, LeftOut
from reconciler.model.json import Body, Json, pointer, pointer_parts
from reconciler.model.named_secret import LiveSecret
from reconciler.model.plan import FieldChange
from reconciler.model.resource import Address, DesiredState, EffectiveManifest, FieldsPolicy, LiveResource, LiveState
from reconciler.planning.diff.identity import match

__all__ = ["Choice", "Export", "Origin", "export"]

_SUFFIX: Final = ".yaml"
_OWN: Final = LeftOut("everything", "this run is logged in with it; to have a manifest of it, add --own-client")
_NO_SECRETS: Final[Mapping[str, Sequence[LiveSecret]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Export:
    """What was worked out; nothing reaches a disk before `write`."""

    objects: tuple[Exported, ...]
    """Sorted by address."""
    changed: Contents
    """File, as messages call it -> what it is to hold."""
    new: Mapping[Path, str]
    ids: Mapping[str, str] = field(default_factory=dict)
    """Manifest name -> id, where neither the environment nor the manifest knows an id that is live."""

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
    secrets: Mapping[str, Sequence[LiveSecret]] = _NO_SECRETS,
    *,
    choice: Choice = _EVERYTHING,
) -> Export:
    """Work out the files for all that is live.

    Args:
        live: all objects with their assignments.
        manifests: those that are there already.
        context: of the environment that was read.
        folder: where new files go.
        origin: where it all comes from.
        secrets: the named secrets of each object by its id; a comment names them.
        choice: what of it.

    Raises:
        InputError: a manifest could be several live objects, or two manifests one.
        ReconcilerError: a manifest cannot be read again, or nothing is what was chosen.
    """
    desired = DesiredState(tuple(one.resource for one in manifests), "")
    matches = match(desired, live, KINDS)
    bound = {found.id.casefold(): address for address, found in matches.items() if found}
    by_address = {one.resource.address: one for one in manifests}
    overlays = Overlaying(context, choice.overlay, origin.source) if choice.overlay else None
    run = _Run(context, folder, origin, _same_names(live, manifests), secrets, overlays)
    called = _names(live, bound.keys(), by_address, context, folder)
    addresses = {one.id: bound.get(one.id.casefold()) or Address(one.kind, called[one.id]) for one in live.resources}
    choice.check([*addresses.values(), *by_address])
    for resource in live.resources:
        address, kind = addresses[resource.id], KINDS[resource.kind]
        if not choice.takes(address):
            continue
        if address in by_address:
            run.update(kind, resource, by_address[address])
        elif resource.id.casefold() == choice.own_client_id.casefold():
            run.leave(kind, resource, (_OWN,))
        else:
            run.add(kind, resource, address.name)
    for address, found in matches.items():
        if found is None and choice.takes(address):
            run.miss(by_address[address])
    changed = run.finish(manifests)
    objects = tuple(sorted(run.objects, key=lambda one: one.address))
    return Export(objects, changed, dict(sorted(run.new.items())), run.ids)


def _same_names(live: LiveState, manifests: Sequence[EffectiveManifest]) -> Collection[Json]:
    """The AppNames by which more than one object could be meant."""
    counts = Counter(_title(resource) for resource in live.resources)
    named = {one.resource.spec.get(KINDS[one.resource.address.kind].name_field) for one in manifests}
    return {name for name, count in counts.items() if count > 1} | {name for name in named if isinstance(name, str)}


def _title(resource: LiveResource) -> str:
    title = resource.body.get(KINDS[resource.kind].name_field)
    return title if isinstance(title, str) else ""


def _names(
    live: LiveState,
    bound: Collection[str],
    manifests: Mapping[Address, EffectiveManifest],
    context: LoadContext,
    folder: Path,
) -> Mapping[str, str]:
    """A name for each object that has none: the one that the environment has for its id, else one made of its own."""
    there = {address.name for address in manifests}
    kept = {known.casefold(): name for name, known in context.ids.items() if name not in there}
    files = {path.stem for path in folder.glob("*")} if folder.is_dir() else set()
    nameless = [resource for resource in live.resources if resource.id.casefold() not in bound]
    known = {one.id: kept[one.id.casefold()] for one in nameless if one.id.casefold() in kept}
    others = {one.id: _title(one) for one in nameless if one.id not in known}
    return {**known, **names(others, {*there, *context.ids, *files})}


@dataclass(slots=True)
class _Run:
    """Collects what becomes of each object."""

    context: LoadContext
    folder: Path
    origin: Origin
    ambiguous: Collection[Json]
    """AppNames by which an object cannot be found."""
    secrets: Mapping[str, Sequence[LiveSecret]]
    overlays: Overlaying | None
    """Has what differs, instead of the manifests."""
    ids: dict[str, str] = field(default_factory=dict)
    """See `Export.ids`."""
    new: dict[Path, str] = field(default_factory=dict)
    objects: list[Exported] = field(default_factory=list)
    _updates: list[tuple[Exported, tuple[FieldChange, ...]]] = field(default_factory=list)

    def add(self, kind: Kind, live: LiveResource, name: str) -> None:
        """Make a new file."""
        if live.faults:
            self.leave(kind, live, (LeftOut("everything", kind.odd(live)),))
            return
        title, known = _title(live), ""
        if title in self.ambiguous:
            known = str(live.body.get(kind.id_field) or "")
            if not known:
                reason = (
                    f"another object has this {kind.name_field}, and without an id nobody could tell which is meant"
                )
                self.leave(kind, live, (LeftOut(kind.name_field, reason),))
                return
        empty, wanted = base(kind, name, known), wanted_fields(kind, live)
        found = sound(kind, self.context, empty, wanted)
        if not found.is_manifest or ("spec", kind.name_field) not in found.values:
            self.leave(kind, live, found.left_out)
            return
        path = self.folder / f"{name}{_SUFFIX}"
        beside = Beside(found.left_out, self.secrets.get(live.id, ()))
        body = body_of(self._with_policy(empty, wanted, found), found.values)
        self.new[path] = text_of(kind, live, body, beside, self.origin)
        self._bind(name, known, live)
        self.objects.append(
            Exported(
                Address(kind.name, name), Fate.NEW, title, live.id, shown(path), (*found.left_out, *_secrets(live))
            )
        )

        if self.overlays:
            self.overlays.add(Address(kind.name, name), title)

    def _with_policy(self, empty: Body, wanted: Mapping[At, Json], found: Sound) -> Body:
        """What a manifest cannot say keeps its live value: where manifests own all fields, it must be ignored.

        What only one environment is known to have is absent in the others.
        """
        unsaid: list[Json] = [pointer(at[1]) for at in wanted if at not in found.values and at[0] == "spec"]
        policy: dict[str, Json] = {}
        if unsaid and self.context.defaults.fields is FieldsPolicy.EXCLUSIVE:
            policy["ignore"] = unsaid
        if self.overlays:
            policy["state"] = "absent"
        return {**empty, "policy": policy} if policy else empty

    def leave(self, kind: Kind, live: LiveResource, reasons: tuple[LeftOut, ...]) -> None:
        """Write nothing for an object."""
        address = Address(kind.name, live.id)
        self.objects.append(Exported(address, Fate.LEFT, _title(live), live.id, left_out=reasons))

    def _bind(self, name: str, known: str | None, live: LiveResource) -> None:
        """Keep the id of an object, so that it is found whatever it is called; an id that is kept is never replaced."""
        kept = {one.casefold() for one in (known or "", *self.context.ids.values())}
        if name not in self.context.ids and live.id.casefold() not in kept:
            self.ids[name] = live.id

    def update(self, kind: Kind, live: LiveResource, manifest: EffectiveManifest) -> None:
        """Bring what is live into a manifest that is there."""
        if self.overlays or not manifest.resource.policy.absent:
            self._bind(manifest.resource.address.name, manifest.resource.id, live)
        if self.overlays:
            self.overlays.update(kind, live, manifest)
            return
        address, file = manifest.resource.address, manifest.resource.place.file
        if manifest.resource.policy.absent:
            left = (LeftOut("everything", "the manifest asks for its deletion"),)
            self.objects.append(Exported(address, Fate.SAME, _title(live), live.id, file, left))
            return
        found = sound(kind, self.context, manifest.body, dict(differences(kind, live, manifest)))
        fields = [one for at, value in found.values.items() for one in changes(kind, manifest, at, value)]
        one = Exported(address, Fate.CHANGED, _title(live), live.id, file, found.left_out)
        self._updates.append((one, tuple(fields)))

    def miss(self, manifest: EffectiveManifest) -> None:
        """Leave a manifest alone whose object is not live; an overlay says that it is absent."""
        if self.overlays:
            self.overlays.miss(manifest)

    def finish(self, manifests: Sequence[EffectiveManifest]) -> Contents:
        """Bring everything into the manifests that are there, as far as it goes."""
        if self.overlays:
            self.new |= self.overlays.new
            self.objects += self.overlays.objects
            return self.overlays.changed
        wanted = [(one.address, change) for one, fields in self._updates for change in fields]
        contents, refused = bring_in(wanted, manifests, self.context.environment or "the environment")
        for one, fields in self._updates:
            reasons = tuple(
                LeftOut(".".join(pointer_parts(each.at)[1:]), f"{each.message}; {each.hint}")
                for each in refused
                if each.address == one.address
            )
            fate = Fate.CHANGED if len(reasons) < len(fields) else Fate.SAME
            self.objects.append(replace(one, fate=fate, left_out=(*one.left_out, *reasons)))
        return contents


def _secrets(live: LiveResource) -> Iterator[LeftOut]:
    for name, secret in live.secrets.items():
        if secret is not None:
            yield LeftOut(name, "a secret is never written to a file; the client keeps the one that it has")
