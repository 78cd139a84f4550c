"""A seeding file (YAML or JSON, `Objects:` and `Assignments:`) -> the initial contents of a store; the staging restore.

The format is that of Sitecore's `ordercloud-seed`, extended by sections for newer kinds; `Objects:` is optional if the
sections are at the top level. Real exports are older than some current rules, so limits and most references are not
checked. Types are checked, because the API could not return such values, and so are the parties in assignments, as in
Sitecore's tool. Unsupported sections (products, orders, ...) are skipped.

An API client without an ID, or with one that is not a GUID (`api1`), gets a GUID computed from it, which is the same in
every run; references to it are updated. The placeholder of redacted secrets is replaced with a random secret, that of
the marketplace with its ID. Every store also contains the administration client and its user.
"""

import json
import secrets
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.emulator import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET, rows
from reconciler.emulator.calls import FULL_ACCESS
from reconciler.emulator.errors import ApiError, SeedError, ServiceError
from reconciler.emulator.fields import Field, has_type, normalized, replaced, values_of
from reconciler.emulator.marketplace import PARTIES, Marketplace, broken_references, with_canonical_references
from reconciler.emulator.resources import Resource, Table
from reconciler.emulator.rows.clients import EVENT_REFERENCES, REVISION, add_secret, is_guid
from reconciler.emulator.store import Body, Store, key_in, key_of

USER_NAME = "emulator-admin"
APP_NAME = "Emulator Administration"


def add_administration(market: Marketplace) -> None:
    """Add the administration client and its user if they are missing; existing ones are not changed."""
    if market.find("AdminUser", USER_NAME) is None:
        market.store.put("AdminUser", USER_NAME, _user(market))
    if market.find("ApiClient", ADMIN_CLIENT_ID) is None:
        is_legacy = market.settings.profile == "legacy"
        secret = ADMIN_CLIENT_SECRET if is_legacy else None
        market.store.put("ApiClient", key_of(ADMIN_CLIENT_ID), _client(market) | {"ClientSecret": secret})
        if not is_legacy:
            add_secret(market, ADMIN_CLIENT_ID, "emulator-admin", "built in", ADMIN_CLIENT_SECRET)


def _user(market: Marketplace) -> dict[str, object]:
    facts = {"Username": USER_NAME, "FirstName": "Emulator", "LastName": "Administration", "Active": True}
    hidden = {"ID": USER_NAME, "_parent": "", "_roles": [FULL_ACCESS], "CompanyID": market.settings.marketplace}
    return replaced(market.rows["AdminUser"].fields, facts | {"Email": "emulator@example.com"}) | hidden


def _client(market: Marketplace) -> dict[str, object]:
    facts = {"AppName": APP_NAME, "AccessTokenDuration": 600, "Active": True, "AllowSeller": True}
    hidden = {"ID": ADMIN_CLIENT_ID, "_parent": "", "EmulatorRevision": 1}
    return replaced(market.rows["ApiClient"].fields, facts | {"DefaultContextUserName": USER_NAME}) | hidden


