# FER Lab. `make app` sets everything up and opens the dashboard; `make test` sets everything up and tests it.
# PYTHON=... names an interpreter (3.11 to 3.14), TORCH=cpu takes PyTorch's CPU build, PORT=... another port,
# WORKERS=... the processes that test: one more than there are cores, for tests wait for browsers and servers.
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501
WORKERS ?= 3
LOCKED := --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --custom-compile-command "make lock"
export PYTHON TORCH
# Tests start Pythons by the hundred: compiled once, not by each.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install install-dev app demo hosted test smoke lint docs lock bench mutants gpu-check screenshots clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

install:  ## make the environment and install what the dashboard needs
	@deploy/setup.sh $(VENV) locks/app.txt

install-dev:  ## the same with what tests and linting need
	@deploy/setup.sh $(VENV) locks/dev.txt

app: export PORT := $(PORT)
app: install  ## set up, start the worker and open the dashboard
	@$(BIN)/python -m fer_core serve --port $(PORT)

demo: install  ## train the paper's three settings on the generated set and print the table
	$(BIN)/python -m fer_core demo

hosted: install  ## make what a hosted demo (FER_DEMO=1) shows: finished runs on the generated set
	$(BIN)/python -m fer_core demo --prepare

test: install-dev  ## run every test (some need Debian's chromium, libatomic1 and postgresql)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

smoke: install  ## a small demo, every page and a prediction, on the Python that PYTHON names
	$(BIN)/python tests/smoke.py

lint: install-dev  ## style, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install-dev  ## run every benchmark, small, and write docs/benchmarks.md (under 25 minutes on 2 cores)
	$(BIN)/python benchmarks/report.py

mutants: install-dev  ## change protocols, metrics, crops, BDNN and queue here and there: do their tests notice?
	$(BIN)/uv pip install --quiet --python $(BIN)/python mutmut==3.8.1
	$(BIN)/python benchmarks/mutants.py --survivors

gpu-check: install-dev  ## on a GPU host: are faces, activations and answers the CPU's, do bits repeat, how fast
	$(BIN)/python benchmarks/gpu_check.py $(ARGS)

screenshots: install-dev  ## render every page for the README, in light and dark
	$(BIN)/python tests/browser/screenshots.py

docs: export NO_MKDOCS_2_WARNING := 1
docs: install-dev  ## build the documentation into site/, strictly
	$(BIN)/python -m mkdocs build --strict --quiet

lock: install-dev  ## pin what requirements*.txt lead to, with hashes, in locks/ (UPGRADE=--upgrade: the newest of each)
	cat locks/torch.txt >> locks/dev.txt
	$(BIN)/uv pip compile $(LOCKED) $(UPGRADE) requirements-dev.txt -o locks/dev.txt
	$(BIN)/uv pip compile $(LOCKED) -c locks/dev.txt requirements.txt requirements-auth.txt -o locks/app.txt
	$(BIN)/uv pip compile $(LOCKED) --no-deps requirements-models.txt -o locks/models.txt
	awk '/^[a-z]/ { torch = /^(torch|torchvision|triton|nvidia-[a-z0-9-]+|cuda-[a-z]+)==/ } torch' locks/dev.txt > locks/torch.txt
	for lock in app dev; do \
	  awk '/^[a-z]/ { torch = /^(torch|torchvision|triton|nvidia-[a-z0-9-]+|cuda-[a-z]+)==/ } !torch' locks/$$lock.txt \
	    > locks/part && awk '/^#/ { next } 1' locks/models.txt >> locks/part && mv locks/part locks/$$lock.txt || exit 1; \
	done
	rm locks/models.txt

clean:  ## remove the environment and caches, never data or runs
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis
