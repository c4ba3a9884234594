# Everything a developer types. `make` alone prints the list.
#
# One environment, .venv, built from the lock files only (hashes required, wheels only) and built
# anew when one of them changes.

PYTHON ?= python3
PYTEST_ARGS ?=
# Tests run on all cores; those that share an engine stay together (tests/conftest.py) and often wait
# for it: the five groups go on at the same time, with four processes at least.
PROCESSES ?= $(shell $(PYTHON) -c 'import os; print(max(4, os.cpu_count() or 0))')
# What needs none waits seldom, and each process reads all tests first: one more than cores.
QUICK_PROCESSES ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')
PYTEST = $(BIN)/python -m pytest --dist loadgroup
BENCH_ARGS ?=
SECONDS ?= 600
JOBS ?= 2
# Wheels only: a source build would fetch build tools that no lock file names. Python compiles what
# it imports; most of what the tools bring is never imported.
PIP_FLAGS ?= --only-binary=:all: --no-compile

SHELL := /bin/sh
# The tests start lamella a thousand times: each would compile the whole package.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
BIN := $(VENV)/bin
# A pip of 22.3 or newer serves other environments, too; to install one more takes longer than all else.
HOST_PIP = $(PYTHON) -m pip --python $(BIN)/python
PIP = $$([ -x $(BIN)/pip ] && echo $(BIN)/python -m pip || echo $(HOST_PIP)) --disable-pip-version-check
LOCKS := requirements.txt requirements-build.txt requirements-dev.txt
LOCK_VENV := .venv-lock
# The tools of a release are apart: nobody else needs them.
RELEASE_VENV := .venv-release
RELEASE_BIN := $(RELEASE_VENV)/bin
SITE_VENV := .venv-site
SITE_BIN := $(SITE_VENV)/bin
DIST ?= dist

# Stamps: the locked runtime; the package itself on top of it; the tools on top of both.
LOCKED := $(VENV)/.locked
READY := $(VENV)/.ready
DEV := $(VENV)/.dev
RELEASE := $(RELEASE_VENV)/.ready
SITE := $(SITE_VENV)/.ready

TYPED := $(wildcard src tests bench soak container squash.py layers.py hatch_build.py)

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: $(READY) ## squash a small image made on the spot, and prove the result; needs no engine
	@$(BIN)/lamella demo --html demo.html

.PHONY: test
test: $(DEV) ## everything: lint, types, all tests; as root with apt, with real engines and a browser
	@$(MAKE) --no-print-directory --jobs 2 types lint engines compiled
	$(PYTEST) --numprocesses $(PROCESSES) $(PYTEST_ARGS)

# pytest compiles the tests, too: once here, not in each process of a fresh clone.
.PHONY: compiled
compiled: $(DEV)
	@$(BIN)/python -m pytest --collect-only -qq >/dev/null || :

NEEDS_NOTHING = not engine and not browser and not install
# No groups to keep; the folder is left out because it takes long to read.
UNITS = $(BIN)/python -m pytest --numprocesses $(QUICK_PROCESSES) --dist worksteal --ignore tests/browser

.PHONY: test-units
test-units: $(DEV) ## the tests that need no engine, no browser and no package index
	$(UNITS) -m "$(NEEDS_NOTHING)" $(PYTEST_ARGS)

.PHONY: test-quick
test-quick: $(DEV) ## of these the quick ones, with fewer random examples; for in between
	LAMELLA_EXAMPLES=0.2 $(UNITS) -m "$(NEEDS_NOTHING) and not slow" $(PYTEST_ARGS)

.PHONY: lint
lint: $(DEV) ## check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: format
format: $(DEV) ## mend what lint can mend
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

.PHONY: types
types: $(DEV) ## check types
	$(BIN)/mypy $(TYPED)

.PHONY: bench
bench: $(READY) ## measure time, memory and disk, beside others; a few minutes, as root
	$(BIN)/python bench/run.py $(BENCH_ARGS)

.PHONY: bench-quick
bench-quick: $(READY) ## the part of it that needs no engine, on small images
	$(BIN)/python bench/run.py --quick $(BENCH_ARGS)

.PHONY: image
image: $(READY) ## build a container image of lamella, dist/lamella-image.tar; on Debian 12
	$(BIN)/python -m container.build

