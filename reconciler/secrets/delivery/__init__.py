"""A new secret x where its manifest wants it -> delivered, or an error that shows no value.

Every delivery is checked beforehand, so that a secret is not created for nothing. A delivery may be repeated: done
twice it is done once. What was written to files can be taken back; what a command has stored cannot.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.errors import ReconcilerError
from reconciler.manifests.allowed_paths import Confines
from reconciler.model.delivery import Delivery, ToCommand, ToEnvFile, ToFile, ToGithubOutput, ToKubernetesSecret
from reconciler.model.secret import Secret, is_own_variable
from reconciler.secrets.delivery import command, envfile, files, github
from reconciler.secrets.delivery.parcel import Parcel
from reconciler.secrets.delivery.undo import Undo

__all__ = ["Courier", "Parcel", "Undo"]


@dataclass(frozen=True, slots=True)
class Courier:
    """Delivers on this machine."""

    confines: Confines
    """Where files may be written."""
    tell: Callable[[str], None]
    """Writes to the log of a CI job: the line that has the value masked there."""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    withheld: Collection[str] = ()
    """Variables that no command finds in its environment: our own credentials. Nor does it find `RECONCILER_*`."""

    def check(self, deliveries: Sequence[Delivery]) -> None:
        """See whether all of these can be made, as far as that can be known. Writes nothing.

        Raises:
            ReconcilerError: some cannot; names them all.
        """
        faults = [fault for delivery in dict.fromkeys(deliveries) for fault in self._faults(delivery)]
        if faults:
            hints = dict.fromkeys(fault.hint for fault in faults if fault.hint)
            raise ReconcilerError("; ".join(fault.message for fault in faults), hint="; ".join(hints))

    def _faults(self, delivery: Delivery) -> Iterator[ReconcilerError]:
        try:
            self._check(delivery)
        except ReconcilerError as error:
            yield error

    def _check(self, delivery: Delivery) -> None:
        match delivery:
            case ToFile(path) | ToKubernetesSecret(path):
                files.check(self.confines.at(path, to_write=True))
            case ToEnvFile(path):
                files.check(self.confines.at(path, to_write=True))
                envfile.check(self.confines.at(path, to_write=True))
            case ToCommand(argv):
                command.check(argv, self._surroundings(), self.confines.root)
            case ToGithubOutput():
                github.check(self.environ)

    def deliver(self, parcel: Parcel, delivery: Delivery) -> Undo | None:
        """Make one delivery, and give a way to take it back; None: there is none.

        Raises:
            ReconcilerError: it was not made.
            PartlyDelivered: somebody may have got the value all the same.
        """
        match delivery:
            case ToFile(path):
                return files.write(self.confines.at(path, to_write=True), parcel.value.reveal())
            case ToEnvFile(path, variable):
                return envfile.set_variable(self.confines.at(path, to_write=True), variable, parcel.value)
            case ToKubernetesSecret(path):
                text = files.kubernetes_secret(delivery, parcel.value)
                return files.write(self.confines.at(path, to_write=True), text)
            case ToGithubOutput(name):
                return github.set_output(github.output_file(self.environ), name, parcel.value, self.tell)
            case ToCommand():
                command.feed(delivery, parcel, {**self._surroundings(), **parcel.facts}, self.confines.root)
                return None

    def recall(self, delivery: Delivery) -> Secret | None:
        """The value that is where a delivery was made; None where nobody can read it back, or there is none."""
        try:
            match delivery:
                case ToFile(path):
                    return files.value_in(self.confines.at(path))
                case ToEnvFile(path, variable):
                    return envfile.variable_in(self.confines.at(path), variable)
                case ToKubernetesSecret(path):
                    return files.kubernetes_value_in(self.confines.at(path))
                case _:
                    return None
        except (ReconcilerError, OSError, ValueError):  # it is not there, or not as a delivery leaves it
            return None

    def _surroundings(self) -> dict[str, str]:
        return {
            name: value
            for name, value in self.environ.items()
            if name not in self.withheld and not is_own_variable(name)
        }
