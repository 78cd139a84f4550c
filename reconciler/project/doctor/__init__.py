"""Diagnose an environment: run every check and report what it found and how to fix it.

The checks are in one table, each after those that it needs: first the configuration (see `connectivity`), then the user
of the login, the marketplace, its roles, and the service. Each gets the findings so far and may add to them; a
check that depends on a failed one is skipped. The connection cannot write.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from reconciler.config.settings import Environment
from reconciler.errors import GuardRefusal, ReconcilerError
from reconciler.kinds import DEFAULT_KIND, KINDS, LOGIN_KIND, Kind, login_key
from reconciler.kinds.fields import FULL_ACCESS
from reconciler.live import check_marketplace, read_objects, read_secrets, with_assignments
from reconciler.manifests.files import AllowedPaths
from reconciler.manifests.load import inspect
from reconciler.manifests.yaml import shown
from reconciler.model.dataclass import dataclass
from reconciler.model.inputs import LEAST_TOKEN_MINUTES
from reconciler.model.json import Body
from reconciler.model.reports import Check, Diagnosis, Verdict
from reconciler.model.resource import DesiredResource
from reconciler.planning.guards.every_kind import unnamed_secrets
from reconciler.project import Settings, connect, plan_key
from reconciler.project.doctor import connectivity
from reconciler.project.doctor.connectivity import AGAIN, DoctorTools, Known, Result, Subject
from reconciler.project.environment import chosen_environment, configuration, load_context
from reconciler.remote.auth import Claims
from reconciler.remote.http import checked
from reconciler.remote.network import Network, reach
from reconciler.render.wording import few, number
from reconciler.secrets import value_of

__all__ = ["STEPS", "DoctorTools", "Subject", "examine"]


def generation(known: Known) -> Result:
    """Infer the API's generation from API clients: their secret was removed between 1.0.454 and 1.0.470."""
    if not known.clients:
        return Result(Verdict.INFO, "unknown: there is no API client")
    shown = [name for name in KINDS[LOGIN_KIND].secret_fields if any(name in client for client in known.clients)]
    if shown:
        return Result(Verdict.INFO, f"legacy: API clients show their {', '.join(shown)}")
    return Result(Verdict.INFO, "current: secrets are separate from API clients")


def put_creates(_known: Known) -> Result:
    """Report whether PUT creates, which is unknown without a write."""
    found = "not checked, since it requires a write: whether PUT creates an API client under a chosen ID"
    return Result(Verdict.INFO, f"{found}; plan and apply handle both")


CLIENTS: Final = KINDS[LOGIN_KIND]
"""The kind of the client that a login uses."""

SOON: Final = timedelta(days=7)
"""How long before its expiry a secret is a warning."""
_MINUTE: Final = 60.0
_GRANT: Final = "assign the user a security profile with a required role, and allow the API client to grant it"


def user(known: Known) -> Result:
    """Report the user of the login, who must be a seller user (OrderCloud release notes 1.0.185)."""
    me, claims = known.connection.me(), known.claims
    name = claims.username or str(me.get("Username") or "an unnamed user")
    who = f"{name}, through API client {claims.client_id or known.connection.client_id}"
    party = _party(me, claims)
    if party:
        found = f"the login is a {party} user: {who}; only seller users can manage configuration"
        return Result(Verdict.FAILED, found, "use an API client whose default context user is a seller user")
    return Result(Verdict.OK, f"seller user {who}")


def _party(me: Body, claims: Claims) -> str:
    """``buyer``, ``supplier``, or empty for the seller."""
    for party in ("buyer", "supplier"):
        if claims.user_type == party or me.get(party.capitalize()) is not None:
            return party
    return ""


def marketplace(known: Known) -> Result:
    """Check the marketplace of the service, as plan and apply do first."""
    found = known.tools.identify(known.connection)
    if known.subject.environment.marketplace is None:
        return Result(Verdict.OK, f"{found}; not configured, which an embedded emulator does not need")
    return Result(Verdict.OK, f"{found}, as configured")


def roles_for_plan(known: Known) -> Result:
    """Check the roles in the token, then read; a token without any roles is tested, too."""
    roles = known.claims.roles
    lacking = [
        f"reading {one.what} requires one of {', '.join(one.roles)}" for one in _reading(known) if one.lacks(roles)
    ]
    if roles and lacking:
        found = f"the token has {', '.join(few(sorted(roles), rest=''))}; {'; '.join(lacking)}"
        return Result(Verdict.FAILED, found, _GRANT)
    held = dict.fromkeys(role for one in _reading(known) for role in one.roles if role in roles)
    clients = tuple(known.connection.list_all(CLIENTS.path)) if _may_read_clients(known) else ()
    objects = [number(len(clients), CLIENTS.noun)] if CLIENTS.name in known.subject.kinds else []
    objects += [_count(known, kind) for kind in _used(known) if kind is not CLIENTS]
    found = f"{', '.join(held) or 'no role in the token'}; {', '.join(objects)} could be read"
    return Result(Verdict.OK, found, known=replace(known, clients=clients))


