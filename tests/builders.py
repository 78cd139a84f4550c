"""Desired and live states in one line each, for tests of the phases that are pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reconciler.errors import RequestFacts
from reconciler.kinds import KINDS, address_of
from reconciler.model.diagnostic import Place
from reconciler.model.json import digest
from reconciler.model.plan import Binding, Change, Plan
from reconciler.model.resource import Address, DesiredResource, DesiredState, LiveState, Policy, spec_digest
from reconciler.model.secret import SecretReference

MARKETPLACE = "shop"
CREATED_AT = "2026-11-23T12:00:00.000000Z"
BINDING = Binding("test", "https://shop.example", MARKETPLACE, "0" * 64, "0.1.0", git_dirty=False)


def manifest(  # one keyword per block of a manifest
    name: str,
    *,
    id: str | None = None,  # noqa: A002  # the manifest's own word
    policy: Policy | None = None,
    secrets: Mapping[str, SecretReference | None] | None = None,
    assignments: Mapping[str, tuple[str, ...]] | None = None,
    **spec: Any,
) -> DesiredResource:
    """One manifest; its AppName is its name unless the spec says otherwise."""
    return DesiredResource(
        address=Address("ApiClient", name),
        spec={"AppName": name, **spec},
        place=Place(f"{name}.yaml", 1, 1),
        id=id,
        secrets=secrets or {},
        assignments=assignments or {},
        policy=policy or Policy(),
    )


def desired(*resources: DesiredResource) -> DesiredState:
    """All manifests of an environment."""
    return DesiredState(resources, digest(spec_digest(resources)))


def body(object_id: str, name: str, **fields: Any) -> dict[str, Any]:
    """What the service answers for one API client."""
    return {"ID": object_id, "AppName": name, "AccessTokenDuration": 600, "Active": True, **fields}


def live(*bodies: Mapping[str, Any]) -> LiveState:
    """All that a service has, with nobody assigned."""
    facts = RequestFacts("GET", "/v1/apiclients")
    kind = KINDS["ApiClient"]
    levels = kind.assignments.levels if kind.assignments else ()
    nobody: dict[str, tuple[str, ...]] = {level.name: () for level in levels}
    objects = tuple(replace(kind.live(one, facts), assignments=nobody) for one in bodies)
    return LiveState(objects, MARKETPLACE, frozenset({kind.name}))


def by_address(known: Mapping[str, str]) -> dict[Address, str]:
    """What an environment keeps under ``ids``."""
    return {address_of(name): one for name, one in known.items()}


def plan_of(*changes: Change) -> Plan:
    """A plan that holds these changes."""
    return Plan(changes, BINDING, created_at=CREATED_AT)
