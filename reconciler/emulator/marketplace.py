"""Store, settings and clock -> one marketplace: lookups across kinds, users by name, who may log in with which roles.

A user name is unique per marketplace, whatever the party (SDK: `User.UsernameMustBeUnique`), which is why an API client
can name its default context user by the name alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler.emulator import references
from reconciler.emulator.errors import ApiError, not_found
from reconciler.emulator.roles import FULL_ACCESS
from reconciler.emulator.store import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from reconciler.emulator.resources import Resource
    from reconciler.emulator.settings import Settings
    from reconciler.emulator.store import Body, Store
    from reconciler.emulator.tables import Table


@dataclass(frozen=True, slots=True)
class Party:
    """One of the three kinds of user: what a token calls it, where it belongs, which client switch lets it in."""

    kind: str
    usrtype: str
    allowed_by: str
    company: str | None
    group: str


PARTIES = {
    party.kind: party
    for party in (
        Party("AdminUser", "admin", "AllowSeller", None, "AdminUserGroup"),
        Party("User", "buyer", "AllowAnyBuyer", "Buyer", "UserGroup"),
        Party("SupplierUser", "supplier", "AllowAnySupplier", "Supplier", "SupplierUserGroup"),
    )
}


@dataclass(frozen=True, slots=True)
class User:
    """A user together with its party; `company` is the ID of its buyer or supplier, None for the seller's people."""

    party: Party
    body: Body

    @property
    def name(self) -> str:
        """User name."""
        return str(self.body["Username"])

    @property
    def company(self) -> str | None:
        """ID of the buyer or supplier that the user belongs to."""
        return self.body.get("CompanyID") if self.party.company else None


@dataclass(frozen=True, slots=True)
class Marketplace:
    """Everything a handler works on; `rows` and `tables` describe the kinds and assignments of its generation."""

    store: Store
    settings: Settings
    clock: Callable[[], datetime]
    rows: Mapping[str, Resource]
    tables: Mapping[str, Table]

    def find(self, kind: str, *ids: str) -> Body | None:
        """Give the object under these IDs (its parents' first), in whatever case, or None."""
        return self.store.get(kind, key_of(*ids))

    def require(self, kind: str, *ids: str) -> Body:
        """Give the object, or refuse with `NotFound`."""
        body = self.find(kind, *ids)
        if body is None:
            raise ApiError(not_found(kind, ids[-1]))
        return body

    def remove(self, kind: str, key: str) -> None:
        """Delete an object with all that belongs to it or cannot be without it."""
        self.store.delete(kind, key)
        references.forget(self, (kind, key))

    def user_named(self, name: str) -> User | None:
        """Find a user of any party by name, without case (a guess: the service runs on a case-insensitive database)."""
        for kind, party in PARTIES.items():
            body = self._names(kind).get(name.lower())
            if body is not None:
                return User(party, body)
        return None

    def roles_of(self, user: User) -> list[str]:
        """Give the standard and custom roles of a user: those which the seed states, and those of his profiles."""
        granted = dict.fromkeys(user.body.get("_roles", ()))
        for row in self.store.all("SecurityProfileAssignment").values():
            if self._applies(row, user):
                profile = self.find("SecurityProfile", row["SecurityProfileID"]) or {}
                granted |= dict.fromkeys([*(profile.get("Roles") or ()), *(profile.get("CustomRoles") or ())])
        return list(granted)

    def may_log_in(self, client: Body, user: User) -> bool:
        """Tell whether the client admits the user's party: by a switch for all of them, or by an assignment."""
        if client.get(user.party.allowed_by):
            return True
        if user.party.company is None or user.company is None:
            return False
        return self.admits(client, user.party.company, user.company)

    def admits(self, client: Body, company: str, company_id: str) -> bool:
        """Tell whether a client is assigned to a buyer or supplier."""
        ids = (company_id, "") if company == "Buyer" else ("", company_id)
        return self.find("ApiClientAssignment", client["ID"], *ids) is not None

    def assigned(self, client_id: str, company: str) -> int:
        """Count the buyers or suppliers to which a client is assigned."""
        return self.store.cached("ApiClientAssignment", "counts", self._count_assignments).get(
            (client_id.lower(), company), 0
        )

    def has_full_access(self, client: Body) -> bool:
        """Tell whether the client's own login yields FullAccess."""
        user = self.user_named(client.get("DefaultContextUserName") or "")
        capped = client.get("MaximumGrantedRoles") or [FULL_ACCESS]
        return bool(user and client.get("Active") and FULL_ACCESS in capped and FULL_ACCESS in self.roles_of(user))

    def _names(self, kind: str) -> dict[str, Body]:
        users = self.store.all(kind)
        return self.store.cached(
            kind, "names", lambda: {str(body["Username"]).lower(): body for body in users.values()}
        )

    def _count_assignments(self) -> dict[tuple[str, str], int]:
        counts: dict[tuple[str, str], int] = {}
        for body in self.store.all("ApiClientAssignment").values():
            place = (body["ApiClientID"].lower(), "Buyer" if body["BuyerID"] else "Supplier")
            counts[place] = counts.get(place, 0) + 1
        return counts

    def _applies(self, row: Body, user: User) -> bool:
        """Tell whether a security profile assignment covers a user.

        It names a buyer, a supplier or neither (the seller), and may single out one user or one group.
        """
        owners = {name: str(row.get(f"{name}ID") or "").lower() for name in ("Buyer", "Supplier")}
        mine = dict.fromkeys(owners, "")
        if user.party.company:
            mine[user.party.company] = str(user.company).lower()
        named = str(row.get("UserID") or user.body["ID"]).lower()
        is_member = not row.get("UserGroupID") or self._is_member(user, row["UserGroupID"])
        return owners == mine and named == user.body["ID"].lower() and is_member

    def _is_member(self, user: User, group_id: str) -> bool:
        owner = (user.company,) if user.company else ()
        return self.find(f"{user.party.group}Assignment", *owner, group_id, user.body["ID"]) is not None
