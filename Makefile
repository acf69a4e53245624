# Every target sets up what it needs. PYTHON=python3.13 chooses an interpreter, METHODS, DATA and SEEDS the demo.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check verify parity new bench bench-peers soak clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt
METHODS ?= softmax_regression mlp lenet5
DATA ?= digits
SEEDS ?= 5
WORKERS ?= 2
TESTS ?=
WORDS ?=

define NEEDS_PYTHON
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
  echo "torchatlas needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 | head -n 1)." >&2; \
  echo "Name a newer one: make $(or $(MAKECMDGOALS),demo) PYTHON=python3.13" >&2; exit 1; }
endef

ifneq ($(wildcard ../shared/data),)
export TORCHATLAS_DATA ?= $(abspath ../shared/data)
endif

help: ## say what each target does
	@sed -n 's/^\([a-z-]*\):.*## /  make \1: /p' Makefile

demo: $(VENV)/.ready ## compare three networks on real digits and write the report
	$(BIN)/torchatlas compare $(METHODS) --data $(DATA) --seeds $(SEEDS)

test: $(VENV)/.ready-test ## run the whole suite (TESTS=tests/nn runs a part)
	OMP_NUM_THREADS=1 MPLBACKEND=agg $(BIN)/python -m pytest -n $(WORKERS) $(TESTS)

check: $(VENV)/.ready-test ## formatting, linting, types, and the tests that keep the house
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) tests/house
	@$(BIN)/python tools/certify.py --count

verify: $(VENV)/.ready-test ## prove what has no fresh certificate: laws, references, figures
	MPLBACKEND=agg $(BIN)/python tools/certify.py

parity: ## compare with other libraries, in an environment of their own
	@$(MAKE) --no-print-directory VENV=.parity .parity/.ready-parity
	OMP_NUM_THREADS=1 .parity/bin/python -m pytest -c parity/pytest.ini -n $(WORKERS) -q --table .parity/results.md parity

new: ## write a page and its test: make new NAME=serf FAMILY=nn/activations
	$(NEEDS_PYTHON)
	@PYTHONPATH=src $(PYTHON) tools/new.py "$(NAME)" "$(FAMILY)"

bench: $(VENV)/.ready-test ## measure the loop beside hand-written code
	$(BIN)/python -m bench

bench-peers: ## measure beside other libraries, in an environment of their own (WORDS="--only mlp --pairs 3")
	@$(MAKE) --no-print-directory VENV=.peers .peers/.ready-peers
	.peers/bin/python -m bench.peers $(WORDS)

soak: $(VENV)/.ready-test ## kill runs at random moments and compare with runs that nobody touched
	OMP_NUM_THREADS=1 $(BIN)/python tools/soak.py

clean: ## remove the environments and the caches, never runs or studies
	rm -rf $(VENV) .parity .peers build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Debian's Python may come without ensurepip; its pip can then furnish the environment from outside.
$(BIN)/python:
	$(NEEDS_PYTHON)
	@echo "Making the environment $(VENV) ..."
	@if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then $(PYTHON) -m venv $(VENV); else \
	  $(PYTHON) -m venv --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; fi

# One editable install serves both; what test needs includes what demo needs.
$(VENV)/.ready: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing torchatlas and PyTorch into $(VENV) (some minutes the first time) ..."
	@$(PIP) -e .
	@touch $@

$(VENV)/.ready-test: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing torchatlas with what its tests need into $(VENV) (some minutes the first time) ..."
	@$(PIP) -e '.[test]'
	@touch $(VENV)/.ready $@

# For VENV=.parity alone: the other libraries would change the versions that the suite is tested with.
$(VENV)/.ready-parity: pyproject.toml constraints.txt parity/requirements-peers.txt parity/requirements-bare.txt | $(BIN)/python
	@echo "Installing torchatlas beside other libraries into $(VENV) (some minutes the first time) ..."
	@$(PIP) --no-compile -e . -r parity/requirements-peers.txt
	@$(PIP) --no-compile --no-deps -r parity/requirements-bare.txt
	@touch $@

# For VENV=.peers alone, likewise: what `make bench-peers` measures beside.
$(VENV)/.ready-peers: pyproject.toml constraints.txt bench/requirements-peers.txt | $(BIN)/python
	@echo "Installing torchatlas and the libraries beside it into $(VENV) (some minutes the first time) ..."
	@$(PIP) -e . -r bench/requirements-peers.txt
	@touch $@
