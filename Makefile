# Everything runs in .venv, which the first target that needs it makes.
PYTHON ?= python3
VENV ?= .venv
EXTRAS ?= cpu,dev
ARGS ?=
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help install demo test lint format bench stack viewer docs clean

help:  ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-8s %s\n", $$1, $$2}'

# One stamp per set of extras: `make demo` then `make test` adds what is missing and starts nothing over.
$(VENV)/.ready-%: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "SecondRead needs Python 3.11 or newer; set PYTHON=" >&2; exit 2; }
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[$*]"
	@touch $@

install: $(VENV)/.ready-cpu  ## the command line in .venv, without development tools (some minutes)

demo: $(VENV)/.ready-cpu  ## phantoms in over DICOM, readings back (ARGS="--input DIR --keep")
	$(BIN)/secondread demo $(ARGS)

test: $(VENV)/.ready-$(EXTRAS)  ## the test suite (ARGS="tests/models -k box"; EXTRAS=cpu,dev,export adds torch)
	$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.ready-$(EXTRAS)  ## ruff, mypy --strict, import-linter, codespell
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

format: $(VENV)/.ready-$(EXTRAS)  ## ruff format and the fixes that ruff is sure of
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.ready-$(EXTRAS)  ## the measurements of docs/performance.md, as JSON in benchmarks/results
	@mkdir -p benchmarks/results
	@for file in benchmarks/*.py; do \
		case $$file in */_*) continue;; esac; \
		echo "== $$file"; \
		$(BIN)/python $$file --json benchmarks/results/$$(basename $$file .py).json || exit 1; \
	done

stack: $(VENV)/.ready-cpu  ## Orthanc, PostgreSQL, Prefect and SecondRead, natively; Ctrl-C ends them
	SECONDREAD=$(abspath $(BIN))/secondread infra/stack.sh

viewer:  ## fetch the OHIF viewer into .viewer, by npm, checked against its pinned hash
	$(PYTHON) -m flows.viewer.fetch $(ARGS)

docs: $(VENV)/.ready-$(EXTRAS)  ## write the generated pages of docs/ anew
	$(BIN)/secondread reference docs

clean:  ## remove the virtual environment and what tools left behind
	rm -rf $(VENV) .viewer .demo .stack .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
