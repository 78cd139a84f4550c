"""What a user has typed so far -> the values that a shell offers. Offline; a fault of the input offers nothing."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Offer: TypeAlias = "Callable[[click.Context, click.Parameter, str], list[CompletionItem]]"


_MOST: Final = 40
"""Journals that are opened while somebody waits for a completion."""


def _offering(values_of: Callable[[click.Context, str], Iterable[str]]) -> Offer:
    def offer(ctx: click.Context, _param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem  # noqa: PLC0415  # only a shell that completes needs it

        from reconciler.errors import ReconcilerError  # noqa: PLC0415  # likewise

        try:
            values = sorted(values_of(ctx, incomplete))
        except (ReconcilerError, OSError):
            return []
        return [CompletionItem(value) for value in values if value.startswith(incomplete)]

    return offer


def _environments(ctx: click.Context, _incomplete: str) -> Iterable[str]:
    from reconciler.cli.console import settings_of  # noqa: PLC0415
    from reconciler.project.environment import configuration  # noqa: PLC0415  # see _offering

    return configuration(settings_of(ctx.find_root().obj)).environments


def _addresses(ctx: click.Context) -> Iterable[str]:
    from reconciler.cli.console import settings_of  # noqa: PLC0415
    from reconciler.manifests.load import inspect  # noqa: PLC0415
    from reconciler.project.environment import configuration, load_context  # noqa: PLC0415  # see _offering

    config = configuration(settings_of(ctx.find_root().obj))
    for environment in config.environments.values():
        found = inspect(config.manifests, load_context(config, environment, allow_unknown_roles=True))
        yield from {str(resource.address) for resource in found.resources}


def _runs(ctx: click.Context, _incomplete: str) -> Iterable[str]:
    return ["last", *(path.stem for path in _journals(ctx))]


def _written_runs(ctx: click.Context, incomplete: str) -> Iterable[str]:
    """The newest ones of those that start so: to see what a run has written, its journal is read."""
    from reconciler.applying.journal.events import may_have_written  # noqa: PLC0415  # see _offering

    newest = [path for path in _journals(ctx) if path.stem.startswith(incomplete)][-_MOST:]
    return ["last", *(path.stem for path in newest if may_have_written(path))]


def _journals(ctx: click.Context) -> list[Path]:
    from reconciler.applying.journal import run_files  # noqa: PLC0415
    from reconciler.cli.console import settings_of  # noqa: PLC0415
    from reconciler.project.environment import configuration  # noqa: PLC0415  # see _offering

    return run_files(configuration(settings_of(ctx.find_root().obj)).journal)


def _keys(_ctx: click.Context, _incomplete: str) -> Iterable[str]:
    from reconciler.manifests.explain import SCHEMAS, everything, manual  # noqa: PLC0415  # see _offering

    return (entry.path for name in SCHEMAS for entry in everything(manual(name)))


def words(known: Iterable[str]) -> Offer:
    """Offer what is known without looking."""
    return _offering(lambda _ctx, _incomplete: known)


environments = _offering(_environments)
addresses = _offering(lambda ctx, _incomplete: set(_addresses(ctx)))
runs = _offering(_runs)
written_runs = _offering(_written_runs)
keys = _offering(_keys)
