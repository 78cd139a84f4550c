"""Where a new secret is put: what a manifest says below ``deliver``, without doing it."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from reconciler.model.json import Json

DEFAULT_TIMEOUT: Final = 60
"""Seconds that a command may take."""


@dataclass(frozen=True, slots=True)
class ToFile:
    """A file that holds the value and nothing else."""

    path: str

    def __str__(self) -> str:
        return f"file {self.path}"


@dataclass(frozen=True, slots=True)
class ToCommand:
    """The standard input of a program, which is started without a shell."""

    argv: tuple[str, ...]
    timeout: int = DEFAULT_TIMEOUT
    """Seconds."""

    def __str__(self) -> str:
        return f"command {shlex.join(self.argv)}"


@dataclass(frozen=True, slots=True)
class ToEnvFile:
    """A variable in a file of ``NAME=value`` lines, the others of which stay as they are."""

    path: str
    variable: str

    def __str__(self) -> str:
        return f"variable {self.variable} in {self.path}"


@dataclass(frozen=True, slots=True)
class ToGithubOutput:
    """An output of the present step of a GitHub Actions job."""

    name: str

    def __str__(self) -> str:
        return f"GitHub Actions output {self.name}"


@dataclass(frozen=True, slots=True)
class ToKubernetesSecret:
    """A Kubernetes manifest of a Secret, in a file for sealing tools."""

    path: str
    name: str
    key: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"Kubernetes Secret {self.namespace + '/' if self.namespace else ''}{self.name} in {self.path}"


InFile: TypeAlias = ToFile | ToEnvFile | ToKubernetesSecret
"""Those that are read back from a file on this machine."""
Delivery: TypeAlias = InFile | ToCommand | ToGithubOutput


def delivery_of(entry: Mapping[str, Any], keep: Callable[[str], str] = str) -> Delivery:
    """Read one entry of ``deliver`` that fits the schema. `keep` gives the path to keep for one that is written."""
    match entry:
        case {"file": path}:
            return ToFile(keep(path))
        case {"command": argv}:
            return ToCommand(tuple(argv), int(entry.get("timeout", DEFAULT_TIMEOUT)))
        case {"envFile": path, "variable": variable}:
            return ToEnvFile(keep(path), variable)
        case {"githubOutput": name}:
            return ToGithubOutput(name)
        case {"kubernetesSecret": wanted}:
            return ToKubernetesSecret(keep(wanted["file"]), wanted["name"], wanted["key"], wanted.get("namespace", ""))
        case _:
            raise ValueError(f"no delivery: {', '.join(entry)}")


def delivery_entry(delivery: Delivery) -> dict[str, Json]:
    """Write one entry of ``deliver``: `delivery_of` reads it."""
    match delivery:
        case ToFile(path):
            return {"file": path}
        case ToCommand(argv, timeout):
            return {"command": list(argv), "timeout": timeout}
        case ToEnvFile(path, variable):
            return {"envFile": path, "variable": variable}
        case ToGithubOutput(name):
            return {"githubOutput": name}
        case ToKubernetesSecret(path, name, key, namespace):
            place = {"namespace": namespace} if namespace else {}
            return {"kubernetesSecret": {"file": path, "name": name, "key": key, **place}}
