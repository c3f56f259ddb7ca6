# What can be done here: `make` alone lists it. Needs Python 3.11 or newer, make and a package index; nothing else.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

# Override with `make venv PYTHON=/path/to/python`.
PYTHON ?=
PYTHONS := $(if $(PYTHON),"$(PYTHON)",python3.13 python3.12 python3.11 python3)
# Where `make run` listens and how many residents it makes up; empty means the command's own defaults.
HOST ?=
PORT ?=
RESIDENTS ?=
WORKERS ?=
# `make run FRESH=1` removes the demonstration that is there first.
FRESH ?=
# Further words for pytest: `make suite ARGS="tests/ledger -x"`.
ARGS ?=

# A user-wide `user = true` breaks every virtual environment, and a user-wide constraint can only contradict a lock.
pip = PIP_USER=0 PIP_CONSTRAINT= $(1)/bin/python -m pip --disable-pip-version-check --no-input install -qq
LOCKED := --require-hashes --only-binary=:all: -r
PROJECT := --no-deps --no-build-isolation -e client -e .
CHECKS := lint types layers security suite console

# Prints the first Python that is new enough and can make a virtual environment, or says what to do.
define find_python
can() { "$$1" -c "$$2" >/dev/null 2>&1; }; \
new='import sys; sys.exit(sys.version_info < (3, 11))'; whole='import venv, ensurepip'; \
search() { found=; bare=; for python in $(PYTHONS); do \
  can "$$python" "$$new" || continue; \
  if can "$$python" "$$whole"; then found="$$python"; return; else bare="$$python"; fi; done; }; \
search; \
if [ -z "$$found$$bare" ]; then \
  echo "Python 3.11 or newer is needed; none of these is one:" $(PYTHONS) >&2; \
  echo "Name yours: make PYTHON=/path/to/python3" >&2; exit 1; fi; \
