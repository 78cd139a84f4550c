"""A new secret x where its manifest wants it -> delivered, or an error that shows no value.

Every delivery is asked beforehand whether it could be made, so that a secret is not created for nothing. A delivery may
be repeated: done twice it is done once.
"""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.confines import Confines
from reconciler.delivery import command, files, github
from reconciler.delivery.parcel import Parcel
from reconciler.errors import ReconcilerError
from reconciler.model.delivery import Delivery, ToCommand, ToEnvFile, ToFile, ToGithubOutput, ToKubernetesSecret
from reconciler.model.secret import Secret

__all__ = ["Courier", "Parcel"]


@dataclass(frozen=True, slots=True)
class Courier:
    """Delivers on this machine."""

    confines: Confines
    """Where files may be written."""
    tell: Callable[[str], None]
    """Writes to the log of a CI job: the line that has the value masked there."""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    withheld: Collection[str] = ()
    """Variables that no command finds in its environment: our own credentials."""

    def check(self, deliveries: Sequence[Delivery]) -> None:
        """See whether all of these can be made.

        Raises:
            ReconcilerError: one cannot.
        """
        for delivery in deliveries:
            match delivery:
                case ToFile(path) | ToEnvFile(path) | ToKubernetesSecret(path):
                    files.check(self.confines.at(path))
                case ToCommand(argv):
                    command.check(argv, self._surroundings())
                case ToGithubOutput():
                    github.output_file(self.environ)

    def deliver(self, parcel: Parcel, delivery: Delivery) -> None:
        """Make one delivery.

        Raises:
            ReconcilerError: it was not made, or not wholly.
        """
        match delivery:
            case ToFile(path):
                files.write(self.confines.at(path), parcel.value.reveal())
            case ToEnvFile(path, variable):
                files.set_variable(self.confines.at(path), variable, parcel.value)
            case ToKubernetesSecret(path):
                files.write(self.confines.at(path), files.kubernetes_secret(delivery, parcel.value))
            case ToCommand():
                command.feed(delivery, parcel, {**self._surroundings(), **parcel.facts}, self.confines.root)
            case ToGithubOutput(name):
                github.set_output(github.output_file(self.environ), name, parcel.value, self.tell)

    def recall(self, delivery: Delivery) -> Secret | None:
        """The value that is where a delivery was made; None where nobody can read it back, or there is none."""
        try:
            match delivery:
                case ToFile(path):
                    return files.value_in(self.confines.at(path))
                case ToEnvFile(path, variable):
                    return files.variable_in(self.confines.at(path), variable)
                case ToKubernetesSecret(path):
                    return files.kubernetes_value_in(self.confines.at(path))
                case _:
                    return None
        except (ReconcilerError, OSError, ValueError):  # it is not there, or not as a delivery leaves it
            return None

    def _surroundings(self) -> dict[str, str]:
        return {name: value for name, value in self.environ.items() if name not in self.withheld}
