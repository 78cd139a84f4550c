"""Bytes of YAML -> documents as plain data, with the line and column of every key and value.

Built over ruamel.yaml's C event parser, because its other loaders either forget positions or take five times as long.
The builder therefore sees to what they do besides: the core schema of YAML 1.2, duplicate keys, merge keys, aliases
that expand without bound, depth.

No message quotes a key, a scalar, an alias or a tag: a secret that somebody pasted unquoted may look like any of them.
"""

from reconciler.manifests.yaml.reading import IDS_LIMIT, SIZE_LIMIT, Parsed, parse, read, shown, unreadable
from reconciler.manifests.yaml.tree import Document, Layered, lay, merge_patch, removals

__all__ = [
    "IDS_LIMIT",
    "SIZE_LIMIT",
    "Document",
    "Layered",
    "Parsed",
    "lay",
    "merge_patch",
    "parse",
    "read",
    "removals",
    "shown",
    "unreadable",
]
