# Everything runs in .venv, which these targets make; nothing needs to be installed by hand but Python 3.11, git and make.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test suites check long test-servers format clean

demo: .venv/installed  ## the main job with a scripted model: no key, no network, real tools, real sandbox
	$(BIN)/harness demo --yes

test: .venv/installed  ## the tests, under two minutes on two cores: many wait for programs, so three at a time
	$(BIN)/pytest -m 'not long and not suite' -n 3 --dist worksteal

suites: .venv/installed  ## what starts many programs: attacks on the sandbox, as root and as a normal user; SDK, servers, agents, API
	$(BIN)/pytest -m 'suite and not long' -n 2 --dist worksteal

check: .venv/installed  ## format, lint with size limits, strict types, import layers
	$(BIN)/ruff format --check src tests examples
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

long: .venv/installed  ## the full figures: floods, races, soaks
	$(BIN)/pytest -m long --timeout 1800

test-servers: .venv/installed .servers/llama-server  ## real model servers with puppet models (docs/testing-servers.md)
	.servers/venv/bin/python -m tests.servers.puppet .servers/templates .servers/puppets
	$(BIN)/pytest tests/servers --timeout 300 -rs

.servers/llama-server: tests/servers/build.sh | .servers/venv/installed
	tests/servers/build.sh .servers

.servers/venv/installed: tests/servers/requirements.txt
	$(PYTHON) -m venv .servers/venv
	.servers/venv/bin/pip install --quiet --disable-pip-version-check -r tests/servers/requirements.txt
	touch $@

# Optional, and large: their tests skip where these are not there.
.servers/transformers/installed: tests/servers/puppet_hf.py .servers/llama-server  ## transformers' server (1.2 GB)
	$(PYTHON) -m venv .servers/transformers
	.servers/transformers/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 'transformers[serving]>=5' accelerate gguf
	.servers/transformers/bin/python -m tests.servers.puppet_hf .servers/templates/Qwen-Qwen2.5-7B-Instruct.jinja \
		.servers/puppets_hf hermes main_job text
	touch $@

.servers/litellm/installed:  ## LiteLLM's proxy (750 MB)
	$(PYTHON) -m venv .servers/litellm
	.servers/litellm/bin/pip install --quiet --disable-pip-version-check 'litellm[proxy]'
	touch $@

format: .venv/installed
	$(BIN)/ruff format src tests examples
	$(BIN)/ruff check --fix .

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf .venv .servers .mypy_cache .ruff_cache
