PYTHON ?= python3
BIN := .venv/bin

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

sweep: .venv/ready ## the quickstart: 24 cells of 32 networks, about a minute; prints the table of rates
	@$(BIN)/initodds experiment=quickstart

ui: .venv/ready ## serve the MLflow UI on what was swept, and print where to look
	@$(BIN)/initodds-ui

lint: .venv/ready ## style and types, as make test and .pre-commit-config.yaml look at them
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint ## lint, types and tests, in minutes; with INITODDS_DATA set, those on full MNIST too
	$(BIN)/pytest -n 2 --dist worksteal -p no:benchmark

soak: .venv/ready ## the tests that take long: kills, many workers, servers, the UI in a browser, notebooks
	$(BIN)/pytest -n 2 --dist worksteal -p no:benchmark -m soak

docs: .venv/ready ## build site/: the README, the notebooks and studies as pages, and the reference from the docstrings
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo site/index.html

lock: .venv/ready ## pin requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --extra dev --no-emit-index-url \
		--no-emit-find-links --custom-compile-command "make lock" pyproject.toml --output-file requirements.lock

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "initodds needs Python 3.11 or later; set PYTHON")'
	@echo "Making .venv from requirements.lock, once ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: help sweep ui lint test soak docs lock
