"""Who may say yes, and where nobody can be asked."""

import io
import sys
from contextlib import nullcontext

import pytest

from reconciler.cli.approving import can_ask, require_yes
from reconciler.errors import ReconcilerError
from tests.cli.test_streams import Terminal


@pytest.mark.parametrize(("answer", "confirmed"), [("yes\n", True), (" yes \n", True), ("y\n", False), ("", False)])
def test_only_the_whole_word_is_a_yes(monkeypatch: pytest.MonkeyPatch, answer: str, confirmed: bool) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    with nullcontext() if confirmed else pytest.raises(ReconcilerError, match="not approved"):
        require_yes("Go on?", lambda _style: "what is done")
    assert "what is done" in screen.getvalue()
    assert "Only 'yes' is accepted" in screen.getvalue()


def test_a_question_needs_a_terminal_at_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not can_ask()
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert can_ask()
