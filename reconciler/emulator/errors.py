"""Errors -> the error bodies of the API; and the exceptions of the emulator.

EmulatorError
    SeedError           the seed file is invalid
    StateError          the state file cannot be used
    FaultSpecError      a fault specification is invalid
DroppedConnection       an injected fault: no response (in process only; over a socket the connection closes)
ApiError                internal: is converted to a response with an `Errors` body
"""

import errno
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

_OTHER_STATUSES: dict[str, tuple[int, str]] = {
    "NotFound": (404, "Object not found."),
    "IdExists": (409, "Object already exists."),  # a guess: the code is in no public source; the status is documented
    "MethodNotAllowed": (405, "The requested resource does not support this method."),  # a guess
    "TooManyRequests": (429, "Too many requests."),  # a guess: throttling is undocumented
    "ServerError": (500, "An unknown error has occurred on the server."),
    "Api.Offline": (503, "The API is down briefly for maintenance. Please try again in a few seconds."),
    "Auth.InsufficientRoles": (403, "User does not have role(s) required to perform this action."),
    "Auth.TokenRevoked": (401, "The provided token has been revoked. Please re-authenticate."),
    "Auth.UnauthorizedRole": (401, "User is not authorized."),
    "Auth.UserNotAuthorizedToAdmin": (
        403,
        "Reading and/or Administering certain resources is forbidden for certain user types regardless of role(s).",
    ),
    "InvalidToken": (401, "Access token is invalid or expired."),
}
_BAD_REQUESTS = {
    "ApiClient.CannotDeleteLastFullAccess": "The last full access client cannot be deleted.",
    "ApiClient.InvalidClientID": "Invalid Client ID.",
    "ApiClient.RequiredNotAnonBuyer": (
        "IsAnonBuyer can be true only when a buyer user is set as the Default Context User."
    ),
    "ApiClient.UsedByImpersonationConfig": "Cannot delete API Client used by an impersonation config.",
    "ApiClient.UsedByIntegration": "Cannot delete API Client used by a Subscription Integration.",
    "ApiClientSecret.InvalidExpirationDate": "Cannot create a client secret that is already expired.",
    "ApiClientSecret.MaximumClientSecretsReached": (
        "The maximum number of client secrets has been reached for this API client."
    ),
    "Auth.ClientNotActive": "Client ID is not active.",
    "Auth.CompanyNotActive": "User's organization is not active.",
    "Auth.InvalidUsernameOrPassword": "Invalid username or password.",
    "Auth.OauthError": "invalid",
    "Auth.UserNotActive": "User is not active.",
    "Auth.UserNotFound": "User not found.",
    "Auth.UsernameAndPasswordRequired": "Both username and password are required.",
    "DeliveryConfig.CannotDeleteConfigInUse": "This Delivery Configuration cannot be deleted because it is in use.",
    "Impersonation.BuyerNotAssigned": "Buyer is not assigned to the API client.",
    "Impersonation.CannotDeleteImpersonateeParty": "Cannot delete a group or user assigned to an ImpersonationConfig.",
    "Impersonation.CannotDeleteSecurityProfile": "Cannot delete a security profile assigned to an ImpersonationConfig.",
    "Impersonation.ClientIDNotFound": "Client ID not found or you do not have access to it.",
    "ImpersonationConfig.ConflictingImpersonationConfigExists": (
        "An ImpersonationConfig already exists for this combination of ApiClient, SecurityProfile, "
        "Impersonator, and Impersonatee."
    ),
    "Integration.CustomAuthHeaderNameRequired": (
        "CustomAuthHeaderName is required when CustomAuthHeaderValue is provided."
    ),
    "Integration.CustomAuthHeaderValueRequired": (
        "CustomAuthHeaderValue is required when CustomAuthHeaderName is provided."
    ),
    "IntegrationEvent.AllowSellerApiClientRequired": (
        "IntegrationEvents require at least one active ApiClient with AllowSeller = true in order to generate"
        " an elevated role token."
    ),
    "IntegrationEvent.CannotDeleteInUse": "The IntegrationEvent cannot be deleted because it is in use.",
    "IntegrationEvent.CannotEditType": "The EventType can't be changed once the event is created.",
    "IntegrationEvent.IncompatibleEventType": (
        "The referenced IntegrationEvent must reference an IntegrationEvent with the correct EventType."
    ),
    "List.InvalidPageSize": "pageSize is not valid.",
    "List.InvalidProperty": "Property does not exist.",
    "List.InvalidSearchProperty": "Property is not searchable.",
    "List.InvalidSortProperty": "Property is not sortable.",
    "List.InvalidType": "Value passed is not valid for property type.",
    "Locale.DuplicateLanguageAndCurrency": (
        "You are allowed only a single language/currency combination per marketplace."
    ),
    "MessageSenders.SharedKeyRequired": "SharedKey is required when no delivery configuration is specified.",
    "MessageSenders.UrlRequired": "Url is required when no delivery configuration is specified.",
    "PartyAssignment.CannotSpecifyBuyerAndSupplier": "Cannot specify both a BuyerID and a SupplierID.",
    "PartyAssignment.CannotSpecifyGroupAndUser": "Cannot specify both a UserID and a GroupID.",
    "PartyAssignment.InvalidGroupLevel": "Bad parameters. Do not provide a Group ID with this Level.",
    "PartyAssignment.InvalidUserLevel": "Bad parameters. Do not provide a User ID with this Level.",
    "PartyAssignment.UserLevelNotAllowed": "User-level assignments not allowed for this object.",
    "ProductFacet.XpPathInUse": (
        "This XpPath is already in use on another facet, it needs to be unique across a marketplace."
    ),
    "Request.InvalidContentType": "Invalid content type. Please use x-www-form-urlencoded.",
    "Request.InvalidRequestBody": "Request body is invalid or null.",
    "RequiredField": "Field is required.",
    "SecurityProfile.CannotProvideBuyerID": "Cannot specify both BuyerID non-Buyer CommerceRole.",
    "SecurityProfile.CannotProvideSupplierID": "Cannot specify both SupplierID and non-Supplier CommerceRole.",
    "SecurityProfile.ExternalRoleGroupReadOnly": "Security profiles from external role groups are read-only.",
    "SecurityProfile.InvalidPasswordConfiguration": "Password configuration is invalid.",
    "SubscriptionIntegration.CannotUseApiClient": (
        "Cannot use API Client that has OrderCheckoutIntegrationEventID populated."
    ),
    "SubscriptionIntegration.DefaultContextUser": "DefaultContextUser must be defined to use this API Client ID.",
    "TrackingEvent.CannotCreateMultipleEventsOfSameType": (
        "Only one TrackingEvent of a given type is permitted for the same ApiClient."
    ),
    "TrackingEvent.CannotUpdateProperty": "The properties ClientID and EventType cannot be updated.",
    "TrackingEvent.InvalidClientID": "The ApiClient specified by ClientID in the request does not exist.",
    "TrackingEvent.InvalidDeliveryConfigID": (
        "The specified delivery configuration (DeliveryConfigID) in the request does not exist."
    ),
    "User.CannotDeleteDefaultContextUser": (
        "Cannot delete a user currently set as the Default Context User (back office user)."
    ),
    "User.UsernameMustBeUnique": "Username already exists in this Marketplace.",
    "UserGroup.CannotDeleteApprovingGroup": (
        "Cannot delete this User Group because it is the designated Approving Group for the given Approval "
        "Rule(s). You must either delete the Approval Rule(s) or change the Rules' ApprovingGroupID."
    ),
    "ValidationFailure": "Model or property was invalid.",
    "Webhook.InvalidDeliveryConfig": "Delivery Configuration is not valid for PreHooks.",
    "Webhook.MissingHashKey": "HashKey is required for this webhook.",
    "Webhook.UrlSchemeHttps": "Webhook URL must be well-formed and secure scheme https is required.",
}

