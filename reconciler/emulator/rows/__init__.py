"""An API generation -> the row of each kind and the table of each sort of assignment that it has."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.emulator import client_secrets
from reconciler.emulator.fields import fields_of
from reconciler.emulator.rows import access, assignments, clients, delivery, integrations, parties, storefront

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.emulator.resources import Resource
    from reconciler.emulator.settings import Profile
    from reconciler.emulator.tables import Table

_ALL = (
    *clients.ROWS,
    *client_secrets.ROWS,
    *parties.ROWS,
    *integrations.ROWS,
    *access.ROWS,
    *delivery.ROWS,
    *storefront.ROWS,
)


@functools.cache
def rows_of(profile: Profile, *, revisions: bool = True) -> tuple[Resource, ...]:
    """Give the rows of one generation with the fields that it has, `EmulatorRevision` where it is asked for."""
    return tuple(_row_of(row, profile, revisions=revisions) for row in _ALL if row.only in {None, profile})


@functools.cache
def kinds_of(profile: Profile) -> Mapping[str, Resource]:
    """Give one row of each kind; singletons with several paths are of one kind."""
    return {row.kind: row for row in rows_of(profile)}


@functools.cache
def tables_of(profile: Profile) -> Mapping[str, Table]:
    """Give the tables of one generation by kind."""
    return {
        table.kind: replace(table, columns=fields_of(table.columns, profile))
        for table in assignments.TABLES
        if table.only in {None, profile}
    }


def _row_of(row: Resource, profile: Profile, *, revisions: bool) -> Resource:
    fields = tuple(field for field in fields_of(row.fields, profile) if revisions or field.name != clients.REVISION)
    known = {"ID", *(field.name for field in fields)}
    sortable, searchable = ([name for name in names if name in known] for names in (row.sortable, row.searchable))
    return replace(row, fields=fields, sortable=tuple(sortable), searchable=tuple(searchable))
