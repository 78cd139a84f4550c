"""A number of clients -> the part of Auth0's Management API that auth0-deploy-cli asks for when it imports clients.

Served over TLS on loopback, with a certificate made for the run. ``auth0_stand_in.py COUNT CERTIFICATE`` writes the
certificate for the peer to trust, and says ``listening on https://localhost:PORT`` first. Whatever it is asked for and
does not know is an empty list. ``GET /_bench`` counts the requests by method.
"""

import collections
import ipaddress
import json
import ssl
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def client(number: int) -> dict[str, Any]:
    """One client, as it is in the file that is imported and in the service."""
    return {
        "name": f"Client {number}",
        "app_type": "non_interactive",
        "is_first_party": True,
        "oidc_conformant": True,
        "grant_types": ["client_credentials"],
        "jwt_configuration": {"alg": "RS256", "lifetime_in_seconds": 36000},
    }


def write_certificate(path: Path) -> Path:
    """Write a certificate for localhost; returns the file, which also contains its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    text = certificate.public_bytes(serialization.Encoding.PEM)
    path.write_bytes(text)
    no_password = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password)
    both = Path(tempfile.mkdtemp()) / "both.pem"
    both.write_bytes(text + private)
    return both


class Handler(BaseHTTPRequestHandler):
    """Answers from memory."""

    protocol_version = "HTTP/1.1"
    clients: dict[str, dict[str, Any]]
    seen: collections.Counter[str]

    def do_GET(self) -> None:  # the library's name
        """A page of the clients, one client, or an empty list."""
        url = urlsplit(self.path)
        if url.path == "/_bench":
            self._answer(self.seen)
            return
        self.seen["GET"] += 1
        parts = url.path.strip("/").split("/")
        if parts[-1] == "clients":
            self._answer(self._page(parse_qs(url.query)))
        elif parts[-2:-1] == ["clients"]:
            self._answer(self.clients[parts[-1]])
        else:
            nothing = {parts[-1]: [], "total": 0, "start": 0, "limit": 50}
            self._answer(nothing if "include_totals" in url.query else [])

    def do_POST(self) -> None:
        """A login, or something new."""
        self.seen["POST"] += 1
        self._body()
        self._answer({"access_token": "token", "token_type": "Bearer", "expires_in": 86400})

    def do_PATCH(self) -> None:
        """Change a client, which is then answered whole."""
        self.seen["PATCH"] += 1
        one = self.clients.setdefault(self.path.rsplit("/", 1)[1], {})
        one.update(self._body())
        self._answer(one)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _page(self, query: dict[str, list[str]]) -> dict[str, Any]:
        size, number = int(query.get("per_page", ["50"])[0]), int(query.get("page", ["0"])[0])
        listed = list(self.clients.values())[number * size : (number + 1) * size]
        return {"clients": listed, "start": number * size, "limit": size, "total": len(self.clients)}

    def _body(self) -> dict[str, Any]:
        text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body: dict[str, Any] = json.loads(text) if text.startswith(b"{") else {}
        return body

    def _answer(self, value: object) -> None:
        text = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def main() -> None:
    """Serve until the process is ended."""
    count, certificate = int(sys.argv[1]), Path(sys.argv[2])
    Handler.clients = {f"id{number}": {"client_id": f"id{number}", **client(number)} for number in range(count)}
    Handler.seen = collections.Counter()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(write_certificate(certificate))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print(f"listening on https://localhost:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
