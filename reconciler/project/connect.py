"""Open a connection to an environment, over the network or to its embedded emulator."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.config.settings import Auth, Environment
from reconciler.errors import ReconcilerError, SecretMissing, Unreachable, UsageError
from reconciler.manifests.files import AllowedPaths
from reconciler.model.secret import Secret, SecretReference
from reconciler.project import Settings
from reconciler.project.files import own_folder
from reconciler.remote.auth import ClientCredentials, Credentials, PasswordGrant
from reconciler.remote.hosts import ALLOWED_HOSTS_VARIABLE, Origin, allowed_origin, require_allowed
from reconciler.secrets import Resolve, hint_on_missing, value_of

if TYPE_CHECKING:
    import httpx

    from reconciler.remote.client import Client, ReadClient, WriteClient
    from reconciler.remote.exchange import Connection


@contextmanager
def emulator_errors() -> Iterator[None]:
    """Convert the errors of the emulator, which does not import `reconciler.errors`.

    Raises:
        UsageError: a fault specification is invalid.
        ReconcilerError: a library is missing, or the seed or the state cannot be used.
    """
    from reconciler.emulator import EmulatorError, FaultSpecError  # noqa: PLC0415  # only asked for with an emulator

    try:
        yield
    except ModuleNotFoundError as error:
        message = f"the emulator needs {error.name}, which is not installed"
        raise ReconcilerError(message, hint="pip install 'ordercloud-reconciler[emulator]'") from error
    except FaultSpecError as error:
        raise UsageError(str(error), hint="docs/emulator.md describes --fault") from error
    except EmulatorError as error:
        raise ReconcilerError(str(error)) from error


def reader(settings: Settings, environment: Environment, root: Path) -> "AbstractContextManager[ReadClient]":
    """Open a connection that cannot write. Paths of credential files are relative to `root`."""
    from reconciler.remote.client import open_reader  # noqa: PLC0415  # only what contacts a service needs its library

    return _opened(settings, environment, root, open_reader, can_write=False)


def writer(settings: Settings, environment: Environment, root: Path) -> "AbstractContextManager[WriteClient]":
    """Open a connection that can write; arguments as of `reader`."""
    from reconciler.remote.client import open_writer  # noqa: PLC0415  # only what contacts a service needs its library

    return _opened(settings, environment, root, open_writer, can_write=True)


@contextmanager
def _opened(
    settings: Settings, environment: Environment, root: Path, open_client: "Callable[..., Client]", *, can_write: bool
) -> "Iterator[Client]":
    """Open a connection and report it to the listener; add the base URL to the hint of `Unreachable`."""
    connection = _connection(settings, environment, root)
    try:
        with _transport(environment) as transport, open_client(connection, transport=transport) as remote:
            settings.listener.connected(environment.name, can_write=can_write)
            try:
                yield remote
            finally:
                settings.listener.disconnected(environment.name, remote.stats)
    except Unreachable as error:
        where = f"the base URL of environment {environment.name} is {environment.base_url}"
        error.hint = "; ".join(filter(None, [where, error.hint]))
        raise


def _connection(settings: Settings, environment: Environment, root: Path) -> "Connection":
    from reconciler.remote.exchange import Connection  # noqa: PLC0415  # only what contacts a service needs its library

    allowed = allowed_hosts(settings)
    require_allowed(environment.base_url, allowed)  # before the credentials are read
    return Connection(
        environment.base_url,
        _credentials(settings, environment, root),
        scope=environment.auth.scope if environment.auth else "",
        concurrency=environment.concurrency,
        allowed_hosts=allowed,
        environment=environment.name,
    )


def allowed_hosts(settings: Settings) -> frozenset[Origin]:
    """The hosts to which credentials may be sent, from `--allow-host` and `RECONCILER_ALLOWED_HOSTS`.

    Raises:
        UsageError: an entry is not a host.
    """
    listed = settings.variables.get(ALLOWED_HOSTS_VARIABLE, "").split(",")
    entries = [("--allow-host", one) for one in settings.allowed_hosts]
    entries += [(ALLOWED_HOSTS_VARIABLE, one.strip()) for one in listed if one.strip()]
    allowed = set[Origin]()
    for source, entry in entries:
        try:
            allowed.add(allowed_origin(entry))
        except ValueError as error:
            raise UsageError(f"{source}: {entry!r} is not a host", hint=str(error)) from None
    return frozenset(allowed)


def _credentials(settings: Settings, environment: Environment, root: Path) -> Credentials:
    """Read the credentials. An embedded emulator has its own client."""
    auth = environment.auth
    if auth is None:
        from reconciler.emulator import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET  # noqa: PLC0415  # only for emulators

        return ClientCredentials(ADMIN_CLIENT_ID, Secret(ADMIN_CLIENT_SECRET))
    values = _resolved(
        environment.name, auth, partial(value_of, allowed_paths=AllowedPaths(root), variables=settings.variables)
    )
    client_id, secret = values["clientId"].reveal(), values.get("clientSecret")
    if "username" not in values:
        return ClientCredentials(client_id, secret)
    return PasswordGrant(client_id, values["username"].reveal(), values["password"], secret)


def named_credentials(auth: Auth) -> Mapping[str, SecretReference | str]:
    """The entries of ``auth`` by key. A client id or username may be a literal."""
    named = {
        "clientId": auth.client_id,
        "clientSecret": auth.client_secret,
        "username": auth.username,
        "password": auth.password,
    }
    return {key: value for key, value in named.items() if value is not None}


def _resolved(environment: str, auth: Auth, resolve: Resolve) -> Mapping[str, Secret]:
    """Resolve the entries of `auth`. Client id and username are treated as secrets, too.

    Raises:
        ReconcilerError: values are missing on this machine; lists all of them.
    """
    values, missing = {}, []
    for key, value in named_credentials(auth).items():
        try:
            values[key] = Secret(value) if isinstance(value, str) else resolve(value)
        except SecretMissing as error:
            missing.append(f"auth.{key}: {error.message}")
    if missing:
        message = f"environment {environment} is missing credentials: {'; '.join(missing)}"
        raise ReconcilerError(message, hint=hint_on_missing(len(missing)))
    return values


@contextmanager
def _transport(environment: Environment) -> Iterator["httpx.BaseTransport | None"]:
    """The transport to the embedded emulator, if there is one; saves its state at the end."""
    if environment.emulator is None:
        yield None
        return
    if environment.emulator.state:
        own_folder(environment.emulator.state)
    import httpx  # noqa: PLC0415  # only for environments that embed it

    from reconciler import emulator  # noqa: PLC0415

    chosen = emulator.Settings(environment.emulator.seed, environment.emulator.state, environment.emulator.profile)
    if environment.marketplace:  # which it answers with, so that several are distinct
        chosen = replace(chosen, marketplace=environment.marketplace)
    with emulator_errors():
        stand_in = emulator.Emulator(chosen)
    try:
        yield httpx.WSGITransport(app=stand_in)
    finally:
        stand_in.close()
