# What people and CI type. Every target works on a fresh clone: what is missing is installed into .tools/ or by rustup.
#
#   make demo     builds Tidegate and publishes a real site twice, offline
#   make test     every test

SHELL := bash
export PATH := $(CURDIR)/.tools/bin:$(PATH)

# Plugins are compiled to WebAssembly by a build script, so whatever builds goes through this.
cargo := scripts/wasm-target cargo

# What is compiled to WebAssembly and what measures are workspaces of their own.
manifests := $(wildcard Cargo.toml plugins/wasm/Cargo.toml tests/guests/Cargo.toml bench/Cargo.toml)
# Formatted like them; what it is built with is not what clippy is built with.
formatted := $(manifests) $(wildcard fuzz/Cargo.toml)

.PHONY: demo demo-serve build release test bench fuzz fmt check-fmt clippy docs deny links ci

demo: build
	@scripts/demo

# Serves what `make demo` left: a preview behind a small CDN cache, published anew whenever its source changes.
demo-serve: build
	@test -d .demo/site-v2 || scripts/demo
	@scripts/demo serve

# The whole workspace and one small test are named so that every crate has the features that it has in `make test`:
# cargo unites those of what is built together, tests' included, and would build most of the tree twice otherwise.
build:
	@$(cargo) build --workspace --bin tidegate --test components

# Static binaries for both architectures of Lambda, in dist/.
release:
	@scripts/wasm-target scripts/release

test:
	@scripts/wasm-target scripts/test

bench:
	@scripts/wasm-target scripts/bench

# Spoiled archives against the archive reader, guided by coverage: make fuzz seconds=600
seconds ?= 60
fuzz:
	@fuzz/run $(seconds)

fmt:
	@for manifest in $(formatted); do cargo fmt --all --manifest-path $$manifest || exit 1; done

check-fmt:
	@for manifest in $(formatted); do cargo fmt --all --check --manifest-path $$manifest || exit 1; done

clippy:
	@for manifest in $(manifests); do \
		echo "clippy: $$manifest" && \
		$(cargo) clippy --locked --quiet --workspace --all-targets --target-dir target --manifest-path $$manifest -- -D warnings || exit 1; \
	done
	@echo "clippy: the function as it is shipped, which compiles nothing"
	@$(cargo) clippy --locked --quiet --package tidegate-lambda --bin bootstrap -- -D warnings

# `--examples`, of which there are none, for the same reason as in `build`: what clippy has checked serves here too.
docs:
	RUSTDOCFLAGS=-Dwarnings $(cargo) doc --workspace --no-deps --lib --bins --examples

deny:
	@scripts/tools cargo-deny
	@scripts/check-dependencies

links:
	@scripts/check-links

# What CI does, on this machine.
ci:
	.ci/run
