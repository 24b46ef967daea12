# What people and CI run. A recipe is a line or two; what needs code is a program of testbed/.

FILTERS := rate-limit response-cache circuit-breaker metrics gateway
PURE    := weir-kit $(FILTERS:%=weir-%)
NATIVE  := $(PURE) weir-testbed weir-upstream
TARGET  := $(or $(CARGO_TARGET_DIR),target)

# The programs and tests share one profile, so that nothing is compiled twice for them.
# The first build takes minutes and shows its progress; later ones speak only of problems.
QUIET   = $(if $(wildcard $(TARGET)/tool/weir-pack),--quiet)
CARGO   = --locked $(QUIET)
TOOL    = $(CARGO) --profile tool
TESTS   = --locked --profile tool
WASM    = --target wasm32-unknown-unknown
LINKED  = $(TARGET)/wasm32-unknown-unknown/release
PROGRAM = exec $(TARGET)/tool
MODULES = $(foreach filter,$(FILTERS),$(LINKED)/weir_$(subst -,_,$(filter)).wasm)

# A flag with the value of a variable, or nothing: $(call flag,upstream,$(UPSTREAM))
flag = $(if $(2),--$(1) '$(2)')

# What can be told to be wrong without building is told before: by make itself, so with -j too.
asked    = $(filter $(1),$(MAKECMDGOALS))
INSTANCE := for instance: make proxy UPSTREAM=127.0.0.1:8000
ifneq (,$(call asked,proxy))
  ifeq (,$(UPSTREAM))
    $(error give UPSTREAM=host:port, $(INSTANCE))
  else ifneq (,$(findstring /,$(UPSTREAM))$(filter :% %:,$(UPSTREAM))$(if $(findstring :,$(UPSTREAM)),,none))
    $(error UPSTREAM=$(UPSTREAM) is not the host:port of a plain HTTP service, $(INSTANCE))
  endif
endif
ifneq (,$(call asked,proxy check-config))
  ifneq (,$(if $(FILTER),$(if $(filter $(FILTER),$(FILTERS)),,unknown)))
    $(error FILTER=$(FILTER) is none of: $(FILTERS))
  else ifneq (,$(if $(CONFIG),$(shell test -f '$(CONFIG)' || echo missing)))
    $(error CONFIG=$(CONFIG): there is no such file)
  else ifneq (,$(if $(CONFIG),,$(call asked,check-config)))
    $(error give CONFIG=file, for instance: make check-config CONFIG=my.yaml FILTER=rate-limit)
  endif
endif
ifneq (,$(if $(QUIET),,$(call asked,proxy testbed testbed-native demo traffic check-config build)))
  $(info building, about two or three minutes the first time)
endif

.DEFAULT_GOAL := help
.PHONY: help setup build modules probe packer programs test test-unit test-wasm test-sim test-envoy test-console test-tidy \
	test-testbed proxy testbed testbed-images testbed-native testbed-down demo traffic check-config fmt lint doc costs bench hit-ratios clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

proxy: modules programs setup-envoy ## Envoy with Weir before UPSTREAM=host:port [PORT= FILTER= CONFIG= WORKERS=]
	@$(PROGRAM)/weir-proxy $(call flag,upstream,$(UPSTREAM)) $(call flag,port,$(PORT)) \
		$(call flag,filter,$(FILTER)) $(call flag,config,$(CONFIG)) $(call flag,workers,$(WORKERS))

testbed: modules programs setup-envoy setup-stack ## the local stack in containers, or as processes where there is no engine
	@$(PROGRAM)/weir-testbed up

testbed-native: modules programs setup-envoy setup-redis setup-prometheus ## the local stack as plain processes
	@$(PROGRAM)/weir-testbed native

testbed-images: programs setup-envoy setup-debootstrap ## stand-ins for the images of the stack, built without a registry
	@$(PROGRAM)/weir-testbed images

testbed-down: programs ## stop the local stack and remove everything of it
	@$(PROGRAM)/weir-testbed down

demo: modules programs setup-envoy setup-stack ## play a story against the local stack; PASS or FAIL for each step
	@$(PROGRAM)/weir-demo

