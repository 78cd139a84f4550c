"""A plan, what was reviewed and what differs -> the difference, for those who are to approve it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from reconciler.model.plan import Review
from reconciler.render import markdown as comment
from reconciler.render import text as terminal
from reconciler.render.comment import code
from reconciler.render.escape import escape, joined
from reconciler.render.style import Style


def text(review: Review, digest: str, style: Style) -> str:
    """The verdict; then the plan of what is new, and what is gone."""
    if review.is_reviewed:
        return joined([escape(f"Reviewed: {review.reason}.")])
    gone = [escape(f"Reviewed, and no longer planned: {name}") for name in review.gone]
    head = joined([escape(f"Not reviewed: {review.reason}."), *gone, ""])
    return head + terminal.plan(review.unseen, digest, style)


def markdown(review: Review, digest: str, style: Style) -> str:
    """The same for the summary of a CI job."""
    environment = code(review.unseen.binding.environment)
    if review.is_reviewed:
        return joined([f"{environment}: reviewed, {code(review.reason)}."])
    gone = [f"- reviewed, and no longer planned: {code(name)}" for name in review.gone]
    head = joined([f"## {environment}: not what was reviewed", "", f"{code(review.reason)}.", "", *gone, ""])
    return head + comment.plan(review.unseen, digest, style)


ReviewWriter: TypeAlias = Callable[[Review, str, Style], str]

REVIEWS: Final[Mapping[str, ReviewWriter]] = MappingProxyType({"text": text, "markdown": markdown})
"""Name of a format -> what writes a review in it."""
