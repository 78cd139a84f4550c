"""The data of reconciler.yaml -> Config, or what is wrong with it. The home of pydantic beside the kinds."""

import ipaddress
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from reconciler.config.freeze import window
from reconciler.config.settings import BASE_URLS, EMULATOR_URL, Auth, Config, EmulatorSettings, Environment, Profile
from reconciler.model.freeze import Window
from reconciler.model.json import Json, pointer
from reconciler.model.plan import Limits
from reconciler.model.secret import PLAN_KEY_VARIABLE, SecretReference, SecretSource
from reconciler.rules import Level
from reconciler.validator import Fault, secret_reference, validator

SCHEMA: Final = "config.v1.schema.json"
JOURNAL_FOLDER: Final = ".reconciler/runs"
_EXAMPLE: Final = "write it like https://useast-production.ordercloud.io"
SECRET_POSITIONS: Final = frozenset({"clientSecret", "password"})


def structure_faults(data: Json) -> list[Fault]:
    """Find what does not fit the schema, and secrets that stand in clear. No message quotes one."""
    if not isinstance(data, Mapping) or data.get("kind") != "Config":
        return [Fault("", "this is no configuration: it starts with apiVersion: reconciler/v1, kind: Config", "kind")]
    secrets = list(_secrets_in_clear(data))
    places = {fault.pointer for fault in secrets}
    return secrets + [
        fault
        for fault in validator(SCHEMA).faults(data)
        if not any(fault.pointer == place or fault.pointer.startswith(f"{place}/") for place in places)
    ]


def _secrets_in_clear(data: Mapping[str, Json]) -> Iterator[Fault]:
    environments = data.get("environments")
    for name, environment in environments.items() if isinstance(environments, Mapping) else ():
        auth = environment.get("auth") if isinstance(environment, Mapping) else None
        for key in sorted(SECRET_POSITIONS):
            if isinstance(auth, Mapping) and key in auth:
                reference = secret_reference(auth[key], key, pointer("environments", name, "auth", key))
                if isinstance(reference, Fault):
                    yield reference


def config_of(data: Json, path: Path) -> Config | list[Fault]:
    """Build the configuration from data that fits the schema; `path` is the file's, absolute."""
    try:
        file = _ConfigFile.model_validate(data)
    except ValidationError as error:
        return list(_faults_of(error))
    folder = path.parent
    own = file.own_credentials
    environments = {name: each.settings(name, folder, file.rules, own) for name, each in file.environments.items()}
    manifests = tuple(_below(folder, each) for each in file.manifests)
    return Config(path, manifests, environments, journal=_below(folder, file.journal.folder))


# -- pydantic's errors carry faults -----------------------------------------------------------------------------------


def _refuse(*faults: Fault) -> NoReturn:
    """Refuse a part of the file; the faults' pointers are relative to it."""
    raise PydanticCustomError("faults", "see the faults", {"faults": faults})


def _faults_of(error: ValidationError) -> Iterator[Fault]:
    for each in error.errors(include_url=False, include_input=False):
        at = pointer(*each["loc"])
        faults = each.get("ctx", {}).get("faults") or [Fault("", each["msg"], "configuration")]
        yield from (fault.moved("", at) for fault in faults)


# -- the parts of the file, from the small to the whole ---------------------------------------------------------------


def _reference(value: Json) -> Json | SecretReference:
    """Turn a reference into one; a plain text, where the schema allows it, stays."""
    if isinstance(value, str):
        return value
    reference = secret_reference(value, "this", "")
    if isinstance(reference, Fault):
        _refuse(reference)
    if reference.source is SecretSource.ENVIRONMENT:
        return reference
    path = os.path.normpath(reference.name)
    if os.path.isabs(path) or path.startswith(".."):  # noqa: PTH117  # a relative path in words, not on a disk
        _refuse(Fault("/fromFile", "fromFile takes a path inside this file's folder, relative to it", "secret"))
    return SecretReference(SecretSource.FILE, Path(path).as_posix())


