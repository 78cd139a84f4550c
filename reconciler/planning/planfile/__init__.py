"""Plan <-> JSON document, and the questions whether a saved plan may still be carried out.

The document is deterministic: equal plans give equal bytes apart from ``created_at`` and the digest over it. Its core
is shaped like Terraform's plan representation, so that policy tools written for ``resource_changes[].change.actions``
read it. Values at secret paths are absent from it, not masked.

A file is read only where it has the very bytes that `dumps` gives: a document that two readers could take for two plans
(a key that is there twice) is not a plan. With a key, the document is signed, and an unsigned one is refused.
"""

from reconciler.planning.planfile.binding import check_binding, check_deliveries
from reconciler.planning.planfile.document import (
    FORMAT_VERSION,
    changes_besides,
    changes_digest,
    dumps,
    objection,
    pieces,
    pieces_of,
    plan_digest,
    precise,
    timestamp,
    to_document,
)
from reconciler.planning.planfile.reading import SCHEMA, content, loads, read

__all__ = [
    "FORMAT_VERSION",
    "SCHEMA",
    "changes_besides",
    "changes_digest",
    "check_binding",
    "check_deliveries",
    "content",
    "dumps",
    "loads",
    "objection",
    "pieces",
    "pieces_of",
    "plan_digest",
    "precise",
    "read",
    "timestamp",
    "to_document",
]
