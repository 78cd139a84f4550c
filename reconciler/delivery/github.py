"""A secret -> an output of the present step of a GitHub Actions job, masked in its log before anything else.

Source: GitHub documentation, "Workflow commands": ``::add-mask::``, and the file that GITHUB_OUTPUT names.
"""

import secrets
from collections.abc import Callable, Mapping

from reconciler.delivery.files import append
from reconciler.errors import ReconcilerError
from reconciler.model.secret import Secret


def output_file(environ: Mapping[str, str]) -> str:
    """Give the file in which the runner looks for outputs.

    Raises:
        ReconcilerError: this is no step of a GitHub Actions job.
    """
    path = environ.get("GITHUB_OUTPUT")
    if not path:
        hint = "run it in a GitHub Actions job, or give the secret another delivery"
        raise ReconcilerError("GITHUB_OUTPUT is not set, so that no output can be set", hint=hint)
    return path


def set_output(path: str, name: str, value: Secret, tell: Callable[[str], None]) -> None:
    """Mask the value and then set the output.

    Raises:
        ReconcilerError: the file cannot be written.
    """
    text = value.reveal()
    for line in text.splitlines():
        tell(f"::add-mask::{_data(line)}\n")
    end = f"end_{secrets.token_hex(16)}"  # no value can end the block before its end
    append(path, f"{name}<<{end}\n{text}\n{end}\n")


def _data(line: str) -> str:
    return line.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
