"""What a team would write with the client library `ordercloud-python`: list all clients, and save those that changed.

``peer_ordercloud.py URL LIFETIME AT_A_TIME`` gives every client that refresh-token lifetime, in minutes.
"""

import asyncio
import sys
from typing import Any

import data
from ordercloud import OrderCloudClient, paginate


async def save_all(url: str, lifetime: int, at_a_time: int) -> None:
    """List, and save so many at a time. The library's synchronous client cannot be shared between threads."""
    login: dict[str, Any] = {"client_id": data.OWN_ID, "client_secret": "bench"}
    free = asyncio.Semaphore(at_a_time)
    async with OrderCloudClient.create(**login, base_url=f"{url}/v1", auth_url=f"{url}/oauth/token") as cloud:

        async def save(client: Any) -> None:  # noqa: ANN401  # a model of the library
            client.refresh_token_duration = lifetime
            async with free:
                await cloud.api_clients.save(client.id, client)

        clients = [client async for client in paginate(cloud.api_clients.list, page_size=100)]
        await asyncio.gather(*(save(client) for client in clients if client.refresh_token_duration != lifetime))


def main() -> None:
    """Read the command line."""
    url, lifetime, at_a_time = sys.argv[1:]
    asyncio.run(save_all(url, int(lifetime), int(at_a_time)))


if __name__ == "__main__":
    main()
