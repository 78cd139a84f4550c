"""New secrets and where each goes -> all delivered, or none; and the way back."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from reconciler.errors import PartlyDelivered, ReconcilerError
from reconciler.model.delivery import Delivery, ToCommand
from reconciler.secrets.delivery import Courier, Parcel, Undo


@dataclass(frozen=True, slots=True)
class Order:
    """A new value and where it goes."""

    parcel: Parcel
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class Delivered:
    """One delivery that was made of a value that is not set yet."""

    parcel: Parcel
    delivery: Delivery
    undo: Undo | None

    def take_back(self) -> str:
        """Take it back; gives what cannot be, empty if nothing is left of it."""
        if self.undo is None:
            return f"{self.delivery} has a secret that opens nothing"
        try:
            self.undo()
        except ReconcilerError as error:
            return error.message
        return ""


def deliver_all(orders: Iterable[Order], courier: Courier) -> tuple[Delivered, ...]:
    """Make all of these; commands, which cannot be taken back, come last.

    Raises:
        ReconcilerError: one cannot be made; those before it are taken back.
        PartlyDelivered: the same, and something of them is left.
    """
    todo = [(one.parcel, delivery) for one in orders for delivery in one.deliveries]
    done: list[Delivered] = []
    try:
        for parcel, delivery in sorted(todo, key=lambda each: isinstance(each[1], ToCommand)):
            undo = courier.deliver(parcel, delivery)
            done.append(Delivered(parcel, delivery, undo))
    except BaseException as error:
        left = taken_back(done)
        if left and isinstance(error, ReconcilerError):
            message = f"{error.message}; nothing was written to the service, but {'; '.join(left)}"
            raise PartlyDelivered(message, hint=error.hint) from error
        raise
    return tuple(done)


def deliver_again(delivered: Iterable[Delivered], client_id: str, courier: Courier) -> list[str]:
    """Repeat the commands that were told no id, or another one; gives what there is to say of it.

    Raises:
        ReconcilerError: one failed.
    """
    said = []
    for one in delivered:
        if isinstance(one.delivery, ToCommand) and one.parcel.client_id.casefold() != client_id.casefold():
            courier.deliver(replace(one.parcel, client_id=client_id), one.delivery)
            old = f"; what it stored for {one.parcel.client_id} opens nothing" if one.parcel.client_id else ""
            said.append(f"{one.delivery} was run again with the id of the client{old}")
    return said


def taken_back(delivered: Iterable[Delivered]) -> list[str]:
    """Take all of these back, the last first; gives what is left of them."""
    return [left for one in reversed([*delivered]) if (left := one.take_back())]
