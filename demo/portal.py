"""Makes one request as the portal would, for the walkthroughs in docs/: portal.py METHOD URL [JSON].

It logs in with OC_CLIENT_ID and OC_CLIENT_SECRET, and needs only Python.
"""

import json
import os
import sys
from urllib.parse import urlencode, urljoin
from urllib.request import Request, urlopen


def send(method: str, url: str, data: bytes | None, headers: dict[str, str]) -> bytes:
    """Send one request, and return the body of the response."""
    request = Request(url, data, headers, method=method)  # noqa: S310  # the address of the reader's own emulator
    with urlopen(request) as response:  # noqa: S310  # the same
        content: bytes = response.read()
    return content


def main(method: str, url: str, *body: str) -> None:
    """Log in, then send the request."""
    client, secret = os.environ["OC_CLIENT_ID"], os.environ["OC_CLIENT_SECRET"]
    form = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}
    token = json.loads(send("POST", urljoin(url, "/oauth/token"), urlencode(form).encode(), {}))["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    send(method, url, body[0].encode() if body else None, headers)


if __name__ == "__main__":
    main(*sys.argv[1:])
