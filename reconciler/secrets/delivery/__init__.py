"""A new secret x where its manifest wants it -> delivered, or an error that shows no value.

Every delivery is checked beforehand, so that a secret is not created for nothing. A delivery may be repeated: done
twice it is done once. What was written to files can be taken back; what a command has stored cannot. A command gets
the value on its standard input: no shell, no argument, no echo of what it prints.
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
from reconciler.model.dataclass import dataclass
from reconciler.model.named_secret import UNTRIED, LiveSecret, NamedSecret, family
from reconciler.model.resource import Address
from reconciler.model.secret import (
    Delivery,
    InFile,
    Secret,
    ToCommand,
    ToEnvFile,
    ToFile,
    ToGithubOutput,
    ToKubernetesSecret,
    is_own_variable,
)
from reconciler.secrets.delivery import files
from reconciler.secrets.delivery.files import Undo


@dataclass(frozen=True, slots=True)
class NewSecret:
    """One new secret."""

    address: Address
    client_id: str
    name: str
    """Of a named secret, or the field of a legacy one."""
    value: Secret

    @property
    def facts(self) -> Mapping[str, str]:
        """What a command gets in its environment."""
        return {
            "RECONCILER_ADDRESS": str(self.address),
            "RECONCILER_CLIENT_ID": self.client_id,
            "RECONCILER_SECRET_NAME": self.name,
        }


@dataclass(frozen=True, slots=True)
class Deliverer:
    """Delivers on this machine."""

    allowed_paths: AllowedPaths
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
            case ToEnvFile(path):
                files.check(self._at(path))
                files.env_text(self._at(path))
            case ToCommand(argv):
                _check_command(argv, self._surroundings(), self.allowed_paths.root)
            case ToGithubOutput():
                os.close(files.open_to_append(files.output_file(self.environ)))

    def deliver(self, new: NewSecret, delivery: Delivery) -> Undo | None:
        """Make one delivery, and give a way to take it back; None: there is none.

        Raises:
            ReconcilerError: it was not made.
            PartlyDelivered: somebody may have got the value all the same.
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
                _feed(delivery, new, {**self._surroundings(), **new.facts}, self.allowed_paths.root)
                return None

    def recall(self, delivery: Delivery) -> Secret | None:
        """The value that is where a delivery was made; None where nobody can read it back, or there is none."""
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
        except (ReconcilerError, OSError, ValueError):  # it is not there, or not as a delivery leaves it
            return None

    def _at(self, path: str) -> Path:
        return self.allowed_paths.at(path, to_write=True)

    def _surroundings(self) -> dict[str, str]:
        return {
            name: value
            for name, value in self.environ.items()
            if name not in self.withheld and not is_own_variable(name)
        }


def required(deliverer: Deliverer | None) -> Deliverer:
    """Go on only where new secrets can be delivered; a `ReconcilerError` where they cannot."""
    if deliverer is None:
        raise ReconcilerError("the plan makes new secrets, and this run can deliver none")
    return deliverer


