"""Live objects x the manifests of several environments -> overlays that have what differs in one of them.

An overlay is laid over its manifest as a JSON Merge Patch, so that it has a null for what is to go. What this
environment lacks is absent in its overlay.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

from reconciler.errors import ReconcilerError
from reconciler.export.content import API_VERSION, sound
from reconciler.export.differences import differences
from reconciler.export.referring import Names
from reconciler.kinds import Kind
from reconciler.manifests.edit.text import Style, block, literal
from reconciler.manifests.edit.values import Path as At
from reconciler.manifests.edit.values import with_values
from reconciler.manifests.load import LoadContext
from reconciler.manifests.yaml import merge_patch, parse, shown
from reconciler.model.json import ABSENT, Absent, Body, Json, get_at, same, with_value_at
from reconciler.model.reports import Exported, Fate, LeftOut
from reconciler.model.resource import Address, EffectiveManifest, LiveResource
from reconciler.render.escape import escape

_STATE: Final = ("policy", "state")
_FIELD: Final = 2
"""Length of the path to a field."""
_NULLS: Final = "live it holds null, which an overlay cannot say; let the manifest say so"
_BY_HAND: Final = (
    "the overlay is written in such a way that it cannot be changed without changing more; change it by hand"
)
_PROTECTED: Final = "it is not live here, and protected, so that no overlay can say that it is absent"


@dataclass(slots=True)
class Overlaying:
    """Collects the overlays of one environment."""

    context: LoadContext
    folder: Path
    """Where new ones go."""
    source: str
    """Where it all comes from."""
    others: Names
    """The objects that manifests name."""
    new: dict[Path, str] = field(default_factory=dict)
    changed: dict[str, bytes] = field(default_factory=dict)
    """File, as messages call it -> what it is to hold."""
    objects: list[Exported] = field(default_factory=list)

    def update(self, kind: Kind, live: LiveResource, manifest: EffectiveManifest) -> None:
        """Say in an overlay what is live and not in the manifest."""
        values: dict[At, Json] = {_STATE: "present"} if manifest.resource.policy.absent else {}
        found = sound(kind, self.context, manifest.body, dict(differences(kind, live, manifest, self.others)))
        left = list(found.left_out)
        for at, value in found.values.items():
            steps = dict(_steps(at, get_at(manifest.body, at), literal(value)))
            left += [LeftOut(".".join(path[1:]), _NULLS) for path, step in steps.items() if _has_null(path, step)]
            sayable = {path: step for path, step in steps.items() if not _has_null(path, step)}
            values |= {path: None if isinstance(step, Absent) else step for path, step in sayable.items()}
        self._put(manifest, values, str(live.body.get(kind.name_field) or ""), left)

    def miss(self, manifest: EffectiveManifest) -> None:
        """Say in an overlay that this environment lacks the object."""
        policy = manifest.resource.policy
        if policy.protected:
            self._put(manifest, {}, "", [LeftOut("everything", _PROTECTED)])
        elif not policy.absent:
            self._put(manifest, {_STATE: "absent"}, "", [])

    def add(self, address: Address, title: str) -> None:
        """Say in an overlay that this environment has what the new manifest says."""
        self._make(address, {_STATE: "present"}, title, [])

    def _put(self, manifest: EffectiveManifest, values: Mapping[At, Json], title: str, left: list[LeftOut]) -> None:
        address, overlay = manifest.resource.address, manifest.overlay
        if not values:
            file = overlay or manifest.resource.place.file
            self.objects.append(Exported(address, Fate.SAME, title, "", file, tuple(left)))
        elif overlay is None:
            self._make(address, values, title, left)
        else:
            content = self.changed.get(overlay) or Path(overlay).read_bytes()
            index, _ = _document(content, overlay, address)
            content, refused = with_values(content, overlay, index, _less_needless(manifest, values))
            if len(refused) < len(values):
                self.changed[overlay] = content
            left += [LeftOut(".".join(at[1:]), _BY_HAND) for at in refused]
            fate = Fate.CHANGED if len(refused) < len(values) else Fate.SAME
            self.objects.append(Exported(address, fate, title, "", overlay, tuple(left)))

    def _make(self, address: Address, values: Mapping[At, Json], title: str, left: list[LeftOut]) -> None:
        path = next(one for one in _choices(self.folder, address.name) if one not in self.new and not one.exists())
        body: Body = {"apiVersion": API_VERSION, "kind": address.kind, "metadata": {"name": address.name}}
        for at, value in values.items():
            body = with_value_at(body, at, value)
        lines = [f"# From {escape(self.source)}: what differs in {self.context.environment}."]
        self.new[path] = "".join(f"{line}\n" for line in (*lines, *block(body, 0, Style())))
        self.objects.append(Exported(address, Fate.NEW, title, "", shown(path), tuple(left)))


def _choices(folder: Path, name: str) -> Iterator[Path]:
    yield folder / f"{name}.yaml"
    yield from (folder / f"{name}-{number}.yaml" for number in count(2))


def _steps(at: At, before: Json | Absent, after: Json | Absent) -> Iterator[tuple[At, Json | Absent]]:
    """What must stand where, so that the one becomes the other; `ABSENT` is to go."""
    if same(before, after):
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys((*after, *before)):
            yield from _steps((*at, key), before.get(key, ABSENT), after.get(key, ABSENT))
    else:
        yield at, after


def _has_null(at: At, step: Json | Absent) -> bool:
    """Whether it says null inside of a field; a field that is null is left out, which means the same."""
    if step is None:
        return len(at) > _FIELD
    return isinstance(step, Mapping) and not same(merge_patch({}, step), step)


def _less_needless(manifest: EffectiveManifest, values: Mapping[At, Json]) -> Mapping[At, Json | Absent]:
    """The values with nothing in place of a null that has nothing to remove: only the overlay says such a key."""
    if None not in values.values():
        return values
    file = manifest.resource.place.file
    _, base = _document(Path(file).read_bytes(), file, manifest.resource.address)
    return {at: ABSENT if value is None and get_at(base, at) is ABSENT else value for at, value in values.items()}


def _document(content: bytes, file: str, address: Address) -> tuple[int, Json]:
    """Which document of the file is a manifest's or its overlay's, and what it says."""
    for index, document in enumerate(parse(content, file).documents):
        if [get_at(document.data, at) for at in (("kind",), ("metadata", "name"))] == [address.kind, address.name]:
            return index, document.data
    raise ReconcilerError(f"{file} no longer has {address}")
