"""A path -> what a seeding file holds, YAML or JSON, as plain values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reconciler.emulator.errors import SeedError

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path) -> object:
    """Read a file; raises SeedError with the line where it is not YAML or JSON."""
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise SeedError(f"{path}: the seed cannot be read: {error.strerror}") from error
    except ValueError as error:  # no UTF-8, or no path
        raise SeedError(f"{path}: the seed cannot be read: {error}") from error
    return _read_json(path, text) if path.suffix.lower() == ".json" else _read_yaml(path, text)


def _read_json(path: Path, text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SeedError(f"{path}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from error


def _read_yaml(path: Path, text: str) -> object:
    from ruamel.yaml import YAML  # noqa: PLC0415 - only a seed in YAML needs it
    from ruamel.yaml.constructor import SafeConstructor  # noqa: PLC0415 - likewise
    from ruamel.yaml.error import MarkedYAMLError, YAMLError  # noqa: PLC0415 - likewise

    class Plain(SafeConstructor):
        """Leaves timestamps as the texts which they are in JSON."""

    Plain.add_constructor("tag:yaml.org,2002:timestamp", Plain.construct_yaml_str)
    parser: Any = YAML(typ="safe")
    parser.Constructor = Plain
    try:
        value: object = parser.load(text)
        json.dumps(value, allow_nan=False)
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise SeedError(f"{place}: not YAML: {error.problem}") from error
    except YAMLError as error:
        raise SeedError(f"{path}: not YAML: {error}") from error
    except (TypeError, ValueError, RecursionError) as error:
        raise SeedError(f"{path}: holds what JSON cannot: {error}") from error
    return value
