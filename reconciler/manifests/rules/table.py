"""A manifest -> the objections of every rule. The table of rules; `docs/rules.md` shows it to people.

A new rule is a function in `checks`, a row here, its name in the schemas, a row in `docs/rules.md` and a folder in
`tests/scenarios/rules`; tests tell which of them is missing.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from reconciler.manifests.rules import checks
from reconciler.manifests.rules.checks import EVERYONE, Objection
from reconciler.manifests.rules.stated import Stated


class Level(StrEnum):
    """How strictly a rule is taken."""

    ERROR = "error"
    WARNING = "warning"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    name: str
    reason: str
    """Why what it finds is bad: a sentence without capital and full stop, which follows a colon."""
    source: str
    """Where OrderCloud's public documentation says so; without a documented fact a rule is a warning."""
    check: Callable[[Stated], Iterable[Objection]]
    about: frozenset[str]
    """It has nothing to say of a manifest that names none of these fields and blocks."""
    level: Level = Level.WARNING
    """How strictly it is taken unless the configuration says otherwise."""


_CLIENTS: Final = 'knowledge base, "Introduction to API Clients", '
_ALL: Final = (
    Rule(
        "anonymous-with-secret",
        "once a client has a secret no login works without it, and a browser cannot keep one",
        'knowledge base, "API Client Secrets" and "Introduction to API Clients"',
        checks.anonymous_with_secret,
        frozenset({"ClientSecret", "secrets"}),
    ),
    Rule(
        "secrets-of-inactive-client",
        "nobody can log in through a client that is not active, so its secrets are delivered and stay unproven",
        "error code Auth.ClientNotActive",
        checks.secrets_of_inactive_client,
        frozenset({"secrets"}),
    ),
    Rule(
        "anonymous-without-context-user",
        "anonymous shoppers are copies of a buyer user, and OrderCloud refuses the client without one",
        'knowledge base, "Anonymous Shopping"; error code ApiClient.RequiredNotAnonBuyer',
        checks.anonymous_without_context_user,
        frozenset({"IsAnonBuyer"}),
        Level.ERROR,
    ),
    Rule(
        "anonymous-duration-without-anonymous",
        "only the tokens of anonymous shoppers have this duration",
        'developer documentation, "Anonymous shopping"',
        checks.anonymous_duration_without_anonymous,
        frozenset({"AnonymousTokenDuration"}),
    ),
    Rule(
        "public-client-with-admin-role",
        "anybody who knows the client ID can ask for its tokens",
        'knowledge base, "API Client Secrets"; release notes of API 1.0.196',
        checks.public_client_with_admin_role,
        frozenset({"IsAnonBuyer", "ClientSecret"}),
    ),
    Rule(
        "context-user-with-several-parties",
        "whoever gets in by one door acts with the reach of a user who was meant for another",
        "release notes of API 1.0.85",
        checks.context_user_with_several_parties,
        frozenset({"DefaultContextUserName"}),
    ),
    Rule(
        "long-token-with-admin-role",
        "a token that leaks is good until it expires, and the more it opens the shorter it should live",
        _CLIENTS + '"Token Durations"',
        checks.long_token_with_admin_role,
        frozenset({"AccessTokenDuration"}),
    ),
    Rule(
        "refresh-shorter-than-access",
        "a refresh token has to outlive the access token that it is to renew",
        _CLIENTS + '"Token Durations"',
        checks.refresh_shorter_than_access,
        frozenset({"RefreshTokenDuration"}),
    ),
    Rule(
        "nobody-can-log-in",
        "a user gets in only where the user's party is allowed or assigned",
        _CLIENTS + '"Defining User Access"',
        checks.nobody_can_log_in,
        frozenset({"assignments"}),
    ),
    Rule(
        "required-roles-not-granted",
        "a token's roles are the user's roles that the client grants, so no token may be able to have what is demanded",
        "release notes of API 1.0.196, which leave open what is demanded of: the user or the token",
        checks.required_roles_not_granted,
        frozenset({"MinimumRequiredRoles", "MinimumRequiredCustomRoles"}),
    ),
    Rule(
        "pointless-assignments",
        "where all are let in, to assign some changes nothing",
        _CLIENTS + '"Defining User Access"',
        checks.pointless_assignments,
        frozenset({"assignments"}),
    ),
)
RULES: Final[Mapping[str, Rule]] = {rule.name: rule for rule in _ALL}
"""Every rule by its name."""

_BY_NAME: Final = {name: tuple(rule for rule in _ALL if name in rule.about) for rule in _ALL for name in rule.about}
_NAMES: Final = frozenset(_BY_NAME)


def objections(stated: Stated) -> list[tuple[Rule, Objection]]:
    """Ask the rules that may have something to say of what the manifest names: mostly one or two."""
    blocks = {"assignments": stated.assignments, "secrets": stated.has_named_secrets}
    named = _NAMES.intersection(
        (*stated.spec, *stated.secrets, *(block for block, is_there in blocks.items() if is_there))
    )
    asked = {rule.name: rule for name in sorted(named) for rule in _BY_NAME[name]}
    return [(rule, objection) for rule in asked.values() for objection in rule.check(stated)]


def objections_if_new(stated: Stated) -> list[tuple[Rule, Objection]]:
    """What is wrong besides where the client is created with what the manifest names: nothing of it is open then.

    It has the API's defaults, no secret that is not named, and nobody assigned. Every rule is asked.
    """
    found = {rule.name for rule, objection in objections(stated) if objection.is_certain}
    new = replace(
        stated,
        spec={"Active": False, **stated.spec},  # named, since a client that is switched off by default is meant to be
        assignments={**dict.fromkeys(EVERYONE, ()), **stated.assignments},
        exclusive=True,
        open_fields=frozenset(),
        is_new=True,
    )
    return [(rule, one) for rule in RULES.values() if rule.name not in found for one in rule.check(new)]