Order: TypeAlias = tuple[NewSecret, Delivery]
"""A new value and where it goes."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """One delivery that was made of a value that is not set yet."""

    new: NewSecret
    delivery: Delivery
    undo: Undo | None

    def take_back(self) -> str:
        """Take it back; gives what cannot be, empty if nothing is left of it."""
        if self.undo is None:
            return f"{self.delivery} has a secret that does not work"
        try:
            self.undo()
        except ReconcilerError as error:
            return error.message
        return ""


def deliver_all(orders: Iterable[Order], deliverer: Deliverer) -> tuple[Delivered, ...]:
    """Make all of these; commands, which cannot be taken back, come last.

    Raises:
        ReconcilerError: one cannot be made; those before it are taken back.
        PartlyDelivered: the same, and something of them is left.
    """
    done: list[Delivered] = []
    try:
        for new, delivery in sorted(orders, key=lambda each: isinstance(each[1], ToCommand)):
            done.append(Delivered(new, delivery, deliverer.deliver(new, delivery)))
    except BaseException as error:
        left = taken_back(done)
        if left and isinstance(error, ReconcilerError):
            message = f"{error.message}; nothing was written to the service, but {'; '.join(left)}"
            raise PartlyDelivered(message, hint=error.hint) from error
        if done and isinstance(error, ReconcilerError):
            error.message += "; nothing was written to the service, and what was delivered was taken back"
        raise
    return tuple(done)


def deliver_again(delivered: Iterable[Delivered], client_id: str, deliverer: Deliverer) -> list[str]:
    """Repeat the commands that got no id, or another one; gives what there is to say of it.

    Raises:
        ReconcilerError: one failed.
    """
    said = []
    for one in delivered:
        if isinstance(one.delivery, ToCommand) and one.new.client_id.casefold() != client_id.casefold():
            deliverer.deliver(replace(one.new, client_id=client_id), one.delivery)
            old = f"; what it stored for {one.new.client_id} does not work" if one.new.client_id else ""
            said.append(f"{one.delivery} was run again with the id of the client{old}")
    return said


def taken_back(delivered: Iterable[Delivered]) -> list[str]:
    """Take all of these back, the last first; gives what is left of them."""
    return [left for one in reversed([*delivered]) if (left := one.take_back())]


def recall(wanted: NamedSecret, live: Sequence[LiveSecret], deliverer: Deliverer) -> Mapping[str, Secret]:
    """Id -> value of each secret of ours that a later run can still prove."""
    relatives = family(wanted.name, live)
    untried = [relatives.current] if relatives.current and relatives.current.ending == UNTRIED else []
    unproven = [one for one in (*relatives.pending, *untried) if one.mark]
    values = [value for delivery in wanted.deliver if unproven and (value := deliverer.recall(delivery))]
    return {one.id: value for one in unproven for value in values if value.mark(one.id) == one.mark}


def lost(wanted: NamedSecret, deliverer: Deliverer) -> tuple[Delivery, ...]:
    """The places that can be read back and have no value: whatever was delivered there is gone."""
    return tuple(one for one in wanted.deliver if isinstance(one, InFile) and not deliverer.recall(one))


def _check_command(argv: Sequence[str], environ: Mapping[str, str], folder: Path) -> None:
    """See whether a command can be started.

    Raises:
        ReconcilerError: it cannot.
    """
    _program(argv[0], environ, folder)
    if any("\0" in one for one in argv):
        message = f"the arguments of {argv[0]} have a null character, so it cannot be started to deliver a secret"
        raise ReconcilerError(message, hint="correct the command")


def _program(name: str, environ: Mapping[str, str], folder: Path) -> str:
    """Find the program that a command starts: on the PATH, or by a path relative to a folder.

    Raises:
        ReconcilerError: there is none.
    """
    is_path = Path(name).name != name
    found = shutil.which(str(folder / name) if is_path else name, path=environ.get("PATH"))
    if found is None:
        hint = "correct the command, or PATH"
        raise ReconcilerError(f"there is no program {name} to deliver a secret to", hint=hint)
    return found


def _feed(wanted: ToCommand, new: NewSecret, environ: Mapping[str, str], folder: Path) -> None:
    """Start the program in a folder and write the value to it. Whatever it prints may be the value, so it is dropped.

    Raises:
        ReconcilerError: it cannot be started, or exits with another code than 0.
        PartlyDelivered: it was stopped because it took too long, so that nobody knows what it has stored.
    """
    name, *arguments = wanted.argv
    try:
        ended = subprocess.run(  # noqa: S603  # the manifest names it, and no shell reads it
            [_program(name, environ, folder), *arguments],
            input=new.value.reveal().encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=wanted.timeout,
            env=dict(environ),
            cwd=folder,
            check=False,
        )
    except subprocess.TimeoutExpired:
        message = f"{wanted} did not end within {wanted.timeout} s, and was stopped; it may have stored the secret"
        raise PartlyDelivered(message) from None
    except OSError as error:
        raise ReconcilerError(f"{wanted} cannot be started: {error.strerror}") from None
    if ended.returncode:
        message = f"{wanted} exited with {ended.returncode}; what it printed is not shown, since it may hold the secret"
        raise ReconcilerError(message)
