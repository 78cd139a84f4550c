"""The guards of every kind: too many changes, a freeze window, protection. Pure.

A change that the service would refuse is a finding, not an input error, so that its drift is still shown.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from reconciler.kinds import KINDS, Field, Kind
from reconciler.kinds.checks import Context, addresses
from reconciler.kinds.fields import Record
from reconciler.kinds.secrecy import record_of, with_secrets
from reconciler.model.inputs import Window, holding, opening
from reconciler.model.json import Body, Json, pointer
from reconciler.model.plan import Action, Change, Direction, FieldChange, Finding
from reconciler.model.resource import DesiredResource, Scope
from reconciler.render.wording import number


def writing(changes: Sequence[Change]) -> list[Change]:
    """The changes that an apply would write."""
    return [change for change in changes if change.action.writes]


def incomplete_create(changes: Sequence[Change], context: Context) -> Iterator[Finding]:
    """An object, a record in it or one of two paired fields would be created without a required field.

    An export leaves secrets out.
    """
    for change in changes:
        kind = KINDS[change.address.kind]
        for path, companion in _lacking(change, kind):
            if path in kind.secret_fields and not context.has_secrets:
                continue
            above, _, name = path.rpartition("/")
            example = f": {name}: {{fromEnv: NAME}}" if path in kind.secret_fields else ""
            yield Finding(
                "incomplete-create",
                f"{_named(change)} {_what(change, above, companion)} cannot be created without {name}",
                f"add {name} to {above or 'the spec'}{example}",
                (change.address,),
                can_be_acknowledged=False,
            )


def _what(change: Change, above: str, companion: str) -> str:
    if change.before is None:
        return f"has no {above} yet, which" if above else "does not exist, and"
    return f"has no {companion or above} yet, which"


def _lacking(change: Change, kind: Kind) -> Iterator[tuple[str, str]]:
    """The paths of fields that the service requires for what a change creates, each with its companion field."""
    if change.action not in {Action.CREATE, Action.UPDATE} or change.after is None:
        return
    written: dict[str, Json] = {one.field: "any" for one in change.secrets if one.reference}
    for path, companion in _unnamed(kind.table, with_secrets(change.after, written)):
        record = None if change.before is None else record_of(path, change.before)
        if record is None:
            yield path, ""
        elif companion and record.get(companion) is None:
            yield path, companion


def unnamed_secrets(resource: DesiredResource) -> Iterator[str]:
    """The paths of secrets that a manifest does not name but that are required to create its object again."""
    kind = KINDS[resource.address.kind]
    named: dict[str, Json] = {name: "any" for name, reference in resource.secrets.items() if reference}
    lacking = () if resource.policy.absent else _unnamed(kind.table, with_secrets(resource.spec, named))
    return (path for path, _ in lacking if path in kind.secret_fields)


def _unnamed(table: Sequence[Field], body: Body, above: str = "") -> Iterator[tuple[str, str]]:
    """The paths of required but missing fields, in the body and in its records, each with its companion field."""
    named = {name for name, value in body.items() if value is not None}
    needed = {one.together: one.name for one in table if one.together and one.name in named}
    needed |= {one.name: "" for one in table if one.required and not one.read_only}
    yield from ((f"{above}{name}", needed[name]) for name in sorted(needed.keys() - named))
    for one in table:
        record = body.get(one.name)
        if isinstance(one.type, Record) and isinstance(record, Mapping):
            yield from _unnamed(one.type.fields, record, f"{above}{one.name}/")


def immutable(changes: Sequence[Change], _context: Context) -> Iterator[Finding]:
    """A field would change that cannot be changed after creation."""
    for change in changes:
        kind = KINDS[change.address.kind]
        fixed = {pointer(one.name) for one in kind.fields.values() if one.immutable}
        for one in change.fields if change.action is Action.UPDATE else ():
            name = one.name
            if one.pointer in fixed and (change.before or {}).get(name) is not None:
                yield Finding(
                    "immutable",
                    f"{_named(change, one)} has {name}: {one.before}, which cannot be changed after creation",
                    f"write {name}: {one.before}; or declare a new {kind.noun} under another name and id, and delete "
                    "this one with policy: {state: absent}",
                    (change.address,),
                    can_be_acknowledged=False,
                )


def _named(change: Change, changed: FieldChange | None = None) -> str:
    place = (changed and changed.place) or change.place
    return f"{place}: {change.address}" if place else str(change.address)


def freeze(changes: Sequence[Change], windows: Sequence[Window], now: datetime) -> Iterator[Finding]:
    """A freeze window of the environment is active."""
    held, writes = holding(windows, now), writing(changes)
    if held and writes:
        yield Finding(
            "freeze",
            f"the environment is frozen: {'; '.join(map(_described, held))}; {_ending(windows, now, held[0])}",
            "wait until it ends, or change freeze: of the environment",
            addresses(writes),
        )


def _described(window: Window) -> str:
    return f"{window.reason} ({window})" if window.reason else str(window)


def _ending(windows: Sequence[Window], now: datetime, window: Window) -> str:
    """The end of the freeze, in the window's time zone and in UTC."""
    moment = opening(windows, now)
    if moment is None:
        return "the freeze has no known end"
    local = moment.astimezone(window.zone)
    return f"the freeze ends at {local:%Y-%m-%d %H:%M} {window.zone.key} ({moment:%Y-%m-%dT%H:%MZ})"


