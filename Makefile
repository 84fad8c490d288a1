# Needs Python 3.11 or newer and git; everything else is installed into .venv, as requirements.lock has it.
PYTHON ?= python3
BIN := .venv/bin
PIP := -m pip install --quiet --disable-pip-version-check
# What meets the libraries: the server over real sockets, tokens, passwords, the storages, schemas and the checker.
MEETING := $(addprefix tests/test_,http.py serve.py passwords.py tokens.py keys.py security.py store.py schema.py \
	inputs.py messages.py filters.py openapi.py migrate.py import.py lsp.py)

.PHONY: serve test check bench lint schema docs lock upgrade newest

serve: .venv/ready
	@$(BIN)/stackwright serve --reload

test: lint
	@$(BIN)/python -m pytest

check: .venv/ready
	@$(BIN)/stackwright check

bench: .venv/ready
	@$(BIN)/python -m benchmarks
	@$(BIN)/python -m benchmarks.writes
	@$(BIN)/python -m benchmarks.editor
	@$(BIN)/python -m benchmarks.database
	@$(BIN)/python -m benchmarks.transfer

lint: .venv/ready
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy --no-error-summary

schema: .venv/ready
	@$(BIN)/stackwright schema --write schemas

docs: .venv/ready
	@$(BIN)/stackwright docs --write docs/reference.md
	@$(BIN)/stackwright explain --write docs/codes.md

# Brings requirements.lock up to pyproject.toml: 'lock' keeps every version that still fits, 'upgrade' none.
lock upgrade: .venv/ready
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes \
		--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
		$(if $(filter upgrade,$@),--upgrade) --output-file requirements.lock pyproject.toml

# The newest versions that pyproject.toml allows, in a .venv of their own.
newest:
	@$(PYTHON) -m venv --clear .venv-newest
	@.venv-newest/bin/python $(PIP) --editable '.[dev]'
	@.venv-newest/bin/python -m pytest $(MEETING)

# The build tools are among what the lock names, so that nothing comes in without a hash.
.venv/ready: pyproject.toml requirements.lock
	@$(PYTHON) -m venv .venv
	@$(BIN)/python $(PIP) --require-hashes --requirement requirements.lock
	@$(BIN)/python $(PIP) --no-deps --no-build-isolation --editable .
	@touch $@
