"""A remote -> the marketplace that it opens, refused unless it is the one that the configuration names."""

from collections.abc import Collection, Mapping

from reconciler.errors import AccessDenied, BadAnswer, RequestFacts, WrongMarketplace
from reconciler.kinds import make_ready
from reconciler.model.plan import Finding
from reconciler.remote.protocol import ReadRemote

_ME = RequestFacts("GET", "/v1/me")


def check_marketplace(
    remote: ReadRemote, environment: str, marketplace: str | None, kinds: Collection[str] = ()
) -> str:
    """Ask the service who it is, before anything else is read or written; `kinds` are those that are read next.

    Raises:
        WrongMarketplace: it is another marketplace than the environment names; None takes any.
    """
    make_ready(kinds)
    return same_marketplace(identify(remote), environment, marketplace, "the credentials open", remote.base_url)


def same_marketplace(found: str, environment: str, marketplace: str | None, whose: str, base_url: str) -> str:
    """Give the marketplace that was found.

    Raises:
        WrongMarketplace: it is another than the environment names; `whose` starts the half of the sentence about it.
    """
    if marketplace is not None and found.casefold() != marketplace.casefold():
        message = (
            f"environment {environment} is configured for marketplace {marketplace}, but {whose} {found} at {base_url}"
        )
        fix = "correct `marketplace:` or `auth:` of this environment"
        raise WrongMarketplace([Finding("marketplace", message, fix, can_be_acknowledged=False)])
    return found


def identify(remote: ReadRemote) -> str:
    """Ask the service which marketplace it is; a token does not say (OrderCloud's tokens carry no such claim).

    Raises:
        AccessDenied: the credentials are those of a buyer's or a supplier's user, who may not manage configuration.
        BadAnswer: the answer names no marketplace.
    """
    me = remote.me()
    for party in ("Buyer", "Supplier"):
        if me.get(party) is not None:
            raise AccessDenied(
                f"the credentials act as a {party.lower()}'s user; only seller users may manage configuration",
                _ME,
                hint="use an API client whose default context user is a seller user",
            )
    seller = me.get("Seller")
    marketplace = seller.get("ID") if isinstance(seller, Mapping) else None
    if not isinstance(marketplace, str) or not marketplace:
        raise BadAnswer("no Seller.ID in the answer, so the marketplace is unknown", _ME)
    return marketplace
