"""What is kept of requests: how many, how they went, and nothing of their content."""

import httpx

from reconciler.remote.messages import REMEMBERED, Answer, Call, Meter, Sample
from tests.remote.service import CREDENTIALS, ok, refusal, serving
from tests.remote.test_http import ME


def test_all_attempts_and_retries_are_counted() -> None:
    with serving(refusal(503), ok(ME), ok(ME)).reader() as client:
        client.me()
        client.me()
        stats = client.stats
    assert (stats.requests, stats.retries) == (4, 1)
    assert stats.bytes > 0
    assert stats.seconds > 0


def test_how_each_attempt_went_is_remembered() -> None:
    dated = ok(ME, headers={"Date": "Thu, 01 Jan 1970 00:01:40 GMT"})
    with serving(refusal(503, Date="some day"), httpx.ReadError(""), dated).reader() as client:
        client.me()
    assert [(one.status, one.date) for one in client.samples] == [(200, None), (503, None), (None, None), (200, 100.0)]


def test_only_the_last_requests_are_remembered() -> None:
    meter = Meter()
    for number in range(REMEMBERED + 1):
        meter.note(Sample(float(number), 200, None), 0)
    assert (len(meter.samples), meter.samples[-1].seconds) == (REMEMBERED, float(REMEMBERED))


def test_it_is_remembered_how_the_last_requests_went() -> None:
    dated = ok(ME, headers={"Date": "Thu, 01 Jan 1970 00:01:40 GMT"})
    with serving(refusal(503), OSError("gone"), dated).reader() as client:
        client.me()
        went = [(sample.status, sample.date) for sample in client.samples]
    assert went == [(200, None), (503, None), (None, None), (200, 100.0)]


def test_neither_a_call_nor_an_answer_shows_its_content() -> None:
    shown = repr(Call("PUT", "/v1/a", content=b"canary")) + repr(Answer(200, b"canary")) + repr(CREDENTIALS)
    assert "canary" not in shown
