# Every target installs what it needs into .venv first (and uv into .uv where the machine has none): Python 3.11+ and
# the network are enough. Nothing is installed again while pyproject.toml and uv.lock stay as they are.
#
#   make test ARGS="-k kafka"      ARGS goes to the command behind the target

PYTHON ?= python3
UV_VERSION := 0.13.9
# Run it, not only look for it: a shim on PATH may stand for a uv that is not there.
UV ?= $(shell uv --version >/dev/null 2>&1 && echo uv || echo .uv/bin/uv)
READY := .venv/.ready
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check bench

help:
	@echo "make demo       the whole world on this machine, until Ctrl-C (ARGS=--once: ends by itself, exit code 0 if all is well)"
	@echo "make test       the tests, on a real Kafka"
	@echo "make test-all   those that take long or need much, too"
	@echo "make check      lint, format, types, import contracts"
	@echo "make bench      the measurements"

demo: $(READY)
	@$(BIN)/idhub-aws sandbox $(ARGS)

test: $(READY)
	$(BIN)/pytest -m "not big" $(ARGS)

test-all: $(READY)
	$(BIN)/pytest $(ARGS)

check: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	@$(BIN)/python -m bench $(ARGS)

$(READY): pyproject.toml uv.lock $(filter .uv/%,$(UV))
	$(UV) sync --locked --all-extras --group dev --quiet
	@touch $@

.uv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "$(PYTHON) is Python %d.%d; 3.11 or newer is needed. Name one: make PYTHON=python3.11" % sys.version_info[:2])'
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
