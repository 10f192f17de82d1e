# Everything runs in .venv, made and filled on the first call; `make PYTHON=python3.12 test` takes another interpreter.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
DEMO := build/demo

.PHONY: demo test check lint clean help

help:
	@echo "make demo    score a short real film and say where the result lies"
	@echo "make test    lint, types and the tests (under 12 minutes on two cores)"
	@echo "make check   everything, the slow tests too"
	@echo "make clean   remove the environment and everything built"

demo: $(VENV)/.installed
	$(BIN)/python recipes/footage.py --to build/footage
	@mkdir -p $(DEMO)
	$(BIN)/python recipes/demo_film.py build/footage $(DEMO)/demo.mp4 --short
	$(BIN)/python scripts/score_video.py $(DEMO)/demo.mp4 --offline
	@echo
	@echo "The film with its music: $(DEMO)/demo.scored.mp4"
	@echo "Curve, notes, report:    $(DEMO)/demo.narrascore/report.html"

test: lint
	$(BIN)/python -m pytest -q -m "not slow and not gpu"

check: lint
	$(BIN)/python -m pytest -q -m "not gpu"

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy narrascore

clean:
	rm -rf $(VENV) build dist

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[train,data,evaluate,api,notebook,timeline,studio,dev]'
	@touch $(VENV)/.installed $@
