# evenkeel: every task of a developer or a new user. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup demo test check prove bench lock clean

# Images that forbid bytecode would have each of the hundreds of processes that tests start compile all it imports.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
# The first Python from 3.11 to 3.13 that really runs; PYTHON=... overrides.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo $$p; break; }; done)

help: ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

$(VENV)/.installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "evenkeel needs Python 3.11, 3.12 or 3.13; none of python3.13 .. python runs. Install one, or say which: make setup PYTHON=/path/to/python3" >&2; exit 1; }
	@sh tools/setup.sh "$(PYTHON)" "$(VENV)"
	@touch "$(VENV)/.installed"

setup: $(VENV)/.installed ## Make the environment: .venv/bin/evenkeel

demo: setup ## A generated lender's book, the whole loop, the report and the story, in ./demo
	@"$(BIN)/evenkeel" demo --out demo

test: setup ## The samples of every test, in minutes
	@"$(BIN)/python" -m pytest -m "not prove"

prove: setup ## The long versions: faults, kills, simulated years
	@"$(BIN)/python" -m pytest -m prove

check: setup ## Format, lint, types, import contracts, function length
	@"$(BIN)/ruff" format --check --quiet .
	@"$(BIN)/ruff" check --quiet .
	@"$(BIN)/mypy"
	@"$(BIN)/lint-imports" --no-cache
	@"$(BIN)/python" tools/lengths.py src

bench: setup ## Timings, stage by stage
	@"$(BIN)/python" benchmarks/spine.py

lock: setup ## Resolve the dependencies again: a hashed lock without registry addresses
	@"$(BIN)/uv" lock --quiet --upgrade
	@"$(BIN)/uv" export --quiet --frozen --no-emit-project --no-header --all-groups --output-file requirements.lock
	@rm -f uv.lock

clean: ## Remove what was made here
	@rm -rf "$(VENV)" demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
