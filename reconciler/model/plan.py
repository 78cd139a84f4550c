"""A plan: what would be done, complete enough to be shown, saved, compared and carried out without thinking again."""

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
"""How a service creates objects; ``auto``: by PUT to an id of our choice, and where it refuses that, by POST."""


class Action(StrEnum):
    """What happens to one resource.

    | action    | before | after | written |
    |-----------|--------|-------|---------|
    | create    | None   | body  | yes     |
    | update    | body   | body  | yes     |
    | delete    | body   | None  | yes     |
    | no-op     | body   | body  | no      |
    | unmanaged | body   | None  | no      |

    A no-op has `before` equal to `after`; `state: absent` of what is not there is a no-op with both None.
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
    """Whether a change lets more people in (or longer, or with more roles), fewer, or neither."""

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
    """For a field that is a set: its members that come and go."""
    place: Place | None = None
    """Where the wanted value is written, in the manifest or in an overlay; None: nowhere, it is the API's default."""
    is_left: bool = False
    """Whether an apply leaves `before`, or the members in `removed`, as they are: what no manifest names."""

    @property
    def path(self) -> tuple[str, ...]:
        """The parts of `pointer`; those of assignments and named secrets begin with ``assignments`` and ``secrets``."""
        return pointer_parts(self.pointer)

    @property
    def name(self) -> str:
        """The field of the object that it is, or is in."""
        return self.path[0]

    @property
    def hosts(self) -> tuple[str | None, str | None]:
        """Where a URL points before and after; see `host_of`."""
        return host_of(self.before), host_of(self.after)


_HOST: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#]+")


def host_of(url: object) -> str | None:
    """Scheme, host and port, with whatever else stands before the path; `casefold` would make one host of two."""
    found = _HOST.match(url.lower()) if isinstance(url, str) else None
    return found[0] if found else None


def known_after(address: Address) -> str:
    """What stands for the id of an object that the service is yet to make: no id has blanks or parentheses."""
    return f"(known after apply: {address})"


@dataclass(frozen=True, slots=True)
class SecretIntent:
    """What is to become of one secret field, free of any value."""

    field: str
    reference: SecretReference | None
    """None: it is cleared."""
    fingerprint: str
    """Of the value when it was planned, see `Secret.fingerprint`; empty without a key or without the value."""


@dataclass(frozen=True, slots=True)
class AssignmentChange:
    """One party that is to be assigned to the object, or no longer."""

    party: str
    """``buyers`` or ``suppliers``."""
    id: str
    assign: bool


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done about one resource, and all that is needed to do it."""

    address: Address
    action: Action
    id: str | None
    """The service's id. For a create: the id that the PUT goes to."""
    before: Body | None
    """The live body, unknown and read-only fields included, less secret values."""
    after: Body | None
    """The complete body that will be PUT, less secret values (those are taken from the live object when it is sent)."""
    fields: tuple[FieldChange, ...] = ()
    secrets: tuple[SecretIntent, ...] = ()
    assignments: tuple[AssignmentChange, ...] = ()
    """Carried out after the body was written, each by a request of its own."""
    place: Place | None = None
    """Where the manifest stands."""
    protected: bool = False
    new_secrets: tuple[NamedSecret, ...] = ()
    """Made and delivered after all of that."""
    wave: int = 1
    """Changes of one wave are written side by side, one wave after another; deletions in the opposite order."""
    depends_on: tuple[Address, ...] = ()
    """The changes that must have succeeded before."""
    is_patch: bool = False
    """Whether exactly the changed fields are sent by PATCH: a PUT would erase a write-only secret that is not named."""

    def deliveries(self, at: str) -> tuple[Delivery, ...]:
        """Where the value goes that is made for a secret; `at` is the pointer of its field. Empty: none is made."""
        generated = {pointer(one.field): one.reference.deliver for one in self.secrets if one.reference}
        named = {pointer("secrets", one.name): one.deliver for one in self.new_secrets}
        return (generated | named).get(at, ())

    @property
    def key(self) -> ObjectKey | None:
        """The object that it is about; None where nobody knows its id."""
        return key_of(self.address.kind, self.id) if self.id else None

    @property
    def is_pruned(self) -> bool:
        """Whether it is deleted because no manifest claims it."""
        return self.action is Action.DELETE and self.place is None

    @property
    def direction(self) -> Direction:
        """Widening outweighs narrowing: a change that does both needs the same look as one that only widens."""
        if self.action is Action.DELETE:
            return Direction.NARROWS
        found = {field.direction for field in self.fields}
        for direction in (Direction.WIDENS, Direction.NARROWS):
            if direction in found:
                return direction
        return Direction.NEUTRAL


