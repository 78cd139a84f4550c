"""What a plan is made for: an environment, its limits, and what the user restricts the plan to."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime
from typing import Final

from reconciler import __version__
from reconciler.kinds import DEFAULT_KIND
from reconciler.manifests.rules import Level
from reconciler.model.dataclass import dataclass
from reconciler.model.inputs import Access, Checkout, Selection, Window
from reconciler.model.plan import Binding, Change, Creation, Limits
from reconciler.model.resource import Address, DesiredState, LiveState, ObjectKey
from reconciler.planning import guards, selection
from reconciler.planning.deletion import Protection
from reconciler.planning.diff.secret_changes import WriteOnly

NOBODY: Final = Access("", None, as_context_user=False)
"""How a run is logged in that contacts no service."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a plan is made for, as far as the configuration and the checkout know it."""

    environment: str
    marketplace: str | None
    """The Seller.ID that the service must answer; None takes any (the embedded emulator)."""
    limits: Limits
    checkout: Checkout = field(default_factory=Checkout)
    expires_at: str | None = None
    """See `Binding.expires_at`."""
    plan_key: bytes | None = None
    """Keys the fingerprints of secrets that a plan keeps; None: it keeps none."""
    demands_secrets: bool = False
    """Whether a secret that cannot be read here is an error; else it is not compared, and the plan says so."""
    rules: Mapping[str, Level] = field(default_factory=dict)
    """How strictly rules are taken, as far as the environment says."""
    selection: Selection = field(default_factory=Selection)
    """What a plan is restricted to; all manifests are loaded and matched all the same."""
    prunes: bool = False
    """Whether what no manifest claims is to be deleted; the manifests must then be all there are."""
    protection: Protection = field(default_factory=Protection)
    """What the environment never deletes nor deactivates."""
    freeze: tuple[Window, ...] = ()
    """When nothing is applied."""
    creation: Creation = "auto"
    """How the service creates objects, as far as the configuration knows it."""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    """The moment at which a plan is made, and by which freeze windows are judged."""
    manages: frozenset[str] = frozenset()
    """The kinds that are read although no manifest names them."""
    fingerprints: Mapping[tuple[Address, str], str] = field(default_factory=dict)
    """Of the write-only secrets that the last apply wrote, by resource and field, keyed with `plan_key`."""

    @property
    def unseen(self) -> WriteOnly:
        """What is known of secrets that no answer has."""
        return WriteOnly(self.fingerprints, selection.requested_secrets(self.selection), self.plan_key)

    def in_use(self, desired: DesiredState) -> frozenset[str]:
        """The kinds that a run reads: those of the manifests, and those that the configuration lists."""
        return self.manages | {one.address.kind for one in desired.resources} or frozenset({DEFAULT_KIND})

    def warnings(self, changes: Sequence[Change]) -> tuple[str, ...]:
        """Git cannot tell the state of the checkout; or apply would refuse at this hour."""
        frozen = (f"freeze: {one.message}" for one in guards.freeze(changes, self.freeze, self.now))
        return (*self.checkout.warnings, *frozen)

    def context(self, desired: DesiredState, access: Access, live: LiveState) -> guards.Context:
        """What the guards know besides the changes; of what is live, the assignments that were read."""
        known = frozenset(
            ObjectKey(resource.address.kind, one)
            for resource in desired.resources
            for one in (resource.id, resource.second_id)
            if one
        )
        held = {one.key: one.assignments for one in live.resources if one.assignments}
        return guards.Context(self.limits, access, known, held=held, scope=desired.scope)

    def binding(self, desired: DesiredState, base_url: str, marketplace: str) -> Binding:
        """What a plan of these manifests for this service is bound to."""
        return Binding(
            environment=self.environment,
            base_url=base_url,
            marketplace=marketplace,
            manifest_digest=desired.digest,
            tool_version=__version__,
            git_commit=self.checkout.commit,
            git_dirty=self.checkout.dirty,
            expires_at=self.expires_at,
        )
