"""A saved plan, or manifests and an environment -> their content, offline."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from reconciler.cli.console import settings_of
from reconciler.cli.documents import PLANS
from reconciler.cli.exit import ExitCode
from reconciler.cli.options import Common, common_options, input_file, unknown_roles_option, value_option
from reconciler.cli.outputs import Outputs, outputs_option
from reconciler.errors import UsageError
from reconciler.project.api import text_of
from reconciler.project.files import is_plan
from reconciler.render.markdown import REVIEWS

_RESOLVED_FORMATS: Final = ("text", "json")
_TWO_FORMS: Final = "write show PLANFILE, or show --resolved [PATH]..."


@click.command(
    "show",
    epilog="""
\b
Examples:
  reconciler show plan.json
  reconciler show plan.json --format json | jq '.summary'
  reconciler show plan.json --into markdown=comment.md
  reconciler show plan.json --reviewed reviewed.json    # 0: as reviewed, or nothing to do; 2: not as reviewed
  reconciler show --resolved --env production
  reconciler show --resolved manifests/storefront.yaml --env staging --format json

The output of --resolved is valid YAML; comments show where each value comes from.
""",
)
@click.argument("paths", nargs=-1, type=input_file, metavar="PLANFILE | --resolved [PATH]...")
@click.option(
    "--resolved", is_flag=True, help="Show the manifests resolved for the environment, with the source of each value."
)
@value_option(
    "--reviewed",
    "FILE",
    input_file,
    help="Compare the plan with the reviewed plan in FILE, or its manifests with the receipt in FILE.",
)
@outputs_option("plan", PLANS)
@unknown_roles_option
@common_options
@click.pass_obj
def command(
    common: Common,
    paths: tuple[Path, ...],
    *,
    resolved: bool,
    reviewed: Path | None,
    outputs: Outputs,
    allow_unknown_roles: bool,
) -> ExitCode:
    """Show a saved plan, or manifests after overlays and substitution, offline. No secret is read.

    An altered plan is refused (exit 4).
    """
    from reconciler.project.validate import resolved_by_format, saved_plan

    if reviewed:
        return _against(common, _planfile(paths), reviewed, outputs, resolved=resolved)
    if resolved:
        _check(paths, outputs)
        writers = resolved_by_format(settings_of(common), paths, allow_unknown_roles=allow_unknown_roles)
        outputs.write(lambda name, _style: writers[name]())
    else:
        path = _planfile(paths)
        plan, written = saved_plan(settings_of(common), path)
        outputs.write(
            lambda name, style: _pieces(written) if name == "json" else text_of(plan, name, style),
            plan_file=str(path),
        )
    return ExitCode.DONE


def _against(common: Common, path: Path, reviewed: Path, outputs: Outputs, *, resolved: bool) -> ExitCode:
    """Compare a plan with the reviewed one."""
    from reconciler.project.apply import review

    if resolved:
        raise UsageError("--reviewed cannot be combined with --resolved", hint=_TWO_FORMS)
    for name in outputs.names:
        if name not in REVIEWS:
            raise UsageError(f"--reviewed has no format {name}", hint=f"use one of {', '.join(REVIEWS)}")
    found, digest = review(settings_of(common), path, reviewed)
    outputs.write(lambda name, style: REVIEWS[name](found, digest, style), plan_file=str(path))
    return ExitCode.DONE if found.is_reviewed else ExitCode.CHANGES


def _planfile(paths: tuple[Path, ...]) -> Path:
    if not paths:
        raise UsageError("nothing to show", hint=_TWO_FORMS)
    first, *others = paths
    if others:
        raise UsageError("show takes one PLANFILE", hint=_TWO_FORMS)
    return first


_PIECE: Final = 1 << 20


def _pieces(text: str) -> Iterator[str]:
    """Split a text of possibly hundreds of megabytes, so that it is not encoded at once."""
    return (text[at : at + _PIECE] for at in range(0, len(text), _PIECE))


def _check(paths: tuple[Path, ...], outputs: Outputs) -> None:
    """Reject what --resolved does not take."""
    plans = [path for path in paths if is_plan(path)]
    if plans:
        raise UsageError(f"{plans[0]} is a saved plan; --resolved shows manifests", hint=_TWO_FORMS)
    for name in outputs.names:
        if name not in _RESOLVED_FORMATS:
            hint = f"use one of {', '.join(_RESOLVED_FORMATS)}"
            raise UsageError(f"--resolved has no format {name}", hint=hint)
