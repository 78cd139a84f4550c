"""An apply -> its receipt, beside its journal and where the user wants it; and back, for a later look."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler import drifts, receiptfile
from reconciler.cli.failures import tell_error
from reconciler.cli.files import read_file, write_file
from reconciler.errors import ReconcilerError
from reconciler.journal import newest
from reconciler.kinds import KINDS
from reconciler.model.drift import Receipt
from reconciler.model.outcome import ApplyResult
from reconciler.model.plan import Binding, Plan
from reconciler.planfile import timestamp

if TYPE_CHECKING:
    from reconciler.cli.session import Session

_SUFFIX: Final = ".receipt.json"


def keep(path: Path | None, session: "Session", plan: Plan, result: ApplyResult) -> None:
    """Write the receipt of a run beside its journal, if it has one, and into a file, if one is named.

    Where that fails, the exit code is still that of what was done to the service.
    """
    beside = session.journal / f"{result.run}{_SUFFIX}" if result.run else None
    files = [file for file in (beside, path) if file]
    if not files:
        return
    kept = drifts.receipt_of(plan, result, session.loaded.desired, KINDS, timestamp(datetime.now(UTC)))
    text = receiptfile.dumps(kept, session.plan_key)
    for file in files:
        try:
            write_file(file, text)
        except ReconcilerError as error:
            tell_error(error)


def of_journal(folder: Path, now: Binding) -> Receipt | None:
    """Give the receipt of the newest run against this environment.

    None if there is none, if it cannot be read, or if that run has left none: it was cut off, or took an earlier run
    back. What an older run has left says nothing then.
    """
    run = newest(folder, now.environment)
    file = folder / f"{run}{_SUFFIX}"
    if not run or not file.is_file():
        return None
    try:
        receipt = receiptfile.loads(read_file(file), str(file))
        receiptfile.check(receipt, now)
    except ReconcilerError:
        return None
    return receipt
