# Needs Python 3.11 or newer and git; everything else is installed into .venv, as requirements.lock has it.
PYTHON ?= python3
BIN := .venv/bin
PIP := -m pip install --quiet --disable-pip-version-check
# What meets the libraries: the server over real sockets, tokens, passwords, the storages, schemas and the checker.
MEETING := $(addprefix tests/test_,http.py serve.py passwords.py tokens.py keys.py security.py store.py schema.py \
	inputs.py messages.py filters.py openapi.py migrate.py import.py lsp.py)

.PHONY: serve test check bench lint schema docs lock upgrade newest fast-passwords

serve: .venv/ready
	@$(BIN)/stackwright serve --reload

test: lint
	@$(BIN)/python -m pytest

check: .venv/ready
	@$(BIN)/stackwright check

# All of them, then a failure where any missed what we promise.
BENCHMARKS := benchmarks $(addprefix benchmarks.,start fairness writes editor database transfer)
bench: .venv/ready
	@status=0; for each in $(BENCHMARKS); do $(BIN)/python -m $$each || status=1; done; exit $$status

lint: .venv/ready
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy --no-error-summary

schema: .venv/ready
	@$(BIN)/stackwright schema --write schemas

docs: .venv/ready
	@$(BIN)/stackwright docs --write docs/reference.md
	@$(BIN)/stackwright explain --write docs/codes.md

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command 'make lock' $(if $(filter upgrade,$@),--upgrade)

# Brings requirements.lock up to pyproject.toml: 'lock' keeps every version that still fits, 'upgrade' none.
lock upgrade: .venv/ready
	@$(COMPILE) --extra dev --output-file requirements.lock pyproject.toml
	@$(COMPILE) --group fast-passwords --output-file requirements-build.lock

# The newest versions that pyproject.toml allows, in a .venv of their own.
newest:
	@$(PYTHON) -m venv --clear .venv-newest
	@.venv-newest/bin/python $(PIP) --editable '.[dev]'
	@.venv-newest/bin/python -m pytest $(MEETING)

# Builds what hashes passwords for processors with AVX2, as this one: a wheel has to run on any. Equal hashes, half the time.
HAS_AVX2 := (cat /proc/cpuinfo; sysctl -n machdep.cpu.leaf7_features) 2>/dev/null | grep -qiw avx2
BINDINGS := sed -n '/^argon2-cffi-bindings==/,/[^\\]$$/p' requirements.lock
fast-passwords: .venv/ready
	@if ! ($(HAS_AVX2)); then echo 'this processor has no AVX2: the wheel stays'; \
	elif ! command -v "$${CC:-cc}" >/dev/null; then echo 'there is no C compiler: the wheel stays'; \
	else set -e; trap 'rm -rf .venv-build' EXIT; \
		$(PYTHON) -m venv --clear .venv-build; \
		.venv-build/bin/python $(PIP) --require-hashes --requirement requirements-build.lock; \
		$(BINDINGS) >.venv-build/bindings.txt; \
		PATH="$$PWD/.venv-build/bin:$$PATH" CFLAGS='-O3 -mavx2' .venv-build/bin/python -m pip wheel --quiet \
			--disable-pip-version-check --require-hashes --no-deps --no-cache-dir --no-build-isolation \
			--no-binary argon2-cffi-bindings --wheel-dir .venv-build --requirement .venv-build/bindings.txt; \
		$(BIN)/python $(PIP) --force-reinstall --no-deps .venv-build/argon2_cffi_bindings-*.whl; \
		echo 'passwords are hashed with AVX2'; \
	fi

# The build tools are among what the lock names, so that nothing comes in without a hash.
.venv/ready: pyproject.toml requirements.lock
	@$(PYTHON) -m venv .venv
	@$(BIN)/python $(PIP) --require-hashes --requirement requirements.lock
	@$(BIN)/python $(PIP) --no-deps --no-build-isolation --editable .
	@touch $@