traffic: programs setup-envoy ## mixed traffic for the running testbed to show [DURATION=seconds RATE=requests a second]
	@$(PROGRAM)/weir-traffic $(call flag,duration,$(DURATION)) $(call flag,rate,$(RATE))

check-config: modules programs setup-envoy ## what a configuration puts in force, or what is wrong: CONFIG=file [FILTER=]
	@$(PROGRAM)/weir-check $(call flag,filter,$(FILTER)) $(call flag,config,$(CONFIG))

setup: ## bring what is missing on this machine; safe to repeat
	@testbed/setup.sh

setup-%:
	@testbed/setup.sh --quiet $*

build: $(FILTERS:%=linked-%) packer ## the modules in dist/, with a table of what is in them
	@$(PROGRAM)/weir-pack --out dist $(MODULES)

# Each module by itself: cargo would give packages that it builds together the union of their features.
# As cdylib here and not in the manifest, since cargo leaves link-time optimisation out for a library that is both.
linked-%: setup-rust
	@cargo rustc $(CARGO) --release $(WASM) -p weir-$* --features module --crate-type cdylib

modules: $(FILTERS:%=linked-%) packer
	@$(PROGRAM)/weir-pack --quiet --out dist $(MODULES)

# A filter for tests only; it never lies beside the ones that ship.
probe: linked-probe packer
	@$(PROGRAM)/weir-pack --quiet --out $(TARGET)/probe $(LINKED)/weir_probe.wasm

packer: setup-rust
	@cargo build $(TOOL) -p weir-testbed -p weir-upstream --bin weir-pack

programs: setup-rust
	@cargo build $(TOOL) -p weir-testbed -p weir-upstream --bins

test: test-unit test-wasm test-sim test-envoy test-console test-tidy ## every test that needs no container engine

test-unit: modules programs setup-envoy setup-redis setup-prometheus ## native tests of the filters, of the programs, of rules and dashboards
	@cargo test $(TESTS) $(NATIVE:%=-p %)

test-wasm: setup-rust setup-node setup-wasm-bindgen ## the same logic on wasm32, under Node
	@cargo test $(TESTS) $(WASM) --tests $(PURE:%=-p %)

test-sim: modules probe ## the shipped modules in a simulated host, with counted costs
	@cargo test $(TESTS) -p weir-tests --lib --test sim

test-envoy: modules probe setup-envoy setup-h2load setup-prometheus setup-openapi ## the shipped modules in a real Envoy
	@cargo test $(TESTS) -p weir-tests --test envoy

test-console: modules setup-envoy setup-chromium ## the console in a real browser, before a real Envoy
	@cargo test $(TESTS) -p weir-tests --test console

test-tidy: setup-rust ## the rules of the house that a machine can check
	@cargo test $(TESTS) -p weir-tests --test tidy

test-testbed: modules programs setup-envoy setup-debootstrap ## the story against containers; kill, restart, leave nothing behind
	@$(PROGRAM)/weir-testbed test

fmt: setup-rust ## format everything
	@cargo fmt --all

lint: setup-rust ## formatting, lints natively and for wasm32
	@cargo fmt --all --check
	@cargo clippy $(TOOL) --workspace --all-targets -- -D warnings
	@cargo clippy $(TOOL) $(WASM) $(FILTERS:%=-p weir-%) -p weir-probe --features module -- -D warnings

doc: setup-rust ## the documentation of every crate; a broken link is an error
	@RUSTDOCFLAGS='-D warnings' cargo doc $(TOOL) --workspace --no-deps

costs: modules probe ## write the table of counted costs anew
	@WEIR_BLESS=1 cargo test $(TESTS) -p weir-tests --test sim cost

bench: modules programs setup-envoy setup-h2load ## what a request costs with each filter, as ratios to plain Envoy
	@$(PROGRAM)/weir-bench

hit-ratios: programs ## what the cache gives up, measured: hit ratios beside LRU, W-TinyLFU and the optimum
	@$(PROGRAM)/weir-hit-ratios

clean: ## remove what was built; what `make setup` brought stays
	@cargo clean --quiet && rm -rf dist
