"""Changes -> findings: what the service would refuse, as the tables of the kinds say. Pure.

They are findings and no errors of the input: what they are about is drift all the same, and is shown.
"""

from collections.abc import Iterator, Sequence

from reconciler.kinds import KINDS, Kind
from reconciler.model.json import pointer, pointer_parts
from reconciler.model.plan import Action, Change, FieldChange, Finding
from reconciler.planning.guards.context import Context


def incomplete_create(changes: Sequence[Change], context: Context) -> Iterator[Finding]:
    """An object would be created without a field that its creation needs; an export leaves secrets out."""
    for change in changes:
        kind = KINDS[change.address.kind]
        lacking = _lacking(change, kind) if change.action is Action.CREATE else frozenset()
        for name in sorted(lacking - (frozenset() if context.has_secrets else kind.secret_fields)):
            example = f": {name}: {{fromEnv: NAME}}" if name in kind.secret_fields else ""
            yield Finding(
                "incomplete-create",
                f"{_named(change)} does not exist, and cannot be created without {name}",
                f"add {name} to the spec{example}",
                (change.address,),
                can_be_acknowledged=False,
            )


def _lacking(change: Change, kind: Kind) -> frozenset[str]:
    written = {one.field for one in change.secrets if one.reference}
    named = {name for name, value in (change.after or {}).items() if value is not None} | written
    needed = {one.name for one in kind.table if one.required and not one.read_only}
    return frozenset(needed | {one.together for one in kind.table if one.together and one.name in named}) - named


def immutable(changes: Sequence[Change], _context: Context) -> Iterator[Finding]:
    """A field would change that the service fixes when it creates the object."""
    for change in changes:
        kind = KINDS[change.address.kind]
        fixed = {pointer(one.name) for one in kind.fields.values() if one.immutable}
        for field in change.fields if change.action is Action.UPDATE else ():
            if field.pointer in fixed and (change.before or {}).get(pointer_parts(field.pointer)[0]) is not None:
                name = pointer_parts(field.pointer)[0]
                yield Finding(
                    "immutable",
                    f"{_named(change, field)} has {name}: {field.before}, which cannot be changed once the {kind.noun} "
                    "exists",
                    f"write {name}: {field.before}; or declare a new {kind.noun} under another name and id, and delete "
                    "this one with policy: {state: absent}",
                    (change.address,),
                    can_be_acknowledged=False,
                )


def _named(change: Change, field: FieldChange | None = None) -> str:
    place = (field and field.place) or change.place
    return f"{place}: {change.address}" if place else str(change.address)
