"""An environment -> a logged-in connection to it: over the network, or to the emulator that it embeds."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli.options import Common, common_of_this_run
from reconciler.cli.runlog import added, requests_told, tell_totals
from reconciler.config import Auth, EmulatorSettings, Environment
from reconciler.errors import ReconcilerError, SecretMissing, Unreachable, UsageError
from reconciler.manifests.allowed_paths import Confines
from reconciler.model.secret import Secret
from reconciler.project.embedded import emulator_errors
from reconciler.project.files import own_folder
from reconciler.remote.auth import ClientCredentials, Credentials, PasswordGrant
from reconciler.remote.hosts import ALLOWED_HOSTS_VARIABLE, Origin, allowed_origin, demand_allowed
from reconciler.remote.http import Client, Connection, ReadClient, WriteClient, open_reader, open_writer
from reconciler.remote.meter import Stats
from reconciler.secrets.resolve import value_of

if TYPE_CHECKING:
    import httpx

    from reconciler.emulator import Settings


def reader(environment: Environment, root: Path) -> AbstractContextManager[ReadClient]:
    """Open a connection that cannot write. `root` is the folder that files with credentials are relative to."""
    return _opened(environment, root, open_reader, sign_of_life=True)


def writer(environment: Environment, root: Path) -> AbstractContextManager[WriteClient]:
    """Open a connection that also writes; for the rest see `reader`."""
    return _opened(environment, root, open_writer, sign_of_life=False)


@contextmanager
def _opened(
    environment: Environment, root: Path, open_client: Callable[..., Client], *, sign_of_life: bool
) -> Iterator[Client]:
    connection = _connection(environment, root)
    with (
        _named(environment),
        _transport(environment) as transport,
        open_client(connection, transport=transport) as remote,
        _counted(environment, remote, sign_of_life=sign_of_life),
    ):
        yield remote


@contextmanager
def _counted(environment: Environment, remote: ReadClient, *, sign_of_life: bool) -> Iterator[None]:
    """Keep what the connection has cost; tell of each request and of the totals where the user wants to know."""
    common = common_of_this_run()
    wanted = common.verbose and not common.quiet
    try:
        with requests_told(wanted=wanted, sign_of_life=sign_of_life and not common.quiet):
            yield
    finally:
        common.stats[environment.name] = added(common.stats.get(environment.name, Stats()), remote.stats)
        if wanted:
            tell_totals(remote.stats)


@contextmanager
def _named(environment: Environment) -> Iterator[None]:
    """Have an error about a service that nobody reached say which service was meant."""
    try:
        yield
    except Unreachable as error:
        where = f"the base URL of environment {environment.name} is {environment.base_url}"
        error.hint = "; ".join(filter(None, [where, error.hint]))
        raise


def _connection(environment: Environment, root: Path) -> Connection:
    allowed = allowed_hosts(common_of_this_run())
    demand_allowed(environment.base_url, allowed)  # before the credentials are read
    return Connection(
        environment.base_url,
        _credentials(environment, root),
        scope=environment.auth.scope if environment.auth else "",
        concurrency=environment.concurrency,
        allowed_hosts=allowed,
    )


def allowed_hosts(common: Common) -> frozenset[Origin]:
    """Where the user allows credentials to be sent: by the option, and by the variable.

    Raises:
        UsageError: an entry cannot be read.
    """
    listed = os.environ.get(ALLOWED_HOSTS_VARIABLE, "").split(",")
    entries = [("--allow-host", one) for one in common.allow_hosts]
    entries += [(ALLOWED_HOSTS_VARIABLE, one.strip()) for one in listed if one.strip()]
    return frozenset(_allowed(source, entry) for source, entry in entries)


def _allowed(source: str, entry: str) -> Origin:
    try:
        return allowed_origin(entry)
    except ValueError as error:
        raise UsageError(f"{source} has {entry!r}, which names no host", hint=str(error)) from None


def _credentials(environment: Environment, root: Path) -> Credentials:
    """Read the credentials; an embedded emulator has a client of its own for us."""
    auth = environment.auth
    if auth is None:
        from reconciler.emulator import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET  # noqa: PLC0415  # only for emulators

        return ClientCredentials(ADMIN_CLIENT_ID, Secret(ADMIN_CLIENT_SECRET))
    given = _given(environment.name, auth, Confines(root))
    client_id, secret = given["clientId"].reveal(), given.get("clientSecret")
    if "username" not in given:
        return ClientCredentials(client_id, secret)
    return PasswordGrant(client_id, given["username"].reveal(), given["password"], secret)


def _given(environment: str, auth: Auth, confines: Confines) -> Mapping[str, Secret]:
    """What there is of ``auth``, by the keys of the configuration. A name that is no secret is handled as one.

    Raises:
        ReconcilerError: with all that is missing on this machine.
    """
    keys = {
        "clientId": auth.client_id,
        "clientSecret": auth.client_secret,
        "username": auth.username,
        "password": auth.password,
    }
    given, missing = {}, []
    for key, value in keys.items():
        if value is None:
            continue
        try:
            given[key] = Secret(value) if isinstance(value, str) else value_of(value, confines)
        except SecretMissing as error:
            missing.append(f"auth.{key}: {error.message}")
    if missing:
        hint = "set it where this runs; in CI, hand it to the very step"
        raise ReconcilerError(f"environment {environment} lacks credentials: {'; '.join(missing)}", hint=hint)
    return given


@contextmanager
def _transport(environment: Environment) -> Iterator["httpx.BaseTransport | None"]:
    """Start the embedded emulator, where there is one, and write its data back at the end."""
    if environment.emulator is None:
        yield None
        return
    if environment.emulator.state:
        own_folder(environment.emulator.state)
    import httpx  # noqa: PLC0415  # only for environments that embed it

    from reconciler import emulator  # noqa: PLC0415

    with emulator_errors():
        stand_in = emulator.Emulator(_settings(environment.emulator, environment.marketplace))
    try:
        yield httpx.WSGITransport(app=stand_in)
    finally:
        stand_in.close()


def _settings(configured: EmulatorSettings, marketplace: str | None) -> "Settings":
    """An embedded emulator is the marketplace that its environment names, so that several can be told apart."""
    from reconciler import emulator  # noqa: PLC0415  # only for environments that embed it

    settings = emulator.Settings(configured.seed, configured.state, configured.profile)
    return replace(settings, marketplace=marketplace) if marketplace else settings
