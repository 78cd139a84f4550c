"""A plan: complete enough to be shown, saved, compared and applied without further computation."""

import re
from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Final, Literal, TypeAlias

from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Place
from reconciler.model.inputs import Selection
from reconciler.model.json import Absent, Body, Json, pointer, pointer_parts
from reconciler.model.named_secret import NamedSecret
from reconciler.model.resource import Address, ObjectKey, Scope, key_of
from reconciler.model.secret import Delivery, SecretReference

Creation: TypeAlias = Literal["auto", "put", "post"]
"""How a service creates objects; ``auto``: by PUT to a chosen id, or if it refuses that, by POST."""


class Action(StrEnum):
    """What happens to one resource.

    | action    | before | after | written |
    |-----------|--------|-------|---------|
    | create    | None   | body  | yes     |
    | update    | body   | body  | yes     |
    | delete    | body   | None  | yes     |
    | no-op     | body   | body  | no      |
    | unmanaged | body   | None  | no      |

    A no-op has `before` equal to `after`; `state: absent` of an object that does not exist is a no-op with both None.
    """

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    NO_OP = "no-op"
    UNMANAGED = "unmanaged"

    @property
    def writes(self) -> bool:
        """Whether applying it sends a request that changes something."""
        return self in {Action.CREATE, Action.UPDATE, Action.DELETE}


class Direction(StrEnum):
    """Whether a change widens access (more users, longer, or more roles), narrows it, or neither."""

    WIDENS = "widens"
    NARROWS = "narrows"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of a change. For a sensitive field both sides are `ABSENT`: the plan does not know them."""

    pointer: str
    before: Json | Absent
    after: Json | Absent
    direction: Direction = Direction.NEUTRAL
    sensitive: bool = False
    added: tuple[Json, ...] = ()
    removed: tuple[Json, ...] = ()
    """The added and removed members of a field that is a set."""
    place: Place | None = None
    """The place of the desired value in the manifest or an overlay; None: it is the API's default."""
    is_left: bool = False
    """Whether an apply keeps `before`, or the members in `removed`, because no manifest names them."""

    @property
    def path(self) -> tuple[str, ...]:
        """The parts of `pointer`; those of assignments and named secrets start with ``assignments`` and ``secrets``."""
        return pointer_parts(self.pointer)

    @property
    def name(self) -> str:
        """The top-level field that it is or belongs to."""
        return self.path[0]

    @property
    def hosts(self) -> tuple[str | None, str | None]:
        """Where a URL points before and after; see `host_of`."""
        return host_of(self.before), host_of(self.after)


_HOST: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#]+")


def host_of(url: object) -> str | None:
    """Everything before the path: scheme, host and port; not by `casefold`, which would make some hosts equal."""
    found = _HOST.match(url.lower()) if isinstance(url, str) else None
    return found[0] if found else None


def known_after(address: Address) -> str:
    """The placeholder for an id that the service creates later: ids have no blanks or parentheses."""
    return f"(known after apply: {address})"


@dataclass(frozen=True, slots=True)
class SecretIntent:
    """The planned change of one secret field, without its value."""

    field: str
    reference: SecretReference | None
    """None: it is cleared."""
    fingerprint: str
    """The fingerprint of the planned value, see `Secret.fingerprint`; empty without a key or value."""


@dataclass(frozen=True, slots=True)
class AssignmentChange:
    """One party to assign to the object, or to remove."""

    party: str
    """``buyers`` or ``suppliers``."""
    id: str
    assign: bool


@dataclass(frozen=True, slots=True)
class Change:
    """The planned change of one resource, with everything needed to apply it."""

    address: Address
    action: Action
    id: str | None
    """The service's id. For a create: the id in the PUT."""
    before: Body | None
    """The live body, including unknown and read-only fields, without secret values."""
    after: Body | None
    """The complete body for the PUT, without secret values (these are taken from the live object when it is sent)."""
    fields: tuple[FieldChange, ...] = ()
    secrets: tuple[SecretIntent, ...] = ()
    assignments: tuple[AssignmentChange, ...] = ()
    """Applied after the body was written, each by a separate request."""
    place: Place | None = None
    """The place of the manifest."""
    protected: bool = False
    new_secrets: tuple[NamedSecret, ...] = ()
    """Secrets that are created and delivered after everything else."""
    wave: int = 1
    """Changes of one wave are written in parallel, one wave after another; deletions in the opposite order."""
    depends_on: tuple[Address, ...] = ()
    """The changes that must have succeeded before."""
    is_patch: bool = False
    """Whether only the changed fields are sent, by PATCH, because a PUT would erase an unnamed write-only secret."""

    def deliveries(self, at: str) -> tuple[Delivery, ...]:
        """The deliveries of a generated secret; `at` is the pointer of its field. Empty: it is not generated."""
        generated = {pointer(one.field): one.reference.deliver for one in self.secrets if one.reference}
        named = {pointer("secrets", one.name): one.deliver for one in self.new_secrets}
        return (generated | named).get(at, ())

    @property
    def key(self) -> ObjectKey | None:
        """The key of its object; None if the id is unknown."""
        return key_of(self.address.kind, self.id) if self.id else None

    @property
    def is_pruned(self) -> bool:
        """Whether it is deleted because no manifest claims it."""
        return self.action is Action.DELETE and self.place is None

    @property
    def direction(self) -> Direction:
        """The direction of all fields together: a change that widens and narrows counts as widening."""
        if self.action is Action.DELETE:
            return Direction.NARROWS
        found = {field.direction for field in self.fields}
        for direction in (Direction.WIDENS, Direction.NARROWS):
            if direction in found:
                return direction
        return Direction.NEUTRAL


