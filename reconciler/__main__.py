"""``reconciler`` and ``python -m reconciler``: the command line, which handles signals from its first import on."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType


def run() -> None:
    """Run the program."""
    sys.excepthook = _report
    from reconciler.cli import signals  # noqa: PLC0415  # Ctrl-C may come while it is imported

    signals.handle(signals.end)
    from reconciler.cli.main import run  # noqa: PLC0415  # it imports much

    run()


def _report(kind: type[BaseException], error: BaseException, trace: "TracebackType | None") -> None:
    """Print no traceback for Ctrl-C before signals are handled; Python then ends by the signal."""
    if kind is not KeyboardInterrupt:
        sys.__excepthook__(kind, error, trace)


if __name__ == "__main__":
    run()
