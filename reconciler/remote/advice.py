"""Error codes of the service -> what to do next, in words for whoever runs this program.

The codes are those of Sitecore's .NET SDK; the advice is ours.
"""

from collections.abc import Mapping
from typing import Final

from reconciler.model.json import Json, is_array

REPORT: Final = "check the base URL and what stands between; if both are right, quote the log id to Sitecore's support"
WAIT: Final = "try again later; if it lasts, quote the log id to Sitecore's support"
LOOK_FIRST: Final = "it may have been executed: plan again to see what the service has now"

_CREDENTIALS: Final = "check clientId and clientSecret (or username and password) of this environment"
_ACTIVATE: Final = "somebody with access to the portal must make it active again"

FOR_CODE: Final[Mapping[str, str]] = {
    "AnonUserProhibited": "log in as a seller user: the API client must not be one for anonymous shopping",
    "BetaForbiddenProduction": "this is not available in production yet",
    "ClientNotActive": f"the API client that this environment logs in with is not active; {_ACTIVATE}",
    "CompanyNotActive": f"the organisation of the user is not active; {_ACTIVATE}",
    "InsecurePassword": "give the user a new password in the portal",
    "InsufficientRole": "give the user a security profile with such a role, and let the API client grant it",
    "InsufficientRoles": "give the user a security profile with such a role, and let the API client grant it",
    "InvalidToken": "the login worked but its token does not: check that the base URL is that of the marketplace",
    "InvalidUsernameOrPassword": _CREDENTIALS,
    "LockedOut": "the account is locked after failed logins: wait, or unlock it in the portal",
    "MustPassAnonUserToken": "log in as a seller user: the API client must not be one for anonymous shopping",
    "OauthError": f"{_CREDENTIALS}, and that the secret has not expired",
    "PasswordExpired": "give the user a new password in the portal",
    "SellerNotActive": "the marketplace is not active: ask Sitecore",
    "TokenRevoked": "the token was revoked while it was used: run again",
    "UnauthorizedRole": "ask for fewer roles in `scope`, or let the API client and the user have them",
    "UserNotActive": f"the user is not active; {_ACTIVATE}",
    "UserNotAuthorizedToAdmin": "log in as a seller user: buyers and suppliers may not manage API clients",
    "UserNotFound": "check the username, or the default context user of the API client",
    "UsernameAndPasswordRequired": "set both username and password, or neither",
    "ApiClient.InvalidClientID": "check clientId, and that the base URL is that of its region and stage",
    "ApiClient.CannotDeleteLastFullAccess": "keep it: no other API client has full access",
    "ApiClient.UsedByImpersonationConfig": "delete the impersonation configuration first",
    "ApiClient.UsedByIntegration": "delete the subscription integration first",
    "ApiClient.RequiredNotAnonBuyer": "set DefaultContextUserName to a buyer user, or IsAnonBuyer to false",
    "ApiClientSecret.MaximumClientSecretsReached": "delete a secret that is no longer used first: ten are the most",
    "ApiClientSecret.InvalidExpirationDate": "choose an expiration in the future",
    "IntegrationEvent.IncompatibleEventType": "refer to an integration event of the type that the field asks for",
    "invalid_client": _CREDENTIALS,
    "invalid_grant": f"{_CREDENTIALS}, and that the secret has not expired",
    "invalid_scope": "ask for fewer roles in `scope`, or let the API client and the user have them",
}
"""By code, less the prefix ``Auth.``; the last three are OAuth's own (RFC 6749, section 5.2)."""

_WANTED: Final = ("SufficientRoles", "RequiredRoles")


def roles_hint(data: Mapping[str, Json]) -> str:
    """Say which roles would do and which the token has, from the data of a refusal; empty where it does not say.

    The name of the first field differs between versions of the service.
    """
    wanted = next((_names(data[name]) for name in _WANTED if _names(data.get(name))), "")
    assigned = _names(data.get("AssignedRoles"))
    parts = [f"one of these roles would do: {wanted}" if wanted else ""]
    parts.append(f"the token has {assigned}" if assigned else "")
    return "; ".join(filter(None, parts))


def _names(value: Json) -> str:
    if isinstance(value, str):
        return value
    return ", ".join(item for item in value if isinstance(item, str)) if is_array(value) else ""
