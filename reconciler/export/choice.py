"""What somebody asks for -> which live objects are exported, and where to."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import ReconcilerError
from reconciler.manifests.schema import did_you_mean
from reconciler.model.resource import Address
from reconciler.model.selection import Selection
from reconciler.planning.selection import is_selected


@dataclass(frozen=True, slots=True)
class Choice:
    """What of all that is live."""

    only: tuple[str, ...] = ()
    """Patterns of addresses; none: everything."""
    own_client_id: str = ""
    """An object that is left out unless a manifest has it; empty: none."""
    overlay: Path | None = None
    """The folder of overlays that are to have what differs; None: the manifests have it."""

    def takes(self, address: Address) -> bool:
        """Whether an object of this address is meant; a bare name is enough."""
        return not self.only or any(is_selected(_only(glob), address, {}) for glob in self.only)

    def check(self, addresses: Collection[Address]) -> None:
        """Refuse a pattern that nothing has.

        Raises:
            ReconcilerError: with the pattern.
        """
        for glob in self.only:
            if not any(is_selected(_only(glob), address, {}) for address in addresses):
                known = [str(one) if "/" in glob else one.name for one in addresses]
                raise ReconcilerError(f"--only {glob} matches nothing that is live", hint=did_you_mean(glob, known))


def _only(glob: str) -> Selection:
    return Selection((glob if "/" in glob else f"*/{glob}",), {})
