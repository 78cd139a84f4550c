"""Integration events as a second kind, whose ids people choose."""

from typing import Any, Final

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
