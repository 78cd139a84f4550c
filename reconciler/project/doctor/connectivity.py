"""Checks of the configuration, the network, the login and the clock.

`doctor` has the other checks, which have the same signature.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import field, replace
from statistics import median
from typing import Final

from reconciler.config.settings import Environment
from reconciler.errors import ReconcilerError
from reconciler.kinds import DEFAULT_KIND, KINDS
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
"""The fix of a check without a specific one."""
NO_CLAIMS: Final = Claims("", "", "", frozenset(), None)


@dataclass(frozen=True, slots=True)
class Subject:
    """One environment as the configuration describes it. It holds no secret."""

    configuration: str
    """The file's name."""
    environment: Environment
    kinds: Mapping[str, bool] = field(default_factory=lambda: {DEFAULT_KIND: False})
    """Kind in use -> whether a manifest names assignments of this kind."""
    has_plan_key: bool = False
    unnamed: tuple[str, ...] = ()
    """The secrets that no manifest names but a new creation of the object would need."""


@dataclass(frozen=True, slots=True)
class DoctorTools:
    """Functions that checks call. A `ReconcilerError` that one raises is the result of the check."""

    resolve: Callable[[SecretReference], object]
    """Resolves a credential; the value is not used."""
    require_allowed: Callable[[str], object]
    """Raises for a base URL to which credentials may not be sent."""
    reach: Callable[[str], Reached]
    """Connects to a base URL the same way as a request."""
    open: Callable[[], AbstractContextManager[ReadClient]]
    """Opens a connection that cannot write."""
    identify: Callable[[ReadRemote], str]
    """Returns the marketplace; raises if it is not the configured one."""
    now: Callable[[], float] = time.time
    """The local clock, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Known:
    """The findings of earlier checks that later ones use."""

    subject: Subject
    tools: DoctorTools
    resources: ExitStack
    """Closes the resources that checks have opened."""
    remote: ReadClient | None = None
    """Set once `login` has succeeded."""
    claims: Claims = NO_CLAIMS
    logged_in_at: float = 0.0
    """By the local clock, in seconds since the epoch."""
    clients: tuple[Body, ...] = field(default=(), repr=False)
    """As read; older services include secrets."""

    @property
    def connection(self) -> ReadClient:
        """The connection, for checks that need `login`."""
        if self.remote is None:
            raise LookupError("a check that uses the connection needs `login`")
        return self.remote


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one check."""

    verdict: Verdict
    found: str
    fix: str = ""
    known: Known | None = None


SKEW_TO_WARN: Final = 60.0
SKEW_TO_FAIL: Final = 300.0
"""The maximum difference between the local clock and the service's, in seconds."""
_DAY: Final = 86_400.0


def configuration(known: Known) -> Result:
    """Report the file and the target. An invalid file has already ended the run."""
    environment = known.subject.environment
    target = "the embedded emulator" if environment.emulator else environment.base_url
    found = f"{known.subject.configuration}, environment {environment.name}: {target}"
    if Parser is SlowParser:
        fix = "pip install 'ruamel.yaml[oldlibyaml]'"
        return Result(Verdict.WARNING, f"{found}; YAML is read slowly: the C parser is not installed", fix)
    return Result(Verdict.OK, found)


def drift_coverage(known: Known) -> Result:
    """Report whether every change in the service counts as drift."""
    unwatched = list(_unwatched(known.subject.environment))
    if not unwatched:
        used = len(known.subject.kinds)
        others = f"; {len(KINDS) - used} are not read: no manifest, and not under manage:" if used < len(KINDS) else ""
        return Result(Verdict.OK, f"every change of {number(used, 'kind')} counts as drift{others}")
    fix = (
        "run reconciler export --write first, or the next apply resets fields that no manifest names; then add "
        "defaults: {policy: {fields: exclusive}} and drift: {unmanaged: fail} (docs/exclusive.md)"
    )
    return Result(Verdict.WARNING, f"changes that do not count as drift: {'; '.join(unwatched)}", fix)


def _unwatched(environment: Environment) -> Iterator[str]:
    if environment.defaults.fields is FieldsPolicy.MERGE:
        yield "fields that a manifest does not name"
    if not environment.unmanaged_is_drift:
        yield "objects in no manifest"


def secrets_for_create(known: Known) -> Result:
    """Report whether manifests name the secrets that apply needs to recreate their objects."""
    if not known.subject.unnamed:
        return Result(Verdict.OK, "manifests name every secret that is needed to recreate their objects")
    unnamed = ", ".join(few(known.subject.unnamed, rest=""))
    found = f"apply cannot recreate these if they are lost, as in a restore of staging: {unnamed}"
    fix = "name each in its manifest, as FIELD: {fromEnv: NAME}, allow NAME under secrets.allow, and set it for apply"
    return Result(Verdict.WARNING, found, fix)


