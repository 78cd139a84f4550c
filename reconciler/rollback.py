"""A recorded run x what is live -> what would take the run back, as if manifests asked for it. Pure.

Only what the run changed is named: a field that it did not touch keeps its live value, whoever has changed it since. A
field that it did touch must still be as the run left it; else somebody has changed it since, and nothing is taken back.
What the run created is deleted, what it deleted is created, and secrets stay as they are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from reconciler.kinds import Kind
from reconciler.model.diagnostic import Place
from reconciler.model.json import Body, same
from reconciler.model.plan import Action, Change, Finding
from reconciler.model.record import Step
from reconciler.model.resource import Address, DesiredResource, DesiredState, LiveResource, LiveState, Policy
from reconciler.model.run import RecordedChange, RecordedRun

RULE: Final = "rollback-moved"
_WAY_OUT: Final = "leave it out with --only, or change it by its manifest"


@dataclass(frozen=True, slots=True)
class Back:
    """What would take a run back."""

    desired: DesiredState
    findings: tuple[Finding, ...] = ()
    """What somebody has changed since; it is not taken back."""
    warnings: tuple[str, ...] = ()
    """What becomes of created and deleted objects, and of secrets."""


def back(
    run: RecordedRun,
    changes: Sequence[RecordedChange],
    live: LiveState,
    manifests: DesiredState,
    kinds: Mapping[str, Kind],
) -> Back:
    """Work out what would take these changes of a run back.

    Args:
        run: as its journal tells it.
        changes: those of its changes that are to be taken back; what was certainly not written is passed over.
        live: all that the service has, with assignments.
        manifests: what says what is protected, and where each resource stands.
        kinds: by name.
    """
    known = {resource.address: resource for resource in manifests.resources}
    views = [
        _View(run.id, change, kinds[change.address.kind], live, known) for change in changes if change.may_be_written
    ]
    made = [view.wanted() for view in views]
    return Back(
        DesiredState(tuple(one for one in made if isinstance(one, DesiredResource)), manifests.digest),
        tuple(one for one in made if isinstance(one, Finding)),
        tuple(warning for view, one in zip(views, made, strict=True) for warning in view.warnings(one)),
    )


def whole(changes: Sequence[Change], manifests: DesiredState, kinds: Mapping[str, Kind]) -> tuple[Change, ...]:
    """The changes as guards are to see them: an object that a manifest claims is managed, and stays as it is."""
    ids = {resource.id.casefold() for resource in manifests.resources if resource.id}
    names = {
        (resource.address.kind, resource.spec.get(kinds[resource.address.kind].name_field))
        for resource in manifests.resources
    }

    def seen(change: Change) -> Change:
        name = (change.before or {}).get(kinds[change.address.kind].name_field)
        is_managed = (change.id or "").casefold() in ids or (change.address.kind, name) in names
        if change.action is Action.UNMANAGED and is_managed:
            return replace(change, action=Action.NO_OP, after=change.before)
        return change

    return tuple(map(seen, changes))


@dataclass(frozen=True, slots=True)
class _View:
    """One change of the run, and what it is about today."""

    run_id: str
    change: RecordedChange
    kind: Kind
    live: LiveState
    manifests: Mapping[Address, DesiredResource]
    _notes: list[str] = field(default_factory=list)

    def wanted(self) -> DesiredResource | Finding | None:
        """What would take it back, why it cannot be, or None where there is nothing left to do."""
        taken_back = {Action.CREATE: self._created, Action.UPDATE: self._updated, Action.DELETE: self._deleted}
        return taken_back[self.change.action]()

    def warnings(self, wanted: DesiredResource | Finding | None) -> Iterator[str]:
        """What the plan alone does not show."""
        yield from (f"{self.change.address} {note}" for note in self._notes)
        if self.change.secrets and isinstance(wanted, DesiredResource) and not wanted.policy.absent:
            names = ", ".join(self.change.secrets)
            yield f"{self.change.address}: its secrets stay as they are; that run set or cleared {names}"

    # ----------------------------------------------------------------------------------------------------------- verbs

    def _updated(self) -> DesiredResource | Finding:
        live = self._by_id()
        if live is None:
            return self._moved("somebody has deleted it")
        before, after = self.change.before or {}, self.change.after or {}
        touched = [name for name in self.kind.fields if not self._same(name, before, after)]
        moved = [one for one in touched if not self._is_as_left(one, live) and not self._same(one, live.body, before)]
        if moved:
            return self._moved(f"somebody has changed {', '.join(moved)}")
        spec = {name: before.get(name) for name in touched}
        return self._resource(spec, live.id, assignments=dict(self._parties(live)))

    def _created(self) -> DesiredResource | Finding | None:
        live = self._by_id() or self._made_by_post()
        if live is None:
            self._notes.append("was created by that run, and is gone already")
            return None
        named = [name for name in self.change.after or {} if name in self.kind.fields]
        moved = [name for name in named if not self._is_as_left(name, live)]
        if moved:
            return self._moved(f"somebody has changed {', '.join(moved)}")
        self._notes.append("was created by that run: it is deleted, with its secrets, if limits.deletes allows it")
        return self._resource({}, live.id, absent=True)

    def _deleted(self) -> DesiredResource | Finding | None:
        before = self.change.before or {}
        if self._by_id():
            self._notes.append("was to be deleted by that run, and is there")
            return None
        namesake = self._by_name(before)
        if namesake:
            return self._moved(f"somebody has made another of its name, {namesake.id}")
        self._notes.append(
            "was deleted by that run: it is created anew, under its id of then where the service takes it, else under "
            "a new one; the secrets and assignments that it had are gone"
        )
        spec = {name: before[name] for name in self.kind.fields if before.get(name) is not None}
        return self._resource(spec, self.change.id)

    # --------------------------------------------------------------------------------------------------------- looking

    def _by_id(self) -> LiveResource | None:
        wanted = (self.change.id or "").casefold()
        return next((one for one in self._live() if one.id.casefold() == wanted), None)

    def _made_by_post(self) -> LiveResource | None:
        """What the service made under an id of its own choice, of which the run has not learned."""
        is_unknown = self.change.status is None or self.change.uncertain
        was_sent = any(write.method == "POST" and write.step is Step.BODY for write in self.change.writes)
        return self._by_name(self.change.after or {}) if is_unknown and was_sent else None

    def _by_name(self, body: Body) -> LiveResource | None:
        name = body.get(self.kind.name_field)
        return next((one for one in self._live() if one.body.get(self.kind.name_field) == name), None)

    def _live(self) -> Iterator[LiveResource]:
        return (one for one in self.live.resources if one.kind == self.kind.name)

    def _same(self, name: str, left: Body, right: Body) -> bool:
        canonical = self.kind.fields[name].canonical_value
        return same(canonical(left.get(name)), canonical(right.get(name)))

    def _is_as_left(self, name: str, live: LiveResource) -> bool:
        """Whether a field is as the run left it: as it was sent, or what the service is known to have made of it."""
        made_otherwise = any(one.split("/")[1:2] == [name] for one in self.change.not_held)
        return made_otherwise or self._same(name, live.body, self.change.after or {})

    def _parties(self, live: LiveResource) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The parties of each sort that the run touched, as they would be without it."""
        steps = [
            write.assignment
            for write in self.change.writes
            if write.step is Step.ASSIGNMENT and write.assignment and write.may_be_carried_out
        ]
        for party in dict.fromkeys(step.party for step in steps):
            there = {one.casefold(): one for one in live.assignments.get(party, ())}
            for step in steps:
                if step.party == party and step.assign:
                    there.pop(step.id.casefold(), None)
                elif step.party == party:
                    there.setdefault(step.id.casefold(), step.id)
            yield party, tuple(sorted(there.values()))

    # ---------------------------------------------------------------------------------------------------------- making

    def _resource(
        self,
        spec: Body,
        object_id: str | None,
        *,
        absent: bool = False,
        assignments: Mapping[str, tuple[str, ...]] | None = None,
    ) -> DesiredResource:
        manifest = self.manifests.get(self.change.address)
        return DesiredResource(
            self.change.address,
            spec,
            manifest.place if manifest else Place(f"run {self.run_id}"),
            id=object_id,
            labels=manifest.labels if manifest else {},
            assignments=assignments or {},
            policy=Policy(protected=bool(manifest and manifest.policy.protected), absent=absent),
        )

    def _moved(self, what: str) -> Finding:
        message = f"{self.change.address} cannot be taken back: {what} since that run"
        return Finding(RULE, message, _WAY_OUT, (self.change.address,), can_be_acknowledged=False)
