"""The resources for locales, approval rules of the seller, product facets and incrementors.

Sources: .NET SDK models (fields, lengths, required, defaults), its error codes (rules), OpenAPI document 1.0.260
(roles, sort and search fields of lists). Guesses: a changed owner of a locale is ignored; the `ApprovalType` `Order`,
which is not supported according to the documentation, is rejected; rules of suppliers are visible to the seller only;
nothing is ever pending.
"""

from collections.abc import Iterator

from reconciler.emulator.calls import FULL_ACCESS
from reconciler.emulator.errors import ServiceError
from reconciler.emulator.fields import Field, Reference
from reconciler.emulator.marketplace import Marketplace
from reconciler.emulator.resources import Resource
from reconciler.emulator.rows.parties import XP
from reconciler.emulator.store import Body

APPROVAL_TYPES = ("Order", "OrderReturn")
_OWNER = Field("OwnerID", reference=Reference("Supplier", or_seller=True, cascades=True))


def _check_locale(market: Marketplace, old: Body | None, new: Body) -> Iterator[ServiceError]:
    if market.is_taken("Locale", ("Currency", "Language"), old, new):
        yield ServiceError("Locale.DuplicateLanguageAndCurrency")


def _finalize_locale(market: Marketplace, old: Body | None, new: Body) -> Body:
    return new | {"OwnerID": old["OwnerID"] if old else new["OwnerID"] or market.settings.marketplace}


_LOCALE = Resource(
    kind="Locale",
    path="/v1/locales",
    fields=(_OWNER, Field("Currency", required=True, maximum=100), Field("Language", maximum=100)),
    sortable=("ID",),
    searchable=("ID", "Currency"),
    check=_check_locale,
    finalize=_finalize_locale,
)


def _check_rule(_market: Marketplace, _old: Body | None, new: Body) -> Iterator[ServiceError]:
    if new.get("ApprovalType") == "Order":
        yield ServiceError("ValidationFailure", "ApprovalType: only OrderReturn is supported.")


_APPROVING_GROUP_REF = Reference(
    "AdminUserGroup", blocks="UserGroup.CannotDeleteApprovingGroup", owners=(("OwnerID", "SupplierUserGroup"),)
)
_RULE = Resource(
    kind="SellerApprovalRule",
    path="/v1/approvalrules",
    fields=(
        _OWNER,
        Field("ApprovalType", required=True, choices=APPROVAL_TYPES),
        Field("Name", maximum=100),
        Field("Description", maximum=2000),
        Field("ApprovingGroupID", required=True, reference=_APPROVING_GROUP_REF),
        Field("RuleExpression", required=True, maximum=400),
        XP,
    ),
    read_roles=(FULL_ACCESS, "OrderAdmin", "ApprovalRuleReader"),
    write_roles=(FULL_ACCESS, "OrderAdmin"),
    sortable=("Name", "ID", "ApprovingGroupID", "RuleExpression"),
    searchable=("ID", "Name", "Description", "RuleExpression"),
    check=_check_rule,
    finalize=lambda market, _old, new: new | {"OwnerID": new["OwnerID"] or market.settings.marketplace},
)


def _path_of(facet: Body) -> Body:
    return facet | {"XpPath": facet.get("XpPath") or facet["ID"]}


def _check_facet(market: Marketplace, old: Body | None, new: Body) -> Iterator[ServiceError]:
    if market.is_taken("ProductFacet", ("XpPath",), old, _path_of(new)):
        yield ServiceError("ProductFacet.XpPathInUse")


_FACET = Resource(
    kind="ProductFacet",
    path="/v1/productfacets",
    fields=(
        Field("Name", required=True, maximum=100),
        Field("XpPath", maximum=200),
        Field("ListOrder", "integer", default=0),
        Field("MinCount", "integer", default=1),
        XP,
    ),
    sortable=("ListOrder", "ID", "Name", "XpPath"),
    searchable=("ID", "Name", "XpPath"),
    check=_check_facet,
    finalize=lambda _market, _old, new: _path_of(new),
)

_INCREMENTOR = Resource(
    kind="Incrementor",
    path="/v1/incrementors",
    fields=(
        Field("Name", maximum=100),
        Field("LastNumber", "integer", required=True),
        Field("LeftPaddingCount", "integer", required=True),
    ),
)

ROWS = (_LOCALE, _RULE, _FACET, _INCREMENTOR)