@dataclass(frozen=True, slots=True)
class Notice:
    """What is live, that no manifest names and that applying the plan leaves as it is."""

    address: Address
    fields: tuple[FieldChange, ...]
    """`before` is live; `after` is what would be there if only manifests had a say."""
    message: str
    """A sentence for readers."""
    is_watched: bool = False
    """Whether it is drift: assignments that a manifest watches. Else it is fields that the manifest does not own."""


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
    """What a plan was made from and for; `apply PLANFILE` refuses where any of it no longer holds."""

    environment: str
    base_url: str
    marketplace: str
    manifest_digest: str
    tool_version: str
    git_commit: str | None = None
    git_dirty: bool | None = None
    """Whether the inputs differ from that commit; None: nobody can tell."""
    expires_at: str | None = None
    """UTC, ISO 8601 with seconds and a Z; None: never."""


@dataclass(frozen=True, slots=True)
class Summary:
    """How many resources of each action."""

    create: int
    update: int
    delete: int
    no_op: int
    unmanaged: int
    out_of_scope: int = 0

    @property
    def writes(self) -> int:
        """How many resources applying the plan would change."""
        return self.create + self.update + self.delete


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes of one run against one environment: those that let more in first, each part sorted by address."""

    changes: tuple[Change, ...]
    binding: Binding
    guards: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    selection: Selection = field(default_factory=Selection)
    """What the changes were restricted to; the guards have judged the whole."""
    snapshot: str | None = None
    """When the snapshot was taken that it was made from. Such a plan is for reading: it is never carried out."""
    notices: tuple[Notice, ...] = ()
    """Sorted by address."""
    scope: Scope = field(default_factory=Scope, compare=False)
    """What of the marketplace the manifests were of; a plan that was saved does not say."""
    out_of_scope: int = 0
    """How many live objects belong to other repositories; they are no changes of this one."""
    login: ObjectKey | None = field(default=None, compare=False)
    """The client that the run was logged in with; None for a plan from a snapshot."""
    created_at: str = field(default="", compare=False)
    """UTC, ISO 8601 with microseconds and a Z."""

    def __post_init__(self) -> None:
        ordered = sorted(self.changes, key=lambda one: (one.direction is not Direction.WIDENS, one.address))
        object.__setattr__(self, "changes", tuple(ordered))

    @property
    def summary(self) -> Summary:
        """Counted from the very list that is rendered and applied."""
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
        """Whether applying it would write anything. Unmanaged resources are no changes."""
        return self.summary.writes > 0


@dataclass(frozen=True, slots=True)
class Limits:
    """The blast radius that an environment allows without an acknowledgement. None: no limit."""

    changes: int | None = None
    changes_percent: float | None = None
    deletes: int | None = 0
    widens: int | None = None
    """Resources whose change may widen access."""
    restore: bool = False
    """Whether changes that put back what OrderCloud's restore of staging took are not counted, deletions aside."""
    kinds: Mapping[str, "Limits"] = field(default_factory=dict)
    """The same for the resources of one kind alone."""
    name: str = "limits"
    """Where it stands in the configuration of an environment."""


@dataclass(frozen=True, slots=True)
class Review:
    """Whether a plan does what somebody has reviewed."""

    is_reviewed: bool
    reason: str
    unseen: Plan
    """The plan, with the changes that nobody has reviewed."""
    gone: tuple[str, ...] = ()
    """What was reviewed and is no longer planned, in words."""
