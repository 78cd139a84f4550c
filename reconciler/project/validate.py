"""Validate manifests and configuration; show manifests as resolved for an environment, and saved plans. Offline."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from reconciler.config import load_config
from reconciler.errors import InputError
from reconciler.manifests.files import Memo
from reconciler.manifests.load import LoadContext, inspect, load
from reconciler.manifests.yaml import shown
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Checked, Diagnostic, Place, Report, Waived
from reconciler.model.plan import Plan
from reconciler.project import Settings, environment_name, plan_key
from reconciler.project.environment import (
    chosen_environment,
    configuration,
    configuration_path,
    load_context,
    no_configuration,
    protect_inputs,
    protect_manifests,
)
from reconciler.render.escape import escape, joined

_Found = TypeVar("_Found", Diagnostic, Waived)


@dataclass(frozen=True, slots=True)
class _Check:
    """The result of loading one environment."""

    diagnostics: tuple[Diagnostic, ...]
    files: frozenset[str]
    documents: frozenset[Place] | None = None
    """Where manifests and overlays are; None if unknown."""
    waived: tuple[Waived, ...] = ()


def check(settings: Settings, paths: Sequence[Path], *, allow_unknown_roles: bool) -> Report:
    """Validate the chosen environments. A fault that several have is reported once.

    A fault of the configuration is reported like any other, and ends the validation.

    Raises:
        ReconcilerError: there is no configuration, and an environment or no path is given.
    """
    file = configuration_path(settings)
    if file is None:
        if not paths or environment_name(settings):
            raise no_configuration()
        protect_manifests(settings, paths)
        return _report({"": _check(paths, LoadContext(allow_unknown_roles=allow_unknown_roles))})
    protect_inputs(settings, [file])
    try:
        config = load_config(file)
    except InputError as error:
        return _report({"": _Check(error.diagnostics, frozenset([str(file)]))})
    is_chosen = environment_name(settings) is not None
    environments = [chosen_environment(config, settings)] if is_chosen else list(config.environments.values())
    partial, paths = bool(paths), paths or config.manifests
    protect_manifests(settings, paths, config)
    memo = Memo() if len(environments) > 1 else None
    contexts = [
        load_context(config, each, allow_unknown_roles=allow_unknown_roles, partial=partial, memo=memo)
        for each in environments
    ]
    return _report({str(context.environment): _check(paths, context) for context in contexts})


def _check(paths: Sequence[Path], context: LoadContext) -> _Check:
    found = inspect(paths, context)
    places = (*(resource.place for resource in found.resources), *found.overlays)
    documents = frozenset(places) if found.is_valid else None
    return _Check(found.diagnostics, found.files, documents, found.waived)


def _report(checks: Mapping[str, _Check]) -> Report:
    """The report, with each fault once, and the environments that have it if not all do."""
    faults = _by_environment({name: one.diagnostics for name, one in checks.items()})
    waived = _by_environment({name: one.waived for name, one in checks.items()})
    documents = [one.documents for one in checks.values() if one.documents is not None]
    known = frozenset[Place]().union(*documents) if len(documents) == len(checks) else None
    read = frozenset[str]().union(*(one.files for one in checks.values()))
    return Report(
        tuple(Checked(diagnostic, names) for diagnostic, names in faults),
        len(read if known is None else {place.file for place in known}),
        None if known is None else len(known),
        tuple((Checked(one.diagnostic, names), one.waiver) for one, names in waived),
    )


def _by_environment(found: Mapping[str, Iterable[_Found]]) -> Iterator[tuple[_Found, tuple[str, ...]]]:
    """Each fault once, sorted, with the environments that have it; no environments if all do."""
    names: dict[_Found, list[str]] = {}
    for name, ones in found.items():
        for one in ones:
            names.setdefault(one, []).append(name)
    for one in sorted(names):
        yield one, tuple(names[one]) if len(names[one]) < len(found) else ()


# -------------------------------------------------------------------------------------- manifests as they are resolved


def resolved_by_format(
    settings: Settings, paths: Sequence[Path], *, allow_unknown_roles: bool
) -> Mapping[str, Callable[[], Iterator[str]]]:
    """Format -> a function that yields the text of the resolved manifests, after overlays and substitution.

    Raises:
        InputError: with every fault of every file.
    """
    from reconciler.manifests.effective import Bound, as_json, as_yaml, resolve  # noqa: PLC0415  # a check does not need it

    config = configuration(settings)
    environment = chosen_environment(config, settings)
    protect_manifests(settings, paths, config)
    context = load_context(config, environment, allow_unknown_roles=allow_unknown_roles, partial=bool(paths))
    loaded = load(paths or config.manifests, context)
    settings.listener.warned(environment.name, loaded.warnings)
    bound = Bound(environment.name, shown(config.path), environment.ids, config.place)
    ordered = sorted(loaded.manifests, key=lambda manifest: manifest.resource.address)
    manifests = partial(map, partial(resolve, bound=bound), ordered)
    return {
        "text": lambda: (joined(map(escape, lines)) for lines in as_yaml(manifests(), environment.name)),
        "json": lambda: as_json(manifests(), environment.name),
    }


def addresses(settings: Settings) -> Iterator[str]:
    """The addresses of all readable manifests, in any environment; may contain duplicates."""
    config = configuration(settings)
    for environment in config.environments.values():
        found = inspect(config.manifests, load_context(config, environment, allow_unknown_roles=True))
        yield from (str(resource.address) for resource in found.resources)


def saved_plan(settings: Settings, path: Path) -> tuple[Plan, str]:
    """A saved plan to show, and the text of its file, which is its JSON document.

    Raises:
        PlanRefused: it was altered, or is not a plan.
        WouldOverwrite: an output would overwrite it.
    """
    from reconciler.planning.planfile import reading  # noqa: PLC0415  # validation does not need it

    protect_inputs(settings, [path])
    text = reading.content(path)
    return reading.loads(text, str(path), plan_key(settings.variables)), text
