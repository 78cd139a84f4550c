"""A fault: a message and a JSON pointer, before it is known in which file the document stands."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reconciler.model.diagnostic import Diagnostic, Severity

if TYPE_CHECKING:
    from reconciler.manifests.yaml import Document


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a document, before it is known where the document stands."""

    pointer: str
    message: str
    rule: str
    hint: str = ""
    at_key: bool = False
    """Points to the key rather than to its value."""
    severity: Severity = Severity.ERROR

    def moved(self, start: str, to: str) -> "Fault":
        """Give the fault for a document where what begins at one pointer is found at another."""
        return replace(self, pointer=to + self.pointer.removeprefix(start))

    def within(self, document: "Document") -> Diagnostic:
        """Add the place."""
        place = document.key_place(self.pointer) if self.at_key else document.place(self.pointer)
        return Diagnostic(place, self.message, self.rule, self.pointer, self.hint, self.severity)
