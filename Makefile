# Two commands: make demo, make test. Everything lives in .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint types pytest bench format clean

demo: .venv/.demo
	$(BIN)/eiq-demo run kws.yaml

test: lint types pytest

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.test
	$(BIN)/mypy

pytest: .venv/.test
	$(BIN)/pytest --benchmark-skip

bench: .venv/.test
	$(BIN)/pytest tests/benchmarks --benchmark-only

format: .venv/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.venv/bin/pip:
	$(PYTHON) -c 'import sys; sys.exit("eiq-demo needs Python 3.11 or later, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv

.venv/.demo: .venv/bin/pip pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[desktop]'
	touch $@

.venv/.test: .venv/.demo
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[desktop,test]'
	touch $@

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache
