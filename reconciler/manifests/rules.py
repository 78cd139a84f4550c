"""One manifest -> what is unwise or cannot work in it, although it fits its schema. Pure.

The rules of a kind are beside its table (`kinds.api_client.rules`); those of all kinds are here.

Rules look at nothing but the manifest. What it leaves open (a field that it does not name, unless it is exclusive) may
be anything in the service, so what a rule builds on that is marked as uncertain. How strictly a rule is taken, and
whether a finding is waived, is the loader's business, and that of `planning.check` for clients that are not there yet.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Final

from reconciler.kinds import Kind, own_checks
from reconciler.kinds.checks import ManifestView, Objection, Rule
from reconciler.model.json import pointer_parts


def literal_in_several_environments(view: ManifestView) -> Iterator[Objection]:
    """Object to a URL that is written out in a manifest which serves several environments."""
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
"""Every rule by its name, whatever its kind."""


def rules_of(kind: Kind) -> tuple[Rule, ...]:
    """The rules that judge manifests of a kind."""
    return (*_BY_KIND.get(kind.name, ()), *_OF_EVERY_KIND)


@cache
def _by_field(kind: str) -> Mapping[str, tuple[Rule, ...]]:
    """Field or block -> the rules that may have something to say where a manifest names it."""
    rules = _BY_KIND.get(kind, ())
    names = sorted({name for rule in rules for name in rule.about})
    return {name: tuple(rule for rule in rules if name in rule.about) for name in names}


def objections(kind: Kind, view: ManifestView) -> list[tuple[Rule, Objection]]:
    """Ask the rules that may have something to say of what the manifest names: mostly one or two."""
    blocks = {"assignments": view.assignments, "secrets": view.has_named_secrets}
    asked: dict[str, Rule] = {}
    for name, rules in _by_field(kind.name).items():
        if name in view.spec or name in view.secrets or blocks.get(name):
            asked |= {rule.name: rule for rule in rules}
    asked |= {rule.name: rule for rule in _OF_EVERY_KIND if view.literals}
    return [(rule, objection) for rule in asked.values() for objection in rule.check(view)]


def objections_if_new(kind: Kind, view: ManifestView) -> list[tuple[Rule, Objection]]:
    """What is wrong besides where the object is created with what the manifest names: nothing of it is open then.

    It has the API's defaults, no secret that is not named, and nobody assigned. Every rule is asked.
    """
    found = {rule.name for rule, objection in objections(kind, view) if objection.is_certain}
    # Named, since an object that is switched off by default is meant to be.
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
