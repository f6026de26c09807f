# Stadtzwilling: `make demo` shows it, `make test` checks it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo demo-short validate test lint types layers kernels pytest cluster web bench clean help

help:
	@echo "make demo        build Helsinki, simulate, train, compare: report in demo/"
	@echo "make demo-short  the same with fewer replications"
	@echo "make validate    compare the kernel with SUMO on every case: page in docs/validation/"
	@echo "make test        install what is needed and run every check"
	@echo "make web         build the viewer of 'twin present' (needs Node)"
	@echo "make bench       timings beside peers, about 15 minutes: page docs/speed.md"

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $(READY)

demo: $(READY) web
	$(BIN)/twin demo -o demo

demo-short: $(READY) web
	$(BIN)/twin demo -o demo --short

WEB := viz/web
NODE := $(WEB)/node_modules/.package-lock.json
VIEWER := $(WEB)/dist/viewer.js
ELSE := 'twin present' falls back to PyVista's viewer

web:
	@if ! command -v npm >/dev/null; then echo "No Node here: $(ELSE)"; \
	elif $(MAKE) --no-print-directory $(NODE); then $(MAKE) --no-print-directory $(VIEWER); \
	else echo "npm cannot fetch the viewer's packages: $(ELSE)"; fi

$(NODE): $(WEB)/package.json $(WEB)/package-lock.json
	@cd $(WEB) && npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

$(VIEWER): $(NODE) $(wildcard $(WEB)/src/*) $(WEB)/build.mjs
	@cd $(WEB) && npm test --silent >/dev/null || npm test
	@cd $(WEB) && npm run build --silent
	@touch $@

lint: $(READY)
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

layers: $(READY)
	$(BIN)/lint-imports

# Tests that have Numba compile most of the kernels, each once, before all workers want them.
KERNELS := $(addprefix tests/,traffic/test_kernel.py traffic/test_batch.py traffic/test_static.py \
	traffic/test_queue_lengths.py envs/test_signal_control.py envs/test_road_maintenance.py \
	roads/test_programme.py)

# Tests that mostly wait, and must not meet each other.
WAITING := tests/scenarios/test_cluster.py

kernels: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile $(KERNELS)

pytest: kernels web
	$(BIN)/python -m pytest -n 2 --dist worksteal $(addprefix --ignore=,$(KERNELS) $(WAITING))

cluster: kernels
	$(BIN)/python -m pytest $(WAITING)

test: lint types layers pytest cluster

bench: $(READY)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[validation,bench]"
	$(BIN)/python benchmarks/bench.py --write

validate: $(READY)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[validation]"
	$(BIN)/twin validate

clean:
	rm -rf $(VENV) demo build *.egg-info $(WEB)/dist $(WEB)/node_modules
