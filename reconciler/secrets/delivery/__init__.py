"""Deliver new secrets to files, GitHub outputs and commands. Errors never contain the value.

Every delivery is checked before a secret is created. Deliveries are idempotent. Deliveries to files can be
undone, those to commands cannot. A command runs without a shell, gets the value on standard input, and its output
is discarded.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TypeAlias

from reconciler.errors import PartlyDelivered, ReconcilerError
from reconciler.manifests.files import AllowedPaths
from reconciler.model import secret
from reconciler.model.dataclass import dataclass
from reconciler.model.named_secret import UNTRIED, LiveSecret, NamedSecret, family
from reconciler.model.resource import Address
from reconciler.model.secret import Delivery, Secret, ToCommand, ToEnvFile, ToFile, ToGithubOutput, ToKubernetesSecret
from reconciler.secrets.delivery import files
from reconciler.secrets.delivery.files import Undo


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A new secret to deliver."""

    address: Address
    client_id: str
    name: str
    """The name of a named secret, or the field of another one."""
    value: Secret

    @property
    def facts(self) -> Mapping[str, str]:
        """The environment variables that a command gets in addition."""
        return {
            "RECONCILER_ADDRESS": str(self.address),
            "RECONCILER_CLIENT_ID": self.client_id,
            "RECONCILER_SECRET_NAME": self.name,
        }


@dataclass(frozen=True, slots=True)
class Deliverer:
    """Makes deliveries on this machine."""

    allowed_paths: AllowedPaths
    """The paths where files may be written."""
    tell: Callable[[str], None]
    """Writes the line that masks a value to the log of the CI job."""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    withheld: Collection[str] = ()
    """Variables that are not passed to commands: the reconciler's own credentials. Neither is `RECONCILER_*`."""

    def check(self, deliveries: Sequence[Delivery]) -> None:
        """Check that all deliveries are possible. Writes nothing.

        Raises:
            ReconcilerError: some are not possible; lists all of them.
        """
        faults = []
        for delivery in dict.fromkeys(deliveries):
            try:
                self._check(delivery)
            except ReconcilerError as error:
                faults.append(error)
        if faults:
            hints = dict.fromkeys(fault.hint for fault in faults if fault.hint)
            raise ReconcilerError("; ".join(fault.message for fault in faults), hint="; ".join(hints))

    def _check(self, delivery: Delivery) -> None:
        match delivery:
            case ToFile(path) | ToKubernetesSecret(path):
                files.check(self._at(path))
            case ToEnvFile(path, variable):
                files.check(self._at(path))
                files.check_variable(self._at(path), variable)
            case ToCommand(argv):
                _command(argv, self._environment(), self.allowed_paths.root)
            case ToGithubOutput():
                os.close(files.open_to_append(files.output_file(self.environ)))

    def deliver(self, new: NewSecret, delivery: Delivery) -> Undo | None:
        """Make one delivery; returns a function that undoes it, or None if that is not possible.

        Raises:
            ReconcilerError: the delivery failed.
            PartlyDelivered: the delivery failed, but the value may have been stored.
        """
        match delivery:
            case ToFile(path):
                return files.write(self._at(path), new.value.reveal())
            case ToEnvFile(path, variable):
                return files.set_variable(self._at(path), variable, new.value)
            case ToKubernetesSecret(path):
                return files.write(self._at(path), files.kubernetes_secret(delivery, new.value))
            case ToGithubOutput(name):
                return files.set_output(files.output_file(self.environ), name, new.value, self.tell)
            case ToCommand():
                _run_command(delivery, new, {**self._environment(), **new.facts}, self.allowed_paths.root)
                return None

    def read_back(self, delivery: Delivery) -> Secret | None:
        """Read back a delivered value; None if that is not possible, or if there is none."""
        try:
            match delivery:
                case ToFile(path):
                    return Secret(files.text_in(self.allowed_paths.at(path)))
                case ToEnvFile(path, variable):
                    return files.variable_in(self.allowed_paths.at(path), variable)
                case ToKubernetesSecret(path):
                    return files.kubernetes_value_in(self.allowed_paths.at(path))
                case _:
                    return None
        except (ReconcilerError, OSError, ValueError):  # it does not exist, or has another format
            return None

    def _at(self, path: str) -> Path:
        return self.allowed_paths.at(path, to_write=True)

    def _environment(self) -> dict[str, str]:
        names = [name for name in self.environ if name not in self.withheld and not secret.is_own_variable(name)]
        return {name: self.environ[name] for name in names}


def required(deliverer: Deliverer | None) -> Deliverer:
    """Return the deliverer; raises a `ReconcilerError` if there is none."""
    if deliverer is None:
        raise ReconcilerError("the plan creates new secrets, but this run cannot deliver any")
    return deliverer


