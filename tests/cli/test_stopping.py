import signal

import pytest

from reconciler.cli import signals
from reconciler.cli.stopping import stoppable


@pytest.mark.parametrize("number", signals.SIGNALS)
def test_a_signal_asks_to_stop_and_says_so(number: signal.Signals, capsys: pytest.CaptureFixture[str]) -> None:
    with stoppable() as should_stop:
        assert not should_stop()
        signal.raise_signal(number)
        assert should_stop()
    assert "no more changes are started" in capsys.readouterr().err


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


def test_the_handlers_of_before_come_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stoppable():
        pass
    assert signal.getsignal(signal.SIGINT) is before
