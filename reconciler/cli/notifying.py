"""`--notify URL` and what has kept a message from being sent, which changes no exit code."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from reconciler.cli.console import settings_of
from reconciler.cli.failures import tell_problem
from reconciler.cli.options import Common, text
from reconciler.model.drift import Drift
from reconciler.model.secret import Secret
from reconciler.project.notify import NOTIFY_VARIABLE, Notifier
from reconciler.render.monitoring import NOTIFICATIONS

F = TypeVar("F", bound=Callable[..., Any])


def notify_options(function: F) -> F:
    """Give a command ``--notify`` and ``--notify-format``, as `notify_url` and `notify_format`."""
    names = click.option(
        "--notify-format",
        type=click.Choice(list(NOTIFICATIONS)),
        help="What the URL takes; else its host decides, and who is not known takes plain JSON.",
    )
    url = click.option(
        "--notify",
        "notify_url",
        type=lambda value: Secret(text(value)),
        envvar=NOTIFY_VARIABLE,
        metavar="URL",
        help=f"Post a message when something new has drifted; better kept in {NOTIFY_VARIABLE}: it is a secret.",
    )
    return url(names(function))


def notify(notifier: Notifier, drifts: Iterable[Drift], common: Common) -> None:
    """Tell of what is new."""
    for problem in notifier.tell(drifts, settings_of(common)):
        tell_problem(problem)
