"""What no tool of this kind can do without, as bare as it can be written: the bounds that commands are compared with.

``bounds.py parse FOLDER``: every manifest of a folder into data with positions.
``bounds.py fetch URL``: login, me and all pages of the list, one after another, into data.
``bounds.py pages URL``: the same through httpx, eight pages at a time, which is what `plan` sends its requests with.
``bounds.py load URL CONNECTIONS REQUESTS``: as many replacements as a service will take.
``bounds.py apply URL CONNECTIONS CLIENTS``: the requests of an apply that changes every client, and nothing else.
``bounds.py pool URL CONNECTIONS CLIENTS``: the same requests through httpx and a pool of as many threads.
"""

import asyncio
import http.client
import itertools
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import data
import httpx

from reconciler.manifests import yaml as document

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


Ask: TypeAlias = Callable[[bytes, str, bytes], Awaitable[bytes]]
"""Method, target, body -> body, over one connection."""


@asynccontextmanager
async def _connection(url: str) -> AsyncIterator[Ask]:
    """One connection that sends the next request when the answer to the last one is there."""
    reader, writer = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)

    async def ask(method: bytes, target: str, body: bytes = b"") -> bytes:
        head = b"%b %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b"
        writer.write(head % (method, target.encode(), len(body), body))
        lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        length = next(line for line in lines if line.startswith(b"Content-Length"))
        return await reader.readexactly(int(length.partition(b":")[2]))

    yield ask
    writer.close()


def _objects(count: int) -> Iterator[tuple[str, bytes]]:
    """Where each object is, and what it may be replaced with."""
    for body in data.bodies(count):
        content = {name: value for name, value in body.items() if name != "ID"}
        yield f"/v1/apiclients/{body['ID']}", json.dumps(content).encode()


async def load(url: str, connections: int, requests: int) -> None:
    """Replace objects over several connections at a time."""

    async def replace(target: str, content: bytes) -> None:
        async with _connection(url) as ask:
            for _ in range(requests // connections):
                await ask(b"PUT", target, content)

    await asyncio.gather(*itertools.starmap(replace, _objects(connections)))


async def apply(url: str, connections: int, clients: int) -> None:
    """Send what an apply that changes every client has to send, in the order in which it depends on one another.

    Login, me and all pages; then a look at each object before its replacement, so many at a time; then all pages again.
    """
    pages = [f"/v1/apiclients?page={number}&pageSize={_PAGE}" for number in range(1, 1 + -(-clients // _PAGE))]
    changes = [[(b"GET", target, b""), (b"PUT", target, content)] for target, content in _objects(clients)]
    async with AsyncExitStack() as stack:
        free = [await stack.enter_async_context(_connection(url)) for _ in range(connections)]

        async def work(ask: Ask, left: Iterator[list[tuple[bytes, str, bytes]]]) -> None:
            for steps in left:
                for step in steps:
                    await ask(*step)

        async def send(all_steps: list[list[tuple[bytes, str, bytes]]]) -> None:
            left = iter(all_steps)
            await asyncio.gather(*(work(ask, left) for ask in free))

        for first in ("POST /oauth/token", "GET /v1/me", f"GET {pages[0]}"):
            method, _, target = first.partition(" ")
            await free[0](method.encode(), target, b"")
        await send([[(b"GET", page, b"")] for page in pages[1:]])
        await send(changes)
        await free[0](b"GET", pages[0], b"")
        await send([[(b"GET", page, b"")] for page in pages[1:]])


def pages(url: str) -> None:
    """Read the whole list through httpx."""
    with httpx.Client(base_url=url) as http, ThreadPoolExecutor(8) as pool:

        def read(number: int) -> dict[str, object]:
            answer: dict[str, object] = http.get(f"/v1/apiclients?page={number}&pageSize={_PAGE}").json()
            return answer

        http.post("/oauth/token")
        http.get("/v1/me")
        meta = read(1)["Meta"]
        total = meta["TotalPages"] if isinstance(meta, dict) else 1
        list(pool.map(read, range(2, total + 1)))


def pooled(url: str, connections: int, clients: int) -> None:
    """Send through httpx what `apply` sends over bare connections."""
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    with httpx.Client(base_url=url, limits=limits) as http, ThreadPoolExecutor(connections) as pool:
        pages = [f"/v1/apiclients?page={number}&pageSize={_PAGE}" for number in range(1, 1 + -(-clients // _PAGE))]

        def change(one: tuple[str, bytes]) -> None:
            http.get(one[0]).json()
            http.put(one[0], content=one[1]).json()

        http.post("/oauth/token")
        http.get("/v1/me")
        list(pool.map(http.get, pages))
        list(pool.map(change, _objects(clients)))
        list(pool.map(http.get, pages))


def main() -> None:
    """Be the bound that the command line names."""
    match sys.argv[1:]:
        case ["parse", folder]:
            parse(Path(folder))
        case ["fetch", url]:
            fetch(url)
        case ["pages", url]:
            pages(url)
        case ["pool", url, connections, clients]:
            pooled(url, int(connections), int(clients))
        case ["load", url, connections, requests]:
            asyncio.run(load(url, int(connections), int(requests)))
        case ["apply", url, connections, clients]:
            asyncio.run(apply(url, int(connections), int(clients)))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
