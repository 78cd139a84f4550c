"""One manifest -> unwise or unworkable settings that match its schema. Pure.

The rules of a kind are next to its table (`kinds.api_client.rules`); those of all kinds are here.

Rules use only the manifest. An open field (one that it does not name, unless it is exclusive) can have any value in
the service, so findings based on it are marked as uncertain. The loader applies levels and waivers, and so does
`planning.check` for objects that do not exist yet.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Final

from reconciler.kinds import Kind, own_checks
from reconciler.kinds.checks import ManifestView, Objection, Rule
from reconciler.model.json import pointer_parts


def literal_in_several_environments(view: ManifestView) -> Iterator[Objection]:
    """Object to a literal URL in a manifest that several environments share."""
    for at, environments in view.literals.items():
        name = pointer_parts(at)[-1]
        if (environments or view.is_new) and pointer_parts(at)[1] not in view.open_fields:
            hint = "write ${values.KEY}, or set it in an overlay"
            yield Objection(at, f"{name} is the same in {environments}", hint)


_OF_EVERY_KIND: Final = (
    Rule(
        "literal-in-several-environments",
        "each environment has its own receiver of tokens and orders",
        'Documentation, "OrderCloud environments": staging is a copy of production',
        literal_in_several_environments,
        frozenset(),
    ),
)


_BY_KIND: Final[Mapping[str, tuple[Rule, ...]]] = {kind: module.RULES for kind, module in own_checks("rules")}
RULES: Final[Mapping[str, Rule]] = {rule.name: rule for rules in (*_BY_KIND.values(), _OF_EVERY_KIND) for rule in rules}
"""Every rule of all kinds by its name."""


def rules_of(kind: Kind) -> tuple[Rule, ...]:
    """The rules for manifests of a kind."""
    return (*_BY_KIND.get(kind.name, ()), *_OF_EVERY_KIND)


@cache
def _by_field(kind: str) -> Mapping[str, tuple[Rule, ...]]:
    """Field or block -> the rules that apply if a manifest names it."""
    rules = _BY_KIND.get(kind, ())
    names = sorted({name for rule in rules for name in rule.about})
    return {name: tuple(rule for rule in rules if name in rule.about) for name in names}


def objections(kind: Kind, view: ManifestView) -> list[tuple[Rule, Objection]]:
    """Run the rules that apply to what the manifest names, usually one or two."""
    blocks = {"assignments": view.assignments, "secrets": view.has_named_secrets}
    relevant: dict[str, Rule] = {}
    for name, rules in _by_field(kind.name).items():
        if name in view.spec or name in view.secrets or blocks.get(name):
            relevant |= {rule.name: rule for rule in rules}
    relevant |= {rule.name: rule for rule in _OF_EVERY_KIND if view.literals}
    return [(rule, objection) for rule in relevant.values() for objection in rule.check(view)]


def objections_if_new(kind: Kind, view: ManifestView) -> list[tuple[Rule, Objection]]:
    """Further objections if the object is created from the manifest, because then no field is open.

    It has the API's defaults, only the named secrets, and no other assignments. Every rule runs.
    """
    found = {rule.name for rule, objection in objections(kind, view) if objection.is_certain}
    # Only if named: an object that is inactive by default is inactive on purpose.
    switched_off = {kind.active_field: False} if kind.active_field else {}
    new = replace(
        view,
        spec={**switched_off, **view.spec},
        assignments={**{level.name: () for level in kind.levels}, **view.assignments},
        exclusive=True,
        open_fields=frozenset(),
        is_new=True,
    )
    return [(rule, one) for rule in rules_of(kind) if rule.name not in found for one in rule.check(new)]
