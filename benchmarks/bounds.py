"""What no tool of this kind can do without, as bare as it can be written: the bounds that commands are compared with.

``bounds.py parse FOLDER``: every manifest of a folder into data with positions.
``bounds.py fetch URL``: login, me and all pages of the list, one after another, into data.
``bounds.py load URL CONNECTIONS REQUESTS``: as many reads and replacements as a service will take.
"""

import asyncio
import http.client
import json
import sys
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import data

from reconciler import document

_PAGE: Final = 100


def parse(folder: Path) -> None:
    """Read every file."""
    for path in sorted(folder.iterdir()):
        document.read(path, path.name)


def fetch(url: str) -> None:
    """Read the whole list by pages of a hundred."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)

    def ask(method: str, target: str) -> dict[str, object]:
        connection.request(method, target)
        answer: dict[str, object] = json.loads(connection.getresponse().read())
        return answer

    ask("POST", "/oauth/token")
    ask("GET", "/v1/me")
    read, last = 0, ""
    while True:
        page = ask("GET", f"/v1/apiclients?pageSize={_PAGE}&sortBy=ID" + (f"&ID=%3E{last}" if last else ""))
        items = page["Items"]
        if not isinstance(items, list) or not items:
            return
        read, last = read + len(items), items[-1]["ID"]


async def _send_and_read(url: str, requests: int, number: int) -> None:
    """One connection that sends the next request when the answer to the last one is there."""
    reader, writer = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
    body = next(iter(data.bodies(number + 1)))
    content = json.dumps({name: value for name, value in body.items() if name != "ID"}).encode()
    put = b"PUT /v1/apiclients/%b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b"
    text = put % (str(body["ID"]).encode(), len(content), content)
    for _ in range(requests):
        writer.write(text)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length"))
        await reader.readexactly(int(length.partition(b":")[2]))
    writer.close()


async def load(url: str, connections: int, requests: int) -> None:
    """Replace objects over several connections at a time."""
    await asyncio.gather(*(_send_and_read(url, requests // connections, number) for number in range(connections)))


def main() -> None:
    """Be the bound that the command line names."""
    match sys.argv[1:]:
        case ["parse", folder]:
            parse(Path(folder))
        case ["fetch", url]:
            fetch(url)
        case ["load", url, connections, requests]:
            asyncio.run(load(url, int(connections), int(requests)))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
