# What people and CI type. Every target works on a fresh clone: what is missing is installed into .tools/ or by rustup.
#
#   make demo     builds Tidegate and publishes a real site twice, offline
#   make test     every test

SHELL := bash
export PATH := $(CURDIR)/.tools/bin:$(PATH)

# Plugins are compiled to WebAssembly by a build script, so whatever builds goes through this.
cargo := scripts/wasm-target cargo

.PHONY: demo demo-serve build test bench fmt clippy docs deny links ci

demo: build
	@scripts/demo

# Serves what `make demo` left: a preview behind a small CDN cache, published anew whenever its source changes.
demo-serve: build
	@test -d .demo/site-v2 || scripts/demo
	@scripts/demo serve

# The whole workspace is named, so that crates have the features that they have in `make test` and are built once.
build:
	@$(cargo) build --quiet --workspace --bin tidegate

test:
	@scripts/wasm-target scripts/test

bench:
	@scripts/wasm-target scripts/bench

fmt:
	cargo fmt --all
	cargo fmt --all --manifest-path plugins/wasm/Cargo.toml
	cargo fmt --all --manifest-path tests/guests/Cargo.toml

clippy:
	$(cargo) clippy --workspace --all-targets -- -D warnings
	$(cargo) clippy --workspace --all-targets --manifest-path plugins/wasm/Cargo.toml -- -D warnings
	$(cargo) clippy --workspace --all-targets --manifest-path tests/guests/Cargo.toml -- -D warnings

docs:
	RUSTDOCFLAGS=-Dwarnings $(cargo) doc --workspace --no-deps

deny:
	@scripts/tools cargo-deny
	@scripts/check-dependencies

links:
	@scripts/check-links

# What CI does, on this machine.
ci:
	.ci/run
