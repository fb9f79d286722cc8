# Every target works as the first command in a fresh clone: what it needs goes into .venv, once.
# Choose an interpreter with `make PYTHON=python3.12 test`, pass arguments with `make test ARGS="-k clock"`.

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
BENCH = $(BIN)/python -m pytest benchmarks/suites --benchmark-columns=median,iqr,ops,rounds
INSTALL = $(BIN)/python -m pip --disable-pip-version-check --quiet install --constraint constraints.txt --editable
SAY = echo "crdtshadow:"

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL: # one virtual environment, one installer at a time
.PHONY: help demo test check deep bench bench-full bench-ingest format clean
MAKEFLAGS += --no-builtin-rules

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.demo-stamp ## Show diverged shadows becoming one, told step by step
	@$(BIN)/crdtshadow demo $(ARGS)

test: $(VENV)/.dev-stamp ## Run the tests, without those marked deep
	$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.dev-stamp ## Lint, check format, types and the layers
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports --no-logo

deep: $(VENV)/.dev-stamp ## Run all tests, the deep ones too, with many more generated examples
	CRDTSHADOW_HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest -m "deep or not deep" $(ARGS)

bench: $(VENV)/.bench-stamp ## Benchmark each step, then race the peers, small sizes only: about two minutes
	$(BENCH) --benchmark-max-time=0.5 --benchmark-min-rounds=3 $(ARGS)
	$(BIN)/python -m benchmarks.peers --quick
	$(BIN)/python -m benchmarks.growth --quick

bench-full: $(VENV)/.bench-stamp ## Benchmark everything at all sizes and write benchmarks/RESULTS.md
	$(BENCH) -m "deep or not deep" $(ARGS)
	$(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.peers

bench-ingest: $(VENV)/.dev-stamp ## Measure `crdtshadow ingest` against plain json.loads: about two minutes
	$(BIN)/python -m benchmarks.ingest $(ARGS)

format: $(VENV)/.dev-stamp ## Format the code and apply the safe fixes
	$(BIN)/python -m ruff format .
	$(BIN)/python -m ruff check --fix .

clean: ## Remove .venv and everything generated
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The interpreter's own prerequisites are checked here, so that each failure is one clear line.
$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { \
	  $(SAY) "there is no '$(PYTHON)' here; install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  $(SAY) "'$(PYTHON)' is $$($(PYTHON) --version 2>&1), but 3.11 or newer is needed; name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  $(SAY) "'$(PYTHON)' cannot make a virtual environment with pip in it; install its venv package (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@$(SAY) "setting up $(VENV) ..."
	@$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.demo-stamp: $(BIN)/python pyproject.toml constraints.txt
	@$(SAY) "installing the package into $(VENV) ..."
	@$(INSTALL) '.[local]'
	@touch $@

$(VENV)/.dev-stamp: $(BIN)/python pyproject.toml constraints.txt
	@$(SAY) "installing the package and the development tools into $(VENV) ..."
	@$(INSTALL) '.[dev]'
	@touch $(VENV)/.demo-stamp $@

$(VENV)/.bench-stamp: $(BIN)/python pyproject.toml constraints.txt
	@$(SAY) "installing the package, the peers and the benchmarks' tools into $(VENV) ..."
	@$(INSTALL) '.[bench]'
	@touch $(VENV)/.demo-stamp $@
