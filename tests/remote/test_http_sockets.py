"""What only a real connection shows: the libraries' loggers, refused and torn connections, proxies, TLS."""

import json
import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from reconciler.errors import AnswerLost, Unreachable
from reconciler.model.secret import Secret
from reconciler.remote.client import ReadClient, open_reader, open_writer
from reconciler.remote.exchange import Connection
from reconciler.remote.hosts import allowed_origin
from reconciler.remote.http import Webhook
from reconciler.remote.throttle import RetryPolicy
from tests.remote.service import CLIENT_SECRET, CREDENTIALS

TOKEN = "canary-token"
SETTINGS = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


class Handler(BaseHTTPRequestHandler):
    """Logs in anybody, is ``me`` to everybody, and tears the answers to writes."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append(self.path)  # type: ignore[attr-defined]  # ours, see `serving`
        self._say({"ID": "me"})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._say({"access_token": TOKEN, "expires_in": 600})

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._say({"ID": "a"}, missing=3)
        self.close_connection = True

    def _say(self, body: object, missing: int = 0) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Set-Cookie", "canary-cookie=1")
        self.end_headers()
        self.wfile.write(content[: len(content) - missing])

    def log_message(self, *_: object) -> None:
        """Say nothing on stderr."""


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.seen = []  # type: ignore[attr-defined]  # the paths that were asked for
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def connection(url: str) -> Connection:
    allowed = {allowed_origin("http://shop.example:9")}
    return Connection(url, CREDENTIALS, retries=RetryPolicy(attempts=2, first_pause=0.0), allowed_hosts=allowed)


def reader(url: str) -> ReadClient:
    return open_reader(connection(url))


def url_of(server: ThreadingHTTPServer, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{server.server_port}"


def test_no_logger_shows_a_header_a_body_or_a_token_even_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serving() as server, reader(url_of(server)) as client:
        assert client.me() == {"ID": "me"}
    assert "GET /v1/me answered 200" in caplog.text
    assert {record.name for record in caplog.records} == {"reconciler.remote"}
    for canary in (TOKEN, CLIENT_SECRET, "canary-cookie", "Bearer"):
        assert canary not in caplog.text


def test_no_logger_shows_the_url_to_notify(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serving() as server:
        Webhook(Secret(f"{url_of(server)}/canary-hook")).post({})
    assert "canary-hook" not in caplog.text


def test_the_requests_of_other_code_are_logged_as_ever(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serving() as server, reader(url_of(server)) as client, httpx.Client(trust_env=False) as other:
        client.me()
        other.get(f"{url_of(server)}/v1/other")
    assert "/v1/other" in "".join(record.getMessage() for record in caplog.records if record.name == "httpx")
    assert {record.name for record in caplog.records} >= {"httpx", "httpcore.connection", "httpcore.http11"}


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def test_a_refused_connection_is_unreachable_in_the_systems_words() -> None:
    with reader(f"http://127.0.0.1:{closed_port()}") as client, pytest.raises(Unreachable) as caught:
        client.me()
    assert "no connection to 127.0.0.1: Connection refused (2 attempts)" in caught.value.message
    assert "base URL" in caught.value.hint


def test_an_answer_that_is_torn_off_leaves_a_write_open() -> None:
    torn = pytest.raises(AnswerLost, match="the connection was closed before a complete response")
    with serving() as server, open_writer(connection(url_of(server))) as client, torn:
        client.put("/apiclients", "a", {})


def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as proxy:
        monkeypatch.setenv("HTTP_PROXY", url_of(proxy))
        with reader("http://shop.example:9") as client:
            assert client.me() == {"ID": "me"}
        assert proxy.seen == ["http://shop.example:9/v1/me"]  # type: ignore[attr-defined]  # ours, see `serving`


def test_what_goes_to_this_machine_is_not_shown_to_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    with serving() as server, reader(url_of(server)) as client:
        assert client.me() == {"ID": "me"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1, signed by itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(hours=1))
    host = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    signed = builder.add_extension(host, critical=False).sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path: Path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


@contextmanager
def serving_tls(certificate: Path) -> Iterator[ThreadingHTTPServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(context) as server:
        yield server


def test_a_certificate_that_nobody_vouches_for_is_refused_at_once_with_the_way_out(certificate: Path) -> None:
    refused = pytest.raises(Unreachable, match="certificate was not accepted")
    with serving_tls(certificate) as server, reader(url_of(server, "https")) as client, refused as caught:
        client.me()
    assert "attempts" not in caught.value.message
    assert "SSL_CERT_FILE" in caught.value.hint


def test_an_authority_named_in_ssl_cert_file_is_accepted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving_tls(certificate) as server, reader(url_of(server, "https")) as client:
        assert client.me() == {"ID": "me"}
