"""The access configuration of Sitecore OrderCloud marketplaces, from YAML: plans, results and drift for programs.

    project = reconciler.load("reconciler.yaml")
    plan = project.plan("staging")
    result = project.apply(plan)

What is not in `__all__` is private. Nothing here prints; see docs/python.md.
"""

TYPE_CHECKING = False  # a command imports nothing before it handles signals, see __main__
if TYPE_CHECKING:
    from reconciler.errors import (
        AccessDenied,
        GuardRefusal,
        InputError,
        PlanRefused,
        ReconcilerError,
        RemoteError,
        SecretMissing,
        Unreachable,
        UsageError,
        WrongMarketplace,
    )
    from reconciler.model.drift import Deviation, Drift, DriftKind
    from reconciler.model.inputs import Selection
    from reconciler.model.outcome import ApplyResult, Outcome, Status
    from reconciler.model.plan import Action, Change, Plan
    from reconciler.project import Listener
    from reconciler.project.api import Project, load, refusal, to_text

__version__ = "0.1.0"

__all__ = [
    "AccessDenied",
    "Action",
    "ApplyResult",
    "Change",
    "Deviation",
    "Drift",
    "DriftKind",
    "GuardRefusal",
    "InputError",
    "Listener",
    "Outcome",
    "Plan",
    "PlanRefused",
    "Project",
    "ReconcilerError",
    "RemoteError",
    "SecretMissing",
    "Selection",
    "Status",
    "Unreachable",
    "UsageError",
    "WrongMarketplace",
    "load",
    "refusal",
    "to_text",
]

_HOMES = {
    "model.drift": ("Deviation", "Drift", "DriftKind"),
    "model.outcome": ("ApplyResult", "Outcome", "Status"),
    "model.plan": ("Action", "Change", "Plan"),
    "model.inputs": ("Selection",),
    "project.api": ("Project", "load", "refusal", "to_text"),
    "project": ("Listener",),
}
"""Where names are; all others are errors. They are imported when they are first used: every command imports this."""


if not TYPE_CHECKING:  # a type checker would take any name for one that is there

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module  # noqa: PLC0415  # see TYPE_CHECKING

        home = next((module for module, names in _HOMES.items() if name in names), "errors")
        return getattr(import_module(f"{__name__}.{home}"), name)
