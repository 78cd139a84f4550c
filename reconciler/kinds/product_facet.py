"""ProductFacet: an extended property by which product searches can be filtered."""

from typing import Final

from reconciler.kinds.base import Kind
from reconciler.kinds.common import chosen_id, number, text, title, xp
from reconciler.kinds.fields import Whole

PRODUCT_FACET: Final = Kind(
    name="ProductFacet",
    noun="product facet",
    description="One product facet: an extended property by which product searches can be filtered.",
    path="/productfacets",
    source='API reference, "Product Facets"',
    table=(
        title("Colour", 100, required=True),
        text("XpPath", "The path below xp of the product. Default: the ID. Must be unique.", "colour", 200),
        number("ListOrder", Whole(), "Sort order.", 1, default=0),
        number("MinCount", Whole(), "Minimum number of products for a value to be listed.", 1, default=1),
        xp(),
        chosen_id(),
    ),
    name_field="Name",
    unique=("XpPath",),
    readers=("ProductFacetReader",),
    writers=("ProductFacetAdmin",),
)
