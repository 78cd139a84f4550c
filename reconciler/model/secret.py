"""A secret: its value, which can only be sent; its reference in manifests; and its deliveries.

The value leaves this type only by `reveal`, which is called when a request is written or a delivery is made.
"""

import hashlib
import hmac
import re
import shlex
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NoReturn, TypeAlias

from reconciler.model.dataclass import dataclass
from reconciler.model.json import Json

DEFAULT_TIMEOUT: Final = 60
"""Seconds that a command may take."""


@dataclass(frozen=True, slots=True)
class ToFile:
    """A file that contains only the value."""

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
    """A variable in a file of ``NAME=value`` lines, the others of which are unchanged."""

    path: str
    variable: str

    def __str__(self) -> str:
        return f"variable {self.variable} in {self.path}"


@dataclass(frozen=True, slots=True)
class ToGithubOutput:
    """An output of the current step of a GitHub Actions job."""

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
    """Read one entry of ``deliver`` that fits the schema. `keep` converts a path from the entry to the one to store."""
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
            raise ValueError(f"not a delivery: {', '.join(entry)}")


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


REDACTED: Final = "(secret)"

_MARK_LENGTH: Final = 16
_UNGUESSABLE: Final = 40
"""Characters of a random value that cannot be guessed."""

PLAN_KEY_VARIABLE: Final = "RECONCILER_PLAN_KEY"
"""The environment variable with the key that signs plans and keys the fingerprints of secrets in them."""
_OWN_PREFIX: Final = "RECONCILER_"
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Zl", "Zp"})
"""Unicode categories of controls, formats (the byte order mark is one) and separators of lines."""
_ENCODING: Final = ("utf-8", "surrogatepass")
"""The encoding for comparisons: a service may show an unpaired surrogate, which other encodings refuse."""

REDACTION: Final = "<Redacted. Leave unchanged.>"
"""The placeholder of a secret in exports of Sitecore's tools. If sent, it would become the secret."""

HIDDEN: Final = "[hidden]"
"""Matches placeholders of hidden secrets; see `Secret.is_mask`."""

_MASK: Final = re.compile(
    r"""[*\u2022\u25cf\u2217\u00b7\u2588]{3}                          # a run of asterisks, bullets or blocks, anywhere
    | \A\s*(?:x{3,}|X{3,}|\#{3,}|-{3,}|_{3,}|\.{3,}|\u2026)\s*\Z      # only one of these
    | \A\W*(?:redacted|masked|hidden|filtered|omitted|obfuscated)\W*\Z  # a word for a mask
    | \A\s*[<\[({]\W*(?:secret|value|password|protected|removed|sensitive|not\ shown)(?:\W+\w+)?\W*[>\])}]\s*\Z
    """,
    re.VERBOSE | re.IGNORECASE,
)


def is_own_variable(name: str) -> bool:
    """Whether the tool uses an environment variable for itself; Windows ignores their case."""
    return name.upper().startswith(_OWN_PREFIX)


def unsendable(value: str) -> str:
    """Why a text cannot be sent as a secret, without quoting it; empty: it can."""
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        return "is not UTF-8 text"
    if "\n" in value or "\r" in value:
        return "has several lines"
    if any(unicodedata.category(letter) in _INVISIBLE for letter in value):
        return "has a control character or another invisible one"
    return ""


class Secret:
    """A value that cannot be printed, formatted, compared by ``==``, pickled, copied into JSON or logged.

    It is stored in a closure, so that code that walks over attributes (a debugger, a traceback with locals, an error
    reporter) finds only a function.
    """

    __slots__ = ("__open",)

    def __init__(self, value: str) -> None:
        def opened() -> str:
            return value

        self.__open = opened

    def __init_subclass__(cls) -> NoReturn:
        raise TypeError("Secret cannot be subclassed: a subclass could be printed")

    def reveal(self) -> str:
        """The value as text. Only code that writes a request body or a delivery may call this."""
        return self.__open()

    def fingerprint(self, key: bytes, about: str) -> str:
        """HMAC-SHA-256 in hexadecimal: only the holder of the key can recognise an equal value.

        `about` identifies the owner, so that two resources with the same secret have different fingerprints.
        """
        return hmac.new(key, f"{about}\n{self.__open()}".encode(*_ENCODING), hashlib.sha256).hexdigest()

    def mark(self, about: str) -> str:
        """Sixteen hexadecimal digits by which the holder of the value recognises it; empty if it could be guessed.

        Only for values that a service generates at random: OrderCloud's are 256 random bytes.
        """
        value = self.__open()
        return self.fingerprint(b"", about)[:_MARK_LENGTH] if len(value) >= _UNGUESSABLE else ""

    def equals(self, other: "Secret") -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(self.__open().encode(*_ENCODING), other.reveal().encode(*_ENCODING))

    @property
    def is_redaction(self) -> bool:
        """Whether it is the placeholder of an export instead of a secret."""
        return self.__open().strip() == REDACTION

    @property
    def is_mask(self) -> bool:
        """Whether it is a mask of a service or a log instead of a secret: ``****``, ``[REDACTED]``."""
        return bool(_MASK.search(self.__open())) and not self.is_redaction

    @property
    def is_placeholder(self) -> bool:
        """Whether it is any placeholder instead of a secret. If sent, it would become the secret."""
        return self.is_redaction or self.is_mask

    def __repr__(self) -> str:
        return REDACTED

    def __format__(self, spec: str) -> str:
        return format(REDACTED, spec)

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("secrets are compared by equals(), in constant time")

    __hash__ = None  # type: ignore[assignment]  # a hash could be printed, and would key a dict that is

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled or copied")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled or copied")


class SecretSource(StrEnum):
    """The source of a secret in a manifest."""

    ENVIRONMENT = "fromEnv"
    FILE = "fromFile"
    GENERATED = "generate"


@dataclass(frozen=True, slots=True)
class SecretReference:
    """``{fromEnv: NAME}``, ``{fromFile: PATH}`` or ``{generate: true}``: the intent to set a secret, not its value."""

    source: SecretSource
    name: str = ""
    """Of the variable, or of the file: relative to the folder of the configuration, or absolute. Generated: empty."""
    deliver: tuple[Delivery, ...] = ()
    """The deliveries of a generated secret, which cannot be read afterwards."""

    @property
    def is_generated(self) -> bool:
        """Whether the value is generated, if the live object has none."""
        return self.source is SecretSource.GENERATED

    def __str__(self) -> str:
        return f"{{{self.source}: {'true' if self.is_generated else self.name}}}"


def reference_entry(reference: SecretReference | None) -> Json:
    """Write a reference: `reference_of` reads it."""
    if reference is None or not reference.is_generated:
        return {reference.source.value: reference.name} if reference else None
    return {reference.source.value: True, "deliver": [delivery_entry(delivery) for delivery in reference.deliver]}


def reference_of(document: Mapping[str, Any] | None) -> SecretReference | None:
    """Read what `reference_entry` wrote."""
    entries: Sequence[Mapping[str, Any]] = document.get("deliver", ()) if document else ()
    match document:
        case {"generate": True}:
            return SecretReference(SecretSource.GENERATED, deliver=tuple(map(delivery_of, entries)))
        case {"fromEnv": name}:
            return SecretReference(SecretSource.ENVIRONMENT, name)
        case {"fromFile": name}:
            return SecretReference(SecretSource.FILE, name)
        case _:
            return None
