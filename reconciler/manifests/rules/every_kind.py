"""What a manifest of any kind says -> objections that follow from the tables of the kinds."""

from collections.abc import Iterator
from typing import Final

from reconciler.manifests.rules.rule import ManifestView, Objection, Rule
from reconciler.model.json import pointer_parts


def literal_in_several_environments(view: ManifestView) -> Iterator[Objection]:
    """Object to a URL that is written out in a manifest which serves several environments."""
    for at, environments in view.literals.items():
        name = pointer_parts(at)[-1]
        if (environments or view.is_new) and pointer_parts(at)[1] not in view.open_fields:
            hint = "write ${values.KEY}, or set it in an overlay"
            yield Objection(at, f"{name} is the same in {environments}", hint)


RULES: Final = (
    Rule(
        "literal-in-several-environments",
        "each environment has its own receiver of tokens and orders",
        'Documentation, "OrderCloud environments": staging is a copy of production',
        literal_in_several_environments,
        frozenset(),
    ),
)