if [ -z "$$found" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
  echo "installing python3-venv, which $$bare lacks"; \
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null && search; fi; \
if [ -z "$$found" ]; then \
  echo "$$bare cannot make virtual environments. Install what it lacks: sudo apt-get install python3-venv" >&2; exit 1; fi
endef

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

.PHONY: venv venv-test venv-bench
venv: .venv/.runtime ## .venv with what the gateway needs at run time
venv-test: .venv/.test ## .venv with what the tests need as well
venv-bench: .venv-bench/.bench

.venv/bin/python .venv-bench/bin/python:
	@$(find_python); venv=$(firstword $(subst /, ,$@)); echo "making $$venv with $$("$$found" --version)"; "$$found" -m venv --clear $$venv

.venv/.runtime: requirements.txt pyproject.toml client/pyproject.toml | .venv/bin/python
	@echo "installing requirements.txt"
	@$(call pip,.venv) $(LOCKED) requirements.txt
	@$(call pip,.venv) $(PROJECT)
	@touch $@

.venv/.test: requirements-test.txt pyproject.toml client/pyproject.toml | .venv/bin/python
	@echo "installing requirements-test.txt"
	@$(call pip,.venv) $(LOCKED) requirements-test.txt
	@$(call pip,.venv) $(PROJECT)
	@touch .venv/.runtime $@

.venv-bench/.bench: requirements-bench.txt pyproject.toml client/pyproject.toml | .venv-bench/bin/python
	@echo "installing requirements-bench.txt"
	@$(call pip,.venv-bench) $(LOCKED) requirements-bench.txt
	@$(call pip,.venv-bench) $(PROJECT)
	@touch $@

.PHONY: run
run: venv ## everything from nothing: a demo gateway with a made-up register, served (HOST, PORT, RESIDENTS, WORKERS, FRESH)
	@exec .venv/bin/nik-gateway demo var/demo $(if $(HOST),--host "$(HOST)") $(if $(PORT),--port "$(PORT)") \
	  $(if $(RESIDENTS),--residents "$(RESIDENTS)") $(if $(WORKERS),--workers "$(WORKERS)") $(if $(FRESH),--fresh)

# What the tests start or load that no package index has: a browser, a proxy, a token in software, a TLS scanner.
DEBIAN := chromium haproxy softhsm2 openssl
.PHONY: debian
debian: ## the Debian packages that the tests need: installed for root, told to anybody else
	@missing=; for package in $(DEBIAN); do \
	  [ "$$(dpkg-query -W -f '$${db:Status-Status}' $$package 2>/dev/null)" = installed ] || missing="$$missing $$package"; done; \
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" = 0 ]; then echo "installing$$missing"; \
	  apt-get -o DPkg::Lock::Timeout=120 update -qq && DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 install -y -qq --no-install-recommends $$missing >/dev/null; \
	else echo "The tests need$$missing. Install once: sudo apt-get install$$missing" >&2; exit 1; fi

.PHONY: test
test: debian venv-test ## every check: lint, types, layers, security, and the tests on real PostgreSQL and Valkey
	@failed=; passed=; for check in $(CHECKS); do echo "== $$check"; \
	  if $(MAKE) --no-print-directory $$check; then passed="$$passed $$check"; else failed="$$failed $$check"; fi; done; \
	echo "== passed:$${passed:- none}"; \
	if [ -n "$$failed" ]; then echo "== failed:$$failed" >&2; exit 1; fi

.PHONY: $(CHECKS)
lint: venv-test ## style and layout (ruff)
	@.venv/bin/ruff check --quiet . && .venv/bin/ruff format --quiet --check .
types: venv-test ## types (mypy --strict)
	@.venv/bin/mypy --strict gateway client/nik_gateway_client
layers: venv-test ## which room may import which (import-linter)
	@.venv/bin/lint-imports --no-cache
security: venv-test ## known bad habits (bandit)
	@.venv/bin/bandit -q -c pyproject.toml -r gateway client
suite: venv-test ## the tests alone (ARGS="tests/ledger -x")
	@.venv/bin/python -m pytest -n 3 --dist loadscope --no-loadscope-reorder -q $(or $(ARGS),--ignore=tests/console)
# Apart: what drives a browser leaves an event loop running in its process, beside which no other test can start one.
console: venv-test ## the tests of the console, in a real browser
	@.venv/bin/python -m pytest -n 2 --dist worksteal -q tests/console

.PHONY: quick
quick: venv-test ## for the change at hand, within a minute: style, types, the pure rooms and the rooms that differ from main
	@.venv/bin/ruff check --quiet . && .venv/bin/ruff format --quiet --check . && .venv/bin/mypy --strict gateway
	@.venv/bin/python tests/quick.py $(ARGS)

.PHONY: prove
prove: debian venv-test ## the long proofs: kills, clusters, large registers, a client of another language, other days
	@command -v npm >/dev/null || $(MAKE) --no-print-directory debian DEBIAN="nodejs npm"
	@.venv/bin/python -m pytest -m prove --timeout 7200 $(ARGS)
	@$(MAKE) --no-print-directory times
	@[ -n "$(ARGS)" ] || $(MAKE) --no-print-directory mutants

.PHONY: times
times: venv-test ## the suite in other orders, at the end of a day, a month, a year, on 29 February (ARGS="tests/store")
	@$(MAKE) --no-print-directory debian DEBIAN="$(DEBIAN) gcc libc6-dev"
	@.venv/bin/python tests/moments.py $(ARGS)

.PHONY: mutants
mutants: venv-test ## put hundreds of dangerous faults into a copy, one by one: does a test turn red? (ARGS="ledger --with keeper")
	@.venv/bin/python tests/mutants/run.py $(ARGS)

.PHONY: pictures
pictures: debian venv-test ## pictures of every page of the console, into var/pictures (NIK_PICTURES)
	@.venv/bin/python -m pytest -q --timeout 1800 tests/console/pictures.py $(ARGS)
	@echo "look at $${NIK_PICTURES:-var/pictures}/index.html"

.PHONY: bench
bench: venv-bench ## speed as ratios, everything side by side in one run
	@.venv-bench/bin/python -m bench.run $(ARGS)

.PHONY: bench-feeds
bench-feeds: venv-test ## a regency's feed on both databases, and what verifications notice of it (ARGS="--changes 30000")
	@.venv/bin/python -m bench.feeds $(ARGS)

.PHONY: bench-large
bench-large: venv-bench ## ten million entries and residents beside a hundred thousand (ARGS=2000000)
	@.venv-bench/bin/python -m bench.large_ledger $(ARGS)
	@.venv-bench/bin/python -m bench.large_service $(ARGS)

.PHONY: docs
docs: venv ## write the generated documents anew (docs/, openapi/)
	@.venv/bin/nik-gateway documents
	@.venv/bin/python tests/forged/written.py

.PHONY: openapi
openapi: venv ## write openapi/openapi.json from the code
	@.venv/bin/nik-gateway openapi openapi/openapi.json

COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" .venv-lock/bin/uv pip compile --quiet --no-config --universal \
  --python-version 3.11 --generate-hashes --no-emit-package nik-gateway-client --no-emit-index-url --no-emit-find-links $(UPGRADE)

.PHONY: lock
lock: ## pin everything anew within what is pinned (UPGRADE=--upgrade moves every pin)
	@[ -x .venv-lock/bin/python ] || { $(find_python); "$$found" -m venv .venv-lock; }
	@$(call pip,.venv-lock) $(LOCKED) requirements-lock.txt
	@$(COMPILE) pyproject.toml --group build -o requirements.txt
	@$(COMPILE) pyproject.toml --group build --extra test -c requirements.txt -o requirements-test.txt
	@$(COMPILE) pyproject.toml --group build --extra bench -c requirements.txt -c requirements-test.txt -o requirements-bench.txt
	@$(COMPILE) --group lock -o requirements-lock.txt

.PHONY: clean
clean: ## remove the environments, caches and the demo
	@rm -rf .venv .venv-bench .venv-lock var build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
