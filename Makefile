# Everything runs in a virtual environment of its own, made from setup.py.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed

.PHONY: run test test-slow lint format bench scaling table1 table2 clean

run: $(INSTALLED)
	$(BIN)/python -m rl_tuner.train --gin_file=gin/psi_music.gin

test: $(INSTALLED)
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: $(INSTALLED)
	$(BIN)/python -m pytest -m slow

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

table1: $(INSTALLED)
	$(BIN)/python -m benchmarks.paper.table1

table2: $(INSTALLED)
	$(BIN)/python -m benchmarks.paper.table2

$(INSTALLED): setup.py pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --progress-bar=off --quiet --upgrade pip
	@echo "installing into $(VENV): about two minutes"
	$(BIN)/python -m pip install --progress-bar=off --quiet -e ".[corpus,dev]"
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