def protected(changes: Sequence[Change], _context: Context) -> Iterator[Finding]:
    """A protected resource would be deleted or deactivated."""
    for change in changes:
        if change.protected and (
            change.action is Action.DELETE or _switches_off(change, KINDS[change.address.kind].active_field)
        ):
            yield Finding(
                "protected",
                f"{change.address} is protected, and would be {'deleted' if not change.after else 'deactivated'}",
                "first remove policy.protected from its manifest, and its line under protected: of this environment, "
                "in a separate change",
                (change.address,),
                can_be_acknowledged=False,
            )


def _switches_off(change: Change, name: str) -> bool:
    return bool(change.before and change.before.get(name) and change.after and not change.after.get(name))


def not_unique(changes: Sequence[Change], _context: Context) -> Iterator[Finding]:
    """Two objects would have the same values in fields that must be unique.

    A deleted object still exists when others are written, and so may a value that an update replaces. Whether case
    matters is not documented.
    """
    taken: dict[tuple[str, tuple[str, ...]], list[tuple[Change, tuple[str, ...], bool]]] = defaultdict(list)
    for change in changes:
        for values, is_kept in _unique_values(change):
            taken[change.address.kind, tuple(one.casefold() for one in values)].append((change, values, is_kept))
    for group in taken.values():
        for change, values, is_kept in group:
            others = [one for one in group if one[0] is not change] if is_kept and _takes_unique(change) else []
            if others:
                yield _not_unique(change, values, others)


def _unique_values(change: Change) -> Iterator[tuple[tuple[str, ...], bool]]:
    """The values that an object has or may have while others are written, and whether it keeps them."""
    kind = KINDS[change.address.kind]
    stays = change.action in {Action.DELETE, Action.UNMANAGED}
    frees_value = change.action is Action.UPDATE and _takes_unique(change)
    for body, is_kept in (
        (change.before if stays else change.after, True),
        (change.before if frees_value else None, False),
    ):
        if body and kind.unique and (values := kind.unique_values(body)):
            yield values, is_kept


def _not_unique(
    change: Change, values: tuple[str, ...], others: Sequence[tuple[Change, tuple[str, ...], bool]]
) -> Finding:
    is_certain = any(is_kept and held == values for _, held, is_kept in others)
    names = sorted({f"{one.address}{' (live)' * (one.action is Action.UNMANAGED)}" for one, _, _ in others})
    fields = " and ".join(KINDS[change.address.kind].unique)
    place = f"{change.place}: " if change.place else ""
    caveat = "" if is_certain else ", which differs in case or is changed by the same plan"
    fix = "change one of them; to delete or change the other, use an earlier plan"
    return Finding(
        "not-unique",
        f"{place}{change.address}: it would have the same {fields} as {', '.join(names)}{caveat}",
        fix if is_certain else f"{fix}; or acknowledge it, though OrderCloud may refuse the write",
        (change.address,),
        can_be_acknowledged=not is_certain,
    )


def _takes_unique(change: Change) -> bool:
    unique = {pointer(name) for name in KINDS[change.address.kind].unique}
    changed = any(one.pointer in unique for one in change.fields)
    return change.action is Action.CREATE or (change.action is Action.UPDATE and changed)


