"""An exception of httpx -> what is known of the request that ended in it."""

import re
import ssl
from collections.abc import Mapping
from typing import Final

import httpx

from reconciler.remote.messages import NoAnswer, RequestState

EXCEPTIONS: Final[Mapping[type[Exception], tuple[RequestState, str]]] = {
    httpx.ConnectError: (RequestState.NEVER_SENT, "no connection"),
    httpx.ConnectTimeout: (RequestState.NEVER_SENT, "no connection in time"),
    httpx.PoolTimeout: (RequestState.NEVER_SENT, "no free connection in time"),
    httpx.ProxyError: (RequestState.NEVER_SENT, "the proxy refused to connect"),
    httpx.InvalidURL: (RequestState.UNSENDABLE, "the address is not a valid URL"),
    httpx.UnsupportedProtocol: (RequestState.UNSENDABLE, "the address has an unknown scheme"),
    httpx.ReadTimeout: (RequestState.LOST, "no whole answer in time"),
    httpx.WriteTimeout: (RequestState.LOST, "the request could not be sent in time"),
    httpx.TimeoutException: (RequestState.LOST, "no whole answer in time"),
    httpx.ReadError: (RequestState.LOST, "the connection broke while the answer was read"),
    httpx.WriteError: (RequestState.LOST, "the connection broke while the request was sent"),
    httpx.CloseError: (RequestState.LOST, "the connection broke"),
    httpx.NetworkError: (RequestState.LOST, "the connection broke"),
    httpx.RemoteProtocolError: (RequestState.LOST, "the connection ended before a whole answer"),
    httpx.LocalProtocolError: (RequestState.LOST, "the request was not valid HTTP"),
    httpx.ProtocolError: (RequestState.LOST, "the exchange was not valid HTTP"),
    httpx.TransportError: (RequestState.LOST, "the connection broke"),
    httpx.RequestError: (RequestState.LOST, "the exchange failed"),
    httpx.HTTPError: (RequestState.LOST, "the exchange failed"),
    httpx.StreamError: (RequestState.LOST, "the answer could not be read"),
    httpx.StreamClosed: (RequestState.LOST, "the answer could not be read"),
    httpx.StreamConsumed: (RequestState.LOST, "the answer could not be read"),
    httpx.ResponseNotRead: (RequestState.LOST, "the answer could not be read"),
    httpx.RequestNotRead: (RequestState.LOST, "the request could not be read"),
    httpx.DecodingError: (RequestState.UNREADABLE, "the answer's compression is damaged"),
    httpx.TooManyRedirects: (RequestState.UNREADABLE, "the answer redirects in circles"),
    httpx.CookieConflict: (RequestState.UNREADABLE, "the answer's cookies contradict one another"),
    httpx.HTTPStatusError: (RequestState.UNREADABLE, "the answer's status is an error"),
    OSError: (RequestState.LOST, "the connection broke"),
}
"""Every exception that httpx has, and what is known of the request. OSError: from transports that are not httpx's own.

Subclasses are looked up through their bases. Where it is unclear whether anything was sent, it counts as sent.
"""

_STATUS: Final = re.compile(r"[1-5]\d\d\b")


def no_answer(error: Exception) -> NoAnswer:
    """Say what is known of a request that ended in this exception, one of `EXCEPTIONS` or a subclass."""
    root = _system_error(error)
    if isinstance(root, ssl.SSLCertVerificationError):
        return _not_trusted(error, root.verify_message)
    if isinstance(error, httpx.ProxyError):
        return _turned_away(error)
    state, reason = next(EXCEPTIONS[cls] for cls in type(error).__mro__ if cls in EXCEPTIONS)
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        reason += _whither(error)
    # Only the operating system's words are shown: the messages of HTTP libraries quote headers.
    return NoAnswer(state, f"{reason}: {root.strerror}" if root and root.strerror else reason, error)


def _whither(error: httpx.TransportError) -> str:
    """The host, which a mistyped base URL shows in, where the error knows its request."""
    try:
        return f" to {error.request.url.host}"
    except RuntimeError:
        return ""


def _not_trusted(error: Exception, why: str) -> NoAnswer:
    hint = "name the certificate authority's file in SSL_CERT_FILE, if your network has one of its own"
    return NoAnswer(RequestState.UNSENDABLE, f"the server's certificate was not accepted: {why}", error, hint)


def _turned_away(error: httpx.ProxyError) -> NoAnswer:
    """A proxy that answers 4xx to CONNECT will do so again: its password is wrong, or the host is not allowed."""
    state, reason = EXCEPTIONS[httpx.ProxyError]
    status = _STATUS.match(str(error))
    if status is None:
        return NoAnswer(state, reason, error)
    state = RequestState.UNSENDABLE if status[0].startswith("4") else state
    return NoAnswer(state, f"{reason}: it answered {status[0]}", error, "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY")


def unreadable(reason: str) -> NoAnswer:
    """An answer came that cannot be taken in."""
    return NoAnswer(RequestState.UNREADABLE, reason, httpx.DecodingError(reason))


def _system_error(error: BaseException | None) -> OSError | None:
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error
