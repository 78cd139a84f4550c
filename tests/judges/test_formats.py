"""Documents by the judges of their formats: the XSD of Jenkins, the multitool of SARIF, and a Rego interpreter.

`make contract` installs them, and names the folder in JUDGES; one that is not there is skipped.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from reconciler.planning.planfile import to_document
from tests.render.test_render_golden import PLAIN_DOCUMENTS, PLANS

FOLDER: Final = Path(os.environ.get("JUDGES", ""))
PYTHON: Final = FOLDER / "python" / "bin" / "python"
XSD: Final = FOLDER / "junit-10.xsd"
MULTITOOL: Final = FOLDER / f"node_modules/@microsoft/sarif-multitool-{sys.platform}/Sarif.Multitool"
PAGE: Final = Path(__file__).parents[2] / "docs" / "plan-file.md"
EVALUATE: Final = """
import json, sys, regopy
rego = regopy.Interpreter()
rego.add_module("policy", sys.argv[1])
rego.set_input(json.load(sys.stdin))
print(rego.query("data.policy.deny"))
"""


def python(program: str, *arguments: str | Path, given: str = "") -> str:
    command = [str(PYTHON), "-c", program, *map(str, arguments)]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=True, timeout=120).stdout


def written(folder: Path, ending: str) -> list[Path]:
    paths = [folder / name for name in PLAIN_DOCUMENTS if name.endswith(ending)]
    for path in paths:
        path.write_text(PLAIN_DOCUMENTS[path.name], encoding="utf-8")
    return paths


@pytest.mark.skipif(not XSD.is_file(), reason="the XSD of Jenkins is not in the folder JUDGES")
def test_every_junit_document_is_valid_by_the_xsd_of_jenkins(tmp_path: Path) -> None:
    program = """
import sys, xmlschema
schema = xmlschema.XMLSchema(sys.argv[1])
for path in sys.argv[2:]:
    for fault in schema.iter_errors(path):
        print(path, fault.reason)
"""
    odd = tmp_path / "odd"
    odd.write_text('<testsuites><testsuite name="a"><testcase name="b" line="7"/></testsuite></testsuites>')
    assert python(program, XSD, *written(tmp_path, ".junit")) == ""
    assert "'line' attribute not allowed" in python(program, XSD, odd)


@pytest.mark.skipif(not MULTITOOL.is_file(), reason="the multitool of SARIF is not in the folder JUDGES")
def test_the_multitool_of_sarif_has_no_error_and_no_warning(tmp_path: Path) -> None:
    MULTITOOL.chmod(0o755)  # npm unpacks it without
    documents = written(tmp_path, ".sarif")
    odd = tmp_path / "odd.sarif"
    odd.write_text(documents[0].read_text().replace('"informationUri"', '"informationUrl"'))
    command = [*map(str, (MULTITOOL, "validate", *documents, odd)), "--level", "Error;Warning"]
    own = os.environ | {"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}  # else it needs ICU
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=own)
    assert f"Done. {len(documents) + 1} files scanned." in done.stdout, done.stderr
    faults = re.findall(r"(\S+)\(\d+,\d+\): (?:error|warning) .*", done.stdout)
    assert set(faults) == {str(odd)}, done.stdout


@pytest.mark.skipif(not PYTHON.is_file(), reason="the Rego interpreter is not in the folder JUDGES")
def test_the_rego_policy_of_the_page_names_what_a_plan_deletes() -> None:
    (block,) = re.findall(r"^```rego\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    plan = json.dumps(to_document(PLANS["everything"]))
    found = json.loads(python(EVALUATE, f"package policy\nimport rego.v1\n{block}", given=plan))
    assert found == {"expressions": [["ApiClient/old would be deleted"]]}
