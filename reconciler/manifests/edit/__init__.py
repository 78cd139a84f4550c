"""The ids in files: new ids -> reconciler.yaml or a file of ids with them; an id -> how a manifest says it.

What drift brings back into manifests is worked out by `live`, over `values`; all files are written here.

The ids are put into the text at places that a parser names; no line is written anew. What comes out is then read as
every command reads it, and must say what the file said before plus exactly the ids. Where it does not, as in an
environment that shares its ids with another one by an alias, the file is left as it is.
"""

import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Final

from reconciler.errors import ReconcilerError
from reconciler.kinds import Kind, address_of, short
from reconciler.kinds.fields import MemberReference
from reconciler.kinds.references import referred, with_references
from reconciler.manifests.edit.text import Node, Style, block, line_end_before, parse_nodes
from reconciler.manifests.edit.values import Path as At
from reconciler.manifests.edit.values import with_values
from reconciler.manifests.replacing import replace_file
from reconciler.manifests.schema import part_validator, validator
from reconciler.manifests.yaml import IDS_LIMIT, SIZE_LIMIT, parse, shown
from reconciler.model.dataclass import dataclass
from reconciler.model.json import ABSENT, Absent, Body, Json, get_at, is_array, same, with_value_at
from reconciler.model.resource import Address, ObjectKey, same_id

__all__ = ["with_ids", "write_contents", "write_ids"]

_SCHEMA: Final = "config.v1.schema.json"
_MARK: Final = "\ufeff"


def write_ids(path: Path, at: Sequence[str], ids: Mapping[Address, str]) -> None:
    """Add ids to a file; a symbolic link is followed, a crash leaves the old file.

    Raises:
        ReconcilerError: as `with_ids` does, or the file cannot be written; it is as it was.
    """
    _rewrite(path, lambda content: with_ids(content, at, ids, shown(path)))


def write_contents(contents: Mapping[str, bytes]) -> None:
    """Give files new contents, each as `write_ids` does.

    Raises:
        ReconcilerError: one of them cannot be written; those before it are.
    """
    for file, content in contents.items():
        _rewrite(Path(file), lambda _, content=content: content)  # type: ignore[misc]  # bound at once


def _rewrite(path: Path, new: Callable[[bytes], bytes]) -> None:
    try:
        target = path.resolve(strict=True)
        with target.open("r+b") as file:  # a file that may not be written is not replaced either
            content = file.read()
        wanted = new(content)
        if wanted != content:
            _replace(target, wanted)
    except OSError as error:
        raise ReconcilerError(f"cannot write {shown(path)}: {error.strerror}") from error


def with_ids(content: bytes, at: Sequence[str], ids: Mapping[Address, str], file: str) -> bytes:
    """The bytes of a file with ids added; ids that are there already are left alone.

    Args:
        content: a configuration without faults, or a file of ids.
        at: where the ids are in it: ``("environments", "staging", "ids")``, or nowhere below, in a file of ids.
        ids: manifest -> id.
        file: what messages call the file.

    Raises:
        ReconcilerError: a name is bound to another id, or the ids cannot be added without changing more than them.
    """
    data, limit = _data(content, file, at), SIZE_LIMIT if at else IDS_LIMIT
    known = get_at(data, at)
    known = known if isinstance(known, Mapping) else {}
    new = _missing(known, ids, f"{'.'.join(at)} of {file}" if at else file)
    if not new:
        return content
    whole = {**known, **new}
    _check(with_value_at(data, at, whole) if at else whole, file, at)
    result = _added(content, data, at, whole, file)
    if result is None:
        by_hand = ", ".join(f"{name}: {one}" for name, one in new.items())
        where = f" to {at[1]}" if at else ""
        message = f"{file} is written in such a way that ids cannot be added{where} without changing more"
        raise ReconcilerError(
            message, hint=f"add by hand under {'.'.join(at)}: {by_hand}" if at else f"add by hand: {by_hand}"
        )
    if len(result) > limit:
        hint = "keep the ids in a file of their own, with ids: {file: ids/ENV.yaml}" if at else ""
        raise ReconcilerError(f"with the new ids {file} would be larger than {limit:,} bytes", hint=hint)
    return result


def _added(content: bytes, data: Body, at: Sequence[str], ids: Body, file: str) -> bytes | None:
    """The bytes with all ids, or None where more would change; a file of ids may be empty, or comments alone."""
    text = content.decode("utf-8")
    if at or parse(content, file, IDS_LIMIT).documents:
        changed, refused = with_values(content, file, 0, {tuple(at): ids}, sys.maxsize)
        return None if refused or not _is_written_out(text, at, data) else changed
    line_end = line_end_before(text, len(text))
    start = "" if not text or text[-1] in "\r\n" else line_end
    changed = (text + start + line_end.join([*block(ids, 0, Style()), ""])).encode("utf-8")
    return None if parse(changed, file, sys.maxsize).faults else changed


def _is_written_out(text: str, at: Sequence[str], data: Body) -> bool:
    """Whether what the ids are in stands there itself: neither an alias nor a merge key brings it."""
    node: Node | None = parse_nodes(text.removeprefix(_MARK))[0]
    for count, key in enumerate(at, 1):
        node = node.get(key) if node else None
        if node is None:
            return get_at(data, at[:count]) is ABSENT
        if node.is_alias:
            return False
    return True


