"""Write the differences of one environment from shared manifests into overlays.

An overlay is a JSON Merge Patch of its manifest, so null removes a key. Objects that do not exist here get
`state: absent`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Final

from reconciler.export.manifest import body_of, file_names, wanted_fields, writable_body
from reconciler.kinds import Kind
from reconciler.manifests.checks import API_VERSION
from reconciler.manifests.edit import At, with_documents
from reconciler.manifests.edit.live import Names, Sources
from reconciler.manifests.edit.text import YamlStyle, block
from reconciler.manifests.load import LoadContext
from reconciler.manifests.substitution import literal
from reconciler.manifests.yaml import shown
from reconciler.manifests.yaml.tree import merge_patch
from reconciler.model.dataclass import dataclass
from reconciler.model.json import ABSENT, Absent, Body, Json, get_at, is_array, pointer, pointer_parts, same
from reconciler.model.plan import FieldChange
from reconciler.model.reports import Exported, ExportStatus, LeftOut
from reconciler.model.resource import Address, EffectiveManifest, LiveResource
from reconciler.render.escape import escape


def differences(
    kind: Kind, live: LiveResource, manifest: EffectiveManifest, others: Names
) -> Iterator[tuple[At, Json]]:
    """Path and value of each difference from the live object, in fields that are named or not at their default."""
    wanted = wanted_fields(kind, live)
    for name, known in kind.fields.items():
        path = ("spec", name)
        in_manifest = others.ids(kind, name, get_at(manifest.body, path))
        if in_manifest is ABSENT and path not in wanted:
            continue
        before: Json = None if in_manifest is ABSENT else in_manifest  # type: ignore[assignment]  # mypy does not narrow by identity
        after = _without_ignored(manifest, name, before, wanted.get(path, known.default))
        if not known.equal(before, after):
            yield path, after
    for level in kind.levels:
        named = manifest.resource.assignments.get(level.name)
        if level.name not in live.assignments or (named is None and level.is_of_users):
            continue
        live_ids = live.assignments[level.name]
        if named is None or {one.casefold() for one in named} != {one.casefold() for one in live_ids}:
            yield ("assignments", level.name), level.value(live_ids)


def changes(kind: Kind, manifest: EffectiveManifest, at: At, value: Json) -> Iterator[FieldChange]:
    """The changes for a new value, with mappings split by key and sets by member; `before` is the live value."""
    in_manifest = get_at(manifest.body, at)
    if at[0] == "assignments" and kind.assignments:
        rows = list(kind.assignments.level(at[1]).texts(value))
        named = [*manifest.resource.assignments.get(at[1], ())]
        added, removed = _missing(named, rows, _folded), _missing(rows, named, _folded)
        yield FieldChange(pointer(*at), rows, named, added=added, removed=removed)
    elif kind.fields[at[1]].is_set and not kind.fields[at[1]].reference:
        added, removed = _missing(in_manifest, value, str), _missing(value, in_manifest, str)
        yield FieldChange(pointer(at[1]), value, in_manifest, added=added, removed=removed)
    else:
        yield from _leaf_changes(at[1:], value, in_manifest)


def _missing(first: Json | Absent, second: Json | Absent, key: Callable[[Json], str]) -> tuple[Json, ...]:
    known = {key(one) for one in second} if is_array(second) else set()
    return tuple(one for one in first if key(one) not in known) if is_array(first) else ()


def _folded(party_id: Json) -> str:
    return str(party_id).casefold()


def _leaf_changes(at: At, before: Json | Absent, after: Json | Absent) -> Iterator[FieldChange]:
    if same(before, after):
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping) and after:
        for key in dict.fromkeys((*after, *before)):
            yield from _leaf_changes((*at, key), before.get(key, ABSENT), after.get(key, ABSENT))
    else:
        yield FieldChange(pointer(*at), before, after)


def _without_ignored(manifest: EffectiveManifest, name: str, before: Json, after: Json) -> Json:
    """The live value, with ignored parts as in the manifest."""
    ignored = [path for path in map(pointer_parts, manifest.resource.policy.ignore) if path[0] == name]
    return body_of({name: after}, {path: get_at({name: before}, path) for path in ignored}).get(name)


_STATE: Final = ("policy", "state")
_FIELD: Final = 2
"""The length of the path of a field."""
_NULLS: Final = "the live value contains null, which an overlay cannot express; write it in the manifest"
_BY_HAND: Final = "the overlay cannot be edited without changing other lines; edit it by hand"
_PROTECTED: Final = "it does not exist here, but is protected, so an overlay cannot set state: absent"


@dataclass(slots=True)
class OverlayCollector:
    """Collects the overlays of one environment."""

    context: LoadContext
    folder: Path
    """The folder of new overlays."""
    source: str
    """The source of the objects, for comments."""
    others: Names
    """The objects that manifests name."""
    new: dict[Path, str] = field(default_factory=dict)
    changed: dict[str, bytes] = field(default_factory=dict)
    """File name as in messages -> its new content."""
    objects: list[Exported] = field(default_factory=list)
    _edits: dict[str, dict[int, tuple[Exported, Mapping[At, Json | Absent]]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    """File -> index of a document -> its object and the values to write."""
    _sources: Sources = field(default_factory=Sources)

    def update(self, kind: Kind, live: LiveResource, manifest: EffectiveManifest) -> None:
        """Add the differences from the manifest."""
        values: dict[At, Json] = {_STATE: "present"} if manifest.resource.policy.absent else {}
        found = writable_body(kind, self.context, manifest.body, dict(differences(kind, live, manifest, self.others)))
        left = list(found.left_out)
        for at, value in self.others.values(kind, found.values, manifest.body).items():
            edits = dict(_edits_between(at, get_at(manifest.body, at), literal(value)))
            left += [LeftOut(".".join(path[1:]), _NULLS) for path, edit in edits.items() if _has_null(path, edit)]
            expressible = {path: edit for path, edit in edits.items() if not _has_null(path, edit)}
            values |= {path: None if isinstance(edit, Absent) else edit for path, edit in expressible.items()}
        self._add_values(manifest, values, str(live.body.get(kind.name_field) or ""), left)

    def mark_absent(self, manifest: EffectiveManifest) -> None:
        """Add `state: absent` for a manifest without a live object."""
        policy = manifest.resource.policy
        if policy.protected:
            self._add_values(manifest, {}, "", [LeftOut("everything", _PROTECTED)])
        elif not policy.absent:
            self._add_values(manifest, {_STATE: "absent"}, "", [])

    def add(self, address: Address, title: str) -> None:
        """Add `state: present` for a new manifest."""
        self._write_new(address, {_STATE: "present"}, title, [])

    def _add_values(
        self, manifest: EffectiveManifest, values: Mapping[At, Json], title: str, left: list[LeftOut]
    ) -> None:
        address, overlay = manifest.resource.address, manifest.overlay
        file = overlay or manifest.resource.place.file
        exported = Exported(address, ExportStatus.SAME, title, "", file, tuple(left))
        if not values:
            self.objects.append(exported)
        elif overlay is None:
            self._write_new(address, values, title, left)
        else:
            number, _ = self._sources.find(overlay, address)
            self._edits[overlay][number] = exported, self._without_needless_nulls(manifest, values)

    def finish(self) -> None:
        """Edit the existing overlays, each file once."""
        for file, edits in self._edits.items():
            wanted = {index: values for index, (_, values) in edits.items()}
            content, refused = with_documents(self._sources.content(file), file, wanted)
            for index, (one, values) in edits.items():
                kept = [LeftOut(".".join(at[1:]), _BY_HAND) for number, at in refused if number == index]
                status = ExportStatus.CHANGED if len(kept) < len(values) else ExportStatus.SAME
                self.objects.append(replace(one, status=status, left_out=(*one.left_out, *kept)))
            if len(refused) < sum(map(len, wanted.values())):
                self.changed[file] = content

    def _without_needless_nulls(
        self, manifest: EffectiveManifest, values: Mapping[At, Json]
    ) -> Mapping[At, Json | Absent]:
        """The values, with `ABSENT` in place of a null that would remove nothing from the manifest."""
        if None not in values.values():
            return values
        base = self._sources.data(manifest.resource.place.file, manifest.resource.address)
        return {at: ABSENT if value is None and get_at(base, at) is ABSENT else value for at, value in values.items()}

    def _write_new(self, address: Address, values: Mapping[At, Json], title: str, left: list[LeftOut]) -> None:
        path = next(one for one in file_names(self.folder, address.name) if one not in self.new and not one.exists())
        head: Body = {"apiVersion": API_VERSION, "kind": address.kind, "metadata": {"name": address.name}}
        body = body_of(head, values)
        lines = [f"# From {escape(self.source)}: what differs in {self.context.environment}."]
        self.new[path] = "".join(f"{line}\n" for line in (*lines, *block(body, 0, YamlStyle())))
        self.objects.append(Exported(address, ExportStatus.NEW, title, "", shown(path), tuple(left)))


def _edits_between(at: At, before: Json | Absent, after: Json | Absent) -> Iterator[tuple[At, Json | Absent]]:
    """Path and new value of each edit from one value to the other; `ABSENT` removes a key."""
    if same(before, after):
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys((*after, *before)):
            yield from _edits_between((*at, key), before.get(key, ABSENT), after.get(key, ABSENT))
    else:
        yield at, after


def _has_null(at: At, edit: Json | Absent) -> bool:
    """Whether the value has a null inside a field. A null for a whole field can be expressed by omitting it."""
    if edit is None:
        return len(at) > _FIELD
    return isinstance(edit, Mapping) and not same(merge_patch({}, edit), edit)
