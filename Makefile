# Everything a person types. Each target installs the Debian packages it needs, and says so.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

TARGET := $(shell rustc --print host-tuple)
export STATIC := target/$(TARGET)/release
# Linked whole, so that it starts on any host and in an empty image. Its relocations are packed (binutils 2.38, glibc 2.36): they are a
# thirtieth of the file otherwise.
STATIC_FLAGS := -C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: build
build: ## The binaries as they are shipped: target/<host>/release/userspace and container-app, static
	RUSTFLAGS="$(STATIC_FLAGS)" cargo build --locked --release --target $(TARGET) -p cni-userspace
	RUSTFLAGS="$(STATIC_FLAGS)" cargo build --locked --release --target $(TARGET) -p container-app

.PHONY: slim
slim: ## The same with the engine linux alone, in target/slim
	RUSTFLAGS="$(STATIC_FLAGS)" cargo build --locked --release --target $(TARGET) --target-dir target/slim \
	    -p cni-userspace --no-default-features --features linux

.PHONY: demo
demo: ## Two containers, attached, pinged, checked and removed (root); ENGINE=ovs: on Open vSwitch with DPDK; ENGINE=vpp: on VPP
	@test -x scripts/demo-$${ENGINE:-linux} || { echo "make demo: ENGINE is linux, ovs or vpp, not $$ENGINE" >&2; exit 1; }
	@scripts/packages demo$${ENGINE:+$$(test $$ENGINE = linux || echo -$$ENGINE)}
	@$(MAKE) --no-print-directory build
	@scripts/demo-$${ENGINE:-linux}

.PHONY: test
test: ## Everything that CI runs (root)
	@scripts/packages test
	@scripts/test

.PHONY: lint
lint: ## Formatting, clippy and the documents' warnings
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --all-features --no-deps --quiet

.PHONY: bench
bench: build slim ## Against Debian's bridge plugin, ovs-vsctl and VPP's API alone, with the limits that must hold (root)
	@scripts/packages bench
	cargo bench --locked -p userspace-tests --bench attach
	cargo bench --locked -p userspace-tests --bench ovs
	cargo bench --locked -p userspace-tests --bench vpp
	cargo bench --locked -p userspace-tests --bench app
