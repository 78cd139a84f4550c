"""What happens during a run -> whoever wants to know. The project prints nothing itself."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.errors import ReconcilerError
    from reconciler.model.diagnostic import Diagnostic
    from reconciler.model.run import RecordedRun
    from reconciler.remote.meter import Stats
    from reconciler.render.failure import Uncertain


class Listener:
    """Every method does nothing: a listener overrides what it wants to know. Methods are called from one thread."""

    def chosen(self, environment: str) -> None:
        """The run is about this environment."""

    def connected(self, environment: str, *, can_write: bool) -> None:
        """A connection is about to be used."""

    def disconnected(self, environment: str, stats: "Stats") -> None:
        """The connection has ended; this is what it cost."""

    def noted(self, text: str) -> None:
        """A detail of what is done."""

    def warned(self, environment: str, warnings: "Sequence[Diagnostic]") -> None:
        """The manifests have faults that do not stop the run."""

    def failed(self, error: "ReconcilerError") -> None:
        """Something beside the run has failed, such as writing its record."""

    def found_cut_off(self, run: "RecordedRun", uncertain: "Sequence[Uncertain]") -> None:
        """An earlier run did not finish; these of its writes are uncertain."""

    def masked(self, command: str) -> None:
        """A workflow command of GitHub that hides a new secret in the log of the job. It contains the secret."""


SILENT: Final = Listener()