def credentials(known: Known) -> Result:
    """Look up every credential, and list those that are missing."""
    auth = known.subject.environment.auth
    if auth is None:
        return Result(Verdict.INFO, "not needed: the embedded emulator has its own client")
    references = {key: one for key, one in named_credentials(auth).items() if isinstance(one, SecretReference)}
    faults = dict.fromkeys(fault for one in references.values() if (fault := _fault_of(one, known.tools)))
    if faults:
        fix = "set it where this command runs; in CI, as a secret of the job"
        return Result(Verdict.FAILED, "; ".join(faults), fix)
    names = ", ".join(f"{name} {reference}" for name, reference in references.items())
    return Result(Verdict.OK, f"set and not empty: {names}")


def _fault_of(reference: SecretReference, tools: DoctorTools) -> str:
    try:
        tools.resolve(reference)
    except ReconcilerError as error:
        return error.message
    return ""


def plan_key(known: Known) -> Result:
    """Report whether plans are signed and have fingerprints of secrets."""
    if known.subject.has_plan_key:
        return Result(Verdict.INFO, "RECONCILER_PLAN_KEY is set: plans are signed and have fingerprints of secrets")
    return Result(
        Verdict.INFO, "RECONCILER_PLAN_KEY is not set: plans are not signed and have no fingerprints of secrets"
    )


def host(known: Known) -> Result:
    """Report why credentials may be sent to the base URL; fails if they may not."""
    environment = known.subject.environment
    if environment.emulator:
        return Result(Verdict.INFO, "not applicable: the emulator runs in this process")
    known.tools.require_allowed(environment.base_url)
    origin = origin_of(environment.base_url)
    if not is_trusted(origin):
        return Result(Verdict.OK, f"{origin} is allowed by --allow-host or {ALLOWED_HOSTS_VARIABLE}")
    why = "this machine" if is_loopback(origin.host) else "a host of OrderCloud, over TLS"
    return Result(Verdict.OK, f"{origin.host} is {why}, which is allowed by default")


def network(known: Known) -> Result:
    """Connect to the host the same way as a request, and report how far that succeeds."""
    if known.subject.environment.emulator:
        return Result(Verdict.INFO, "not applicable: the emulator runs in this process")
    reached = known.tools.reach(known.subject.environment.base_url)
    if reached.proxy:
        found = f"requests go through the proxy {reached.proxy}: it resolves names, connects and checks certificates"
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
    return f", the certificate is valid for {number(int((reached.expires_at - now) / _DAY), 'day')}"


def login(known: Known) -> Result:
    """Request a token. Without one, the connection is still kept, for its statistics."""
    remote = known.resources.enter_context(known.tools.open())
    known = replace(known, remote=remote)
    try:
        claims = remote.claims()
    except ReconcilerError as error:
        return Result(Verdict.FAILED, error.message, error.hint or AGAIN, known)
    known = replace(known, claims=claims, logged_in_at=known.tools.now())
    return Result(Verdict.OK, "a token was issued", known=known)


def clock(known: Known) -> Result:
    """Compare the clock with the response of the login and its token, which have just been issued."""
    moments = dict(_moments(known))
    if not moments:
        return Result(Verdict.INFO, "unknown: neither the response nor the token has a time")
    source, skew = max(moments.items(), key=lambda one: abs(one[1]))
    if abs(skew) <= SKEW_TO_WARN:
        return Result(Verdict.OK, f"within {SKEW_TO_WARN:.0f} s of the service's, by {' and '.join(moments)}")
    verdict = Verdict.WARNING if abs(skew) <= SKEW_TO_FAIL else Verdict.FAILED
    side = "ahead of" if skew > 0 else "behind"
    found = f"this machine's clock is {abs(skew):.0f} s {side} the service's, by {source}"
    return Result(verdict, found, "set the clock: the expiry of certificates, plans and secrets depends on it")


def _moments(known: Known) -> Iterable[tuple[str, float]]:
    """Each source of the service's time, and how many seconds the local clock is ahead of it."""
    now, claims = known.logged_in_at, known.claims
    last = known.connection.samples[-1:]
    if last and last[0].date is not None:
        yield "the response's Date", now - last[0].date
    if claims.issued_at is not None:
        yield "the token's nbf", now - claims.issued_at
    if claims.expires_at is not None and now > claims.expires_at:
        yield "the token's exp", now - claims.expires_at


def rate(known: Known) -> Result:
    """Report on the requests of this run. OrderCloud publishes no limit to compare with."""
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
