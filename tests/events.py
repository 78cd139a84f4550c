"""Integration events as a second kind, whose ids people choose."""

import json
from typing import Any, Final

import httpx

from reconciler.model.diagnostic import Place
from reconciler.model.resource import Address, DesiredResource
from reconciler.model.secret import SecretReference, SecretSource

HASH_KEY: Final = SecretReference(SecretSource.ENVIRONMENT, "HASH_KEY")


def event(name: str, **spec: Any) -> DesiredResource:
    """One manifest of an event, complete but for what `spec` says otherwise."""
    known = {"Name": name, "EventType": "OrderCheckout", "CustomImplementationUrl": f"https://shop.example/{name}"}
    return DesiredResource(
        Address("IntegrationEvent", name),
        {**known, **spec},
        Place(f"{name}-event.yaml", 1, 1),
        id=name,
        secrets={"HashKey": HASH_KEY},
    )


class Tap(httpx.BaseTransport):
    """Passes requests on and keeps the bodies of those that write one object."""

    def __init__(self, behind: httpx.BaseTransport, path: str) -> None:
        self._behind = behind
        self._path = path
        self.lose_answers = 0
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._behind.handle_request(request)
        if request.url.path == self._path and request.method in {"PUT", "PATCH"}:
            self.sent.append((request.method, json.loads(request.content)))
            if self.lose_answers:
                self.lose_answers -= 1
                raise httpx.ReadError("cut off")
        return answer

    def taken(self) -> list[tuple[str, dict[str, Any]]]:
        """What was sent since the last call."""
        sent, self.sent = self.sent, []
        return sent
