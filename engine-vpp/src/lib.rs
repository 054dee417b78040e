//! The engine that drives FD.io VPP over its binary API: on the host, and inside a container that has a VPP of its own.
//!
//! [`VppEngine::host`] makes interfaces that containers connect to (memif, vhost-user), taps, and attaches kernel interfaces that
//! are there (af_packet). [`VppEngine::in_container`] makes the other ends of memifs in a container's VPP and gives them addresses.
//! One build serves every release from VPP 22.10 on. It never reads the environment, the configuration or a record.

mod access;
mod address;
mod create;
mod domain;
mod engine;
mod error;
mod features;
mod find;
mod gateway;
mod interface;
mod make;
mod memif;
mod names;
mod observe;
mod place;
mod policer;
mod release;
mod remove;
mod route;
mod vlan;

pub use self::engine::VppEngine;