.PHONY: soak
soak: $(DEV) ## long random checks; SECONDS=600 ROUNDS= ONLY=a,b SEED= JOBS=2
	$(BIN)/python -m soak.run --seconds "$(SECONDS)" --jobs "$(JOBS)" \
	    $(if $(ROUNDS),--rounds "$(ROUNDS)") $(if $(ONLY),--only "$(ONLY)") $(if $(SEED),--seed "$(SEED)")

# The same tree gives the same bytes, whoever builds it, and when.
.PHONY: dist
dist: $(READY) $(RELEASE) ## build wheel and sdist, check them, install the wheel and run it
	rm -rf $(DIST)
	SOURCE_DATE_EPOCH=$$(sh .ci/build-time) $(BIN)/python -m hatchling build -d $(DIST)
	$(RELEASE_BIN)/twine check --strict $(DIST)/*
	sh .ci/try-wheel $(BIN)/python $(DIST)/*.whl

.PHONY: zipapp
zipapp: $(READY) $(RELEASE) ## make one file that runs, for this kind of machine and any Python
	sh .ci/one-file $(DIST)

.PHONY: sbom
sbom: $(RELEASE) ## after make dist: write the bill of materials of the wheel
	sh .ci/sbom $(DIST)

# Needs no network to be read, nor a server: search works from the folder, too.
.PHONY: site
site: $(SITE) ## build the documentation as a site, dist/site; a link to nothing is an error
	$(SITE_BIN)/python .ci/site.py $(DIST)/site
	@echo "$(DIST)/site/index.html is ready"

# The engines and the browser the tests want, where we may install them. Elsewhere those tests skip themselves.
.PHONY: engines
engines: | $(DEV)
	@if [ -f tests/engines/install.sh ] && [ "$$(id -u)" = 0 ] \
	    && command -v apt-get >/dev/null; then bash tests/engines/install.sh; fi

.PHONY: lock
lock: ## upgrade every locked dependency
	@sh .ci/need-venv "$(PYTHON)"
	$(PYTHON) -m venv --clear $(LOCK_VENV)
	$(LOCK_VENV)/bin/python -m pip --disable-pip-version-check install --quiet uv
	$(COMPILE) --upgrade --group dev --group build -o requirements-dev.txt pyproject.toml
	$(COMPILE) -c requirements-dev.txt --group build -o requirements-build.txt
	$(COMPILE) -c requirements-dev.txt -o requirements.txt pyproject.toml
	$(COMPILE) --upgrade -c requirements-dev.txt --group release -o requirements-release.txt
	$(COMPILE) --upgrade -c requirements-dev.txt -c requirements-release.txt --group site -o requirements-site.txt
	$(COMPILE) --upgrade -o bench/requirements.txt bench/requirements.in
	rm -rf $(LOCK_VENV)

COMPILE = $(LOCK_VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

.PHONY: clean
clean: ## remove the environment and all that was built
	rm -rf $(VENV) $(LOCK_VENV) $(RELEASE_VENV) $(SITE_VENV) build dist demo.html .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find src tests bench soak container -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

$(LOCKED): $(LOCKS)
	@sh .ci/need-venv "$(PYTHON)"
	$(PYTHON) -m venv --clear $$($(PYTHON) -m pip --help 2>&1 | grep -q -e --python && echo --without-pip) $(VENV)
	$(PIP) install --quiet --require-hashes $(PIP_FLAGS) -r requirements.txt -r requirements-build.txt
	@touch $@

$(READY): $(LOCKED) pyproject.toml
	$(PIP) install --quiet --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): $(LOCKED) | $(READY)
	$(PIP) install --quiet --require-hashes $(PIP_FLAGS) -r requirements-dev.txt
	@touch $@

$(SITE): requirements-site.txt
	@sh .ci/need-venv "$(PYTHON)"
	$(PYTHON) -m venv --clear $(SITE_VENV)
	$(SITE_BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes $(PIP_FLAGS) -r requirements-site.txt
	@touch $@

$(RELEASE): requirements-release.txt
	@sh .ci/need-venv "$(PYTHON)"
	$(PYTHON) -m venv --clear $(RELEASE_VENV)
	$(RELEASE_BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes $(PIP_FLAGS) -r requirements-release.txt
	@touch $@
