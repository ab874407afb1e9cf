# Sets everything up from a bare clone and runs it; `make help` lists what there is.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
ARGS ?=
SANITIZER ?= address

# Absolute, so that a build in another folder finds them.
ROOT := $(CURDIR)
BIN := $(ROOT)/.venv/bin
WHEELS := $(ROOT)/build/wheels
# A stamp file says that a step is done; a step is repeated when what it is made from is newer than its stamp.
STAMPS := $(ROOT)/.venv/stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check
NEEDS = $(BIN)/python tools/requirements.py

CPP_FILES = $(shell find csrc -name '*.cpp' -o -name '*.h')
# What the wheel is built from, and nothing else: a stray file of the work tree never gets into it.
PACKAGE_FILES = setup.py pyproject.toml CMakeLists.txt tools/gen_errors.py _torch_ipex_device_autoload.py \
  $(CPP_FILES) $(shell find csrc -name '*.in' -o -name '*.inc') \
  $(shell find torch_ipex_device torch_patches \( -name '*.py' -o -name '*.pyi' -o -name '*.schema.json' -o -name py.typed \) ! -name _built_for.py)
# In the wheel too, but not worth compiling again for.
PACKAGE_TEXTS = LICENSE README.md
COMPAT_FILES = compat/pyproject.toml compat/README.md $(shell find compat/src -name '*.py' -o -name py.typed)

.PHONY: help demo test pytest lint format docs build bench peers compare sanitize clean

help:  ## list the targets
	@grep -hE '^[a-z]+: .*##' Makefile | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16
	@echo "  PYTHON=python3.12 selects the interpreter (first run only), ARGS='...' is passed to demo, test, bench, peers and compare"

demo: $(STAMPS)/demo  ## set up everything, then run ResNet-50 and a transformer on ipex next to stock CPU
	$(BIN)/python examples/demo.py $(ARGS)

test: lint pytest  ## set up everything, then lint and run all tests

pytest: $(STAMPS)/demo $(STAMPS)/test  ## run the tests with the installed wheel; ARGS='tests/docs -k links'
	TORCH_IPEX_DEVICE_WHEELS=$(WHEELS) $(BIN)/pytest $(ARGS)

lint: $(STAMPS)/lint  ## check formatting, lint rules and types
	@echo "==> clang-format, ruff, mypy"
	@$(BIN)/clang-format --dry-run -Werror $(CPP_FILES)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy

format: $(STAMPS)/lint  ## rewrite the sources as the formatters want them
	$(BIN)/clang-format -i $(CPP_FILES)
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

docs: $(STAMPS)/package  ## write the generated pages of docs/ again
	$(BIN)/python tools/gen_docs.py

build: $(STAMPS)/develop  ## developers: editable installation in .venv; later calls compile only what changed
	@PATH="$(BIN):$$PATH" IPEX_BUILD_DIR=$(ROOT)/build/develop $(PIP) install --quiet --no-build-isolation --no-deps --editable . --editable ./compat
	@rm -f $(STAMPS)/package $(STAMPS)/demo $(STAMPS)/test

bench: $(STAMPS)/demo  ## measure what the device costs: fallback, views, backward, import, CPU-only programs
	$(BIN)/python benchmarks/fallback_overhead.py --check $(ARGS)
	$(BIN)/python benchmarks/unused_import.py --check $(ARGS)

peers: $(STAMPS)/demo  ## install what `make compare` compares with, in build/peers; ARGS='zentorch openvino'
	$(BIN)/python benchmarks/setup_peers.py $(ARGS)

compare: $(STAMPS)/bench  ## measure whole models on ipex against PyTorch and installed peers; ARGS='--models resnet50'
	$(BIN)/python benchmarks/compare.py $(ARGS)

sanitize: $(STAMPS)/develop  ## developers: build for SANITIZER=address or thread, and run tests with it; ARGS='tests/forms'
	$(BIN)/python tools/sanitized.py $(SANITIZER) $(BIN)/pytest --capture=sys $(ARGS)

clean:  ## remove what the other targets made, .venv included
	rm -rf .venv build .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info compat/build compat/src/*.egg-info
	rm -rf torch_ipex_device/lib torch_ipex_device/*.so torch_ipex_device/_built_for.py
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Steps of the set-up: each says what it does, since pip is quiet for minutes.
$(STAMPS)/python: tools/check_prerequisites.sh
	@echo "==> virtual environment .venv"
	@bash tools/check_prerequisites.sh $(PYTHON)
	@$(PYTHON) -m venv .venv
	@mkdir -p $(STAMPS)
	@touch $@

$(STAMPS)/wheel: $(PACKAGE_FILES) $(STAMPS)/python
	@echo "==> building the wheel, in an environment of its own with PyTorch, CMake, Ninja and oneDNN's headers (minutes)"
	@rm -rf build/source && mkdir -p build/source $(WHEELS)
	@tar -cf - $(PACKAGE_FILES) $(PACKAGE_TEXTS) | tar -xf - -C build/source
	@rm -f $(WHEELS)/torch_ipex_device-*.whl
	@$(PIP) wheel --quiet --no-deps --wheel-dir $(WHEELS) ./build/source
	@rm -rf build/source
	@touch $@

$(STAMPS)/compat: $(COMPAT_FILES) $(STAMPS)/python
	@echo "==> building the wheel with the legacy import names"
	@rm -rf build/source-compat && mkdir -p build/source-compat $(WHEELS)
	@tar -cf - $(COMPAT_FILES) | tar -xf - -C build/source-compat
	@rm -f $(WHEELS)/torch_ipex_device_compat-*.whl
	@$(PIP) wheel --quiet --no-deps --wheel-dir $(WHEELS) ./build/source-compat/compat
	@rm -rf build/source-compat
	@touch $@

# Reinstalled when rebuilt although the version did not change.
$(STAMPS)/package: $(STAMPS)/wheel $(STAMPS)/compat
	@echo "==> installing both wheels and what they need, PyTorch included"
	@$(PIP) install --quiet $(WHEELS)/*.whl
	@$(PIP) install --quiet --no-deps --force-reinstall $(WHEELS)/*.whl
	@touch $@

# torchvision without its dependencies: they name PyTorch builds, and this one has just been installed.
$(STAMPS)/demo: $(STAMPS)/package pyproject.toml
	@echo "==> installing what the demo needs"
	@$(PIP) install --quiet $$($(NEEDS) demo) pillow
	@$(PIP) install --quiet --no-deps torchvision==0.28.0
	@touch $@

$(STAMPS)/bench: $(STAMPS)/demo pyproject.toml
	@echo "==> installing what the comparison needs"
	@$(PIP) install --quiet $$($(NEEDS) bench)
	@touch $@

$(STAMPS)/test: $(STAMPS)/package pyproject.toml
	@echo "==> installing what the tests need"
	@$(PIP) install --quiet $$($(NEEDS) test)
	@touch $@

# Type checking reads the annotations of what is imported, so torch and rich are needed; the compiled package is not.
$(STAMPS)/lint: $(STAMPS)/python pyproject.toml
	@echo "==> installing formatters, linters and type checker"
	@$(PIP) install --quiet $$($(NEEDS) lint) $$($(NEEDS) run) $$($(NEEDS) demo)
	@touch $@

$(STAMPS)/develop: $(STAMPS)/lint pyproject.toml
	@echo "==> installing what building and testing need"
	@$(PIP) install --quiet $$($(NEEDS) build) $$($(NEEDS) demo) $$($(NEEDS) test) pillow
	@$(PIP) install --quiet --no-deps torchvision==0.28.0
	@touch $@
