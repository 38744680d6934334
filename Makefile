# Everything runs in a virtual environment of its own, made from setup.py.
# python3 where it is supported, else the newest supported one on the path: make PYTHON=/path/to/python3.12
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(firstword $(shell for name in python3 python3.13 python3.12 python3.11; do \
    $$name -c '$(SUPPORTED)' 2>/dev/null && echo $$name; done) python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed

.PHONY: run test test-slow audit lint format bench scaling reliability soak table1 table2 pmo clean

run: $(INSTALLED)
	$(BIN)/python -m rl_tuner.train --gin_file=gin/psi_music.gin

test: $(INSTALLED)
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: $(INSTALLED) audit
	$(BIN)/python -m pytest -m slow

# Known vulnerabilities of what is installed; needs the network.
audit: $(INSTALLED)
	$(BIN)/python -m pip install --progress-bar=off --quiet "pip-audit>=2.7,<3"
	$(BIN)/pip-audit --skip-editable

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m tests.noqa_reasons
	$(BIN)/lint-imports
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks.speed

scaling: $(INSTALLED)
	$(BIN)/python -m benchmarks.speed.scaling

reliability: $(INSTALLED)
	$(BIN)/python -m benchmarks.reliability

# An hour; five minutes: make soak MINUTES=2.5
MINUTES ?= 30
soak: $(INSTALLED)
	$(BIN)/python -m benchmarks.reliability --kills=0 --hostile=0 --fuzz=0 --soak_minutes=$(MINUTES)

table1: $(INSTALLED)
	$(BIN)/python -m benchmarks.paper.table1

table2: $(INSTALLED)
	$(BIN)/python -m benchmarks.paper.table2

# A file of SMILES for the prior: make pmo DATA=my.smi
DATA ?= data/zinc_250k.smi
pmo: $(INSTALLED)
	$(BIN)/python -m benchmarks.paper.pmo --data=$(DATA)

$(INSTALLED): setup.py pyproject.toml
	@$(PYTHON) -c '$(SUPPORTED)' || { echo "error: $(PYTHON) is not Python 3.11, 3.12 or 3.13;" \
	    "name one that is: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --progress-bar=off --quiet --upgrade pip
	@echo "installing into $(VENV): about two minutes"
	$(BIN)/python -m pip install --progress-bar=off --quiet -e ".[corpus,dev]"
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
