"""The manifest of an API client -> objections: one function for each rule, and the table of rules.

An objection is at something that the manifest names, so that it has a line. Each function objects only if the values
that it needs are certain.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from reconciler.kinds.checks import ManifestView, Objection, Rule, RuleLevel
from reconciler.model.diagnostic import listed
from reconciler.model.json import ABSENT, pointer

EVERYONE: Final = {"buyers": "AllowAnyBuyer", "suppliers": "AllowAnySupplier"}
"""Party -> the flag that allows all of them."""
SHORT_TOKEN_MINUTES: Final = 60
"""The longest access token, in minutes, that is accepted with administrative roles."""

_FLAGS: Final = ("AllowSeller", *EVERYONE.values())
_REQUIRED_ROLES: Final = {
    "MinimumRequiredRoles": "MaximumGrantedRoles",
    "MinimumRequiredCustomRoles": "MaximumGrantedCustomRoles",
}
"""Field of required roles -> field of the upper limit of a token's roles."""
_OWN_ACCOUNT: Final = re.compile("Me[A-Z]")
"""MeAdmin, MeXpAdmin and similar roles are for the user's own account, MessageSenderAdmin is not."""


def administrative(roles: Iterable[str]) -> list[str]:
    """The roles that administer more than the user's own account, in their order."""
    return [role for role in roles if role == "FullAccess" or (role.endswith("Admin") and not _OWN_ACCOUNT.match(role))]


def anonymous_with_secret(view: ManifestView) -> Iterator[Objection]:
    """Object to a secret that anonymous shoppers would require."""
    if view.is_on("IsAnonBuyer") and view.secrets.get("ClientSecret"):
        hint = "set ClientSecret: null, and use a separate API client for a server that can keep a secret"
        yield Objection("/spec/ClientSecret", "IsAnonBuyer is true and there is a ClientSecret", hint)
    if view.is_on("IsAnonBuyer") and view.has_named_secrets:
        hint = "remove them, and use a separate API client for a server that can keep a secret"
        yield Objection("/secrets", "IsAnonBuyer is true and there are secrets", hint)


def secrets_of_inactive_client(view: ManifestView) -> Iterator[Objection]:
    """Object to secrets that no login can verify, because the client is or may be inactive, the API's default."""
    if not view.has_named_secrets or view.is_on("Active"):
        return
    hint = "set Active: true, or remove the secrets until then"
    if view.is_off("Active"):
        yield Objection("/secrets", "there are secrets, and the client is inactive", hint)
    elif view.leaves_out("Active"):
        message = "there are secrets, and the manifest does not set Active: true"
        yield Objection("/secrets", message, hint, is_certain=False)


def anonymous_without_context_user(view: ManifestView) -> Iterator[Objection]:
    """Object to anonymous shopping without a context user, or with one that the manifest does not name."""
    if not view.is_on("IsAnonBuyer"):
        return
    hint = "set DefaultContextUserName to an active buyer user"
    if view.value("DefaultContextUserName") is None:
        yield Objection("/spec/IsAnonBuyer", "IsAnonBuyer is true and there is no DefaultContextUserName", hint)
    elif view.leaves_out("DefaultContextUserName"):
        message = "IsAnonBuyer is true and the manifest does not set DefaultContextUserName"
        yield Objection("/spec/IsAnonBuyer", message, hint, is_certain=False)


def anonymous_duration_without_anonymous(view: ManifestView) -> Iterator[Objection]:
    """Object to a duration that nothing uses."""
    is_set = view.spec.get("AnonymousTokenDuration") is not None and view.minutes("AnonymousTokenDuration")
    if not is_set:
        return
    at, hint = "/spec/AnonymousTokenDuration", "remove it, or set IsAnonBuyer: true"
    if view.is_off("IsAnonBuyer"):
        yield Objection(at, "AnonymousTokenDuration is set and IsAnonBuyer is false", hint)
    elif view.leaves_out("IsAnonBuyer"):
        message = "AnonymousTokenDuration is set and the manifest does not set IsAnonBuyer: true"
        yield Objection(at, message, hint, is_certain=False)


