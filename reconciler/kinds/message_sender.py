"""MessageSender: the emails to users, each type by a delivery configuration, for the parties that it is assigned to."""

from typing import Final

from reconciler.kinds.assignments import Assignments, levels, listeners
from reconciler.kinds.base import Kind
from reconciler.kinds.common import (
    TO_DELIVERY_CONFIG,
    chosen_id,
    description,
    elevated_roles,
    flag,
    reference,
    secret,
    title,
    url,
    xp,
)
from reconciler.kinds.fields import Choice, Field, Many, Restore

_NAMES: Final = """
    OrderDeclined OrderSubmitted ShipmentCreated ForgottenPassword ForgottenUsername OrderSubmittedForYourApproval
    OrderSubmittedForApproval OrderApproved OrderSubmittedForYourApprovalHasBeenApproved
    OrderSubmittedForYourApprovalHasBeenDeclined NewUserInvitation OrderReturnDeclined OrderReturnSubmitted
    OrderReturnSubmittedForYourApproval OrderReturnSubmittedForApproval OrderReturnApproved
    OrderReturnSubmittedForYourApprovalHasBeenApproved OrderReturnSubmittedForYourApprovalHasBeenDeclined
    OrderReturnCompleted SubscriptionReminder ProductCollectionInvitationAccepted ProductCollectionInvitationDeclined
    OneTimePassword
"""
_TYPES: Final = tuple(_NAMES.split())

MESSAGE_SENDER: Final = Kind(
    name="MessageSender",
    noun="message sender",
    description="One message sender: emails of some types for the parties that it is assigned to.",
    path="/messagesenders",
    source='API reference, "Message Senders"',
    table=(
        title("Order mails", required=True),
        Field(
            "MessageTypes",
            Many(Choice(_TYPES)),
            "The messages that it sends. Order is ignored.",
            examples=(["OrderSubmitted", "ShipmentCreated"],),
            default=[],
            required=True,
        ),
        description("Emails about orders.", None),
        elevated_roles("Roles of the token passed to the receiver. Empty: no token."),
        xp(),
        reference(
            "DeliveryConfigID",
            TO_DELIVERY_CONFIG,
            "The ID of the delivery configuration that delivers messages. Required since API 1.0.454.",
            "mail-middleware",
            required=True,
            since="1.0.322",
        ),
        flag(
            "AllowAllBuyers",
            "Whether it serves every buyer. If true, assignments of buyers have no effect.",
            since="1.0.327",
        ),
        url(
            "URL",
            "The URL that is called, up to API 1.0.432. Later versions use DeliveryConfigID. A staging restore clears "
            "it.",
            "https://middleware.example.com/{messagetype}",
            restore=Restore.CLEARS,
            until="1.0.432",
        ),
        secret(
            "SharedKey",
            "The key with which the receiver verifies that a request comes from OrderCloud, up to API 1.0.432.",
            "SENDER_SHARED_KEY",
            until="1.0.432",
        ),
        chosen_id(),
    ),
    name_field="Name",
    readers=("MessageSenderReader",),
    writers=("MessageSenderAdmin",),
    assignments=Assignments(
        (
            *levels(
                "/messagesenders/assignments",
                "MessageSenderID",
                "/messagesenders/{MessageSenderID}/assignments",
                *("seller", "buyers", "suppliers", "adminGroups", "groups"),
                everyone={"buyers": "AllowAllBuyers"},
            ),
            listeners(
                "ccListeners",
                "/messagesenders/CCListenerAssignments",
                ("MessageSenderAssignment", "MessageSenderID"),
                _TYPES,
            ),
        ),
        "The parties whose messages this sender sends, by level, and the recipients of copies.",
        grants=False,
        # A reader of senders may not read these.
        roles=("MessageConfigAssignmentAdmin", "MessageSenderAdmin"),
    ),
    restore_unassigns=True,
)