def _base_url(text: str) -> str:
    """Give scheme and host of a URL that has nothing else."""
    try:
        url = urlsplit(text)
        host, _ = url.hostname or "", url.port
    except ValueError:
        _refuse(Fault("", "this is no URL", "url", _EXAMPLE))
    if not host or url.scheme not in {"https", "http"} or not text.isascii() or not text.isprintable() or " " in text:
        _refuse(Fault("", "this is no https:// URL", "url", _EXAMPLE))
    netloc = url.netloc.lower()
    scheme = url.scheme if _is_loopback(host) else "https"
    if url.path.strip("/") or "?" in text or "#" in text or "@" in netloc or "\\" in text:
        hint = f"write {scheme}://{netloc.rpartition('@')[2]}"
        _refuse(Fault("", "the URL has more than scheme and host", "url", hint))
    if scheme != url.scheme:
        _refuse(Fault("", "http:// would send credentials in clear", "plain-http", f"write https://{netloc}"))
    return f"{scheme}://{netloc}"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _window(value: Json) -> Window:
    assert isinstance(value, Mapping)  # noqa: S101  # it has passed the schema
    found = window(value)
    if isinstance(found, Window):
        return found
    _refuse(*found)


_Window: TypeAlias = Annotated[InstanceOf[Window], BeforeValidator(_window)]
_Reference: TypeAlias = Annotated[SecretReference, BeforeValidator(_reference)]
_Text: TypeAlias = Annotated[str | SecretReference, BeforeValidator(_reference)]


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class _Emulator(_Part):
    seed: str | None = None
    state: str | None = None
    profile: Profile = "current"

    def settings(self, folder: Path) -> EmulatorSettings:
        seed = _below(folder, self.seed) if self.seed else None
        return EmulatorSettings(seed, _below(folder, self.state) if self.state else None, self.profile)


class _Auth(_Part):
    client_id: _Text
    client_secret: _Reference | None = None
    username: _Text | None = None
    password: _Reference | None = None
    scope: str = ""

    @model_validator(mode="after")
    def _is_one_grant(self) -> Self:
        if self.username is None and self.password is None and self.client_secret is None:
            _refuse(Fault("", "clientSecret is missing, or username and password", "auth"))
        if (self.username is None) != (self.password is None):
            missing = "password" if self.password is None else "username"
            _refuse(Fault("", f"{missing} is missing", "auth", "username and password go together"))
        return self

    @property
    def own_credentials(self) -> frozenset[SecretReference]:
        """Where our own credentials are."""
        named = (self.client_id, self.client_secret, self.username, self.password)
        return frozenset(one for one in named if isinstance(one, SecretReference))

    def settings(self) -> Auth:
        return Auth(self.client_id, self.client_secret, self.username, self.password, self.scope)


class _Secrets(_Part):
    allow: list[str] = []
    folders: list[str] = []


class _Limits(_Part):
    changes: int | None = None
    changes_percent: float | None = None
    deletes: int | None = 0
    widens: int | None = None

    def settings(self) -> Limits:
        return Limits(self.changes, self.changes_percent, self.deletes, self.widens)