def public_client_with_admin_role(view: ManifestView) -> Iterator[Objection]:
    """Object to administrative roles, or unlimited roles, if tokens can be requested without a credential."""
    why, at = _why_public(view)
    roles = view.members("MaximumGrantedRoles") if why else None
    if roles is None:
        return
    hint = "list only the roles that the application needs in MaximumGrantedRoles, such as Shopper and MeAdmin"
    at = "/spec/MaximumGrantedRoles" if "MaximumGrantedRoles" in view.spec else at
    if not roles:
        yield Objection(at, f"{why}, and MaximumGrantedRoles sets no limit", hint)
    elif found := administrative(roles):
        yield Objection(at, f"{why}, and the client may grant {listed(found)}", hint)


def _why_public(view: ManifestView) -> tuple[str, str]:
    """Why anyone can request a token of the client, and the pointer of the cause; two empty texts if uncertain."""
    if view.is_on("IsAnonBuyer"):
        return "IsAnonBuyer is true", "/spec/IsAnonBuyer"
    if view.secrets.get("ClientSecret", ABSENT) is None:
        return "ClientSecret is cleared", "/spec/ClientSecret"
    if view.is_new and not (view.secrets or view.has_named_secrets) and view.members("MaximumGrantedRoles"):
        return "it has no secret", "/spec/MaximumGrantedRoles"
    return "", ""


def context_user_with_several_parties(view: ManifestView) -> Iterator[Objection]:
    """Object to a client that acts as one user and allows several kinds of parties."""
    if not isinstance(view.value("DefaultContextUserName"), str):
        return
    parties = ["the seller"] if view.is_on("AllowSeller") else []
    parties += [name for name, flag in EVERYONE.items() if view.is_on(flag) or view.assignments.get(name)]
    if len(parties) > 1:
        message = f"DefaultContextUserName is set, and the client allows {listed(parties)}"
        hint = "use a separate API client for each kind of party"
        yield Objection("/spec/DefaultContextUserName", message, hint)


def long_token_with_admin_role(view: ManifestView) -> Iterator[Objection]:
    """Object to a long-lived token with administrative roles."""
    minutes = view.minutes("AccessTokenDuration")
    if minutes is None or minutes <= SHORT_TOKEN_MINUTES:
        return
    if found := administrative(view.members("MaximumGrantedRoles") or ()):
        message = f"an access token is valid for {minutes} minutes, and may grant {listed(found)}"
        hint = f"set it to at most {SHORT_TOKEN_MINUTES}; a RefreshTokenDuration saves users the next login"
        yield Objection("/spec/AccessTokenDuration", message, hint)


def refresh_shorter_than_access(view: ManifestView) -> Iterator[Objection]:
    """Object to a refresh token that expires before the access token that it renews."""
    refresh, access = view.minutes("RefreshTokenDuration"), view.minutes("AccessTokenDuration")
    if refresh and access and refresh < access:
        message = f"RefreshTokenDuration is {refresh} minutes, AccessTokenDuration {access}"
        hint = "set it longer than AccessTokenDuration, or to 0 for none"
        yield Objection("/spec/RefreshTokenDuration", message, hint)


def nobody_can_log_in(view: ManifestView) -> Iterator[Objection]:
    """Object to a client that no party can use, unless its manifest deactivates it."""
    is_closed = all(map(view.is_off, _FLAGS)) and not any(view.assignments.get(party, True) for party in EVERYONE)
    if is_closed and view.spec.get("Active", True):
        hint = "allow or assign a party; set Active: false for an unused client"
        yield Objection("/assignments", "no party is allowed and none is assigned", hint)


