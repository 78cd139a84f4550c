"""What went wrong -> the error bodies of the API, and the exceptions which a caller of the emulator may meet.

EmulatorError
    SeedError           the seed file is not what it should be
    StateError          the state file cannot be used
    FaultSpecError      a fault specification cannot be read
DroppedConnection       an injected fault: no answer (in process only; over a socket the connection just closes)
ApiError                inside: becomes an answer with an `Errors` body, never leaves the emulator
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from reconciler.emulator.codes import CODES


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
