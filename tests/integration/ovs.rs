//! The engine ovs-dpdk: the real binary on a real Open vSwitch with DPDK, and testpmd as the application of the containers.

mod apps;
mod check;
mod columns;
mod conformance;
mod faults;
pub(crate) mod kernel;
mod limits;
mod parallel;
mod preflight;
mod proxy;
mod repair;
mod restart;
mod scale;
mod sockets;
pub(crate) mod support;
mod traffic;
mod two_switches;
mod vlans;
