# What people type. The work is done by CMake (CMakePresets.json) and by the scripts in tools/.
#
#   make build          the programs, into build/release/bin
#   make demo           from nothing to a published model that is called (installs what is missing)
#   make serve          run a server here; its data is in $(DATA)
#   make test           everything: unit, system, conformance, attacks, faults, fuzz
#   make test-thread    unit tests under the thread sanitizer
#   make test-frameworks  examples and conversions of Keras, JAX, CatBoost and the current PyTorch (10 GB, made once)
#   make test-kubernetes  runs on a cluster: a real API server and Job controller (built once, 20 minutes), a node that the tests play
#   make test-cgroups  jobs in delegated cgroups, on a machine that QEMU boots (Debian's kernel; 100 MB, fetched once)
#   make check          format, clang-tidy, architecture, shellcheck, mypy (BASE=main: changed files only)
#   make format         rewrite the sources as the formatter wants them
#   make bench          measurements against a peer
#   make runners        the environments of training runs, as far as they are not made
#   make fuzz TARGET=inspect SECONDS=600
#   make install        PREFIX=/usr/local DESTDIR=
#   make clean
PREFIX  ?= /usr/local
DESTDIR ?=
DATA    ?= .glasscase
SECONDS ?= 60
TARGET  ?=
BASE    ?=
BOOTSTRAP_FLAGS ?=

PYTHON := .deps/venv/bin/python
BIN    := build/release/bin

.PHONY: all bootstrap build demo serve test test-thread test-cgroups test-frameworks test-kubernetes check format bench fuzz runners install clean
.DEFAULT_GOAL := build

bootstrap:
	@tools/bootstrap $(BOOTSTRAP_FLAGS)

build: bootstrap
	@cmake --preset release --log-level=WARNING
	@cmake --build --preset release

demo: build
	@$(PYTHON) examples/demo/demo.py --bin $(BIN)

serve: build
	@test -d "$(DATA)" || $(BIN)/glasscase init --data "$(DATA)"
	@exec $(BIN)/glasscase serve --data "$(DATA)"

test: bootstrap
	@$(PYTHON) tools/test

test-thread: bootstrap
	@$(PYTHON) tools/test thread

test-frameworks: build
	@tools/runners
	@tools/runners catboost jax keras pytorch-current
	@$(PYTHON) -m pytest -q -rP tests/frameworks

test-kubernetes: build
	@tools/kubernetes
	@cmake --preset debug --log-level=WARNING
	@cmake --build --preset debug --target jobs_kubernetes_contract
	@$(PYTHON) -m pytest -q -rP --durations=5 tests/kubernetes

test-cgroups: build
	@tools/cgroups
	@cmake --preset plain --log-level=WARNING
	@cmake --build --preset plain --target jobs_bubblewrap_cgroups jobs_podman_cgroups
	@$(PYTHON) -m pytest -q -rP tests/cgroups

check: bootstrap
	@$(PYTHON) tools/check $(if $(BASE),--base $(BASE))

format: bootstrap
	@$(PYTHON) tools/check --fix format

bench: build
	@$(PYTHON) bench/run.py --bin $(BIN)

fuzz: bootstrap
	@$(PYTHON) tools/fuzz $(if $(TARGET),--target $(TARGET)) --seconds $(SECONDS)

runners:
	@tools/runners

# Run `make build` first, then `sudo make install`: as root it would leave files of root in build/. Where nothing is
# built yet (in a container) it builds.
install:
	@test -f $(BIN)/glasscase || $(MAKE) build
	@DESTDIR="$(DESTDIR)" cmake --install build/release --prefix "$(PREFIX)"

clean:
	@rm -rf build .mypy_cache .pytest_cache
