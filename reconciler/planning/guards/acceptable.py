"""Changes -> findings: what the service would refuse, as the tables of the kinds say. Pure.

They are findings and no errors of the input: what they are about is drift all the same, and is shown.
"""

from collections.abc import Iterator, Mapping, Sequence

from reconciler.kinds import KINDS, Field, Kind
from reconciler.kinds.fields import Record
from reconciler.kinds.secrecy import record_of, with_secrets
from reconciler.model.json import Body, Json, pointer, pointer_parts
from reconciler.model.plan import Action, Change, FieldChange, Finding
from reconciler.planning.guards.context import Context


def incomplete_create(changes: Sequence[Change], context: Context) -> Iterator[Finding]:
    """An object, or a record in one, would be created without a field that its creation needs.

    An export leaves secrets out.
    """
    for change in changes:
        kind = KINDS[change.address.kind]
        for path in _lacking(change, kind):
            if path in kind.secret_fields and not context.has_secrets:
                continue
            above, _, name = path.rpartition("/")
            example = f": {name}: {{fromEnv: NAME}}" if path in kind.secret_fields else ""
            what = f"has no {above} yet, which" if above else "does not exist, and"
            yield Finding(
                "incomplete-create",
                f"{_named(change)} {what} cannot be created without {name}",
                f"add {name} to {above or 'the spec'}{example}",
                (change.address,),
                can_be_acknowledged=False,
            )


def _lacking(change: Change, kind: Kind) -> Iterator[str]:
    """The paths of fields that the service demands of what a change creates."""
    if change.action not in {Action.CREATE, Action.UPDATE} or change.after is None:
        return
    written: dict[str, Json] = {one.field: "any" for one in change.secrets if one.reference}
    for path in _unnamed(kind.table, with_secrets(change.after, written)):
        if change.before is None or record_of(path, change.before) is None:
            yield path


def _unnamed(table: Sequence[Field], body: Body, above: str = "") -> Iterator[str]:
    """The paths of fields that are needed and missing, in the body and in its records."""
    named = {name for name, value in body.items() if value is not None}
    needed = {one.name for one in table if one.required and not one.read_only}
    needed |= {one.together for one in table if one.together and one.name in named}
    yield from (f"{above}{name}" for name in sorted(needed - named))
    for one in table:
        record = body.get(one.name)
        if isinstance(one.type, Record) and isinstance(record, Mapping):
            yield from _unnamed(one.type.fields, record, f"{above}{one.name}/")


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
