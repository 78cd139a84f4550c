"""A secret stays one whatever is done with it: printed, formatted, logged, copied, or caught in a traceback."""

import copy
import dataclasses
import io
import json
import logging
import pickle
import pprint
import re
import string
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
import rich
from rich.console import Console
from rich.traceback import Traceback

from reconciler.model.secret import REDACTION, Secret

RECONCILER = Path(__file__).parents[2] / "reconciler"
CANARY = "planted canary".replace(" ", "-")
"""A traceback may quote a line of this file, and none has it whole."""


@dataclasses.dataclass
class Holder:
    """What a secret may be carried in."""

    secret: Secret


PRINTERS: list[Callable[[Secret], object]] = [
    str,
    repr,
    ascii,
    "{}".format,
    "{!r:>40}".format,
    "{:>40}".format,
    lambda secret: "%s" % secret,  # noqa: UP031  # the old way, too
    lambda secret: f"{secret=}",
    lambda secret: string.Template("$x").substitute(x=secret),
    lambda secret: repr({"a": [secret]}),
    lambda secret: repr(Holder(secret)),
    lambda secret: str(ValueError(secret)),
    lambda secret: repr(ValueError("x", secret)),
    pprint.pformat,
    dir,
    lambda secret: json.dumps({"a": secret}, default=str),
    lambda secret: json.dumps({"a": secret}, default=repr),
    lambda secret: [repr(getattr(secret, name)) for name in dir(secret) if name != "is_redaction"],
]


@pytest.mark.parametrize("printed", PRINTERS)
def test_no_way_of_printing_shows_the_value(printed: Callable[[Secret], object]) -> None:
    assert CANARY not in str(printed(Secret(CANARY)))


@pytest.mark.parametrize(
    "spill",
    [
        json.dumps,
        pickle.dumps,
        copy.copy,
        copy.deepcopy,
        hash,
        vars,
        len,
        list,
        bytes,
        dataclasses.asdict,
        lambda secret: secret.__getstate__(),
        lambda secret: copy.deepcopy(Holder(secret)),
        lambda secret: dataclasses.asdict(Holder(secret)),
        lambda secret: secret + "",
        lambda secret: secret == CANARY,
    ],
)
def test_no_way_of_serialising_gives_the_value(spill: object) -> None:
    with pytest.raises(TypeError) as caught:
        spill(Secret(CANARY))  # type: ignore[operator]  # a table of callables of many shapes
    assert CANARY not in str(caught.value)


def test_there_are_no_other_kinds_of_secrets_that_could_be_printed() -> None:
    with pytest.raises(TypeError, match="cannot be subclassed"):
        type("Loud", (Secret,), {})


def test_no_object_that_holds_the_plan_key_shows_it() -> None:
    sources = (path.read_text(encoding="utf-8") for path in RECONCILER.rglob("*.py"))
    fields = [line for text in sources for line in re.findall(r"^    \w*key: bytes.*$", text, re.MULTILINE)]
    fields = [line for line in fields if not line.endswith(",")]  # parameters
    assert len(fields) == 5
    assert [line for line in fields if "repr=False" not in line] == []


def test_a_log_shows_none(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret(CANARY)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("x").debug("%s %r", secret, secret, extra={"held": secret})
    assert caplog.text.count("(secret)") == 2
    assert CANARY not in caplog.text + repr(vars(caplog.records[0]))


def crash(secret: Secret) -> None:
    held, many = Holder(secret), {"secret": [secret]}
    raise RuntimeError(held, many)


def test_a_traceback_with_all_local_variables_shows_none() -> None:
    output = io.StringIO()
    with pytest.raises(RuntimeError) as caught:
        crash(Secret(CANARY))
    error = caught.value
    plain = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    rich_one = Traceback.from_exception(type(error), error, error.__traceback__, show_locals=True)
    Console(file=output, width=200).print(rich_one)
    for shown in (plain, output.getvalue()):
        assert "(secret)" in shown
        assert CANARY not in shown


def test_rich_shows_none_even_where_it_inspects_everything() -> None:
    output = io.StringIO()
    console = Console(file=output, width=200)
    secret = Secret(CANARY)
    console.print(secret, {"a": secret}, [secret], Holder(secret))
    rich.inspect(secret, console=console, all=True)
    assert "(secret)" in output.getvalue()
    assert CANARY not in output.getvalue()


def test_equality_is_asked_for_by_name() -> None:
    assert Secret("a").equals(Secret("a"))
    assert not Secret("a").equals(Secret("b"))
    with pytest.raises(TypeError, match="constant time"):
        assert Secret("a") == Secret("a")


def test_a_fingerprint_depends_on_value_key_and_owner() -> None:
    prints = {
        Secret(value).fingerprint(key, about) for value in ("a", "b") for key in (b"1", b"2") for about in ("x", "y")
    }
    assert len(prints) == 8
    assert Secret("a").fingerprint(b"1", "x") in prints


@pytest.mark.parametrize("value", [REDACTION, f" {REDACTION}\n"])
def test_the_text_of_exports_is_known(value: str) -> None:
    assert Secret(value).is_redaction
    assert not Secret(CANARY).is_redaction