@dataclass(frozen=True, slots=True)
class _Requirement:
    """An action of a run, and the roles of which it needs at least one."""

    what: str
    roles: Sequence[str]

    def lacks(self, held: frozenset[str]) -> bool:
        """Whether a token has none of them."""
        return held.isdisjoint(self.roles)


def _used(known: Known) -> list[Kind]:
    return [KINDS[name] for name in sorted(known.subject.kinds)]


def _assigned(known: Known) -> list[Kind]:
    return [kind for kind in _used(known) if kind.assignments and known.subject.kinds[kind.name]]


def _reading(known: Known) -> list[_Requirement]:
    """What a plan reads. Some lists have no reader role, so a login that only plans can also write them."""
    return [
        *(_Requirement(f"{kind.noun}s", kind.reading_roles) for kind in _used(known)),
        *(_Requirement(f"assignments of {kind.noun}s", kind.assignment_reading_roles) for kind in _assigned(known)),
    ]


def _writing(known: Known) -> list[_Requirement]:
    return [
        *(_Requirement(f"{kind.noun}s", kind.writing_roles) for kind in _used(known)),
        *(_Requirement(f"assignments of {kind.noun}s", kind.assigning_roles) for kind in _assigned(known)),
    ]


def _count(known: Known, kind: Kind) -> str:
    """Read one kind the same way as a plan, and count its objects."""
    live = read_objects(known.connection, [kind.name], "", optional=[kind.name])
    if kind in _assigned(known):
        with_assignments(known.connection, live)
    if kind.name not in live.kinds:
        return f"no {kind.noun}s (not supported by this service)"
    return number(len(live.resources), kind.noun)


def _may_read_clients(known: Known) -> bool:
    """Whether to read clients: if the plan reads them, or if the token has a role for that."""
    return CLIENTS.name in known.subject.kinds or not known.claims.roles.isdisjoint(CLIENTS.reading_roles)


def roles_for_apply(known: Known) -> Result:
    """Check the roles in the token. Without them, the login can still plan."""
    roles = known.claims.roles
    lacking = [f"{', '.join(one.roles)} (for {one.what})" for one in _writing(known) if one.lacks(roles)]
    if not lacking:
        return Result(
            Verdict.OK, ", ".join(dict.fromkeys(r for one in _writing(known) for r in one.roles if r in roles))
        )
    found = f"the token has none of {'; none of '.join(lacking)}: this login can plan but not apply"
    return Result(Verdict.WARNING, found, f"sufficient for a job that only plans; to apply, {_GRANT}")


def roles_for_references(known: Known) -> Result:
    """Check the roles in the token for looking up references, which differ from those for reading the objects."""
    roles = known.claims.roles
    lookups = {role: what for kind in _used(known) for role, what in kind.lookups().items()}
    missing = [
        f"{role} ({lost})"
        for role, lost in lookups.items()
        if roles.isdisjoint({role, f"{role.removesuffix('Reader')}Admin", FULL_ACCESS})
    ]
    if not missing:
        return Result(Verdict.OK, "everything that manifests refer to can be looked up")
    found = f"references that need these roles cannot be checked: {', '.join(missing)}"
    return Result(Verdict.WARNING, found, _GRANT)


def own_client(known: Known) -> Result:
    """Report on the login client, its token lifetime and the expiry of its secrets."""
    wanted = known.connection.client_id
    own = next((one for one in known.clients if str(one.get("ID")).casefold() == wanted.casefold()), None)
    if own is None:
        found = f"API client {wanted} of this login is not among those that can be read"
        return Result(Verdict.WARNING, found, "verify manually that no change removes this client's access")
    life, end = _token_life(known.claims), _first_end(known)
    words = [f"{own.get(CLIENTS.name_field)} ({own.get('ID')})"]
    words += [] if life is None else [f"its tokens last {number(int(life / _MINUTE), 'minute')}"]
    words += [] if end is None else [f"one of its secrets expires on {end:%Y-%m-%d}"]
    found = "; ".join(words)
    if life is not None and life < LEAST_TOKEN_MINUTES * _MINUTE:
        field = CLIENTS.lifetime_field
        hint = f"set {field} of this client to at least {LEAST_TOKEN_MINUTES}: a long apply may need it"
        return Result(Verdict.WARNING, found, hint)
    if end is not None and end - _now(known) < SOON:
        return Result(Verdict.WARNING, found, "if this login uses that secret, replace it before that date")
    return Result(Verdict.OK, found)


def _token_life(claims: Claims) -> float | None:
    if claims.expires_at is None or claims.issued_at is None:
        return None
    return claims.expires_at - claims.issued_at


def _now(known: Known) -> datetime:
    return datetime.fromtimestamp(known.tools.now(), UTC)


