"""The emulator -> its parts, or a word on how to install what it needs: its libraries are an extra of the package."""

from collections.abc import Iterator
from contextlib import contextmanager

from reconciler.errors import ReconcilerError, UsageError


@contextmanager
def emulator_errors() -> Iterator[None]:
    """Turn the errors of the emulator, which knows none of ours, into ours.

    Raises:
        UsageError: a fault specification cannot be read.
        ReconcilerError: a library is missing, or the seed or the state cannot be used.
    """
    from reconciler.emulator import EmulatorError, FaultSpecError  # noqa: PLC0415  # only asked for with an emulator

    try:
        yield
    except ModuleNotFoundError as error:
        message = f"the emulator needs {error.name}, which is not installed"
        raise ReconcilerError(message, hint="pip install 'ordercloud-reconciler[emulator]'") from error
    except FaultSpecError as error:
        raise UsageError(str(error), hint="docs/emulator.md has the language of --fault") from error
    except EmulatorError as error:
        raise ReconcilerError(str(error)) from error
