"""What the pipeline may ask of a service: one type that reads, one that also writes. The modules are its HTTP client.

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
"""What is sent: a body whose secret values are still `Secret`; they are opened while the request is written."""


NO_FILTERS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether the service takes a secret for a client's."""

    accepted: bool
    reason: str = ""
    """Why it does not, or why that is unknown."""
    is_tried: bool = True
    """Whether the service looked at the secret at all: through a client that is not active, it need not."""


class ReadRemote(Protocol):
    """A logged-in view of one marketplace. Thread-safe. Every method raises a `RemoteError` of `errors`."""

    @property
    def base_url(self) -> str:
        """Scheme and host, without a trailing slash."""

    @property
    def client_id(self) -> str:
        """The API client that the credentials log in through."""

    def access(self) -> Access:
        """The access of the login; logs in if there is no token yet."""

    def me(self) -> Body:
        """``GET /v1/me``: the user that the credentials act as."""

    def list_all(
        self, path: str, *, key: str | None = "ID", filters: Sequence[Mapping[str, str]] = ()
    ) -> list[dict[str, Json]]:
        """Every item of a list (``/apiclients``), or an error; never half a list.

        Args:
            path: below ``/v1``, without a query.
            key: the field that identifies an item and that the list can be sorted by; None for lists of rows
                without one (``/apiclients/assignments``).
            filters: field -> value, in the service's filter language (``*`` stands for anything): every item that one
                of these lets through comes back, and perhaps more; all items where that takes fewer requests.
        """

    def pages(self, path: str) -> int:
        """How many requests it takes to read a list, found by one."""

    def get(self, path: str, object_id: str) -> dict[str, Json]:
        """One object, ``{path}/{id}``.

        Raises:
            NotFound: the service says that there is no such object; nothing else means so.
        """

    def single(self, path: str) -> dict[str, Json]:
        """The object that is alone at its path.

        Raises:
            NotFound: the service says that there is none.
        """

    def proves(self, client_id: str, secret: Secret, tries: int = 1) -> Proof:
        """Try to log in through a client with one of its secrets. Nothing is changed, and the token is forgotten.

        Args:
            client_id: the client's.
            secret: the secret.
            tries: how often one that is refused is tried; a new one may take the service a moment to know.

        Raises:
            RemoteError: there was no usable answer.
        """

    def has_secret(self, client_id: str) -> bool:
        """Whether a login through a client is refused because of a wrong secret, so that there is a right one.

        Raises:
            RemoteError: there was no usable answer.
        """


class WriteRemote(ReadRemote, Protocol):
    """A view that may also write. After a lost answer, the caller must read.

    A write that was turned away (429, no connection, a token that had to be renewed) is sent again after a wait, unless
    the caller counts its attempts: then each call sends it once, waits where time may help, also after a lost answer,
    and the caller reads the object again in between.

    Raises:
        NotExecuted: of a write whose attempts are counted: it was not carried out, and it is time to try again.
        AnswerLost: the request was sent and nobody knows whether it was carried out.
    """

    def put(self, path: str, object_id: str | None, body: WireBody, *, attempt: int | None = None) -> dict[str, Json]:
        """Replace one object; gives the service's answer. Secret values in the body are `Secret`."""

    def patch(self, path: str, object_id: str | None, body: WireBody, *, attempt: int | None = None) -> dict[str, Json]:
        """Change some fields of one object; gives the service's answer. Idempotent."""

    def post(self, path: str, body: WireBody, *, attempt: int | None = None) -> dict[str, Json]:
        """Create one object; gives the service's answer, an empty object where the answer has no body."""

    def delete(
        self,
        path: str,
        object_id: str | None = None,
        *,
        query: Mapping[str, str] = NO_FILTERS,
        attempt: int | None = None,
    ) -> None:
        """Delete one object; without an id, what the path and the query name."""

    def prove_login(self) -> None:
        """Log in again, and use the new token from now on.

        Raises:
            RemoteError: the login failed; the previous token stays in use while it is valid.
        """


class SecretRemote(WriteRemote, Protocol):
    """A view that may also make and change the secrets that the service keeps beside its objects."""

    def post_for_secret(self, path: str, body: Body, value_field: str) -> tuple[dict[str, Json], Secret]:
        """Create one object whose answer shows a secret, this once; gives the answer less the secret, and the secret.

        Raises:
            AnswerLost: it may have been created, and its secret is lost.
        """


_PLAIN: Final = r"[\w.@ +-]"
"""Characters without a special meaning in filters; others, like quotes and commas, are avoided."""
_HEAD: Final = re.compile(rf"{_PLAIN}*")
_TAIL: Final = re.compile(rf"{_PLAIN}*\Z")
_LONGEST: Final = 200
"""Characters of a filter: the service takes URLs of about 2,000, in which one character may be twelve."""


def at_least(text: str) -> str:
    """The narrowest filter that certainly matches the text."""
    head = _HEAD.match(text[:_LONGEST])
    found = head[0] if head else ""
    if found == text:
        return text
    tail = _TAIL.search(text[-_LONGEST:])
    return f"{found}*" if found or not tail else f"*{tail[0]}"
