"""What went wrong -> the error bodies of the API, and the exceptions which a caller of the emulator may meet.

EmulatorError
    SeedError           the seed file is not what it should be
    StateError          the state file cannot be used
    FaultSpecError      a fault specification cannot be read
DroppedConnection       an injected fault: no answer (in process only; over a socket the connection just closes)
ApiError                inside: becomes an answer with an `Errors` body, never leaves the emulator

The codes and messages are those of the public .NET SDK (`ErrorCodes.cs`). Which HTTP status belongs to which code is
published nowhere, so the statuses below 500 are inferred; codes marked as a guess appear in no public source.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any


class EmulatorError(Exception):
    """Base of what the emulator raises at its own user, at construction time."""


class SeedError(EmulatorError):
    """The seed cannot be loaded; the message names the file, the place and the way out."""


class StateError(EmulatorError):
    """The state file is in use, is no state file, or is from another version."""


class FaultSpecError(EmulatorError):
    """A fault specification is wrong; the message points at the column."""


class DroppedConnection(ConnectionError):
    """An injected fault took the connection away without an answer.

    It carries ECONNRESET, upon which cheroot closes the socket silently instead of answering 500.
    """

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "connection dropped by an injected fault")


# code -> (status, message)
CODES: dict[str, tuple[int, str]] = {
    "NotFound": (404, "Object not found."),
    "IdExists": (409, "Object already exists."),  # a guess: the name is in no public source, the status is documented
    "ValidationFailure": (400, "Model or property was invalid."),
    "RequiredField": (400, "Field is required."),
    "MethodNotAllowed": (405, "The requested resource does not support this method."),  # a guess
    "TooManyRequests": (429, "Too many requests."),  # a guess: throttling is documented nowhere
    "ServerError": (500, "An unknown error has occurred on the server."),
    "Api.Offline": (503, "The API is down briefly for maintenance. Please try again in a few seconds."),
    "ApiClient.CannotDeleteLastFullAccess": (400, "The last full access client cannot be deleted."),
    "ApiClient.InvalidClientID": (400, "Invalid Client ID."),
    "ApiClient.UsedByIntegration": (400, "Cannot delete API Client used by a Subscription Integration."),
    "ApiClient.UsedByImpersonationConfig": (400, "Cannot delete API Client used by an impersonation config."),
    "ApiClient.RequiredNotAnonBuyer": (
        400,
        "IsAnonBuyer can be true only when a buyer user is set as the Default Context User.",
    ),
    "ApiClientSecret.MaximumClientSecretsReached": (
        400,
        "The maximum number of client secrets has been reached for this API client.",
    ),
    "ApiClientSecret.InvalidExpirationDate": (400, "Cannot create a client secret that is already expired."),
    "Auth.ClientNotActive": (400, "Client ID is not active."),
    "Auth.CompanyNotActive": (400, "User's organization is not active."),
    "Auth.InsufficientRoles": (403, "User does not have role(s) required to perform this action."),
    "Auth.InvalidUsernameOrPassword": (400, "Invalid username or password."),
    "Auth.OauthError": (400, "invalid"),
    "Auth.TokenRevoked": (401, "The provided token has been revoked. Please re-authenticate."),
    "Auth.UnauthorizedRole": (401, "User is not authorized."),
    "Auth.UserNotActive": (400, "User is not active."),
    "Auth.UserNotAuthorizedToAdmin": (
        403,
        "Reading and/or Administering certain resources is forbidden for certain user types regardless of role(s).",
    ),
    "Auth.UserNotFound": (400, "User not found."),
    "Auth.UsernameAndPasswordRequired": (400, "Both username and password are required."),
    "IntegrationEvent.CannotDeleteInUse": (400, "The IntegrationEvent cannot be deleted because it is in use."),
    "IntegrationEvent.CannotEditType": (400, "The EventType can't be changed once the event is created."),
    "IntegrationEvent.IncompatibleEventType": (
        400,
        "The referenced IntegrationEvent must reference an IntegrationEvent with the correct EventType.",
    ),
    "InvalidToken": (401, "Access token is invalid or expired."),
    "List.InvalidPageSize": (400, "pageSize is not valid."),
    "List.InvalidProperty": (400, "Property does not exist."),
    "List.InvalidSearchProperty": (400, "Property is not searchable."),
    "List.InvalidSortProperty": (400, "Property is not sortable."),
    "List.InvalidType": (400, "Value passed is not valid for property type."),
    "SecurityProfile.InvalidPasswordConfiguration": (400, "Password configuration is invalid."),
    "Request.InvalidContentType": (400, "Invalid content type. Please use x-www-form-urlencoded."),
    "Request.InvalidRequestBody": (400, "Request body is invalid or null."),
    "SubscriptionIntegration.CannotUseApiClient": (
        400,
        "Cannot use API Client that has OrderCheckoutIntegrationEventID populated.",
    ),
    "SubscriptionIntegration.DefaultContextUser": (
        400,
        "DefaultContextUser must be defined to use this API Client ID.",
    ),
    "User.CannotDeleteDefaultContextUser": (
        400,
        "Cannot delete a user currently set as the Default Context User (back office user).",
    ),
    "User.UsernameMustBeUnique": (400, "Username already exists in this Marketplace."),
    "Webhook.MissingHashKey": (400, "HashKey is required for this webhook."),
    "Webhook.UrlSchemeHttps": (400, "Webhook URL must be well-formed and secure scheme https is required."),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry of `Errors`: a code of the table above, a better message where there is one, and `Data`."""

    code: str
    message: str = ""
    data: dict[str, Any] | None = None

    @property
    def status(self) -> int:
        """HTTP status that goes with the code."""
        return CODES[self.code][0]

    def entry(self) -> dict[str, Any]:
        """Give the JSON form."""
        return {"ErrorCode": self.code, "Message": self.message or CODES[self.code][1], "Data": self.data}


class ApiError(Exception):
    """A refused request, with every fault that was found in it.

    The status is that of the most general fault: 400 as soon as one of them is a 400, else the first one's.
    `oauth` is the RFC 6749 error name, given for the token endpoint only.
    """

    def __init__(self, *faults: Fault, status: int | None = None, oauth: str | None = None) -> None:
        super().__init__(", ".join(fault.code for fault in faults))
        self.faults = faults
        self.oauth = oauth
        statuses = [fault.status for fault in faults]
        self.status = status or (HTTPStatus.BAD_REQUEST if HTTPStatus.BAD_REQUEST in statuses else statuses[0])

    def body(self) -> dict[str, Any]:
        """Give the JSON body: `Errors`, and for the token endpoint the OAuth fields before it."""
        errors = {"Errors": [fault.entry() for fault in self.faults]}
        if self.oauth is None:
            return errors
        return {"error": self.oauth, "error_description": errors["Errors"][0]["Message"], **errors}


def not_found(object_type: str, object_id: str) -> Fault:
    """Make the fault for an unknown ID; JavaScript SDK: `Data.ObjectType` and `Data.ObjectID`."""
    return Fault("NotFound", data={"ObjectType": object_type, "ObjectID": object_id})


def not_found_at(path: str) -> Fault:
    """Make the fault for a path that leads nowhere; a guess: its last two segments are type and ID."""
    *_, kind, last = ("", *path.strip("/").split("/"))
    return not_found(kind, last)


def refuse_if(faults: list[Fault]) -> None:
    """Raise one ApiError with all faults, if there are any."""
    if faults:
        raise ApiError(*faults)
