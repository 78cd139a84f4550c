"""What is known of the commit that a run is made from."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Checkout:
    """A commit, and whether the inputs of the run are those of it. Outside a repository nothing is known."""

    commit: str | None = None
    dirty: bool | None = None
    """None: nobody can tell."""
    problem: str = ""
    """Why there is less to know than there should be."""
    fix: str = ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """The problem as one text, if there is any."""
        fix = f"; {self.fix}" if self.fix else ""
        return (f"{self.problem}{fix}",) if self.problem else ()
