"""What was read and how it went -> which service this is, and how fast."""

from statistics import median

from reconciler.kinds import KINDS, LOGIN_KIND
from reconciler.model.reports import Verdict
from reconciler.project.doctor.known import Known, Result, number
from reconciler.remote.retry import THROTTLED


def generation(known: Known) -> Result:
    """Tell the API's generation by what API clients look like: the secret left them between 1.0.454 and 1.0.470."""
    if not known.clients:
        return Result(Verdict.INFO, "unknown: there is no API client to tell it by")
    shown = [name for name in KINDS[LOGIN_KIND].secret_fields if any(name in client for client in known.clients)]
    if shown:
        return Result(Verdict.INFO, f"legacy: API clients show their {', '.join(shown)}")
    return Result(Verdict.INFO, "current: secrets are kept apart from API clients")


def put_creates(_known: Known) -> Result:
    """Say what cannot be known without a write."""
    found = "unknown until tried: may a PUT create an API client under an ID of our choice"
    return Result(Verdict.INFO, f"{found}; plan and apply handle both")


def rate(known: Known) -> Result:
    """Say how the requests of this run went; OrderCloud publishes no limit to compare them with."""
    limits = f"no limit is published; concurrency is {known.subject.concurrency}"
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