def out_of_scope(changes: Sequence[Change], context: Context) -> Iterator[Finding]:
    """A written object belongs to another repository, would belong to one afterwards, or has the name of one."""
    namesakes = _foreign_names(changes, context.scope)
    for change in writing(changes):
        kind, sides = KINDS[change.address.kind], (change.before, change.after)
        was, becomes = (body and kind.outside(context.scope, change.id or "", body) for body in sides)
        other = namesakes.get((kind.name, (change.after or {}).get(kind.name_field))) if not change.before else None
        if was:
            message = f"{change.address} is live as {change.id}, which is out of scope: {was}"
            ours = "if this repository manages the object, correct it in the portal, or acknowledge the finding"
            fix = f"{ours}; otherwise change the ID in the manifest, or its name if it has no ID"
        elif becomes:
            message, fix = (
                f"{change.address} would be out of scope: {becomes}",
                "manage it in its own repository",
            )
        elif other:
            message = f"{change.address} would have the {kind.name_field} of {other}, which is out of scope"
            fix = f"choose another {kind.name_field}; if it is this {kind.word}, write its ID under ids:"
        else:
            continue
        yield Finding("out-of-scope", message, fix, (change.address,))


def _foreign_names(changes: Sequence[Change], scope: Scope) -> Mapping[tuple[str, Json], str]:
    """The IDs of objects of other repositories, by the name that a manifest would match."""
    kinds = {name for name in {one.address.kind for one in changes} if not KINDS[name].has_chosen_ids}
    return {
        (one.address.kind, one.before.get(KINDS[one.address.kind].name_field)): one.id or ""
        for one in changes
        if one.action is Action.UNMANAGED and one.address.kind in kinds and one.before
        if KINDS[one.address.kind].outside(scope, one.id or "", one.before)
    }


def limit_changes(changes: Sequence[Change], context: Context) -> Iterator[Finding]:
    """More resources would change than `limits.changes` allows."""
    writes, limit = _counted(changes, context), context.limits.changes
    if limit is not None and len(writes) > limit:
        yield Finding(
            "limit-changes",
            f"{number(len(writes), 'resource')} would change; {context.limits.name}.changes allows {limit:,}",
            f"split the change, or raise {context.limits.name}.changes of this environment",
            addresses(writes),
        )


def limit_changes_percent(changes: Sequence[Change], context: Context) -> Iterator[Finding]:
    """A larger part of the managed resources would change than `limits.changesPercent` allows."""
    writes, limit = _counted(changes, context), context.limits.changes_percent
    managed = sum(change.action is not Action.UNMANAGED for change in changes)
    if limit is not None and managed and 100 * len(writes) > limit * managed:
        yield Finding(
            "limit-changes-percent",
            f"{len(writes)} of {managed} managed resources ({100 * len(writes) / managed:.0f} %) would change; "
            f"{context.limits.name}.changesPercent allows {limit:g} %",
            f"split the change, or raise {context.limits.name}.changesPercent of this environment",
            addresses(writes),
        )


def limit_deletes(changes: Sequence[Change], context: Context) -> Iterator[Finding]:
    """More resources and assignments would be deleted than `limits.deletes` allows (0 unless configured)."""
    deletes, limit = [change for change in changes if change.action is Action.DELETE], context.limits.deletes
    unassigning = [change for change in changes if any(not step.assign for step in change.assignments)]
    rows = sum(not step.assign for change in unassigning for step in change.assignments)
    if limit is not None and len(deletes) + rows > limit:
        counts = [number(len(deletes), "resource")] * bool(deletes) + [number(rows, "assignment")] * bool(rows)
        kept = ", or name the assignments in the manifest, or only watch them (policy.assignments: watch)"
        yield Finding(
            "limit-deletes",
            f"{' and '.join(counts)} would be deleted; {context.limits.name}.deletes allows {limit:,}",
            f"raise {context.limits.name}.deletes of this environment{kept if rows else ''}",
            addresses([*deletes, *unassigning]),
        )


def limit_widens(changes: Sequence[Change], context: Context) -> Iterator[Finding]:
    """The changes widen access of more resources than `limits.widens` allows."""
    widening = [change for change in _counted(changes, context) if change.direction is Direction.WIDENS]
    limit = context.limits.widens
    if limit is not None and len(widening) > limit:
        fields = sum(field.direction is Direction.WIDENS for change in widening for field in change.fields)
        yield Finding(
            "limit-widens",
            f"{number(len(widening), 'resource')} would get wider access, by {number(fields, 'field')}; "
            f"{context.limits.name}.widens allows {limit:,}",
            f"split the change, or raise {context.limits.name}.widens of this environment",
            addresses(widening),
        )


def _counted(changes: Sequence[Change], context: Context) -> list[Change]:
    """The changes that count: all writes, except those that undo a restore if `limits.restore` is set."""
    return [change for change in writing(changes) if change.address not in context.exempt]
