"""Global options -> the settings of a run, whose listener writes to stderr what these options ask for."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from reconciler.cli.failures import style_of_stderr, tell_error, tell_warnings
from reconciler.cli.options import Common
from reconciler.cli.runlog import added, requests_told, tell_totals
from reconciler.cli.streams import tell
from reconciler.errors import ReconcilerError
from reconciler.model.diagnostic import Checked
from reconciler.project.settings import Listener, Settings
from reconciler.render.escape import escape, joined
from reconciler.render.failure import Uncertain, cut_off

if TYPE_CHECKING:
    from reconciler.model.diagnostic import Diagnostic
    from reconciler.model.run import RecordedRun
    from reconciler.remote.meter import Stats


def settings_of(common: Common) -> Settings:
    """The settings that the options give; of several environments `several` chooses each."""
    return Settings(
        common.config,
        common.env,
        common.allow_hosts,
        os.environ,
        tuple(common.reads),
        tuple(common.writes),
        Console(common),
    )


class Console(Listener):
    """Writes to stderr, and keeps in the options of the run what its documents and metrics need."""

    def __init__(self, common: Common) -> None:
        self._common = common
        self._connection = ExitStack()

    def chosen(self, environment: str) -> None:
        """Keep the name for documents that say why they are empty."""
        if not self._common.is_of_several:
            self._common.chosen = environment

    def connected(self, environment: str, *, can_write: bool) -> None:
        """Show each request, or that something goes on; while writing, `progress` does, of several, `several`."""
        del environment
        if not self._common.is_of_several:
            is_reading = not (can_write or self._common.quiet)
            self._connection.enter_context(requests_told(wanted=self._is_verbose, sign_of_life=is_reading))

    def disconnected(self, environment: str, stats: "Stats") -> None:
        """Keep the costs for the metrics."""
        self._connection.close()
        known = self._common.stats.get(environment)
        self._common.stats[environment] = added(known, stats) if known else stats
        if self._is_verbose:
            tell_totals(stats, environment if self._common.is_of_several else "")

    def noted(self, text: str) -> None:
        """Show it with --verbose."""
        if self._is_verbose:
            tell(joined([escape(text)]))

    def warned(self, environment: str, warnings: "Sequence[Diagnostic]") -> None:
        """Show them; those of several environments are shown once, by `several`."""
        if self._common.is_of_several:
            self._common.warned[environment] = warnings
        elif warnings and not self._common.quiet:
            tell_warnings(Checked(warning) for warning in warnings)

    def failed(self, error: ReconcilerError) -> None:
        """Show it."""
        tell_error(error)

    def found_cut_off(self, run: "RecordedRun", uncertain: Sequence[Uncertain]) -> None:
        """Show what is certain of that run, and what is not."""
        if not self._common.quiet:
            tell(cut_off(run, uncertain, style_of_stderr()))

    def masked(self, command: str) -> None:
        """Write it to stderr, since stdout holds the document that was asked for."""
        tell(command)

    @property
    def _is_verbose(self) -> bool:
        return self._common.verbose and not self._common.quiet