def required_roles_not_granted(view: ManifestView) -> Iterator[Objection]:
    """Object to required roles that no token can have. Whether FullAccess includes them all is uncertain."""
    for requirement, cap in _REQUIRED_ROLES.items():
        granted = view.members(cap)
        if not granted or "FullAccess" in granted:
            continue
        missing = [role for role in view.members(requirement) or () if role not in granted]
        if missing:
            message = f"{requirement} requires {listed(missing)}, which {cap} does not grant"
            yield Objection(pointer("spec", requirement), message, f"add it to {cap}, or require less")


def pointless_assignments(view: ManifestView) -> Iterator[Objection]:
    """Object to assignments of parties that are all allowed."""
    for party, flag in EVERYONE.items():
        if view.assignments.get(party) and view.is_on(flag):
            message = f"{flag} is true and {party} are assigned"
            hint = f"set {flag}: false, or remove {party} from assignments"
            yield Objection(pointer("assignments", party), message, hint)


_CLIENTS: Final = 'knowledge base, "Introduction to API Clients", '
RULES: Final = (
    Rule(
        "anonymous-with-secret",
        "once a client has a secret, every login requires it, and a browser cannot keep it secret",
        'knowledge base, "API Client Secrets" and "Introduction to API Clients"',
        anonymous_with_secret,
        frozenset({"ClientSecret", "secrets"}),
    ),
    Rule(
        "secrets-of-inactive-client",
        "logins through an inactive client fail, so its secrets are delivered but cannot be verified",
        "error code Auth.ClientNotActive",
        secrets_of_inactive_client,
        frozenset({"secrets"}),
    ),
    Rule(
        "anonymous-without-context-user",
        "anonymous shoppers are copies of a buyer user, and OrderCloud refuses the client without one",
        'knowledge base, "Anonymous Shopping"; error code ApiClient.RequiredNotAnonBuyer',
        anonymous_without_context_user,
        frozenset({"IsAnonBuyer"}),
        RuleLevel.ERROR,
    ),
    Rule(
        "anonymous-duration-without-anonymous",
        "only the tokens of anonymous shoppers have this duration",
        'developer documentation, "Anonymous shopping"',
        anonymous_duration_without_anonymous,
        frozenset({"AnonymousTokenDuration"}),
    ),
    Rule(
        "public-client-with-admin-role",
        "anyone who knows the client ID can request its tokens",
        'knowledge base, "API Client Secrets"; release notes of API 1.0.196',
        public_client_with_admin_role,
        frozenset({"IsAnonBuyer", "ClientSecret"}),
    ),
    Rule(
        "context-user-with-several-parties",
        "users of one party get the access of a user intended for another",
        "release notes of API 1.0.85",
        context_user_with_several_parties,
        frozenset({"DefaultContextUserName"}),
    ),
    Rule(
        "long-token-with-admin-role",
        "a leaked token is valid until it expires, so tokens with much access should expire soon",
        _CLIENTS + '"Token Durations"',
        long_token_with_admin_role,
        frozenset({"AccessTokenDuration"}),
    ),
    Rule(
        "refresh-shorter-than-access",
        "a refresh token must be valid for longer than the access token that it renews",
        _CLIENTS + '"Token Durations"',
        refresh_shorter_than_access,
        frozenset({"RefreshTokenDuration"}),
    ),
    Rule(
        "nobody-can-log-in",
        "users can log in only if their party is allowed or assigned",
        _CLIENTS + '"Defining User Access"',
        nobody_can_log_in,
        frozenset({"assignments"}),
    ),
    Rule(
        "required-roles-not-granted",
        "a token's roles are the user's roles that the client grants, so no token may have what is required",
        "release notes of API 1.0.196, which leave open whether the user or the token must have them",
        required_roles_not_granted,
        frozenset({"MinimumRequiredRoles", "MinimumRequiredCustomRoles"}),
    ),
    Rule(
        "pointless-assignments",
        "assignments have no effect while all parties are allowed",
        _CLIENTS + '"Defining User Access"',
        pointless_assignments,
        frozenset({"assignments"}),
    ),
)
