"""Fields and references that several kinds have."""

from typing import Any, Final

from reconciler.kinds.direction import holds, sends_to
from reconciler.kinds.fields import Data, Field, Flag, Many, Reference, Role, Secrecy, Text, Whole
from reconciler.model.json import Json

TO_API_CLIENT: Final = Reference("API client", "/apiclients", "ApiClientReader", kind="ApiClient")
TO_DELIVERY_CONFIG: Final = Reference(
    "delivery configuration", "/integrations/deliveryconfig", "DeliveryConfigAdmin", kind="DeliveryConfig"
)
TO_SECURITY_PROFILE: Final = Reference(
    "security profile", "/securityprofiles", "SecurityProfileReader", kind="SecurityProfile"
)
TITLES: Final = ("AppName", "Name", "Username")
"""Fields by which users recognise an object with a meaningless id."""


def to_event(event_type: str) -> Reference:
    """A reference to an integration event of a type."""
    required_value = ("EventType", event_type)
    return Reference(
        "integration event", "/integrationEvents", "IntegrationEventReader", required_value, "IntegrationEvent"
    )


# Each passes further facts about the field to `Field` by name.


def chosen_id(**known: Any) -> Field:
    """The ID of an object, if its creator chooses it."""
    text = "Read-only: set by metadata.id (default: metadata.name)."
    return Field("ID", Text(100), text, read_only=True, **known)


def text(name: str, meaning: str, example: str, max_length: int | None = None, **known: Any) -> Field:
    """A text that must not be empty."""
    return Field(name, Text(max_length), meaning, examples=(example,), **known)


def title(example: str, max_length: int | None = None, **known: Any) -> Field:
    """The display name."""
    return text("Name", "The name shown in the portal. It need not be unique.", example, max_length, **known)


def description(example: str, max_length: int | None = 2000, **known: Any) -> Field:
    """A free-form description."""
    return Field(
        "Description", Text(max_length, min_length=0), "A free-form description.", examples=(example,), **known
    )


HTTP: Final = ("https", "http")


def url(name: str, meaning: str, example: str, schemes: tuple[str, ...] = HTTP, **known: Any) -> Field:
    """A URL to which tokens or orders are sent."""
    return Field(name, Text(schemes=schemes), meaning, examples=(example,), direction_of=sends_to, varies=True, **known)


def flag(name: str, meaning: str, **known: Any) -> Field:
    """True or false."""
    default = None if known.get("required") else False
    return Field(name, Flag(), meaning, examples=(True, False), default=default, **known)


def number(name: str, wanted: Whole, meaning: str, example: int, **known: Any) -> Field:
    """A whole number."""
    return Field(name, wanted, meaning, examples=(example,), **known)


def data(name: str, meaning: str, example: Json, **known: Any) -> Field:
    """An object with free-form content."""
    return Field(name, Data(), meaning, examples=(example,), default={}, **known)


def xp(**known: Any) -> Field:
    """Extended properties."""
    meaning = "Extended properties: any mapping of at most 8000 characters as JSON."
    return data("xp", meaning, {"team": "web"}, **known)


def texts(name: str, meaning: str, *examples: str, **known: Any) -> Field:
    """A set of texts."""
    return Field(name, Many(Text()), meaning, examples=(list(examples),), default=[], **known)


def elevated_roles(meaning: str, **known: Any) -> Field:
    """The roles of a token that is passed to a receiver."""
    examples = (["OrderAdmin"],)
    return Field("ElevatedRoles", Many(Role()), meaning, examples=examples, default=[], direction_of=holds, **known)


def reference(name: str, to: Reference, meaning: str, example: str, **known: Any) -> Field:
    """The ID of another object."""
    return text(name, meaning, example, 100, refers_to=to, **known)


def client_id(name: str, meaning: str, **known: Any) -> Field:
    """The ID of an API client."""
    return reference(name, TO_API_CLIENT, meaning, "E5A05785-CAFF-4F7D-9CC3-758F13865FC3", **known)


def config_data() -> Field:
    """Data sent to the receiver."""
    return data("ConfigData", "Custom data sent with each request.", {"team": "web"})


def secret(name: str, meaning: str, variable: str, max_length: int | None = None, **known: Any) -> Field:
    """A secret; readable by default."""
    meaning = f"{meaning} Only a reference is allowed, never the value itself. If omitted, the live value is kept."
    known = {"secret": Secrecy.READABLE, **known}
    return Field(name, Text(max_length), meaning, examples=({"fromEnv": variable},), **known)


def hash_key(max_length: int | None = 50, **known: Any) -> Field:
    """The key that requests are signed with."""
    meaning = "The key with which the receiver verifies that a request comes from OrderCloud."
    return secret("HashKey", meaning, "MIDDLEWARE_HASH_KEY", max_length, **known)


def auth_header(sent_to: str, max_length: int | None = None, **known: Any) -> tuple[Field, Field]:
    """A header of each request, for receivers behind a gateway. Name and value are written together."""
    name, value = "CustomAuthHeaderName", "CustomAuthHeaderValue"
    return (
        text(
            name, f"A header that OrderCloud adds to each request. Requires {value}.", "x-key", together=value, **known
        ),
        secret(
            value,
            f"The value of the header {name}. OrderCloud never returns it.",
            "FUNCTIONS_KEY",
            max_length,
            secret=Secrecy.WRITE_ONLY,
            together=name,
            sent_to=sent_to,
            **known,
        ),
    )