# code -> (status, message)
CODES = _OTHER_STATUSES | {code: (400, message) for code, message in _BAD_REQUESTS.items()}


class EmulatorError(Exception):
    """Base class of the errors that are raised at construction."""


class SeedError(EmulatorError):
    """The seed cannot be loaded; the message has the file, the location and the fix."""


class StateError(EmulatorError):
    """The state file is in use, cannot be read or written, or was written by another version."""


class FaultSpecError(EmulatorError):
    """A fault specification is invalid; the message has the column."""


class DroppedConnection(ConnectionError):
    """An injected fault closed the connection without a response.

    Its errno is ECONNRESET, for which cheroot closes the socket silently instead of responding with 500.
    """

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "connection dropped by an injected fault")


@dataclass(frozen=True, slots=True)
class ServiceError:
    """One entry of `Errors`. `code` is a key of `CODES`, `message` replaces the message there."""

    code: str
    message: str = ""
    data: dict[str, Any] | None = None

    @property
    def status(self) -> int:
        """The HTTP status of the code."""
        return CODES[self.code][0]

    def entry(self) -> dict[str, Any]:
        """The JSON form."""
        return {"ErrorCode": self.code, "Message": self.message or CODES[self.code][1], "Data": self.data}


class ApiError(Exception):
    """A rejected request, with all its errors.

    The status is 400 if that is the status of any error, else the status of the first one. `oauth` is the error name
    of RFC 6749, for the token endpoint only.
    """

    def __init__(self, *errors: ServiceError, status: int | None = None, oauth: str | None = None) -> None:
        super().__init__(", ".join(error.code for error in errors))
        self.errors = errors
        self.oauth = oauth
        statuses = [error.status for error in errors]
        self.status = status or (HTTPStatus.BAD_REQUEST if HTTPStatus.BAD_REQUEST in statuses else statuses[0])

    def body(self) -> dict[str, Any]:
        """The JSON body: `Errors`, and for the token endpoint the OAuth fields before it."""
        errors = {"Errors": [error.entry() for error in self.errors]}
        if self.oauth is None:
            return errors
        return {"error": self.oauth, "error_description": errors["Errors"][0]["Message"], **errors}


def not_found(object_type: str, object_id: str) -> ServiceError:
    """The error for an unknown ID. Source of `Data.ObjectType` and `Data.ObjectID`: JavaScript SDK."""
    return ServiceError("NotFound", data={"ObjectType": object_type, "ObjectID": object_id})


def not_found_at(path: str) -> ServiceError:
    """The error for an unknown path. A guess: its last two segments are the type and the ID."""
    *_, kind, last = ("", *path.strip("/").split("/"))
    return not_found(kind, last)


def raise_if_any(errors: list[ServiceError]) -> None:
    """Raise one ApiError with all errors, if there are any."""
    if errors:
        raise ApiError(*errors)
