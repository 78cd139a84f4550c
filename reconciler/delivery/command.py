"""A secret -> the standard input of a program: no shell, no argument, no echo of what it prints."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from reconciler.delivery.parcel import Parcel
from reconciler.errors import ReconcilerError
from reconciler.model.delivery import ToCommand


def check(argv: Sequence[str], environ: Mapping[str, str]) -> None:
    """See whether there is such a program.

    Raises:
        ReconcilerError: there is none.
    """
    if shutil.which(argv[0], path=environ.get("PATH")) is None:
        raise ReconcilerError(f"there is no program {argv[0]} to deliver a secret to", hint="mend the command, or PATH")


def feed(wanted: ToCommand, parcel: Parcel, environ: Mapping[str, str], folder: Path) -> None:
    """Start the program in a folder and write the value to it. Whatever it prints may be the value, so it is dropped.

    Raises:
        ReconcilerError: it cannot be started, takes too long, or exits with another code than 0.
    """
    try:
        ended = subprocess.run(  # noqa: S603  # the manifest names it, and no shell reads it
            wanted.argv,
            input=parcel.value.reveal().encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=wanted.timeout,
            env=dict(environ),
            cwd=folder,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ReconcilerError(f"{wanted} did not end within {wanted.timeout} s, and was stopped") from None
    except OSError as error:
        raise ReconcilerError(f"{wanted} cannot be started: {error.strerror}") from None
    if ended.returncode:
        message = f"{wanted} exited with {ended.returncode}; what it printed is not shown, since it may hold the secret"
        raise ReconcilerError(message)
