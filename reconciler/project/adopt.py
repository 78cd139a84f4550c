"""From the manifests of an environment to the live object of each; optionally writes the ids to reconciler.yaml."""

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
    """Find the live objects of manifests; write their ids if all matches are unambiguous.

    Args:
        settings: the settings of the run.
        paths: manifests or folders of manifests; none: those of the configuration.
        given: ids by the address of a manifest, or by its name if only one manifest has it.
        write: whether to write the ids.
        allow_unknown_roles: warn of role names that this version does not know, instead of failing.

    Raises:
        UsageError: no manifest, or more than one, has a given name.
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
            hint = did_you_mean(name, names) or f"choose one of: {', '.join(names)}"
            raise UsageError(f"there is {'no' if not meant else 'more than one'} manifest {name}", hint=hint)
        found[meant[0]] = object_id
    return found
