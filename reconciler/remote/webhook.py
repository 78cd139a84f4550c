"""A URL of the user's choice and a JSON document -> one POST. The one request that does not go to an environment.

Whoever has the URL of a webhook can write to its channel: it is a secret, of which messages show the host alone.
"""

from contextlib import suppress
from typing import Final

import httpx

from reconciler.errors import ReconcilerError
from reconciler.model.dataclass import dataclass
from reconciler.model.json import Json, canonical_text
from reconciler.model.secret import Secret
from reconciler.remote.failures import EXCEPTIONS, no_answer
from reconciler.remote.hosts import is_loopback
from reconciler.remote.network import Limits
from reconciler.remote.wire import USER_AGENT, http_client

SECONDS: Final = 10.0
"""How long each step may take: a chat must not hold up a nightly job."""
_OK: Final = range(200, 300)


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where to post, with the URL kept out of sight.

    Raises:
        ReconcilerError: it is not a URL, or would show what it is to the network.
    """

    url: Secret

    def __post_init__(self) -> None:
        url = self._parsed()
        if url is None or url.scheme not in {"https", "http"}:
            raise ReconcilerError("the URL to notify is not valid: it must begin with https:// and a host")
        if url.scheme == "http" and not is_loopback(url.host):
            raise ReconcilerError(f"plain http to {url.host} would show the URL to the network", hint="use https")

    @property
    def host(self) -> str:
        """All of it that may be shown."""
        url = self._parsed()
        return url.host if url else ""

    def _parsed(self) -> httpx.URL | None:
        with suppress(httpx.InvalidURL, UnicodeError):  # the latter: its host is malformed Punycode
            url = httpx.URL(self.url.reveal().strip())
            return url if url.host else None
        return None

    def post(self, document: Json, transport: httpx.BaseTransport | None = None) -> None:
        """Send once; a redirect is not followed.

        Raises:
            ReconcilerError: it was not taken, or a variable of the network is unusable.
        """
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
        url, limits = self.url.reveal().strip(), Limits(read=SECONDS)
        try:
            with http_client((), limits, at_a_time=1, base_url=url, transport=transport) as http:
                status = http.post(url, content=canonical_text(document), headers=headers).status_code
        except tuple(EXCEPTIONS) as error:
            raise ReconcilerError(f"{self.host} could not be notified: {no_answer(error).reason}") from None
        if status not in _OK:
            raise ReconcilerError(f"{self.host} did not accept the notification: it answered {status}")
