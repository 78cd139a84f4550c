"""A JSON Schema -> the meaning of each key, for `explain` and for the manifest reference in `docs/`.

A key is named by its path: ``ApiClient.spec.AccessTokenDuration``, ``config.environments.NAME.limits``. Members of a
list have the list's path; a key that the user chooses is written as ``NAME``.
"""

import json
from collections.abc import Iterator, Mapping
from textwrap import TextWrapper
from typing import Any, Final, TypeAlias

from reconciler.errors import UsageError
from reconciler.kinds import KINDS
from reconciler.manifests.schema import closest, did_you_mean, meant, read_schema, schema_path
from reconciler.model.dataclass import dataclass
from reconciler.model.json import Json
from reconciler.render.escape import joined, json_document
from reconciler.render.style import Writers

Schema: TypeAlias = Mapping[str, Any]

SCHEMAS: Final[Mapping[str, str]] = {name: kind.schema for name, kind in KINDS.items()} | {
    "config": "config.v1.schema.json"
}
"""Everything that can be explained, and its schema."""

ANY_NAME: Final = "NAME"
_FROM_VALUES: Final = {"$ref": "#/$defs/fromValues"}
_TYPES: Final = {
    "boolean": "true or false",
    "integer": "whole number",
    "number": "number",
    "string": "string",
    "object": "mapping",
    "array": "list",
    "null": "null",
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key."""

    path: str
    meaning: str
    type: str = ""
    """The type as text; empty for a read-only key."""
    limits: str = ""
    default: str = ""
    examples: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    """The allowed names."""
    source: str = ""
    """Where OrderCloud documents it; empty for a key of this program."""
    is_required: bool = False
    takes_values: bool = False
    """Whether ``${values.KEY}`` is allowed here."""
    children: "tuple[Key, ...]" = ()

    @property
    def summary(self) -> str:
        """The first sentence."""
        return self.meaning.split(". ")[0].rstrip(".") + "."

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]


def explain(path: str) -> Key:
    """Find a key by its path.

    Raises:
        UsageError: there is none; the hint names the nearest.
    """
    first, *names = path.split(".")
    entry = manual(first) if first in SCHEMAS else None
    for name in names:
        entry = _below(entry, name) if entry else None
    if entry is None:
        raise UsageError(f"there is no {path}", hint=_nearest(path))
    return entry


def contents() -> Key:
    """Everything that can be explained: the kinds, and the configuration."""
    schemas = {name: read_schema(file) for name, file in SCHEMAS.items()}
    return Key(
        "", "What can be explained:", children=tuple(Key(name, one["description"]) for name, one in schemas.items())
    )


def _below(entry: Key, name: str) -> Key | None:
    """The key with that name; where the user chooses keys, the key below any of them, or any of them."""
    children = {one.name: one for one in entry.children}
    named = children.get(ANY_NAME)
    below = {one.name: one for one in named.children} if named else {}
    return children.get(name) or below.get(name) or named


def manual(name: str) -> Key:
    """Everything about one kind of file."""
    schema = read_schema(SCHEMAS[name])
    return _entry(name, schema, schema, is_required=False)


def everything(entry: Key) -> Iterator[Key]:
    """The key and all below it."""
    yield entry
    for child in entry.children:
        yield from everything(child)


def _nearest(path: str) -> str:
    """By the whole path, or, for a name without one, by the last part."""
    paths = [entry.path for name in SCHEMAS for entry in everything(manual(name))]
    last = {one.rpartition(".")[2]: one for one in reversed(paths)}
    found = closest(path, paths) if "." in path else None
    near = closest(path.rpartition(".")[2], last)
    found = found or (last[near] if near else None)
    return meant(found) if found else f"start with one of: {', '.join(SCHEMAS)}"


def _entry(path: str, part: Schema, root: Schema, *, is_required: bool) -> Key:
    resolved, takes_values = _resolved(part, root)
    items, _ = _resolved(resolved.get("items", {}), root)
    return Key(
        path=path,
        meaning=resolved.get("description", ""),
        type=_type(resolved, items),
        limits=_limits(resolved, items),
        default=json.dumps(resolved["default"]) if "default" in resolved else "",
        examples=tuple(map(json.dumps, resolved.get("examples", ()))),
        values=tuple(
            one if isinstance(one, str) else json.dumps(one) for one in items.get("enum", resolved.get("enum", ()))
        ),
        source=resolved.get("x-source", ""),
        is_required=is_required,
        takes_values=takes_values,
        children=tuple(_children(path, resolved if _has_keys(resolved) else items, root)),
    )


def _resolved(part: Schema, root: Schema) -> tuple[Schema, bool]:
    """Follow references, and separate the choice of an environment value from the other choices."""
    takes_values = False
    while True:
        if "$ref" in part:
            below = root["$defs"][part["$ref"].rpartition("/")[2]]
            part = {**below, **{key: value for key, value in part.items() if key != "$ref"}}
        elif _FROM_VALUES in part.get("anyOf", ()):
            takes_values = True
            (only, *_) = (branch for branch in part["anyOf"] if branch != _FROM_VALUES)
            part = {**only, **{key: value for key, value in part.items() if key != "anyOf"}}
        elif "anyOf" in part:
            branches = [_resolved(branch, root)[0] for branch in part["anyOf"]]
            types = [one for branch in branches for one in _type_names(branch)]
            outer = {key: value for key, value in part.items() if key != "anyOf"}
            part = {**branches[0], **outer, "type": list(dict.fromkeys(types))}
        else:
            return part, takes_values


def _has_keys(part: Schema) -> bool:
    return bool(part.get("properties") or isinstance(part.get("additionalProperties"), Mapping))


def _children(path: str, part: Schema, root: Schema) -> Iterator[Key]:
    required = part.get("required", ())
    for name, below in part.get("properties", {}).items():
        yield _entry(f"{path}.{name}", below, root, is_required=name in required)
    others = part.get("additionalProperties")
    if isinstance(others, Mapping) and "$ref" in others:
        yield _entry(f"{path}.{ANY_NAME}", others, root, is_required=False)


def _type_names(part: Schema) -> list[str]:
    known = part.get("type", "string" if "enum" in part or "const" in part else [])
    return [known] if isinstance(known, str) else list(known)


def _type(part: Schema, items: Schema) -> str:
    if part.get("readOnly"):
        return ""
    if "const" in part:
        return f"always {part['const']}"
    words = [_TYPES[name] for name in _type_names(part)]
    if items and "list" in words:
        words[words.index("list")] = f"list of {_TYPES[next(iter(_type_names(items)), 'string')]}s"
    return " or ".join(words)


def _limits(part: Schema, items: Schema) -> str:
    found = []
    low, high, unit = part.get("minimum"), part.get("maximum"), part.get("x-unit", "")
    if low is not None and high is not None:
        found.append(f"{low} to {high} {unit}".strip())
    elif low is not None:
        found.append(f"at least {low} {unit}".strip())
    for rule in (part, items):
        if "x-pattern" in rule:
            found.append(rule["x-pattern"])
        if "maxLength" in rule:
            found.append(f"at most {rule['maxLength']} characters")
    return "; ".join(found)


def schema_text(kind: str) -> str:
    """The JSON Schema of a kind of manifest, or of another kind of file that has one, e.g. ``plan``.

    Raises:
        UsageError: there is no such kind.
    """
    files = {name: known.schema for name, known in KINDS.items()}
    others = {file.name for file in schema_path("").glob("*.schema.json")} - {*files.values()}
    files |= {name.partition(".")[0]: name for name in sorted(others)}
    if kind not in files:
        hint = did_you_mean(kind, files) or f"one of {', '.join(files)}"
        raise UsageError(f"unknown schema '{kind}'", hint=hint)
    return schema_path(files[kind]).read_text(encoding="utf-8")


def _key_document(entry: Key) -> dict[str, Json]:
    """A key with all keys below it."""
    return {
        "path": entry.path,
        "meaning": entry.meaning,
        "type": entry.type or None,
        "range": entry.limits or None,
        "values": list(entry.values),
        "required": entry.is_required,
        "default": entry.default or None,
        "examples": list(entry.examples),
        "source": entry.source or None,
        "takes_values": entry.takes_values,
        "keys": [_key_document(child) for child in entry.children],
    }


def _key_lines(entry: Key, columns: int) -> Iterator[str]:
    if entry.path:
        yield from (entry.path, "")
    yield from _wrapped(entry.meaning, columns)
    facts = [] if not entry.path else [(name, value) for name, value in _facts(entry) if value]
    if facts:
        yield ""
    for name, value in facts:
        yield from _wrapped(value, columns, f"  {name:<9}")
    if entry.children:
        longest = max(len(child.name) for child in entry.children)
        yield ""
        for child in entry.children:
            yield from _wrapped(child.summary, columns, f"  {child.name:<{longest}}  ")


def _wrapped(value: str, columns: int, start: str = "") -> list[str]:
    """Lines of whole words, indented by the length of `start`."""
    indent = " " * len(start)
    wrapper = TextWrapper(columns, start, indent, break_long_words=False, break_on_hyphens=False)
    return wrapper.wrap(value)


def _facts(entry: Key) -> Iterator[tuple[str, str]]:
    yield "Type", f"{entry.type}, or ${{values.KEY}}" if entry.takes_values else entry.type or "cannot be set"
    yield "Range", entry.limits
    yield "One of", ", ".join(entry.values)
    yield "Required", "yes" if entry.is_required else ""
    yield "Default", entry.default
    yield "Example", "  ".join(entry.examples)
    yield "Source", f"OrderCloud: {entry.source}" if entry.source else ""


_WIDTH: Final = 100
"""The width if neither the terminal nor COLUMNS sets one."""
EXPLANATIONS: Final[Writers[Key]] = {
    "text": lambda entry, style: joined(_key_lines(entry, style.width or _WIDTH)),
    "json": lambda entry, _style: json_document(**_key_document(entry)),
}
