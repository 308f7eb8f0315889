# `make run`: from nothing to a verdict on a real engine.  `make test`: the whole suite, real engines included.
# Uses uv where there is one, plain venv and pip where not. Needs Python >= 3.11 and a C++ compiler; `make test` also
# cmake, Chromium and its driver, nginx, HAProxy, Prometheus and sshd, which it installs itself where it is root and there is apt-get, and
# the LiteLLM proxy and SkyPilot, which it puts into environments of their own.

VENV   := .venv
STAMPS := .stamps
BIN    := $(VENV)/bin
PYTHON ?= python3
UV     := $(shell command -v uv 2>/dev/null)

# llama.cpp as a library is all that the embedded engine needs: leave out what takes minutes to compile.
export CMAKE_ARGS ?= -DLLAVA_BUILD=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
                     -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_TESTS=OFF

ifneq ($(UV),)
  MAKE_VENV = $(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
  INSTALL   = VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet
else
  MAKE_VENV = $(PYTHON) -m venv $(VENV)
  INSTALL   = $(BIN)/python -m pip install --quiet --disable-pip-version-check
endif

# What must be there before anything starts, each program with Debian's package that brings it.
COMPILER := $(if $(filter default,$(origin CXX)),c++,$(firstword $(CXX))):g++
TOOLS    := $(COMPILER) cmake:cmake chromium:chromium chromedriver:chromium-driver nginx:nginx haproxy:haproxy \
            prometheus:prometheus sshd:openssh-server
# Debian puts servers where many a user's PATH does not look.
SBIN     := /usr/sbin

# $(call missing,PROGRAM:PACKAGE ...) puts the programs that are not there in $$missing, their packages in $$packages.
missing = missing= packages=; for tool in $(1); do \
          command -v "$${tool%:*}" >/dev/null || [ -x "$(SBIN)/$${tool%:*}" ] || \
          { missing="$$missing $${tool%:*}"; packages="$$packages $${tool\#*:}"; }; done
complain = { echo "error: not on this machine:$$missing (Debian: apt-get install$$packages)" >&2; exit 1; }

# Tests of long loads, engines and the browser run one by one; of the others this many at once, since every other second
# they wait for a server.
CHECKS_AT_ONCE := 4
PATIENT := engine or browser or slow
# Boxes that are rented here wait for engines and timers; a file's share one machine.
RENTED  := -q -n 3 --dist loadfile -m rented
AT_ONCE := -q -n $(CHECKS_AT_ONCE) --dist worksteal -m "not ($(PATIENT))"

.NOTPARALLEL:
.PHONY: help setup compiler tools engine litellm sky run check test lint clean

help:
	@echo "make run    set up, start a real engine, drive it, print a verdict (first time: minutes, it compiles llama.cpp)"
	@echo "make check  ruff, mypy and all tests that need neither engine nor browser nor patience (8 minutes)"
	@echo "make test   set up, install three real engines (first time: 15 to 30 minutes), run the whole suite"
	@echo "make lint   ruff and mypy"
	@echo "make litellm  the proxy that tests put before a server, by hashes, in an environment of its own (half a minute)"
	@echo "make sky    SkyPilot, which rents on clouds, by hashes, in an environment of its own (half a minute)"
	@echo "make setup  only the environment in $(VENV)"

setup: $(STAMPS)/setup
engine: compiler $(STAMPS)/engine

compiler:
	@[ -e $(STAMPS)/engine ] && exit; $(call missing,$(COMPILER)); [ -z "$$missing" ] || $(complain)

tools:
	@$(call missing,$(TOOLS)); [ -z "$$missing" ] && exit; \
	[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || $(complain); \
	echo "installing$$packages" >&2; export DEBIAN_FRONTEND=noninteractive; \
	apt-get update -qq && apt-get install -y -qq --no-install-recommends $$packages >/dev/null || $(complain)

$(STAMPS)/setup: pyproject.toml
	@echo "setting up $(VENV)" >&2
	@$(MAKE_VENV)
	@$(INSTALL) -e '.[dev]'
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/engine: $(STAMPS)/setup
	@echo "installing the embedded engine: compiles llama.cpp, 4 to 10 minutes on 2 cores the first time" >&2
	@$(INSTALL) -e '.[llama-cpp]'
	@touch $@

# Beside the engines' in the cache, by the pins in tests/support/litellm_env; once, and again where those change.
litellm: $(STAMPS)/setup
	@$(BIN)/python tests/support/litellm_proxy.py

# The same that `breakeven rent install` makes, by the pins in harness/rent/sky.
sky: $(STAMPS)/setup
	@$(BIN)/breakeven rent install

run: compiler $(STAMPS)/engine
	@$(BIN)/breakeven run

check: lint
	@$(BIN)/python -m pytest $(AT_ONCE) $(PYTEST_ARGS)

test: tools $(STAMPS)/engine litellm sky
	@$(BIN)/breakeven engine install llama_server vllm
	@at_once=0; $(BIN)/python -m pytest $(AT_ONCE) $(PYTEST_ARGS) || at_once=$$?; \
	rented=0; $(BIN)/python -m pytest $(RENTED) $(PYTEST_ARGS) || rented=$$?; \
	alone=0; $(BIN)/python -m pytest -m "($(PATIENT)) and not rented" $(PYTEST_ARGS) || alone=$$?; \
	case "$$at_once $$rented $$alone" in *[!05\ ]* | "5 5 5") exit 1;; esac  # 5: that part has none of those asked for

lint: $(STAMPS)/setup
	@$(BIN)/ruff check harness tests benchmarks examples infra
	@$(BIN)/ruff format --check harness tests benchmarks examples
	@$(BIN)/mypy

clean:
	rm -rf $(VENV) $(STAMPS)
