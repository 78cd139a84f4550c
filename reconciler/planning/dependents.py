"""Deletions x remote -> what still refers to their objects, so that the service would refuse them.

Looked for only where something is deleted, each list once. A login that may not look is a warning that says which role
is missing; the service's own refusal is then told with what to do about it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from reconciler.errors import AccessDenied, NotFound
from reconciler.kinds import KINDS, Dependent
from reconciler.model.json import Body
from reconciler.model.plan import Action, Change, Finding
from reconciler.remote.protocol import ReadRemote


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found."""

    findings: tuple[Finding, ...]
    warnings: tuple[str, ...]


def check(changes: Sequence[Change], remote: ReadRemote) -> Checked:
    """Find what would keep deletions from being carried out.

    Raises:
        RemoteError: a look failed otherwise than by a missing role.
    """
    deleted: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        if change.action is Action.DELETE:
            deleted[change.address.kind].append(change)
    findings: list[Finding] = []
    warnings: list[str] = []
    for name, deletions in deleted.items():
        for dependent in KINDS[name].dependents:
            try:
                findings += _still_used(deletions, dependent, _read(remote, dependent))
            except AccessDenied as error:
                if error.request.status != HTTPStatus.FORBIDDEN:
                    raise
                warnings.append(_unseen(deletions, dependent))
    return Checked(tuple(findings), tuple(warnings))


def _read(remote: ReadRemote, dependent: Dependent) -> Iterable[Body]:
    try:
        return [remote.single(dependent.path)] if dependent.is_single else remote.list_all(dependent.path)
    except NotFound:  # there is none, or this version of the service knows of no such thing
        return ()


def _still_used(deletions: Iterable[Change], dependent: Dependent, found: Iterable[Body]) -> Iterable[Finding]:
    users: dict[str, list[str]] = defaultdict(list)
    for body in found:
        users[str(body.get(dependent.field)).casefold()].append(str(body.get("ID") or ""))
    for change in deletions:
        if (change.id or "").casefold() in users:
            names = " ".join([dependent.noun, ", ".join(filter(None, users[(change.id or "").casefold()]))]).strip()
            yield Finding(
                "still-in-use",
                f"{change.address} is used by the {names}, and OrderCloud refuses to delete it",
                f"delete the {dependent.noun} first",
                (change.address,),
            )


def _unseen(deletions: Sequence[Change], dependent: Dependent) -> str:
    who = deletions[0].address if len(deletions) == 1 else f"any of {len(deletions)} resources to be deleted"
    return f"that no {dependent.noun} uses {who} cannot be seen; the login lacks {dependent.role}"
