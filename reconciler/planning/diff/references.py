"""Manifests x their live objects -> the same manifests with ids in place of ``{ref: NAME}``."""

from collections.abc import Mapping
from dataclasses import replace

from reconciler.kinds import KINDS
from reconciler.kinds.fields import Reference
from reconciler.kinds.references import referred, with_references
from reconciler.model.json import Json
from reconciler.model.plan import known_after
from reconciler.model.resource import Address, DesiredResource, DesiredState, LiveResource
from reconciler.planning.diff.identity import new_id


def resolved(
    desired: DesiredState, matches: Mapping[Address, LiveResource | None], marketplace: str
) -> tuple[DesiredResource, ...]:
    """Every manifest with the ids of what it names; an id that the service is yet to make is known after apply."""
    resources = {resource.address: resource for resource in desired.resources}

    def id_of(to: Reference, value: Json) -> Json:
        name = referred(value) if to.kind else ""
        return _id(Address(to.kind, name)) if name else value

    def _id(address: Address) -> str:
        found = matches.get(address)
        if found:
            return found.id
        return new_id(resources[address], marketplace) if KINDS[address.kind].has_chosen_ids else known_after(address)

    placeholders = {known_after(address): address for address in resources}

    def row(text: str) -> str:
        return _id(placeholders[text]) if text in placeholders else text

    return tuple(
        replace(
            one,
            spec=with_references(KINDS[one.address.kind], one.spec, id_of),
            assignments={level: tuple(map(row, texts)) for level, texts in one.assignments.items()},
        )
        for one in desired.resources
    )


def with_ids(
    assignments: Mapping[str, tuple[str, ...]], ids: Mapping[Address, str | None]
) -> Mapping[str, tuple[str, ...]]:
    """Rows of a manifest with the ids that have become known in place of what stands for them."""
    known = {known_after(address): one for address, one in ids.items() if one}
    return {level: tuple(known.get(text, text) for text in texts) for level, texts in assignments.items()}
