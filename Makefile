# Everything here works on a clean clone: what a target needs is built or installed first, pinned, and kept in a cache
# outside the tree (see tests/setup). cargo and rustup, Go, Python 3 with venv, Node.js with npm, git and a C
# compiler must be there.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

target := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

.PHONY: run
run: ## serve examples/quickstart on 127.0.0.1:8000, with fake providers where no key is set
	cargo build --locked -p penstock-proxy -p penstock-tests --bin penstock-proxy --bin fake-providers
	@PENSTOCK_BINARIES='$(target)/debug' exec examples/quickstart/run

.PHONY: build
build: ## the release binaries, in target/release
	cargo build --locked --release -p penstock-proxy -p penstock-operator

# End-to-end tests wait for others most of the time, so more of them run at once than there are cores.
.PHONY: test
test: setup lint binaries ## lint, then every test, end to end ones included
	PENSTOCK_TESTCLUSTER="$$(tests/setup --path cluster)" PENSTOCK_PYTHON="$$(tests/setup --path python)" \
		PENSTOCK_NODE="$$(tests/setup --path node)" PENSTOCK_HELM="$$(tests/setup --path helm)" \
		PENSTOCK_REDIS_SERVER="$$(tests/setup --path redis)" \
		RUST_TEST_THREADS="$${RUST_TEST_THREADS:-$$((2 * $$(nproc)))}" \
		cargo test --locked --workspace --no-fail-fast

.PHONY: lint
lint: ## formatting, clippy, and what cargo-deny says of licences, bans and sources
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	@tests/deny

.PHONY: bench
bench: ## the benchmarks, in release, side by side with nginx; the last core loads, the first serves
	@missing=; for program in nginx taskset; do command -v $$program >/dev/null || missing+=" $$program"; done; \
		[ -z "$$missing" ] || { echo "make bench needs$$missing: apt-get install nginx-light util-linux" >&2; exit 1; }
	cargo build --locked --release -p penstock-proxy -p penstock-operator -p penstock-bench
	'$(target)/release/penstock-bench' compile
	'$(target)/release/penstock-bench' llm
	taskset -c $$(($$(nproc) - 1)) '$(target)/release/penstock-bench' gateway \
		--proxy '$(target)/release/penstock-proxy' --operator '$(target)/release/penstock-operator'
	taskset -c $$(($$(nproc) - 1)) '$(target)/release/penstock-bench' limits --proxy '$(target)/release/penstock-proxy'

.PHONY: wall
wall: binaries ## what clients see when providers fail, with real times; five minutes
	@tests/setup python
	PENSTOCK_PYTHON="$$(tests/setup --path python)" PACE=1 \
		cargo test --locked -p penstock-tests --test failure every_fault

.PHONY: soak
soak: binaries ## everything that goes wrong, again and again, for ten minutes or SOAK=2h
	SOAK='$(or $(SOAK),10m)' cargo test --locked -p penstock-tests --test failure however_long_all_goes_wrong

.PHONY: setup
setup: ## only bring what `cargo test` needs: the test cluster, Helm, Redis and the providers' SDKs
	@tests/setup cluster
	@tests/setup helm
	@tests/setup python
	@tests/setup node
	@tests/setup redis

# The programs that end-to-end tests start.
.PHONY: binaries
binaries:
	cargo build --locked --workspace --bins
