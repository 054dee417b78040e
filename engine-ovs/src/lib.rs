//! The engine that drives Open vSwitch over OVSDB: on the host, and inside a container that has an Open vSwitch of its own.
//!
//! [`OvsEngine::host`] makes ports that containers connect to (vhost-user, memif) and attaches kernel interfaces that are there;
//! [`OvsEngine::in_container`] makes the other ends of such ports in a container's Open vSwitch. Everything is done by transactions
//! of [`ovsdb`]; ovs-vswitchd then makes what the database says. It never reads the environment, the configuration or a record.

mod address;
mod apply;
mod bridge;
mod columns;
mod device;
mod engine;
mod error;
mod interface;
mod kind;
mod memif;
mod names;
mod observe;
pub mod ovsdb;
mod place;
mod port;
mod qos;
mod server_socket;
mod vhost_user;
mod vswitchd;

pub use self::engine::OvsEngine;
