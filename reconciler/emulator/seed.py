"""A seeding file (YAML or JSON, `Objects:` and `Assignments:`) -> the first contents of a store.

The format is that of Sitecore's `ordercloud-seed`. Real exports are older than some of today's rules, so limits and
references are not checked here; types are, because no answer of the API could hold such a value. What the emulator does
not know (products, orders ...) is skipped.

An API client whose ID is no GUID (`api1`), or which has none, gets one that is computed from it, the same in every run,
and everything that refers to it follows. The text that stands for a redacted secret becomes a random secret.
"""

from __future__ import annotations

import json
import secrets
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.emulator.assignments import assign
from reconciler.emulator.clients import client_row, is_guid
from reconciler.emulator.errors import SeedError
from reconciler.emulator.fields import Field, has_kind, or_default
from reconciler.emulator.neighbours import ROWS
from reconciler.emulator.store import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reconciler.emulator.marketplace import Marketplace
    from reconciler.emulator.resources import Resource
    from reconciler.emulator.store import Body

REDACTED = "<Redacted. Leave unchanged.>"

_SECTIONS = {
    "Buyers": "Buyer",
    "Suppliers": "Supplier",
    "SecurityProfiles": "SecurityProfile",
    "AdminUsers": "AdminUser",
    "Users": "User",
    "SupplierUsers": "SupplierUser",
    "IntegrationEvents": "IntegrationEvent",
    "ApiClients": "ApiClient",
    "Webhooks": "Webhook",
    "ImpersonationConfigs": "ImpersonationConfig",
}
_PARENT_FIELDS = {"User": "BuyerID", "SupplierUser": "SupplierID"}
_NAMESPACE = uuid.UUID("5d3e52a1-5a0a-5b5e-9d3c-0c7d7d0f1c11")


@dataclass(slots=True)
class _Loader:
    """Carries the file's name, the marketplace that is filled, and the client IDs that had to be replaced."""

    path: Path
    market: Marketplace
    rows: dict[str, Resource]

    def fail(self, place: str, problem: str) -> SeedError:
        return SeedError(f"{self.path}: {place}: {problem}")

    def section(self, root: Body, name: str, section: str) -> Iterator[tuple[str, Body]]:
        """Go through the entries of one section with their JSON paths; an absent section is empty."""
        place = f"{name}.{section}"
        entries = (self.mapping(root.get(name), name)).get(section)
        if entries is None:
            return
        if not isinstance(entries, list):
            raise self.fail(place, "must be a list; write `[]` or leave the section out")
        for index, entry in enumerate(entries):
            yield f"{place}[{index}]", self.mapping(entry, f"{place}[{index}]")

    def assignments(self, root: Body, section: str) -> Iterator[tuple[str, Body]]:
        """Go through the rows of one section, which stands beside `Objects` or, in other exports, inside of it."""
        yield from self.section(root, "Assignments", section)
        inside = self.mapping(root.get("Objects"), "Objects").get("Assignments")
        yield from self.section({"Objects.Assignments": inside}, "Objects.Assignments", section)

    def mapping(self, value: object, place: str) -> Body:
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.fail(place, f"must be a mapping, not {type(value).__name__}")
        return value

    def load(self, root: Body) -> None:
        for section, kind in _SECTIONS.items():
            for place, entry in self.section(root, "Objects", section):
                self.add(self.rows[kind], entry, place)
        for place, entry in self.assignments(root, "ApiClientAssignments"):
            self.add_assignment(entry, place)
        for index, (place, entry) in enumerate(self.assignments(root, "SecurityProfileAssignments")):
            names = ("SecurityProfileID", "BuyerID", "SupplierID", "UserID", "UserGroupID")
            row = {name: self.text(entry, name, place) or None for name in names}
            self.market.store.put("SecurityProfileAssignment", str(index), row)

    def add(self, row: Resource, entry: Body, place: str) -> None:
        body: Body = {
            "ID": self.object_id(row, entry, place),
            "_parent": "",
            "_roles": entry.get("AvailableRoles") or [],
        }
        body |= {each.name: self.value(each, entry, place) for each in row.fields}
        owner = self.text(entry, _PARENT_FIELDS[row.kind], place) if row.kind in _PARENT_FIELDS else ""
        if "CompanyID" in body:
            body |= {"CompanyID": owner or self.market.settings.marketplace, "_parent": owner.lower()}
        settle = _SETTLERS.get(row.kind)
        body = settle(self, body, place) if settle else body
        ids = (owner, body["ID"]) if owner else (body["ID"],)
        self.market.store.put(row.kind, key_of(*ids), body)

    def object_id(self, row: Resource, entry: Body, place: str) -> str:
        given = self.text(entry, "ID", place)
        if row.kind == "ApiClient":
            return self.client_id(given or f"{place} {entry.get('AppName')}")
        return given or str(uuid.uuid5(_NAMESPACE, place))

    def client_id(self, given: str) -> str:
        return given.upper() if is_guid(given) else str(uuid.uuid5(_NAMESPACE, given)).upper()

    def value(self, each: Field, entry: Body, place: str) -> object:
        value = entry.get(each.name)
        if not has_kind(each, value):
            raise self.fail(f"{place}.{each.name}", f"must be of type {each.kind}, not {type(value).__name__}")
        return or_default(each, value)

    def text(self, entry: Body, name: str, place: str) -> str:
        value = entry.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int | None):
            raise self.fail(f"{place}.{name}", f"must be a text, not {type(value).__name__}")
        return "" if value is None else str(value)

    def add_assignment(self, entry: Body, place: str) -> None:
        client_id = self.client_id(self.text(entry, "ApiClientID", place))
        for company in ("Buyer", "Supplier"):
            company_id = self.text(entry, f"{company}ID", place)
            if company_id:
                assign(self.market, client_id, company, company_id)


