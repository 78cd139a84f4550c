"""A marketplace -> the same with the client and the user that administrate every emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.emulator import client_secrets
from reconciler.emulator.fields import replaced
from reconciler.emulator.roles import FULL_ACCESS
from reconciler.emulator.settings import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET
from reconciler.emulator.store import key_of

if TYPE_CHECKING:
    from reconciler.emulator.marketplace import Marketplace

USER_NAME = "emulator-admin"
APP_NAME = "Emulator Administration"


def ensure(market: Marketplace) -> None:
    """Add the administration client and its user where they are missing; what was changed about them stays."""
    if market.find("AdminUser", USER_NAME) is None:
        market.store.put("AdminUser", USER_NAME, _user(market))
    if market.find("ApiClient", ADMIN_CLIENT_ID) is None:
        is_legacy = market.settings.profile == "legacy"
        secret = ADMIN_CLIENT_SECRET if is_legacy else None
        market.store.put("ApiClient", key_of(ADMIN_CLIENT_ID), _client(market) | {"ClientSecret": secret})
        if not is_legacy:
            client_secrets.add(market, ADMIN_CLIENT_ID, "emulator-admin", "built in", ADMIN_CLIENT_SECRET)


def _user(market: Marketplace) -> dict[str, object]:
    facts = {"Username": USER_NAME, "FirstName": "Emulator", "LastName": "Administration", "Active": True}
    hidden = {"ID": USER_NAME, "_parent": "", "_roles": [FULL_ACCESS], "CompanyID": market.settings.marketplace}
    return replaced(market.rows["AdminUser"].fields, facts | {"Email": "emulator@example.com"}) | hidden


def _client(market: Marketplace) -> dict[str, object]:
    facts = {"AppName": APP_NAME, "AccessTokenDuration": 600, "Active": True, "AllowSeller": True}
    hidden = {"ID": ADMIN_CLIENT_ID, "_parent": "", "EmulatorRevision": 1}
    return replaced(market.rows["ApiClient"].fields, facts | {"DefaultContextUserName": USER_NAME}) | hidden
