"""ruamel.yaml's own parser stands in for libyaml: the same documents, places and faults."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifests.yaml import Parsed, parse
from reconciler.manifests.yaml.parser import LibyamlParser, SlowParser

ROOT = Path(__file__).parents[2]
SOUND = [
    "a: 1\nb: [x, 'y', \"z\", {k: v}]\n",
    "\ufeffa: 1\r\nb: é 😀\r\n",
    "a: b\t# comment\nc: d\te\nf: [\t1,\t2]\n",
    "a: |\n  x\n  y\nb: >-\n  x\n  y\n",
    "a: &x {k: 1}\nb: *x\nc:\n  <<: *x\n",
    "a:   # nothing\n\nb:\n  - # x: y\n  - c:\n  - ''\nd:",
    "a: !!str 1\n---\n? b\n: c\n...\n---\n# nothing\n",
    '{"a": [1, true, null],\n\t"b": {"c": 1.5}}',
]
FAULTY = [
    "a: b: c\n",
    "a: 1\n b: 2\n",
    "a\nb: c\n",
    "a: 1\nb\n",
    "a: [1, 2\nb: 3\n",
    "a: {b: 1\nc: d\n",
    "a: {x:y}\n",
    "a: [http://x]\n",
    "a: [${values.x}]\n",
    "a: [",
    "a: [,]\n",
    "a: ]\n",
    "a: 'x\n",
    'a: "x\n---\n',
    "\ta: 1\n",
    "a:\n\t- b\n",
    "a: b\n\t# c\n",
    "a: @x\n",
    "a: %x\n",
    "a: *\n",
    "a: *x\n",
    "a: *x!\n",
    "- a\nb: 1\n",
    "a:\n  - b\n c: d\n",
    "a: 1\n- b\n",
    "a: - b\n",
    "a: ?\n",
    "a: 'b' c\n",
    "a: |x\n",
    "a: >-0\n x\n",
    'a: "\\q"\n',
    'a: "é\\ud83d\\ude00"\n',
    'a: "x\n\\U00110000"\n',
    "a: !foo!x y\n",
    "a: 1\n...\nb: 2\n",
    "%YAML 1.1\n---\na: 1\n",
    "%YAML 3.0\n---\na: 1\n",
    "%FOO\n---\n",
    "a: \x01\n",
    "a: 1\na: 2\n1: 2\n",
]

needs_libyaml = pytest.mark.skipif(LibyamlParser is None, reason="ruamel.yaml's C parser is not installed")


def slowly(text: str) -> Parsed:
    return parse(text.encode(), "f", parser=SlowParser)


@needs_libyaml
@pytest.mark.parametrize("text", SOUND)
def test_both_parsers_read_the_same_documents_and_places(text: str) -> None:
    assert slowly(text) == parse(text.encode(), "f")
    assert slowly(text).faults == ()


@needs_libyaml
@pytest.mark.parametrize("text", FAULTY)
def test_both_parsers_refuse_the_same_in_the_same_words(text: str) -> None:
    assert slowly(text).faults == parse(text.encode(), "f").faults
    assert slowly(text).faults


@given(st.text(alphabet="ab:-[]{}&*!|>'\"%@`,? \\ux\n\t#<1.~", max_size=40))
def test_no_text_makes_the_slow_parser_fail(text: str) -> None:
    slowly(text)


@pytest.mark.sweep
def test_without_libyaml_every_command_works_and_doctor_says_what_to_install() -> None:
    blocked = "import sys; sys.modules.update({'_ruamel_yaml': None, '_ruamel_yaml_clibz': None})"
    run = "from reconciler.cli.main import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", f"{blocked}; {run}", "doctor", "--env", "local"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "pip install 'ruamel.yaml[oldlibyaml]'" in done.stdout
