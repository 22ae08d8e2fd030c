# serve   everything on this machine: http://127.0.0.1:8000 (DEADWAX_PORT, DEADWAX_HOST, DEADWAX_DATA)
# test    the tests; test-faults: those that kill processes; check: style, types, import contracts
# bench   the figures of docs/performance.md, beside other frameworks (SIZE=products, ARGS=scenarios)
# lock    resolve the dependencies anew; clean: remove what was installed and built, never data
#
# Needs git, make and Python 3.11 or later with venv. Everything else comes from the lock files into .venv.

# An activated environment or a user's own pip settings must not leak into ours.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP VIRTUAL_ENV PIP_TARGET PIP_PREFIX PIP_USER PIP_REQUIRE_VIRTUALENV

BIN := .venv/bin
PIP := -m pip install -qq --no-input --disable-pip-version-check --no-compile --no-deps
INSTALL := $(BIN)/python $(PIP)
PYTHONS := $(PYTHON) python3 python3.13 python3.12 python3.14 python3.11

.PHONY: serve test test-faults check bench lock clean
.DELETE_ON_ERROR:

serve: .venv/serve.stamp
	@exec $(BIN)/deadwax serve

test: .venv/dev.stamp
	@$(BIN)/python -m pytest -n 2 $(ARGS)

test-faults: .venv/dev.stamp
	@$(BIN)/python -m pytest -n 4 --dist worksteal -m faults $(ARGS)

check: .venv/dev.stamp
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: .venv/dev.stamp .venv/bench.stamp
	@$(BIN)/python -m bench $(if $(SIZE),--size $(SIZE)) $(ARGS)

.venv/serve.stamp: requirements.lock
	@python=; for candidate in $(PYTHONS); do \
	  if $$candidate -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    python=$$candidate; break; fi; done; \
	if [ -z "$$python" ]; then \
	  echo 'Python 3.11 or later with venv is needed (Debian: apt install python3-venv); PYTHON=... names one.' >&2; \
	  exit 1; fi; \
	echo "Setting up .venv with $$($$python -V), about half a minute ..."; \
	rm -rf .venv && $$python -m venv .venv
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-build-isolation -e .
	@touch $@

.venv/dev.stamp: requirements-dev.lock .venv/serve.stamp
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

# What Deadwax is measured beside lives in an environment of its own.
.venv/bench.stamp: requirements-bench.lock .venv/serve.stamp
	@$(BIN)/python -m venv --clear .venv/bench
	@.venv/bench/bin/python $(PIP) --require-hashes -r requirements-bench.lock
	@touch $@

# For the image; with the embedded engines, for `serve`; with the tools too, for `test` and `check`; for `bench`.
lock: .venv/lock.stamp
	@$(LOCK) --group build pyproject.toml -o requirements-runtime.lock
	@$(LOCK) --all-extras --group build -c requirements-runtime.lock pyproject.toml -o requirements.lock
	@$(LOCK) --all-extras --group build --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	@$(LOCK) --group pyproject.toml:bench -c requirements-dev.lock -o requirements-bench.lock

LOCK := .venv/lock/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --upgrade \
	--custom-compile-command 'make lock'

.venv/lock.stamp: .venv/serve.stamp
	@$(BIN)/python -m venv .venv/lock
	@.venv/lock/bin/python -m pip install -qq uv
	@touch $@

clean:
	rm -rf .venv dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
