"""A live object x its manifest -> what the manifest must say to say what is live, and how a file says it."""

from collections.abc import Callable, Iterator, Mapping

from reconciler.export.content import wanted_fields
from reconciler.export.referring import Names
from reconciler.kinds import Kind, Reference
from reconciler.manifests.edit.values import Path as At
from reconciler.model.json import ABSENT, Absent, Json, get_at, is_array, pointer, pointer_parts, same, with_value_at
from reconciler.model.plan import FieldChange
from reconciler.model.resource import EffectiveManifest, LiveResource


def differences(
    kind: Kind, live: LiveResource, manifest: EffectiveManifest, others: Names
) -> Iterator[tuple[At, Json]]:
    """What a manifest must say to say what is live: fields that it names, and fields that are no longer the default."""
    wanted = wanted_fields(kind, live)
    for name, known in kind.fields.items():
        path = ("spec", name)
        said = others.ids(kind, name, get_at(manifest.body, path))
        if said is ABSENT and path not in wanted:
            continue
        before: Json = None if said is ABSENT else said  # type: ignore[assignment]  # mypy does not narrow by identity
        after = _less_ignored(manifest, name, before, wanted.get(path, known.default))
        if not known.equal(before, after):
            yield path, after
    for level in kind.assignments.levels if kind.assignments else ():
        named = manifest.resource.assignments.get(level.name)
        if level.name not in live.assignments or (named is None and level.is_of_users):
            continue
        held = live.assignments[level.name]
        if named is None or {one.casefold() for one in named} != {one.casefold() for one in held}:
            yield ("assignments", level.name), level.value(held)


def changes(kind: Kind, manifest: EffectiveManifest, at: At, value: Json) -> Iterator[FieldChange]:
    """What differs, with mappings taken apart and sets member by member; `before` is live."""
    said = get_at(manifest.body, at)
    if at[0] == "assignments" and kind.assignments:
        rows = list(kind.assignments.level(at[1]).texts(value))
        named = [*manifest.resource.assignments.get(at[1], ())]
        added, removed = _missing(named, rows, _folded), _missing(rows, named, _folded)
        yield FieldChange(pointer(*at), rows, named, added=added, removed=removed)
    elif kind.fields[at[1]].is_set and not isinstance(kind.fields[at[1]].refers_to, Reference):
        added, removed = _missing(said, value, str), _missing(value, said, str)
        yield FieldChange(pointer(at[1]), value, said, added=added, removed=removed)
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