Order: TypeAlias = tuple[NewSecret, Delivery]
"""A new secret and one of its deliveries."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A delivery that was completed before the service got the value."""

    new: NewSecret
    delivery: Delivery
    undo: Undo | None

    def undo_delivery(self) -> str:
        """Undo the delivery; returns a message if that fails, else an empty text."""
        if self.undo is None:
            return f"{self.delivery} has a secret that does not work"
        try:
            self.undo()
        except ReconcilerError as error:
            return error.message
        return ""


def deliver_all(orders: Iterable[Order], deliverer: Deliverer) -> tuple[Delivered, ...]:
    """Make all deliveries. Those to commands, which cannot be undone, come last.

    Raises:
        ReconcilerError: a delivery failed; those before it are undone.
        PartlyDelivered: a delivery failed, and some before it could not be undone.
    """
    done: list[Delivered] = []
    try:
        for new, delivery in sorted(orders, key=lambda each: isinstance(each[1], ToCommand)):
            done.append(Delivered(new, delivery, deliverer.deliver(new, delivery)))
    except BaseException as error:
        left = undo_all(done)
        if left and isinstance(error, ReconcilerError):
            message = f"{error.message}; nothing was written to the service, but {'; '.join(left)}"
            raise PartlyDelivered(message, hint=error.hint) from error
        if done and isinstance(error, ReconcilerError):
            error.message += "; nothing was written to the service, and earlier deliveries were undone"
        raise
    return tuple(done)


def rerun_commands(delivered: Iterable[Delivered], client_id: str, deliverer: Deliverer) -> list[str]:
    """Run the commands again that got no id or another one; returns messages.

    Raises:
        ReconcilerError: a command failed.
    """
    messages = []
    for one in delivered:
        if isinstance(one.delivery, ToCommand) and one.new.client_id.casefold() != client_id.casefold():
            deliverer.deliver(replace(one.new, client_id=client_id), one.delivery)
            old = f"; what it stored for {one.new.client_id} does not work" if one.new.client_id else ""
            messages.append(f"{one.delivery} was run again with the id of the client{old}")
    return messages


def undo_all(delivered: Iterable[Delivered]) -> list[str]:
    """Undo deliveries, the last one first; returns a message for each that remains."""
    return [left for one in reversed([*delivered]) if (left := one.undo_delivery())]


def read_back(wanted: NamedSecret, live: Sequence[LiveSecret], deliverer: Deliverer) -> Mapping[str, Secret]:
    """Id of each unproven secret whose value can be read back -> the value."""
    related = family(wanted.name, live)
    untried = [related.current] if related.current and related.current.ending == UNTRIED else []
    unproven = [one for one in (*related.pending, *untried) if one.mark]
    values = [value for delivery in wanted.deliver if unproven and (value := deliverer.read_back(delivery))]
    return {one.id: value for one in unproven for value in values if value.mark(one.id) == one.mark}


def lost_deliveries(wanted: NamedSecret, deliverer: Deliverer) -> tuple[Delivery, ...]:
    """The deliveries that could be read back but have no value."""
    return tuple(one for one in wanted.deliver if isinstance(one, secret.InFile) and not deliverer.read_back(one))


def _command(argv: Sequence[str], environ: Mapping[str, str], folder: Path) -> list[str]:
    """The arguments of a command, with the path of its program, found on the PATH or relative to a folder.

    Raises:
        ReconcilerError: the command cannot be started.
    """
    name, *arguments = argv
    is_path = Path(name).name != name
    found = shutil.which(str(folder / name) if is_path else name, path=environ.get("PATH"))
    if found is None:
        hint = "correct the command, or PATH"
        raise ReconcilerError(f"program {name} not found (delivery of a secret)", hint=hint)
    if any("\0" in one for one in argv):
        message = f"the arguments of {name} contain a null character, so it cannot be started to deliver a secret"
        raise ReconcilerError(message, hint="correct the command")
    return [found, *arguments]


def _run_command(wanted: ToCommand, new: NewSecret, environ: Mapping[str, str], folder: Path) -> None:
    """Run the program in a folder with the value on standard input. Its output may contain the value: it is discarded.

    Raises:
        ReconcilerError: it cannot be started, or exits with another code than 0.
        PartlyDelivered: it timed out, and may have stored the value.
    """
    try:
        ended = subprocess.run(  # noqa: S603  # the manifest names it, and no shell reads it
            _command(wanted.argv, environ, folder),
            input=new.value.reveal().encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=wanted.timeout,
            env=dict(environ),
            cwd=folder,
            check=False,
        )
    except subprocess.TimeoutExpired:
        message = f"{wanted} did not exit within {wanted.timeout} s and was stopped; it may have stored the secret"
        raise PartlyDelivered(message) from None
    except OSError as error:
        raise ReconcilerError(f"{wanted} cannot be started: {error.strerror}") from None
    if ended.returncode:
        message = f"{wanted} exited with {ended.returncode}; its output is not shown, since it may contain the secret"
        raise ReconcilerError(message)
