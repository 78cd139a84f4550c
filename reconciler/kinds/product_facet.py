"""ProductFacet: an extended property of products by which searches can be narrowed."""

from typing import Final

from reconciler.kinds.base import Kind
from reconciler.kinds.common import chosen_id, number, text, title, xp
from reconciler.kinds.fields import Whole

PRODUCT_FACET: Final = Kind(
    name="ProductFacet",
    noun="product facet",
    description="One product facet: an extended property by which product searches can be narrowed.",
    path="/productfacets",
    source='API reference, "Product Facets"',
    table=(
        title("Colour", 100, required=True),
        text(
            "XpPath", "The path below xp of the product. Left out: the ID. No other facet has the same.", "colour", 200
        ),
        number("ListOrder", Whole(), "Its place among the facets.", 1, default=0),
        number("MinCount", Whole(), "How many products a value needs to be listed.", 1, default=1),
        xp(),
        chosen_id(),
    ),
    name_field="Name",
    unique=("XpPath",),
    readers=("ProductFacetReader",),
    writers=("ProductFacetAdmin",),
)