class _EnvironmentPart(_Part):
    emulator: _Emulator | None = None
    url: Annotated[str, AfterValidator(_base_url)] | None = None
    region: str | None = None
    stage: str | None = None
    marketplace: str | None = None
    auth: _Auth | None = None
    # "values" would not be wrong as a name, but Any keeps pydantic from copying what is data of the user's own.
    values: Mapping[str, Any] = {}
    secrets: _Secrets = _Secrets()
    ids: dict[str, str] = {}
    limits: _Limits = _Limits()
    concurrency: int = Field(default=8, ge=1, le=64)
    rules: dict[str, Level] = {}
    overlays: list[str] = []
    freeze: list[_Window] = []
    protected: list[str] = []

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        faults = [*self._target_faults(), *self._credential_faults(), *self._id_faults()]
        if faults:
            _refuse(*faults)
        return self

    def _target_faults(self) -> Iterator[Fault]:
        named = [key for key in ("emulator", "url", "region", "stage") if getattr(self, key) is not None]
        if named in (["emulator"], ["url"], ["region", "stage"]):
            return
        hint = "give exactly one of: emulator; url; region and stage"
        if not named:
            yield Fault("", "the environment names no target", "target", hint)
        elif len(named) == 1:
            yield Fault(f"/{named[0]}", "region and stage go together", "target", hint)
        else:
            yield Fault(f"/{named[-1]}", f"the target is named by {' and '.join(named)}", "target", hint)

    def _credential_faults(self) -> Iterator[Fault]:
        if self.emulator is not None:
            if self.auth is not None:
                yield Fault("/auth", "the built-in emulator needs no auth", "auth", "leave it out", at_key=True)
            return
        for key in ("marketplace", "auth"):
            if getattr(self, key) is None:
                yield Fault("", f"{key} is missing", "required", at_key=True)

        own = {one.name for one in self.auth.own_credentials} if self.auth else set()
        yield from self.listed_credentials(own | {PLAN_KEY_VARIABLE})

    def listed_credentials(self, own: Collection[str], at: str = "") -> Iterator[Fault]:
        """Find our own credentials among what manifests may name; `at` is the environment's JSON pointer."""
        for index, name in enumerate(self.secrets.allow):
            if name in own:
                message = f"{name} holds the reconciler's own credentials, which no manifest may use"
                yield Fault(at + pointer("secrets", "allow", index), message, "secret", "remove it from the list")

    def _id_faults(self) -> Iterator[Fault]:
        first: dict[str, str] = {}
        for name, known_id in self.ids.items():
            other = first.setdefault(known_id.casefold(), name)
            if other != name:
                yield Fault(pointer("ids", name), f"{name} has the same id as {other}", "duplicate-id")

    def settings(
        self, name: str, folder: Path, rules: Mapping[str, Level], own: frozenset[SecretReference]
    ) -> Environment:
        return Environment(
            name,
            self.url or BASE_URLS.get((self.region or "", self.stage or ""), EMULATOR_URL),
            self.emulator.settings(folder) if self.emulator else None,
            self.marketplace,
            self.auth.settings() if self.auth else None,
            self.values,
            frozenset(self.secrets.allow),
            tuple(_below(folder, each) for each in self.secrets.folders),
            own,
            self.ids,
            self.limits.settings(),
            self.concurrency,
            {**rules, **self.rules},
            tuple(_below(folder, each) for each in self.overlays),
            tuple(self.freeze),
            tuple(self.protected),
        )


class _Journal(_Part):
    folder: str = JOURNAL_FOLDER


class _ConfigFile(_Part):
    api_version: str
    kind: str
    manifests: list[str]
    environments: dict[str, _EnvironmentPart]
    rules: dict[str, Level] = {}
    journal: _Journal = _Journal()

    @property
    def own_credentials(self) -> frozenset[SecretReference]:
        """What we log in with, anywhere: a job that plans for one environment may hold the credentials of all."""
        found = [each.auth.own_credentials for each in self.environments.values() if each.auth]
        key = SecretReference(SecretSource.ENVIRONMENT, PLAN_KEY_VARIABLE)
        return frozenset({key}).union(*found)

    @model_validator(mode="after")
    def _own_credentials_are_not_allowed(self) -> Self:
        own = {one.name for one in self.own_credentials}
        faults = [
            fault
            for environment, each in self.environments.items()
            for fault in each.listed_credentials(own, pointer("environments", environment))
        ]
        if faults:
            _refuse(*faults)
        return self

    @model_validator(mode="after")
    def _overlays_hold_no_manifests(self) -> Self:
        manifests = [(each, _below(Path(), each)) for each in self.manifests]
        faults = [
            Fault(pointer("environments", name, "overlays", index), f"{path} holds the manifests of {held}", "overlay")
            for name, environment in self.environments.items()
            for index, path in enumerate(environment.overlays)
            for held in [given for given, folder in manifests if folder.is_relative_to(_below(Path(), path))][:1]
        ]
        if faults:
            _refuse(*faults)
        return self


def _below(folder: Path, path: str) -> Path:
    """Give a path of the file as an absolute one."""
    return Path(os.path.normpath(folder / path))
