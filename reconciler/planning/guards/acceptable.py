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
    """An object, a record in one, or one of two fields that go together would be created without a field that it needs.

    An export leaves secrets out.
    """
    for change in changes:
        kind = KINDS[change.address.kind]
        for path, beside in _lacking(change, kind):
            if path in kind.secret_fields and not context.has_secrets:
                continue
            above, _, name = path.rpartition("/")
            example = f": {name}: {{fromEnv: NAME}}" if path in kind.secret_fields else ""
            yield Finding(
                "incomplete-create",
                f"{_named(change)} {_what(change, above, beside)} cannot be created without {name}",
                f"add {name} to {above or 'the spec'}{example}",
                (change.address,),
                can_be_acknowledged=False,
            )


def _what(change: Change, above: str, beside: str) -> str:
    if change.before is None:
        return f"has no {above} yet, which" if above else "does not exist, and"
    return f"has no {beside or above} yet, which"


def _lacking(change: Change, kind: Kind) -> Iterator[tuple[str, str]]:
    """The paths of fields that the service demands of what a change creates; and of each the field it goes with."""
    if change.action not in {Action.CREATE, Action.UPDATE} or change.after is None:
        return
    written: dict[str, Json] = {one.field: "any" for one in change.secrets if one.reference}
    for path, beside in _unnamed(kind.table, with_secrets(change.after, written)):
        record = None if change.before is None else record_of(path, change.before)
        if record is None:
            yield path, ""
        elif beside and record.get(beside) is None:
            yield path, beside


def _unnamed(table: Sequence[Field], body: Body, above: str = "") -> Iterator[tuple[str, str]]:
    """The paths of fields that are needed and missing, in the body and in its records; and what they go with."""
    named = {name for name, value in body.items() if value is not None}
    needed = {one.together: one.name for one in table if one.together and one.name in named}
    needed |= {one.name: "" for one in table if one.required and not one.read_only}
    yield from ((f"{above}{name}", needed[name]) for name in sorted(needed.keys() - named))
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
