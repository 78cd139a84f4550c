"""Unproven secrets x the places where they are delivered -> their values, where they are still there.

A value is known by the mark in the secret's name, so that one that was put there by somebody else is not taken for it.
"""

from collections.abc import Mapping, Sequence

from reconciler.model.delivery import Delivery, InFile
from reconciler.model.named_secret import UNTRIED, LiveSecret, NamedSecret, family
from reconciler.model.secret import Secret
from reconciler.secrets.delivery import Courier


def recall(wanted: NamedSecret, live: Sequence[LiveSecret], courier: Courier) -> Mapping[str, Secret]:
    """Id -> value of each secret of ours that a later run can still prove."""
    relatives = family(wanted.name, live)
    untried = [relatives.current] if relatives.current and relatives.current.ending == UNTRIED else []
    unproven = [one for one in (*relatives.pending, *untried) if one.mark]
    values = [value for delivery in wanted.deliver if unproven and (value := courier.recall(delivery))]
    return {one.id: value for one in unproven for value in values if value.mark(one.id) == one.mark}


def lost(wanted: NamedSecret, courier: Courier) -> tuple[Delivery, ...]:
    """The places that can be read back and have no value: whatever was delivered there is gone."""
    return tuple(one for one in wanted.deliver if isinstance(one, InFile) and not courier.recall(one))
