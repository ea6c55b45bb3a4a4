# Everything runs in .venv, which these targets make; nothing needs to be installed by hand but Python 3.11, git and make.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check long format clean

demo: .venv/installed  ## the main job with a scripted model: no key, no network, real tools, real sandbox
	$(BIN)/harness demo --yes

test: .venv/installed  ## the tests, under two minutes on two cores
	$(BIN)/pytest -m 'not long'

check: .venv/installed  ## format, lint with size limits, strict types, import layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

long: .venv/installed  ## the full figures: floods, races, soaks
	$(BIN)/pytest -m long --timeout 1800

format: .venv/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf .venv .mypy_cache .ruff_cache
