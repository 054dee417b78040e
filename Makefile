# Everything a person types. Each target installs the Debian packages it needs, and says so.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# ARCH, amd64 or arm64, is the machine that is built for (default: this one). Asked when it is first needed, and once.
TARGET = $(eval TARGET := $$(or $$(shell scripts/target $(ARCH)),$$(error there is nothing to build for)))$(TARGET)
STATIC = target/$(TARGET)/release
# musl comes with Rust's standard library, and nothing here is C: so Rust's own linker does, for any machine. Functions that are the same are
# one with it (1 % of the binary with vpp alone).
LINKER = $(if $(filter %-musl,$(TARGET)), -C linker=rust-lld -C link-arg=--icf=all)
# Linked whole, so that it starts on any host and in an empty image.
BUILD = RUSTFLAGS="-C target-feature=+crt-static$(LINKER)" cargo build --locked --release --target $(TARGET)

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: build
build: ## The binaries as they are shipped: target/<target>/release/userspace and container-app, static; ARCH=arm64: for that machine
	# Each by itself: a build of both would give each the features of the other's dependencies.
	$(BUILD) -p cni-userspace
	$(BUILD) -p container-app

.PHONY: images
images: build ## An image of each for podman, docker and containerd: target/images/<name>-<arch>.tar; ARCH=arm64: the same
	@scripts/packages images
	@ARCH=$(ARCH) scripts/images $(STATIC) target/images

.PHONY: slim
slim: ## The same with one engine each: target/slim/<engine>/userspace
	for engine in linux vpp ovs; do \
	    $(BUILD) -p cni-userspace --target-dir target/slim --no-default-features --features $$engine; \
	    install -D target/slim/$(TARGET)/release/userspace target/slim/$$engine/userspace; \
	done
	stat --format '%8s %n' target/slim/*/userspace

.PHONY: kube
kube: ## The plugin with the Kubernetes API too: target/kube/userspace
	# The cryptography of TLS has parts in C, which call nothing that differs between C libraries, unless the compiler checks their calls.
	export CC_$(subst -,_,$(TARGET))="$${CC:-cc}" CFLAGS_$(subst -,_,$(TARGET))=-U_FORTIFY_SOURCE; \
	$(BUILD) -p cni-userspace --target-dir target/kube --features kube
	install target/kube/$(TARGET)/release/userspace target/kube/userspace
	stat --format '%8s %n' target/kube/userspace

.PHONY: demo
demo: ## Two containers, attached, pinged, checked and removed (root); ENGINE=ovs: on Open vSwitch with DPDK; ENGINE=vpp: on VPP
	@test -x scripts/demo-$${ENGINE:-linux} || { echo "make demo: ENGINE is linux, ovs or vpp, not $$ENGINE" >&2; exit 1; }
	@scripts/packages demo$${ENGINE:+$$(test $$ENGINE = linux || echo -$$ENGINE)}
	@$(MAKE) --no-print-directory build
	@STATIC=$(STATIC) scripts/demo-$${ENGINE:-linux}

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
	STATIC=$(STATIC) cargo bench --locked -p userspace-tests --bench attach
	STATIC=$(STATIC) cargo bench --locked -p userspace-tests --bench ovs
	STATIC=$(STATIC) cargo bench --locked -p userspace-tests --bench vpp
	STATIC=$(STATIC) cargo bench --locked -p userspace-tests --bench app
