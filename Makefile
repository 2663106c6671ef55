# Commands for people and CI. Every target works on a fresh clone.
#
#   make demo        build Tidegate and publish a real site twice, offline
#   make test        run every test; install what the tests need
#   make test-fast   run the tests that need neither a network nor other servers

SHELL := bash
export PATH := $(CURDIR)/.tools/bin:$(PATH)

.PHONY: demo demo-serve build release dist package check-packages test test-fast bench fuzz fmt check-fmt clippy docs deny links check ci

demo: build
	@scripts/demo

# Serve the site that `make demo` published: a preview behind a small CDN cache, republished when its source changes.
demo-serve: build
	@test -d .demo/site-v2 || scripts/demo
	@scripts/demo serve

# The small test `components` gives crates the same features as in `make test`. Cargo unifies the features of everything in
# one build, and would otherwise build most dependencies twice.
build:
	@cargo build --bin tidegate --test components

# Build the static binaries for both architectures of Lambda into dist/: make release binaries="tidegate-x86_64 ..."
release:
	@scripts/release $(binaries)

# Complete dist/ with checksums, software bills of materials and release notes: make dist version=0.1.0
dist:
	@scripts/dist $(version)

# Package the crates for crates.io with the bundled plugins, and build each package: takes long.
package:
	@scripts/package

# Package the crates, and check all packages together.
check-packages:
	@scripts/package --check

test:
	@scripts/test

test-fast:
	@scripts/test --fast

bench:
	@scripts/bench

# Fuzz the archive reader with coverage feedback: make fuzz seconds=600
seconds ?= 60
fuzz:
	@fuzz/run $(seconds)

# The fuzz target and the example plugin are workspaces of their own.
fmt:
	@cargo fmt --all
	@cargo fmt --all --manifest-path fuzz/Cargo.toml
	@cargo fmt --all --manifest-path examples/plugin-no-drafts/Cargo.toml

check-fmt:
	@cargo fmt --all --check
	@cargo fmt --all --check --manifest-path fuzz/Cargo.toml
	@cargo fmt --all --check --manifest-path examples/plugin-no-drafts/Cargo.toml

# The shipped `bootstrap` and the benchmark are checked separately, because they have fewer features than the workspace.
clippy:
	@cargo clippy --locked --quiet --workspace --all-targets -- -D warnings
	@cargo clippy --locked --quiet --package tidegate-lambda --bin bootstrap -- -D warnings
	@cargo clippy --locked --quiet --package tidegate-bench -- -D warnings

# There are no examples, but `--examples` selects the same features as `build`.
docs:
	RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps --lib --bins --examples

deny:
	@scripts/tools cargo-deny
	@scripts/check-dependencies

links:
	@scripts/check-links

# Check the rules of the repository (dependencies, names, words, sizes) and its GitHub workflows.
check:
	@scripts/check-repository
	@scripts/check-workflows

# Run what CI runs.
ci:
	.ci/run
