"""One change of a recorded run x live state -> the rollback change, or the obstacle. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Final

from reconciler.kinds import KINDS, Kind
from reconciler.kinds.secrecy import field_of
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Place
from reconciler.model.json import Body, same
from reconciler.model.named_secret import LiveSecret
from reconciler.model.outcome import RecordedChange, RecordedRun, WriteStep
from reconciler.model.plan import Action, AssignmentChange, Finding
from reconciler.model.resource import Address, DesiredResource, FieldsPolicy, LiveResource, LiveState, ObjectKey, Policy
from reconciler.model.secret import Secret, SecretReference

RULE: Final = "rollback-moved"
DOUBT: Final = "rollback-secret"
_NEW_ID: Final = ", with its old id if the service accepts it, otherwise with a new one"
_FIX: Final = "exclude it with --only, or change it in its manifest"


@dataclass(frozen=True, slots=True)
class ChangeView:
    """One change of the run, and the live state of its object."""

    run_id: str
    change: RecordedChange
    kind: Kind
    by_key: Mapping[ObjectKey, LiveResource]
    by_name: Mapping[tuple[str, str], LiveResource]
    """Kind and `repr` of the name, which may be null."""
    secrets: Mapping[ObjectKey, Sequence[LiveSecret]]
    manifests: Mapping[Address, DesiredResource]
    plan_key: bytes | None = field(repr=False)
    doubts: list[Finding] = field(default_factory=list)
    """Unknown facts about the object that `wanted` would delete."""
    _notes: list[str] = field(default_factory=list)

    @property
    def _manifest(self) -> DesiredResource | None:
        return self.manifests.get(self.change.address)

    @property
    def _secrets(self) -> Mapping[str, SecretReference | None]:
        """Named secrets: those that the manifest declares."""
        return self._manifest.secrets if self._manifest else {}

    def wanted(self) -> DesiredResource | Finding | None:
        """The rollback change, the obstacle, or None if there is nothing to do."""
        taken_back = {Action.CREATE: self._created, Action.UPDATE: self._updated, Action.DELETE: self._deleted}
        return taken_back[self.change.action]()

    def warnings(self, wanted: DesiredResource | Finding | None) -> Iterator[str]:
        """Extra warnings that the plan does not show."""
        yield from (f"{self.change.address} {note}" for note in self._notes)
        if self.change.secrets and isinstance(wanted, DesiredResource) and not wanted.policy.absent:
            names = ", ".join(self.change.secrets)
            yield f"{self.change.address}: secrets are not rolled back; that run set or cleared {names}"

    def _updated(self) -> DesiredResource | Finding:
        live = self._by_id()
        if live is None:
            return self._moved("it was deleted after that run")
        before, touched = self.change.before or {}, self._touched()
        moved = [one for one in touched if not self._is_as_left(one, live) and not self._same(one, live.body, before)]
        if moved:
            return self._moved(f"modified after that run (changed {', '.join(moved)})")
        spec = {name: before.get(name) for name in touched}
        if kept := [step.id for step in self._assigned() if step.assign and not self._can_be_deleted(step)]:
            self._notes.append(f"keeps assignments that the API cannot delete: {', '.join(kept)}")
        return self._resource(spec, live.id, assignments=dict(self._parties(live)), secrets=self._inside(spec))

    def _inside(self, spec: Body) -> Mapping[str, SecretReference | None]:
        """The secrets inside the records that are rolled back: a record is written with all of its secrets."""
        return {name: one for name, one in self._secrets.items() if field_of(name) != name and field_of(name) in spec}

    def _created(self) -> DesiredResource | Finding | None:
        live = self.creation()
        if live is None:
            self._notes.append("was created by that run, but no longer exists")
            return None
        since = [*self._fields_since(live), *self._parties_since(live), *self._secrets_since(live)]
        if since:
            return self._moved(f"modified after that run ({'; '.join(since)})")
        self._notes.append(self._deletion_note())
        self.doubts.extend(self._secrets_in_doubt(live))
        return self._resource({}, live.id, absent=True)

    def _deletion_note(self) -> str:
        including = ", with its secrets," if self.kind.secret_fields or self.kind.named_secrets else ""
        note = f"was created by that run and would be deleted{including} if limits.deletes allows it"
        made = {*self.change.secrets} - self.kind.secret_fields
        delivered = "; secrets already delivered are not removed" if made else ""
        return f"{note}{delivered}"

    def _deleted(self) -> DesiredResource | Finding | None:
        before = self.change.before or {}
        if self._by_id():
            self._notes.append("exists, although that run planned to delete it")
            return None
        namesake = None if self.kind.has_chosen_ids else self._by_name(before)
        if namesake:
            return self._moved(f"another {self.kind.noun} with its name, {namesake.id}, was created after that run")
        named = {name: one for name, one in self._secrets.items() if one}
        self._notes.append(self._recreation_note(named))
        names = (*self.kind.fields, *self.kind.initial_fields)
        spec = {name: before[name] for name in names if before.get(name) is not None}
        return self._resource(spec, self.change.id, secrets=named)

    def _recreation_note(self, named: Collection[str]) -> str:
        """Warning about what is not restored when the object is created again."""
        new_id = "" if self.kind.has_chosen_ids else _NEW_ID
        before, kind = self.change.before or {}, self.kind
        secrets = [name for name in kind.secret_rows if name not in named and kind.may_have(name, before)]
        secrets = ["secrets"] if self.kind.named_secrets else secrets
        lost = [*secrets, *["assignments"] * bool(self.kind.assignments)]
        gone = f"; not restored: {', '.join(lost)}" if lost else ""
        is_open = "; logins require no secret until it has one" if self.kind.named_secrets and not named else ""
        return f"was deleted by that run and would be created again{new_id}{gone}{is_open}"

    def creation(self) -> LiveResource | None:
        """The object that the change created, if it still exists."""
        return self._by_id() or self._made_by_post()

    def _touched(self) -> list[str]:
        before, after = self.change.before or {}, self.change.after or {}
        return [name for name in self.kind.fields if not self._same(name, before, after)]

    def _by_id(self) -> LiveResource | None:
        return self.by_key.get(ObjectKey(self.kind.name, self.change.id)) if self.change.id else None

    def _made_by_post(self) -> LiveResource | None:
        """The object that the run created by POST, whose ID is not recorded."""
        is_unknown = self.change.status is None or self.change.uncertain
        was_sent = any(write.method == "POST" and write.step is WriteStep.BODY for write in self.change.writes)
        return self._by_name(self.change.after or {}) if is_unknown and was_sent else None

    def _by_name(self, body: Body) -> LiveResource | None:
        return self.by_name.get((self.kind.name, repr(body.get(self.kind.name_field))))

    def _same(self, name: str, left: Body, right: Body) -> bool:
        canonical = self.kind.fields[name].canonical_value
        return same(canonical(left.get(name)), canonical(right.get(name)))

    def _is_as_left(self, name: str, live: LiveResource) -> bool:
        """Whether a field is unchanged since the run: as it was sent, or as the service stored it."""
        return self._is_made_otherwise(name) or self._same(name, live.body, self.change.after or {})

    def _is_made_otherwise(self, name: str) -> bool:
        return any(one.split("/")[1:2] == [name] for one in self.change.not_held)

    def _fields_since(self, live: LiveResource) -> Iterator[str]:
        """The fields that changed since the creation; an undeclared field was created with the API's default."""
        left = self.change.left
        if left is None:
            moved = [name for name in self.kind.fields if not self._is_as_left(name, live)]
        else:
            names = [name for name in self.kind.moved(left, live.body) if not self._is_made_otherwise(name)]
            # A response may omit a null.
            moved = [name for name in names if name in self.kind.fields or left.get(name) or live.body.get(name)]
        if moved:
            yield f"changed {', '.join(moved)}"

    def _parties_since(self, live: LiveResource) -> Iterator[str]:
        for party, there in live.assignments.items():
            left = {step.id.casefold() for step in self._assigned() if step.party == party and step.assign}
            added = [one for one in there if one.casefold() not in left]
            gone = sorted(left - {one.casefold() for one in there})
            yield from (f"assigned {', '.join(some)} ({party})" for some in [added] if some)
            yield from (f"unassigned {', '.join(some)} ({party})" for some in [gone] if some)

    def _secrets_since(self, live: LiveResource) -> Iterator[str]:
        for name, value in live.secrets.items():
            if bool(value) is not (name in self.change.secrets):
                yield f"{'set' if value else 'cleared'} {name}"
            elif value and self._is_replaced(name, value):
                yield f"replaced {name}"
        left = {one.id.casefold(): one for one in self.change.made}
        there = {one.id.casefold(): one for one in self.secrets.get(live.key, ())}
        yield from (f"added the secret {one.name} (id {one.id})" for key, one in there.items() if key not in left)
        yield from (f"deleted the secret {one.name} (id {one.id})" for key, one in left.items() if key not in there)
        pairs = [(one, there[key]) for key, one in left.items() if key in there]
        changed = [one for one, now in pairs if (one.name, one.expires) != (now.name, now.expires)]
        yield from (f"changed the secret {one.name} (id {one.id})" for one in changed)

    def _is_replaced(self, name: str, value: Secret) -> bool | None:
        """Whether a readable secret no longer has the value that the run set; None: unknown."""
        left = self.change.fingerprints.get(name)
        if left is None or self.plan_key is None or value.is_placeholder:
            return None
        return value.fingerprint(self.plan_key, f"{self.change.address} {name}") != left

    def _secrets_in_doubt(self, live: LiveResource) -> Iterator[Finding]:
        for name, value in live.secrets.items():
            if value and self._is_replaced(name, value) is None:
                why = "set the same RECONCILER_PLAN_KEY in both runs to compare it"
                if name in self.kind.write_only_fields:
                    why = "the service does not show it"
                yield Finding(
                    DOUBT,
                    f"{self.change.address} would be deleted, but its {name} may have been replaced "
                    f"since that run: {why}",
                    f"make sure that the {self.kind.noun} is not in use, or exclude it with --only",
                    (self.change.address,),
                )

    @property
    def is_declared(self) -> bool:
        """Whether the manifest still declares the rolled-back value."""
        manifest = self._manifest
        if manifest is None:
            return False
        if self.change.action is not Action.UPDATE:
            return manifest.policy.absent is (self.change.action is Action.DELETE)
        fields = [self._declares_field(name, manifest) for name in self._touched()]
        return any(fields) or any(self._declares_party(step, manifest) for step in self._assigned())

    def _declares_field(self, name: str, manifest: DesiredResource) -> bool:
        is_reset = manifest.policy.fields is FieldsPolicy.EXCLUSIVE and self.kind.fields[name].default is not None
        return (name in manifest.spec or is_reset) and not self._same(name, manifest.spec, self.change.before or {})

    @staticmethod
    def _declares_party(step: AssignmentChange, manifest: DesiredResource) -> bool:
        wanted = manifest.assignments.get(step.party)
        return wanted is not None and (step.id.casefold() in map(str.casefold, wanted)) is step.assign

    def _assigned(self) -> list[AssignmentChange]:
        """The assignment steps that the run may have executed."""
        written = [
            write for write in self.change.writes if write.step is WriteStep.ASSIGNMENT and write.may_be_carried_out
        ]
        return [write.assignment for write in written if write.assignment]

    def _can_be_deleted(self, step: AssignmentChange) -> bool:
        return self.kind.assignments is not None and bool(self.kind.assignments.level(step.party).deletion)

    def _parties(self, live: LiveResource) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The parties at each level that the run changed, as they would be without it."""
        steps = self._assigned()
        for party in dict.fromkeys(step.party for step in steps):
            there = {one.casefold(): one for one in live.assignments.get(party, ())}
            for step in steps:
                if step.party == party and step.assign:
                    there.pop(step.id.casefold(), None)
                elif step.party == party:
                    there.setdefault(step.id.casefold(), step.id)
            yield party, tuple(sorted(there.values()))

    def _resource(
        self,
        spec: Body,
        object_id: str | None,
        *,
        absent: bool = False,
        secrets: Mapping[str, SecretReference | None] | None = None,
        assignments: Mapping[str, tuple[str, ...]] | None = None,
    ) -> DesiredResource:
        manifest = self._manifest
        return DesiredResource(
            self.change.address,
            spec,
            manifest.place if manifest else Place(f"run {self.run_id}"),
            id=object_id,
            labels=manifest.labels if manifest else {},
            secrets=secrets or {},
            assignments=assignments or {},
            policy=Policy(protected=bool(manifest and manifest.policy.protected), absent=absent),
        )

    def _moved(self, what: str) -> Finding:
        message = f"{self.change.address} cannot be rolled back: {what}"
        return Finding(RULE, message, _FIX, (self.change.address,), can_be_acknowledged=False)


def views_of(
    run: RecordedRun,
    live: LiveState,
    secrets: Mapping[ObjectKey, Sequence[LiveSecret]],
    manifests: Sequence[DesiredResource],
    plan_key: bytes | None,
) -> list[ChangeView]:
    """The changes of the run that may have been written; a name means the first of two objects with one name."""
    resources = live.resources[::-1]
    by_key = {one.key: one for one in resources}
    by_name = {(one.kind, repr(one.body.get(KINDS[one.kind].name_field))): one for one in resources}
    known = {resource.address: resource for resource in manifests}
    written = [(change, KINDS[change.address.kind]) for change in run.changes if change.may_be_written]
    return [ChangeView(run.id, change, kind, by_key, by_name, secrets, known, plan_key) for change, kind in written]
