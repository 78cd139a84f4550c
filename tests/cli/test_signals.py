import io
import signal

import pytest

from reconciler.cli import signals
from reconciler.cli.approving import stoppable
from tests.cli.conftest import Project, Runner
from tests.cli.test_secrets import shop as shop  # noqa: PLC0414  # the fixture, under its own name


@pytest.mark.parametrize("number", signals.SIGNALS)
def test_a_signal_asks_to_stop_and_says_so(number: signal.Signals, capsys: pytest.CaptureFixture[str]) -> None:
    with stoppable() as should_stop:
        assert not should_stop()
        signal.raise_signal(number)
        assert should_stop()
    assert "finishing changes in flight" in capsys.readouterr().err


def test_the_second_signal_ends_the_process() -> None:
    with stoppable():
        signal.raise_signal(signal.SIGINT)
        assert {signal.getsignal(number) for number in signals.SIGNALS} == {signals.end}


def test_a_signal_that_whoever_started_us_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with stoppable() as should_stop:
        signal.raise_signal(signal.SIGHUP)
        assert not should_stop()
    signal.signal(signal.SIGHUP, before)


class Watching(io.StringIO):
    """A stdout that keeps how SIGINT is handled while the document is written."""

    handler: object = None

    def write(self, text: str) -> int:
        self.handler = signal.getsignal(signal.SIGINT)
        return super().write(text)


@pytest.mark.parametrize("command", [("apply",), ("secrets", "rotate", "ApiClient/front")])
def test_a_signal_after_the_last_write_does_not_cost_the_document(
    shop: Project, run: Runner, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    path = shop.folder / "manifests" / "front.yaml"
    path.write_text(path.read_text().replace('"AccessTokenDuration": 600', '"AccessTokenDuration": 60'))
    before, out = signal.getsignal(signal.SIGINT), Watching()
    monkeypatch.setattr("sys.stdout", out)
    assert run(*command, "--auto-approve").code == 0
    assert "stoppable.<locals>.stop" in repr(out.handler)
    assert signal.getsignal(signal.SIGINT) is before


def test_the_handlers_of_before_come_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stoppable():
        pass
    assert signal.getsignal(signal.SIGINT) is before
