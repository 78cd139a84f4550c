"""A session -> its manifests with what is live, shown or written; and the drift that is left."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from reconciler.cli.failures import style_of_stderr
from reconciler.cli.streams import tell
from reconciler.errors import InputError, ReconcilerError
from reconciler.manifests.allowed_paths import demand_inside
from reconciler.manifests.edit import write_contents
from reconciler.manifests.edit.live import bring_back
from reconciler.model.drift import Drift, DriftKind
from reconciler.project.drift import Lens
from reconciler.project.session import Session
from reconciler.remote.protocol import ReadRemote
from reconciler.render.edits import edits


def drift_left(session: Session, lens: Lens, *, write: bool) -> Drift:
    """Show the manifests with what drifted, and write them if that is asked for. The service is only read.

    The changed files are tried before they are shown: they must be manifests, and leave no drift but what no manifest
    has.

    Raises:
        InputError: with everything that cannot be brought in; nothing was written.
        ReconcilerError: there would still be drift; nothing was written.
    """
    with session.reader() as remote:
        drift = lens.see(session.plan_with(remote))
        contents = bring_back(drift.deviations, session.loaded.manifests, session.environment.name)
        if not contents:
            return drift
        left = _tried(session, lens, contents, remote)
    demand_inside(map(Path, contents), session.root)
    _show(contents)
    files = f"{len(contents)} file{'' if len(contents) == 1 else 's'}"
    if not write:
        tell(f"Nothing was written. To write {files}, add --write.\n")
        return drift
    if not session.common.quiet:
        tell(f"Writing {files}.\n")
    write_contents(contents)
    return left


def _tried(session: Session, lens: Lens, contents: Mapping[str, bytes], remote: ReadRemote) -> Drift:
    try:
        changed = session.with_contents(contents)
    except InputError as error:
        faults = [replace(one, message=f"with what is live: {one.message}") for one in error.diagnostics]
        raise InputError(faults) from error
    left = lens.see(changed.plan_with(remote))
    still = ", ".join(f"{one.address}{one.pointer}" for one in left.deviations if one.kind is not DriftKind.UNMANAGED)
    if still:
        hint = "somebody may have changed the service meanwhile: try again"
        raise ReconcilerError(f"the manifests would still differ in {still}; nothing was written", hint=hint)
    return left


def _show(contents: Mapping[str, bytes]) -> None:
    """Show what changes, however quiet the run is: these are files of the user."""
    style = style_of_stderr()
    for file, content in contents.items():
        tell(edits(file, Path(file).read_bytes().decode(), content.decode(), style))
