# Needs Python 3.11 or newer and git; everything else is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: serve test check bench lint schema docs

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

.venv/ready: pyproject.toml
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
