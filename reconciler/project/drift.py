"""A baseline, a receipt and what was asked for -> a way of seeing plans as drift."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

from reconciler.applying import receipt as receiptfile
from reconciler.errors import ReconcilerError
from reconciler.model.drift import Drift, Receipt
from reconciler.model.plan import Plan
from reconciler.planning import drift as drifts
from reconciler.planning import seal as sealed
from reconciler.planning.seal import OtherKeyError
from reconciler.project.files import read_file
from reconciler.project.receipts import of_journal
from reconciler.render.json import DRIFT_FORMAT_VERSION

_HINT: Final = "write one with: reconciler drift --format json > FILE"


@dataclass(frozen=True, slots=True)
class DriftView:
    """How drift is seen in one run."""

    baseline: frozenset[str] = frozenset()
    receipt: Receipt | None = None
    since_receipt: bool = False
    journal: Path = Path()
    """Where the receipt is looked for when none is named."""
    strict: bool = False
    """Whether unowned fields that are wider than the API's default are drift."""
    failing: frozenset[str] = frozenset()
    """The environments in which objects in no manifest are drift."""
    key: bytes | None = None
    """What receipts must be signed with."""

    @classmethod
    def of_files(
        cls, baseline: Path | None, receipt: Path | None, key: bytes | None, journal: Path, *, since_receipt: bool
    ) -> Self:
        """Read both files, where they are named.

        Raises:
            ReconcilerError: a file cannot be read, or is something else.
        """
        known = fingerprints(read_file(baseline), str(baseline)) if baseline else frozenset()
        past = receiptfile.loads(read_file(receipt), str(receipt), key) if receipt else None
        return cls(known, past, since_receipt, journal, key=key)

    def see(self, plan: Plan) -> Drift:
        """See a plan as drift.

        Raises:
            ReconcilerError: the receipt is one of another environment or marketplace, or one is needed and not there;
                that of the journal was altered.
        """
        if self.receipt:
            receiptfile.check(self.receipt, plan.binding)
        try:
            receipt = self.receipt or of_journal(self.journal, plan.binding, self.key)
        except OtherKeyError as error:
            receipt = None
            plan = replace(plan, warnings=(*plan.warnings, f"{error.message}: who changed what is not known"))
        if self.since_receipt and not receipt:
            message = f"there is no receipt of the last apply to {plan.binding.environment} in {self.journal}"
            raise ReconcilerError(message, hint="name one with --receipt FILE")
        return drifts.find(
            plan,
            receipt,
            baseline=self.baseline,
            since_receipt=self.since_receipt,
            strict=self.strict,
            unmanaged=plan.binding.environment in self.failing,
        )


def fingerprints(text: str, name: str) -> frozenset[str]:
    """Read a baseline: the JSON of drift, of one environment or of several; whoever keeps it may take entries out.

    Raises:
        ReconcilerError: it is neither.
    """
    try:
        found: Any = json.loads(text)
        parts = (
            [one["drift"] for one in found["environments"] if "drift" in one] if "environments" in found else [found]
        )
        versions = {str(part["format_version"]) for part in parts if sealed.other_format(part, DRIFT_FORMAT_VERSION)}
        known = frozenset(_texts(one["fingerprint"] for part in parts for one in part["deviations"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ReconcilerError(f"{name} is not a baseline", hint=_HINT) from error
    if versions:
        other = ", ".join(sorted(versions))
        message = f"{name} has drift format {other}, and this version reads format {DRIFT_FORMAT_VERSION}"
        raise ReconcilerError(message, hint=_HINT)
    return known


def _texts(values: Iterable[object]) -> Iterable[str]:
    for value in values:
        if not isinstance(value, str):
            raise TypeError
        yield value
