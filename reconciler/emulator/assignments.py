"""Which buyers and suppliers may use an API client, and which security profiles a party has -> routes of their own.

A client assignment names one buyer or one supplier, the other ID being null (official seed files). Guesses: naming both
or neither is refused with `ValidationFailure`; saving an existing assignment again is 204; deleting a missing one is
404; a parameter which the list does not document is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconciler.emulator.calls import Answer, Route
from reconciler.emulator.errors import ApiError, Fault, not_found, refuse_if
from reconciler.emulator.fields import Field, faults_of
from reconciler.emulator.lists import Listable, page_of, parse_query
from reconciler.emulator.roles import readers, writers
from reconciler.emulator.store import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.emulator.calls import Call, Handler
    from reconciler.emulator.marketplace import Marketplace
    from reconciler.emulator.store import Body

_FIELDS = (Field("ApiClientID", required=True), Field("BuyerID"), Field("SupplierID"))
_LISTABLE = Listable(_FIELDS, sortable=(), searchable=())
_PROFILE_LISTABLE = Listable(
    tuple(Field(name) for name in ("SecurityProfileID", "BuyerID", "SupplierID", "UserID", "UserGroupID")),
    sortable=(),
    searchable=(),
)
_COMPANIES = {"Buyer": "BuyerID", "Supplier": "SupplierID"}


def routes() -> Iterator[Route]:
    """Give the routes of assignments."""
    path, readable, writable = "/v1/apiclients/assignments", readers("ApiClient"), writers("ApiClient")
    yield Route("GET", path, _list, readable, seller_only=True)
    yield Route("POST", path, _save, writable, seller_only=True)
    for company in _COMPANIES:
        one = f"/v1/{company.lower()}s/{{parent}}/apiclients/assignments/{{id}}"
        yield Route("DELETE", one, _delete_from(company), writable, seller_only=True)
    profile_readers = (*readers("SecurityProfile"), "SetSecurityProfile")
    yield Route("GET", "/v1/securityprofiles/assignments", _list_profiles, profile_readers)


def assign(market: Marketplace, client_id: str, company: str, company_id: str) -> None:
    """Store one assignment; `company` is Buyer or Supplier."""
    body = {"ApiClientID": client_id.upper(), "BuyerID": None, "SupplierID": None, _COMPANIES[company]: company_id}
    market.store.put("ApiClientAssignment", key_of(client_id, company, company_id), body)


def forget_company(market: Marketplace, company: str, company_id: str) -> None:
    """Remove the assignments of a buyer or supplier that was deleted."""
    end = key_of("", company, company_id)
    for key in [key for key in market.store.all("ApiClientAssignment") if key.endswith(end)]:
        market.store.delete("ApiClientAssignment", key)


def _list(call: Call) -> Answer:
    query = parse_query(call.query, _LISTABLE, call.market.settings.max_page_size)
    found = query.admitted(call.market.store.shuffled("ApiClientAssignment"))
    return Answer(200, page_of(query, found, lambda body: body | {"ApiClientID": body["ApiClientID"].lower()}))


def _list_profiles(call: Call) -> Answer:
    query = parse_query(call.query, _PROFILE_LISTABLE, call.market.settings.max_page_size)
    found = query.admitted(call.market.store.shuffled("SecurityProfileAssignment"))
    return Answer(200, page_of(query, found, lambda body: body))


def _save(call: Call) -> Answer:
    sent = call.body()
    refuse_if(list(faults_of(_FIELDS, sent)))
    named = [(company, sent[name]) for company, name in _COMPANIES.items() if sent.get(name)]
    if len(named) != 1:
        raise ApiError(Fault("ValidationFailure", "Either BuyerID or SupplierID is required, and only one of them."))
    company, company_id = named[0]
    client, owner = call.market.find("ApiClient", sent["ApiClientID"]), call.market.find(company, company_id)
    refuse_if(
        [not_found("ApiClient", sent["ApiClientID"])] * (client is None)
        + [not_found(company, company_id)] * (owner is None)
    )
    assign(call.market, sent["ApiClientID"], company, _id_of(owner))
    return Answer(204)


def _id_of(owner: Body | None) -> str:
    return str((owner or {})["ID"])


def _delete_from(company: str) -> Handler:
    def delete(call: Call) -> Answer:
        company_id = str(call.market.require(company, call.params["parent"])["ID"])
        client_id = str(call.market.require("ApiClient", call.params["id"])["ID"])
        call.market.require("ApiClientAssignment", client_id, company, company_id)
        call.market.store.delete("ApiClientAssignment", key_of(client_id, company, company_id))
        return Answer(204)

    return delete
