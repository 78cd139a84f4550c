"""The emulator over a socket."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from cheroot.makefile import StreamWriter

from reconciler.emulator import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET, Emulator, Settings, running, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ADMIN = {"grant_type": "client_credentials", "client_id": ADMIN_CLIENT_ID, "client_secret": ADMIN_CLIENT_SECRET}
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used; making the default one takes longer than most tests
SCRIPT = """
from reconciler.emulator import Emulator, Settings, serve
serve(Emulator(Settings()), "127.0.0.1", 0, lambda url: print("listening on", url, flush=True))
print("stopped")
"""
ELSEWHERE = """
import signal, sys, threading

def wait_for_a_line():
    sys.stdin.readline()
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

threading.Thread(target=wait_for_a_line, daemon=True).start()
"""
LOCKED = """
import os, queue, signal, threading

class Interrupted(threading.Condition):
    def __enter__(self):
        entered = super().__enter__()
        queue.Queue.put = put
        os.kill(os.getpid(), signal.SIGTERM)
        return entered

def interrupted_put(self, *args, **options):
    self.not_full = Interrupted(self.mutex)
    put(self, *args, **options)

put, queue.Queue.put = queue.Queue.put, interrupted_put
"""


@pytest.fixture
def admin(emulator: Emulator) -> Iterator[httpx.Client]:
    """The administrator, over a socket."""
    with running(emulator) as url, httpx.Client(base_url=url, verify=NO_TLS, timeout=60) as client:
        client.headers["Authorization"] = "Bearer " + client.post("/oauth/token", data=ADMIN).json()["access_token"]
        yield client


def test_a_put_and_an_empty_response_use_one_connection(admin: httpx.Client) -> None:
    answer = admin.post("/v1/buyers", json={"ID": "new", "Name": "N\u00e9w"})
    assert answer.headers["Location"] == f"{admin.base_url}/v1/buyers/new"
    assert admin.get("/v1/buyers/new").json()["Name"] == "N\u00e9w"
    assert (admin.delete("/v1/buyers/new").status_code, admin.get("/v1/buyers/new").status_code) == (204, 404)


def test_a_non_ascii_path_is_journalled_as_sent(admin: httpx.Client) -> None:
    assert admin.get("/v1/buyers/ключ").json()["Errors"][0]["Data"]["ObjectID"] == "ключ"
    assert admin.get("/_emulator/requests").json()["requests"][-1]["path"] == "/v1/buyers/ключ"


@pytest.mark.parametrize(("drop", "status"), [("before", 404), ("after", 200)])
def test_a_dropped_connection_closes_without_a_response(
    admin: httpx.Client, capfd: pytest.CaptureFixture[str], drop: str, status: int
) -> None:
    admin.post("/_emulator/faults", json={"spec": f"PUT * drop={drop}"})
    with pytest.raises(httpx.RemoteProtocolError):
        admin.put("/v1/buyers/new", json={"Name": "New"})
    assert admin.get("/v1/buyers/new").status_code == status
    assert capfd.readouterr() == ("", "")


def test_the_default_clock_is_the_system_time() -> None:
    with running(Emulator(Settings())) as url, httpx.Client(base_url=url, verify=NO_TLS, timeout=60) as client:
        token = client.post("/oauth/token", data=ADMIN).json()["access_token"]
        assert client.get("/v1/me", headers={"Authorization": f"bearer {token}"}).status_code == 200


def test_a_writer_to_a_client_that_went_away_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise Python 3.13 writes a traceback when it is freed."""
    is_asked, is_gone, writers, start = (
        threading.Event(),
        threading.Event(),
        list[StreamWriter](),
        StreamWriter.__init__,
    )

    def sleep(_seconds: float) -> None:
        is_asked.set()
        is_gone.wait(10)

    def kept(writer: StreamWriter, *arguments: Any) -> None:
        start(writer, *arguments)
        writers.append(writer)

    monkeypatch.setattr(StreamWriter, "__init__", kept)
    with running(Emulator(Settings(), sleep=sleep)) as url:
        assert httpx.post(f"{url}/_emulator/faults", json={"spec": "GET * latency=1"}, verify=NO_TLS).is_success
        address = httpx.URL(url)
        with socket.create_connection((address.host, address.port)) as client:
            client.sendall(b"GET /v1/openapi/v3 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert is_asked.wait(10)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing it is a reset
        is_gone.set()
    assert [writer.closed for writer in writers] == [True, True]


@pytest.mark.sweep
def test_concurrent_writes_are_not_lost(admin: httpx.Client) -> None:
    with ThreadPoolExecutor(16) as pool:
        made = pool.map(lambda number: admin.put(f"/v1/buyers/b{number}", json={"Name": "B"}).status_code, range(64))
    assert set(made) == {200}
    assert admin.get("/v1/buyers", params={"Name": "B"}).json()["Meta"]["TotalCount"] == 64


def test_delayed_requests_do_not_block_each_other() -> None:
    everybody_is_here = threading.Barrier(8, timeout=10)

    def sleep(_seconds: float) -> None:
        everybody_is_here.wait()

    with (
        running(Emulator(Settings(), sleep=sleep)) as url,
        httpx.Client(base_url=url, verify=NO_TLS, timeout=60) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        client.post("/_emulator/faults", json={"spec": "GET * latency=1 count=8"})
        assert list(pool.map(lambda _: client.get("/v1/openapi/v3").status_code, range(8))) == [200] * 8


@contextmanager
def started(script: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server process, and its base URL."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", script], stdin=pipe, stdout=pipe, stderr=pipe, text=True) as server:
        assert server.stdout is not None
        try:
            yield server, server.stdout.readline().removeprefix("listening on").strip()
        finally:
            server.kill()  # otherwise the test would wait for a server that does not end


@pytest.mark.sweep
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_server_cleanly(number: signal.Signals) -> None:
    with started(SCRIPT) as (server, url):
        assert httpx.get(url + "/v1/openapi/v3", verify=NO_TLS).status_code == 200
        os.kill(server.pid, number)
        assert server.communicate(timeout=60) == ("stopped\n", "")
    assert server.returncode == 0


@pytest.mark.sweep
def test_a_signal_stops_a_server_that_holds_a_lock() -> None:
    with started(LOCKED + SCRIPT) as (server, url):
        with suppress(httpx.TransportError):
            httpx.get(url + "/v1/openapi/v3", verify=NO_TLS)
        assert server.communicate(timeout=60) == ("stopped\n", "")
    assert server.returncode == 0


@pytest.mark.sweep
def test_a_signal_that_does_not_wake_the_main_thread_stops_the_server() -> None:
    """A signal right before the wait does not wake it either."""
    with started(ELSEWHERE + SCRIPT) as (server, url):
        assert httpx.get(url + "/v1/openapi/v3", verify=NO_TLS).status_code == 200
        assert server.communicate("\n", timeout=60) == ("stopped\n", "")
    assert server.returncode == 0


def test_a_keyboard_interrupt_in_another_thread_stops_its_server(emulate: Callable[..., Emulator]) -> None:
    ready: list[str] = []

    def stop(url: str) -> None:
        ready.append(url)
        raise KeyboardInterrupt

    thread = threading.Thread(target=serve, args=(emulate(), "127.0.0.1", 0, stop))
    thread.start()
    thread.join(10)
    assert ready[0].startswith("http://127.0.0.1:")


def test_a_port_in_use_is_an_error(emulator: Emulator) -> None:
    with running(emulator) as url, pytest.raises(OSError, match="in use"):
        serve(emulator, "127.0.0.1", int(url.rpartition(":")[2]), print)
