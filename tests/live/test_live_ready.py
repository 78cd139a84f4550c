"""What reads a service gets ready for its answers while they are on their way."""

import threading
from dataclasses import replace

import pytest

from reconciler import live
from reconciler.kinds import KINDS

KIND = KINDS["ApiClient"]


def test_what_judges_bodies_is_made_by_a_thread_before_the_first_body_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = replace(KIND)
    monkeypatch.setattr(live, "KINDS", {KIND.name: fresh})
    live.make_ready([KIND.name])
    for thread in threading.enumerate():
        if thread.name == "reconciler-kinds":
            thread.join()
    assert "faults" in vars(fresh)
