//! The engine vpp: the real binary on a real VPP when one is on PATH, and on the fake one always. What needs packets needs the real one.

mod abstract_sockets;
mod apps;
mod check;
mod conformance;
mod faults;
pub(crate) mod inner;
mod kernel;
mod limits;
mod parallel;
mod preflight;
mod repair;
mod restart;
mod scale;
mod sockets;
pub(crate) mod support;
mod tap;
pub(crate) mod traffic;
mod vlans;
