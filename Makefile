# Everything here installs what it needs first and can be repeated. `make help` lists the targets.
VENV    ?= .venv
BIN     := $(VENV)/bin
SCANNER ?=
RUNS    ?= 200000
CUTS    ?= 1000
STEPS   ?= 1000000
SEQUENCES ?= 500
JOBS    ?= 1000
REPLUGS ?= 100
export VENV

.DEFAULT_GOAL := help
.PHONY: help setup setup-test demo test check bench pictures scenarios fuzz test-cuts test-week test-faults test-endurance \
	format clean

help:
	@echo "make demo    scan ten pages from a simulated feeder to a simulated scan server (SCANNER=<SANE device>: a real one)"
	@echo "make test    all tests"
	@echo "make check   lint, types, import rules"
	@echo "make bench   speed and memory against peers, as ratios"
	@echo "make scenarios   every scenario against the device, the slow ones as well"
	@echo "make fuzz    mutated input for every parser (RUNS=$(RUNS) each)"
	@echo "make test-cuts   CUTS=$(CUTS) power cuts in a ten-page scan; every second one forgets what was not synced"
	@echo "make test-week   STEPS=$(STEPS) operations at faulty servers, on a clock that does not wait"
	@echo "make test-faults   every fault of the scan server at every step, then SEQUENCES=$(SEQUENCES) random sequences"
	@echo "make test-endurance   JOBS=$(JOBS) jobs, 500 pages in one, REPLUGS=$(REPLUGS) replugs: what a running agent holds; and how soon it scans"
	@echo "make setup   only install what is needed · make format · make clean"

setup:
	@packaging/setup.sh run

setup-test:
	@packaging/setup.sh test

demo: setup
	@$(BIN)/dsm-device sim demo --scanner "$(SCANNER)"

test: setup-test
	@$(BIN)/python -m pytest -n 2 -q

check: setup
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

bench: setup-test
	@$(BIN)/python -m tests.bench

pictures: setup-test
	@$(BIN)/python -m tests.pictures tests/pictures/every-setting.png

scenarios: setup
	@$(BIN)/dsm-device sim run --all --slow

fuzz: setup
	@$(BIN)/python tests/fuzz/fuzz_parsers.py --runs $(RUNS)

test-cuts: setup-test
	@$(BIN)/python -m tests.cuts --cuts $(CUTS)

test-week: setup-test
	@$(BIN)/python -m tests.week --steps $(STEPS)

test-faults: setup-test
	@$(BIN)/python -m tests.faults --runs $(SEQUENCES)

test-endurance: setup-test
	@$(BIN)/python -m tests.endurance --jobs $(JOBS) --replugs $(REPLUGS)

format: setup
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --fix --quiet .

clean:
	rm -rf $(VENV) build dist demo-out .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
