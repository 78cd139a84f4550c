"""Send calls over one wire, with the token, the limit of concurrent requests, and retries."""

from collections.abc import Callable, Collection
from dataclasses import field
from typing import Final

from reconciler.errors import ReconcilerError
from reconciler.model.dataclass import dataclass
from reconciler.model.secret import Secret
from reconciler.remote.auth import Credentials, Grant, TokenSource, login_call
from reconciler.remote.failures import accept, not_executed
from reconciler.remote.hosts import Origin
from reconciler.remote.http import Wire, checked
from reconciler.remote.messages import Answer, Call, MalformedAnswer, Result, object_in, unusable
from reconciler.remote.network import HttpLimits
from reconciler.remote.throttle import THROTTLED, AdaptiveLimit, Retries, RetryPolicy, is_temporary, may_retry

UNAUTHORIZED: Final = 401


@dataclass(frozen=True, slots=True)
class Connection:
    """A service, the credentials, and the allowed concurrency.

    Raises:
        ReconcilerError: the base URL is invalid.
        GuardRefusal: credentials must not be sent there; see `hosts`.
    """

    base_url: str
    """Scheme and host; kept without a trailing slash."""
    credentials: Credentials
    scope: str = ""
    """Roles to request, separated by spaces; empty: all roles of the user."""
    concurrency: int = 8
    """The maximum number of concurrent requests."""
    limits: HttpLimits = field(default_factory=HttpLimits)
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    allowed_hosts: Collection[Origin] = ()
    """Hosts to which the user allows credentials to be sent, in addition to those that are always allowed."""
    environment: str = ""
    """The name of the environment, for the log of requests."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", checked(self.base_url, self.allowed_hosts))
        if self.concurrency < 1:
            raise ReconcilerError(f"concurrency is {self.concurrency}, but must be at least 1")


class Exchange:
    """Sends calls as one logged-in user. Thread-safe."""

    def __init__(
        self,
        wire: Wire,
        connection: Connection,
        sleep: Callable[[float], None] | None,
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        """Create an exchange. It waits with `sleep`; None: real time, until `Retries.stop`."""
        self.wire = wire
        self.connection = connection
        self._limit = AdaptiveLimit(connection.concurrency, clock)
        self.retries = Retries(connection.retries, random)
        self.sleep = sleep or self.retries.wait
        self.tokens = TokenSource(lambda: self._logged_in(login_call(connection.credentials, connection.scope)), clock)

    def send(self, call: Call, *, attempt: int | None = None) -> Answer:
        """Send a call. A refused token is renewed once; a call with status 401 has written nothing.

        Args:
            call: the request.
            attempt: the number of this attempt, for a caller that reads between attempts; None: retried here.

        Raises:
            NotExecuted: with `attempt`: the call was not executed, and can be sent again now.
            RemoteError: the call was not executed, or that is unknown, depending on the class.
        """
        # The token comes before the slot: a thread that waits for a login must not occupy a slot that the login needs.
        token = sent = self.tokens.current()
        result, attempts = self._send_with_retries(call, token, attempt)
        if isinstance(result, Answer) and result.status == UNAUTHORIZED:
            self.tokens.invalidate(token)
            token = self.tokens.current()
            if attempt == 1:
                raise not_executed(call)
            if attempt is None:
                result, attempts = self._send_with_retries(call, token)
        return accept(call, result, attempts=attempts, hidden=(sent, token, *self.connection.credentials.secrets))

    def try_login(self, credentials: Credentials) -> Grant:
        """Log in with other credentials. The token is not used for calls.

        Raises:
            RemoteError: the login was refused, or there was no usable response.
        """
        return self._logged_in(login_call(credentials, ""))

    def _logged_in(self, call: Call) -> Grant:
        result, attempts = self._send_with_retries(call, None)
        answer = accept(call, result, attempts=attempts)
        try:
            return Grant.of(object_in(call, answer))
        except MalformedAnswer as fault:
            raise unusable(call, answer, str(fault)) from None

    def _send_with_retries(self, call: Call, token: Secret | None, attempt: int | None = None) -> tuple[Result, int]:
        """Send until there is a final response or no attempt is left; returns the last result and how many there were.

        Raises:
            NotExecuted: see `send`.
        """
        attempts = attempt or 1
        if attempts == 1:
            self.retries.count_request()
        while True:
            result = self._send_in_slot(call, token)
            repeatable = may_retry(call, result)
            # The wait is here, also for a caller that reads before the next attempt.
            pause = self.retries.pause(attempts, result) if repeatable or (attempt and is_temporary(result)) else None
            if pause is None:
                return result, attempts
            self.sleep(pause)
            if self.retries.is_over or not repeatable:
                return result, attempts
            self.wire.meter.retried()
            if attempt:
                raise not_executed(call)
            attempts += 1

    def _send_in_slot(self, call: Call, token: Secret | None) -> Result:
        with self._limit.slot() as slot:
            if slot.delay:
                self.sleep(slot.delay)
            result = self.wire.send(call, token)
        if isinstance(result, Answer) and result.status == THROTTLED:
            self._limit.throttled(slot)
        else:
            self._limit.served(result.seconds)
        return result
