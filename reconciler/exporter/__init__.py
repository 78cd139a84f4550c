"""Live objects x manifests that are there already -> files, new ones and changed ones.

1. Each manifest is matched with a live object, as a plan does it.
2. A live object without a manifest gets a file of its own, named after it.
3. A manifest whose object differs gets the live values where they differ: comments, anchors and the environment's
   values stay. A manifest without a live object is left alone.

What comes out plans to nothing: whatever a manifest cannot say is left out, and so keeps its live value.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from reconciler.differ.identity import match
from reconciler.document import shown
from reconciler.errors import ReconcilerError
from reconciler.exporter.content import Sound, body_of, sound, wanted_fields
from reconciler.exporter.fresh import Beside, Origin, base, text_of
from reconciler.exporter.naming import names
from reconciler.kinds import KINDS, Kind
from reconciler.loader import LoadContext
from reconciler.model.export import Exported, Fate, LeftOut
from reconciler.model.json import (
    ABSENT,
    Absent,
    Body,
    Json,
    get_at,
    is_array,
    pointer,
    pointer_parts,
    same,
    with_value_at,
)
from reconciler.model.named_secret import LiveSecret
from reconciler.model.plan import FieldChange
from reconciler.model.resource import Address, DesiredState, EffectiveManifest, FieldsPolicy, LiveResource, LiveState
from reconciler.writeback import write_contents
from reconciler.writeback.live import Contents, bring_in
from reconciler.writeback.values import Path as At

__all__ = ["Export", "Origin", "export"]

_SUFFIX: Final = ".yaml"
_NO_SECRETS: Final[Mapping[str, Sequence[LiveSecret]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Export:
    """What was worked out; nothing reaches a disk before `write`."""

    objects: tuple[Exported, ...]
    """Sorted by address."""
    changed: Contents
    """File, as messages call it -> what it is to hold."""
    new: Mapping[Path, str]

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


def export(
    live: LiveState,
    manifests: Sequence[EffectiveManifest],
    context: LoadContext,
    folder: Path,
    origin: Origin,
    secrets: Mapping[str, Sequence[LiveSecret]] = _NO_SECRETS,
) -> Export:
    """Work out the files for all that is live.

    Args:
        live: all objects with their assignments.
        manifests: those that are there already.
        context: of the environment that was read.
        folder: where new files go.
        origin: where it all comes from.
        secrets: the named secrets of each object by its id; a comment names them.

    Raises:
        InputError: a manifest could be several live objects, or two manifests one.
        ReconcilerError: a manifest cannot be read again.
    """
    desired = DesiredState(tuple(one.resource for one in manifests), "")
    matches = match(desired, live, KINDS)
    bound = {found.id.casefold(): address for address, found in matches.items() if found}
    by_address = {one.resource.address: one for one in manifests}
    run = _Run(context, folder, origin, _same_names(live, manifests), secrets)
    called = _names(live, bound.keys(), by_address, context, folder)
    for resource in live.resources:
        address = bound.get(resource.id.casefold())
        if address:
            run.update(KINDS[resource.kind], resource, by_address[address])
        else:
            run.add(KINDS[resource.kind], resource, called[resource.id])
    changed = run.finish(manifests)
    return Export(tuple(sorted(run.objects, key=lambda one: one.address)), changed, dict(sorted(run.new.items())))


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
    new: dict[Path, str] = field(default_factory=dict)
    objects: list[Exported] = field(default_factory=list)
    _updates: list[tuple[Exported, tuple[FieldChange, ...]]] = field(default_factory=list)

    def add(self, kind: Kind, live: LiveResource, name: str) -> None:
        """Make a new file."""
        if live.faults:
            self._leave(kind, live, (LeftOut("everything", kind.odd(live)),))
            return
        title, known = _title(live), ""
        if title in self.ambiguous:
            known = str(live.body.get(kind.id_field) or "")
            if not known:
                reason = (
                    f"another object has this {kind.name_field}, and without an id nobody could tell which is meant"
                )
                self._leave(kind, live, (LeftOut(kind.name_field, reason),))
                return
        empty, wanted = base(kind, name, known), wanted_fields(kind, live)
        found = sound(kind, self.context, empty, wanted)
        if not found.is_manifest or ("spec", kind.name_field) not in found.values:
            self._leave(kind, live, found.left_out)
            return
        path = self.folder / f"{name}{_SUFFIX}"
        beside = Beside(found.left_out, self.secrets.get(live.id, ()))
        self.new[path] = text_of(
            kind, live, body_of(self._keeping(empty, wanted, found), found.values), beside, self.origin
        )
        self.objects.append(
            Exported(
                Address(kind.name, name), Fate.NEW, title, live.id, shown(path), (*found.left_out, *_secrets(live))
            )
        )

    def _keeping(self, empty: Body, wanted: Mapping[At, Json], found: Sound) -> Body:
        """What a manifest cannot say keeps its live value: where manifests own all fields, it must be ignored."""
        unsaid = [pointer(at[1]) for at in wanted if at not in found.values and at[0] == "spec"]
        if not unsaid or self.context.defaults.fields is not FieldsPolicy.EXCLUSIVE:
            return empty
        return {**empty, "policy": {"ignore": unsaid}}

    def _leave(self, kind: Kind, live: LiveResource, reasons: tuple[LeftOut, ...]) -> None:
        address = Address(kind.name, live.id)
        self.objects.append(Exported(address, Fate.LEFT, _title(live), live.id, left_out=reasons))

    def update(self, kind: Kind, live: LiveResource, manifest: EffectiveManifest) -> None:
        """Bring what is live into a manifest that is there."""
        address, file = manifest.resource.address, manifest.resource.place.file
        if manifest.resource.policy.absent:
            left = (LeftOut("everything", "the manifest asks for its deletion"),)
            self.objects.append(Exported(address, Fate.SAME, _title(live), live.id, file, left))
            return
        found = sound(kind, self.context, manifest.body, dict(_differences(kind, live, manifest)))
        changes = [one for at, value in found.values.items() for one in _changes(kind, manifest, at, value)]
        one = Exported(address, Fate.CHANGED, _title(live), live.id, file, found.left_out)
        self._updates.append((one, tuple(changes)))

    def finish(self, manifests: Sequence[EffectiveManifest]) -> Contents:
        """Bring everything into the manifests that are there, as far as it goes."""
        wanted = [(one.address, change) for one, changes in self._updates for change in changes]
        contents, refused = bring_in(wanted, manifests, self.context.environment or "the environment")
        for one, changes in self._updates:
            reasons = tuple(
                LeftOut(".".join(pointer_parts(each.at)[1:]), f"{each.message}; {each.hint}")
                for each in refused
                if each.address == one.address
            )
            fate = Fate.CHANGED if len(reasons) < len(changes) else Fate.SAME
            self.objects.append(replace(one, fate=fate, left_out=(*one.left_out, *reasons)))
        return contents


def _secrets(live: LiveResource) -> Iterator[LeftOut]:
    for name, secret in live.secrets.items():
        if secret is not None:
            yield LeftOut(name, "a secret is never written to a file; the client keeps the one that it has")


def _differences(kind: Kind, live: LiveResource, manifest: EffectiveManifest) -> Iterator[tuple[At, Json]]:
    """What a manifest must say to say what is live: fields that it names, and fields that are no longer the default."""
    wanted = wanted_fields(kind, live)
    for name, known in kind.fields.items():
        path = ("spec", name)
        said = get_at(manifest.body, path)
        if said is ABSENT and path not in wanted:
            continue
        before: Json = None if said is ABSENT else said  # type: ignore[assignment]  # mypy does not narrow by identity
        after = _less_ignored(manifest, name, before, wanted.get(path, known.default))
        if not known.equal(before, after):
            yield path, after
    for party in kind.assignments.parties if kind.assignments else ():
        path = ("assignments", party.name)
        if party.name not in live.assignments:
            continue
        held = live.assignments[party.name]
        named = manifest.resource.assignments.get(party.name)
        if named is None or {one.casefold() for one in named} != {one.casefold() for one in held}:
            yield path, [*sorted(held, key=str.casefold)]


def _changes(kind: Kind, manifest: EffectiveManifest, at: At, value: Json) -> Iterator[FieldChange]:
    """What differs, with mappings taken apart and sets member by member; `before` is live."""
    said = get_at(manifest.body, at)
    is_party = at[0] == "assignments"
    if is_party or kind.fields[at[1]].is_set:
        name = pointer(*at) if is_party else pointer(at[1])
        key = _folded if is_party else str
        yield FieldChange(name, value, said, added=_missing(said, value, key), removed=_missing(value, said, key))
    else:
        yield from _leaves(at[1:], value, said)


def _missing(those: Json | Absent, these: Json | Absent, key: Callable[[Json], str]) -> tuple[Json, ...]:
    known = {key(one) for one in these} if is_array(these) else set()
    return tuple(one for one in those if key(one) not in known) if is_array(those) else ()


def _folded(party_id: Json) -> str:
    return str(party_id).casefold()


def _leaves(at: At, before: Json | Absent, after: Json | Absent) -> Iterator[FieldChange]:
    if same(before, after):
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping) and after:
        for key in dict.fromkeys((*after, *before)):
            yield from _leaves((*at, key), before.get(key, ABSENT), after.get(key, ABSENT))
    else:
        yield FieldChange(pointer(*at), before, after)


def _less_ignored(manifest: EffectiveManifest, name: str, before: Json, after: Json) -> Json:
    """What is ignored stays as the manifest has it."""
    holder: Mapping[str, Json] = {name: after}
    for text in manifest.resource.policy.ignore:
        path = pointer_parts(text)
        if path[0] == name:
            holder = with_value_at(holder, path, get_at({name: before}, path))
    return holder.get(name)