def _first_end(known: Known) -> datetime | None:
    """When the next secret of the client expires; which one is in use is unknown. None on older services."""
    own = login_key(known.connection.client_id)
    try:
        secrets = read_secrets(known.connection, [own])[own]
    except ReconcilerError:
        return None
    return min((one.expires for one in secrets if one.expires and one.expires > _now(known)), default=None)


@dataclass(frozen=True, slots=True)
class Probe:
    """A check, as a row of the table."""

    name: str
    run: Callable[[Known], Result]
    needs: tuple[str, ...] = ()
    """The checks that this one depends on directly."""


STEPS: Final = (
    Probe("configuration", connectivity.configuration),
    Probe("credentials", connectivity.credentials),
    Probe("plan-key", connectivity.plan_key),
    Probe("drift-coverage", connectivity.drift_coverage),
    Probe("secrets-for-create", connectivity.secrets_for_create),
    Probe("host", connectivity.host),
    Probe("network", connectivity.network, needs=("host",)),
    Probe("login", connectivity.login, needs=("credentials", "network")),
    Probe("clock", connectivity.clock, needs=("login",)),
    Probe("user", user, needs=("login",)),
    Probe("marketplace", marketplace, needs=("user",)),
    Probe("roles-for-plan", roles_for_plan, needs=("marketplace",)),
    Probe("roles-for-apply", roles_for_apply, needs=("marketplace",)),
    Probe("roles-for-references", roles_for_references, needs=("marketplace",)),
    Probe("own-client", own_client, needs=("roles-for-plan",)),
    Probe("generation", generation, needs=("roles-for-plan",)),
    Probe("put-creates", put_creates),
    Probe("rate", connectivity.rate),
)
"""All checks, in order. The JSON document contains their names."""

_VERDICT_TEXTS: Final = {Verdict.FAILED: "failed", Verdict.SKIPPED: "was skipped"}


def examine(subject: Subject, tools: DoctorTools) -> Diagnosis:
    """Run all checks. An error in a check is its result; nothing is raised."""
    done: dict[str, Check] = {}
    with ExitStack() as resources:
        known = Known(subject, tools, resources)
        for step in STEPS:
            result = _skipped(step, done) or _attempt(step, known)
            known = result.known or known
            done[step.name] = Check(step.name, result.verdict, result.found, result.fix)
    return Diagnosis(subject.environment.name, tuple(done.values()))


def _skipped(step: Probe, done: Mapping[str, Check]) -> Result | None:
    for name in step.needs:
        if done[name].verdict in {Verdict.FAILED, Verdict.SKIPPED}:
            return Result(Verdict.SKIPPED, f"needs {name}, which {_VERDICT_TEXTS[done[name].verdict]}")
    return None


def _attempt(step: Probe, known: Known) -> Result:
    try:
        return step.run(known)
    except GuardRefusal as refusal:
        finding = refusal.findings[0]
        return Result(Verdict.FAILED, finding.message, finding.fix)
    except ReconcilerError as error:
        return Result(Verdict.FAILED, error.message, error.hint or AGAIN)
    except Exception as error:  # noqa: BLE001  # a bug in one check must not hide the results of the others
        # Only the type: the text could contain a value.
        return Result(Verdict.FAILED, f"internal error: {type(error).__name__}", "please report it")


# ----------------------------------------------------------------------------------------------------- one environment


def diagnose(settings: Settings) -> Diagnosis:
    """Check the chosen environment.

    Raises:
        ReconcilerError: there is no configuration, or no such environment.
    """
    config = configuration(settings)
    environment = chosen_environment(config, settings)
    context = load_context(config, environment, allow_unknown_roles=True, memo=settings.memo)
    resources = inspect(config.manifests, context).resources  # invalid ones are skipped
    subject = Subject(
        shown(config.path),
        environment,
        kinds=_kinds(resources, environment),
        unnamed=tuple(_unnamed(resources)),
        has_plan_key=plan_key(settings.variables) is not None,
    )
    return examine(subject, _tools(settings, environment, config.path.parent))


def _unnamed(found: Sequence[DesiredResource]) -> Iterator[str]:
    for one in sorted(found, key=lambda resource: resource.address):
        yield from (f"{one.address}: {path}" for path in unnamed_secrets(one))


def _kinds(found: Sequence[DesiredResource], environment: Environment) -> Mapping[str, bool]:
    """Kind in use -> whether a manifest names assignments of this kind."""
    kinds = environment.manages | {one.address.kind for one in found} or {DEFAULT_KIND}
    assigned = {one.address.kind for one in found if one.assignments}
    return {name: name in assigned for name in kinds}


def _tools(settings: Settings, environment: Environment, root: Path) -> DoctorTools:
    return DoctorTools(
        resolve=partial(value_of, allowed_paths=AllowedPaths(root), variables=settings.variables),
        require_allowed=partial(checked, allowed_hosts=connect.allowed_hosts(settings)),
        reach=partial(reach, network=Network()),
        open=partial(connect.reader, settings, environment, root),
        identify=partial(check_marketplace, environment=environment.name, marketplace=environment.marketplace),
    )
