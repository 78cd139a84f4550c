import signal

import pytest

from reconciler.cli.stopping import stoppable


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_to_stop_and_says_so(number: signal.Signals, capsys: pytest.CaptureFixture[str]) -> None:
    with stoppable() as should_stop:
        assert not should_stop()
        signal.raise_signal(number)
        assert should_stop()
    assert "no more changes are started" in capsys.readouterr().err


def test_the_second_signal_is_left_to_the_system() -> None:
    with stoppable():
        signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_the_handlers_of_before_come_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stoppable():
        pass
    assert signal.getsignal(signal.SIGINT) is before
