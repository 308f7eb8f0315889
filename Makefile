# `make run`: from nothing to a verdict on a real engine.  `make test`: the whole suite, real engines included.
# Uses uv where there is one, plain venv and pip where not. Needs Python >= 3.11 and a C++ compiler with cmake.

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

.PHONY: help setup engine run test lint clean

help:
	@echo "make run    set up, start a real engine, drive it, print a verdict (first time: minutes, it compiles llama.cpp)"
	@echo "make test   set up, install three real engines (first time: 15 to 30 minutes), run the whole suite"
	@echo "make lint   ruff and mypy"
	@echo "make setup  only the environment in $(VENV)"

setup: $(STAMPS)/setup
engine: $(STAMPS)/engine

$(STAMPS)/setup: pyproject.toml
	@echo "setting up $(VENV)" >&2
	@$(MAKE_VENV)
	@$(INSTALL) -e '.[dev]'
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/engine: $(STAMPS)/setup
	@echo "installing the embedded engine: compiles llama.cpp, 4 to 10 minutes on 2 cores the first time" >&2
	@$(INSTALL) -e '.[llama-cpp]'
	@touch $@

run: $(STAMPS)/engine
	@$(BIN)/breakeven run

test: $(STAMPS)/engine
	@$(BIN)/breakeven engine install llama_server vllm
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(STAMPS)/setup
	@$(BIN)/ruff check harness tests benchmarks
	@$(BIN)/ruff format --check harness tests benchmarks
	@$(BIN)/mypy

clean:
	rm -rf $(VENV) $(STAMPS)
