//! Attaching containers to a vswitch: the values, the traits and the order of steps, for any engine.
//!
//! This crate knows no vswitch, no word of the CNI protocol and nothing of its environment. A caller (the CNI plugin
//! `userspace`, the container app, another meta-plugin) turns what it was asked into a [`plan::Plan`], brings engines, a remote
//! store and an IPAM, and runs [`lifecycle::add`] and its siblings.

pub mod addr;
pub mod addressing;
mod beneath;
pub mod conf;
pub mod cx;
pub mod devargs;
pub mod engine;
mod error;
pub mod fault;
pub mod half;
pub mod id;
pub mod ipam;
pub mod json;
pub mod lifecycle;
pub mod lock;
pub mod netns;
pub mod owner;
pub mod plan;
pub mod reconcile;
pub mod record;
pub mod remote;
pub mod shared;
pub mod spec;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
