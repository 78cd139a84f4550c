"""The protocols of a service: one that reads, one that also writes. The modules of this package are the HTTP client.

Commands that must not write get a `ReadRemote`, which has no method that writes.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias

from reconciler.model.dataclass import dataclass
from reconciler.model.inputs import Access
from reconciler.model.json import Body, Json
from reconciler.model.secret import Secret

WireBody: TypeAlias = Mapping[str, Json | Secret]
"""A body to send. Secret values are `Secret` and are revealed when the request is encoded."""


NO_FILTERS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether the service accepts a secret of a client."""

    accepted: bool
    reason: str = ""
    """Why the secret is not accepted, or why that is unknown."""
    is_tried: bool = True
    """Whether the service checked the secret, which it may not do for an inactive client."""


class ReadRemote(Protocol):
    """A logged-in view of one marketplace. Thread-safe. Every method raises a `RemoteError` of `errors`."""

    @property
    def base_url(self) -> str:
        """Scheme and host, without a trailing slash."""

    @property
    def client_id(self) -> str:
        """The login client."""

    def access(self) -> Access:
        """The access of the login; logs in if there is no token yet."""

    def me(self) -> Body:
        """``GET /v1/me``: the user of the login."""

    def list_all(
        self, path: str, *, key: str | None = "ID", filters: Sequence[Mapping[str, str]] = ()
    ) -> list[dict[str, Json]]:
        """Every item of a list (``/apiclients``), or an error; never a part of the list.

        Args:
            path: below ``/v1``, without a query.
            key: the field that identifies an item and that the list can be sorted by; None for lists of rows
                without one (``/apiclients/assignments``).
            filters: field -> value, in the service's filter language (``*`` matches anything): every item that one
                of these matches is returned, and maybe others; all items if that takes fewer requests.
        """

    def pages(self, path: str) -> int:
        """How many requests it takes to read a list. Sends one request."""

    def get(self, path: str, object_id: str) -> dict[str, Json]:
        """One object, ``{path}/{id}``.

        Raises:
            NotFound: the service reported that there is no such object. No other error means that.
        """

    def single(self, path: str) -> dict[str, Json]:
        """The single object of a path.

        Raises:
            NotFound: the service reported that there is none.
        """

    def proves(self, client_id: str, secret: Secret, tries: int = 1) -> Proof:
        """Verify a secret of a client by a login. Changes nothing; the token is discarded.

        Args:
            client_id: the id of the client.
            secret: the secret.
            tries: how often to try a refused secret; the service may not know a new one at once.

        Raises:
            RemoteError: there was no usable response.
        """

    def has_secret(self, client_id: str) -> bool:
        """Whether a login through a client with a wrong secret is refused for that, which shows that it has a secret.

        Raises:
            RemoteError: there was no usable response.
        """


class WriteRemote(ReadRemote, Protocol):
    """A view that can also write. After a lost response, the caller must read.

    A write that was refused unexecuted (429, no connection, a token to renew) is sent again after a wait, unless
    the caller counts its attempts: then each call sends it once, waits if that can help, also after a lost response,
    and the caller reads the object again in between.

    Raises:
        NotExecuted: a write with counted attempts was not executed, and can be sent again now.
        AnswerLost: the request was sent, and it is unknown whether it was executed.
    """

    def put(self, path: str, object_id: str | None, body: WireBody, *, attempt: int | None = None) -> dict[str, Json]:
        """Replace one object; returns the service's response. Secret values in the body are `Secret`."""

    def patch(self, path: str, object_id: str | None, body: WireBody, *, attempt: int | None = None) -> dict[str, Json]:
        """Change some fields of one object; returns the service's response. Idempotent."""

    def post(self, path: str, body: WireBody, *, attempt: int | None = None) -> dict[str, Json]:
        """Create one object; returns the service's response, an empty object if that has no body."""

    def delete(
        self,
        path: str,
        object_id: str | None = None,
        *,
        query: Mapping[str, str] = NO_FILTERS,
        attempt: int | None = None,
    ) -> None:
        """Delete one object; without an id, the one that path and query name."""

    def prove_login(self) -> None:
        """Log in again and use the new token.

        Raises:
            RemoteError: the login failed; the previous token is used while it is valid.
        """


class SecretRemote(WriteRemote, Protocol):
    """A view that can also create and change named secrets."""

    def post_for_secret(self, path: str, body: Body, value_field: str) -> tuple[dict[str, Json], Secret]:
        """Create one object whose response has its secret, once; returns the response without it, and the secret.

        Raises:
            AnswerLost: the object may have been created, and its secret is lost.
        """


_PLAIN: Final = r"[\w.@ +-]"
"""Characters without a special meaning in filters. Others, like quotes and commas, are not used."""
_HEAD: Final = re.compile(rf"{_PLAIN}*")
_TAIL: Final = re.compile(rf"{_PLAIN}*\Z")
_LONGEST: Final = 200
"""The maximum length of a filter: the service accepts URLs of about 2,000, and one character may be encoded as 12."""


def at_least(text: str) -> str:
    """The narrowest filter that is certain to match the text."""
    head = _HEAD.match(text[:_LONGEST])
    found = head[0] if head else ""
    if found == text:
        return text
    tail = _TAIL.search(text[-_LONGEST:])
    return f"{found}*" if found or not tail else f"*{tail[0]}"
