//! The engine ovs-dpdk: the real binary on a real Open vSwitch with DPDK, and testpmd as the application of the containers.

mod support;
mod traffic;
