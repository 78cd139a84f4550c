"""reconciler.yaml, an environment, new ids -> the same file with the ids in it, and nothing else changed.

What drift brings back into manifests is worked out by `live`, over `values`; all files are written here.

The ids are put into the text at places that a parser names; no line is written anew. What comes out is then read as
every command reads it, and must say what the file said before plus exactly the ids. Where it does not, as in an
environment that shares its ids with another one by an alias, the file is left as it is.
"""

import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from reconciler.errors import ReconcilerError
from reconciler.kinds import address_of, short
from reconciler.manifests.edit.nodes import Node
from reconciler.manifests.edit.nodes import parse as parse_nodes
from reconciler.manifests.edit.text import Style, applied, insertion
from reconciler.manifests.replacing import replace_file
from reconciler.manifests.schema import validator
from reconciler.manifests.yaml import parse, shown
from reconciler.model.json import Body, Json, get_at, same, with_value_at
from reconciler.model.resource import Address, ObjectKey, same_id

__all__ = ["with_ids", "write_contents", "write_ids"]

_SCHEMA: Final = "config.v1.schema.json"
_MARK: Final = "\ufeff"
_STEP: Final = 2


def write_ids(path: Path, environment: str, ids: Mapping[Address, str]) -> None:
    """Add ids to an environment of a configuration file; a symbolic link is followed, a crash leaves the old file.

    Raises:
        ReconcilerError: as `with_ids` does, or the file cannot be written; it is as it was.
    """
    _rewrite(path, lambda content: with_ids(content, environment, ids, shown(path)))


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


def with_ids(content: bytes, environment: str, ids: Mapping[Address, str], file: str) -> bytes:
    """The bytes of a configuration with ids added to an environment; ids that are there already are left alone.

    Args:
        content: a configuration without faults.
        environment: one of its environments.
        ids: manifest -> id.
        file: what messages call the configuration.

    Raises:
        ReconcilerError: a name is bound to another id, or the ids cannot be added without changing more than them.
    """
    data = _data(content, file)
    at = ("environments", environment, "ids")
    known = get_at(data, at)
    known = known if isinstance(known, Mapping) else {}
    new = _missing(known, ids, f"{'.'.join(at)} of {file}")
    if not new:
        return content
    wanted = with_value_at(data, at, {**known, **new})
    _check(wanted, file)
    result = _inserted(content, environment, new)
    if result is None or not _says(result, wanted, file):
        by_hand = ", ".join(f"{name}: {one}" for name, one in new.items())
        message = f"{file} is written in such a way that ids cannot be added to {environment} without changing more"
        raise ReconcilerError(message, hint=f"add by hand under {'.'.join(at)}: {by_hand}")
    return result


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


def _check(wanted: Body, file: str) -> None:
    """Refuse ids that a configuration cannot hold."""
    for fault in validator(_SCHEMA).faults(wanted):
        raise ReconcilerError(
            f"with the new ids {file} would be no configuration: {fault.message} (at {fault.pointer})"
        )


def _data(content: bytes, file: str) -> Body:
    """The one document, as all commands read it."""
    parsed = parse(content, file)
    data: Json = parsed.documents[0].data if len(parsed.documents) == 1 and not parsed.faults else None
    if not isinstance(data, Mapping):
        raise ReconcilerError(f"{file} can no longer be read as a configuration")
    return data


def _inserted(content: bytes, environment: str, ids: Mapping[str, str]) -> bytes | None:
    """The bytes with the ids in them, or None where there is no such place to put them."""
    text = content.decode("utf-8")
    mark = _MARK if text.startswith(_MARK) else ""
    text = text.removeprefix(_MARK)
    environments = parse_nodes(text)[0].get("environments")
    target = environments.get(environment) if environments else None
    if environments is None or target is None or not target.is_mapping:
        return None
    step = _step(environments, target)
    known = target.get("ids")
    if known is None:
        edits = insertion(text, target, {"ids": ids}, Style(step))
    elif known.is_mapping:
        edits = insertion(text, known, ids, Style(step).of_key(target, "ids"))
    else:
        return None
    return (mark + applied(text, edits)).encode("utf-8")


def _step(outer: Node, inner: Node) -> int:
    """By how much this file indents."""
    step = inner.column - outer.column
    return step if step > 0 and not inner.in_braces else _STEP


def _says(content: bytes, wanted: Body, file: str) -> bool:
    """Whether a file says exactly this."""
    parsed = parse(content, file)
    return not parsed.faults and len(parsed.documents) == 1 and same(parsed.documents[0].data, wanted)


def _replace(path: Path, content: bytes) -> None:
    """Put a file with the same mode, and the same owner where this user may give it away, in its place."""
    try:
        replace_file(path, content, keeps_owner=True)
    except PermissionError:
        replace_file(path, content, stat.S_IMODE(path.stat().st_mode))
