# The environment is made from the lock files alone: every package by version and hash.
SHELL := /bin/sh
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/.stamps
LOCK = .build/uv/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header

# Every worker of the tests would compile them again where the environment forbids to keep what was compiled.
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help demo test check bench reliability interop e2e fuzz matrix lock clean

help: ## show what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(STAMPS)/run ## a database, a lab of healthy and broken servers, the prober and its dashboard
	@exec $(BIN)/mcp-prober demo $(ARGS)

test: $(STAMPS)/dev ## unit, contract and integration tests
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(STAMPS)/dev ## lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

interop: $(STAMPS)/dev ## third-party MCP servers and clients, the image's steps, the Compose file
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/interop $(ARGS)

e2e: $(STAMPS)/e2e ## the dashboard in a real browser, the demo as real processes
	$(BIN)/python -m pytest tests/e2e $(ARGS)

bench: $(STAMPS)/dev ## figures of cost; prints, never fails on a slow machine
	$(BIN)/python tests/bench/run.py $(ARGS)

reliability: $(STAMPS)/dev ## faults injected into real processes; ARGS="--size full" takes an hour
	$(BIN)/python -m pytest -n 2 tests/reliability $(ARGS)

fuzz: $(STAMPS)/fuzz ## coverage-guided fuzzing of what reads hostile bytes
	$(BIN)/python tests/fuzz/fuzz.py $(ARGS)

matrix: $(STAMPS)/dev ## every front door with every kind of server in every state, and what is said of each
	@$(BIN)/python -m tests.contract.matrix $(ARGS)

lock: $(STAMPS)/run ## renew the lock files from pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --target .build/uv uv
	$(LOCK) --group build pyproject.toml -o requirements.lock
	$(LOCK) --group build --group dev -c requirements.lock pyproject.toml -o tests/requirements.lock
	$(LOCK) -c tests/requirements.lock tests/e2e/requirements.in -o tests/e2e/requirements.lock
	$(LOCK) tests/fuzz/requirements.in -o tests/fuzz/requirements.lock
	for name in tests/interop/envs/*.in; do $(LOCK) $$name -o $${name%.in}.lock || exit 1; done
	$(BIN)/python tests/interop/lock_node.py

clean: ## remove the environments and what else was made
	rm -rf $(VENV) .venv-interop .build

# A Debian without python3-venv has no ensurepip: virtualenv, put beside the environment by pip, does the same.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "mcp-prober needs Python 3.11 or newer; name one with: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { rm -rf $(VENV); \
	  $(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target .build/virtualenv virtualenv && \
	  PYTHONPATH=.build/virtualenv $(PYTHON) -m virtualenv --quiet $(VENV); }

$(STAMPS)/run: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing into $(VENV) (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/dev: tests/requirements.lock pyproject.toml | $(STAMPS)/run
	@echo "installing the tools of the tests into $(VENV) (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/requirements.lock
	@touch $@

$(STAMPS)/e2e: tests/e2e/requirements.lock | $(STAMPS)/dev
	@echo "installing the driver of the browser into $(VENV) (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/e2e/requirements.lock
	@touch $@

$(STAMPS)/fuzz: tests/fuzz/requirements.lock | $(STAMPS)/dev
	@echo "installing the fuzzer into $(VENV) (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/fuzz/requirements.lock \
	  || echo "the fuzzer cannot be installed for this Python: fuzzing will be skipped"
	@touch $@
