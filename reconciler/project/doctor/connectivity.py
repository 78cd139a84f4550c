"""A configuration -> what it lacks, whether this machine gets a token, and whether its clock is right.

These checks get the same arguments as those of `doctor`.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import field, replace
from statistics import median
from typing import Final

from reconciler.config.settings import Environment
from reconciler.errors import ReconcilerError
from reconciler.kinds import DEFAULT_KIND
from reconciler.manifests.yaml.parser import Parser, SlowParser
from reconciler.model.dataclass import dataclass
from reconciler.model.json import Body
from reconciler.model.reports import Verdict
from reconciler.model.resource import FieldsPolicy
from reconciler.model.secret import SecretReference
from reconciler.project.connect import named_credentials
from reconciler.remote import ReadRemote
from reconciler.remote.auth import Claims
from reconciler.remote.client import ReadClient
from reconciler.remote.hosts import ALLOWED_HOSTS_VARIABLE, is_loopback, is_trusted, origin_of
from reconciler.remote.network import Reached
from reconciler.remote.throttle import THROTTLED
from reconciler.render.wording import few, number

AGAIN: Final = "fix this, then run doctor again"
"""The default fix."""
NO_CLAIMS: Final = Claims("", "", "", frozenset(), None)


@dataclass(frozen=True, slots=True)
class Subject:
    """One environment as the configuration describes it. It holds no secret."""

    configuration: str
    """The file's name."""
    environment: Environment
    kinds: Mapping[str, bool] = field(default_factory=lambda: {DEFAULT_KIND: False})
    """The kinds in use -> whether a manifest names assignments of one."""
    has_plan_key: bool = False
    unnamed: tuple[str, ...] = ()
    """The secrets that manifests leave out and without which their objects cannot be created again."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What checks call. Each may raise a `ReconcilerError`, which is then the result of the check."""

    resolve: Callable[[SecretReference], object]
    """Resolves a credential; only whether that fails matters."""
    require_allowed: Callable[[str], object]
    """Refuses a base URL to which credentials may not be sent."""
    reach: Callable[[str], Reached]
    """Connects to a base URL as a request would."""
    open: Callable[[], AbstractContextManager[ReadClient]]
    """Opens a connection that cannot write."""
    identify: Callable[[ReadRemote], str]
    """Gives the marketplace, unless it is another than the configured one."""
    now: Callable[[], float] = time.time
    """This machine's clock, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the checks have found so far."""

    subject: Subject
    tools: Tools
    resources: ExitStack
    """Closes at the end what checks have opened."""
    remote: ReadClient | None = None
    """Set once `login` has succeeded."""
    claims: Claims = NO_CLAIMS
    logged_in_at: float = 0.0
    """By this machine's clock."""
    clients: tuple[Body, ...] = field(default=(), repr=False)
    """As read; older services show secrets in them."""

    @property
    def connection(self) -> ReadClient:
        """The connection, for the checks that need `login`."""
        if self.remote is None:
            raise LookupError("a check that uses the connection needs `login`")
        return self.remote


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one check, and what is known after it if that is more."""

    verdict: Verdict
    found: str
    fix: str = ""
    known: Known | None = None


SKEW_TO_WARN: Final = 60.0
SKEW_TO_FAIL: Final = 300.0
"""Seconds by which this machine's clock may differ from the service's."""
_DAY: Final = 86_400.0


def configuration(known: Known) -> Result:
    """Name the file and the target; faults of the file have ended the run before."""
    environment = known.subject.environment
    target = "the embedded emulator" if environment.emulator else environment.base_url
    found = f"{known.subject.configuration}, environment {environment.name}: {target}"
    if Parser is SlowParser:
        fix = "pip install 'ruamel.yaml[oldlibyaml]'"
        return Result(Verdict.WARNING, f"{found}; YAML is read slowly: the C parser is not installed", fix)
    return Result(Verdict.OK, found)


def watching(known: Known) -> Result:
    """Say whether every change in the service is drift."""
    unwatched = list(_unwatched(known.subject.environment))
    if not unwatched:
        return Result(Verdict.OK, "every change in the service is drift")
    fix = (
        "run reconciler export --write first, or the next apply resets what no manifest names; then add "
        "defaults: {policy: {fields: exclusive}} and drift: {unmanaged: fail} (docs/exclusive.md)"
    )
    return Result(Verdict.WARNING, f"changes here are not drift: {'; '.join(unwatched)}", fix)


def _unwatched(environment: Environment) -> Iterator[str]:
    if environment.defaults.fields is FieldsPolicy.MERGE:
        yield "fields that a manifest does not name"
    if not environment.unmanaged_is_drift:
        yield "objects in no manifest"


def recreation(known: Known) -> Result:
    """Say whether manifests name the secrets that apply needs to create their objects again."""
    if not known.subject.unnamed:
        return Result(Verdict.OK, "manifests name every secret that is needed to create their objects again")
    unnamed = ", ".join(few(known.subject.unnamed, rest=""))
    found = f"apply cannot create these again if lost, as in a restore of staging: {unnamed}"
    fix = "name each in its manifest, as FIELD: {fromEnv: NAME}, allow NAME under secrets.allow, and set it for apply"
    return Result(Verdict.WARNING, found, fix)


def credentials(known: Known) -> Result:
    """Look up every credential, and name those that are missing."""
    auth = known.subject.environment.auth
    if auth is None:
        return Result(Verdict.INFO, "none are needed: the embedded emulator has a client of its own")
    references = {key: one for key, one in named_credentials(auth).items() if isinstance(one, SecretReference)}
    faults = dict.fromkeys(fault for one in references.values() if (fault := _fault_of(one, known.tools)))
    if faults:
        fix = "set it where this command runs; in CI, as a secret of the job"
        return Result(Verdict.FAILED, "; ".join(faults), fix)
    names = ", ".join(f"{name} {reference}" for name, reference in references.items())
    return Result(Verdict.OK, f"set and not empty: {names}")


def _fault_of(reference: SecretReference, tools: Tools) -> str:
    try:
        tools.resolve(reference)
    except ReconcilerError as error:
        return error.message
    return ""


def plan_key(known: Known) -> Result:
    """Say whether plans are signed and have fingerprints of secrets."""
    if known.subject.has_plan_key:
        return Result(Verdict.INFO, "RECONCILER_PLAN_KEY is set: plans are signed and keep fingerprints of secrets")
    return Result(
        Verdict.INFO, "RECONCILER_PLAN_KEY is not set: plans are not signed and keep no fingerprints of secrets"
    )


def host(known: Known) -> Result:
    """Say why credentials may be sent to the base URL, or that they may not."""
    environment = known.subject.environment
    if environment.emulator:
        return Result(Verdict.INFO, "not applicable: the emulator runs in this process")
    known.tools.require_allowed(environment.base_url)
    origin = origin_of(environment.base_url)
    if not is_trusted(origin):
        return Result(Verdict.OK, f"{origin} is allowed by --allow-host or {ALLOWED_HOSTS_VARIABLE}")
    why = "this machine" if is_loopback(origin.host) else "a host of OrderCloud, over TLS"
    return Result(Verdict.OK, f"{origin.host} is {why}, which needs no permission")


def network(known: Known) -> Result:
    """Connect to the host as a request would, and say how far that gets."""
    if known.subject.environment.emulator:
        return Result(Verdict.INFO, "not applicable: the emulator runs in this process")
    reached = known.tools.reach(known.subject.environment.base_url)
    if reached.proxy:
        found = f"requests go through the proxy {reached.proxy}: names, connections and certificates depend on it"
        return Result(Verdict.INFO, f"{found}; {reached.host} was not contacted directly")
    addresses = ", ".join(few(reached.addresses, rest=""))
    known_by = "" if reached.addresses == (reached.host,) else f" is {addresses}, and"
    there = f"{reached.host}{known_by} answers"
    if not reached.tls:
        return Result(Verdict.OK, f"{there}; TLS is not needed on this machine")
    return Result(Verdict.OK, f"{there}; {reached.tls}{_expiry(reached, known.tools.now())}")


def _expiry(reached: Reached, now: float) -> str:
    if reached.expires_at is None:
        return ""
    return f", the certificate is good for {number(int((reached.expires_at - now) / _DAY), 'day')}"


def login(known: Known) -> Result:
    """Ask for a token. The connection is kept even if there is none, for its statistics."""
    remote = known.resources.enter_context(known.tools.open())
    known = replace(known, remote=remote)
    try:
        claims = remote.claims()
    except ReconcilerError as error:
        return Result(Verdict.FAILED, error.message, error.hint or AGAIN, known)
    known = replace(known, claims=claims, logged_in_at=known.tools.now())
    return Result(Verdict.OK, "a token was issued", known=known)


def clock(known: Known) -> Result:
    """Compare the clock with the answer of the login and its token, which were made just before."""
    moments = dict(_moments(known))
    if not moments:
        return Result(Verdict.INFO, "unknown: neither the answer nor the token tells the time")
    source, skew = max(moments.items(), key=lambda one: abs(one[1]))
    if abs(skew) <= SKEW_TO_WARN:
        return Result(Verdict.OK, f"within {SKEW_TO_WARN:.0f} s of the service's, by {' and '.join(moments)}")
    verdict = Verdict.WARNING if abs(skew) <= SKEW_TO_FAIL else Verdict.FAILED
    side = "ahead of" if skew > 0 else "behind"
    found = f"this machine's clock is {abs(skew):.0f} s {side} the service's, by {source}"
    return Result(verdict, found, "set the clock: certificates, plans and secrets expire by it")


def _moments(known: Known) -> Iterable[tuple[str, float]]:
    """Each source of the service's time, and how far this machine's clock is ahead of it."""
    now, claims = known.logged_in_at, known.claims
    last = known.connection.samples[-1:]
    if last and last[0].date is not None:
        yield "the answer's Date", now - last[0].date
    if claims.issued_at is not None:
        yield "the token's nbf", now - claims.issued_at
    if claims.expires_at is not None and now > claims.expires_at:
        yield "the token's exp", now - claims.expires_at


def rate(known: Known) -> Result:
    """Report on the requests of this run; OrderCloud publishes no limit to compare with."""
    limits = f"no limit is published; concurrency is {known.subject.environment.concurrency}"
    samples = known.remote.samples if known.remote else ()
    if known.remote is None or not samples:
        return Result(Verdict.INFO, f"{limits}; no request was sent")
    times = [one.seconds * 1000 for one in samples]
    throttled = sum(one.status == THROTTLED for one in samples)
    requests = f"{number(len(samples), 'request')}, {known.remote.stats.retries} of them retries"
    found = (
        f"{limits}; {requests}, {throttled} answered 429; median {median(times):.0f} ms, slowest {max(times):.0f} ms"
    )
    if throttled:
        return Result(Verdict.WARNING, found, "lower `concurrency` of this environment")
    return Result(Verdict.INFO, found)
