"""Services -> manifests of all that is live, one file for each, or overlays. Services are only read."""

from dataclasses import replace
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Final

import click

from reconciler import pipeline
from reconciler.cli import completing
from reconciler.cli.exit import ExitCode, of_writing
from reconciler.cli.options import Common, file_name, reading_options, text, unknown_roles_option
from reconciler.cli.outputs import Outputs, outputs_option
from reconciler.cli.selecting import like_this_command
from reconciler.cli.several import each, show, show_parts
from reconciler.errors import ReconcilerError, UsageError
from reconciler.export import Choice
from reconciler.kinds import KINDS, LOGIN_KIND
from reconciler.manifests.schema import did_you_mean
from reconciler.model.dataclass import dataclass
from reconciler.model.reports import LeftOut
from reconciler.planning.comparison import Target
from reconciler.project import connect
from reconciler.project.environment import chosen_environment, configuration
from reconciler.project.export import MAKINGS, Found, Workplace, difference, written_once
from reconciler.render.escape import escape
from reconciler.render.reports import EXPORTS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from reconciler.config import Config, Environment
    from reconciler.model.resource import LiveState
    from reconciler.project import Settings
    from reconciler.project.export import Making


class Kinds(click.ParamType):  # type: ignore[type-arg]  # it takes a type only since click 8.4
    """Names of kinds, separated by commas; the empty set is all of them."""

    name = "kinds"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[str]:
        """Read them, and refuse what is no kind."""
        names = frozenset(one.strip() for one in value.split(","))
        for name in sorted(names - {*KINDS, "all"}):
            hint = did_you_mean(name, KINDS) or f"kinds are: all, {', '.join(KINDS)}"
            self.fail(f"unknown kind {escape(name)}; {hint}", param, ctx)
        return frozenset() if "all" in names else names


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be exported, and where to."""

    out: Path | None = None
    only: tuple[str, ...] = ()
    into_overlay: bool = False
    with_own_client: bool = False
    with_secrets: bool = False
    """Whether comments tell which named secrets there are."""
    kinds: frozenset[str] = frozenset()
    """Empty: those in use."""
    with_all_kinds: bool = False
    """Whether kinds that the service does not have are left out."""


_EVERYTHING: Final = Wish()


@click.command(
    "export",
    epilog="""
\b
Examples:
  reconciler export --env staging                   # shows what would be written, writes nothing
  reconciler export --env staging --write
  reconciler export --env staging --out /tmp/look --write
  reconciler export --kinds all --write             # every kind that this service has
  reconciler export --kinds Webhook,SecurityProfile --write
  reconciler export --only 'ApiClient/store*' --write
  reconciler export --into-overlay production --write   # what differs there, as its overlays; several times

One file for each object, named after it. An object that another one refers to by its ID is named there as {ref: NAME}.
Left out are what equals the API's default, what the service makes itself, and secrets. An export over manifests that
are there already changes only what is live otherwise, and keeps comments, anchors and ${values.KEY}; it never removes a
file. IDs that people choose are in the manifests; those of API clients go under ids: of the environment in
reconciler.yaml, so that a rename is an update; not where --out names a folder that is not of the configuration. The
client that the run is logged in with gets no manifest of its own without --own-client. All environments share the
manifests: --write for several of them at once is refused where they differ.

