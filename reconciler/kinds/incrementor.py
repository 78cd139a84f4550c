"""Incrementor: a counter that generates IDs. Its number is data, so it is set only at creation."""

from typing import Final

from reconciler.kinds.base import Kind
from reconciler.kinds.common import chosen_id, number, title
from reconciler.kinds.fields import Whole

INCREMENTOR: Final = Kind(
    name="Incrementor",
    noun="incrementor",
    description="One incrementor: a counter that generates IDs.",
    path="/incrementors",
    source='API reference, "Incrementors"',
    table=(
        title("Order numbers", 100),
        number(
            "LastNumber",
            Whole(),
            "The number at which a new incrementor starts. It increases with each ID, so it is neither compared nor "
            "written again.",
            0,
            required=True,
            initial=True,
        ),
        number("LeftPaddingCount", Whole(), "Number of digits (padded with zeros).", 6, required=True),
        chosen_id(),
    ),
    name_field="Name",
    readers=("IncrementorReader",),
    writers=("IncrementorAdmin",),
)
