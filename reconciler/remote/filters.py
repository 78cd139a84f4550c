"""A text -> the filter that finds what equals it, in the list language of the service.

The language has no escape: ``*``, ``|``, ``!``, ``<`` and ``>`` always mean something (OrderCloud knowledge base,
"Advanced Querying"). So the filter may find more, and the caller compares what comes back.
"""

import re
from typing import Final

_PLAIN: Final = r"[\w.@ +-]"
"""Nothing of this can mean anything; other signs, like quotes and commas, are not relied on."""
_HEAD: Final = re.compile(rf"{_PLAIN}*")
_TAIL: Final = re.compile(rf"{_PLAIN}*\Z")
_LONGEST: Final = 200
"""Characters of a filter: the service takes URLs of about 2,000, in which one character may be twelve."""


def at_least(text: str) -> str:
    """The narrowest filter that surely lets through what equals the text."""
    head = _HEAD.match(text[:_LONGEST])
    found = head[0] if head else ""
    if found == text:
        return text
    tail = _TAIL.search(text[-_LONGEST:])
    return f"{found}*" if found or not tail else f"*{tail[0]}"