def read(path: Path) -> object:
    """Parse a file; raises SeedError with the location if it is not YAML or JSON."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or an invalid path
        why = error.strerror if isinstance(error, OSError) else error
        raise SeedError(f"{path}: cannot read the seed: {why}") from error
    try:
        value = json.loads(text) if path.suffix.lower() == ".json" else _read_yaml(path, text)
        json.dumps(value, allow_nan=False)
    except json.JSONDecodeError as error:
        raise SeedError(f"{path}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from error
    except (TypeError, ValueError, RecursionError) as error:
        raise SeedError(f"{path}: has a value that is not allowed in JSON: {error}") from error
    return value


def _read_yaml(path: Path, text: str) -> Any:  # noqa: ANN401 - any YAML
    from ruamel.yaml import YAML  # noqa: PLC0415 - needed for YAML seeds only
    from ruamel.yaml.constructor import SafeConstructor  # noqa: PLC0415 - likewise
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415 - likewise

    class Plain(SafeConstructor):
        """Loads timestamps as strings, as in JSON."""

    Plain.add_constructor("tag:yaml.org,2002:timestamp", Plain.construct_yaml_str)
    parser: Any = YAML(typ="safe")
    parser.Constructor = Plain
    try:
        return parser.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise SeedError(f"{place}: not YAML: {error.problem}") from error
    except YAMLError as error:
        raise SeedError(f"{path}: not YAML: {error}") from error


REDACTED = "<Redacted. Leave unchanged.>"
MARKETPLACE = "<MarketplaceID placeholder>"

_SECTIONS = {"SupplierUserGroupAssignment": "SupplierUserGroupsAssignments", "XpIndex": "XpIndices"}
_PARTIES = {"Buyer", "Supplier", *PARTIES, *(party.group for party in PARTIES.values())}
_COMPLETED = {"Locale", "ProductFacet", "SellerApprovalRule"}  # their defaults depend on the marketplace or the ID
_NAMESPACE = uuid.UUID("5d3e52a1-5a0a-5b5e-9d3c-0c7d7d0f1c11")


def section_of(kind: str) -> str:
    """The name of the section for the objects or assignments of a kind."""
    return _SECTIONS.get(kind, f"{kind}s")


def load_seed(path: Path, market: Marketplace) -> None:
    """Load a file into an empty marketplace.

    Raises:
        SeedError: the file cannot be read, is not YAML or JSON, has a value of the wrong type, or refers to a party
            that does not exist; the message has the file, and the line or the JSON path of each error.
    """
    root = read(path)
    if not isinstance(root, dict):
        raise SeedError(f"{path}: line 1: must be a mapping with `Objects:`, not {type(root).__name__}")
    loader = _Loader(market)
    if "Objects" not in root:
        if not root.keys() & {*map(_section, rows.ROWS), *(section_of(table.kind) for table in rows.TABLES)}:
            raise SeedError(f"{path}: line 1: `Objects:` is missing; is this a seeding file?")
        root = {"Objects": root}
    loader.load(root)
    if loader.errors:
        raise SeedError(f"{path}: {'; '.join(loader.errors)}")


@dataclass(slots=True)
class _Loader:
    """Loads a file into a marketplace, and collects the errors in the file."""

    market: Marketplace
    errors: list[str] = field(default_factory=list)

    def load(self, root: Body) -> None:
        objects = self._mapping(root.get("Objects"), "Objects")
        loaded = [
            (place, row, self._object(row, entry, place))
            for row in rows.rows_of(self.market.settings.profile)
            for place, entry in self._entries(objects, "Objects", _section(row), is_single=bool(row.singleton))
        ]
        for _, row, body in loaded:
            self.market.store.put(row.kind, key_in(body), body)
        for place, row, body in loaded:
            self._check_parties(row.fields, body, place)
            self._store_canonical(row, body)
        for table in self.market.tables.values():
            for place, entry in self._assignments(root, objects, section_of(table.kind)):
                self._assign(table, entry, place)

    def _report(self, place: str, problem: str) -> None:
        self.errors.append(f"{place}: {problem}")

    def _mapping(self, value: object, place: str) -> Body:
        if value is not None and not isinstance(value, dict):
            self._report(place, f"must be a mapping, not {type(value).__name__}")
        return value if isinstance(value, dict) else {}

    def _entries(self, parent: Body, name: str, section: str, *, is_single: bool = False) -> Iterator[tuple[str, Body]]:
        """The entries of one section with their JSON paths; a missing section is empty."""
        place, entries = f"{name}.{section}", parent.get(section)
        if is_single:
            yield from [(place, self._mapping(entries, place))] if entries is not None else []
        elif entries is not None and not isinstance(entries, list):
            self._report(place, "must be a list; write `[]` or omit the section")
        else:
            for index, entry in enumerate(entries or ()):
                yield f"{place}[{index}]", self._mapping(entry, f"{place}[{index}]")

    def _assignments(self, root: Body, objects: Body, section: str) -> Iterator[tuple[str, Body]]:
        """The rows of one section of `Assignments`, `Objects`, or (in other exports) `Objects.Assignments`."""
        yield from self._entries(self._mapping(root.get("Assignments"), "Assignments"), "Assignments", section)
        yield from self._entries(objects, "Objects", section)
        inside = self._mapping(objects.get("Assignments"), "Objects.Assignments")
        yield from self._entries(inside, "Objects.Assignments", section)

    def _object(self, row: Resource, entry: Body, place: str) -> Body:
        owner = self._text(entry, f"{row.parent}ID", place) if row.parent else ""
        object_id = row.singleton or self._object_id(row, entry, place)
        body: Body = {"ID": object_id, "_parent": owner.lower(), "_roles": entry.get("AvailableRoles") or []}
        body |= {each.name: self._value(each, entry, place) for each in row.fields}
        if row.parent and not owner:
            self._report(f"{place}.{row.parent}ID", "is required: the ID of the object's parent")
        if row.kind in PARTIES:
            body["CompanyID"] = owner or self.market.settings.marketplace
            if not body["Username"]:
                self._report(f"{place}.Username", "is required: API clients refer to users by it")
        return body | ({REVISION: 1} if row.kind == "ApiClient" else {})

    def _object_id(self, row: Resource, entry: Body, place: str) -> str:
        given = self._text(entry, "ID", place)
        if row.kind == "ApiClient":
            return _client_id(given or f"{place} {entry.get('AppName')}")
        return given or str(uuid.uuid5(_NAMESPACE, place))

    def _value(self, each: Field, entry: Body, place: str) -> object:
        value = self._resolved(entry.get(each.name))
        if each.reference and isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not has_type(each, value):
            self._report(f"{place}.{each.name}", f"must be of type {each.kind}, not {type(value).__name__}")
            return each.default
        if each.reference and each.reference.kind == "ApiClient" and value:
            ids = [_client_id(one).lower() for one in values_of(value)]
            return ids if isinstance(value, list) else ids[0]
        return normalized(each, value)

    def _resolved(self, value: Any) -> Any:  # noqa: ANN401 - any JSON
        """The value with placeholders replaced."""
        if isinstance(value, dict):
            return {name: self._resolved(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._resolved(each) for each in value]
        if value == REDACTED:
            return secrets.token_urlsafe(36)
        return self.market.settings.marketplace if value == MARKETPLACE else value

    def _text(self, entry: Body, name: str, place: str) -> str:
        value = entry.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int | None):
            self._report(f"{place}.{name}", f"must be a string, not {type(value).__name__}")
            return ""
        return "" if value is None else str(value)

    def _check_parties(self, fields: Iterable[Field], body: Body, place: str) -> None:
        for each in fields:
            if each.reference and each.reference.kind in _PARTIES:
                for error in broken_references(self.market, (each,), body):
                    data = error.data or {}
                    self._report(f"{place}.{each.name}", f"no {data['ObjectType']} has the ID {data['ObjectID']}")

    def _store_canonical(self, row: Resource, body: Body) -> None:
        complete = row.finalize(self.market, None, body) if row.kind in _COMPLETED else body
        self.market.store.put(row.kind, key_in(body), with_canonical_references(self.market, row.fields, complete))

    def _assign(self, table: Table, entry: Body, place: str) -> None:
        row = {each.name: self._value(each, entry, place) for each in table.columns}
        for error in table.check(row):
            self._report(place, error.entry()["Message"])
        self._check_parties(table.columns, row, place)
        table.store(self.market, row)


def _section(row: Resource) -> str:
    if not row.singleton:
        return section_of(row.kind)
    return f"{row.kind}/{row.singleton}" if row.singleton != row.kind else row.kind


def _client_id(given: str) -> str:
    return given.upper() if is_guid(given) else str(uuid.uuid5(_NAMESPACE, given)).upper()


_CHOICES = {"events": ("url-null", "removed"), "webhookUrl": ("kept", "null"), "from": ()}
_DELETED = ("MessageSenderAssignment", "MessageCCListenerAssignment")


def restore_staging(market: Marketplace, query: Iterable[tuple[str, str]]) -> None:
    """Emulate the staging restore; `query` can have `events`, `webhookUrl`, and `from`, a seed of production.

    Raises:
        ApiError: a parameter is invalid, or the seed cannot be loaded; nothing is changed.
    """
    options = dict(query)
    for name, value in options.items():
        if name not in _CHOICES or (_CHOICES[name] and value not in _CHOICES[name]):
            known = "; ".join(f"{each}={'|'.join(values) or 'FILE'}" for each, values in _CHOICES.items())
            raise ApiError(ServiceError("ValidationFailure", f"{name}={value} is not supported; choose from {known}."))
    if "from" in options:
        _replace_with(Path(options["from"]), market)
    webhook: dict[str, object] = {"ApiClientIDs": []} | ({"Url": None} if options.get("webhookUrl") == "null" else {})
    _update_all(market, "ApiClient", dict.fromkeys(EVENT_REFERENCES))
    _update_all(market, "Webhook", webhook)
    _update_all(market, "MessageSender", {"URL": None})
    if options.get("events") == "removed":
        _delete_all(market, ("IntegrationEvent",))
        _update_all(market, "OpenIdConnect", {"IntegrationEventID": None})
    else:
        _update_all(market, "IntegrationEvent", {"CustomImplementationUrl": None})
    _delete_all(market, _DELETED)


def _replace_with(seed: Path, market: Marketplace) -> None:
    """Replace all objects with those of a seed; tokens and the administration client are kept."""
    production = Marketplace(Store(None), market.settings, market.clock, market.rows, market.tables)
    try:
        load_seed(seed, production)
    except SeedError as error:
        raise ApiError(ServiceError("ValidationFailure", str(error))) from error
    revisions = {key: body[REVISION] for key, body in market.store.all("ApiClient").items()}
    kinds = [*market.rows, *market.tables]
    _delete_all(market, kinds)
    for kind in kinds:
        for key, body in production.store.all(kind).items():
            market.store.put(kind, key, body | ({REVISION: revisions.get(key, 0)} if kind == "ApiClient" else {}))
    add_administration(market)


def _delete_all(market: Marketplace, kinds: Iterable[str]) -> None:
    for kind in kinds:
        for key in list(market.store.all(kind)):
            market.store.delete(kind, key)


def _update_all(market: Marketplace, kind: str, change: Mapping[str, object]) -> None:
    """Update all objects of a kind; fields that the API generation does not have are ignored."""
    row = market.rows.get(kind)
    known = {field.name for field in row.fields} if row else set()
    for key, body in list(market.store.all(kind).items()):
        changed: Body = body | {name: value for name, value in change.items() if name in known}
        market.store.put(kind, key, changed | ({REVISION: body[REVISION] + 1} if kind == "ApiClient" else {}))
