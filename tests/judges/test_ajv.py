"""ajv in strict mode, by which SchemaStore judges schemas.

`make contract` installs it, and names the folder in JUDGES; without it these tests are skipped.
"""

import os
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("JUDGES", ""))
ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(
    not (FOLDER / "node_modules" / "ajv").is_dir(), reason="ajv is not in the folder JUDGES"
)


def judged(*schemas: Path) -> str:
    command = ["node", str(ROOT / "tests/judges/ajv.cjs"), str(FOLDER.resolve()), *map(str, schemas)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


def test_ajv_finds_nothing_in_any_schema_in_its_strict_mode() -> None:
    assert judged(*sorted((ROOT / "schemas").iterdir())) == ""


def test_ajv_would_find_a_keyword_that_means_nothing(tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text('{"type": "object", "propertys": {}}')
    assert 'unknown keyword: "propertys"' in judged(tmp_path / "odd.json")
