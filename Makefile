# Two commands: `make run` brings a city to life, `make test` is all that CI runs.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CITY ?= sample
DATA ?=
PORT ?= 8026
PLAY ?=
CITY_DATA ?= city-data/$(CITY)$(if $(PLAY),-$(PLAY))
UV := $(BIN)/uv
# Compiled when installed, and kept: where Python may not write bytecode, each start of a process
# would compile every library anew, which takes twice as long as all else of it.
PIP := $(UV) pip install --quiet --python $(BIN)/python --require-hashes --no-deps --compile-bytecode
unexport PYTHONDONTWRITEBYTECODE
STATIC := src/cityloom/web/static
UI_SOURCES := $(shell find web-ui -path web-ui/node_modules -prune -o -type f -print 2>/dev/null)

help: ## Says what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.runtime ## Makes the environment in .venv/ from the lock file
page: $(STATIC)/index.html ## Builds the map page

run: setup page ## Starts a city on http://127.0.0.1:8026 (CITY=sample, or CITY=boston DATA=folder; PLAY=day)
	@exec $(BIN)/cityloom up --city $(CITY) --folder $(CITY_DATA) --port $(PORT) $(if $(DATA),--sources $(DATA)) $(if $(PLAY),--play $(PLAY))

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is required, this is " + sys.version.split()[0])'
	@$(PYTHON) -m venv $(VENV) || { echo "the Python package venv is required: apt-get install python3-venv" >&2; exit 1; }
	@echo "[1/3] the installer"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==$$(cat requirements/uv.txt)"

$(VENV)/.runtime: requirements/runtime.lock pyproject.toml | $(UV)
	@echo "[2/3] the environment"
	@$(PIP) -r requirements/runtime.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.runtime
	@echo "[dev] what the tests need"
	@$(PIP) -r requirements/dev.lock
	@touch $@

# Node: the system's where it is new enough, else PyPI's wheel in the same environment.
NODE_IS_NEW = node -e 'const [a,b]=process.versions.node.split(".").map(Number);process.exit(a>22||(a==22&&b>=12)||(a==20&&b>=19)?0:1)' 2>/dev/null && npm --version >/dev/null 2>&1
$(VENV)/.node: requirements/node.lock | $(UV)
	@if $(NODE_IS_NEW); then dirname "$$(command -v node)" > $@; else \
	  echo "[3/3] Node, from PyPI"; $(PIP) -r requirements/node.lock; echo "$$PWD/$(BIN)" > $@; fi

web-ui/node_modules/.ready: web-ui/package-lock.json $(VENV)/.node
	@echo "[3/3] the page's libraries"
	@cd web-ui && PATH="$$(cat ../$(VENV)/.node):$$PATH" npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(STATIC)/index.html: web-ui/node_modules/.ready $(UI_SOURCES)
	@echo "[3/3] the page"
	@cd web-ui && PATH="$$(cat ../$(VENV)/.node):$$PATH" npm run --silent build
	@touch $@

dev: $(VENV)/.dev page ## Makes the environment with what the tests need

lint: lint-python lint-page ## Format, lint, types, import rule

lint-python: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lint-page: web-ui/node_modules/.ready
	cd web-ui && PATH="$$(cat ../$(VENV)/.node):$$PATH" npm run --silent check

test-page: web-ui/node_modules/.ready
	cd web-ui && PATH="$$(cat ../$(VENV)/.node):$$PATH" npm test --silent

# The types of Python take one processor for a minute: the page is checked on the other.
test: dev ## Everything that CI runs
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target lint-python lint-page test-page
	$(BIN)/python scripts/run_tests.py

soak: dev ## The heavy proofs, at full count
	$(BIN)/pytest -m soak

# QUICK=1: one short round on small cities; ONLY=get,patch: some works alone; STORES=postgres: there. Cities are made once and kept.
BENCH ?= city-data/bench
bench: dev ## Measures what a second of the processor does, into docs/performance.md (QUICK=1, ONLY="…")
	@$(BIN)/python -m bench --folder "$(BENCH)" $(if $(QUICK),--quick,$(if $(ONLY),,--write)) $(if $(ONLY),--only "$(ONLY)") $(if $(STORES),--stores "$(STORES)")

# Not part of `make test`: the suite is no part of the project, and takes a quarter of an hour.
CONFORM_RUNNER ?= ../shared/etsi/etsi.py
CONFORM_WORK ?= .etsi
ORDER ?= forward
conform: dev ## Holds empty nodes against ETSI's suite (GIT_DIR=copy of it, ORDER=reverse, AREAS="…")
	@$(BIN)/python scripts/conform.py --runner "$(CONFORM_RUNNER)" --work "$(CONFORM_WORK)" --order $(ORDER) $(if $(AREAS),--areas $(AREAS)) -- $(if $(GIT_DIR),"$(GIT_DIR)")

lock: $(UV) ## Resolves the lock files anew
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --group build pyproject.toml -o requirements/runtime.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --group dev -c requirements/runtime.lock -o requirements/dev.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --group node -o requirements/node.lock

clean: ## Removes what was built (a city's data stay)
	rm -rf $(VENV) $(STATIC) web-ui/node_modules .mypy_cache .ruff_cache .pytest_cache

.PHONY: help setup page run dev lint lint-python lint-page test-page test soak bench conform lock clean
