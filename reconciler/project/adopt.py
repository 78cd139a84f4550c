"""The manifests of an environment -> the live object of each, and its id in reconciler.yaml if that is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from reconciler import pipeline
from reconciler.errors import ReconcilerError, UsageError
from reconciler.manifests.edit import write_ids
from reconciler.manifests.schema import did_you_mean
from reconciler.manifests.yaml import shown
from reconciler.model.resource import Address
from reconciler.project import Settings, connect
from reconciler.project.session import Session
from reconciler.render.reports import Adopted


def adopt(
    settings: Settings, paths: Sequence[Path], given: Mapping[str, str], *, write: bool, allow_unknown_roles: bool
) -> Adopted:
    """Find the live objects; write what is beyond doubt, unless something is in doubt.

    Args:
        settings: of the run.
        paths: manifests or folders of them; none: those of the configuration.
        given: the ids of manifests, by their address or, where that is one manifest's, by their name.
        write: whether the ids are written.
        allow_unknown_roles: only warn of role names that this version does not know.

    Raises:
        UsageError: no manifest has such a name.
    """
    session = Session.open(settings, paths, allow_unknown_roles=allow_unknown_roles)
    ids, environment = _addresses(given, session), session.environment
    file, at = environment.ids_file or session.config.path, ".".join(environment.ids_at)
    with connect.reader(settings, environment, session.root) as remote:
        found = pipeline.adopt(session.loaded.desired, remote, session.target(), environment.ids, ids)
    adopted = Adopted(found, shown(file), at=at, written=False, asked=write)
    if not write or not found.ids or found.faults:
        return adopted
    try:
        write_ids(file, environment.ids_at, found.ids)
    except ReconcilerError as error:
        return replace(adopted, failure=error)
    return replace(adopted, written=True)


def _addresses(given: Mapping[str, str], session: Session) -> dict[Address, str]:
    known = [one.address for one in session.loaded.desired.resources]
    found: dict[Address, str] = {}
    for name, object_id in given.items():
        meant = [address for address in known if name in {str(address), address.name}]
        if len(meant) != 1:
            names = [str(address) if "/" in name else address.name for address in meant or known]
            hint = did_you_mean(name, names) or f"there are: {', '.join(names)}"
            raise UsageError(f"there is {'no' if not meant else 'more than one'} manifest {name}", hint=hint)
        found[meant[0]] = object_id
    return found