@dataclass(frozen=True, slots=True)
class Notice:
    """Live values that no manifest names and that an apply does not change."""

    address: Address
    fields: tuple[FieldChange, ...]
    """`before` is live; `after` is the value without anything unmanaged."""
    message: str
    """A sentence for readers."""
    is_watched: bool = False
    """Whether it is drift: assignments that a manifest watches. Otherwise, fields that the manifest does not own."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A guard's objection to a plan: applying it is refused, unless its changes and findings are acknowledged."""

    rule: str
    message: str
    fix: str
    addresses: tuple[Address, ...] = ()
    can_be_acknowledged: bool = True


@dataclass(frozen=True, slots=True)
class Binding:
    """The inputs and the target of a plan; `apply PLANFILE` refuses if any of it has changed."""

    environment: str
    base_url: str
    marketplace: str
    manifest_digest: str
    tool_version: str
    git_commit: str | None = None
    git_dirty: bool | None = None
    """Whether the inputs differ from that commit; None: unknown."""
    expires_at: str | None = None
    """UTC, ISO 8601 with seconds and a Z; None: never."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The number of resources of each action."""

    create: int
    update: int
    delete: int
    no_op: int
    unmanaged: int
    out_of_scope: int = 0

    @property
    def writes(self) -> int:
        """The number of resources that an apply would change."""
        return self.create + self.update + self.delete


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes of one run against one environment: those that widen access first, each part sorted by address."""

    changes: tuple[Change, ...]
    binding: Binding
    guards: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    selection: Selection = field(default_factory=Selection)
    """The selection of the changes; guards have checked the whole marketplace."""
    snapshot: str | None = None
    """When its snapshot was taken. A plan from a snapshot is for reading and is never applied."""
    notices: tuple[Notice, ...] = ()
    """Sorted by address."""
    scope: Scope = field(default_factory=Scope, compare=False)
    """The part of the marketplace that the manifests cover; unknown for a saved plan."""
    out_of_scope: int = 0
    """The number of live objects of other repositories, which are not changes of this one."""
    login: ObjectKey | None = field(default=None, compare=False)
    """The client that the run was logged in with; None for a plan from a snapshot."""
    created_at: str = field(default="", compare=False)
    """UTC, ISO 8601 with microseconds and a Z."""

    def __post_init__(self) -> None:
        ordered = sorted(self.changes, key=lambda one: (one.direction is not Direction.WIDENS, one.address))
        object.__setattr__(self, "changes", tuple(ordered))

    @property
    def summary(self) -> Summary:
        """The counts of the changes that are rendered and applied."""
        count = dict.fromkeys(Action, 0)
        for change in self.changes:
            count[change.action] += 1
        return Summary(
            create=count[Action.CREATE],
            update=count[Action.UPDATE],
            delete=count[Action.DELETE],
            no_op=count[Action.NO_OP],
            unmanaged=count[Action.UNMANAGED],
            out_of_scope=self.out_of_scope,
        )

    @property
    def has_changes(self) -> bool:
        """Whether an apply would write anything. Unmanaged resources are not changes."""
        return self.summary.writes > 0


@dataclass(frozen=True, slots=True)
class Limits:
    """The blast radius that an environment allows without an acknowledgement. None: no limit."""

    changes: int | None = None
    changes_percent: float | None = None
    deletes: int | None = 0
    widens: int | None = None
    """The number of resources whose change may widen access."""
    restore: bool = False
    """Whether changes that undo OrderCloud's staging restore are not counted, except deletions."""
    kinds: Mapping[str, "Limits"] = field(default_factory=dict)
    """Separate limits for the resources of one kind."""
    name: str = "limits"
    """Its key in the configuration of an environment."""


@dataclass(frozen=True, slots=True)
class Review:
    """Whether a plan matches the reviewed one."""

    is_reviewed: bool
    reason: str
    unseen: Plan
    """The plan, with only the changes that were not reviewed."""
    gone: tuple[str, ...] = ()
    """Reviewed changes that are no longer planned, as text."""
