//! The engine that drives the Linux kernel: veth pairs, bridges and routes on the host, and every kernel interface in a container.
//!
//! It knows one network namespace at a time: [`LinuxEngine::host`] is that of the process, [`LinuxEngine::in_netns`] that of a
//! container. It never reads the environment, the configuration or a record.

mod assign;
mod bridge;
mod container_end;
mod engine;
mod error;
mod interface;
mod macvlan;
mod place;
mod tap;
mod veth;

pub use self::engine::LinuxEngine;
