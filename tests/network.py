"""What this process connects to: kept for tests to look at, and stopped where it would leave this machine."""

import sys
from collections import deque
from ipaddress import ip_address
from typing import Any, Final

CONTACTED: Final[deque[str]] = deque(maxlen=10_000)
"""Hosts that were looked up or connected to, with their ports; the oldest first."""


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    """Be told by Python itself, beneath every library."""
    if event == "socket.getaddrinfo":
        _note(arguments[0], arguments[1])
    elif event in {"socket.connect", "socket.sendto"} and isinstance(arguments[1], tuple):
        _note(*arguments[1][:2])


def _note(host: str | bytes | None, port: object) -> None:
    name = host.decode() if isinstance(host, bytes) else host or "localhost"
    CONTACTED.append(f"{name}:{port}")
    if not _is_here(name):
        raise RuntimeError(f"a test must not leave this machine: {name}:{port}")


def _is_here(name: str) -> bool:
    try:
        return ip_address(name).is_loopback or ip_address(name).is_unspecified
    except ValueError:
        return name == "localhost"


sys.addaudithook(_watch)
