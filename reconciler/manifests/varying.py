"""A manifest x the environments -> the values that are written out although each environment has its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from reconciler.kinds import Kind
from reconciler.manifests.context import LoadContext
from reconciler.manifests.overlays import Overlays, read_overlays
from reconciler.manifests.yaml import Document, Layered
from reconciler.model.json import ABSENT, Body, get_at, pointer


@dataclass(frozen=True)
class Environments:
    """All environments of a configuration, seen from one of them."""

    context: LoadContext
    overlays: Overlays

    @cached_property
    def _others(self) -> tuple[tuple[str, Overlays], ...]:
        """The overlays of the others, which most runs need not read."""
        return tuple((str(one.environment), read_overlays(one)) for one in self.context.others if not one.is_emulated)

    def literals(self, document: Document, kind: Kind) -> Mapping[str, str]:
        """JSON pointer of each value that is written out in the manifest itself -> the environments that share it.

        Args:
            document: the manifest as its file and the overlay of this environment have it, before substitution.
            kind: says which values vary.
        """
        manifest = document.data
        if self.context.is_emulated or not kind.varying or not isinstance(manifest, Mapping):
            return {}
        base: Any = document.target if isinstance(document, Layered) else manifest
        return {
            pointer(*path): _listed(self._sharing(path, base))
            for path in (("spec", *one) for one in kind.varying)
            if _is_literal(get_at(manifest, path))
        }

    def _sharing(self, path: tuple[str, ...], base: Body) -> list[str]:
        """The environments that have the value of the manifest's file, if there are several."""
        named = [
            name
            for name, overlays in ((str(self.context.environment), self.overlays), *self._others)
            if not _says_otherwise(base, overlays.patch(base), path)
        ]
        return sorted(named) if len(named) > 1 and str(self.context.environment) in named else []


def _listed(names: Sequence[str]) -> str:
    *others, last = names or [""]
    return f"{', '.join(others)} and {last}" if others else last


def _is_literal(value: object) -> bool:
    return isinstance(value, str) and "${" not in value


def _says_otherwise(base: Body, patch: Body, path: tuple[str, ...]) -> bool:
    """Whether an overlay has a value of its own, or the environment wants no such object."""
    above = (path[:count] for count in range(1, len(path) + 1))
    values = [get_at(patch, at) for at in above]
    has_own = any(value is not ABSENT and not isinstance(value, Mapping) for value in values)
    at = ("policy", "state")
    state = get_at(patch, at)
    return has_own or (get_at(base, at) if state is ABSENT else state) == "absent"
