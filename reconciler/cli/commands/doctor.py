"""Global options -> every check of one environment or of several, what it found, and how to fix it. Writes nothing."""

from functools import partial
from typing import TYPE_CHECKING

import click

from reconciler.cli.documents import key
from reconciler.cli.exit import ExitCode
from reconciler.cli.options import Common, reading_options
from reconciler.cli.outputs import Outputs, outputs_option
from reconciler.cli.several import show
from reconciler.live import check_marketplace
from reconciler.manifests.files import AllowedPaths
from reconciler.manifests.yaml import shown
from reconciler.model.resource import FieldsPolicy
from reconciler.model.secret import SecretReference
from reconciler.project import connect
from reconciler.project.doctor import Subject, Tools, examine
from reconciler.project.environment import chosen_environment, configuration
from reconciler.remote.network import Network, reach
from reconciler.remote.wire import checked
from reconciler.render.reports import DIAGNOSES
from reconciler.secrets import value_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from reconciler.config import Auth, Config, Environment
    from reconciler.model.reports import Diagnosis
    from reconciler.model.resource import DesiredResource
    from reconciler.project import Settings


@click.command(
    "doctor",
    epilog="""
\b
Examples:
  reconciler doctor --env staging
  reconciler doctor --env-all
  reconciler doctor --env production --format json | jq '.checks[] | select(.status == "failed")'

Exit codes: 0 no check failed, warnings or not; 1 a check failed, or the configuration cannot be used.
""",
)
@outputs_option("doctor", list(DIAGNOSES))
@reading_options
@click.pass_obj
def command(common: Common, *, outputs: Outputs) -> ExitCode:
    """Check all that plan and apply need: configuration, credentials, network, clock, roles, marketplace.

    No manifests are needed, and nothing is written. A check that depends on a failed one is skipped.
    """
    return show(common, outputs, _diagnosis, DIAGNOSES, _code)


def _code(diagnosis: "Diagnosis") -> ExitCode:
    return ExitCode.DONE if diagnosis.is_healthy else ExitCode.ERROR


def _diagnosis(settings: "Settings") -> "Diagnosis":
    config = configuration(settings)
    environment = chosen_environment(config, settings)
    return examine(_subject(settings, config, environment), _tools(settings, environment, config.path.parent))


def _subject(settings: "Settings", config: "Config", environment: "Environment") -> Subject:
    resources = _resources(settings, config, environment)
    return Subject(
        shown(config.path),
        environment.name,
        environment.base_url,
        environment.concurrency,
        environment.marketplace,
        is_embedded=environment.emulator is not None,
        credentials=_references(environment.auth) if environment.auth else {},
        kinds=_kinds(resources, environment),
        unnamed=tuple(_unnamed(resources)),
        has_plan_key=key() is not None,
        unwatched=tuple(_unwatched(environment)),
    )


def _resources(settings: "Settings", config: "Config", environment: "Environment") -> "Sequence[DesiredResource]":
    """What manifests ask for, as far as they are sound."""
    from reconciler.manifests.load import inspect  # noqa: PLC0415  # see main
    from reconciler.project.environment import load_context  # noqa: PLC0415

    context = load_context(config, environment, allow_unknown_roles=True, once=settings.once)
    return inspect(config.manifests, context).resources


def _unnamed(found: "Sequence[DesiredResource]") -> "Iterator[str]":
    from reconciler.planning.guards.every_kind import unnamed_secrets  # noqa: PLC0415  # see main

    for one in sorted(found, key=lambda resource: resource.address):
        yield from (f"{one.address}: {path}" for path in unnamed_secrets(one))


def _kinds(found: "Sequence[DesiredResource]", environment: "Environment") -> "Mapping[str, bool]":
    """The kinds in use -> whether assignments are."""
    from reconciler.kinds import DEFAULT_KIND  # noqa: PLC0415

    kinds = environment.manages | {one.address.kind for one in found} or {DEFAULT_KIND}
    assigned = {one.address.kind for one in found if one.assignments}
    return {name: name in assigned for name in kinds}


def _unwatched(environment: "Environment") -> "Iterator[str]":
    if environment.defaults.fields is FieldsPolicy.MERGE:
        yield "fields that a manifest does not name"
    if not environment.unmanaged_is_drift:
        yield "objects in no manifest"


def _references(auth: "Auth") -> "Mapping[str, SecretReference]":
    """Only what is to be looked up: a name that stands in the configuration itself is there."""
    named = {
        "clientId": auth.client_id,
        "clientSecret": auth.client_secret,
        "username": auth.username,
        "password": auth.password,
    }
    return {name: value for name, value in named.items() if isinstance(value, SecretReference)}


def _tools(settings: "Settings", environment: "Environment", root: "Path") -> Tools:
    return Tools(
        resolve=partial(value_of, allowed_paths=AllowedPaths(root), variables=settings.variables),
        require_allowed=partial(checked, allowed_hosts=connect.allowed_hosts(settings)),
        reach=partial(reach, network=Network()),
        open=partial(connect.reader, settings, environment, root),
        identify=partial(check_marketplace, environment=environment.name, marketplace=environment.marketplace),
    )