def _missing(known: Body, ids: Mapping[Address, str], where: str) -> Mapping[str, str]:
    """The ids that are not there yet."""
    bound = {address_of(name): str(value) for name, value in known.items()}
    owners = {ObjectKey(address.kind, value): address for address, value in bound.items()}
    for address, new in ids.items():
        owner = owners.setdefault(ObjectKey(address.kind, new), address)
        if owner != address or not same_id(bound.get(address, new), new):
            told = (
                f"{new} is bound to {short(owner)}"
                if owner != address
                else f"{short(address)} is bound to {bound[address]}"
            )
            raise ReconcilerError(f"{told} already, under {where}", hint="nothing is overwritten; correct it by hand")
    return {short(address): new for address, new in ids.items() if address not in bound}


def _check(wanted: Body, file: str, at: Sequence[str]) -> None:
    """Refuse ids that a configuration cannot hold."""
    found = validator(_SCHEMA).faults(wanted) if at else part_validator(_SCHEMA, "ids").faults({"ids": wanted})
    for fault in found:
        raise ReconcilerError(
            f"with the new ids {file} would be no configuration: {fault.message} (at {fault.pointer})"
        )


def _data(content: bytes, file: str, at: Sequence[str]) -> Body:
    """The one document, as all commands read it; a file of ids may be empty."""
    parsed = parse(content, file, SIZE_LIMIT if at else IDS_LIMIT)
    data: Json = parsed.documents[0].data if len(parsed.documents) == 1 and not parsed.faults else None
    if not at and data is None and len(parsed.documents) <= 1 and not parsed.faults:
        return {}
    if not isinstance(data, Mapping):
        raise ReconcilerError(f"{file} can no longer be read as {'a configuration' if at else 'ids'}")
    return data


def _replace(path: Path, content: bytes) -> None:
    """Put a file with the same mode, and the same owner where this user may give it away, in its place."""
    try:
        replace_file(path, content, keeps_owner=True)
    except PermissionError:
        replace_file(path, content, stat.S_IMODE(path.stat().st_mode))


@dataclass(frozen=True, slots=True)
class Names:
    """The objects that have or get a manifest."""

    addresses: dict[ObjectKey, Address] = field(default_factory=dict)
    marketplace: str = ""

    def values(self, kind: Kind, values: Mapping[At, Json], said: Body) -> dict[At, Json]:
        """The values of a manifest with references."""
        return {
            at: one if self._is_of_company(kind, at, values) else self.value(kind, at, one, get_at(said, at))
            for at, one in values.items()
        }

    def _is_of_company(self, kind: Kind, at: At, values: Mapping[At, Json]) -> bool:
        """Whether a value is the id of a group of a buyer or a supplier, which no manifest has."""
        to = kind.fields[at[1]].refers_to if at[0] == "spec" and at[1] in kind.fields else None
        company = values.get(("spec", to.company_field)) if isinstance(to, MemberReference) else None
        return isinstance(company, str) and bool(company) and not same_id(company, self.marketplace)

    def value(self, kind: Kind, at: At, ids: Json, said: Json | Absent) -> Json:
        """One value with references. What the manifest says already keeps its spelling and its order."""
        return _as_said(self._named(kind, at, ids), ids, said)

    def _named(self, kind: Kind, at: At, ids: Json) -> Json:
        if at[0] == "assignments" and kind.assignments and is_array(ids):
            of_level = kind.assignments.level(at[1]).kind
            return [self._reference(of_level, one) for one in ids] if of_level else ids
        if at[0] == "spec":
            return with_references(kind, {at[1]: ids}, lambda to, one: self._reference(to.kind, one))[at[1]]
        return ids

    def _reference(self, kind: str, value: Json) -> Json:
        address = self.addresses.get(ObjectKey(kind, value)) if isinstance(value, str) else None
        return {"ref": address.name} if address else value

    def ids(self, kind: Kind, name: str, said: Json | Absent) -> Json | Absent:
        """What a manifest says of one field, with ids in place of the names that are known."""
        if isinstance(said, Absent):
            return said
        known = {(one.kind, one.name): key.id for key, one in self.addresses.items()}
        return with_references(kind, {name: said}, lambda to, one: known.get((to.kind, referred(one)), one))[name]


def refers(kind: Kind, at: At) -> bool:
    """Whether a value is the id, or a list of ids, of objects that may have a manifest."""
    if at[0] == "assignments":
        return kind.assignments is not None and bool(kind.assignments.level(at[1]).kind)
    to = kind.fields[at[1]].reference if at[1] in kind.fields else None
    return to is not None and bool(to.kind)


def _as_said(named: Json, ids: Json, said: Json | Absent) -> Json:
    """A list of references: members that a manifest has already stay as they stand there, others come last."""
    if named is ids or not (is_array(named) and is_array(ids) and is_array(said)):
        return named
    live = list(zip(ids, named, strict=True))
    kept = [one for one in said if any(_is_same(one, *pair) for pair in live)]
    return [*kept, *(pair[1] for pair in live if not any(_is_same(one, *pair) for one in kept))]


def _is_same(said: Json, object_id: Json, named: Json) -> bool:
    return same(said, named) or (isinstance(said, str) and same_id(said, str(object_id)))
