"""What somebody asks for -> which live objects are exported, and where to."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import ReconcilerError
from reconciler.manifests.schema import did_you_mean
from reconciler.model.inputs import Selection
from reconciler.model.resource import Address
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
    kinds: frozenset[str] = frozenset()
    """The kinds that are exported; empty: all that were read."""

    def takes(self, address: Address, live: Address | None = None) -> bool:
        """Whether an object of this address is meant; a bare name is enough.

        Args:
            address: of its manifest.
            live: of the object by its ID, as drift lists it. It counts only in full: patterns are about names.
        """
        is_of_kind = not self.kinds or address.kind in self.kinds
        return is_of_kind and (not self.only or any(_matches(glob, address, live) for glob in self.only))

    def check(self, addresses: Collection[Address], live: Collection[Address]) -> None:
        """Refuse a pattern that nothing has.

        Args:
            addresses: of manifests, those that would be made included.
            live: of all objects by their IDs.

        Raises:
            ReconcilerError: with the pattern.
        """
        for glob in self.only:
            if not any(_matches(glob, one) for one in addresses) and not any(_is_id(glob, one) for one in live):
                known = [str(one) if "/" in glob else one.name for one in addresses]
                raise ReconcilerError(f"--only {glob} matches nothing that is live", hint=did_you_mean(glob, known))


def _matches(glob: str, address: Address, live: Address | None = None) -> bool:
    return is_selected(_only(glob), address, {}) or (live is not None and _is_id(glob, live))


def _is_id(glob: str, live: Address) -> bool:
    return glob.casefold() in (str(live).casefold(), live.name.casefold())


def _only(glob: str) -> Selection:
    return Selection((glob if "/" in glob else f"*/{glob}",), {})
