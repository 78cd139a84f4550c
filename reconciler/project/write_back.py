"""A session -> its manifests with what is live, as they are to be written; and the drift that is left then."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconciler.errors import InputError, ReconcilerError
from reconciler.manifests.allowed_paths import require_inside
from reconciler.manifests.edit.live import bring_back
from reconciler.manifests.edit.names import Names
from reconciler.model.drift import Drift, DriftKind
from reconciler.project.drift import DriftView
from reconciler.project.session import Session
from reconciler.remote.protocol import ReadRemote


@dataclass(frozen=True, slots=True)
class WriteBack:
    """What is to be written, and what comes of it."""

    drift: Drift
    """As it is."""
    left: Drift
    """Once the files are written."""
    contents: Mapping[str, bytes] = field(default_factory=dict)
    """File -> what it is to hold; empty: nothing is to be written."""


def write_back(session: Session, view: DriftView) -> WriteBack:
    """Bring what drifted into the manifests. Writes nothing, and only reads the service.

    The changed files are tried: they must be manifests, and leave no drift but what no manifest
    has.

    Raises:
        InputError: with everything that cannot be brought in; nothing was written.
        ReconcilerError: there would still be drift; nothing was written.
    """
    with session.reader() as remote:
        drift = view.see(session.plan_with(remote))
        contents = bring_back(drift.deviations, session.loaded.manifests, session.environment.name, _names(drift))
        if not contents:
            return WriteBack(drift, drift)
        left = _tried(session, view, contents, remote)
    require_inside(map(Path, contents), session.root)
    return WriteBack(drift, left, contents)


def _names(drift: Drift) -> Names:
    """The objects of manifests, by the ids that they have here."""
    return Names({one.key: one.address for one in drift.plan.changes if one.key and one.after})


def _tried(session: Session, view: DriftView, contents: Mapping[str, bytes], remote: ReadRemote) -> Drift:
    try:
        changed = session.with_contents(contents)
    except InputError as error:
        faults = [replace(one, message=f"with what is live: {one.message}") for one in error.diagnostics]
        raise InputError(faults) from error
    left = view.see(changed.plan_with(remote))
    still = ", ".join(f"{one.address}{one.pointer}" for one in left.deviations if one.kind is not DriftKind.UNMANAGED)
    if still:
        hint = "somebody may have changed the service meanwhile: try again"
        raise ReconcilerError(f"the manifests would still differ in {still}; nothing was written", hint=hint)
    return left