Exit codes: 0 done, also when there was nothing to write; 1 an error, nothing was written; 5 the overlays of some
environments were written, and there was an error in another.
""",
)
@click.option("--out", type=file_name, metavar="DIR", help="Where new files go; else the first folder of manifests.")
@click.option("--only", multiple=True, type=text, metavar="ADDRESS-GLOB", help="Only these addresses; repeatable.")
@click.option(
    "--into-overlay",
    "overlaid",
    multiple=True,
    type=text,
    metavar="ENV",
    shell_complete=completing.environments,
    help="Write what differs in this environment into its overlays, and leave the manifests alone; several times.",
)
@click.option(
    "--kinds",
    type=Kinds(),
    metavar="KIND,...|all",
    help="The kinds to export; else those that manifests name or that manage: lists, else API clients.",
)
@click.option("--own-client", is_flag=True, help="Also export the client that the run is logged in with.")
@click.option("--named-secrets", is_flag=True, help="Name the secrets of clients in comments: a request for each.")
@click.option("--write", is_flag=True, help="Write the files; without it they are only shown.")
@outputs_option("export", list(EXPORTS))
@unknown_roles_option
@reading_options
@click.pass_obj
def command(  # noqa: PLR0913  # one for each option
    common: Common,
    *,
    out: Path | None,
    only: tuple[str, ...],
    overlaid: tuple[str, ...],
    kinds: frozenset[str] | None,
    own_client: bool,
    named_secrets: bool,
    write: bool,
    outputs: Outputs,
    allow_unknown_roles: bool,
) -> ExitCode:
    """Make manifests of the objects that are live. Right after it, plan finds no changes.

    The service is only read.
    """
    mean_overlays(common, overlaid)
    every = kinds is not None and not kinds
    of_kinds = frozenset(KINDS) if every else kinds or frozenset()
    wish = Wish(out, only, bool(overlaid), own_client, named_secrets, of_kinds, every)
    written: list[str] = []

    def work_out(each: "Settings") -> "Making":
        config = configuration(each)
        return made(each, config, chosen_environment(config, each), wish, allow_unknown_roles=allow_unknown_roles)

    def find(each: "Settings") -> "Making":
        done = work_out(each).write()
        written.extend([str(each.environment)] if done.export.has_changes else [])
        return done

    if write and common.is_of_several and not overlaid:
        return _write_shared(common, outputs, work_out)
    code = show(common, outputs, find if write else work_out, MAKINGS, _done, in_turn=write)
    return of_writing(code, is_written=bool(written))


def _done(_made: "Making") -> ExitCode:
    return ExitCode.DONE


def mean_overlays(common: Common, names: "Sequence[str]") -> None:
    """Have the environments that --into-overlay names be the ones that are meant.

    Raises:
        UsageError: --env names others, or --env-all is given.
    """
    if names and (common.env_all or set(common.envs) - set(names)):
        others = "--env-all names all" if common.env_all else f"--env names {', '.join(common.envs)}"
        hint = f"leave out {'--env-all' if common.env_all else '--env'}"
        raise UsageError(f"--into-overlay reads {', '.join(names)}, and {others}", hint=hint)
    common.envs = tuple(dict.fromkeys(names)) or common.envs


def _write_shared(common: Common, outputs: Outputs, find: "Callable[[Settings], Making]") -> ExitCode:
    """Write the manifests that all environments share, where every one of them has the same to write.

    Raises:
        ReconcilerError: they differ, or one could not be read: all that was found is shown, and nothing was written.
    """
    parts = each(common, find, outputs.noun, _done)
    found = {one.environment: one.found for one in parts if one.found}
    refusal = difference(found) if len(found) == len(parts) else "not every environment could be read"
    done = {} if refusal else written_once(found)
    code = show_parts([replace(one, found=done.get(one.environment, one.found)) for one in parts], outputs, MAKINGS)
    if refusal:
        raise ReconcilerError(f"nothing was written: {refusal}", hint=_one_by_one(list(found)))
    return code


def _one_by_one(names: "Sequence[str]") -> str:
    """How to export the environments that could be read."""
    first, *others = names or ["NAME"]
    overlays = [word for name in others for word in ("--into-overlay", name)]
    then = f", then the others as overlays: {like_this_command(*overlays, '--write')}" if others else ""
    return f"export one environment: {like_this_command('--env', first, '--write')}{then}"


def made(
    settings: "Settings",
    config: "Config",
    environment: "Environment",
    wish: Wish = _EVERYTHING,
    *,
    allow_unknown_roles: bool = False,
) -> "Making":
    """Make manifests of one environment's objects."""
    workplace = Workplace.open(
        config, environment, wish.out, allow_unknown_roles=allow_unknown_roles, once=settings.once
    )
    if wish.into_overlay:
        workplace = workplace.into_overlay(config, environment)
    target = Target(environment.name, environment.marketplace, environment.limits, manages=environment.manages)
    desired = workplace.loaded.desired
    kinds = wish.kinds | {one.address.kind for one in desired.resources} if wish.kinds else target.in_use(desired)
    optional = wish.kinds - {LOGIN_KIND} if wish.with_all_kinds else frozenset()
    with connect.reader(settings, environment, config.path.parent) as remote:
        live = pipeline.live(remote, target, kinds, optional)
        secrets = pipeline.secrets_beside(remote, live) if wish.with_secrets else {}
        own = "" if wish.with_own_client else remote.client_id
    found = Found(
        live,
        secrets,
        [*map(_lacking, sorted(kinds - live.kinds))],
        end=[*_other_kinds(kinds), *_unwatched(wish, target, live)],
    )
    source = f"marketplace {live.marketplace}"
    title = f"Environment {environment.name}: {source} at {environment.base_url}"
    return workplace.choosing(Choice(wish.only, own, kinds=wish.kinds)).make(found, source, title)


def _lacking(kind: str) -> LeftOut:
    return LeftOut(kind, f"this service does not have it: GET /v1{KINDS[kind].path} answers 404")


def _unwatched(wish: Wish, target: Target, live: "LiveState") -> "Iterator[str]":
    """The kinds that were asked for, of which nothing is live: drift would not see what somebody creates of them."""
    names = sorted((wish.kinds & live.kinds) - {one.kind for one in live.resources} - target.manages)
    if names:
        yield from _listed("Nothing live: ", names, ".")
        yield "drift reads them once a manifest names them; to have it report new objects, add to reconciler.yaml:"
        yield from _listed("manage: [", names, "]")


def _other_kinds(read: "Collection[str]") -> "Sequence[str]":
    """How to get the kinds that were not read."""
    others = [kind for kind in KINDS if kind not in read]
    if not others:
        return ()
    how = f"To export them, too, add --kinds all, or --kinds {','.join(others[:2])}"
    return (*_listed("Not read: ", others, "."), how)


def _listed(before: str, names: "Sequence[str]", after: str) -> "list[str]":
    return wrap(f"{before}{', '.join(names)}{after}", 100, subsequent_indent="  ")
