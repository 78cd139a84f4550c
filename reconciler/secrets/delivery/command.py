"""A secret -> the standard input of a program: no shell, no argument, no echo of what it prints."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from reconciler.errors import PartlyDelivered, ReconcilerError
from reconciler.model.delivery import ToCommand
from reconciler.secrets.delivery.new_secret import NewSecret


def check(argv: Sequence[str], environ: Mapping[str, str], folder: Path) -> None:
    """See whether a command can be started.

    Raises:
        ReconcilerError: it cannot.
    """
    _program(argv[0], environ, folder)
    if any("\0" in one for one in argv):
        message = f"the arguments of {argv[0]} have a null character, so it cannot be started to deliver a secret"
        raise ReconcilerError(message, hint="correct the command")


def _program(name: str, environ: Mapping[str, str], folder: Path) -> str:
    """Find the program that a command starts: on the PATH, or by a path relative to a folder.

    Raises:
        ReconcilerError: there is none.
    """
    is_path = Path(name).name != name
    found = shutil.which(str(folder / name) if is_path else name, path=environ.get("PATH"))
    if found is None:
        hint = "correct the command, or PATH"
        raise ReconcilerError(f"there is no program {name} to deliver a secret to", hint=hint)
    return found


def feed(wanted: ToCommand, new: NewSecret, environ: Mapping[str, str], folder: Path) -> None:
    """Start the program in a folder and write the value to it. Whatever it prints may be the value, so it is dropped.

    Raises:
        ReconcilerError: it cannot be started, or exits with another code than 0.
        PartlyDelivered: it was stopped because it took too long, so that nobody knows what it has stored.
    """
    name, *arguments = wanted.argv
    try:
        ended = subprocess.run(  # noqa: S603  # the manifest names it, and no shell reads it
            [_program(name, environ, folder), *arguments],
            input=new.value.reveal().encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=wanted.timeout,
            env=dict(environ),
            cwd=folder,
            check=False,
        )
    except subprocess.TimeoutExpired:
        message = f"{wanted} did not end within {wanted.timeout} s, and was stopped; it may have stored the secret"
        raise PartlyDelivered(message) from None
    except OSError as error:
        raise ReconcilerError(f"{wanted} cannot be started: {error.strerror}") from None
    if ended.returncode:
        message = f"{wanted} exited with {ended.returncode}; what it printed is not shown, since it may hold the secret"
        raise ReconcilerError(message)
