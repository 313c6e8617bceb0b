# A bare machine with Python 3.11+ and make is enough: everything is installed into .venv, at the locked versions.
# `make test` is what continuous integration runs. A target that needs an environment brings it up to date first;
# the stamp files in the environments make repeated calls quick.

.NOTPARALLEL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help demo test test-min lint format bench growth lock clean

# The first of these that is Python 3.11 or newer; `make PYTHON=/path/to/python …` says otherwise.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)

BIN := .venv/bin
PIP := -m pip --disable-pip-version-check --quiet --quiet --no-input
export PYTHONUTF8 := 1

help:  ## say what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

demo: .venv/.runtime  ## the main job on data/sample: scorecard, logs and report under out/demo
	$(BIN)/crmmining run data/sample --out out/demo --period quarter
	@echo
	@echo 'The report, for any browser:  out/demo/report.html'
	@echo 'The KPIs, one row each:       out/demo/scorecard.csv (and .parquet)'
	@echo 'What was read, what was not:  out/demo/quality.parquet, out/demo/run.json'
	@echo 'The logs behind the numbers:  out/demo/{events,cases,variants,transitions}/<process>.parquet'

test: lint test-min  ## every check: lint, types, the lowest supported versions, all tests and examples
	$(BIN)/python -m pytest $(PARALLEL)

test-min: .venv-min/.ready  ## the tests of the core on the lowest supported versions
	.venv-min/bin/python -m pytest $(PARALLEL) $(CORE)

# One process per core; the tests of one file stay together, with what they load.
PARALLEL := --numprocesses auto --dist loadfile

# What touches the libraries themselves; all other tests run the same code at length, or need more than the core does.
CORE := $(addprefix tests/,kernels measure money report sources)

lint: .venv/.test  ## style, formatting and types, nothing changed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: .venv/.test  ## mend what style and formatting can mend by themselves
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

bench: .venv/.bench  ## the benchmarks, beside their peers: half an hour, and gigabytes of memory
	$(BIN)/python -m benchmarks.run
	$(BIN)/python -m benchmarks.build
	$(BIN)/python -m benchmarks.refresh
	$(BIN)/python -m benchmarks.worktime
	$(BIN)/python -m benchmarks.pipeline
	$(BIN)/python -m benchmarks.coverage
	$(BIN)/python -m benchmarks.out_of_core
	$(BIN)/python -m benchmarks.profile

growth: .venv/.test  ## how time and memory grow to a billion events: 20 minutes, and 25 GB of disk
	$(BIN)/python -m benchmarks.growth

lock: .venv/.python  ## resolve anew and rewrite constraints.txt and constraints-min.txt
	$(BIN)/python .ci/lock.py

clean:  ## remove the environments, outputs and caches
	rm -rf .venv .venv-min out build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src tests benchmarks .ci -name __pycache__ -prune -exec rm -rf {} +

# An old pip knows no dependency groups, so the locked one comes first; hatchling is locked too and builds in place.
%/.python: constraints.txt
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 …' >&2; exit 1; }
	$(PYTHON) -m venv $*
	$*/bin/python $(PIP) install --constraint constraints.txt --upgrade pip
	$*/bin/python $(PIP) install --constraint constraints.txt hatchling
	@touch $@

.venv/.runtime: .venv/.python pyproject.toml
	$(BIN)/python $(PIP) install --constraint constraints.txt --no-build-isolation --editable .
	@touch $@

.venv/.test: .venv/.runtime
	$(BIN)/python $(PIP) install --constraint constraints.txt --group test
	@touch $@

.venv/.bench: .venv/.test
	$(BIN)/python $(PIP) install --constraint constraints.txt --group bench
	@touch $@

.venv-min/.ready: .venv-min/.python constraints-min.txt pyproject.toml
	.venv-min/bin/python $(PIP) install --constraint constraints-min.txt --no-build-isolation --editable . --group test-core
	@touch $@
