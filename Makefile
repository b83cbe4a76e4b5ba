# Few words: run test lint fix types docs browser engines bench. Everything is installed into .venv from the locks.

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin

.PHONY: run test test-distributed lint fix types docs browser catalogue engines screenshots bench lock clean

# The catalogue is built beside the first start; the house takes it up once it is there.
run: .venv/.runtime
	@$(BIN)/python -m headwater.catalogue.build & exec $(BIN)/headwater serve

test: .venv/.dev catalogue lint types
	$(BIN)/pytest --numprocesses $$(( $$(nproc 2>/dev/null || echo 2) + 1 )) --maxprocesses 5 --dist loadfile --no-loadscope-reorder

# The same scenarios, each house on a Kafka prefix and a PostgreSQL database of its own; what is not asked there is shown.
test-distributed: .venv/.dev engines
	$(BIN)/pytest --shape=distributed --numprocesses 2 --dist loadfile --no-loadscope-reorder tests/scenarios tests/contracts

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: .venv/.dev
	$(BIN)/basedpyright

fix: .venv/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/.dev
	$(BIN)/python docs/generate.py

browser: .venv/.dev
	$(BIN)/python browser/build.py

# Segment's destinations, when they are missing or out of date. Without npm's registry all else works.
catalogue: .venv/.runtime
	@$(BIN)/python -m headwater.catalogue.build || true

# Kafka's jars for tests, by Maven into its local repository. Tests that lack an engine are skipped and say so.
engines: .venv/.dev
	@$(BIN)/python -m headwater.contracts.kafka_artefacts

screenshots: .venv/.dev
	$(BIN)/python docs/screenshots.py

bench: .venv/.dev
	$(BIN)/python -m benchmarks

# The locks pin every package for every platform; they name no registry.
lock: .venv/.dev
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --extra dev pyproject.toml --output-file requirements-dev.lock

.venv/.made:
	@test -n "$(PYTHON)" || { echo "Headwater needs Python 3.11 or newer with the venv module; none was found."; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.runtime: .venv/.made requirements.lock pyproject.toml
	@echo "Installing Headwater into .venv (about half a minute, once)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.venv/.dev: .venv/.runtime requirements-dev.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r requirements-dev.lock
	@touch $@

clean:
	rm -rf .venv build dist