def _settle_client(_loader: _Loader, body: Body, _place: str) -> Body:
    if body.get("ClientSecret") == REDACTED:
        body["ClientSecret"] = secrets.token_urlsafe(45)
    return body | {"EmulatorRevision": 1}


def _settle_webhook(loader: _Loader, body: Body, _place: str) -> Body:
    return body | {"ApiClientIDs": [loader.client_id(each).lower() for each in body["ApiClientIDs"]]}


def _settle_impersonation(loader: _Loader, body: Body, _place: str) -> Body:
    return body | {"ClientID": loader.client_id(body["ClientID"] or "").lower()}


def _settle_user(loader: _Loader, body: Body, place: str) -> Body:
    if not body["Username"]:
        raise loader.fail(f"{place}.Username", "is required: API clients name their default user by it")
    return body


_SETTLERS = {
    "ApiClient": _settle_client,
    "Webhook": _settle_webhook,
    "ImpersonationConfig": _settle_impersonation,
    "AdminUser": _settle_user,
    "User": _settle_user,
    "SupplierUser": _settle_user,
}


def load_seed(path: Path, market: Marketplace) -> None:
    """Fill an empty marketplace from a file.

    Raises:
        SeedError: the file cannot be read, is no YAML or JSON, or holds something of the wrong type; the message names
            the file and the line or the JSON path.
    """
    rows = {row.kind: row for row in (*ROWS, client_row(market.settings.profile))}
    loader = _Loader(path, market, rows)
    root = _read(path)
    if not isinstance(root, dict):
        raise SeedError(f"{path}: line 1: must be a mapping with `Objects:`, not {type(root).__name__}")
    if "Objects" not in root:
        raise SeedError(f"{path}: line 1: `Objects:` is missing; is this a seeding file?")
    loader.load(root)


def _read(path: Path) -> object:
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise SeedError(f"{path}: the seed cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SeedError(f"{path}: the seed cannot be read: {error}") from error
    return _read_json(path, text) if path.suffix.lower() == ".json" else _read_yaml(path, text)


def _read_json(path: Path, text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SeedError(f"{path}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from error


def _read_yaml(path: Path, text: str) -> object:
    from ruamel.yaml import YAML  # noqa: PLC0415 - only a seed in YAML needs it
    from ruamel.yaml.constructor import SafeConstructor  # noqa: PLC0415 - likewise
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415 - likewise

    class Plain(SafeConstructor):
        """Leaves timestamps as the texts which they are in JSON."""

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
