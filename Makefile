# The commands of the project. `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
UV := .boot/bin/uv
RUN := .venv/bin
UV_VERSION := 0.13.9
export UV_NO_PROGRESS := 1
export PYTHONDONTWRITEBYTECODE :=

.PHONY: up test check bench screenshots help
.DEFAULT_GOAL := help

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

up: .venv/.ready .venv/.pages ## Build what is missing and start the platform with a small demo
	@exec $(RUN)/qiantang up --demo $(ARGS)

check: .venv/.ready .venv/.pages ## Lint, types, import contracts, architecture and unit tests: no servers, under a minute
	@RUN=$(RUN) tools/check.sh

test: .venv/.ready .venv/.pages ## Install the test servers if missing, then run everything
	@tools/install_servers.sh
	@RUN=$(RUN) tools/check.sh --all

bench: .venv/.ready ## Measure against peers: make bench BENCH=config
	@test -n "$(BENCH)" || { echo "which one? make bench BENCH=<name>, with a name from bench/: $$(ls bench/*/__main__.py | xargs -n1 dirname | xargs -n1 basename | xargs)" >&2; exit 2; }
	@$(RUN)/python -m bench.$(BENCH)

screenshots: .venv/.ready .venv/.pages ## Take the pictures of the documents from the running product
	@$(RUN)/python tools/screenshots.py

.boot/bin/uv:
	@echo "setting up the build tool in .boot/"
	@$(PYTHON) -m venv .boot
	@.boot/bin/pip --quiet --disable-pip-version-check install uv==$(UV_VERSION)

.venv/.ready: .boot/bin/uv requirements.lock sdk/pyproject.toml server/pyproject.toml portal/pyproject.toml
	@echo "installing the locked packages in .venv/"
	@test -x .venv/bin/python || $(UV) venv --quiet --python $(PYTHON) .venv
	@$(UV) pip sync --quiet --python .venv/bin/python --require-hashes requirements.lock
	@$(UV) pip install --quiet --python .venv/bin/python --no-deps -e sdk -e server -e portal
	@touch .venv/.ready

# Vite and npm come with the packages of the lock; the build looks itself at what changed.
.venv/.pages: .venv/.ready $(shell find portal/web -path portal/web/node_modules -prune -o -type f -print 2>/dev/null)
	@$(RUN)/python portal/build_pages.py
	@touch .venv/.pages
