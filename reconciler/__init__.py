"""Manage the access configuration of Sitecore OrderCloud marketplaces from YAML: plan, apply and drift as an API.

    project = reconciler.load("reconciler.yaml")
    plan = project.plan("staging")
    result = project.apply(plan)

Names not in `__all__` are private. Nothing here prints; see docs/python.md.
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
    from reconciler.model.diagnostic import Diagnostic
    from reconciler.model.drift import Deviation, Drift, DriftKind
    from reconciler.model.inputs import Selection
    from reconciler.model.outcome import ApplyResult, Outcome, RecordedRun, Status
    from reconciler.model.plan import Action, Change, FieldChange, Finding, Plan
    from reconciler.model.resource import Address
    from reconciler.project import Listener
    from reconciler.project.api import Project, load, refusal, to_text
    from reconciler.remote.messages import Stats
    from reconciler.render.history import Uncertain

__version__ = "0.1.0"

__all__ = [
    "AccessDenied",
    "Action",
    "Address",
    "ApplyResult",
    "Change",
    "Deviation",
    "Diagnostic",
    "Drift",
    "DriftKind",
    "FieldChange",
    "Finding",
    "GuardRefusal",
    "InputError",
    "Listener",
    "Outcome",
    "Plan",
    "PlanRefused",
    "Project",
    "ReconcilerError",
    "RecordedRun",
    "RemoteError",
    "SecretMissing",
    "Selection",
    "Stats",
    "Status",
    "Uncertain",
    "Unreachable",
    "UsageError",
    "WrongMarketplace",
    "load",
    "refusal",
    "to_text",
]

_HOMES = {
    "model.diagnostic": ("Diagnostic",),
    "model.drift": ("Deviation", "Drift", "DriftKind"),
    "model.outcome": ("ApplyResult", "Outcome", "RecordedRun", "Status"),
    "model.plan": ("Action", "Change", "FieldChange", "Finding", "Plan"),
    "model.resource": ("Address",),
    "model.inputs": ("Selection",),
    "project.api": ("Project", "load", "refusal", "to_text"),
    "project": ("Listener",),
    "remote.messages": ("Stats",),
    "render.history": ("Uncertain",),
}
"""Module of each name (others are in `errors`), imported on first use: every command imports this package."""


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if not TYPE_CHECKING:  # a type checker would accept any name

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module  # noqa: PLC0415  # see TYPE_CHECKING

        home = next((module for module, names in _HOMES.items() if name in names), "errors")
        return getattr(import_module(f"{__name__}.{home}"), name)
