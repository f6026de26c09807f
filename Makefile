# Stadtzwilling: `make demo` shows it, `make test` checks it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo demo-short validate test lint types layers pytest bench clean help

help:
	@echo "make demo        build Helsinki, simulate, train, compare: report in demo/"
	@echo "make demo-short  the same with fewer replications"
	@echo "make validate    compare the kernel with SUMO on every case: page in docs/validation/"
	@echo "make test        install what is needed and run every check"
	@echo "make bench       timings beside peers, about 15 minutes: page docs/speed.md"

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $(READY)

demo: $(READY)
	$(BIN)/twin demo -o demo

demo-short: $(READY)
	$(BIN)/twin demo -o demo --short

lint: $(READY)
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

layers: $(READY)
	$(BIN)/lint-imports

pytest: $(READY)
	$(BIN)/python -m pytest -n 2 --dist worksteal

test: lint types layers pytest

bench: $(READY)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[validation,bench]"
	$(BIN)/python benchmarks/bench.py --write

validate: $(READY)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[validation]"
	$(BIN)/twin validate

clean:
	rm -rf $(VENV) demo build *.egg-info
