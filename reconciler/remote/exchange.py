"""Connection, call -> Answer or an error: the token, the limit of requests at a time, and retries around one wire."""

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
from reconciler.remote.network import Limits
from reconciler.remote.throttle import THROTTLED, AdaptiveLimit, Retries, RetryPolicy, may_pass, may_retry

UNAUTHORIZED: Final = 401


@dataclass(frozen=True, slots=True)
class Connection:
    """A service, the credentials, and the allowed concurrency.

    Raises:
        ReconcilerError: the base URL is none.
        GuardRefusal: credentials may not be sent there, see `hosts`.
    """

    base_url: str
    """Scheme and host; kept without a trailing slash."""
    credentials: Credentials
    scope: str = ""
    """Roles to request, separated by spaces; empty: all that the user has."""
    concurrency: int = 8
    """Requests at a time, reads and writes together."""
    limits: Limits = field(default_factory=Limits)
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    allowed_hosts: Collection[Origin] = ()
    """Hosts to which the user allows credentials to be sent, besides those that are always allowed."""
    environment: str = ""
    """Its name, for the log of requests."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", checked(self.base_url, self.allowed_hosts))
        if self.concurrency < 1:
            raise ReconcilerError(f"concurrency is {self.concurrency}: at least 1 is needed")


class Exchange:
    """Carries out calls as one logged-in user. Thread-safe."""

    def __init__(
        self,
        wire: Wire,
        connection: Connection,
        sleep: Callable[[float], None] | None,
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        """Waits with `sleep`; None: in real time, until `Retries.stop`."""
        self.wire = wire
        self.connection = connection
        self._limit = AdaptiveLimit(connection.concurrency, clock)
        self.retries = Retries(connection.retries, random)
        self.sleep = sleep or self.retries.wait
        self.tokens = TokenSource(lambda: self._logged_in(login_call(connection.credentials, connection.scope)), clock)

    def send(self, call: Call, *, attempt: int | None = None) -> Answer:
        """Carry out a call. A token that the service refuses in mid-run is renewed once; a 401 has written nothing.

        Args:
            call: what is asked.
            attempt: which attempt of it this is, for a caller that looks before each; None: it is repeated from here.

        Raises:
            NotExecuted: for a caller that looks: it was not carried out, it was waited, and it may be sent again.
            RemoteError: it was not carried out, or that is unknown: the class says which.
        """
        # The token comes before the slot: a thread that waits for a login must not hold what the login needs.
        token = sent = self.tokens.current()
        result, attempts = self._persist(call, token, attempt)
        if isinstance(result, Answer) and result.status == UNAUTHORIZED:
            self.tokens.invalidate(token)
            token = self.tokens.current()
            if attempt == 1:
                raise not_executed(call)
            if attempt is None:
                result, attempts = self._persist(call, token)
        return accept(call, result, attempts=attempts, hidden=(sent, token, *self.connection.credentials.secrets))

    def try_login(self, credentials: Credentials) -> Grant:
        """Log in with other credentials. Their token is not used.

        Raises:
            RemoteError: the login was refused, or there was no usable answer.
        """
        return self._logged_in(login_call(credentials, ""))

    def _logged_in(self, call: Call) -> Grant:
        result, attempts = self._persist(call, None)
        answer = accept(call, result, attempts=attempts)
        try:
            return Grant.of(object_in(call, answer))
        except MalformedAnswer as fault:
            raise unusable(call, answer, str(fault)) from None

    def _persist(self, call: Call, token: Secret | None, attempt: int | None = None) -> tuple[Result, int]:
        """Send until there is a final answer, or no more tries; gives the last result and the number of attempts.

        Raises:
            NotExecuted: see `send`.
        """
        tried = attempt or 1
        if tried == 1:
            self.retries.count_request()
        while True:
            result = self._send_in_slot(call, token)
            repeatable = may_retry(call, result)
            # A caller that looks before the next attempt does not have to wait itself.
            pause = self.retries.pause(tried, result) if repeatable or (attempt and may_pass(result)) else None
            if pause is None:
                return result, tried
            self.sleep(pause)
            if self.retries.is_over or not repeatable:
                return result, tried
            self.wire.meter.retried()
            if attempt:
                raise not_executed(call)
            tried += 1

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
