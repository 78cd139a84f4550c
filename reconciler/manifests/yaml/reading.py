"""A path -> its documents, or why it cannot be read."""

import errno
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import _ruamel_yaml as libyaml  # type: ignore[import-not-found]  # ruamel.yaml's C parser: compiled, without stubs
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from reconciler.manifests.yaml.builder import Builder, Stop
from reconciler.manifests.yaml.tree import Document
from reconciler.manifests.yaml.words import bytes_fault, character_fault, syntax_fault
from reconciler.model.diagnostic import Diagnostic, Place

SIZE_LIMIT: Final = 1 << 20
"""Bytes in a file."""

_REASONS: Final[Mapping[int, tuple[str, str]]] = {
    errno.ENOENT: ("there is no such file or directory", ""),
    errno.ENOTDIR: ("there is no such file or directory", ""),
    errno.EACCES: ("it may not be read", "correct its permissions"),
    errno.EPERM: ("it may not be read", "correct its permissions"),
    errno.ELOOP: ("the symbolic link leads back to itself", "remove it"),
    errno.ENXIO: ("this is not a regular file", ""),
    errno.EISDIR: ("this is a directory, not a file", ""),
    errno.ENAMETOOLONG: ("the path is too long", ""),
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """What could be read of a file, and everything that is wrong with it as YAML."""

    documents: tuple[Document, ...]
    faults: tuple[Diagnostic, ...] = ()


def read(path: Path | str, shown: str) -> Parsed:
    """Read and parse one file; `shown` is its name in messages.

    Nothing but a regular file is read, so that a FIFO or a device can neither block nor flood the run.
    """
    try:
        content = _bytes_of(path)
    except OSError as error:
        return Parsed((), (unreadable(error, path, shown),))
    return parse(content, shown)


def parse(content: bytes, file: str, limit: int = SIZE_LIMIT) -> Parsed:
    """Parse the bytes of one file. A fault that leaves the structure readable keeps no other from being found."""
    if len(content) > limit:
        message = f"the file is larger than {limit:,} bytes"
        return Parsed((), (Diagnostic(Place(file), message, "file-size", hint="split it"),))
    fault = bytes_fault(content, file)
    if fault is not None:
        return Parsed((), (fault,))
    builder = Builder(file)
    try:
        builder.run(libyaml.CParser(content))
    except MarkedYAMLError as error:
        builder.faults.append(syntax_fault(error, content, file))
    except YAMLError:  # a ReaderError, which has no mark
        builder.faults.append(character_fault(content, file))
    except Stop as stop:
        builder.faults.append(stop.diagnostic)
    return Parsed(tuple(builder.documents), tuple(builder.faults))


def shown(path: Path | str) -> str:
    """Give a path as a user would type it: relative where it is the working directory or below it."""
    absolute, here = os.path.abspath(path), os.getcwd()  # noqa: PTH100, PTH109  # strings, for speed
    return "." if absolute == here else absolute.removeprefix(here.rstrip(os.sep) + os.sep)


def unreadable(error: OSError, path: Path | str, shown: str) -> Diagnostic:
    """Say why the operating system does not give a file or directory."""
    message, hint = _REASONS.get(error.errno or 0, (f"it cannot be read: {error.strerror}", ""))
    if error.errno == errno.ENOENT and os.path.islink(path):  # noqa: PTH114  # paths are plain strings here, for speed
        message, hint = "the symbolic link leads nowhere", "correct or remove it"
    return Diagnostic(Place(shown), message, "unreadable", hint=hint)


def _bytes_of(path: Path | str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb", buffering=0) as stream:  # noqa: PTH123  # a descriptor is no path
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.ENXIO, "not a regular file")
        return stream.read(SIZE_LIMIT + 1) if status.st_size > SIZE_LIMIT else stream.readall()
